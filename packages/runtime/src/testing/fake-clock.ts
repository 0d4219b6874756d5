import type { Clock } from '../clock.ts'
import { sleepOn } from '../clock.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

/** A clock that stands still until a test moves it. Timers fire in the order of their time, then of their making. */
export class FakeClock implements Clock {
  readonly #startMs: number
  #nowMs: number
  #order = 0
  #timers: Timer[] = []

  constructor(start = '2026-01-01T00:00:00Z') {
    this.#startMs = Date.parse(start)
    this.#nowMs = this.#startMs
  }

  now(): Date {
    return new Date(this.#nowMs)
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs
  }

  schedule(callback: () => void, afterMs: number): () => void {
    const timer: Timer = { at: this.#nowMs + Math.max(0, afterMs), order: this.#order++, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return sleepOn((callback, afterMs) => this.schedule(callback, afterMs), ms, options?.signal)
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length
  }

  /** Moves time forward, firing what falls due; between timers the micro-tasks and I/O callbacks already queued get to run. */
  async advance(ms: number): Promise<void> {
    const target = this.#nowMs + ms
    await settle()
    for (;;) {
      const next = this.#timers.filter((timer) => timer.at <= target).sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.#nowMs = Math.max(this.#nowMs, next.at)
      next.callback()
      await settle()
    }
    this.#nowMs = target
    await settle()
  }
}

/** Lets everything that is ready to run do so: a few turns of the event loop, no waiting. */
export async function settle(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
