import { isReason } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { Logger } from '@gantry/runtime'
import { mostOutsideGroups, outsideGroup, tenantGroup, userKind, type IdentityProvider, type User } from '../../api/index.ts'
import type { Identities } from '../identities.ts'
import type { Permissions } from '../permissions/permissions.ts'
import { refusalOf, type Account } from './account.ts'
import { SignInFailure } from './sign-in-failure.ts'
import { outsideUserName } from './user-name.ts'

export interface OutsideUsersDeps {
  readonly hub: KubeClient
  readonly identities: Identities
  readonly permissions: Permissions
  readonly log: Logger
}

const longestSubject = 512
const longestGroup = 200
const longestEmail = 320

/** Users whose account is elsewhere: found by provider and subject, never by a name or an address that may pass to somebody else. */
export class OutsideUsers {
  readonly #deps: OutsideUsersDeps
  /** Names of Users by identity: two of one identity let nobody in. */
  readonly #byIdentity = new Map<string, Set<string>>()

  constructor(deps: OutsideUsersDeps) {
    this.#deps = deps
    const { identities, permissions } = deps
    permissions.addGroups((name) => this.#groupsOf(name))
    identities.users.onChange(({ name, before, after }) => {
      if (before?.spec.identity === undefined && after?.spec.identity === undefined) return
      if (before?.spec.identity !== undefined) this.#byIdentity.get(keyOf(before.spec.identity))?.delete(name)
      if (after?.spec.identity !== undefined) {
        const key = keyOf(after.spec.identity)
        const names = this.#byIdentity.get(key)
        if (names === undefined) this.#byIdentity.set(key, new Set([name]))
        else names.add(name)
      }
      if (before?.spec.identity !== undefined && this.#byIdentity.get(keyOf(before.spec.identity))?.size === 0)
        this.#byIdentity.delete(keyOf(before.spec.identity))
      if (!isSame(before?.spec.identity, after?.spec.identity) || !isSame(before?.status?.groups, after?.status?.groups)) permissions.groupsChanged()
    })
    identities.providers.onChange(({ before, after }) => {
      if (before?.spec.tenant !== after?.spec.tenant || before?.spec.disabled !== after?.spec.disabled || (before === undefined) !== (after === undefined))
        permissions.groupsChanged()
    })
  }

  /** The User of an account that its provider has just proved: made at the first sign-in where the provider says so, and told what the provider says now. Throws SignInFailure. */
  async admit(provider: IdentityProvider, account: Account): Promise<User> {
    const name = provider.metadata.name ?? ''
    const about = { provider: name, subject: account.subject, login: account.login }
    const refuse = (problem: 'not-allowed' | 'unknown-user' | 'name-taken' | 'disabled', message: string, why: string): never => {
      this.#deps.log.warn('an account elsewhere is not let in', { ...about, why })
      throw new SignInFailure(problem, message)
    }
    const refusal = account.subject.length > longestSubject ? `the subject is longer than ${longestSubject} characters` : refusalOf(provider, account)
    if (refusal !== undefined)
      return refuse('not-allowed', 'this account may not sign in here; an administrator can allow it in the settings of the identity provider', refusal)
    const names = [...(this.#byIdentity.get(keyOf({ provider: name, subject: account.subject })) ?? [])]
    if (names.length > 1)
      return refuse(
        'name-taken',
        `more than one user has this account: ${names.join(', ')}; an administrator has to take it from all but one`,
        'its identity is that of several users',
      )
    const known = names[0] === undefined ? undefined : this.#deps.identities.users.get(names[0])
    if (known === undefined && provider.spec.createUsers !== true)
      return refuse(
        'unknown-user',
        'there is no user for this account; an administrator can make one whose spec.identity names it',
        'spec.createUsers is not set',
      )
    const user = known ?? (await this.#create(name, account, refuse))
    if (user.spec.disabled === true) return refuse('disabled', 'this user is disabled; ask an administrator', `the user ${user.metadata.name} is disabled`)
    return this.refresh(user, provider, account)
  }

  /** The User of an account, if there is exactly one. */
  nameOf(provider: string, subject: string): string | undefined {
    const names = [...(this.#byIdentity.get(keyOf({ provider, subject })) ?? [])]
    return names.length === 1 ? names[0] : undefined
  }

  /** Writes down what the provider says of an account now. */
  async refresh(user: User, provider: IdentityProvider, account: Account): Promise<User> {
    const name = user.metadata.name ?? ''
    const { groups, message } = groupsOf(provider.metadata.name ?? '', account)
    const email = account.email?.slice(0, longestEmail)
    let current = user
    const { status } = user
    if (status?.email !== email || !isSame(status?.groups ?? [], groups) || status?.groupsMessage !== message || status?.accountGone !== undefined) {
      const written = { email: email ?? null, groups, groupsMessage: message ?? null, accountGone: null }
      current = await this.#deps.hub.patch<User>(userKind.ref, { name }, { type: 'merge', body: { status: written }, subresource: 'status' })
      this.#deps.identities.users.accept(current)
    }
    const displayName = displayNameOf(account)
    if (displayName !== undefined && displayName !== user.spec.displayName) {
      current = await this.#deps.hub.patch<User>(userKind.ref, { name }, { type: 'merge', body: { spec: { displayName } } })
      this.#deps.identities.users.accept(current)
    }
    return current
  }

  /** The account no longer counts: sessions end, keys rest until it does again. */
  async suspend(user: User, why: string): Promise<void> {
    const name = user.metadata.name ?? ''
    if (user.status?.accountGone !== why)
      this.#deps.identities.users.accept(
        await this.#deps.hub.patch<User>(userKind.ref, { name }, { type: 'merge', body: { status: { accountGone: why } }, subresource: 'status' }),
      )
    await this.#deps.identities.endSessionsOf(name)
  }

  async #create(provider: string, account: Account, refuse: (problem: 'name-taken', message: string, why: string) => never): Promise<User> {
    const name = outsideUserName(provider, account)
    const identity = { provider, subject: account.subject }
    try {
      const user = await this.#deps.identities.createUser({ name, displayName: displayNameOf(account), identity })
      this.#deps.log.info('a user was made at the first sign-in', { user: name, provider })
      return user
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
      // Two first sign-ins at once.
      const user = await this.#deps.hub.get<User>(userKind.ref, { name }).catch(() => undefined)
      if (user !== undefined && isSame(user.spec.identity, identity)) return user
      return refuse(
        'name-taken',
        `the name "${name}", which this account would get, is taken; an administrator can free it, or make a user whose spec.identity names the account`,
        error.message,
      )
    }
  }

  #groupsOf(name: string): readonly string[] {
    const { identities } = this.#deps
    const user = identities.users.get(name)
    const identity = user?.spec.identity
    if (user === undefined || identity === undefined) return []
    const provider = identities.providers.get(identity.provider)
    if (provider === undefined || provider.spec.disabled === true) return []
    // Only its own: what somebody else has written into the status gives nothing of another provider, or of the platform.
    const prefix = outsideGroup(identity.provider, '')
    const groups = (user.status?.groups ?? []).filter((group) => group.startsWith(prefix))
    return provider.spec.tenant === undefined ? groups : [...groups, tenantGroup(provider.spec.tenant)]
  }
}

function keyOf({ provider, subject }: { readonly provider: string; readonly subject: string }): string {
  return `${provider}/${subject}` // no name of a provider holds a slash
}

function displayNameOf({ displayName }: Account): string | undefined {
  const text = displayName
    ?.replace(/\p{Cc}/gu, '')
    .trim()
    .slice(0, 100)
  return text === '' ? undefined : text
}

function groupsOf(provider: string, account: Account): { readonly groups: readonly string[]; readonly message: string | undefined } {
  const usable = [...new Set(account.groups)].filter((group) => group !== '' && group.length <= longestGroup && !/\p{Cc}/u.test(group)).toSorted()
  const messages = [
    account.groupsMessage,
    usable.length > mostOutsideGroups
      ? `the account is in ${usable.length} groups, of which the first ${mostOutsideGroups} by name are kept; have the provider name fewer`
      : undefined,
  ].filter((message) => message !== undefined)
  return {
    groups: usable.slice(0, mostOutsideGroups).map((group) => outsideGroup(provider, group)),
    message: messages.length === 0 ? undefined : messages.join('; '),
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
