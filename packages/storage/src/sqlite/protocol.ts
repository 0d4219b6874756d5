/** What the thread that opens the file needs to know. */
export interface WorkerOptions {
  readonly file: string
  /** Tests fill the "disk" with it. */
  readonly maxPageCount: number | undefined
}

export interface SqliteFailure {
  readonly message: string
  /** SQLite's extended result code; `undefined` for an error of ours. */
  readonly code: number | undefined
}

/** From the store to the thread. A batch is a frame (frame.ts); its memory comes back with the answer to be used again. */
export type Request = { readonly type: 'commit'; readonly frame: ArrayBuffer; readonly length: number } | { readonly type: 'close' }

/** From the thread to the store: rows until `open`, then one answer for each request. */
export type Answer =
  | { readonly type: 'rows'; readonly frame: ArrayBuffer }
  | { readonly type: 'open'; readonly revision: number }
  | { readonly type: 'committed'; readonly frame: ArrayBuffer }
  | { readonly type: 'refused'; readonly frame: ArrayBuffer; readonly failure: SqliteFailure }
  | { readonly type: 'failed'; readonly failure: SqliteFailure }
  | { readonly type: 'closed' }
