import type { Clock, Ids } from '@gantry/runtime'
import type { NextStep } from '../api/index.ts'
import { hashSecret, matchesHash } from './secret-hash.ts'

/** Somebody whose password was right, on the way to a session. */
export interface SignInTicket {
  readonly user: string
  readonly uid: string
  readonly next: NextStep
  /** The password's hash as it was: a new password ends what began with the old one. */
  readonly passwordHash: string | undefined
  /** Whether a second factor was asked for and given. */
  readonly hasSecondFactor: boolean
  /** For `enrolSecondFactor`: what the app was told. */
  readonly enrolSecret?: string | undefined
}

interface Kept {
  readonly ticket: SignInTicket
  readonly browser: string
  readonly expiresMs: number
  triesLeft: number
}

const secretBytes = 32
const lastsMs = 5 * 60_000
const tries = 10
const maxTickets = 2_000
const maxTicketsOfUser = 5

/** How long a ticket lasts: also for the cookie beside it. */
export const ticketSeconds = lastsMs / 1_000

/**
 * What is between the steps of a sign-in, in the memory of this gateway: in bounded number, for five minutes, ten tries and one success each. A ticket is two secrets, one in the
 * answer and one in a cookie: neither is worth anything without the other.
 */
export class SignInTickets {
  readonly #clock: Clock
  readonly #ids: Ids
  /** By the hash of the ticket, the oldest first. */
  readonly #kept = new Map<string, Kept>()

  constructor(deps: { readonly clock: Clock; readonly ids: Ids }) {
    this.#clock = deps.clock
    this.#ids = deps.ids
  }

  get size(): number {
    return this.#kept.size
  }

  /** Makes one. The oldest goes when there are too many, of this user or of all. */
  issue(ticket: SignInTicket): { readonly ticket: string; readonly browser: string } {
    const nowMs = this.#clock.monotonicMs()
    for (const [key, { expiresMs }] of this.#kept) if (expiresMs <= nowMs) this.#kept.delete(key)
    const ofUser = [...this.#kept].filter(([, kept]) => kept.ticket.user === ticket.user)
    if (ofUser.length >= maxTicketsOfUser) this.#kept.delete(ofUser[0]?.[0] ?? '')
    const [oldest = ''] = this.#kept.keys()
    if (this.#kept.size >= maxTickets) this.#kept.delete(oldest)
    const [secret, browser] = [this.#ids.secret(secretBytes), this.#ids.secret(secretBytes)]
    this.#kept.set(hashSecret(secret), { ticket, browser: hashSecret(browser), expiresMs: nowMs + lastsMs, triesLeft: tries })
    return { ticket: secret, browser }
  }

  /** The ticket, and one try less of it; undefined when it is none, is over, or belongs to another browser. */
  try(secret: string, browser: string): SignInTicket | undefined {
    const key = hashSecret(secret)
    const kept = this.#kept.get(key)
    if (kept === undefined || kept.expiresMs <= this.#clock.monotonicMs() || !matchesHash(browser, kept.browser)) return undefined
    kept.triesLeft--
    if (kept.triesLeft < 0) this.#kept.delete(key)
    return kept.triesLeft < 0 ? undefined : kept.ticket
  }

  /** Uses it up; false when somebody else was first. */
  use(secret: string): boolean {
    return this.#kept.delete(hashSecret(secret))
  }
}
