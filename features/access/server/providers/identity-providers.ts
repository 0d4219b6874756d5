import { StatusError } from '@gantry/apimachinery'
import { Slots, transportFailureOf } from '@gantry/client'
import { withConditions, type Condition } from '@gantry/clusters/api'
import { deadline } from '@gantry/gateway'
import { repeat, type Running } from '@gantry/runtime'
import {
  identityProviderKind,
  type IdentityProvider,
  type LdapSettings,
  type ProviderChoice,
  type ProviderTest,
  type ProviderTestRequest,
  type User,
} from '../../api/index.ts'
import { refusalOf, type Account } from './account.ts'
import { useOnce } from './logout-once.ts'
import { LogoutRefused } from './logout-token.ts'
import { LdapSignIn } from './ldap-sign-in.ts'
import { OAuth2SignIn } from './oauth2-sign-in.ts'
import { OidcSignIn } from './oidc-sign-in.ts'
import type { Attempt } from './openid.ts'
import type { OutboundDeps } from './outbound.ts'
import { OutsideUsers, type OutsideUsersDeps } from './outside-users.ts'
import { secretValue } from './provider-secret.ts'
import { inWords, SignInFailure } from './sign-in-failure.ts'
import { outsideUserName } from './user-name.ts'

export interface IdentityProvidersDeps extends OutsideUsersDeps {
  readonly outbound: OutboundDeps
}

const defaultTimeoutSeconds = 10
/** A provider that is slow holds up itself alone: this many sign-ins ask it at once, and this many wait. */
const atOnce = 4
const mostWaiting = 32
const minuteMs = 60_000
const defaultRecheckMinutes = 15
/** Accounts looked up in one pass; the next one goes on where this has ended. */
const mostRechecked = 1_000
const recheckWithinMs = 60_000

/** Signs people in by what their providers prove. Everything has a deadline; what went wrong is in the log and in the condition Reachable, and no stranger is told. */
export class IdentityProviders {
  readonly users: OutsideUsers
  readonly #deps: IdentityProvidersDeps
  readonly #oidc: OidcSignIn
  readonly #oauth2: OAuth2SignIn
  readonly #ldap: LdapSignIn
  readonly #slots = new Map<string, Slots>()
  /** By provider: when its accounts were looked up last, and the last of them. */
  readonly #rechecks = new Map<string, { atMs: number; after: string; isRunning: boolean }>()

  constructor(deps: IdentityProvidersDeps) {
    this.#deps = deps
    this.#oidc = new OidcSignIn(deps.outbound)
    this.#oauth2 = new OAuth2SignIn(deps.outbound)
    this.#ldap = new LdapSignIn(deps.outbound)
    this.users = new OutsideUsers(deps)
    deps.identities.providers.onChange(({ name, after }) => {
      if (after !== undefined) return
      for (const lane of ['sign-in', 'logout']) this.#slots.delete(`${name} ${lane}`)
      this.#rechecks.delete(name)
    })
  }

  /** Looks up the accounts of live sessions again, until it is disposed. */
  start(): Promise<Running> {
    const { outbound, identities, log } = this.#deps
    // Not waited for by the next time: a provider that is slow holds up itself alone.
    const running = new Set<Promise<void>>()
    const rechecks = repeat(outbound, {
      everyMs: minuteMs,
      work: (signal) => {
        for (const provider of identities.providers.values()) {
          const recheck = this.#recheck(provider, signal).finally(() => running.delete(recheck))
          running.add(recheck)
        }
      },
      failed: (error) => log.error('accounts elsewhere could not be looked up again', { error }),
    })
    return Promise.resolve({
      done: rechecks.done,
      async [Symbol.asyncDispose]() {
        await rechecks[Symbol.asyncDispose]()
        await Promise.all(running)
      },
    })
  }

