import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'

// Five wrong passwords for a user from one address, then a pause that doubles with every further one. The user at another address is not locked out by it.
const freeFailures = 5
const freeFailuresOfAddress = 30
const firstPauseMs = 15_000
const longestPauseMs = 15 * 60_000
const forgetAfterMs = 30 * 60_000
const maxEntries = 10_000

interface Entry {
  failures: number
  lockedUntilMs: number
  lastMs: number
}

/** Slows down whoever guesses passwords, in bounded memory: past the limit the entry that has been quiet longest goes. */
export class LoginThrottle {
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  /** Throws TooManyRequests, with the time to wait, for an attempt that has to. */
  check(user: string, address: string): void {
    const waitMs = this.waitMs(user, address)
    if (waitMs === 0) return
    const retryAfterSeconds = Math.ceil(waitMs / 1_000)
    throw new StatusError('TooManyRequests', `too many failed attempts, please try again in ${retryAfterSeconds} s`, { details: { retryAfterSeconds } })
  }

  /** Milliseconds this attempt has to wait; 0 lets it through. */
  waitMs(user: string, address: string): number {
    const now = this.#clock.monotonicMs()
    const until = Math.max(...keysOf(user, address).map((key) => this.#entries.get(key)?.lockedUntilMs ?? 0))
    return Math.max(0, until - now)
  }

  /** Counts an attempt as failed before its password is checked, so that many at once are no way round; `takeBack` when it was right. */
  attempt(user: string, address: string): void {
    const now = this.#clock.monotonicMs()
    for (const [at, key] of keysOf(user, address).entries()) {
      const known = this.#entries.get(key)
      const entry = known === undefined || now - known.lastMs > forgetAfterMs ? { failures: 0, lockedUntilMs: 0, lastMs: now } : known
      entry.failures++
      entry.lastMs = now
      const beyond = entry.failures - (at === 0 ? freeFailures : freeFailuresOfAddress)
      if (beyond >= 0) entry.lockedUntilMs = now + Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(beyond, 10))
      this.#entries.delete(key) // to the end of the line
      this.#entries.set(key, entry)
    }
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= maxEntries) break
      this.#entries.delete(oldest)
    }
  }

  /** Takes one attempt back: it was right. */
  takeBack(user: string, address: string): void {
    for (const key of keysOf(user, address)) {
      const entry = this.#entries.get(key)
      if (entry !== undefined && entry.failures > 0) entry.failures--
    }
  }

  /** The user has signed in: what there was against this user from this address is forgotten. */
  succeeded(user: string, address: string): void {
    this.#entries.delete(keysOf(user, address)[0])
  }
}

function keysOf(user: string, address: string): readonly [string, string] {
  return [`${address} ${user.slice(0, 64)}`, address]
}
