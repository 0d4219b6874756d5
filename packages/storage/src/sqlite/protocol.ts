import type { StoreEncryption } from '../encryption/value-encryption.ts'
import type { PageCounts, Structure } from './sqlite-file.ts'

/** What the thread that opens the file needs to know. */
export interface WorkerOptions {
  readonly file: string
  /** Tests fill the "disk" with it. */
  readonly maxPageCount: number | undefined
  /** A file of at least this size is looked over by a second thread while this one reads its rows; undefined: 32 MiB. */
  readonly secondThreadAtBytes: number | undefined
  readonly encryption: StoreEncryption
}

/** From that second thread, its only message. */
export type StructureAnswer = { readonly structure: Structure } | { readonly failure: SqliteFailure }

export interface SqliteFailure {
  readonly message: string
  /** SQLite's extended result code; `undefined` for an error of ours. */
  readonly code: number | undefined
}

/** From the store to the thread. A batch is a frame (frame.ts); its memory comes back with the answer to be used again. */
export type Request =
  | { readonly type: 'commit'; readonly frame: ArrayBuffer; readonly length: number }
  /** One small step of upkeep: reads rows after `scrubAfter` and compares their checksums, or gives free pages back. */
  | { readonly type: 'maintain'; readonly scrubAfter: number | undefined }
  /** A frame with rows to be written again. */
  | { readonly type: 'repair'; readonly frame: ArrayBuffer }
  /**
   * One small step over the encrypted rows after the key `after`: writes those again that the first key of their rule has not written. With `other` it writes nothing,
   * and fails where these keys would not open one.
   */
  | { readonly type: 'reencrypt'; readonly after: string; readonly other: StoreEncryption | undefined }
  /** Takes other keys for all that follows; refused when they do not open what the present ones write. */
  | { readonly type: 'encryptWith'; readonly encryption: StoreEncryption }
  | { readonly type: 'close' }

/** From the thread to the store: rows until `open`, then one answer for each request. */
export type Answer =
  | { readonly type: 'rows'; readonly frame: ArrayBuffer }
  | { readonly type: 'open'; readonly revision: number }
  | { readonly type: 'committed'; readonly frame: ArrayBuffer }
  | { readonly type: 'refused'; readonly frame: ArrayBuffer; readonly failure: SqliteFailure }
  | Maintained
  | { readonly type: 'repaired'; readonly failure: SqliteFailure | undefined }
  | Reencrypted
  | { readonly type: 'encryptedWith'; readonly failure: SqliteFailure | undefined }
  | { readonly type: 'failed'; readonly failure: SqliteFailure }
  | { readonly type: 'closed' }

export interface Maintained {
  readonly type: 'maintained'
  readonly pages: PageCounts
  /** How far the scrub has come; undefined when it was not asked for or has reached the end. */
  readonly scrubbedTo: number | undefined
  readonly scrubbedRows: number
  /** Keys of rows that do not match their checksum. */
  readonly damaged: readonly string[]
  /** The step itself failed: a page cannot be read, or the disk is full. */
  readonly failure: SqliteFailure | undefined
}

export interface Reencrypted {
  readonly type: 'reencrypted'
  /** How many were written again. */
  readonly rows: number
  /** The key that the next step goes on after; undefined at the end. */
  readonly to: string | undefined
  readonly failure: SqliteFailure | undefined
}
