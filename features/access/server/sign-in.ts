import { StatusError } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import type { NextStep, SecondFactorEnrolment, User } from '../api/index.ts'
import { rfc3339 } from '@gantry/clusters/api'
import { unlocked } from './account-lock.ts'
import type { Identities, StatusFields } from './identities.ts'
import { knownBrowserOf, KnownBrowsers } from './known-browsers.ts'
import type { LoginThrottle } from './login-throttle.ts'
import type { PasswordHasher } from './password-hash.ts'
import { newPasswordProblem } from './password-rules.ts'
import { newRecoveryCodes, withoutCode } from './recovery-codes.ts'
import { over, passwordMark, served, SignInTickets, type OpenedTicket } from './sign-in-tickets.ts'
import { enrolmentOf, newEnrolment, stepOfCode } from './totp.ts'
import type { Credentials, KnownBrowser, Owner } from './user-credentials.ts'

export interface SignInDeps {
  readonly hub: KubeClient
  readonly identities: Identities
  readonly throttle: LoginThrottle
  readonly hasher: PasswordHasher
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Called after a user has set a password of their own. */
  readonly onPasswordSet?: ((user: string) => void | Promise<void>) | undefined
}

/** Who knocks: the address, and what the browser sent along. */
export interface SignInOrigin {
  readonly address: string
  readonly userAgent?: string | undefined
  /** The secret of a browser in which somebody has signed in before. */
  readonly knownBrowser?: string | undefined
  /** The half of a ticket that is in a cookie. */
  readonly ticketCookie?: string | undefined
}

export type SignInOutcome = Admission | FurtherStep

/** May have a session. */
export interface Admission {
  readonly user: User
  /** What there is to be said of the user from now on. */
  readonly status: StatusFields
  /** The secret of a browser that is known from now on. */
  readonly knownBrowser?: string | undefined
  readonly recoveryCodes?: readonly string[] | undefined
  /** What the identity provider calls the sign-in it came from. */
  readonly providerSession?: string | undefined
  readonly next?: undefined
}

/** What comes before that. */
export interface FurtherStep {
  readonly next: NextStep
  readonly ticket: string
  readonly ticketCookie: string
  readonly enrolment?: SecondFactorEnrolment | undefined
}

/** One for whatever went wrong: which names exist, which are locked and whether a password was right is nobody's business. */
const refused = 'user name or password is wrong; after several failures an account is locked for a while'
const codeRefused = 'the code is wrong or has been used already; after several failures an account is locked for a while'

const knownBrowserBytes = 32

/**
 * Signs users in whose password is right or whom a provider has proved, step by step: password, second factor, a password of one's own, setting up a second factor; the session comes last. Failures count against the address
 * (`LoginThrottle`) and the account (`AccountLock`); a browser in which the user has signed in before has a count of its own, so that strangers lock nobody out of it.
 */
export class SignIn {
  readonly #deps: SignInDeps
  readonly #tickets: SignInTickets
  readonly #browsers: KnownBrowsers

  constructor(deps: SignInDeps) {
    this.#deps = deps
    this.#tickets = new SignInTickets(deps)
    this.#browsers = new KnownBrowsers(deps.identities.credentials)
  }

