import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { firstRevision } from '../driver.ts'
import type { Row, Write } from '../driver.ts'
import type { WorkerOptions } from './protocol.ts'

const applicationId = 0x47414e54 // "GANT"
const format = 1

/** The file is there and is not one this version can use. */
export class UnusableFile extends Error {}

/**
 * The SQLite file: one row for each key, and one that remembers the newest revision where no row does. Synchronous, so it lives on a thread of its
 * own. A table with rowid: without it the large values would sit in the inner pages of the tree, and random inserts cost five times the CPU.
 */
export class SqliteFile {
  readonly #database: DatabaseSync
  readonly #statements: Readonly<Record<'put' | 'remove' | 'mark' | 'begin' | 'commit' | 'rollback', StatementSync>>

  constructor({ file, maxPageCount }: WorkerOptions) {
    createPrivate(file)
    this.#database = new DatabaseSync(file, { timeout: 0 })
    try {
      this.#prepareFile(maxPageCount)
      this.#statements = {
        put: this.#database.prepare(
          'INSERT INTO state (key, revision, value) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, value = excluded.value',
        ),
        remove: this.#database.prepare('DELETE FROM state WHERE key = ?'),
        mark: this.#database.prepare('UPDATE meta SET revision = ?'),
        begin: this.#database.prepare('BEGIN IMMEDIATE'),
        commit: this.#database.prepare('COMMIT'),
        rollback: this.#database.prepare('ROLLBACK'),
      }
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** The newest revision whose write was a deletion: together with the rows' own it is the newest ever committed. */
  get markedRevision(): number {
    return this.#number('SELECT revision FROM meta')
  }

  *rows(): Generator<Row, void> {
    for (const row of this.#database.prepare('SELECT key, revision, value FROM state').iterate()) {
      const { key, revision, value } = row
      if (typeof key !== 'string' || typeof revision !== 'number' || !(value instanceof Uint8Array)) {
        throw new UnusableFile(`the row of key ${String(key)} does not have the columns it should`)
      }
      yield { key, revision, value: Buffer.from(value.buffer, value.byteOffset, value.byteLength) }
    }
  }

  /** One transaction; throws and leaves the file as it was when it fails. */
  commit(writes: readonly Write[]): void {
    const { put, remove, mark, begin, commit, rollback } = this.#statements
    try {
      begin.run()
      for (const { key, revision, value } of writes) {
        if (value === undefined) remove.run(key)
        else put.run(key, revision, value)
      }
      // A row carries its revision, only a deletion leaves none behind.
      const last = writes[writes.length - 1]!
      if (last.value === undefined) mark.run(last.revision)
      commit.run()
    } catch (error) {
      // SQLite has rolled back by itself after some errors (disk full, I/O).
      if (this.#database.isTransaction) rollback.run()
      throw error
    }
  }

  close(): void {
    this.#database.close()
  }

  #prepareFile(maxPageCount: number | undefined): void {
    const database = this.#database
    // Exclusive before the first read in WAL mode: the lock then holds until the file is closed, and the WAL index needs no shared memory.
    database.exec('PRAGMA locking_mode = EXCLUSIVE')
    // Objects are about 3 KB: 4 KB pages would hold one and waste a quarter, and 16 KB pages double what a small update writes.
    database.exec('PRAGMA page_size = 8192')
    database.exec('PRAGMA journal_mode = WAL')
    // The default of this mode differs between builds of SQLite; without FULL a power cut loses acknowledged writes.
    database.exec('PRAGMA synchronous = FULL')
    database.exec('BEGIN EXCLUSIVE; COMMIT')
    if (maxPageCount !== undefined) database.exec(`PRAGMA max_page_count = ${maxPageCount}`)
    const found = this.#number('PRAGMA application_id')
    if (found === 0 && this.#number('SELECT count(*) FROM sqlite_schema') === 0) {
      this.#createTables()
      return
    }
    if (found !== applicationId) throw new UnusableFile('it is an SQLite database of another program')
    const version = this.#number('PRAGMA user_version')
    if (version !== format) throw new UnusableFile(`its format is ${version}, this version reads format ${format}`)
    const [problem] = Object.values(database.prepare('PRAGMA quick_check(1)').get() ?? {})
    if (problem !== 'ok') throw new UnusableFile(`it is damaged (${String(problem).replaceAll('\n', ' ')})`)
  }

  #createTables(): void {
    this.#database.exec(`
      BEGIN EXCLUSIVE;
      CREATE TABLE state (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
      CREATE TABLE meta (revision INTEGER NOT NULL) STRICT;
      INSERT INTO meta (revision) VALUES (${firstRevision});
      PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${format};
      COMMIT;
    `)
  }

  #number(query: string): number {
    const [value] = Object.values(this.#database.prepare(query).get() ?? {})
    if (typeof value !== 'number') throw new UnusableFile(`"${query}" answers ${String(value)}`)
    return value
  }
}

/** The file holds secrets: nobody else may read it. SQLite gives the files beside it the same mode. */
function createPrivate(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    // An existing file must not be opened and closed here: closing it would give up the locks this process holds on it.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}
