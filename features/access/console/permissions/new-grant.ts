import { membershipKind, type Membership, type Project, type Tenant } from '@gantry/tenancy/api'
import { accessRoleBindingKind, type AccessRoleBinding } from '../../api/index.ts'
import type { GrantScope, GrantSubject } from './grant.ts'

const hourMs = 3_600_000
const expiryMs = { h1: hourMs, h8: 8 * hourMs, d1: 24 * hourMs, d7: 7 * 24 * hourMs, d30: 30 * 24 * hourMs } as const

/** For good, for a while, or until a time that is typed. */
export const expiryChoices = ['never', 'h1', 'h8', 'd1', 'd7', 'd30', 'at'] as const
export type Expiry = (typeof expiryChoices)[number]

export interface NewGrant {
  readonly role: string
  readonly subject: GrantSubject
  readonly scope: GrantScope & { readonly namespace?: string | undefined }
  readonly expiry: Expiry
  /** Of the choice `at`: a local time such as 2026-05-01T12:00. */
  readonly until: string
  readonly reason: string
}

/** A tenant or project that a role can be given in. */
export interface Place {
  readonly key: string
  readonly label: string
  readonly scope: GrantScope & { readonly namespace: string }
}

/** Those that are ready: only then it is certain which namespace of the hub is theirs. */
export function placesOf(
  kind: GrantScope['kind'],
  { tenants, projects }: { readonly tenants: readonly Tenant[]; readonly projects: readonly Project[] },
): readonly Place[] {
  if (kind === 'tenant')
    return tenants.flatMap(({ metadata: { name = '' }, spec, status }) =>
      status?.namespace === undefined
        ? []
        : [{ key: name, label: spec.displayName ?? name, scope: { kind: 'tenant', tenant: name, namespace: status.namespace } as const }],
    )
  if (kind !== 'project') return []
  return projects.flatMap(({ metadata: { name = '' }, spec, status }) =>
    status?.namespace === undefined || status.tenant === undefined
      ? []
      : [
          {
            key: `${status.tenant}/${name}`,
            label: `${status.tenant} / ${spec.displayName ?? name}`,
            scope: { kind: 'project', tenant: status.tenant, project: name, namespace: status.namespace } as const,
          },
        ],
  )
}

/** The object that gives it: a Membership in a tenant or project, an AccessRoleBinding elsewhere. */
export function grantObject(
  { role, subject, scope, expiry, until, reason }: NewGrant,
  nowMs: number,
): (AccessRoleBinding & { readonly kind: 'AccessRoleBinding' }) | (Membership & { readonly kind: 'Membership' }) {
  const expirationTime = expirationOf(expiry, until, nowMs)
  const why = reason.trim()
  const common = {
    role,
    subjects: [subject],
    ...(expirationTime === undefined ? {} : { expirationTime }),
    ...(why === '' ? {} : { reason: why }),
  }
  const generateName = `${inName(role)}-${inName(subject.name)}-`
  if (scope.kind === 'tenant' || scope.kind === 'project')
    return {
      apiVersion: membershipKind.apiVersion,
      kind: 'Membership',
      metadata: { generateName, ...(scope.namespace === undefined ? {} : { namespace: scope.namespace }) },
      spec: common,
    }
  return {
    apiVersion: accessRoleBindingKind.apiVersion,
    kind: 'AccessRoleBinding',
    metadata: { generateName },
    spec: {
      ...common,
      ...(scope.kind === 'platform' ? {} : { cluster: scope.cluster }),
      ...(scope.kind === 'namespaces' ? { namespaces: [...scope.namespaces] } : {}),
    },
  }
}

/** To the second, as the API says times. */
function expirationOf(expiry: Expiry, until: string, nowMs: number): string | undefined {
  if (expiry === 'never') return undefined
  const ms = expiry === 'at' ? Date.parse(until) : nowMs + expiryMs[expiry]
  return new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z')
}

/** What an object's name can show of somebody's: groups of identity providers hold colons, spaces and any letters. */
function inName(text: string): string {
  const plain = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60)
    .replaceAll(/^-|-$/g, '')
  return plain === '' ? 'group' : plain
}
