import { parentPort, workerData } from 'node:worker_threads'
import { ValueEncryption } from '../encryption/value-encryption.ts'
import { decodeRows } from '../sqlite/frame.ts'
import { DataFileBuilder } from './data-file.ts'
import type { BackupAnswer, BackupRequest, BackupWorkerOptions } from './backup-store.ts'

if (parentPort === null) throw new Error('this is the thread of a backup, not a program')
const port = parentPort
// oxlint-disable-next-line no-unsafe-type-assertion -- the only sender is backup-store.ts
const { target, revision, attachments, encryption: keys } = workerData as BackupWorkerOptions
const encryption = new ValueEncryption(keys ?? { source: '', rules: [] })
let builder: DataFileBuilder | undefined

/** Every request is answered; after a failure nothing is left of the file. */
function answering(work: () => BackupAnswer): void {
  try {
    port.postMessage(work())
  } catch (error) {
    builder?.abandon()
    port.postMessage({ type: 'failed', message: error instanceof Error ? error.message : String(error) } satisfies BackupAnswer)
  }
}

port.on('message', (request: BackupRequest) =>
  answering(() => {
    if (request.type === 'rows') {
      builder ??= new DataFileBuilder(target)
      const opened = builder
      decodeRows(Buffer.from(request.frame), (row) => opened.add({ ...row, value: encryption.seal(row.key, row.value) }))
      return { type: 'taken' }
    }
    if (request.type === 'abandon') throw new Error('the backup was called off')
    builder ??= new DataFileBuilder(target)
    for (const { name, content } of attachments) builder.attach({ name, content: Buffer.from(content) })
    return { type: 'done', summary: builder.finish(revision) }
  }),
)
