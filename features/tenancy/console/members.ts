import type { Membership } from '../api/index.ts'

export type Subject = Membership['spec']['subjects'][number]

/** One person or group with one role: a Membership may name several. */
export interface MemberRow {
  readonly key: string
  readonly membership: Membership
  readonly subject: Subject
  readonly role: string
  readonly expirationTime: string | undefined
  readonly isExpired: boolean
}

export function memberRows(memberships: readonly Membership[], nowMs: number): readonly MemberRow[] {
  return memberships
    .flatMap((membership) => {
      const { role, subjects, expirationTime } = membership.spec
      const isExpired = expirationTime !== undefined && Date.parse(expirationTime) <= nowMs
      const { namespace, name } = membership.metadata
      return subjects.map((subject): MemberRow => {
        return { key: `${namespace}/${name}/${subject.kind}/${subject.name}`, membership, subject, role, expirationTime, isExpired }
      })
    })
    .toSorted((left, right) => left.subject.name.localeCompare(right.subject.name) || left.role.localeCompare(right.role))
}

/** What a row's removal does to its Membership. */
export type Removal =
  | { readonly kind: 'delete'; readonly uid: string | undefined; readonly resourceVersion: string | undefined }
  | { readonly kind: 'patch'; readonly patch: object }

/** Takes one out of a Membership; one that names nobody else goes. Only as it was seen: somebody who has been added in the meantime stays. */
export function removalOf({ membership, subject }: MemberRow): Removal {
  const { uid, resourceVersion } = membership.metadata
  const subjects = membership.spec.subjects.filter(({ kind, name }) => kind !== subject.kind || name !== subject.name)
  return subjects.length === 0 ? { kind: 'delete', uid, resourceVersion } : { kind: 'patch', patch: { metadata: { resourceVersion }, spec: { subjects } } }
}

/** A Membership to be made for one subject. */
export function newMembership(namespace: string, spec: Membership['spec']): { readonly metadata: object; readonly spec: Membership['spec'] } {
  return { metadata: { generateName: `${spec.role.slice(0, 50)}-`, namespace }, spec }
}

const dayMs = 24 * 60 * 60 * 1_000
export const lifetimes = { good: undefined, d1: 1, d7: 7, d30: 30, d90: 90 } as const
export type Lifetime = keyof typeof lifetimes

/** When a membership that begins now ends; undefined: never. */
export function endOf(lifetime: Lifetime, nowMs: number): string | undefined {
  const days = lifetimes[lifetime]
  return days === undefined ? undefined : new Date(nowMs + days * dayMs).toISOString()
}

/** Roles that are always there. */
export const usualRoles = {
  tenant: ['tenant-admin', 'project-owner', 'project-editor', 'project-viewer'],
  project: ['project-owner', 'project-editor', 'project-viewer'],
} as const
