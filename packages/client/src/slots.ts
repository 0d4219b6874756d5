import type { Clock } from '@gantry/runtime'

/** A counting semaphore with a bounded, first-come queue. */
export class Slots {
  readonly #clock: Clock
  readonly #limit: number
  readonly #maxQueued: number
  readonly #queue = new Set<() => void>()
  #taken = 0

  constructor(deps: { readonly clock: Clock }, options: { readonly limit: number; readonly maxQueued: number }) {
    this.#clock = deps.clock
    this.#limit = options.limit
    this.#maxQueued = options.maxQueued
  }

  /** Resolves with a function that gives the slot back (calling it again does nothing). Throws what `full` or `late` return when there is no room or no turn in time. */
  async take(options: {
    readonly signal: AbortSignal
    readonly waitMs: number
    readonly full: (queued: number) => Error
    readonly late: () => Error
  }): Promise<() => void> {
    const free = this.takeFree()
    if (free !== undefined) return free
    if (this.#queue.size >= this.#maxQueued) throw options.full(this.#queue.size)
    await this.#wait(options)
    return this.#held()
  }

  /** A slot that is free now, as `take`; undefined when there is none. */
  takeFree(): (() => void) | undefined {
    if (this.#taken >= this.#limit) return undefined
    this.#taken++
    return this.#held()
  }

  #held(): () => void {
    let given = false
    return () => {
      if (given) return
      given = true
      this.#release()
    }
  }

  async #wait(options: { readonly signal: AbortSignal; readonly waitMs: number; readonly late: () => Error }): Promise<void> {
    options.signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const onAbort = (): void => reject(options.signal.reason)
    const cancel = this.#clock.schedule(() => reject(options.late()), options.waitMs)
    options.signal.addEventListener('abort', onAbort, { once: true })
    this.#queue.add(resolve)
    try {
      await promise
    } finally {
      this.#queue.delete(resolve)
      cancel()
      options.signal.removeEventListener('abort', onAbort)
    }
  }

  // The slot passes straight to the next in the queue, so that a newcomer cannot overtake it.
  #release(): void {
    for (const next of this.#queue) {
      this.#queue.delete(next)
      next()
      return
    }
    this.#taken--
  }
}
