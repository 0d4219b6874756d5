import type { IdentityProvider } from '../../api/index.ts'

/** Who somebody is, as a provider has just proved. */
export interface Account {
  /** Never given to another account: the identity, together with the provider. */
  readonly subject: string
  /** What makes the name of the User. It may change, and may be given to somebody else: it identifies nobody. */
  readonly login: string
  readonly displayName?: string | undefined
  readonly email?: string | undefined
  /** Whether the provider says that it has checked the address. */
  readonly emailVerified: boolean
  /** What the provider calls this sign-in (OpenID Connect's sid). */
  readonly session?: string | undefined
  /** As the provider names them. */
  readonly groups: readonly string[]
  /** Why groups are missing. */
  readonly groupsMessage?: string | undefined
}

/** Why an account may not sign in, for whoever writes the provider; undefined when it may. */
export function refusalOf({ spec }: IdentityProvider, account: Account): string | undefined {
  const { allowedGroups, allowedDomains } = spec
  if (allowedGroups !== undefined && !account.groups.some((group) => allowedGroups.some((pattern) => matches(pattern, group))))
    return 'the account is in none of spec.allowedGroups'
  if (allowedDomains !== undefined) {
    if (account.email === undefined) return 'the account has no e-mail address, and spec.allowedDomains asks for one'
    if (!account.emailVerified) return 'the provider does not say that it has checked the e-mail address, and spec.allowedDomains asks for one that is'
    const domain = account.email.slice(account.email.lastIndexOf('@') + 1).toLowerCase()
    if (!allowedDomains.includes(domain)) return `the e-mail address is in none of spec.allowedDomains, but in ${domain}`
  }
  return undefined
}

function matches(pattern: string, group: string): boolean {
  return pattern.endsWith('*') ? group.startsWith(pattern.slice(0, -1)) : group === pattern
}
