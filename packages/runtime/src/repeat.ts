import type { Clock } from './clock.ts'
import type { Running, Service } from './service.ts'

export interface RepeatOptions {
  /** From the end of one time to the beginning of the next. */
  readonly everyMs: number
  /** Until the first time; 0: it begins at once, and nobody waits for it. As long as between the others unless said. */
  readonly firstAfterMs?: number | undefined
  /** `signal` aborts when it is to stop. */
  readonly work: (signal: AbortSignal) => void | Promise<void>
  /** Told what `work` throws, unless that comes of stopping; the next time comes all the same. Must not throw. */
  readonly failed: (error: unknown) => void
}

/** Does something again and again, one time after the other, until it is disposed; disposing waits for the work that is under way. */
export function repeat({ clock }: { readonly clock: Clock }, options: RepeatOptions): Running {
  const { everyMs, firstAfterMs = everyMs, work, failed } = options
  const stop = new AbortController()
  const done = Promise.withResolvers<void>()
  let cancel = (): void => {}
  let working: Promise<void> = Promise.resolve()

  function workAfter(afterMs: number): void {
    cancel = clock.schedule(() => void (working = once()), afterMs)
  }

  async function once(): Promise<void> {
    try {
      await work(stop.signal)
    } catch (error) {
      if (!stop.signal.aborted) failed(error)
    }
    if (!stop.signal.aborted) workAfter(everyMs)
  }

  if (firstAfterMs === 0) working = once()
  else workAfter(firstAfterMs)
  return {
    done: done.promise,
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('stopping'))
      cancel()
      await working
      done.resolve()
    },
  }
}

/** `repeat` as a service. */
export function repeating(deps: { readonly clock: Clock }, options: RepeatOptions & { readonly name: string }): Service {
  return { name: options.name, start: () => Promise.resolve(repeat(deps, options)) }
}
