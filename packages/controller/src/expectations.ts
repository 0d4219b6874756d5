import type { Clock } from '@gantry/runtime'

/**
 * What a controller has done and not yet seen in its informer. Until its own creations and deletions have come back it must not count objects, or it makes too many.
 * An expectation that is never met expires, so that a lost event costs minutes and not for ever. Upstream: controller_utils.go UIDTrackingControllerExpectations.
 */
export class Expectations {
  readonly #clock: Clock
  readonly #expireMs: number
  readonly #pending = new Map<string, { creations: number; readonly deletions: Set<string>; readonly sinceMs: number }>()

  constructor(deps: { readonly clock: Clock }, options: { readonly expireMs?: number } = {}) {
    this.#clock = deps.clock
    this.#expireMs = options.expireMs ?? 300_000
  }

  /** Whether the informer shows everything that was done for this key. */
  satisfied(key: string): boolean {
    const pending = this.#pending.get(key)
    if (pending === undefined) return true
    if (pending.creations > 0 || pending.deletions.size > 0) return this.#clock.monotonicMs() - pending.sinceMs > this.#expireMs
    return true
  }

  expectCreations(key: string, count: number): void {
    this.#pending.set(key, { creations: count, deletions: new Set(), sinceMs: this.#clock.monotonicMs() })
  }

  /** `ids` name the objects (`uid` or key): a deletion that was already seen twice must not be counted twice. */
  expectDeletions(key: string, ids: readonly string[]): void {
    this.#pending.set(key, { creations: 0, deletions: new Set(ids), sinceMs: this.#clock.monotonicMs() })
  }

  creationObserved(key: string): void {
    const pending = this.#pending.get(key)
    if (pending !== undefined && pending.creations > 0) pending.creations--
  }

  deletionObserved(key: string, id: string): void {
    this.#pending.get(key)?.deletions.delete(id)
  }

  /** Forgets a key: its owner is gone. */
  forget(key: string): void {
    this.#pending.delete(key)
  }
}
