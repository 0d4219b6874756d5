import { StatusError, type RequestInfo } from '@gantry/apimachinery'
import type { Caller } from '@gantry/gateway'
import type { ClusterState } from '../api/index.ts'
import type { FleetCache } from './fleet-cache.ts'
import type { FleetDiscovery } from './fleet-discovery.ts'
import type { ClusterFreshness, FleetResource } from './kind-sight.ts'
import type { FleetMembers, ReadPermissions } from './ports.ts'
import type { SealedTokens } from './sealed-token.ts'
import type { Clock } from '@gantry/runtime'

/** What every answer of the fleet is made with. */
export interface FleetView {
  readonly clock: Clock
  readonly members: FleetMembers
  readonly cache: FleetCache
  readonly discovery: FleetDiscovery
  readonly permissions: ReadPermissions
  readonly tokens: SealedTokens
  /** The cluster that holds the Cluster objects: whoever may read one of them may know about that cluster. */
  readonly clusterObjects: { readonly cluster: string; readonly group: string; readonly resource: string }
  /** How long a first answer waits for clusters that have not answered. */
  readonly firstAnswerMs: number
}

/** One request to the fleet. */
export interface FleetCall {
  readonly view: FleetView
  readonly caller: Caller
  readonly info: RequestInfo
}

const maxNamed = 40
const maxWarnings = 8
const maxStates = 200

export function mayReadRow(
  view: FleetView,
  caller: Caller,
  resource: FleetResource,
  at: { readonly cluster: string; readonly namespace: string; readonly name: string },
): boolean {
  const { group, resource: plural } = resource
  return view.permissions.mayRead(caller, {
    cluster: at.cluster,
    group,
    resource: plural,
    namespace: at.namespace === '' ? undefined : at.namespace,
    name: at.name,
  })
}

export function mayKnowCluster({ permissions, clusterObjects }: FleetView, caller: Caller, name: string): boolean {
  return permissions.mayRead(caller, { ...clusterObjects, namespace: undefined, name }) || permissions.reaches(caller, name)
}

/** The clusters whose state this caller may know, of those that were asked. */
export function visibleFreshness(
  view: FleetView,
  caller: Caller,
  freshness: readonly ClusterFreshness[],
  hasCluster: (cluster: string) => boolean = () => true,
): readonly ClusterFreshness[] {
  return freshness.filter(({ cluster }) => hasCluster(cluster) && mayKnowCluster(view, caller, cluster))
}

/**
 * How fresh each cluster is, for whoever reads headers (`gantry-fleet-freshness: live=98, failed=east, stale=west@2026-01-01T00:00:00Z`), and a Warning for each one
 * that is not whole, for whoever reads kubectl's output.
 */
export function freshnessHeaders(
  freshness: readonly ClusterFreshness[],
  nowMs: number,
  more: readonly string[] = [],
): Readonly<Record<string, string | readonly string[]>> {
  const whole = freshness.filter(({ phase }) => phase === 'live' || phase === 'notServed')
  const others = freshness.filter((one) => !whole.includes(one))
  const named = others
    .slice(0, maxNamed)
    .map(({ cluster, phase, sinceMs }) => (phase === 'stale' ? `stale=${cluster}@${new Date(sinceMs).toISOString().slice(0, 19)}Z` : `${phase}=${cluster}`))
  const rest = others.length - named.length
  const warnings = [...others.slice(0, maxWarnings).map((one) => warningOf(one, nowMs)), ...more]
  if (others.length > maxWarnings)
    warnings.push(`${others.length - maxWarnings} more clusters are not up to date: the header gantry-fleet-freshness names them`)
  return {
    'gantry-fleet-freshness': [`live=${whole.length}`, ...named, ...(rest > 0 ? [`more=${rest}`] : [])].join(', '),
    ...(warnings.length === 0 ? {} : { warning: warnings.map(warningHeader) }),
  }
}

/** The clusters that are not whole, as the search and the bookmarks of watches tell them. */
export function clusterStates(freshness: readonly ClusterFreshness[]): readonly ClusterState[] {
  return freshness
    .filter(({ phase }) => phase !== 'live' && phase !== 'notServed')
    .slice(0, maxStates)
    .map(clusterState)
}

export function clusterState({ cluster, phase, sinceMs, problem }: ClusterFreshness): ClusterState {
  return { name: cluster, phase, since: new Date(sinceMs).toISOString(), ...(problem === undefined ? {} : { problem: problem.slice(0, 400) }) }
}

export function warningHeader(text: string): string {
  // A member's words: nothing of them may end the header or the quoted text.
  return `299 - "${text
    .replaceAll(/[^\x20-\x7e]/g, ' ')
    .replaceAll(/["\\]/g, "'")
    .slice(0, 400)}"`
}

function warningOf({ cluster, phase, sinceMs, problem, rows }: ClusterFreshness, nowMs: number): string {
  const why = problem === undefined ? '' : `: ${problem}`
  if (phase === 'loading') return `cluster "${cluster}" is still being read: ${rows} objects so far`
  if (phase === 'stale') {
    return `cluster "${cluster}" cannot be followed, what is shown of it is ${Math.max(0, Math.round((nowMs - sinceMs) / 1_000))} s old${why}`
  }
  return `cluster "${cluster}" is missing${why}`
}

/** The resource of a request. Throws NotFound when no cluster serves it, and says which clusters have not answered. */
export async function resourceOf(
  view: FleetView,
  caller: Caller,
  asked: { readonly group: string; readonly resource: string },
  signal: AbortSignal,
): Promise<FleetResource> {
  const { resources, silent } = await view.discovery.union(view.firstAnswerMs, signal)
  const found = resources.get(`${asked.resource}.${asked.group}`)
  if (found !== undefined) return found
  const unheard = silent.filter((name) => mayKnowCluster(view, caller, name)).slice(0, maxNamed)
  throw new StatusError(
    'NotFound',
    unheard.length === 0
      ? 'the server could not find the requested resource'
      : `the server could not find the requested resource; these clusters do not say what they serve: ${unheard.join(', ')}`,
  )
}
