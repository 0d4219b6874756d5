import { parentPort, workerData } from 'node:worker_threads'
import { failureOf } from './failure-message.ts'
import type { StructureAnswer } from './protocol.ts'
import { SqliteFile } from './sqlite-file.ts'

if (parentPort === null) throw new Error('this is a thread beside that of a store, not a program')
const port = parentPort

function lookOver(file: string): StructureAnswer {
  try {
    const opened = new SqliteFile({ file, mode: 'still' })
    try {
      return { structure: opened.structure() }
    } finally {
      opened.close()
    }
  } catch (error) {
    return { failure: failureOf(error) }
  }
}

// oxlint-disable-next-line no-unsafe-type-assertion -- the only starter is sqlite-thread.ts
port.postMessage(lookOver(workerData as string))
