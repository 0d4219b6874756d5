import { isReason, StatusError, unlessGone, unlessThere } from '@gantry/apimachinery'
import type { KubeClient, ObjectKey, ResourceRef } from '@gantry/client'
import { rfc3339 } from '@gantry/clusters/api'
import { ObjectMirror, type Caller, type Credential, type Revocations } from '@gantry/gateway'
import { repeat, repeating, type Clock, type Ids, type Logger, type Running, type Service } from '@gantry/runtime'
import { membershipKind, type Membership } from '@gantry/tenancy/api'
import {
  accessRoleBindingKind,
  apiKeyKind,
  apiKeyPrefix,
  identityProviderKind,
  sessionKind,
  signInPolicyKind,
  signInPolicyName,
  signInRulesOf,
  userKind,
  type AccessRoleBinding,
  type APIKey,
  type IdentityProvider,
  type Session,
  type SignInPolicy,
  type SignInRules,
  type User,
} from '../api/index.ts'
import { AccountLock, unlocked } from './account-lock.ts'
import type { PasswordHasher } from './password-hash.ts'
import type { Permissions } from './permissions/permissions.ts'
import { scopeNamespace } from './permissions/scope-namespace.ts'
import { hashSecret, matchesHash } from './secret-hash.ts'
import { UserCredentials, type Credentials, type Owner } from './user-credentials.ts'

export interface IdentitiesDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly revocations: Revocations
  readonly permissions: Permissions
  readonly hasher: PasswordHasher
}

// How far the stored time of the last use may lag behind: a write per credential and five minutes, not per request.
const touchEveryMs = 5 * 60_000
const sweepEveryMs = 30_000
const secretBytes = 32
const unbindTries = 5
const statusTries = 5
const maxGrantedPerClient = 20

/** Null removes one. */
export type StatusFields = Readonly<Record<string, string | number | boolean | null>>

/**
 * Users, sessions and API keys: objects of the hub, mirrored, so that a request is authenticated without asking anybody. Deleting one (by whatever way) or
 * disabling its user ends it, and everything it has open, at once.
 */
export class Identities {
  readonly users: ObjectMirror<User>
  readonly keys: ObjectMirror<APIKey>
  readonly sessions: ObjectMirror<Session>
  readonly providers: ObjectMirror<IdentityProvider>
  readonly #policies: ObjectMirror<SignInPolicy>
  /** What proves that somebody is a user. */
  readonly credentials: UserCredentials
  readonly lock: AccountLock
  readonly #deps: IdentitiesDeps
  /** Last use by credential id: newer than what is stored. */
  readonly #lastUse = new Map<string, number>()
  /** Until when the time of use that is stored will do: it is asked for with every request. */
  readonly #youngUntil = new Map<string, number>()

  constructor(deps: IdentitiesDeps) {
    this.#deps = deps
    const mirrored = { client: deps.hub, clock: deps.clock, ids: deps.ids, log: deps.log }
    this.users = new ObjectMirror(mirrored, { resource: userKind.ref })
    this.keys = new ObjectMirror(mirrored, { resource: apiKeyKind.ref })
    this.sessions = new ObjectMirror(mirrored, { resource: sessionKind.ref })
    this.providers = new ObjectMirror(mirrored, { resource: identityProviderKind.ref })
    this.providers.onChange(({ name, before, after }) => {
      if (before !== undefined && before.spec.disabled !== true && (after === undefined || after.spec.disabled === true)) this.#endAllThrough(name)
    })
    this.#policies = new ObjectMirror(mirrored, { resource: signInPolicyKind.ref })
    this.credentials = new UserCredentials(deps.hub)
    this.lock = new AccountLock({
      clock: deps.clock,
      users: this.users,
      rules: () => this.rules,
      changeStatus: (name, change) => this.#changeStatus(name, change),
    })
    this.keys.onChange(({ name, before, after }) => {
      if (
        before !== undefined &&
        (after === undefined || after.spec.hash !== before.spec.hash || after.spec.user !== before.spec.user || withinOf(after) !== withinOf(before))
      )
        this.#ended(`apikey/${name}`)
    })
    this.sessions.onChange(({ name, before, after }) => {
      if (before !== undefined && (after === undefined || after.spec.hash !== before.spec.hash || after.spec.user !== before.spec.user))
        this.#ended(`session/${name}`)
    })
    this.users.onChange(({ name, before, after }) => {
      const isSame =
        before === undefined ||
        (after !== undefined &&
          after.metadata.uid === before.metadata.uid &&
          after.spec.disabled === before.spec.disabled &&
          after.spec.identity?.provider === before.spec.identity?.provider &&
          after.spec.identity?.subject === before.spec.identity?.subject &&
          after.status?.accountGone === before.status?.accountGone)
      if (!isSame) this.#endAllOf(name)
      if (before !== undefined && after === undefined)
        this.#unbind(name).catch((error: unknown) => deps.log.error('bindings still name a user who is gone', { user: name, error }))
    })
  }

