import { ApiError, errorFromStatus, isStatus } from '../api/api-error.ts'
import type { ConsoleApi } from '../api/console-api.ts'
import { allClusters, atHome, clusterLabel, gapsOfBookmark, gapsOfHeader, type ClusterGap } from '../api/fleet-api.ts'
import type { KubeList, KubeObject, KubeTable, ListMeta, ResourceType } from '../api/kube-object.ts'
import { apiBase, queryString, resourcePath } from '../api/resource-path.ts'
import type { LiveEvent, LivePage, LiveSource } from './live-source.ts'

export interface ResourceQuery {
  /** undefined is the hub; `allClusters` asks all at once. */
  readonly cluster: string | undefined
  /** Of all clusters, these. All when left out. */
  readonly among?: readonly string[] | undefined
  readonly type: Pick<ResourceType, 'group' | 'version' | 'plural'>
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

/** A server ends a watch after this; the collection then resumes. Spread, so that many watches do not end together. */
const watchSeconds = 300
const listTimeoutMs = 20_000
const tableAccept = 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json'

export function queryKey(query: ResourceQuery, shape: string): string {
  const { type } = query
  return [
    query.cluster ?? '',
    query.among?.join(',') ?? '',
    type.group,
    type.version,
    type.plural,
    query.namespace ?? '',
    query.labelSelector ?? '',
    query.fieldSelector ?? '',
    shape,
  ].join('|')
}

/** Whole objects, each reduced to a row as soon as it is read. */
export function objectSource<Row>(
  api: ConsoleApi,
  query: ResourceQuery,
  shape: { readonly project: (object: KubeObject, cluster: string) => Row; readonly keyOf: (row: Row) => string },
): LiveSource<Row> {
  const rowOf = (given: KubeObject): Row => {
    const { object, cluster } = homeOf(query, given)
    return shape.project(object, cluster)
  }
  return resourceSource<Row, KubeList<KubeObject>, KubeObject>(api, query, {
    accept: 'application/json',
    page: (list) => ({ meta: list.metadata, rows: (list.items ?? []).map((object) => rowOf(withType(object, list))) }),
    rowsOfEvent: (object) => [rowOf(object)],
    metaOfEvent: (object) => object.metadata,
    keyOf: shape.keyOf,
  })
}

function homeOf(query: ResourceQuery, object: KubeObject): { readonly cluster: string; readonly object: KubeObject } {
  return query.cluster === allClusters ? atHome(object) : { cluster: query.cluster ?? '', object }
}

/** Upstream leaves apiVersion and kind out of a list's items: the list says them once. */
function withType(object: KubeObject, list: KubeList<KubeObject>): KubeObject {
  const { apiVersion, kind } = list
  if (object.kind !== undefined || apiVersion === undefined || kind === undefined) return object
  return { apiVersion, kind: kind.replace(/List$/, ''), ...object }
}

/** The server's own columns: cells as kubectl prints them, with the object's metadata. */
export function tableSource<Row>(
  api: ConsoleApi,
  query: ResourceQuery,
  shape: { readonly project: (object: KubeObject, cells: readonly unknown[], cluster: string) => Row; readonly keyOf: (row: Row) => string },
): LiveSource<Row> {
  // Over all clusters the first column is the cluster.
  const first = query.cluster === allClusters ? 1 : 0
  const rowsOf = (table: KubeTable): readonly Row[] =>
    (table.rows ?? []).map((row) => {
      const { object, cluster } = homeOf(query, row.object)
      return shape.project(object, row.cells.slice(first), cluster)
    })
  return resourceSource<Row, KubeTable, KubeTable>(api, query, {
    accept: tableAccept,
    page(table) {
      if (!('rows' in table) && !('columnDefinitions' in table)) {
        throw new ApiError({ code: 406, reason: 'NotAcceptable', message: `${query.type.plural}: the server does not print this kind as a table` })
      }
      return { meta: table.metadata, rows: rowsOf(table), tableColumns: table.columnDefinitions?.slice(first) }
    },
    rowsOfEvent: rowsOf,
    metaOfEvent: (table) => table.rows?.[0]?.object.metadata ?? { resourceVersion: table.metadata.resourceVersion ?? '' },
    keyOf: shape.keyOf,
  })
}

interface Decoder<Row, List, EventObject> {
  readonly accept: string
  readonly page: (list: List) => { readonly meta: ListMeta; readonly rows: readonly Row[]; readonly tableColumns?: KubeTable['columnDefinitions'] | undefined }
  readonly rowsOfEvent: (object: EventObject) => readonly Row[]
  readonly metaOfEvent: (object: EventObject) => { readonly resourceVersion?: string; readonly annotations?: Readonly<Record<string, string>> | undefined }
  readonly keyOf: (row: Row) => string
}

interface WireEvent<EventObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: EventObject
}

