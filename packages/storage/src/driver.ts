/**
 * What makes writes durable: the only thing two stores differ in. The store calls `load` once, then `commit` with one batch at a time (it never
 * starts one before the last has been answered), and `close` last.
 */
export interface StoreDriver {
  /** Hands over every row, in any order, and resolves with the highest revision ever committed (`firstRevision` of a new file). */
  load(onRow: (row: Row) => void): Promise<number>
  /**
   * Makes the whole batch durable or nothing of it. Rejects with `StoreUnavailable` when it could not; the driver can then still be used, and a
   * later batch may succeed. Where several writes of a batch have the same key the last one counts.
   */
  commit(batch: WriteBatch): Promise<void>
  close(): Promise<void>
}

export interface Row {
  readonly key: string
  readonly revision: number
  readonly value: Buffer
}

/** Writes in the order of their revisions; never empty. */
export type WriteBatch = readonly Write[]

export interface Write {
  readonly key: string
  readonly revision: number
  /** The revision of the row that this one takes the place of, 0 when there is none. */
  readonly previous: number
  /** The new bytes; `undefined` removes the row. */
  readonly value: Buffer | undefined
}

/** The revision of a store nothing was ever written to. Not 0: Kubernetes clients take resourceVersion "0" for "any version". */
export const firstRevision = 1
