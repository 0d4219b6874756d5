import { StatusError } from '@gantry/apimachinery'
import type { NextStep } from '../api/index.ts'
import { BrowserSeal, type BrowserSealDeps } from './browser-seal.ts'
import { hashSecret, matchesHash } from './secret-hash.ts'
import type { Credentials } from './user-credentials.ts'

/** Somebody whose password was right, on the way to a session. */
export interface SignInTicket {
  readonly user: string
  readonly uid: string
  readonly next: NextStep
  /** Of the password as it was: a new password ends what began with the old one. */
  readonly password: string | undefined
  /** Whether a second factor was asked for and given. */
  readonly hasSecondFactor: boolean
  /** What the identity provider calls the sign-in it came from. */
  readonly providerSession?: string | undefined
  /** For `enrolSecondFactor`: what the app was told. */
  readonly enrolSecret?: string | undefined
}

interface SealedTicket extends SignInTicket {
  readonly id: string
  /** Hash of the half that is in a cookie. */
  readonly browser: string
}

/** One that has come back. */
export interface OpenedTicket extends SignInTicket {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

const secretBytes = 32
const idBytes = 12
/** Each took a proof of who it is: only whoever has the account gets here. */
const mostServed = 100

/** How long a ticket lasts: also for the cookie beside it. */
export const ticketSeconds = 300

/**
 * What is between the steps of a sign-in, kept by the browser, encrypted: any gateway on the hub goes on where another began. A ticket has two halves, one in the answer and one in a
 * cookie: neither is worth anything without the other. That it serves once is written where what it proves is: `served`.
 */
export class SignInTickets {
  readonly #deps: BrowserSealDeps
  readonly #seal: BrowserSeal<SealedTicket>

  constructor(deps: BrowserSealDeps) {
    this.#deps = deps
    this.#seal = new BrowserSeal(deps, 'sign-in ticket')
  }

  async issue(ticket: SignInTicket): Promise<{ readonly ticket: string; readonly browser: string }> {
    const { ids } = this.#deps
    const browser = ids.secret(secretBytes)
    return { ticket: await this.#seal.seal({ ...ticket, id: ids.secret(idBytes), browser: hashSecret(browser) }, ticketSeconds), browser }
  }

  /** Undefined when it is none, is over, or belongs to another browser. */
  async open(text: string, browser: string): Promise<OpenedTicket | undefined> {
    const ticket = await this.#seal.open(text)
    return ticket !== undefined && matchesHash(browser, ticket.browser) ? ticket : undefined
  }
}

/** What a ticket says of a password. */
export function passwordMark({ passwordHash }: Pick<Credentials, 'passwordHash'>): string | undefined {
  return passwordHash === undefined ? undefined : hashSecret(passwordHash)
}

/**
 * Credentials after a ticket has served, to be written together with what it has proved: of two who use it at once, on whatever gateway, one comes second. Throws Unauthorized when
 * it has served before, or another password has been set since.
 */
export function served(before: Credentials, ticket: OpenedTicket, nowMs: number): Credentials {
  if (passwordMark(before) !== ticket.password || before.servedTickets.some(({ id }) => id === ticket.id)) throw new StatusError('Unauthorized', over)
  const servedTickets = before.servedTickets.filter(({ untilMs }) => untilMs > nowMs)
  if (servedTickets.length >= mostServed)
    throw new StatusError('TooManyRequests', 'too many sign-ins at once, please try again in some minutes', { details: { retryAfterSeconds: ticketSeconds } })
  return { ...before, servedTickets: [...servedTickets, { id: ticket.id, untilMs: ticket.untilMs }] }
}

export const over = 'this sign-in is over, please begin again'
