/** How many requests may be on their way at once. Answers that stream count only until their headers are out. */
export interface ConcurrencyLimits {
  readonly total: number
  readonly perCaller: number
  /** To one cluster: those that wait for a dead one leave room for the others. */
  readonly perCallerAndCluster: number
  /** Watches, logs and upgrades of one caller. */
  readonly streamsPerCaller: number
}

export const defaultConcurrencyLimits: ConcurrencyLimits = { total: 2_000, perCaller: 1_000, perCallerAndCluster: 400, streamsPerCaller: 2_000 }

/** Counts by key. Keys without a count take no memory. */
export class KeyedCounter {
  readonly #counts = new Map<string, number>()
  #total = 0

  get total(): number {
    return this.#total
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0
  }

  add(key: string): void {
    this.#total++
    this.#counts.set(key, this.of(key) + 1)
  }

  remove(key: string): void {
    this.#total--
    const left = this.of(key) - 1
    if (left > 0) this.#counts.set(key, left)
    else this.#counts.delete(key)
  }
}
