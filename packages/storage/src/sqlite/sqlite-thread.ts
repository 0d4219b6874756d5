import { parentPort, workerData } from 'node:worker_threads'
import type { Write } from '../driver.ts'
import { decodeFrame, encodeFrame, frameBound } from './frame.ts'
import type { Answer, Request, SqliteFailure, WorkerOptions } from './protocol.ts'
import { SqliteFile } from './sqlite-file.ts'

// Rows that arrive together share their memory until the last of them is overwritten: small chunks waste less of it.
const rowChunkBytes = 256 << 10

if (parentPort === null) throw new Error('this is the thread of a store, not a program')
const port = parentPort
// oxlint-disable-next-line no-unsafe-type-assertion -- the only sender is sqlite-driver.ts
const options = workerData as WorkerOptions

function answer(message: Answer, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

function failureOf(error: unknown): SqliteFailure {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined
  return { message: error instanceof Error ? error.message : String(error), code: typeof code === 'number' ? code : undefined }
}

/** Sends every row; returns the newest revision ever committed. */
function sendRows(file: SqliteFile): number {
  let revision = file.markedRevision
  let chunk: Write[] = []
  let bytes = 0
  function flush(): void {
    if (chunk.length === 0) return
    const frame = Buffer.allocUnsafeSlow(frameBound(chunk))
    const length = encodeFrame(frame, chunk)
    const exact = frame.buffer.slice(0, length)
    answer({ type: 'rows', frame: exact }, [exact])
    chunk = []
    bytes = 0
  }
  for (const row of file.rows()) {
    chunk.push(row)
    bytes += row.value.length
    revision = Math.max(revision, row.revision)
    if (bytes >= rowChunkBytes) flush()
  }
  flush()
  return revision
}

function serve(file: SqliteFile): void {
  port.on('message', (request: Request) => {
    if (request.type === 'close') {
      try {
        file.close()
        answer({ type: 'closed' })
      } catch (error) {
        answer({ type: 'failed', failure: failureOf(error) })
      }
      port.close()
      return
    }
    const { frame, length } = request
    const writes: Write[] = []
    try {
      decodeFrame(Buffer.from(frame, 0, length), (write) => writes.push(write))
      file.commit(writes)
      answer({ type: 'committed', frame }, [frame])
    } catch (error) {
      answer({ type: 'refused', frame, failure: failureOf(error) }, [frame])
    }
  })
}

try {
  const file = new SqliteFile(options)
  try {
    answer({ type: 'open', revision: sendRows(file) })
  } catch (error) {
    file.close()
    throw error
  }
  serve(file)
} catch (error) {
  answer({ type: 'failed', failure: failureOf(error) })
}
