import { resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { encodeFrame, frameBound } from '../sqlite/frame.ts'
import type { Entry, Store } from '../store.ts'
import { StoreUnavailable } from '../store.ts'
import type { Attachment, DataFileSummary } from './data-file.ts'

export interface BackupWorkerOptions {
  readonly target: string
  readonly revision: number
  readonly attachments: readonly { readonly name: string; readonly content: Uint8Array }[]
}

export type BackupRequest = { readonly type: 'rows'; readonly frame: ArrayBuffer } | { readonly type: 'finish' } | { readonly type: 'abandon' }

export type BackupAnswer =
  | { readonly type: 'taken' }
  | { readonly type: 'done'; readonly summary: DataFileSummary }
  | { readonly type: 'failed'; readonly message: string }

// Filling a frame is the only work on this thread: a fraction of a millisecond each.
const frameBytes = 256 << 10

/**
 * Writes what the store holds at this moment to a new data file, while writes go on: a thread builds the file, compares every checksum of it and syncs it before
 * it gets its name. It comes from memory, so that a damaged disk does not reach it. Rejects when a file has that name, or the disk is full.
 */
export async function backupStore(
  store: Store,
  to: { readonly file: string; readonly attachments?: readonly Attachment[] | undefined },
  { signal }: { readonly signal: AbortSignal },
): Promise<DataFileSummary> {
  signal.throwIfAborted()
  const { entries, revision } = store.list({ prefix: '' })
  const options: BackupWorkerOptions = { target: resolve(to.file), revision, attachments: to.attachments ?? [] }
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

function* framesOf(entries: readonly Entry[]): Generator<ArrayBuffer> {
  for (let start = 0; start < entries.length;) {
    let bytes = 0
    let end = start
    while (end < entries.length && (end === start || bytes < frameBytes)) bytes += entries[end++]!.value.length
    const rows = entries.slice(start, end).map(({ key, revision, value }) => ({ key, revision, previous: 0, value }))
    const frame = new ArrayBuffer(frameBound(rows))
    encodeFrame(Buffer.from(frame), rows)
    yield frame
    start = end
  }
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
