import type { Clock } from '@gantry/runtime'

interface Waiting {
  readonly endsAtMs: number
  readonly give: (error: Error) => void
}

/** Gives up on what lasts longer than a limit that is the same for all: one timer watches over every request, so that one that is quick pays for none. */
export class RequestDeadline {
  readonly #clock: Clock
  readonly #limitMs: number
  readonly #overdue: () => Error
  readonly #waiting = new Set<Waiting>()
  #isArmed = false

  constructor(clock: Clock, options: { readonly limitMs: number; readonly overdue: () => Error }) {
    this.#clock = clock
    this.#limitMs = options.limitMs
    this.#overdue = options.overdue
  }

  /** The outcome of work that began at `startedMs` of the clock's monotonic time. Rejects with an error of `overdue` when that takes too long; the work ends by itself. */
  async limit<T>(startedMs: number, work: Promise<T>): Promise<T> {
    const late = Promise.withResolvers<never>()
    const waiting: Waiting = { endsAtMs: startedMs + this.#limitMs, give: late.reject }
    this.#waiting.add(waiting)
    if (!this.#isArmed) this.#arm(this.#limitMs)
    try {
      return await Promise.race([work, late.promise])
    } finally {
      this.#waiting.delete(waiting)
    }
  }

  #arm(afterMs: number): void {
    this.#isArmed = true
    this.#clock.schedule(() => this.#sweep(), afterMs)
  }

  #sweep(): void {
    this.#isArmed = false
    const now = this.#clock.monotonicMs()
    let next = Infinity
    for (const { endsAtMs, give } of this.#waiting) {
      if (endsAtMs <= now) give(this.#overdue())
      else next = Math.min(next, endsAtMs)
    }
    if (next !== Infinity) this.#arm(next - now)
  }
}
