import { exponentialDelayMs } from './backoff.ts'
import type { BackoffOptions } from './backoff.ts'
import type { Clock } from './clock.ts'

/** client-go's DefaultTypedControllerRateLimiter: 5 ms doubling to 1000 s, per key. */
export const controllerBackoff: BackoffOptions = { baseMs: 5, maxMs: 1_000_000 }

/**
 * A queue of keys, as client-go's: a key waits at most once, is never handed to two workers at the same time, and one that is added while it is being worked on
 * comes again when that is done. It holds at most one entry per key, so its length is bounded by the number of objects. Upstream: client-go util/workqueue.
 */
export class WorkQueue<K = string> {
  readonly #clock: Clock
  readonly #backoff: BackoffOptions
  readonly #ready = new Set<K>()
  readonly #processing = new Set<K>()
  readonly #again = new Set<K>()
  readonly #delayed = new Map<K, { readonly atMs: number; readonly cancel: () => void }>()
  readonly #failures = new Map<K, number>()
  readonly #idleWorkers = new Set<(key: K | undefined) => void>()
  #shutDown = false

  constructor(deps: { readonly clock: Clock }, options: { readonly backoff?: BackoffOptions } = {}) {
    this.#clock = deps.clock
    this.#backoff = options.backoff ?? controllerBackoff
  }

  /** Keys that are ready and not yet handed out. */
  get length(): number {
    return this.#ready.size
  }

  /** Keys that are ready, delayed or being worked on. */
  get pending(): number {
    return this.#ready.size + this.#delayed.size + this.#processing.size
  }

  add(key: K): void {
    if (this.#shutDown) return
    if (this.#processing.has(key)) {
      this.#again.add(key)
      return
    }
    const [worker] = this.#idleWorkers
    if (worker !== undefined && !this.#ready.has(key)) {
      this.#idleWorkers.delete(worker)
      this.#processing.add(key)
      worker(key)
      return
    }
    this.#ready.add(key)
  }

  /** Adds the key after a while; of several delays of one key the earliest counts. */
  addAfter(key: K, ms: number): void {
    if (this.#shutDown) return
    if (ms <= 0) {
      this.add(key)
      return
    }
    const atMs = this.#clock.monotonicMs() + ms
    const waiting = this.#delayed.get(key)
    if (waiting !== undefined) {
      if (waiting.atMs <= atMs) return
      waiting.cancel()
    }
    const cancel = this.#clock.schedule(() => {
      this.#delayed.delete(key)
      this.add(key)
    }, ms)
    this.#delayed.set(key, { atMs, cancel })
  }

  /** Adds the key after the delay that its failures so far deserve, and counts one more. */
  addRateLimited(key: K): void {
    const failures = (this.#failures.get(key) ?? 0) + 1
    this.#failures.set(key, failures)
    this.addAfter(key, exponentialDelayMs(failures, this.#backoff))
  }

  /** The next failure of this key starts from the shortest delay again. */
  forget(key: K): void {
    this.#failures.delete(key)
  }

  /** Failures in a row since the last `forget`. */
  failures(key: K): number {
    return this.#failures.get(key) ?? 0
  }

  /** The next key, in the order of adding; `undefined` once the queue has been shut down. Call `done` when its work has ended. */
  take(): Promise<K | undefined> {
    if (this.#shutDown) return Promise.resolve(undefined)
    for (const key of this.#ready) {
      this.#ready.delete(key)
      this.#processing.add(key)
      return Promise.resolve(key)
    }
    const { promise, resolve } = Promise.withResolvers<K | undefined>()
    this.#idleWorkers.add(resolve)
    return promise
  }

  done(key: K): void {
    this.#processing.delete(key)
    if (this.#again.delete(key)) this.add(key)
  }

  /** Drops what waits and sends every worker home. */
  shutDown(): void {
    this.#shutDown = true
    for (const { cancel } of this.#delayed.values()) cancel()
    this.#delayed.clear()
    this.#ready.clear()
    this.#again.clear()
    this.#failures.clear()
    for (const worker of this.#idleWorkers) worker(undefined)
    this.#idleWorkers.clear()
  }
}
