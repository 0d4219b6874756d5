import type { LiveClock } from './live-clock.ts'

/** Time that stands still until a test moves it. */
export class FakeLiveClock implements LiveClock {
  #nowMs = 0
  #timers: { readonly atMs: number; readonly callback: () => void }[] = []

  nowMs(): number {
    return this.#nowMs
  }

  schedule(callback: () => void, afterMs: number): () => void {
    const timer = { atMs: this.#nowMs + afterMs, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  random(): number {
    return 0.5
  }

  /** Lets everything that is ready run. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  /** Moves time, timer by timer. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await this.settle()
    for (;;) {
      const next = this.#timers.filter((timer) => timer.atMs <= endMs).sort((left, right) => left.atMs - right.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((other) => other !== next)
      this.#nowMs = next.atMs
      next.callback()
      // oxlint-disable-next-line no-await-in-loop -- one timer after another
      await this.settle()
    }
    this.#nowMs = endMs
  }
}
