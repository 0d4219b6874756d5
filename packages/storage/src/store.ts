/**
 * The storage port: bytes at revisions, nothing about Kubernetes. One revision counter for the whole store; every write takes the next number
 * (numbers may be skipped, never reused). Reads see only what is durable; `latest` shows a writer what it has to base its next write on.
 *
 * Current state and a bounded history of changes are held in memory; a driver makes each write durable before it is acknowledged.
 */
export interface Store extends AsyncDisposable {
  /** The newest durable revision. */
  readonly revision: number
  /** Changes at or before this revision are no longer in the history: `watch` and `list` at an older revision throw `Compacted`. */
  readonly compactedRevision: number

  /** The durable state of a key. */
  get(key: string): Entry | undefined

  /** The newest state of a key including writes that are still on their way to the disk: the base of an optimistic write. */
  latest(key: string): Entry | undefined

  /** Entries whose keys start with `prefix`, in byte order of the keys. Throws `Compacted` or `FutureRevision`. */
  list(range: ListRange): Listing

  /** The number of durable keys that start with `prefix`. */
  count(prefix: string): number

  /**
   * Writes a key if its newest state (as `latest` shows it) has revision `expected` (0: the key must be absent); throws `RevisionConflict`
   * at once, synchronously, when it has not. `encode` is called synchronously and returns the bytes. Resolves when the write is on the disk;
   * rejects with `StoreUnavailable` when it could not be made durable, and then the key is as it was.
   */
  put(key: string, expected: number, encode: Encode): Promise<Entry>

  /**
   * Removes a key under the same rule. `encode` returns the last state of the object as of the deletion's revision: watchers get it as
   * the event's entry.
   */
  delete(key: string, expected: number, encode: Encode): Promise<Entry>

  /**
   * Calls `onEvents` with every change after revision `after` to keys that start with `prefix`, in order of revision, without gaps or repeats: first from the history
   * (synchronously, before `watch` returns), then as they become durable. One call may carry many events of one commit. Throws
   * `Compacted`. The returned function ends it.
   */
  watch(range: { readonly prefix: string; readonly after: number }, onEvents: (events: readonly StoreEvent[]) => void): () => void

  /**
   * Resolves when no write to the key that `latest` shows now is still on its way: it is durable, or it has failed and `latest` shows the state before. Whoever is told
   * what `latest` said (that an object is gone, or there) is told after this.
   */
  settled(key: string): Promise<void>

  /** Resolves when `revision` has been reached or passed; rejects when the signal aborts. */
  reached(revision: number, signal: AbortSignal): Promise<void>
}

/** Makes the bytes of a write at its revision. What it gives to `keep` becomes the entry's `derived`. */
export type Encode = (revision: number, keep: (derived: unknown) => void) => Buffer

export interface Entry {
  readonly key: string
  /** The revision of the write that made this state. */
  readonly revision: number
  readonly value: Buffer
  /** A place for the layer above to keep what it derived from `value` (it lives and dies with the entry; the store never reads it). */
  derived?: unknown
}

export interface StoreEvent {
  readonly type: 'put' | 'delete'
  readonly revision: number
  /** For `delete`: the last state, with the deletion's revision. */
  readonly entry: Entry
  /** The state before, `undefined` when the key was absent. */
  readonly previous: Entry | undefined
}

export interface ListRange {
  readonly prefix: string
  /** Start with the first key that is greater than this one. */
  readonly after?: string | undefined
  readonly limit?: number | undefined
  /** The state exactly as of this revision; the newest durable one when absent. */
  readonly revision?: number | undefined
}

export interface Listing {
  readonly entries: readonly Entry[]
  /** The revision the listing shows. */
  readonly revision: number
  /** How many entries of the range come after the last one returned. */
  readonly remaining: number
}

export class RevisionConflict extends Error {
  readonly key: string
  readonly expected: number
  readonly actual: Entry | undefined

  constructor(key: string, expected: number, actual: Entry | undefined) {
    super(`${key}: expected revision ${expected}, found ${actual?.revision ?? 'no such key'}`)
    this.key = key
    this.expected = expected
    this.actual = actual
  }
}

export class Compacted extends Error {
  readonly revision: number
  readonly compactedRevision: number

  constructor(revision: number, compactedRevision: number) {
    super(`revision ${revision} has been compacted: the oldest kept is ${compactedRevision}`)
    this.revision = revision
    this.compactedRevision = compactedRevision
  }
}

export class FutureRevision extends Error {
  readonly revision: number
  readonly current: number

  constructor(revision: number, current: number) {
    super(`revision ${revision} is in the future: the current one is ${current}`)
    this.revision = revision
    this.current = current
  }
}

/** The write could not be made durable (disk full, file gone, database corrupt); nothing of it is visible. The message names cause and fix. */
export class StoreUnavailable extends Error {}
