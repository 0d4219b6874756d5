import { parentPort, Worker, workerData } from 'node:worker_threads'
import type { Row, Write } from '../driver.ts'
import type { StoreEncryption } from '../encryption/value-encryption.ts'
import { UnopenedValue, ValueEncryption } from '../encryption/value-encryption.ts'
import { failureOf } from './failure-message.ts'
import { decodeFrame, decodeRows, FrameWriter } from './frame.ts'
import type { Answer, Maintained, Reencrypted, Request, SqliteFailure, StructureAnswer, WorkerOptions } from './protocol.ts'
import { MissingKey, newReading, SqliteFile } from './sqlite-file.ts'
import type { Structure } from './sqlite-file.ts'

// Rows that arrive together share their memory until the last of them is overwritten: small chunks waste less of it.
const rowChunkBytes = 256 << 10
// Below, a thread costs more than it saves.
const defaultSecondThreadAtBytes = 32 << 20
// A step of upkeep holds up the commits behind it: about a millisecond each.
const scrubStepBytes = 512 << 10
const vacuumStepPages = 64
const reencryptStepRows = 50
/** A file may keep this many free pages, and this share of its pages: it would only grow again. */
const freePagesKept = 128
const freeShareKept = 0.2

if (parentPort === null) throw new Error('this is the thread of a store, not a program')
const port = parentPort
// oxlint-disable-next-line no-unsafe-type-assertion -- the only sender is sqlite-driver.ts
const options = workerData as WorkerOptions
let encryption = new ValueEncryption(options.encryption)

