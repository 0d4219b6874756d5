import type { Clock } from '@gantry/runtime'

// Upstream: pkg/scheduler/backend/queue.
const firstBackoffMs = 1_000
const longestBackoffMs = 10_000
const flushUnschedulableMs = 300_000

export interface Waiting {
  readonly key: string
  readonly priority: number
  attempts: number
  failedAtMs: number
}

/**
 * Pods to schedule, highest priority first. A pod that did not fit waits until something changed that may help (or five minutes), and at least its backoff. Bounded by the number of
 * pods: a key is here once.
 */
export class SchedulingQueue {
  readonly #clock: Clock
  /** By priority, of which there are few; inside one, in order of arrival. */
  readonly #active = new Map<number, Map<string, Waiting>>()
  readonly #priorityOf = new Map<string, number>()
  readonly #unschedulable = new Map<string, Waiting>()
  readonly #backingOff = new Map<string, () => void>()
  #wake: (() => void) | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#priorityOf.size + this.#unschedulable.size + this.#backingOff.size
  }

  /** A new pod, or one that changed: it is tried at once. */
  add(key: string, priority: number): void {
    const waiting = this.#unschedulable.get(key)
    this.#unschedulable.delete(key)
    if (this.#backingOff.has(key)) return
    this.#activate({ key, priority, attempts: waiting?.attempts ?? 0, failedAtMs: 0 })
  }

  remove(key: string): void {
    this.#deactivate(key)
    this.#unschedulable.delete(key)
    this.#backingOff.get(key)?.()
    this.#backingOff.delete(key)
  }

  /** The next pod's key; undefined when none is ready. The caller reports failure with `failed`. */
  take(): Waiting | undefined {
    let highest: number | undefined
    for (const priority of this.#active.keys()) if (highest === undefined || priority > highest) highest = priority
    const bucket = highest === undefined ? undefined : this.#active.get(highest)
    const [next] = bucket?.values() ?? []
    if (next !== undefined) this.#deactivate(next.key)
    return next
  }

  failed(waiting: Waiting): void {
    waiting.attempts++
    waiting.failedAtMs = this.#clock.monotonicMs()
    this.#unschedulable.set(waiting.key, waiting)
  }

  /** Something changed in the cluster that may make room. */
  moveAll(): void {
    for (const waiting of this.#unschedulable.values()) this.#retry(waiting)
  }

  /** Pods that have waited too long for an event that never came. */
  flushOld(): void {
    const now = this.#clock.monotonicMs()
    for (const waiting of this.#unschedulable.values()) if (now - waiting.failedAtMs >= flushUnschedulableMs) this.#retry(waiting)
  }

  /** Resolves when there may be something to take. */
  ready(signal: AbortSignal): Promise<void> {
    if (this.#priorityOf.size > 0 || signal.aborted) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    const wake = (): void => {
      signal.removeEventListener('abort', wake)
      resolve()
    }
    this.#wake = wake
    signal.addEventListener('abort', wake, { once: true })
    return promise
  }

  stop(): void {
    for (const cancel of this.#backingOff.values()) cancel()
    this.#backingOff.clear()
  }

  #retry(waiting: Waiting): void {
    this.#unschedulable.delete(waiting.key)
    const backoff = Math.min(longestBackoffMs, firstBackoffMs * 2 ** (waiting.attempts - 1))
    const left = waiting.failedAtMs + backoff - this.#clock.monotonicMs()
    if (left <= 0) {
      this.#activate(waiting)
      return
    }
    const cancel = this.#clock.schedule(() => {
      this.#backingOff.delete(waiting.key)
      this.#activate(waiting)
    }, left)
    this.#backingOff.set(waiting.key, cancel)
  }

  #activate(waiting: Waiting): void {
    this.#deactivate(waiting.key)
    let bucket = this.#active.get(waiting.priority)
    if (bucket === undefined) this.#active.set(waiting.priority, (bucket = new Map()))
    bucket.set(waiting.key, waiting)
    this.#priorityOf.set(waiting.key, waiting.priority)
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  #deactivate(key: string): void {
    const priority = this.#priorityOf.get(key)
    if (priority === undefined) return
    this.#priorityOf.delete(key)
    const bucket = this.#active.get(priority)
    bucket?.delete(key)
    if (bucket?.size === 0) this.#active.delete(priority)
  }
}
