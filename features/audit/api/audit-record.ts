import type { AuditEvent } from '@gantry/gateway'

/** What every record of the log has. */
interface Chained {
  /** Counts up by one over all segments. */
  readonly seq: number
  /** RFC 3339 in UTC with milliseconds. */
  readonly time: string
  /** SHA-256, hexadecimal, over the hash of the record before and this record without its own. */
  readonly hash: string
}

/** One request, or the beginning or the end of one that streams: as the gateway told of it. */
export interface RequestRecord extends Chained, AuditEvent {
  readonly note?: undefined
}

/** What the log says of itself. */
export type LogNote =
  /** The first record of a segment. `previous` is the hash of the last record of the segment before; `problem` says why that one is not known. */
  | { readonly note: 'segment'; readonly previous: string; readonly problem?: string | undefined }
  /** Requests that could not be kept. */
  | { readonly note: 'loss'; readonly lost: number; readonly since: string; readonly until: string }
  /** A crash has left a part of a record at the end of the segment. */
  | { readonly note: 'torn'; readonly bytes: number; readonly text: string }
  /** What of requests is recorded from here on, as JSON of the rules; only its SHA-256 when that is long. */
  | { readonly note: 'policy'; readonly rules?: string | undefined; readonly sha256: string }
  /** Segments that are older than what is kept. */
  | { readonly note: 'removed'; readonly fromSeq: number; readonly toSeq: number; readonly segments: number }

export type NoteRecord = Chained & LogNote
export type AuditRecord = RequestRecord | NoteRecord

/** A place in the chain: kept elsewhere, it proves later that everything up to it is as it was. */
export interface AuditHead {
  readonly seq: number
  readonly hash: string
}

/** What `previous` says in the very first segment. */
export const chainStart = '0'.repeat(64)