function answer(message: Answer, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

/** Sends every row; rejects after the last one when some are damaged. */
async function sendRows(file: SqliteFile): Promise<void> {
  const { pages, pageBytes } = file.pageCounts
  const isLarge = pages * pageBytes >= (options.secondThreadAtBytes ?? defaultSecondThreadAtBytes)
  // With a WAL that does not fit into the file, on a full disk, only this connection sees what there is.
  const second = isLarge && file.checkpoint() ? structureApart(options.file) : undefined
  try {
    const reading = newReading()
    const frames = new FrameWriter(rowChunkBytes, (frame) => answer({ type: 'rows', frame }, [frame]))
    const unopened = new UnopenedKeys(encryption)
    for (const row of file.read(reading)) {
      const value = unopened.open(row.key, row.value)
      if (value !== undefined) frames.add(value === row.value ? row : { ...row, value })
    }
    frames.flush()
    file.requireWhole(reading, second === undefined ? file.structure() : await second.structure)
    // Damage is told first: what is not as it was written cannot be opened either.
    unopened.throwIfAny()
  } finally {
    await second?.end()
  }
}

/** Opens values, and remembers which it could not. */
class UnopenedKeys {
  readonly #encryption: ValueEncryption
  #count = 0
  #first: { readonly key: string; readonly reason: string } | undefined

  constructor(by: ValueEncryption) {
    this.#encryption = by
  }

  open(key: string, stored: Buffer): Buffer | undefined {
    try {
      return this.#encryption.open(key, stored).value
    } catch (error) {
      if (!(error instanceof UnopenedValue)) throw error
      this.#count++
      this.#first ??= { key, reason: error.message }
      return undefined
    }
  }

  throwIfAny(): void {
    if (this.#first === undefined) return
    const { key, reason } = this.#first
    const what = this.#count === 1 ? key : `${this.#count} objects, the first of them ${key},`
    throw new MissingKey(`${what} cannot be read: ${reason}. Put the key that it was written with back into ${this.#encryption.encryption.source}`)
  }
}

/** Looks the file over on another thread, on its own connection: nothing may be written meanwhile. */
function structureApart(file: string): { readonly structure: Promise<Structure>; readonly end: () => Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<Structure>()
  const worker = new Worker(new URL('./structure-thread.ts', import.meta.url), { workerData: file, name: 'store structure' })
  worker.once('message', (message: StructureAnswer) => {
    if ('structure' in message) resolve(message.structure)
    else reject(Object.assign(new Error(message.failure.message), { errcode: message.failure.code }))
  })
  worker.once('error', reject)
  worker.once('exit', () => reject(new Error('the thread that looks the file over has ended')))
  promise.catch(() => {}) // whoever waits for it is told; nobody does when the rows could not be read
  return { structure: promise, end: () => worker.terminate() }
}

function maintain(file: SqliteFile, scrubAfter: number | undefined): Maintained {
  const damaged: string[] = []
  let scrubbedRows = 0
  let scrubbedTo: number | undefined
  let failure: SqliteFailure | undefined
  let pages = file.pageCounts
  try {
    if (scrubAfter !== undefined) {
      let bytes = 0
      if (scrubAfter === 0) file.forgetCache()
      for (const row of file.rowsAfter(scrubAfter)) {
        scrubbedRows++
        bytes += row.value.length
        if (!row.isWhole) damaged.push(row.key)
        if (bytes < scrubStepBytes) continue
        scrubbedTo = row.rowid
        break
      }
    } else if (pages.freePages > freePagesKept + pages.pages * freeShareKept) {
      file.vacuum(vacuumStepPages)
      pages = file.pageCounts
    }
  } catch (error) {
    failure = failureOf(error)
  }
  return { type: 'maintained', pages, scrubbedTo, scrubbedRows, damaged, failure }
}

function repair(file: SqliteFile, frame: ArrayBuffer): SqliteFailure | undefined {
  try {
    decodeRows(Buffer.from(frame), (row) => file.repair({ ...row, value: encryption.seal(row.key, row.value) }))
    return undefined
  } catch (error) {
    return failureOf(error)
  }
}

function commit(file: SqliteFile, { frame, length }: { readonly frame: ArrayBuffer; readonly length: number }): void {
  const writes: Write[] = []
  try {
    decodeFrame(Buffer.from(frame, 0, length), (write) =>
      writes.push(write.value === undefined ? write : { ...write, value: encryption.seal(write.key, write.value) }),
    )
    file.commit(writes)
    answer({ type: 'committed', frame }, [frame])
  } catch (error) {
    answer({ type: 'refused', frame, failure: failureOf(error) }, [frame])
  }
}

/** Takes other keys when they open what the present ones write; what is in the file has been looked at by `reencrypt` before. */
function encryptWith(other: StoreEncryption): SqliteFailure | undefined {
  try {
    const next = new ValueEncryption(other)
    const unopened = new UnopenedKeys(next)
    // Any key below the prefix: it is only sealed, and opened again.
    for (const { prefix } of [...encryption.encryption.rules, ...other.rules])
      unopened.open(`${prefix}probe`, encryption.seal(`${prefix}probe`, Buffer.from('{}')))
    unopened.throwIfAny()
    encryption = next
    return undefined
  } catch (error) {
    return failureOf(error)
  }
}

/** One step over the rows that have keys: writes those again that the first key has not written, or with `other` only looks whether it opens them all. */
function reencrypt(file: SqliteFile, { after, other }: { readonly after: string; readonly other: StoreEncryption | undefined }): Reencrypted {
  try {
    const by = other === undefined ? encryption : new ValueEncryption(other)
    const unopened = new UnopenedKeys(by)
    const stale: Row[] = []
    let last: string | undefined
    let seen = 0
    for (const row of file.rowsBelow(prefixesOf([...encryption.encryption.rules, ...by.encryption.rules]), { after, limit: reencryptStepRows })) {
      last = row.key
      seen++
      if (!row.isWhole) continue // the next scrub writes it again, from memory
      if (other !== undefined) unopened.open(row.key, row.value)
      else {
        const { value, isStale } = by.open(row.key, row.value)
        if (!isStale) continue
        stale.push({ key: row.key, revision: row.revision, value: by.seal(row.key, value) })
      }
    }
    unopened.throwIfAny()
    file.replace(stale)
    const isLast = seen < reencryptStepRows
    if (isLast && other === undefined) file.removeResidue()
    return { type: 'reencrypted', rows: stale.length, to: isLast ? undefined : last, failure: undefined }
  } catch (error) {
    return { type: 'reencrypted', rows: 0, to: undefined, failure: failureOf(error) }
  }
}

function prefixesOf(rules: StoreEncryption['rules']): readonly string[] {
  return [...new Set(rules.map(({ prefix }) => prefix))]
}

function serve(file: SqliteFile): void {
  port.on('message', (request: Request) => {
    switch (request.type) {
      case 'commit':
        return commit(file, request)
      case 'maintain':
        return answer(maintain(file, request.scrubAfter))
      case 'repair':
        return answer({ type: 'repaired', failure: repair(file, request.frame) })
      case 'reencrypt':
        return answer(reencrypt(file, request))
      case 'encryptWith':
        return answer({ type: 'encryptedWith', failure: encryptWith(request.encryption) })
      case 'close':
        try {
          file.close()
          answer({ type: 'closed' })
        } catch (error) {
          answer({ type: 'failed', failure: failureOf(error) })
        }
        return port.close()
    }
  })
}

try {
  const file = new SqliteFile(options)
  try {
    await sendRows(file)
    answer({ type: 'open', revision: file.revision })
  } catch (error) {
    file.close()
    throw error
  }
  serve(file)
} catch (error) {
  answer({ type: 'failed', failure: failureOf(error) })
}
