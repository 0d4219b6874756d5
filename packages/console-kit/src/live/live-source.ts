import type { ClusterGap } from '../api/fleet-api.ts'
import type { TableColumn } from '../api/kube-object.ts'

export interface LivePage<Row> {
  readonly rows: readonly Row[]
  readonly resourceVersion: string
  readonly continueToken?: string | undefined
  readonly remaining?: number | undefined
  readonly tableColumns?: readonly TableColumn[] | undefined
  /** Of a list over all clusters: those whose part is not whole. */
  readonly gaps?: readonly ClusterGap[] | undefined
}

export type LiveEvent<Row> =
  | { readonly type: 'put'; readonly row: Row; readonly resourceVersion: string }
  | { readonly type: 'remove'; readonly key: string; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string; readonly gaps?: readonly ClusterGap[] | undefined }

/** Where the rows of one collection come from: one resource of one cluster or of all, already reduced to what a table shows. */
export interface LiveSource<Row> {
  listPage(request: { readonly limit: number; readonly continueToken: string | undefined; readonly signal: AbortSignal }): Promise<LivePage<Row>>
  /** Events after `resourceVersion`, batched as they arrive; a batch may be empty, the first one is once the stream is open. Ends when the server ends the stream; throws ApiError (code 410 = list again). */
  watch(request: { readonly resourceVersion: string; readonly signal: AbortSignal }): AsyncIterable<readonly LiveEvent<Row>[]>
  keyOf(row: Row): string
}