  /** Resolves when identities can be told. What has expired has nothing open any more, until it is disposed. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const running = await Promise.all([this.providers, this.users, this.keys, this.sessions, this.#policies].map((mirror) => mirror.start({ signal })))
    const { clock, log } = this.#deps
    const ending = repeat(
      { clock },
      {
        everyMs: sweepEveryMs,
        work: () => this.#endExpired(),
        failed: (error) => log.error('what has expired may still have something open', { error }),
      },
    )
    return {
      done: Promise.all(running.map(({ done }) => done)).then(() => {}),
      [Symbol.asyncDispose]: async () => {
        await ending[Symbol.asyncDispose]()
        await this.lock.saved()
        await Promise.all(running.map((one) => one[Symbol.asyncDispose]()))
      },
    }
  }

  /** Removes sessions that have ended: for one of several processes on a hub, as each of them ends by itself what they have open there. */
  sweeper(): Service {
    const { clock, log } = this.#deps
    return repeating(
      { clock },
      {
        name: 'session sweeper',
        everyMs: sweepEveryMs,
        firstAfterMs: 0,
        work: () => this.#sweep(),
        failed: (error) => log.error('sessions that have ended could not be looked through', { error }),
      },
    )
  }

  /** Resolves once there is a user: another process on the hub may be making the first one. */
  async someUser({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (this.users.size > 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const ignore = this.users.onChange(() => resolve())
    const stop = (): void => reject(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    try {
      await promise
    } finally {
      ignore()
      signal.removeEventListener('abort', stop)
    }
  }

  /** How local users sign in, at this moment. */
  get rules(): SignInRules {
    const policy = this.#policies.get(signInPolicyName)
    if (policy !== this.#rulesOf) [this.#rulesOf, this.#rules] = [policy, signInRulesOf(policy)]
    return this.#rules
  }

  #rulesOf: SignInPolicy | undefined
  #rules = signInRulesOf(undefined)

  /** Whether the SignInPolicy asks for a second factor of a user. */
  needsSecondFactor(name: string): boolean {
    const { secondFactorGroups, secondFactorRoles, secondFactorProviders } = this.rules
    const provider = this.users.get(name)?.spec.identity?.provider
    if (provider !== undefined) {
      if (secondFactorProviders.includes(provider)) return true
      // A directory asks for a password and no more; the pages of the others ask for what they want.
      if (this.providers.get(provider)?.spec.type !== 'LDAP') return false
    }
    if (secondFactorGroups.length === 0 && secondFactorRoles.length === 0) return false
    const { permissions } = this.#deps
    const subject = permissions.subjectOf(name)
    const roles = permissions.index.platformRolesOf(subject)
    return secondFactorGroups.some((group) => subject.groups.includes(group)) || secondFactorRoles.some((role) => roles.includes(role))
  }

  /** A bearer token; undefined when it is none of Gantry's. */
  authenticateToken(token: string): Caller | undefined {
    if (!token.startsWith(apiKeyPrefix)) return undefined
    const end = token.indexOf('_', apiKeyPrefix.length)
    const name = token.slice(apiKeyPrefix.length, end === -1 ? undefined : end)
    const key = this.keys.get(name)
    // One message for all: which names exist is nobody's business.
    const refused: Caller = { kind: 'refused', message: 'the API key is not valid: it is wrong, has expired or has been revoked' }
    if (key === undefined || end === -1 || !matchesHash(token.slice(end + 1), key.spec.hash) || this.#isExpired(key.spec.expirationTime)) return refused
    return this.#callerOf(key.spec.user, { kind: 'bearer', id: `apikey/${name}` }, withinOf(key)) ?? refused
  }

  /** A session cookie's value. */
  authenticateSession(value: string): Caller {
    const [name = '', secret = ''] = value.split('.', 2)
    const session = this.sessions.get(name)
    const refused: Caller = { kind: 'refused', message: 'the session has ended, please sign in again' }
    if (session?.spec.hash === undefined || !matchesHash(secret, session.spec.hash) || this.#hasEnded(session)) return refused
    return this.#callerOf(session.spec.user, { kind: 'cookie', id: `session/${name}` }) ?? refused
  }

  /** Whom a Session of the command line stands for; undefined when it has ended, or its user is another one than `uid`. */
  callerOfSession(name: string, uid: string): Caller | undefined {
    const session = this.liveSession(name)
    if (session?.spec.type !== 'CLI' || this.users.get(session.spec.user)?.metadata.uid !== uid) return undefined
    return this.#callerOf(session.spec.user, { kind: 'bearer', id: `session/${name}` })
  }

  /** A Session that has not ended, of whatever type. */
  liveSession(name: string): Session | undefined {
    const session = this.sessions.get(name)
    return session === undefined || this.#hasEnded(session) ? undefined : session
  }

  async hasPassword(name: string): Promise<boolean> {
    const { passwordHash } = await this.credentials.read(this.ownerOf(name))
    return passwordHash !== undefined
  }

  /** Whose credentials a user's are. Throws NotFound. */
  ownerOf(name: string): Owner {
    const user = this.users.get(name)
    if (user === undefined) throw new StatusError('NotFound', `there is no user "${name}"`)
    return { name, uid: user.metadata.uid ?? '' }
  }

  /** Signs a user in; `value` is the cookie's, and nowhere else. `status` goes into the user's. */
  async createSession(
    user: User,
    about: { readonly address?: string | undefined; readonly userAgent?: string | undefined; readonly providerSession?: string | undefined },
    status: StatusFields = {},
  ): Promise<{ readonly value: string; readonly session: Session }> {
    const now = this.#deps.clock.now()
    const secret = this.#deps.ids.secret(secretBytes)
    const session = await this.#deps.hub.create<Session>(sessionKind.ref, {
      apiVersion: sessionKind.apiVersion,
      kind: sessionKind.kind,
      metadata: { name: this.#deps.ids.suffix(12) },
      spec: {
        user: user.metadata.name ?? '',
        hash: hashSecret(secret),
        expirationTime: rfc3339(new Date(now.getTime() + this.rules.absoluteMs)),
        ...(about.address === undefined ? {} : { address: about.address }),
        ...(about.userAgent === undefined ? {} : { userAgent: about.userAgent.slice(0, 256) }),
        ...(about.providerSession === undefined ? {} : { providerSession: about.providerSession }),
      },
    })
    this.sessions.accept(session)
    this.#touch(`session/${session.metadata.name}`)
    await this.#writeStatus(userKind.ref, user.metadata.name ?? '', { ...status, lastLoginTime: rfc3339(now) })
    return { value: `${session.metadata.name}.${secret}`, session }
  }

  /** Whether what stands behind a user still does: for one with an account elsewhere, that account and its provider. */
  isVouchedFor({ spec: { identity }, status }: User): boolean {
    if (identity === undefined) return true
    const provider = this.providers.get(identity.provider)
    return provider !== undefined && provider.spec.disabled !== true && status?.accountGone === undefined
  }

  /** Ends all sessions of a user but one. */
  async endSessionsOf(user: string, options: { readonly except?: string | undefined } = {}): Promise<void> {
    const others = [...this.sessions.values()].filter(({ spec, metadata }) => spec.user === user && metadata.name !== options.except)
    await Promise.all(others.map(({ metadata }) => this.endSession(metadata.name ?? '')))
  }

  /**
   * Ends what has come from a sign-in that the user's provider says is over, and says how much that was: of one sign-in (`session`) its browser and the applications it has let in, but not
   * the command line, as with signing out here; without one everything of the account. What nobody can tell from which sign-in it came ends too.
   */
  async endSessionsThrough(provider: string, over: { readonly subject?: string | undefined; readonly session?: string | undefined }): Promise<number> {
    const ended = [...this.sessions.values()].filter(({ spec }) => {
      const identity = this.users.get(spec.user)?.spec.identity
      if (identity?.provider !== provider || (over.subject !== undefined && over.subject !== identity.subject)) return false
      if (over.session === undefined) return over.subject !== undefined
      if (spec.type === 'CLI') return false
      return spec.providerSession === undefined ? over.subject !== undefined : spec.providerSession === over.session
    })
    await Promise.all(ended.map(({ metadata }) => this.endSession(metadata.name ?? '')))
    return ended.length
  }

  /** Opens a session without a cookie: for the command line or an application. The oldest of the same user and client end when there are too many. */
  async openGranted(options: {
    readonly user: string
    readonly type: 'CLI' | 'Application'
    readonly client: string
    readonly address?: string | undefined
    readonly userAgent?: string | undefined
    /** Of the session that has let it in. */
    readonly providerSession?: string | undefined
    /** As which this platform signs an application in. */
    readonly issuer?: string | undefined
  }): Promise<Session> {
    const { user, type, client, address, userAgent, providerSession, issuer } = options
    const same = [...this.sessions.values()].filter(({ spec }) => spec.user === user && spec.client === client)
    const byAge = same.toSorted((a, b) => Date.parse(a.metadata.creationTimestamp ?? '') - Date.parse(b.metadata.creationTimestamp ?? ''))
    for (const { metadata } of byAge.slice(0, Math.max(0, byAge.length - maxGrantedPerClient + 1))) await this.endSession(metadata.name ?? '')
    const session = await this.#deps.hub.create<Session>(sessionKind.ref, {
      apiVersion: sessionKind.apiVersion,
      kind: sessionKind.kind,
      metadata: { name: this.#deps.ids.suffix(12) },
      spec: {
        user,
        type,
        client,
        expirationTime: rfc3339(new Date(this.#deps.clock.now().getTime() + this.rules.absoluteMs)),
        ...(address === undefined ? {} : { address }),
        ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, 256) }),
        ...(providerSession === undefined ? {} : { providerSession }),
        ...(issuer === undefined ? {} : { issuer }),
      },
    })
    this.sessions.accept(session)
    return session
  }

  /** Ends a session, and what it has open, before it is gone from the hub. */
  async endSession(name: string): Promise<void> {
    this.sessions.forget(name)
    this.#ended(`session/${name}`)
    await this.#remove(sessionKind.ref, name)
  }

  /** Makes a key; the returned text is the only copy of it. */
  async createKey(options: {
    readonly user: string
    readonly description?: string | undefined
    readonly expiresInSeconds?: number | undefined
    /** What it is limited to. */
    readonly scope?: { readonly tenant: string; readonly project?: string | undefined } | undefined
  }): Promise<{ readonly key: string; readonly object: APIKey }> {
    if (this.users.get(options.user) === undefined) throw new StatusError('NotFound', `there is no user "${options.user}"`)
    const secret = this.#deps.ids.secret(secretBytes)
    const { expiresInSeconds } = options
    const object = await this.#deps.hub.create<APIKey>(apiKeyKind.ref, {
      apiVersion: apiKeyKind.apiVersion,
      kind: apiKeyKind.kind,
      metadata: { name: this.#deps.ids.suffix(10) },
      spec: {
        user: options.user,
        hash: hashSecret(secret),
        ...(options.description === undefined ? {} : { description: options.description }),
        ...(options.scope === undefined ? {} : { scope: options.scope }),
        ...(expiresInSeconds === undefined ? {} : { expirationTime: rfc3339(new Date(this.#deps.clock.now().getTime() + expiresInSeconds * 1_000)) }),
      },
    })
    this.keys.accept(object)
    return { key: `${apiKeyPrefix}${object.metadata.name}_${secret}`, object }
  }

  async revokeKey(name: string): Promise<void> {
    this.keys.forget(name)
    this.#ended(`apikey/${name}`)
    await this.#remove(apiKeyKind.ref, name)
  }

  /** Makes a user with a password or with an account elsewhere, and with a role on the whole platform if one is given. Throws AlreadyExists, also while bindings of a former user of that name are left. */
  async createUser(user: {
    readonly name: string
    readonly role?: string | undefined
    readonly displayName?: string | undefined
    readonly password?: string | undefined
    readonly identity?: User['spec']['identity']
    /** At the first sign-in: somebody else knows it. */
    readonly mustChangePassword?: boolean | undefined
  }): Promise<User> {
    const { name, role, displayName, identity } = user
    if (this.users.get(name) !== undefined) throw new StatusError('AlreadyExists', `a user named "${name}" exists already`)
    const memberships = [...this.#deps.permissions.index.membershipsOf('User', name)]
    const left = bindingsOf(this.#deps.permissions, name)
    if (left.length > 0 || memberships.length > 0) {
      const names = [...left.map(({ metadata }) => metadata.name), ...memberships.map((one) => `${one.namespace}/${one.name}`)].join(', ')
      throw new StatusError(
        'AlreadyExists',
        `the new user "${name}" would have what is bound to that name already; remove it from the AccessRoleBindings and Memberships ${names} first`,
      )
    }
    if (role !== undefined && this.#deps.permissions.index.rulesOf(role) === undefined) throw new StatusError('NotFound', `there is no AccessRole "${role}"`)
    const created = await this.#deps.hub.create<User>(userKind.ref, {
      apiVersion: userKind.apiVersion,
      kind: userKind.kind,
      metadata: { name },
      spec: { ...(displayName === undefined ? {} : { displayName }), ...(identity === undefined ? {} : { identity }) },
    })
    try {
      if (user.password === undefined) await this.credentials.remove(name)
      else await this.#writePassword({ name, uid: created.metadata.uid ?? '' }, user.password, { mustChange: user.mustChangePassword === true })
      if (role !== undefined) await this.bindToPlatform(name, role)
    } catch (error) {
      await this.#remove(userKind.ref, name) // nobody could sign in as this one
      throw error
    }
    this.users.accept(created)
    if (user.mustChangePassword === true) await this.setStatus(name, { mustChangePassword: true })
    return created
  }

  /** Gives a user a role on the whole platform. */
  async bindToPlatform(user: string, role: string): Promise<void> {
    const binding: AccessRoleBinding = {
      apiVersion: accessRoleBindingKind.apiVersion,
      kind: accessRoleBindingKind.kind,
      metadata: { name: `${role}-${user}` },
      spec: { role, subjects: [{ kind: 'User', name: user }] },
    }
    const made = await unlessThere(this.#deps.hub.create<AccessRoleBinding>(accessRoleBindingKind.ref, binding))
    if (made !== undefined) this.#deps.permissions.bindings.accept(made)
  }

  /** Sets a password and ends the user's sessions. `except` is the one that asked; `mustChange`: at the next sign-in, because somebody else knows it. */
  async setPassword(
    name: string,
    password: string,
    options: {
      readonly except?: string | undefined
      readonly mustChange?: boolean | undefined
      /** What else changes with it; it may throw, and nothing changes then. */
      readonly together?: ((before: Credentials) => Credentials) | undefined
    } = {},
  ): Promise<void> {
    const identity = this.users.get(name)?.spec.identity
    if (identity !== undefined)
      throw new StatusError('Invalid', `user "${name}" signs in with the identity provider "${identity.provider}" and has no password here; change it there`)
    const mustChange = options.mustChange === true
    await this.#writePassword(this.ownerOf(name), password, { mustChange, together: options.together })
    await this.#writeStatus(userKind.ref, name, { passwordChangedTime: rfc3339(this.#deps.clock.now()), mustChangePassword: mustChange ? true : null })
    await this.endSessionsOf(name, options)
  }

  /** Lets a user sign in again before the lock of the account is over. Throws NotFound. */
  async unlock(name: string): Promise<void> {
    this.ownerOf(name)
    this.lock.forget(name)
    await this.setStatus(name, unlocked)
  }

  /** Takes a user's second factor away, recovery codes included. False when there was none; throws NotFound. */
  async removeSecondFactor(name: string): Promise<boolean> {
    const changed = await this.credentials.change(this.ownerOf(name), (before) =>
      before.totp === undefined ? undefined : { ...before, totp: undefined, recoveryCodes: [] },
    )
    await this.setStatus(name, { secondFactor: null })
    return changed !== undefined
  }

  /** What a user's status says of the account. Throws nothing: it is for people. */
  async setStatus(name: string, status: StatusFields): Promise<void> {
    await this.#writeStatus(userKind.ref, name, status)
  }

  #callerOf(name: string, credential: Credential, within?: string): Caller | undefined {
    const user = this.users.get(name)
    if (user === undefined || user.spec.disabled === true || !this.isVouchedFor(user)) return undefined
    this.#touch(credential.id)
    return { kind: 'platform', user: this.#deps.permissions.userInfo(name, user.metadata.uid, within), credential }
  }

  #isExpired(time: string | undefined): boolean {
    return time !== undefined && Date.parse(time) <= this.#deps.clock.now().getTime()
  }

  #hasEnded(session: Session): boolean {
    if (this.#isExpired(session.spec.expirationTime)) return true
    // Who uses kubectl once a week stays signed in until the session is over.
    if (session.spec.type !== undefined && session.spec.type !== 'Browser') return false
    const stored = Date.parse(session.status?.lastActiveTime ?? session.metadata.creationTimestamp ?? '') || 0
    const last = Math.max(stored, this.#lastUse.get(`session/${session.metadata.name}`) ?? 0)
    // What is stored may lag behind by this much after a restart.
    return this.#deps.clock.now().getTime() - last > this.rules.idleMs + touchEveryMs
  }

  #touch(id: string): void {
    const now = this.#deps.clock.now().getTime()
    this.#lastUse.set(id, now)
    if (now < (this.#youngUntil.get(id) ?? 0) || this.#touching.has(id)) return
    const [kind, name = ''] = id.split('/', 2)
    const stored = kind === 'session' ? this.sessions.get(name)?.status?.lastActiveTime : this.keys.get(name)?.status?.lastUsedTime
    const storedMs = Date.parse(stored ?? '') || 0
    if (now - storedMs < touchEveryMs) {
      this.#youngUntil.set(id, storedMs + touchEveryMs)
      return
    }
    this.#touching.add(id)
    const [ref, status] =
      kind === 'session' ? [sessionKind.ref, { lastActiveTime: rfc3339(new Date(now)) }] : [apiKeyKind.ref, { lastUsedTime: rfc3339(new Date(now)) }]
    void this.#writeStatus(ref, name, status).finally(() => this.#touching.delete(id))
  }

  readonly #touching = new Set<string>()

  /** Times of use are a courtesy: a hub that cannot take one must not fail the request that caused it. False when it could not. */
  async #writeStatus(ref: ResourceRef, name: string, status: StatusFields): Promise<boolean> {
    try {
      const written = await this.#deps.hub.patch(ref, { name }, { type: 'merge', body: { status }, subresource: 'status' })
      if (ref === sessionKind.ref) this.sessions.accept(written as Session)
      else if (ref === apiKeyKind.ref) this.keys.accept(written as APIKey)
      else this.users.accept(written as User)
      return true
    } catch (error) {
      if (!isReason(error, 'NotFound')) this.#deps.log.warn('a status could not be stored', { kind: ref.kind, name, fields: Object.keys(status), error })
      return false
    }
  }

  /** As `#writeStatus`, for what counts up: nothing of other gateways gets lost. */
  async #changeStatus(name: string, change: (before: User['status']) => StatusFields): Promise<boolean> {
    try {
      for (let tries = 1; ; tries++) {
        const { metadata, status } = await this.#deps.hub.get<User>(userKind.ref, { name })
        const body = { metadata: { resourceVersion: metadata.resourceVersion }, status: change(status) }
        try {
          this.users.accept(await this.#deps.hub.patch<User>(userKind.ref, { name }, { type: 'merge', body, subresource: 'status' }))
          return true
        } catch (error) {
          if (!isReason(error, 'Conflict') || tries === statusTries) throw error
        }
      }
    } catch (error) {
      if (!isReason(error, 'NotFound')) this.#deps.log.warn('a status could not be stored', { kind: userKind.kind, name, error })
      return false
    }
  }

  async #writePassword(
    owner: Owner,
    password: string,
    { mustChange, together = (before) => before }: { readonly mustChange: boolean; readonly together?: ((before: Credentials) => Credentials) | undefined },
  ): Promise<void> {
    const passwordHash = await this.#deps.hasher.hash(password)
    // A browser was made known, and a second factor begun, by whoever knew the old one.
    await this.credentials.change(owner, (before) => ({
      ...together(before),
      passwordHash,
      mustChangePassword: mustChange,
      knownBrowsers: [],
      pendingTotp: undefined,
    }))
  }

  async #remove(ref: ResourceRef, name: string): Promise<void> {
    await unlessGone(this.#deps.hub.delete(ref, { name }))
  }

  /** Nobody who gets the name later may have what the one before had. */
  async #unbind(user: string): Promise<void> {
    // A new one of that name, or a mirror that was wrong.
    if ((await unlessGone(this.#deps.hub.get(userKind.ref, { name: user }))) !== undefined) return
    for (const { metadata } of bindingsOf(this.#deps.permissions, user)) await this.#unbindFrom(accessRoleBindingKind.ref, { name: metadata.name ?? '' }, user)
    for (const { namespace, name } of this.#deps.permissions.index.membershipsOf('User', user))
      await this.#unbindFrom(membershipKind.ref, { namespace, name }, user)
  }

  /** As often as others write it in between: every process on the hub does this. */
  async #unbindFrom(ref: ResourceRef, key: ObjectKey, user: string): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const { metadata, spec } = await this.#deps.hub.get<AccessRoleBinding | Membership>(ref, key)
        const subjects = spec.subjects.filter((subject) => subject.kind !== 'User' || subject.name !== user)
        if (subjects.length === spec.subjects.length) return
        const { uid = '', resourceVersion = '' } = metadata
        if (subjects.length === 0) return await this.#deps.hub.delete(ref, key, { preconditions: { uid, resourceVersion } })
        await this.#deps.hub.patch(ref, key, { type: 'merge', body: { metadata: { resourceVersion }, spec: { subjects } } })
        return
      } catch (error) {
        if (isReason(error, 'NotFound')) return
        if (!isReason(error, 'Conflict') || tries === unbindTries) throw error
      }
    }
  }

  #ended(id: string): void {
    this.#lastUse.delete(id)
    this.#youngUntil.delete(id)
    this.#deps.revocations.revoke(id)
  }

  #endAllOf(user: string): void {
    for (const { metadata, spec } of this.sessions.values()) if (spec.user === user) this.#deps.revocations.revoke(`session/${metadata.name}`)
    for (const { metadata, spec } of this.keys.values()) if (spec.user === user) this.#deps.revocations.revoke(`apikey/${metadata.name}`)
  }

  /** A provider is gone or disabled: nobody who came through it stays. */
  #endAllThrough(provider: string): void {
    for (const { metadata, spec } of this.users.values()) {
      if (spec.identity?.provider !== provider) continue
      const { name = '' } = metadata
      this.#endAllOf(name)
      this.endSessionsOf(name).catch((error: unknown) => this.#deps.log.warn('an ended session could not be removed', { user: name, error }))
    }
  }

  #sweep(): void {
    for (const session of this.sessions.values()) {
      if (!this.#hasEnded(session)) continue
      const name = session.metadata.name ?? ''
      this.endSession(name).catch((error: unknown) => this.#deps.log.warn('an ended session could not be removed', { session: name, error }))
    }
  }

  #endExpired(): void {
    for (const session of this.sessions.values()) if (this.#hasEnded(session)) this.#ended(`session/${session.metadata.name}`)
    // An expired key stays to be seen, but nothing it has open.
    for (const { metadata, spec } of this.keys.values()) if (this.#isExpired(spec.expirationTime)) this.#deps.revocations.revoke(`apikey/${metadata.name}`)
  }
}

/** The namespace of the hub of what a key is limited to; undefined: it has all that its user has. */
function withinOf({ spec: { scope } }: APIKey): string | undefined {
  return scope && scopeNamespace(scope)
}

function bindingsOf(permissions: Permissions, user: string): AccessRoleBinding[] {
  return [...permissions.bindings.values()].filter(({ spec }) => spec.subjects.some(({ kind, name }) => kind === 'User' && name === user))
}
