import type { Logger } from './logger.ts'
import type { Clock } from './clock.ts'

/** Something that runs until it is disposed. Disposing is idempotent and bounded. */
export interface Running extends AsyncDisposable {
  /** Rejects when the service ends by itself with an error; resolves when it has been disposed. */
  readonly done: Promise<void>
}

/** A part with a lifetime: creating it touches nothing, `start` resolves when it is ready to serve. */
export interface Service {
  readonly name: string
  start(options: { readonly signal: AbortSignal }): Promise<Running>
}

/**
 * The service, begun when `ready` resolves: its own `start` resolves at once, nobody waits for it. That it cannot start, or that `ready` rejects, counts as if it had ended with
 * that error.
 */
export function startingAfter(ready: Promise<void>, service: Service): Service {
  return {
    name: service.name,
    start({ signal }) {
      const stop = new AbortController()
      const stopped = Promise.withResolvers<undefined>()
      stop.signal.addEventListener('abort', () => stopped.resolve(undefined), { once: true })
      const running = Promise.race([ready, stopped.promise]).then(() =>
        stop.signal.aborted ? undefined : service.start({ signal: AbortSignal.any([signal, stop.signal]) }),
      )
      return Promise.resolve({
        done: running.then((started) => started?.done),
        async [Symbol.asyncDispose]() {
          stop.abort(new Error(`${service.name} is stopping`))
          const started = await running.catch(() => undefined) // `done` tells it
          await started?.[Symbol.asyncDispose]()
        },
      })
    },
  }
}

/**
 * Starts parts in order and stops them in reverse. A part that ends by itself with an error stops the rest: `done` rejects with that error.
 * Each part gets `stopWithinMs` to stop; one that does not is named in the log and left behind.
 */
export class Supervisor implements Running {
  readonly #deps: { readonly log: Logger; readonly clock: Clock }
  readonly #stopWithinMs: number
  readonly #parts: { readonly name: string; readonly part: AsyncDisposable }[] = []
  readonly #done = Promise.withResolvers<void>()
  readonly #abort = new AbortController()
  #stopping: Promise<void> | undefined

  constructor(deps: { readonly log: Logger; readonly clock: Clock }, options: { readonly stopWithinMs: number }) {
    this.#deps = deps
    this.#stopWithinMs = options.stopWithinMs
    this.#done.promise.catch(() => {}) // awaited by whoever wants it; a crash nobody awaits is already logged
  }

  get done(): Promise<void> {
    return this.#done.promise
  }

  /** Aborts when the supervisor stops. */
  get signal(): AbortSignal {
    return this.#abort.signal
  }

  /** Hands an opened resource over: it is disposed when the supervisor stops. */
  use<T extends AsyncDisposable>(name: string, part: T): T {
    this.#parts.push({ name, part })
    return part
  }

  async start(service: Service): Promise<Running> {
    const running = await service.start({ signal: this.#abort.signal })
    this.use(service.name, running)
    running.done.catch((error: unknown) => {
      this.#deps.log.error('a service ended with an error', { service: service.name, error })
      this.#done.reject(error)
      void this.stop()
    })
    return running
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #stop(): Promise<void> {
    this.#abort.abort(new Error('the platform is stopping'))
    for (const { name, part } of this.#parts.reverse()) {
      const late = Symbol('late')
      const timeout = Promise.withResolvers<typeof late>()
      const cancel = this.#deps.clock.schedule(() => timeout.resolve(late), this.#stopWithinMs)
      try {
        const outcome = await Promise.race([part[Symbol.asyncDispose](), timeout.promise])
        if (outcome === late) this.#deps.log.warn('a service did not stop in time', { service: name, stopWithinMs: this.#stopWithinMs })
      } catch (error) {
        this.#deps.log.error('a service failed while stopping', { service: name, error })
      } finally {
        cancel()
      }
    }
    this.#parts.length = 0
    this.#done.resolve()
  }
}
