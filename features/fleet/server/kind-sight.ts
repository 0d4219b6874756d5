import type { TableColumnDefinition } from '@gantry/apimachinery'
import type { FeedPhase, MemberFeed, RowChange } from './member-feed.ts'
import type { Projection } from './row-projection.ts'

/** One resource of the fleet, whatever version each cluster prefers. */
export interface FleetResource {
  readonly group: string
  /** Plural. */
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
}

/** `pods.`, `deployments.apps` */
export function resourceKey({ resource, group }: Pick<FleetResource, 'resource' | 'group'>): string {
  return `${resource}.${group}`
}

/** How true what is shown of a cluster is. */
export interface ClusterFreshness {
  readonly cluster: string
  readonly phase: FeedPhase
  /** When it was last known to be true, in milliseconds since 1970. */
  readonly sinceMs: number
  readonly problem: string | undefined
  readonly rows: number
}

/** One kind as one caller sees it, before Gantry's own permissions. */
export interface KindSight {
  readonly resource: FleetResource
  readonly projection: Projection
  readonly columns: readonly TableColumnDefinition[]
  readonly freshness: readonly ClusterFreshness[]
  /** In the order in which the fleet shows them. */
  readonly feeds: readonly MemberFeed[]
  feed(cluster: string): MemberFeed | undefined
  readonly isClosed: boolean
  /** The number of its last change. */
  readonly changedAt: number
  /** Resolves when every cluster has answered or failed, or when the kind has been open for `withinMs`. */
  settled(withinMs: number, signal: AbortSignal): Promise<void>
  /** Called with every change from now on, and whenever the freshness of a cluster may have changed. A subscriber must not throw. */
  subscribe(subscriber: (change: RowChange | undefined) => void): () => void
  /** Deletions and changes of what can be selected by since a sequence number. Throws Expired when it is too long ago. */
  remembered(since: number): readonly RowChange[]
  /** Clusters that refuse this caller, or do not say: `freshness` says so too. Their rows are not for showing. */
  withheld(): ReadonlySet<string>
  /** Whether rows of a cluster may leave now, as far as it decides for itself. */
  mayLeave(cluster: string, verb: 'list' | 'watch'): true | Promise<boolean>
}
