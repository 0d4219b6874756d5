import { resolve } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import type { Write } from '../driver.ts'
import { encodeFrame, frameBound } from '../sqlite/frame.ts'
import type { Entry, Store } from '../store.ts'
import { StoreUnavailable } from '../store.ts'
import type { StoreEncryption } from '../encryption/value-encryption.ts'
import type { Attachment, DataFileSummary } from './data-file.ts'

export interface BackupWorkerOptions {
  readonly target: string
  readonly revision: number
  readonly attachments: readonly { readonly name: string; readonly content: Uint8Array }[]
  /** Of the values in the backup; undefined: none is encrypted. */
  readonly encryption: StoreEncryption | undefined
}

export type BackupRequest = { readonly type: 'rows'; readonly frame: ArrayBuffer } | { readonly type: 'finish' } | { readonly type: 'abandon' }

export type BackupAnswer =
  | { readonly type: 'taken' }
  | { readonly type: 'done'; readonly summary: DataFileSummary }
  | { readonly type: 'failed'; readonly message: string }

/** A fraction of a millisecond each. */
const pieceEntries = 5_000
// Filling a frame is the only work on this thread: a fraction of a millisecond each.
const frameBytes = 256 << 10

/**
 * Writes what the store holds at this moment to a new data file, while writes go on: a thread builds the file, compares every checksum of it and syncs it before
 * it gets its name. It comes from memory, so that a damaged disk does not reach it. Rejects when a file has that name, or the disk is full.
 */
export async function backupStore(
  store: Store,
  to: { readonly file: string; readonly attachments?: readonly Attachment[] | undefined; readonly encryption?: StoreEncryption | undefined },
  { signal }: { readonly signal: AbortSignal },
): Promise<DataFileSummary> {
  signal.throwIfAborted()
  const { entries, revision } = await momentOf(store, signal)
  const options: BackupWorkerOptions = { target: resolve(to.file), revision, attachments: to.attachments ?? [], encryption: to.encryption }
  const worker = new Worker(new URL('./backup-thread.ts', import.meta.url), { workerData: options, name: 'backup' })
  try {
    for (const frame of framesOf(entries)) {
      if (signal.aborted) await ask(worker, { type: 'abandon' })
      await ask(worker, { type: 'rows', frame })
    }
    const answer = await ask(worker, { type: 'finish' })
    if (answer.type !== 'done') throw new StoreUnavailable(`the backup to ${options.target} did not end`)
    return answer.summary
  } catch (cause) {
    throw new StoreUnavailable(`the backup was not made: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  } finally {
    await worker.terminate()
  }
}

/**
 * All entries of one moment, taken in pieces between which the store goes on: what was written meanwhile takes the place of what had been taken before. The moment is that of
 * the last piece.
 */
async function momentOf(store: Store, signal: AbortSignal): Promise<{ readonly entries: Iterable<Entry>; readonly revision: number }> {
  const taken: (readonly Entry[])[] = []
  const changed = new Map<string, Entry | undefined>()
  const end = store.watch({ prefix: '', after: store.revision }, (events) => {
    for (const { type, entry } of events) changed.set(entry.key, type === 'put' ? entry : undefined)
  })
  try {
    for (let after: string | undefined; ;) {
      const { entries, revision, remaining } = store.list({ prefix: '', after, limit: pieceEntries })
      taken.push(entries)
      if (remaining === 0) return { entries: merged(taken, changed), revision }
      after = entries[entries.length - 1]!.key
      await setImmediate()
      signal.throwIfAborted()
    }
  } finally {
    end()
  }
}

function* merged(taken: readonly (readonly Entry[])[], changed: ReadonlyMap<string, Entry | undefined>): Generator<Entry> {
  for (const entries of taken) for (const entry of entries) if (!changed.has(entry.key)) yield entry
  for (const entry of changed.values()) if (entry !== undefined) yield entry
}

function* framesOf(entries: Iterable<Entry>): Generator<ArrayBuffer> {
  let rows: Write[] = []
  let bytes = 0
  for (const { key, revision, value } of entries) {
    rows.push({ key, revision, previous: 0, value })
    bytes += value.length
    if (bytes < frameBytes) continue
    yield frameOf(rows)
    rows = []
    bytes = 0
  }
  if (rows.length > 0) yield frameOf(rows)
}

function frameOf(rows: readonly Write[]): ArrayBuffer {
  const frame = new ArrayBuffer(frameBound(rows))
  encodeFrame(Buffer.from(frame), rows)
  return frame
}

function ask(worker: Worker, request: BackupRequest): Promise<BackupAnswer> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<BackupAnswer>()
  const onExit = (): void => reject(new Error('its thread has ended'))
  worker.once('message', (answer: BackupAnswer) => (answer.type === 'failed' ? reject(new Error(answer.message)) : settle(answer)))
  worker.once('error', reject)
  worker.once('exit', onExit)
  worker.postMessage(request, request.type === 'rows' ? [request.frame] : [])
  return promise.finally(() => {
    worker.off('error', reject)
    worker.off('exit', onExit)
  })
}