  /** What a sign-in page may offer. */
  choices(): readonly ProviderChoice[] {
    return [...this.#deps.identities.providers.values()]
      .filter(({ spec }) => spec.disabled !== true)
      .map(({ metadata: { name = '' }, spec }) => ({
        name,
        displayName: spec.displayName ?? name,
        kind: spec.type === 'LDAP' ? ('password' as const) : ('redirect' as const),
      }))
      .toSorted((a, b) => a.displayName.localeCompare(b.displayName))
  }

  /** One that people may sign in with now. Throws NotFound. */
  get(name: string): IdentityProvider {
    const provider = this.#deps.identities.providers.get(name)
    if (provider === undefined || provider.spec.disabled === true)
      throw new StatusError('NotFound', `there is no identity provider "${name}" to sign in with; GET /auth/providers lists them`)
    return provider
  }

  /** Where the browser goes to sign in. Throws SignInFailure. */
  async begin(provider: IdentityProvider, attempt: Attempt, signal: AbortSignal): Promise<URL> {
    const { oidc, oauth2 } = provider.spec
    return this.#asked(provider, signal, async (options) => {
      if (oidc !== undefined) return this.#oidc.begin(oidc, attempt, options)
      if (oauth2 !== undefined) return this.#oauth2.begin(oauth2, attempt, options)
      throw new StatusError('BadRequest', `the identity provider "${provider.metadata.name}" takes a name and a password: POST /auth/login with "provider"`)
    })
  }

  /** The user who has come back from there, and what the provider calls this sign-in. Throws SignInFailure. */
  async finish(
    provider: IdentityProvider,
    attempt: Attempt,
    { parameters, signal }: { readonly parameters: URLSearchParams; readonly signal: AbortSignal },
  ): Promise<{ readonly user: User; readonly session: string | undefined }> {
    const { oidc, oauth2 } = provider.spec
    const account = await this.#asked(provider, signal, async (options) => {
      if (oidc !== undefined) return this.#oidc.finish(oidc, attempt, { ...options, parameters })
      if (oauth2 !== undefined) return this.#oauth2.finish(oauth2, attempt, { ...options, parameters })
      throw new StatusError('BadRequest', `nobody is sent to the identity provider "${provider.metadata.name}"`)
    })
    return { user: await this.#admit(provider, account), session: account.session }
  }

  /**
   * A provider has sent a logout token: ends what came from the sign-in that it names, at all gateways, and says how much that was. Throws LogoutRefused for a token that is not good or has been used,
   * SignInFailure when it cannot be checked.
   */
  async logout(name: string, token: string, signal: AbortSignal): Promise<number> {
    const provider = this.get(name)
    const { oidc } = provider.spec
    if (oidc === undefined) throw new LogoutRefused(`the identity provider "${name}" is none of OpenID Connect`)
    const over = await this.#limited(provider, signal, (limit) => this.#oidc.logout(oidc, token, limit), 'logout').catch((error: unknown) => {
      if (signal.aborted || error instanceof LogoutRefused || error instanceof Busy) throw error
      // Who sends it need not be the provider.
      this.#deps.log.warn('a logout token could not be checked', { provider: name, why: inWords(error) })
      throw new SignInFailure('unavailable', `the keys of the identity provider "${name}" cannot be read at the moment; send the token again later`, {
        cause: error,
      })
    })
    const ended = await useOnce(this.#deps, { provider: provider.metadata.uid ?? '', ...over }, () => this.#deps.identities.endSessionsThrough(name, over))
    this.#deps.log.info('a provider has ended what came from a sign-in', { provider: name, sessions: ended })
    return ended
  }

  /** Where the browser of a user goes to sign out of their provider too; undefined when it has nowhere to go. Never throws: who signs out here is signed out. */
  async signOut(user: User | undefined, back: string, signal: AbortSignal): Promise<string | undefined> {
    const name = user?.spec.identity?.provider ?? ''
    const provider = this.#deps.identities.providers.get(name)
    const oidc = provider?.spec.oidc
    if (provider === undefined || oidc?.rpInitiatedLogout !== true) return undefined
    try {
      return (await this.#limited(provider, signal, (limit) => this.#oidc.signOut(oidc, back, limit), 'logout'))?.href
    } catch (error) {
      this.#deps.log.warn('nobody could be sent to sign out at the identity provider', { provider: name, why: inWords(error) })
      return undefined
    }
  }

  /** The user of a name and password; undefined when the provider refuses them. Throws SignInFailure. */
  async authenticatePassword(name: string, login: { readonly username: string; readonly password: string }, signal: AbortSignal): Promise<User | undefined> {
    const provider = this.get(name)
    const { ldap } = provider.spec
    if (ldap === undefined) throw new StatusError('BadRequest', `the identity provider "${name}" takes no password: go to /auth/login/${name}`)
    const account = await this.#asked(provider, signal, (options) => this.#ldap.authenticate(ldap, login, options))
    return account && this.#admit(provider, account)
  }

  /** Tries a provider as it is written, also a disabled one: what works, and what mends what does not. */
  async test(name: string, { username }: ProviderTestRequest, signal: AbortSignal): Promise<ProviderTest> {
    const provider = this.#deps.identities.providers.get(name)
    if (provider === undefined) throw new StatusError('NotFound', `there is no IdentityProvider "${name}"`)
    const { oidc, oauth2, ldap } = provider.spec
    if (username !== undefined && ldap === undefined) throw new StatusError('BadRequest', 'a user name can be tried with a provider of the type LDAP only')
    const steps: { name: string; ok: boolean; message: string }[] = []
    const did = (step: string, message: string): void => void steps.push({ name: step, ok: true, message })
    let at = 'credentials'
    let account: Account | undefined
    try {
      await this.#within(provider, signal, async (options) => {
        did('credentials', options.secret === undefined ? 'none are named' : 'the Secret holds them')
        at = 'connect'
        if (oidc !== undefined) {
          const metadata = await this.#oidc.discover(oidc, options.signal)
          did('connect', `the discovery document of ${oidc.issuer} is sound`)
          at = 'keys'
          did('keys', `${(await this.#oidc.keys(oidc, metadata, options.signal)).keys.length} keys to verify its tokens with`)
        } else if (oauth2 !== undefined) {
          await this.#oauth2.test(oauth2, options)
          did('connect', `${new URL(oauth2.tokenURL).origin} answers; whether it knows the client shows with the first sign-in`)
        } else if (ldap !== undefined) account = await this.#testLdap(ldap, { ...options, username, did, begin: (step) => (at = step) })
      })
    } catch (error) {
      steps.push({ name: at, ok: false, message: inWords(error) })
      await this.#note(provider, error)
      return { ok: false, steps }
    }
    await this.#note(provider, undefined)
    if (account === undefined) return { ok: true, steps }
    const refusal = refusalOf(provider, account)
    if (refusal !== undefined) steps.push({ name: 'account', ok: false, message: refusal })
    const { subject, login, groups } = account
    return { ok: refusal === undefined, steps, account: { subject, login, user: this.users.nameOf(name, subject) ?? outsideUserName(name, account), groups } }
  }

  async #testLdap(
    settings: LdapSettings,
    options: {
      readonly secret: string | undefined
      readonly signal: AbortSignal
      readonly username: string | undefined
      readonly did: (step: string, message: string) => void
      readonly begin: (step: string) => void
    },
  ): Promise<Account | undefined> {
    const { did, begin, username } = options
    await this.#ldap.test(settings, {
      ...options,
      progress(step) {
        if (step === 'connect') did('connect', `connected to ${settings.url}${settings.startTLS === true ? ' with StartTLS' : ''}`)
        if (step === 'bind') did('bind', settings.bindDN === undefined ? 'anonymous' : `bound as ${settings.bindDN}`)
        if (step === 'search') did('search', `accounts are found below ${settings.userSearch.base}`)
        begin(step === 'connect' ? 'bind' : 'search')
      },
    })
    if (username === undefined) return undefined
    begin('account')
    let found: Account | undefined
    await this.#ldap.lookUp(settings, [{ name: username }], { ...options, each: (account) => void (found = account) })
    if (found === undefined)
      throw new StatusError(
        'NotFound',
        `no account matches ${JSON.stringify(username)}, or it is disabled; check spec.ldap.userSearch: base, filter and nameAttributes`,
      )
    did('account', `found, in ${found.groups.length} groups`)
    return found
  }

  #admit(provider: IdentityProvider, account: Account): Promise<User> {
    return this.users.admit(provider, account)
  }

  /** Asks a provider for somebody who waits: strangers learn no more than that it failed. */
  async #asked<T>(
    provider: IdentityProvider,
    signal: AbortSignal,
    work: (options: { readonly secret: string | undefined; readonly signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    try {
      const result = await this.#within(provider, signal, work)
      await this.#note(provider, undefined)
      return result
    } catch (error) {
      if (signal.aborted) throw signal.reason
      if (error instanceof Busy) throw error
      const name = provider.metadata.name ?? ''
      this.#deps.log.warn('a sign-in with an identity provider failed', { provider: name, why: inWords(error) })
      const said = saidNo(error)
      if (said)
        throw new SignInFailure('refused-there', `the identity provider "${name}" did not sign you in; try again, or ask whoever runs it`, { cause: error })
      if (isProvidersFault(error)) await this.#note(provider, error)
      throw new SignInFailure(
        'unavailable',
        `the identity provider "${name}" cannot sign anybody in at the moment; "gantry access providers test ${name}" tells an administrator why`,
        { cause: error },
      )
    }
  }

  #within<T>(
    provider: IdentityProvider,
    signal: AbortSignal,
    work: (options: { readonly secret: string | undefined; readonly signal: AbortSignal }) => Promise<T>,
  ): Promise<T> {
    const { spec } = provider
    return this.#limited(provider, signal, async (limit) => {
      const [secretName, key] =
        spec.ldap === undefined ? ([(spec.oidc ?? spec.oauth2)?.clientSecret, 'client-secret'] as const) : ([spec.ldap.bindSecret, 'bind-password'] as const)
      return work({ secret: await secretValue(this.#deps.hub, secretName, { key, signal: limit }), signal: limit })
    })
  }

  /** In bounded number and time. Signing in does not wait for logging out, with which strangers may try their luck. */
  async #limited<T>(
    provider: IdentityProvider,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
    lane: 'sign-in' | 'logout' = 'sign-in',
  ): Promise<T> {
    const { clock } = this.#deps.outbound
    const { metadata, spec } = provider
    const { name = '' } = metadata
    const seconds = spec.oidc?.timeoutSeconds ?? spec.oauth2?.timeoutSeconds ?? spec.ldap?.timeoutSeconds ?? defaultTimeoutSeconds
    const slotsName = `${name} ${lane}`
    let slots = this.#slots.get(slotsName)
    if (slots === undefined) this.#slots.set(slotsName, (slots = new Slots({ clock }, { limit: atOnce, maxQueued: mostWaiting })))
    const busy = (): Busy => new Busy(name)
    const release = await slots.take({ signal, waitMs: seconds * 1_000, full: busy, late: busy })
    using limit = deadline(clock, seconds * 1_000, signal)
    try {
      return await work(limit.signal)
    } catch (error) {
      if (limit.passed && !signal.aborted)
        throw new StatusError(
          'Timeout',
          `the identity provider "${name}" did not answer within ${seconds} s; check its server and the network, or raise timeoutSeconds`,
          { cause: error },
        )
      throw error
    } finally {
      release()
    }
  }

  /** Says in the status whether the provider could be asked, when that has changed. */
  async #note(provider: IdentityProvider, failure: unknown): Promise<void> {
    const { name = '', generation } = provider.metadata
    const found: Omit<Condition, 'lastTransitionTime'> = {
      type: 'Reachable',
      ...(failure === undefined
        ? { status: 'True', reason: 'Answered', message: 'It answered when it was asked last.' }
        : { status: 'False', reason: transportFailureOf(failure) ?? (failure instanceof StatusError ? failure.reason : 'Failed'), message: inWords(failure) }),
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    }
    const current = this.#deps.identities.providers.get(name) ?? provider
    const before = current.status?.conditions?.find(({ type }) => type === found.type)
    if (before?.status === found.status && before.reason === found.reason && before.observedGeneration === found.observedGeneration) return
    try {
      const conditions = withConditions(current.status?.conditions, [found], this.#deps.outbound.clock.now())
      const written = await this.#deps.hub.patch<IdentityProvider>(
        identityProviderKind.ref,
        { name },
        { type: 'merge', body: { status: { conditions } }, subresource: 'status' },
      )
      this.#deps.identities.providers.accept(written)
    } catch (error) {
      this.#deps.log.warn('the condition of an identity provider could not be stored', { provider: name, error })
    }
  }

  /** Accounts behind sessions and keys that have vanished or been disabled end these. A directory that cannot say ends nobody. */
  async #recheck(provider: IdentityProvider, signal: AbortSignal): Promise<void> {
    const { ldap } = provider.spec
    const { name = '' } = provider.metadata
    if (ldap === undefined || provider.spec.disabled === true) return
    const { clock } = this.#deps.outbound
    const now = clock.monotonicMs()
    let state = this.#rechecks.get(name)
    if (state === undefined) this.#rechecks.set(name, (state = { atMs: now, after: '', isRunning: false }))
    if (state.isRunning || now - state.atMs < (ldap.recheckMinutes ?? defaultRecheckMinutes) * minuteMs) return
    const users = this.#liveUsersOf(name, state.after)
    state.atMs = now
    state.after = users.length < mostRechecked ? '' : (users.at(-1)?.metadata.name ?? '')
    if (users.length === 0) return
    state.isRunning = true
    try {
      using limit = deadline(clock, recheckWithinMs, signal)
      const secret = await secretValue(this.#deps.hub, ldap.bindSecret, { key: 'bind-password', signal: limit.signal })
      const keys = users.map(({ spec }) => ({ subject: spec.identity?.subject ?? '' }))
      await this.#ldap.lookUp(ldap, keys, {
        secret,
        signal: limit.signal,
        each: async (account, at) => {
          const user = users[at]
          if (user === undefined) return
          const refusal = account === undefined ? 'the account is gone or disabled' : refusalOf(provider, account)
          if (account !== undefined && refusal === undefined) await this.users.refresh(user, provider, account)
          else {
            this.#deps.log.info('an account elsewhere no longer counts', { user: user.metadata.name, provider: name, why: refusal })
            await this.users.suspend(user, refusal ?? '')
          }
        },
      })
      await this.#note(provider, undefined)
    } catch (error) {
      if (signal.aborted) return
      this.#deps.log.warn('accounts could not be looked up again; nobody is signed out for that', { provider: name, why: inWords(error) })
      await this.#note(provider, error)
    } finally {
      state.isRunning = false
    }
  }

  /** Users of a provider who have something open or could, in the order of their names. */
  #liveUsersOf(provider: string, after: string): readonly User[] {
    const { identities } = this.#deps
    const names = new Set([...identities.sessions.values(), ...identities.keys.values()].map(({ spec }) => spec.user))
    return [...names]
      .filter((name) => name > after)
      .toSorted()
      .flatMap((name) => identities.users.get(name) ?? [])
      .filter(({ spec }) => spec.identity?.provider === provider)
      .slice(0, mostRechecked)
  }
}

class Busy extends StatusError {
  constructor(provider: string) {
    super('TooManyRequests', `too many people sign in with "${provider}" at once; it may be slow, please try again`, { details: { retryAfterSeconds: 5 } })
  }
}

const ourFault: ReadonlySet<unknown> = new Set(['invalid_client', 'unauthorized_client'])

/** An answer in the words of OAuth: about this sign-in, not about the provider. */
function saidNo(error: unknown): boolean {
  return (
    error instanceof Error && !(error instanceof StatusError) && typeof Reflect.get(error, 'error') === 'string' && !ourFault.has(Reflect.get(error, 'error'))
  )
}

/** What a stranger cannot bring about with a code of their own. */
function isProvidersFault(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof StatusError || ourFault.has(Reflect.get(at, 'error'))) return true
  return false
}
