import { useMemo } from 'react'
import { allClusters } from '../api/fleet-api.ts'
import type { KubeObject, ResourceType, TableColumn } from '../api/kube-object.ts'
import type { ListDefinition } from '../definitions.ts'
import { objectSource, queryKey, tableSource } from '../live/resource-source.ts'
import { placesOf } from '../live/places.ts'
import { useLiveRows, type WantedCollection } from '../live/use-live.ts'
import { baseRow, type ResourceRow } from '../model/resource-row.ts'
import type { TableResourceRow } from '../model/table-cells.ts'
import { useServices } from '../services.tsx'

/** A part that is missing or old. */
export interface ClusterFailure {
  /** Undefined: nothing could be read, of no cluster. */
  readonly cluster: string | undefined
  /** In the server's words; undefined while it has said none. */
  readonly message: string | undefined
  readonly hasRows: boolean
  /** Tries again now; undefined where the platform itself goes on trying. */
  readonly retry: (() => void) | undefined
}

export interface ResourceRows<Row> {
  readonly rows: readonly Row[]
  readonly isLoading: boolean
  /** Pages of some list are still arriving: how many objects are yet to come. */
  readonly arriving: number
  readonly failures: readonly ClusterFailure[]
  /** Where there are more objects than are kept: a cluster, or all of them together (undefined). */
  readonly truncated: readonly { readonly cluster: string | undefined; readonly kept: number }[]
  readonly isPolling: boolean
  readonly tableColumns: readonly TableColumn[]
}

/** The rows of one resource over several clusters, live: one list and one watch, however many clusters. With a definition they are its rows, without one the server's table. */
export function useResourceRows<Row extends ResourceRow>(
  type: Pick<ResourceType, 'group' | 'version' | 'plural'>,
  where: {
    readonly clusters: readonly string[]
    readonly isAll?: boolean | undefined
    readonly namespace: string | undefined
    readonly labelSelector?: string | undefined
  },
  definition: ListDefinition<Row> | undefined,
): ResourceRows<Row> {
  const { api } = useServices()
  const live = useLiveRows<Row>(
    placesOf(where).map((place): WantedCollection<Row> => {
      const query = { ...place, type, namespace: where.namespace, labelSelector: where.labelSelector }
      const keyOf = (row: Row): string => row.key
      if (definition !== undefined) {
        const project = (object: KubeObject, cluster: string): Row => definition.project(object, baseRow(cluster, object))
        return { name: place.cluster, key: queryKey(query, 'rows'), source: () => objectSource<Row>(api, query, { project, keyOf }) }
      }
      const project = (object: KubeObject, cells: readonly unknown[], cluster: string): Row => {
        const row: TableResourceRow = { ...baseRow(cluster, object), cells }
        return row as unknown as Row
      }
      return { name: place.cluster, key: queryKey(query, 'table'), source: () => tableSource<Row>(api, query, { project, keyOf }) }
    }),
  )

  return useMemo(() => {
    const rows: Row[] = []
    const failures: ClusterFailure[] = []
    const truncated: ResourceRows<Row>['truncated'][number][] = []
    let tableColumns: readonly TableColumn[] = []
    let arriving = 0
    let isLoading = live.members.size < Math.min(where.clusters.length, 1)
    let isPolling = false
    for (const [name, member] of live.members) {
      const cluster = name === allClusters ? undefined : name
      for (const row of member.rows.values()) rows.push(row)
      if (member.phase === 'loading') isLoading = true
      if (member.error !== undefined && member.phase === 'error')
        failures.push({ cluster, message: member.error.message, hasRows: member.rows.size > 0, retry: () => live.retry(name) })
      for (const gap of member.gaps) {
        if (gap.phase === 'loading') isLoading = true
        else failures.push({ cluster: gap.name, message: gap.problem, hasRows: gap.phase === 'stale', retry: undefined })
      }
      if (member.isTruncated) truncated.push({ cluster, kept: member.rows.size })
      else arriving += member.remaining
      if (member.isPolling) isPolling = true
      if (tableColumns.length === 0 && member.tableColumns !== undefined) tableColumns = member.tableColumns
    }
    return { rows, isLoading, arriving, failures, truncated, isPolling, tableColumns }
  }, [live, where.clusters.length])
}
