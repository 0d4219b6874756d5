import { setImmediate } from 'node:timers/promises'
import { sleepOn } from './sleep.ts'
import type { Clock } from '@gantry/runtime'

/** Time that stands still until a test moves it. */
export class FakeClock implements Clock {
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()
  readonly #startMs: number
  #elapsedMs = 0

  constructor(start = new Date('2026-01-01T00:00:00Z')) {
    this.#startMs = start.getTime()
  }

  now(): Date {
    return new Date(this.#startMs + this.#elapsedMs)
  }

  monotonicMs(): number {
    return this.#elapsedMs
  }

  schedule(callback: () => void, afterMs: number): () => void {
    const timer = { atMs: this.#elapsedMs + afterMs, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void> {
    return sleepOn((callback, afterMs) => this.schedule(callback, afterMs), ms, options?.signal)
  }

  /** Moves time and runs what is due on the way, letting work settle after each timer. */
  async advance(ms: number): Promise<void> {
    const until = this.#elapsedMs + ms
    await settle()
    for (;;) {
      let next: { readonly atMs: number; readonly callback: () => void } | undefined
      for (const timer of this.#timers) if (timer.atMs <= until && (next === undefined || timer.atMs < next.atMs)) next = timer
      if (next === undefined) break
      this.#timers.delete(next)
      this.#elapsedMs = Math.max(this.#elapsedMs, next.atMs)
      next.callback()
      await settle()
    }
    this.#elapsedMs = until
  }
}

/** Lets everything that is ready at this instant run: in-process work is a chain of microtasks and immediates, without timers. */
export async function settle(turns = 12): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await setImmediate()
}
