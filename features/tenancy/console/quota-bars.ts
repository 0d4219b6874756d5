import type { Tone } from '@gantry/console-kit/model'
import { canonicalResource, type QuotaLine, type QuotaUse, type Tenant } from '../api/index.ts'
import { amountOf, fractionOf, freeOf, type ResourceList } from './amounts.ts'
import { scopeOfTenant, textOf, type Scope } from './scope.ts'

/** One limit, and what of it is taken. Amounts are quantities. */
export interface QuotaBar {
  /** `tenant acme`, or `project acme/shop`. */
  readonly scope: string
  /** undefined: all clusters together. */
  readonly cluster: string | undefined
  /** `namespaces` for how many there are. */
  readonly resource: string
  readonly limit: string
  readonly taken: string
  readonly free: string
  /** What is really used; undefined: not known, or no resource of a cluster. */
  readonly used: string | undefined
  /** 0 to 1, or above: of the limit. */
  readonly fraction: number
  readonly tone: Tone
}

const namespacesResource = 'namespaces'
const nearlyAll = 0.9

/** Limits, with what is really used of those of one scope. */
export function barsOf(own: Scope, limits: readonly QuotaLine[], use: QuotaUse | undefined): readonly QuotaBar[] {
  return limits.map((line) => bar(line, line.scope === scopeWords(own) ? use : undefined))
}

/** How the platform names a scope in what limits something. */
export const scopeWords = (scope: Scope): string => `${scope.project === undefined ? 'tenant' : 'project'} ${textOf(scope)}`

/** What a tenant limits in all clusters together, as its object says it: for a line in a table. */
export function totalsOfTenant(tenant: Tenant): readonly QuotaBar[] {
  return linesOfTenant(tenant)
    .filter(({ cluster, resource }) => cluster === undefined && resource !== namespacesResource)
    .map((line) => bar(line, undefined))
}

/** What limits a tenant, of which nothing is taken but what its object says: exact as long as it has no project. */
export function linesOfTenant(tenant: Tenant): readonly QuotaLine[] {
  const scope = scopeWords(scopeOfTenant(tenant))
  const { quota } = tenant.spec
  const lines = (cluster: string | undefined, list: ResourceList | undefined, taken: ResourceList | undefined): QuotaLine[] =>
    Object.entries(list ?? {}).map(([resource, amount]) => {
      const has = valueIn(taken, resource) ?? '0'
      return { scope, ...(cluster === undefined ? {} : { cluster }), resource, limit: String(amount), taken: has, free: freeOf(amount, has) }
    })
  return [
    ...lines(undefined, quota?.total, tenant.status?.quota?.total),
    ...(quota?.clusters ?? []).flatMap(({ cluster, hard }) => lines(cluster, hard, undefined)),
    ...(quota?.namespaces === undefined ? [] : lines(undefined, { [namespacesResource]: quota.namespaces }, undefined)),
  ]
}

/** The limit of which most is taken. */
export function tightest(bars: readonly QuotaBar[]): QuotaBar | undefined {
  return bars.toSorted((left, right) => right.fraction - left.fraction)[0]
}

function bar(line: QuotaLine, use: QuotaUse | undefined): QuotaBar {
  const { scope, cluster, resource, limit, taken, free } = line
  const inCluster = cluster === undefined ? use?.used : use?.clusters?.find((one) => one.cluster === cluster)?.used
  const [whole, part] = [amountOf(limit), amountOf(taken)]
  const fraction = whole === undefined || part === undefined ? 0 : fractionOf(part, whole)
  const used = resource === namespacesResource ? undefined : valueIn(inCluster, resource)
  return { scope, cluster, resource, limit, taken, free, used, fraction, tone: fraction > 1 ? 'error' : fraction >= nearlyAll ? 'warn' : 'ok' }
}

function valueIn(list: ResourceList | undefined, resource: string): string | undefined {
  const found = Object.entries(list ?? {}).find(([name]) => canonicalResource(name) === canonicalResource(resource))
  return found === undefined ? undefined : String(found[1])
}
