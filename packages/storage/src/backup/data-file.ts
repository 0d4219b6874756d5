import { closeSync, fsyncSync, linkSync, openSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { encryptedWith } from '../encryption/value-encryption.ts'
import type { Row, Write } from '../driver.ts'
import { copyFailureMessage, failureOf } from '../sqlite/failure-message.ts'
import { SqliteFile } from '../sqlite/sqlite-file.ts'
import type { Damage } from '../sqlite/sqlite-file.ts'
import { StoreUnavailable } from '../store.ts'

/** Small files that belong to a backup although the store does not hold them, such as keys. */
export interface Attachment {
  readonly name: string
  readonly content: Buffer
}

export interface DataFileSummary {
  readonly rows: number
  readonly revision: number
  readonly bytes: number
  /** The keys that values in it are encrypted with, in words: without them it cannot be read. */
  readonly encryptedWith: readonly string[]
}

const rowsPerCommit = 500

/**
 * Makes a data file, of one piece: nobody sees it before it is whole. `finish` reads it back and compares every checksum, syncs it, and only then gives it its
 * name; a file that has that name already is never touched. Synchronous: for threads and commands.
 */
export class DataFileBuilder {
  readonly #target: string
  readonly #partial: string
  readonly #file: SqliteFile
  #batch: Write[] = []

  constructor(target: string) {
    if (statSync(target, { throwIfNoEntry: false }) !== undefined) throw new Error(`${target} is there already: choose another name, or move it away`)
    this.#target = target
    this.#partial = `${target}.partial`
    removeAll(this.#partial)
    this.#file = named(target, () => new SqliteFile({ file: this.#partial, mode: 'build' }))
  }

  add({ key, revision, value }: Row): void {
    this.#batch.push({ key, revision, previous: 0, value })
    if (this.#batch.length >= rowsPerCommit) this.#flush()
  }

  attach(attachment: Attachment): void {
    this.#file.attach(attachment)
  }

  /** `revision`: the newest one that was ever given, or more. */
  finish(revision: number): DataFileSummary {
    this.#flush()
    this.#file.advanceRevision(revision)
    this.#file.close()
    const summary = verifyDataFile(this.#partial)
    sync(this.#partial)
    linkSync(this.#partial, this.#target)
    removeAll(this.#partial)
    sync(dirname(this.#target))
    return summary
  }

  /** Leaves nothing behind. */
  abandon(): void {
    this.#file.close()
    removeAll(this.#partial)
  }

  #flush(): void {
    if (this.#batch.length > 0) named(this.#target, () => this.#file.commit(this.#batch))
    this.#batch = []
  }
}

/** Reads a whole data file and compares everything that can be. Throws with what is wrong. */
export function verifyDataFile(file: string): DataFileSummary {
  const opened = openSource(file, 'read')
  try {
    let rows = 0
    const keys = new Set<string>()
    for (const { value } of rowsOf(opened, file)) {
      rows++
      const key = encryptedWith(value)
      if (key !== undefined) keys.add(key)
    }
    return { rows, revision: opened.revision, bytes: statSync(file).size, encryptedWith: [...keys].toSorted() }
  } finally {
    opened.close()
  }
}

/**
 * Copies a data file, of a stopped Gantry or a backup, into a new one whose revisions go on `revisionJump` higher: what clients saw after the backup was made
 * counts as expired instead of as the future. `attachments` go into the new file, those of the source are returned. Throws when the source is not whole.
 */
export function copyDataFile(
  source: string,
  target: string,
  options: { readonly revisionJump: number; readonly attachments?: readonly Attachment[] | undefined },
): DataFileSummary & { readonly attachments: readonly Attachment[] } {
  const opened = openSource(source, 'read')
  try {
    const builder = new DataFileBuilder(target)
    try {
      for (const row of rowsOf(opened, source)) builder.add(row)
      const attachments = named(source, () => opened.attachments())
      for (const attachment of options.attachments ?? []) builder.attach(attachment)
      return { ...builder.finish(opened.revision + options.revisionJump), attachments }
    } catch (error) {
      builder.abandon()
      throw error
    }
  } finally {
    opened.close()
  }
}

/** The same from a damaged file: every row that is provably whole, and what is lost. */
export function salvageDataFile(source: string, target: string, options: { readonly revisionJump: number }): DataFileSummary & { readonly damage: Damage } {
  const opened = openSource(source, 'salvage')
  try {
    const builder = new DataFileBuilder(target)
    try {
      let newest = Number.isSafeInteger(opened.revision + options.revisionJump) ? opened.revision : 0
      const damage = opened.salvage((row) => {
        newest = Math.max(newest, row.revision)
        builder.add(row)
      })
      return { ...builder.finish(newest + options.revisionJump), damage }
    } catch (error) {
      builder.abandon()
      throw error
    }
  } finally {
    opened.close()
  }
}

function openSource(file: string, mode: 'read' | 'salvage'): SqliteFile {
  return named(file, () => new SqliteFile({ file, mode }))
}

function* rowsOf(opened: SqliteFile, file: string): Generator<Row, void> {
  const rows = opened.rows()
  for (let next = named(file, () => rows.next()); next.done !== true; next = named(file, () => rows.next())) yield next.value
}

/** What SQLite or the file itself refuses, with the file's name and what to do. */
function named<T>(file: string, use: () => T): T {
  try {
    return use()
  } catch (cause) {
    throw new StoreUnavailable(copyFailureMessage(file, failureOf(cause)), { cause })
  }
}

function removeAll(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true })
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