  /** The first step. Throws Unauthorized and TooManyRequests. */
  async password(username: string, password: string, from: SignInOrigin): Promise<SignInOutcome> {
    const { identities, throttle, hasher } = this.#deps
    throttle.check(username, from.address)
    throttle.attempt(username, from.address)
    const user = identities.users.get(username)
    // Who has an account elsewhere has no password here.
    const owner = user === undefined || user.spec.identity !== undefined ? undefined : identities.ownerOf(username)
    const credentials = owner === undefined ? await identities.credentials.readNothing() : await identities.credentials.read(owner)
    const browser = knownBrowserOf(credentials, from.knownBrowser)
    const isRight = await this.#judge(owner, browser, async (isAdmitted) => {
      const matches = await hasher.verify(password, credentials.passwordHash)
      return matches && isAdmitted && user?.spec.disabled !== true
    })
    if (!isRight || user === undefined || owner === undefined) {
      this.#deps.log.warn('a sign-in failed', { user: username.slice(0, 64), address: from.address })
      throw new StatusError('Unauthorized', refused)
    }
    throttle.takeBack(username, from.address)
    const current = await this.#withCurrentHash(owner, credentials, password)
    return this.#proceed({ user, owner, credentials: current, hasSecondFactor: false }, from)
  }

  /** Somebody whom a provider has just proved: what else the platform asks of them, or the session. */
  async proved(user: User, { providerSession, ...from }: SignInOrigin & { readonly providerSession?: string | undefined }): Promise<SignInOutcome> {
    const { identities } = this.#deps
    const owner = identities.ownerOf(user.metadata.name ?? '')
    return this.#proceed({ user, owner, credentials: await identities.credentials.read(owner), hasSecondFactor: false, providerSession }, from)
  }

  /** What a ticket asks for. Throws Unauthorized when it is over. */
  async waiting(text: string, from: SignInOrigin): Promise<{ readonly next: NextStep; readonly enrolment?: SecondFactorEnrolment | undefined }> {
    const ticket = await this.#tickets.open(text, from.ticketCookie ?? '')
    if (ticket === undefined) throw new StatusError('Unauthorized', over)
    const { next, user, enrolSecret } = ticket
    return { next, enrolment: enrolSecret === undefined ? undefined : await enrolmentOf(user, enrolSecret) }
  }

  /** A further step, with what it asks for. Throws Unauthorized, TooManyRequests, Invalid for a password that cannot be one, BadRequest. */
  async step(
    given: { readonly ticket: string; readonly code?: string | undefined; readonly newPassword?: string | undefined },
    from: SignInOrigin,
  ): Promise<SignInOutcome> {
    const { identities } = this.#deps
    const ticket = await this.#tickets.open(given.ticket, from.ticketCookie ?? '')
    const user = ticket === undefined ? undefined : identities.users.get(ticket.user)
    if (ticket === undefined || user === undefined || user.metadata.uid !== ticket.uid || user.spec.disabled === true || !identities.isVouchedFor(user))
      throw new StatusError('Unauthorized', over)
    const owner: Owner = { name: ticket.user, uid: ticket.uid }
    const credentials = await identities.credentials.read(owner)
    this.#serve(credentials, ticket) // not judged when it is over anyway
    const going: Going = { user, owner, credentials, hasSecondFactor: ticket.hasSecondFactor, providerSession: ticket.providerSession }
    const work = {
      secondFactor: () => this.#secondFactor(going, ticket, { ...from, code: given.code }),
      changePassword: () => this.#changePassword(going, ticket, given.newPassword),
      enrolSecondFactor: () => this.#enrol(going, ticket, given.code),
    }
    return this.#proceed(await work[ticket.next](), from)
  }

  async #secondFactor(going: Going, ticket: OpenedTicket, { code, ...from }: SignInOrigin & { readonly code?: string | undefined }): Promise<Going> {
    const { identities, throttle } = this.#deps
    const { owner } = going
    if (code === undefined) throw new StatusError('BadRequest', 'give "code": the one of the authenticator app, or a recovery code')
    throttle.check(owner.name, from.address)
    throttle.attempt(owner.name, from.address)
    const browser = knownBrowserOf(going.credentials, from.knownBrowser)
    let after: Credentials | undefined
    const isRight = await this.#judge(owner, browser, async (isAdmitted) => {
      after = isAdmitted ? await identities.credentials.change(owner, (before) => this.#withoutFactor(this.#serve(before, ticket), code)) : undefined
      return after !== undefined
    })
    if (!isRight || after === undefined) {
      this.#deps.log.warn('a second factor was wrong', { user: owner.name, address: from.address })
      throw new StatusError('Unauthorized', codeRefused)
    }
    throttle.takeBack(owner.name, from.address)
    return { ...going, credentials: after, hasSecondFactor: true }
  }

  async #changePassword(going: Going, ticket: OpenedTicket, newPassword: string | undefined): Promise<Going> {
    const { identities } = this.#deps
    const { name } = going.owner
    if (newPassword === undefined) throw new StatusError('BadRequest', 'give "newPassword"')
    await this.checkNewPassword(name, newPassword, going.credentials)
    await identities.setPassword(name, newPassword, { together: (before) => this.#serve(before, ticket) })
    await this.#deps.onPasswordSet?.(name)
    return { ...going, credentials: await identities.credentials.read(going.owner) }
  }

  async #enrol(going: Going, ticket: OpenedTicket, code: string | undefined): Promise<Going> {
    if (code === undefined) throw new StatusError('BadRequest', 'give "code": the one that the authenticator app shows now')
    const enrolled = await this.enrol(going.owner, { secret: ticket.enrolSecret ?? '', code, together: (before) => this.#serve(before, ticket) })
    if (enrolled === undefined)
      throw new StatusError('Unauthorized', 'the code is not the one of the secret that was shown: check the clock of the device, and try the next one')
    return { ...going, ...enrolled, hasSecondFactor: true }
  }

  /** Sets up a second factor. Undefined when the code is wrong; throws Conflict when there is one already. */
  async enrol(
    owner: Owner,
    {
      secret,
      code,
      together = (before) => before,
    }: {
      readonly secret: string
      readonly code: string
      /** What else changes with it; it may throw, and nothing changes then. */
      readonly together?: (before: Credentials) => Credentials
    },
  ): Promise<{ readonly credentials: Credentials; readonly recoveryCodes: readonly string[] } | undefined> {
    const { clock, identities } = this.#deps
    const lastStep = await stepOfCode(secret, code, { nowMs: clock.now().getTime(), after: 0 })
    if (lastStep === undefined) return undefined
    const { codes, hashes } = newRecoveryCodes()
    const credentials = await identities.credentials.change(owner, (before) => {
      if (before.totp !== undefined) throw new StatusError('Conflict', 'a second factor is set up already: remove it first')
      const totp = { secret, lastStep, enrolledTime: rfc3339(clock.now()) }
      return { ...together(before), totp, pendingTotp: undefined, recoveryCodes: hashes }
    })
    if (credentials === undefined) return undefined
    await identities.setStatus(owner.name, { secondFactor: 'TOTP' })
    return { credentials, recoveryCodes: codes }
  }

  /** Throws Invalid, with what mends it, for what cannot be somebody's new password. */
  async checkNewPassword(user: string, password: string, { passwordHash }: Pick<Credentials, 'passwordHash'>): Promise<void> {
    const problem = newPasswordProblem(password, { user, shortest: this.#deps.identities.rules.shortestPassword })
    if (problem !== undefined) throw new StatusError('Invalid', problem)
    if (passwordHash !== undefined && (await this.#deps.hasher.verify(password, passwordHash)))
      throw new StatusError('Invalid', 'the new password is the one you have: choose another one')
  }

  /** Credentials after a code of the app, or a recovery code, was used up; undefined when it is neither. */
  async #withoutFactor(before: Credentials, code: string): Promise<Credentials | undefined> {
    if (before.totp === undefined) return undefined
    const lastStep = await stepOfCode(before.totp.secret, code.replaceAll(' ', ''), { nowMs: this.#deps.clock.now().getTime(), after: before.totp.lastStep })
    if (lastStep !== undefined) return { ...before, totp: { ...before.totp, lastStep } }
    const recoveryCodes = withoutCode(before.recoveryCodes, code)
    return recoveryCodes === undefined ? undefined : { ...before, recoveryCodes }
  }

  /** Whether both the password and a code are right, of somebody who is signed in; the code is then used up. Failures slow down whoever holds that user's session. */
  async proves(owner: Owner, given: { readonly password: string; readonly code?: string | undefined }): Promise<boolean> {
    const { identities, hasher } = this.#deps
    return this.#slowly(owner, async () => {
      const credentials = await identities.credentials.read(owner)
      if (!(await hasher.verify(given.password, credentials.passwordHash))) return false
      return given.code === undefined || this.#usesUp(owner, given.code)
    })
  }

  /** The same of a code alone, for who has no password here. */
  provesCode(owner: Owner, code: string): Promise<boolean> {
    return this.#slowly(owner, () => this.#usesUp(owner, code))
  }

  async #usesUp(owner: Owner, code: string): Promise<boolean> {
    return (await this.#deps.identities.credentials.change(owner, (before) => this.#withoutFactor(before, code))) !== undefined
  }

  async #slowly(owner: Owner, isRight: () => Promise<boolean>): Promise<boolean> {
    const { throttle } = this.#deps
    // No stranger gets here: the account's own line, which strangers' failures do not lengthen.
    const line = `account ${owner.name}`
    throttle.check(owner.name, line)
    throttle.attempt(owner.name, line)
    if (!(await isRight())) return false
    throttle.takeBack(owner.name, line)
    throttle.succeeded(owner.name, line)
    return true
  }

  /** Asks for what is still missing, or says that nothing is. */
  async #proceed(going: Going, from: SignInOrigin): Promise<SignInOutcome> {
    const { owner, credentials } = going
    const next = this.#nextOf(going)
    if (next === undefined) return this.#admit(going, from)
    const enrolment = next === 'enrolSecondFactor' ? await newEnrolment(owner.name) : undefined
    const { ticket, browser } = await this.#tickets.issue({
      user: owner.name,
      uid: owner.uid,
      next,
      password: passwordMark(credentials),
      hasSecondFactor: going.hasSecondFactor,
      providerSession: going.providerSession,
      enrolSecret: enrolment?.secret,
    })
    return { next, ticket, ticketCookie: browser, enrolment }
  }

  #nextOf({ owner, credentials, hasSecondFactor }: Going): NextStep | undefined {
    if (credentials.totp !== undefined && !hasSecondFactor) return 'secondFactor'
    if (credentials.mustChangePassword) return 'changePassword'
    if (credentials.totp === undefined && this.#deps.identities.needsSecondFactor(owner.name)) return 'enrolSecondFactor'
    return undefined
  }

  async #admit({ user, owner, credentials, recoveryCodes, providerSession }: Going, from: SignInOrigin): Promise<SignInOutcome> {
    const { identities, throttle, ids } = this.#deps
    throttle.succeeded(owner.name, from.address)
    const known = knownBrowserOf(credentials, from.knownBrowser)
    // Of who has nothing here that can be guessed there is nothing to be kept.
    const isGuessable = credentials.passwordHash !== undefined || credentials.totp !== undefined
    const knownBrowser = isGuessable ? ((known === undefined ? undefined : from.knownBrowser) ?? ids.secret(knownBrowserBytes)) : undefined
    if (knownBrowser !== undefined && known?.failures !== 0) await this.#browsers.admit(owner, knownBrowser)
    // What strangers have done while the user came by a known browser still counts against them.
    const isLocked = identities.lock.isLocked(owner.name)
    if (!isLocked) identities.lock.forget(owner.name)
    const status = {
      ...(isLocked ? {} : unlocked),
      secondFactor: credentials.totp === undefined ? null : 'TOTP',
      mustChangePassword: credentials.mustChangePassword ? true : null,
    }
    return { user, status, knownBrowser, recoveryCodes, providerSession }
  }

  /** Judges an attempt unless there have been too many; it takes as long either way. */
  async #judge(owner: Owner | undefined, browser: KnownBrowser | undefined, isRight: (isAdmitted: boolean) => Promise<boolean>): Promise<boolean> {
    const { lock } = this.#deps.identities
    const isAdmitted = owner === undefined || (browser === undefined ? lock.begin(owner.name) : this.#browsers.begin(browser))
    let outcome: 'failed' | 'passed' = 'passed' // also when it could not be judged
    try {
      const passes = await isRight(isAdmitted)
      outcome = passes ? 'passed' : 'failed'
      return passes
    } finally {
      if (owner !== undefined && isAdmitted) {
        if (browser === undefined) lock.end(owner.name, outcome)
        else await this.#browsers.end(owner, browser, outcome)
      }
    }
  }

  async #withCurrentHash(owner: Owner, credentials: Credentials, password: string): Promise<Credentials> {
    const { hasher, identities } = this.#deps
    const { passwordHash } = credentials
    if (passwordHash === undefined || hasher.isCurrent(passwordHash)) return credentials
    const fresh = await hasher.hash(password)
    // Not over another password that was set meanwhile.
    return (
      (await identities.credentials.change(owner, (before) => (before.passwordHash === passwordHash ? { ...before, passwordHash: fresh } : undefined))) ??
      credentials
    )
  }

  #serve(before: Credentials, ticket: OpenedTicket): Credentials {
    return served(before, ticket, this.#deps.clock.now().getTime())
  }
}

interface Going {
  readonly user: User
  readonly owner: Owner
  readonly credentials: Credentials
  readonly hasSecondFactor: boolean
  readonly recoveryCodes?: readonly string[] | undefined
  readonly providerSession?: string | undefined
}
