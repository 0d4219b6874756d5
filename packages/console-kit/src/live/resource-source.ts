import { ApiError, errorFromStatus, isStatus } from '../api/api-error.ts'
import type { ConsoleApi } from '../api/console-api.ts'
import type { KubeList, KubeObject, KubeTable, ListMeta, ResourceType } from '../api/kube-object.ts'
import { apiBase, queryString, resourcePath } from '../api/resource-path.ts'
import type { LiveEvent, LivePage, LiveSource } from './live-source.ts'

export interface ResourceQuery {
  /** undefined is the hub. */
  readonly cluster: string | undefined
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
  return [query.cluster ?? '', type.group, type.version, type.plural, query.namespace ?? '', query.labelSelector ?? '', query.fieldSelector ?? '', shape].join(
    '|',
  )
}

/** Whole objects, each reduced to a row as soon as it is read. */
export function objectSource<Row>(
  api: ConsoleApi,
  query: ResourceQuery,
  shape: { readonly project: (object: KubeObject) => Row; readonly keyOf: (row: Row) => string },
): LiveSource<Row> {
  return resourceSource<Row, KubeList<KubeObject>, KubeObject>(api, query, {
    accept: 'application/json',
    page: (list) => ({ meta: list.metadata, rows: (list.items ?? []).map((object) => shape.project(withType(object, list))) }),
    rowsOfEvent: (object) => [shape.project(object)],
    metaOfEvent: (object) => object.metadata,
    keyOf: shape.keyOf,
  })
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
  shape: { readonly project: (object: KubeObject, cells: readonly unknown[]) => Row; readonly keyOf: (row: Row) => string },
): LiveSource<Row> {
  const rowsOf = (table: KubeTable): readonly Row[] => (table.rows ?? []).map((row) => shape.project(row.object, row.cells))
  return resourceSource<Row, KubeTable, KubeTable>(api, query, {
    accept: tableAccept,
    page(table) {
      if (!('rows' in table) && !('columnDefinitions' in table)) {
        throw new ApiError({ code: 406, reason: 'NotAcceptable', message: `${query.type.plural}: the server does not print this kind as a table` })
      }
      return { meta: table.metadata, rows: rowsOf(table), tableColumns: table.columnDefinitions ?? undefined }
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
  readonly metaOfEvent: (object: EventObject) => { readonly resourceVersion?: string }
  readonly keyOf: (row: Row) => string
}

interface WireEvent<EventObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: EventObject
}

function resourceSource<Row, List, EventObject>(api: ConsoleApi, query: ResourceQuery, decoder: Decoder<Row, List, EventObject>): LiveSource<Row> {
  const path = apiBase(query.cluster) + resourcePath(query.type, { namespace: query.namespace })
  const selectors = { labelSelector: query.labelSelector, fieldSelector: query.fieldSelector }
  const includeObject = decoder.accept === tableAccept ? 'Metadata' : undefined

  function decode(line: string): LiveEvent<Row>[] {
    const event = JSON.parse(line) as WireEvent<EventObject>
    if (event.type === 'ERROR') {
      if (isStatus(event.object)) throw errorFromStatus(event.object, 500)
      throw new ApiError({ code: 500, reason: '', message: `the watch of ${query.type.plural} failed without a reason` })
    }
    const resourceVersion = decoder.metaOfEvent(event.object).resourceVersion ?? ''
    if (event.type === 'BOOKMARK') return [{ type: 'bookmark', resourceVersion }]
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
      const list = await api.json<List>(url, { accept: decoder.accept, signal, timeoutMs: listTimeoutMs })
      const { meta, rows, tableColumns } = decoder.page(list)
      return {
        rows,
        resourceVersion: meta.resourceVersion ?? '',
        continueToken: meta.continue,
        remaining: meta.remainingItemCount,
        tableColumns: tableColumns ?? undefined,
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
