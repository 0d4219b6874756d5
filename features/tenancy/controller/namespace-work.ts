import type { KubeClient, ResourceRef } from '@gantry/client'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { tenancyLabels, type NamespaceQuotas, type ProjectNamespace } from '../api/index.ts'
import type { Clusters } from './scope-feed.ts'
import type { Owner, TenancyObjects } from './tenancy-objects.ts'

export interface NamespaceControllerDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly objects: TenancyObjects
  readonly clusters: Clusters
  readonly quotas: NamespaceQuotas
  /** Reaches a cluster with the platform's own rights there; undefined: the hub knows none of that name. */
  readonly memberOf: (cluster: string) => KubeClient | undefined
}

/** What a reconcile works with. */
export interface Work {
  readonly deps: NamespaceControllerDeps
  readonly object: ProjectNamespace
  readonly signal: AbortSignal
}

/** A cluster that can be asked now. */
export interface Reached {
  readonly member: KubeClient
  readonly uid: string
}

export const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }

/** What a namespace bears that is certainly an object's. */
export function marksOf(object: ProjectNamespace, { tenant, project }: Owner): Record<string, string> {
  return {
    [tenancyLabels.tenant]: tenant.metadata.name ?? '',
    [tenancyLabels.project]: project?.metadata.name ?? '',
    [tenancyLabels.uid]: object.metadata.uid ?? '',
  }
}