function resourceSource<Row, List, EventObject>(api: ConsoleApi, query: ResourceQuery, decoder: Decoder<Row, List, EventObject>): LiveSource<Row> {
  const path = apiBase(query.cluster) + resourcePath(query.type, { namespace: query.namespace })
  const among = query.among === undefined ? [] : [`${clusterLabel} in (${query.among.join(',')})`]
  const labels = [...(query.labelSelector === undefined ? [] : [query.labelSelector]), ...among]
  const selectors = { labelSelector: labels.join(','), fieldSelector: query.fieldSelector }
  const includeObject = decoder.accept === tableAccept ? 'Metadata' : undefined

  function decode(line: string): LiveEvent<Row>[] {
    const event = JSON.parse(line) as WireEvent<EventObject>
    if (event.type === 'ERROR') {
      if (isStatus(event.object)) throw errorFromStatus(event.object, 500)
      throw new ApiError({ code: 500, reason: '', message: `the watch of ${query.type.plural} failed without a reason` })
    }
    const { resourceVersion = '', annotations } = decoder.metaOfEvent(event.object)
    if (event.type === 'BOOKMARK') {
      const gaps = gapsOfBookmark(annotations)
      return [gaps === undefined ? { type: 'bookmark', resourceVersion } : { type: 'bookmark', resourceVersion, gaps }]
    }
    return decoder
      .rowsOfEvent(event.object)
      .map((row): LiveEvent<Row> =>
        event.type === 'DELETED' ? { type: 'remove', key: decoder.keyOf(row), resourceVersion } : { type: 'put', row, resourceVersion },
      )
  }

  return {
    keyOf: decoder.keyOf,
    async listPage({ limit, continueToken, signal }): Promise<LivePage<Row>> {
      const url = path + queryString({ ...selectors, includeObject, limit, continue: continueToken })
      let gaps: readonly ClusterGap[] | undefined
      const onHeaders = (headers: Headers): void => void (gaps = gapsOfHeader(headers.get('gantry-fleet-freshness')))
      const list = await api.json<List>(url, {
        accept: decoder.accept,
        signal,
        timeoutMs: listTimeoutMs,
        ...(query.cluster === allClusters ? { onHeaders } : {}),
      })
      const { meta, rows, tableColumns } = decoder.page(list)
      return {
        rows,
        resourceVersion: meta.resourceVersion ?? '',
        continueToken: meta.continue,
        remaining: meta.remainingItemCount,
        tableColumns: tableColumns ?? undefined,
        gaps,
      }
    },
    async *watch({ resourceVersion, signal }) {
      const timeoutSeconds = Math.round(watchSeconds * (1 + Math.random() * 0.2))
      const url = path + queryString({ ...selectors, includeObject, watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds })
      for await (const lines of api.lines(url, { accept: decoder.accept, signal })) {
        const events = lines.filter((line) => line !== '').flatMap(decode)
        yield events
      }
    },
  }
}
