import { everybodyGroup, tenantGroup, type Group, type IdentityProvider, type User } from '../../api/index.ts'

/** Users under one name: a Group, one that an identity provider tells of, or everybody who is signed in. */
export interface GroupView {
  readonly name: string
  readonly displayName: string | undefined
  readonly kind: 'own' | 'provider' | 'everybody'
  /** Names of users. */
  readonly members: readonly string[]
  /** Members of a Group that are no users. */
  readonly unknown: readonly string[]
}

/** Every group that somebody is in or that is there, by name. What a provider said is as of each user's last sign-in. */
export function groupsOf({
  groups,
  users,
  providers,
}: {
  readonly groups: readonly Group[]
  readonly users: readonly User[]
  readonly providers: readonly IdentityProvider[]
}): readonly GroupView[] {
  const names = users.map(nameOf)
  const known = new Set(names)
  const outside = new Map<string, string[]>()
  const tenantOf = new Map(providers.map(({ metadata, spec }) => [metadata.name, spec.tenant]))
  for (const user of users) {
    const tenant = tenantOf.get(user.spec.identity?.provider)
    for (const group of [...(user.status?.groups ?? []), ...(tenant === undefined ? [] : [tenantGroup(tenant)])]) {
      const members = outside.get(group)
      if (members === undefined) outside.set(group, [nameOf(user)])
      else members.push(nameOf(user))
    }
  }
  const own = groups.map(({ metadata, spec }): GroupView => ({
    name: metadata.name ?? '',
    displayName: spec.displayName,
    kind: 'own',
    members: spec.members,
    unknown: spec.members.filter((name) => !known.has(name)),
  }))
  const provided = [...outside].map(([name, members]): GroupView => ({ name, displayName: undefined, kind: 'provider', members, unknown: [] }))
  const everybody: GroupView = { name: everybodyGroup, displayName: undefined, kind: 'everybody', members: names, unknown: [] }
  return [everybody, ...[...own, ...provided].toSorted((left, right) => left.name.localeCompare(right.name))]
}

export const groupHref = (name: string): string => `/groups/${encodeURIComponent(name)}`

const nameOf = ({ metadata }: User): string => metadata.name ?? ''
