import { useMemo } from 'react'
import type { ApiError } from '../api/api-error.ts'
import type { ResourceType, TableColumn } from '../api/kube-object.ts'
import type { ListDefinition } from '../definitions.ts'
import { objectSource, queryKey, tableSource } from '../live/resource-source.ts'
import { useLiveRows, type WantedCollection } from '../live/use-live.ts'
import { baseRow, type ResourceRow } from '../model/resource-row.ts'
import type { TableResourceRow } from '../model/table-cells.ts'
import { useServices } from '../services.tsx'

export interface ResourceRows<Row> {
  readonly rows: readonly Row[]
  readonly isLoading: boolean
  /** Pages of some list are still arriving: how many objects are yet to come. */
  readonly arriving: number
  readonly failures: readonly { readonly cluster: string; readonly error: ApiError; readonly hasRows: boolean }[]
  /** Clusters that hold more objects than are kept. */
  readonly truncated: readonly { readonly cluster: string; readonly kept: number }[]
  readonly isPolling: boolean
  readonly tableColumns: readonly TableColumn[]
  readonly retry: (cluster: string) => void
}

/** The rows of one resource over several clusters, live. With a definition they are its rows, without one the server's table. */
export function useResourceRows<Row extends ResourceRow>(
  type: Pick<ResourceType, 'group' | 'version' | 'plural'>,
  where: { readonly clusters: readonly string[]; readonly namespace: string | undefined; readonly labelSelector?: string | undefined },
  definition: ListDefinition<Row> | undefined,
): ResourceRows<Row> {
  const { api } = useServices()
  const live = useLiveRows<Row>(
    where.clusters.map((cluster): WantedCollection<Row> => {
      const query = { cluster, type, namespace: where.namespace, labelSelector: where.labelSelector }
      const keyOf = (row: Row): string => row.key
      if (definition !== undefined) {
        const project = (object: Parameters<typeof definition.project>[0]): Row => definition.project(object, baseRow(cluster, object))
        return { name: cluster, key: queryKey(query, 'rows'), source: () => objectSource<Row>(api, query, { project, keyOf }) }
      }
      const project = (object: Parameters<typeof baseRow>[1], cells: readonly unknown[]): Row => {
        const row: TableResourceRow = { ...baseRow(cluster, object), cells }
        return row as unknown as Row
      }
      return { name: cluster, key: queryKey(query, 'table'), source: () => tableSource<Row>(api, query, { project, keyOf }) }
    }),
  )

  return useMemo(() => {
    const rows: Row[] = []
    const failures: ResourceRows<Row>['failures'][number][] = []
    const truncated: ResourceRows<Row>['truncated'][number][] = []
    let tableColumns: readonly TableColumn[] = []
    let arriving = 0
    let isLoading = live.members.size < where.clusters.length
    let isPolling = false
    for (const [cluster, member] of live.members) {
      for (const row of member.rows.values()) rows.push(row)
      if (member.phase === 'loading') isLoading = true
      if (member.error !== undefined && member.phase === 'error') failures.push({ cluster, error: member.error, hasRows: member.rows.size > 0 })
      if (member.isTruncated) truncated.push({ cluster, kept: member.rows.size })
      else arriving += member.remaining
      if (member.isPolling) isPolling = true
      if (tableColumns.length === 0 && member.tableColumns !== undefined) tableColumns = member.tableColumns
    }
    return { rows, isLoading, arriving, failures, truncated, isPolling, tableColumns, retry: live.retry }
  }, [live, where.clusters.length])
}
