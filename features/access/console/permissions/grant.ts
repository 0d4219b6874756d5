import type { ResourceRow } from '@gantry/console-kit/model'
import { scopeOf, type Membership } from '@gantry/tenancy/api'
import { platformAdminRole, type AccessRoleBinding } from '../../api/index.ts'
import type { GroupView } from './group.ts'

export interface GrantSubject {
  readonly kind: 'User' | 'Group'
  readonly name: string
}

/** Where a role holds. */
export type GrantScope =
  | { readonly kind: 'platform' }
  | { readonly kind: 'cluster'; readonly cluster: string }
  | { readonly kind: 'namespaces'; readonly cluster: string; readonly namespaces: readonly string[] }
  | { readonly kind: 'tenant'; readonly tenant: string }
  | { readonly kind: 'project'; readonly tenant: string; readonly project: string }

export const scopeKinds = ['platform', 'tenant', 'project', 'cluster', 'namespaces'] as const

/** A role given to people somewhere: by an AccessRoleBinding, or in a tenant or project by a Membership. */
export interface Grant extends ResourceRow {
  readonly by: 'binding' | 'membership'
  readonly role: string
  readonly subjects: readonly GrantSubject[]
  readonly scope: GrantScope
  /** Undefined: for good. */
  readonly untilMs: number | undefined
  readonly reason: string | undefined
  /** The platform's own. */
  readonly isBuiltin: boolean
  /** The ElevationRequest that it comes from. */
  readonly elevation: string | undefined
}

const builtinLabel = 'access.gantry.dev/builtin'
const elevationLabel = 'access.gantry.dev/elevation-request'

export const isBuiltin = ({ metadata }: { readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined } }): boolean =>
  metadata.labels?.[builtinLabel] === 'true'

export function grantOfBinding(binding: AccessRoleBinding, base: ResourceRow): Grant {
  const { role, subjects, cluster, namespaces, expirationTime, reason } = binding.spec
  const scope: GrantScope =
    cluster === undefined ? { kind: 'platform' } : namespaces === undefined ? { kind: 'cluster', cluster } : { kind: 'namespaces', cluster, namespaces }
  return {
    ...base,
    by: 'binding',
    role,
    subjects,
    scope,
    untilMs: untilOf(expirationTime),
    reason,
    isBuiltin: isBuiltin(binding),
    elevation: binding.metadata.labels?.[elevationLabel],
  }
}

/** Undefined where it stands in no tenant's or project's namespace: there it gives nothing. */
export function grantOfMembership({ spec, metadata }: Membership, base: ResourceRow): Grant | undefined {
  const place = scopeOf(metadata.namespace ?? '')
  if (place === undefined) return undefined
  const { tenant, project } = place
  return {
    ...base,
    by: 'membership',
    role: spec.role,
    subjects: spec.subjects,
    scope: project === undefined ? { kind: 'tenant', tenant } : { kind: 'project', tenant, project },
    untilMs: untilOf(spec.expirationTime),
    reason: spec.reason,
    isBuiltin: false,
    elevation: metadata.labels?.[elevationLabel],
  }
}

function untilOf(time: string | null | undefined): number | undefined {
  const ms = Date.parse(time ?? '')
  return Number.isNaN(ms) ? undefined : ms
}

/** `User/ann`: how addresses name a subject. */
export const subjectKey = ({ kind, name }: GrantSubject): string => `${kind}/${name}`

export function subjectOfKey(key: string): GrantSubject | undefined {
  const [, kind, name = ''] = /^(User|Group)\/(.+)$/.exec(key) ?? []
  return kind === undefined ? undefined : { kind: kind as GrantSubject['kind'], name }
}

/** What a scope is called where words are not translated: sorted and searched by. */
export function scopeText(scope: GrantScope): string {
  switch (scope.kind) {
    case 'platform':
      return ''
    case 'cluster':
      return scope.cluster
    case 'namespaces':
      return `${scope.cluster} / ${scope.namespaces.join(', ')}`
    case 'tenant':
      return scope.tenant
    case 'project':
      return `${scope.tenant} / ${scope.project}`
    default:
      return scope satisfies never
  }
}

export interface GrantFilter {
  /** A subject's key; with the groups of a user, also what it has through them. */
  readonly subjects: ReadonlySet<string>
  readonly role: string
  readonly scope: string
}

export function fitsGrant(grant: Grant, { subjects, role, scope }: GrantFilter): boolean {
  if (role !== '' && grant.role !== role) return false
  if (scope !== '' && grant.scope.kind !== scope) return false
  return subjects.size === 0 || grant.subjects.some((subject) => subjects.has(subjectKey(subject)))
}

/** A user and every group it is in; of any other subject, itself. */
export function subjectsAs(subject: GrantSubject | undefined, groups: readonly GroupView[]): ReadonlySet<string> {
  if (subject === undefined) return new Set()
  if (subject.kind === 'Group') return new Set([subjectKey(subject)])
  const own = groups.filter(({ kind, members }) => kind === 'everybody' || members.includes(subject.name))
  return new Set([subjectKey(subject), ...own.map(({ name }) => subjectKey({ kind: 'Group', name }))])
}

/** What the removal of a grant takes, subject by subject. */
export interface Loss {
  readonly subject: GrantSubject
  /** Another grant of the same role to the same subject that holds there too; undefined: the role is lost. */
  readonly keptBy: string | undefined
}

export function lossesOf(grant: Grant, all: readonly Grant[], nowMs: number): readonly Loss[] {
  const others = all.filter(
    (other) => other.key !== grant.key && other.role === grant.role && !isOver(other, nowMs) && lastsAsLong(other, grant) && covers(other.scope, grant.scope),
  )
  return grant.subjects.map((subject) => ({
    subject,
    keptBy: others.find(({ subjects }) => subjects.some((one) => subjectKey(one) === subjectKey(subject)))?.name,
  }))
}

/** Whether nobody would be left who has the role that may do everything, everywhere and for good. */
export function isLastAdministrator(grant: Grant, all: readonly Grant[]): boolean {
  const isOne = ({ role, scope, untilMs, subjects }: Grant): boolean =>
    role === platformAdminRole && scope.kind === 'platform' && untilMs === undefined && subjects.length > 0
  return isOne(grant) && !all.some((other) => other.key !== grant.key && isOne(other))
}

export function isOver({ untilMs }: Pick<Grant, 'untilMs'>, nowMs: number): boolean {
  return untilMs !== undefined && untilMs <= nowMs
}

function lastsAsLong(other: Grant, grant: Grant): boolean {
  return other.untilMs === undefined || (grant.untilMs !== undefined && other.untilMs >= grant.untilMs)
}

/** Whether what holds in `wide` certainly holds in `narrow`. Projects of projects are not known here: rather no than yes. */
function covers(wide: GrantScope, narrow: GrantScope): boolean {
  switch (wide.kind) {
    case 'platform':
      return true
    case 'cluster':
      return (narrow.kind === 'cluster' || narrow.kind === 'namespaces') && narrow.cluster === wide.cluster
    case 'namespaces':
      return narrow.kind === 'namespaces' && narrow.cluster === wide.cluster && narrow.namespaces.every((name) => wide.namespaces.includes(name))
    case 'tenant':
      return (narrow.kind === 'tenant' || narrow.kind === 'project') && narrow.tenant === wide.tenant
    case 'project':
      return narrow.kind === 'project' && narrow.tenant === wide.tenant && narrow.project === wide.project
    default:
      return wide satisfies never
  }
}
