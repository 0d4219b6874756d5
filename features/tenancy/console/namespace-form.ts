import { canonicalResource, type ProjectNamespace, type QuotaLine } from '../api/index.ts'
import { evenShares, isAtMost } from './amounts.ts'

export interface NamespaceForm {
  readonly name: string
  readonly cluster: string
  /** Its name in the cluster; '' is the usual one. */
  readonly namespace: string
  readonly environment: string
  readonly adopt: boolean
  readonly amounts: Readonly<Record<string, string>>
}

/** What a namespace is called in its cluster unless something else is said. */
export const usualNamespace = (tenant: string, project: string, name: string): string => `${tenant}-${project}-${name}`

const namePattern = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/
const longestName = 63

export const isNamespaceName = (name: string): boolean => name.length <= longestName && namePattern.test(name)

/** A resource that a new namespace of a project has to say its part of, with how much is free everywhere above it. */
export interface NeededAmount {
  readonly resource: string
  readonly free: string
}

/** What limits a namespace in a cluster, each resource once, by the names that the limits have: of several limits of one the first, which is the project's own. */
export function neededIn(cluster: string, limits: readonly QuotaLine[]): readonly NeededAmount[] {
  const needed = new Map<string, NeededAmount>()
  for (const line of limits) {
    if (line.resource === 'namespaces' || (line.cluster !== undefined && line.cluster !== cluster)) continue
    const key = canonicalResource(line.resource)
    const known = needed.get(key)
    if (known === undefined) needed.set(key, { resource: line.resource, free: line.free })
    else needed.set(key, { resource: known.resource, free: smaller(known.free, line.free) })
  }
  return [...needed.values()]
}

function smaller(left: string, right: string): string {
  return isAtMost(left, right) ? left : right
}

/** Namespaces that wait for a quota, each with an even share of what is free. */
export function sharesForWaiting(waiting: readonly ProjectNamespace[], limits: readonly QuotaLine[]): readonly Readonly<Record<string, string>>[] {
  return waiting.map(({ spec }) => {
    const free = Object.fromEntries(neededIn(spec.cluster, limits).map(({ resource, free: left }) => [resource, left]))
    return evenShares(free, waiting.length)
  })
}

/** Those that have nothing yet because they do not say how much of a limit they are to have, or more than is left. */
export const waitingForQuota = (namespaces: readonly ProjectNamespace[]): readonly ProjectNamespace[] =>
  namespaces.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      status?.clusterUID === undefined &&
      status?.conditions?.some(({ type, status: is, reason }) => type === 'Ready' && is !== 'True' && reason === 'QuotaExceeded') === true,
  )

/** The quota that a form says; undefined: none. */
export function quotaOf(amounts: Readonly<Record<string, string>>): Record<string, string> | undefined {
  const filled = Object.entries(amounts)
    .map(([resource, amount]) => [resource, amount.trim()] as const)
    .filter(([, amount]) => amount !== '')
  return filled.length === 0 ? undefined : Object.fromEntries(filled)
}
