import { closeSync, openSync, statSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { DatabaseSync } from 'node:sqlite'
import type { StatementSync } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import { firstRevision } from '../driver.ts'
import type { Row, Write } from '../driver.ts'
import { identityChecksum, placeChecksum, rowChecksum, TableDigest } from './row-checksum.ts'

const applicationId = 0x47414e54 // "GANT"
const format = 2

/** The file is there and is not one this version can use. */
export class UnusableFile extends Error {}

/** The file is ours and some of it is not as it was written. */
export class DamagedFile extends UnusableFile {
  /** As SQLite would report it: SQLITE_CORRUPT. */
  readonly errcode = 11
}

/** The file is whole, and some of it is encrypted with a key that we do not have. */
export class MissingKey extends Error {
  /** As SQLite reports what is not allowed: SQLITE_AUTH. */
  readonly errcode = 23
}

export type SqliteFileMode = 'serve' | 'build' | 'read' | 'still' | 'salvage'

export interface SqliteFileOptions {
  readonly file: string
  /** Ends the growth of the file at this many pages. */
  readonly maxPageCount?: number | undefined
  /**
   * `serve` (the default): for the store. `build`: nothing is safe before `close`, and what it leaves behind is one file without others beside it. `read`: changes
   * nothing, and lets others have the file. `still`: the same of a file that nobody writes to meanwhile, past every lock and without its WAL. `salvage`: as `read`, and
   * does without what says how much there should be.
   */
  readonly mode?: SqliteFileMode | undefined
}

/** A row as it stands in the file, and whether it is as it was written. */
export interface CheckedRow extends Row {
  readonly rowid: number
  readonly identity: number
  readonly isWhole: boolean
}

/** What a reading of the table came upon. */
export interface TableReading {
  /** Every row could be read and matches its checksum. */
  isWhole: boolean
  /** Keys at their revisions. */
  readonly contents: TableDigest
  /** Keys at their places. */
  readonly places: TableDigest
}

/** What holds the table together. Plain data: it may come from another thread. */
export interface Structure {
  /** The pages fit together, also those that no row is on. */
  readonly isSound: boolean
  /** Keys at the places that the index of keys names: how many, and the sum of their digest. */
  readonly indexedRows: number
  readonly indexedPlaces: number
}

export interface PageCounts {
  readonly pageBytes: number
  readonly pages: number
  readonly freePages: number
}

interface Meta {
  /** Of this database alone: rows and WAL frames of another one do not pass for its own. */
  readonly id: number
  /** The newest revision ever committed. */
  readonly revision: number
  readonly rows: number
  readonly digest: number
}

/** Rows that cannot be read, or are not what was written. */
export interface Damage {
  readonly rows: number
  /** Keys of the first of them, as far as they are known. */
  readonly keys: readonly string[]
  /** What is wrong beyond single rows. */
  readonly problem: string | undefined
}

const namedDamagedRows = 10
const columns = 'rowid, key, revision, checksum, value'

/**
 * The SQLite file: one row for each key with its checksum, and one row that says what the table must hold. Synchronous, so it lives on a thread of its own.
 * A table with rowid: without it the large values would sit in the inner pages of the tree, and random inserts cost five times the CPU.
 */
export class SqliteFile {
  readonly #database: DatabaseSync
  readonly #statements: Readonly<
    Record<'put' | 'remove' | 'mark' | 'begin' | 'commit' | 'rollback' | 'repair' | 'replace' | 'row' | 'after' | 'below', StatementSync>
  >
  #meta: Meta
  #digest: TableDigest

  constructor({ file, maxPageCount, mode = 'serve' }: SqliteFileOptions) {
    const isReader = isReading(mode)
    if (!isReader) {
      createPrivate(file)
      refuseForeignWal(file)
    }
    this.#database = new DatabaseSync(mode === 'still' ? locationWithoutWal(file) : file, { timeout: 0, readOnly: isReader })
    try {
      this.#prepareFile(mode, maxPageCount)
      this.#meta = mode === 'salvage' ? this.#guessMeta() : this.#readMeta()
      this.#digest = new TableDigest(this.#meta.rows, this.#meta.digest)
      const database = this.#database
      this.#statements = {
        put: database.prepare(
          `INSERT INTO state (key, revision, checksum, value) VALUES (?, ?, ?, ?)
           ON CONFLICT (key) DO UPDATE SET revision = excluded.revision, checksum = excluded.checksum, value = excluded.value`,
        ),
        remove: database.prepare('DELETE FROM state WHERE key = ?'),
        mark: database.prepare('UPDATE meta SET revision = ?, row_count = ?, digest = ?, checksum = ?'),
        begin: database.prepare('BEGIN IMMEDIATE'),
        commit: database.prepare('COMMIT'),
        rollback: database.prepare('ROLLBACK'),
        repair: database.prepare('UPDATE state SET revision = ?, checksum = ?, value = ? WHERE key = ? AND (revision <= ? OR revision > ?)'),
        replace: database.prepare('UPDATE state SET checksum = ?, value = ? WHERE key = ? AND revision = ?'),
        row: database.prepare(`SELECT ${columns} FROM state WHERE key = ?`),
        after: database.prepare(`SELECT ${columns} FROM state WHERE rowid > ? AND rowid <= ? ORDER BY rowid`),
        below: database.prepare(`SELECT ${columns} FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?`),
      }
      this.#statements.below.setReturnArrays(true)
      this.#statements.after.setReturnArrays(true)
      this.#statements.row.setReturnArrays(true)
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** The newest revision ever committed. */
  get revision(): number {
    return this.#meta.revision
  }

  get rowCount(): number {
    return this.#digest.rows
  }

  get pageCounts(): PageCounts {
    return { pageBytes: this.#number('PRAGMA page_size'), pages: this.#number('PRAGMA page_count'), freePages: this.#number('PRAGMA freelist_count') }
  }

  /** Every row, in the order of the file. Throws DamagedFile, after the last one, when any is not whole or the table is not what was committed. */
  *rows(): Generator<Row, void> {
    const reading = newReading()
    yield* this.read(reading)
    this.requireWhole(reading, this.structure())
  }

  /** Every row that can be read, whole or not, in the order of the file; `reading` then tells what they are worth. */
  *read(reading: TableReading): Generator<Row, void> {
    try {
      for (const row of this.rowsAfter(0)) {
        reading.isWhole &&= row.isWhole
        reading.contents.add(row.identity)
        reading.places.add(placeChecksum(row.key, row.rowid))
        yield row
      }
    } catch (error) {
      if (!isCorruption(error)) throw error
      reading.isWhole = false
    }
  }

  /** Reads the index of keys, and looks over every page. */
  structure(): Structure {
    const places = new TableDigest()
    const isIndexWhole = attempt(() => {
      for (const { key, rowid } of this.#index()) places.add(placeChecksum(key, rowid))
    })
    return { isSound: isIndexWhole && this.#isSound(), indexedRows: places.rows, indexedPlaces: places.sum }
  }

  /** Throws DamagedFile unless what was read is what was committed. */
  requireWhole({ isWhole, contents, places }: TableReading, { isSound, indexedRows, indexedPlaces }: Structure): void {
    // An index that leads elsewhere would make the next write of a key a second row.
    const isIndexed = places.rows === indexedRows && places.sum === indexedPlaces
    if (isWhole && isSound && isIndexed && this.#meta.digest === contents.sum && this.#meta.rows === contents.rows) return
    throw new DamagedFile(describeDamage(this.salvage(() => {})))
  }

  /** Brings all of the WAL into the file itself, for a reader of mode `still`. False when there is no space for it. */
  checkpoint(): boolean {
    try {
      const { busy, log, checkpointed } = this.#database.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() ?? {}
      return busy === 0 && log === checkpointed
    } catch (error) {
      if (!isOutOfSpace(error)) throw error
      return false
    }
  }

  /** Rows with a greater rowid, up to `last`, in that order. */
  *rowsAfter(rowid: number, last: number = Number.MAX_SAFE_INTEGER): Generator<CheckedRow, void> {
    for (const row of this.#statements.after.iterate(rowid, last)) yield this.#checked(row as unknown as readonly unknown[])
  }

  /** Hands over every row that is whole, whatever is wrong with the others, and tells what is lost. */
  salvage(onRow: (row: Row) => void): Damage {
    const digest = new TableDigest()
    const found = new Set<string>()
    let newest = 0
    let unreadable = 0
    const take = (row: CheckedRow): void => {
      if (!row.isWhole || found.has(row.key)) return void unreadable++
      found.add(row.key)
      newest = Math.max(newest, row.revision)
      digest.add(identityChecksum(this.#meta.id, row.key, row.revision))
      onRow(row)
    }
    const isTableWhole = attempt(() => {
      for (const row of this.rowsAfter(0)) take(row)
    })
    const lost: string[] = []
    let lostRows = 0
    const isIndexWhole = attempt(() => {
      for (const { key, rowid } of this.#index()) {
        if (found.has(key)) continue
        // Behind the first page that cannot be read there are others that can.
        if (!isTableWhole) attempt(() => [...this.rowsAfter(rowid - 1, rowid)].forEach(take))
        if (found.has(key)) continue
        lostRows++
        if (lost.length < namedDamagedRows) lost.push(key)
      }
    })
    if (!isTableWhole && !isIndexWhole) {
      attempt(() => {
        for (const row of this.#database.prepare(`SELECT ${columns} FROM state ORDER BY rowid DESC`).iterate()) {
          if (!found.has(String(row['key']))) take(this.#checked(Object.values(row)))
        }
      })
    }
    let problem = isIndexWhole ? undefined : 'its index of keys cannot be read'
    const missing = this.#meta.rows - digest.rows
    if (problem === undefined && lostRows === 0 && unreadable === 0 && (missing !== 0 || digest.sum !== this.#meta.digest)) {
      problem =
        missing > 0
          ? `${missing} rows are missing without a trace`
          : missing < 0
            ? `${-missing} rows are back that were deleted`
            : 'some rows are older than they should be'
    }
    if (newest > this.#meta.revision) problem = `it holds revision ${newest}, and should end at ${this.#meta.revision}`
    return { rows: Math.max(lostRows, unreadable, missing), keys: lost, problem }
  }

  /** One transaction; throws and leaves the file as it was when it fails. */
  commit(writes: readonly Write[]): void {
    const { put, remove, mark, begin, commit, rollback } = this.#statements
    const { id } = this.#meta
    const digest = this.#digest.copy()
    try {
      begin.run()
      for (const { key, revision, previous, value } of writes) {
        if (previous !== 0) digest.remove(identityChecksum(id, key, previous))
        if (value === undefined) {
          remove.run(key)
          continue
        }
        const identity = identityChecksum(id, key, revision)
        digest.add(identity)
        put.run(key, revision, rowChecksum(identity, value), value)
      }
      const meta = { id, revision: writes[writes.length - 1]!.revision, rows: digest.rows, digest: digest.sum }
      mark.run(meta.revision, meta.rows, meta.digest, metaChecksum(meta))
      commit.run()
      this.#meta = meta
      this.#digest = digest
    } catch (error) {
      // SQLite has rolled back by itself after some errors (disk full, I/O).
      if (this.#database.isTransaction) rollback.run()
      throw error
    }
  }

  /** Keeps a small file with the rows. */
  attach({ name, content }: { readonly name: string; readonly content: Buffer }): void {
    this.#database.exec('CREATE TABLE IF NOT EXISTS attachment (name TEXT PRIMARY KEY, checksum INTEGER NOT NULL, content BLOB NOT NULL) STRICT')
    const checksum = rowChecksum(identityChecksum(this.#meta.id, name, 0), content)
    this.#database.prepare('INSERT INTO attachment (name, checksum, content) VALUES (?, ?, ?)').run(name, checksum, content)
  }

  attachments(): { readonly name: string; readonly content: Buffer }[] {
    if (this.#number("SELECT count(*) FROM sqlite_schema WHERE name = 'attachment'") === 0) return []
    return this.#database
      .prepare('SELECT name, checksum, content FROM attachment ORDER BY name')
      .all()
      .map(({ name, checksum, content }) => {
        const bytes = content instanceof Uint8Array ? Buffer.from(content) : Buffer.alloc(0)
        if (checksum !== rowChecksum(identityChecksum(this.#meta.id, String(name), 0), bytes))
          throw new DamagedFile(`it is damaged (the file ${String(name)} in it)`)
        return { name: String(name), content: bytes }
      })
  }

  /** Lets the next write get a revision above `revision`. */
  advanceRevision(revision: number): void {
    const meta = { ...this.#meta, revision }
    this.#statements.mark.run(meta.revision, meta.rows, meta.digest, metaChecksum(meta))
    this.#meta = meta
  }

  /** Writes a damaged row again, unless a newer write has already done so. Throws DamagedFile when that did not mend it. */
  repair({ key, revision, value }: Row): void {
    this.#statements.repair.run(revision, rowChecksum(identityChecksum(this.#meta.id, key, revision), value), value, key, revision, this.#meta.revision)
    const row = this.#statements.row.get(key)
    if (row !== undefined && !this.#checked(row as unknown as readonly unknown[]).isWhole)
      throw new DamagedFile(`it is damaged (${key} cannot be written again)`)
  }

  /** Rows whose keys begin with one of the prefixes, in the order of the keys, from the first one after `after`. */
  *rowsBelow(prefixes: readonly string[], { after, limit }: { readonly after: string; readonly limit: number }): Generator<CheckedRow, void> {
    let left = limit
    // A prefix that begins with another one is read with that one.
    const outer = prefixes.filter((prefix) => !prefixes.some((other) => other !== prefix && prefix.startsWith(other))).toSorted()
    for (const prefix of outer) {
      if (left === 0) return
      const from = after > prefix ? after : prefix
      for (const row of this.#statements.below.all(from, `${prefix}\u{10ffff}`, left)) {
        left--
        yield this.#checked(row as unknown as readonly unknown[])
      }
    }
  }

  /**
   * Puts other bytes in the place of the same values, at the same revisions, all or none. The file remembers that pages of it may still hold some of the old bytes, until
   * `removeResidue`.
   */
  replace(rows: readonly Row[]): void {
    if (rows.length === 0) return
    const { begin, commit, rollback, replace } = this.#statements
    try {
      begin.run()
      this.#database.exec('CREATE TABLE IF NOT EXISTS residue (at INTEGER) STRICT')
      for (const { key, revision, value } of rows) replace.run(rowChecksum(identityChecksum(this.#meta.id, key, revision), value), value, key, revision)
      commit.run()
    } catch (error) {
      if (this.#database.isTransaction) rollback.run()
      throw error
    }
  }

  /** Once after `replace`: builds the whole file anew, so that no page of it, used or not, holds an old value. Takes as long as copying the file. */
  removeResidue(): void {
    const database = this.#database
    if (this.#number("SELECT count(*) FROM sqlite_schema WHERE name = 'residue'") > 0) {
      database.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
      // Only now: a crash before has it done again.
      database.exec('DROP TABLE residue')
    }
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /** Lets the next read of every page come from the disk. */
  forgetCache(): void {
    this.#database.exec('PRAGMA shrink_memory')
  }

  /** Gives up to `pages` unused pages back to the file system. */
  vacuum(pages: number): void {
    // Each row of the answer is one page: it has to be read to the end.
    this.#database.prepare(`PRAGMA incremental_vacuum(${pages})`).all()
  }

  close(): void {
    this.#database.close()
  }

  *#index(): Generator<{ readonly key: string; readonly rowid: number }, void> {
    const statement = this.#database.prepare('SELECT key, rowid FROM state INDEXED BY sqlite_autoindex_state_1 ORDER BY key')
    statement.setReturnArrays(true)
    for (const row of statement.iterate()) {
      const [key, rowid] = row as unknown as readonly unknown[]
      yield { key: String(key), rowid: Number(rowid) }
    }
  }

  #checked([rowid, key, revision, checksum, value]: readonly unknown[]): CheckedRow {
    if (typeof rowid !== 'number' || typeof key !== 'string' || typeof revision !== 'number' || !(value instanceof Uint8Array)) {
      throw new UnusableFile(`the row of key ${String(key)} does not have the columns it should`)
    }
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    const identity = identityChecksum(this.#meta.id, key, revision)
    return { rowid, key, revision, value: bytes, identity, isWhole: checksum === rowChecksum(identity, bytes) }
  }

  #prepareFile(mode: SqliteFileMode, maxPageCount: number | undefined): void {
    const database = this.#database
    const isReader = isReading(mode)
    if (!isReader) {
      // Exclusive before the first read in WAL mode: the lock then holds until the file is closed, and the WAL index needs no shared memory.
      database.exec('PRAGMA locking_mode = EXCLUSIVE')
      // Objects are about 3 KB: 4 KB pages would hold one and waste a quarter, and 16 KB pages double what a small update writes.
      database.exec('PRAGMA page_size = 8192')
      // Lets the file shrink step by step. Only a new file takes it; in others the wish alone is a write, and a full disk would keep them from being opened.
      if (this.#number('PRAGMA page_count') === 0) database.exec('PRAGMA auto_vacuum = INCREMENTAL')
      database.exec(mode === 'build' ? 'PRAGMA journal_mode = OFF' : 'PRAGMA journal_mode = WAL')
      // The default of this mode differs between builds of SQLite; without FULL a power cut loses acknowledged writes.
      database.exec(mode === 'build' ? 'PRAGMA synchronous = OFF' : 'PRAGMA synchronous = FULL')
      database.exec('BEGIN EXCLUSIVE; COMMIT')
      if (maxPageCount !== undefined) database.exec(`PRAGMA max_page_count = ${maxPageCount}`)
    }
    const found = this.#number('PRAGMA application_id')
    if (!isReader && found === 0 && this.#number('SELECT count(*) FROM sqlite_schema') === 0) {
      this.#createTables()
      return
    }
    if (found !== applicationId) throw new UnusableFile('it is an SQLite database of another program')
    const version = this.#number('PRAGMA user_version')
    if (version === 1 && !isReader) this.#migrateFromFormat1()
    else if (version !== format) throw new UnusableFile(`its format is ${version}, this version reads format ${format}`)
  }

  #createTables(): void {
    this.#database.exec(`BEGIN EXCLUSIVE; ${createState('state')}; ${createMeta}`)
    this.#describe({ revision: firstRevision, digest: new TableDigest(), id: this.#newId() })
    this.#database.exec('COMMIT')
    // In the file itself, where `refuseForeignWal` looks for the id.
    this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /** Format 1 had no checksums: what it holds now is taken as it is, once the structure of the file has been found sound. */
  #migrateFromFormat1(): void {
    const database = this.#database
    if (!this.#isSound()) throw new DamagedFile('it is damaged (its pages do not fit together)')
    const id = this.#newId()
    const digest = new TableDigest()
    let revision = this.#number('SELECT revision FROM meta')
    database.exec(`BEGIN EXCLUSIVE; DROP TABLE meta; ${createState('migrated')}; ${createMeta}`)
    const insert = database.prepare('INSERT INTO migrated (key, revision, checksum, value) VALUES (?, ?, ?, ?)')
    for (const row of database.prepare('SELECT key, revision, value FROM state ORDER BY key').iterate()) {
      const { key, revision: written, value } = row
      if (typeof key !== 'string' || typeof written !== 'number' || !(value instanceof Uint8Array)) {
        throw new UnusableFile(`the row of key ${String(key)} does not have the columns it should`)
      }
      const identity = identityChecksum(id, key, written)
      digest.add(identity)
      insert.run(key, written, rowChecksum(identity, value), value)
      revision = Math.max(revision, written)
    }
    database.exec('DROP TABLE state; ALTER TABLE migrated RENAME TO state')
    this.#describe({ id, revision, digest })
    database.exec('COMMIT')
    // Only a rewritten file takes `auto_vacuum`; one that missed this does not shrink, and that is all.
    database.exec('PRAGMA auto_vacuum = INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)')
  }

  /** Whether the pages fit together: also those that no row is on. */
  #isSound(): boolean {
    let found: unknown
    return attempt(() => (found = Object.values(this.#database.prepare('PRAGMA quick_check(1)').get() ?? {})[0])) && found === 'ok'
  }

  #newId(): number {
    return this.#number('SELECT random() & 0xffffffffffff')
  }

  #describe({ id, revision, digest }: { readonly id: number; readonly revision: number; readonly digest: TableDigest }): void {
    const meta = { id, revision, rows: digest.rows, digest: digest.sum }
    this.#database
      .prepare('INSERT INTO meta (id, revision, row_count, digest, checksum) VALUES (?, ?, ?, ?, ?)')
      .run(id, revision, meta.rows, meta.digest, metaChecksum(meta))
    this.#database.prepare('INSERT INTO identity (id) VALUES (?)').run(id)
    this.#database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${format}`)
  }

  #readMeta(): Meta {
    const { id, revision, row_count: rows, digest, checksum } = this.#database.prepare('SELECT id, revision, row_count, digest, checksum FROM meta').get() ?? {}
    if (typeof id !== 'number' || typeof revision !== 'number' || typeof rows !== 'number' || typeof digest !== 'number') {
      throw new DamagedFile('it is damaged: the row that describes it is missing')
    }
    const meta = { id, revision, rows, digest }
    if (checksum !== metaChecksum(meta) || id !== this.#number('SELECT id FROM identity'))
      throw new DamagedFile('it is damaged: the row that describes it does not match its checksum')
    return meta
  }

  #guessMeta(): Meta {
    try {
      return this.#readMeta()
    } catch (error) {
      if (!(error instanceof DamagedFile) && !isCorruption(error)) throw error
      return { id: this.#number('SELECT id FROM identity'), revision: Number.MAX_SAFE_INTEGER, rows: 0, digest: 0 }
    }
  }

  #number(query: string): number {
    const [value] = Object.values(this.#database.prepare(query).get() ?? {})
    if (typeof value !== 'number') throw new UnusableFile(`"${query}" answers ${String(value)}`)
    return value
  }
}

// `identity` repeats the id on a page that nobody writes to: without the id no row can be proved whole.
const createMeta = `
  CREATE TABLE meta (id INTEGER NOT NULL, revision INTEGER NOT NULL, row_count INTEGER NOT NULL, digest INTEGER NOT NULL, checksum INTEGER NOT NULL) STRICT;
  CREATE TABLE identity (id INTEGER NOT NULL) STRICT`

function isReading(mode: SqliteFileMode): boolean {
  return mode === 'read' || mode === 'still' || mode === 'salvage'
}

function createState(table: string): string {
  return `CREATE TABLE ${table} (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, checksum INTEGER NOT NULL, value BLOB NOT NULL) STRICT`
}

export function newReading(): TableReading {
  return { isWhole: true, contents: new TableDigest(), places: new TableDigest() }
}

function metaChecksum({ id, revision, rows, digest }: Meta): number {
  return crc32(`${id} ${revision} ${rows} ${digest}`)
}

function describeDamage({ rows, keys, problem }: Damage): string {
  const named = keys.map((key) => key.replace('/registry/', '')).join(', ')
  const parts = [
    ...(rows > 0
      ? [`${rows} ${rows === 1 ? 'object' : 'objects'} cannot be read as written${named === '' ? '' : `: ${named}${rows > keys.length ? ' …' : ''}`}`]
      : []),
    ...(problem === undefined ? [] : [problem]),
  ]
  return `it is damaged (${parts.length === 0 ? 'its pages do not fit together' : parts.join('; ')})`
}

/** False when it came upon something that cannot be read. */
function attempt(read: () => void): boolean {
  try {
    read()
    return true
  } catch (error) {
    if (!isCorruption(error)) throw error
    return false
  }
}

// sqlite.org/rescode.html: SQLITE_CORRUPT and its extended codes.
function isCorruption(error: unknown): boolean {
  return primaryCode(error) === 11
}

/** SQLITE_FULL; SQLITE_IOERR is what a full disk answers to some calls. */
function isOutOfSpace(error: unknown): boolean {
  return [10, 13].includes(primaryCode(error) ?? 0)
}

function primaryCode(error: unknown): number | undefined {
  const code: unknown = error instanceof Error ? Reflect.get(error, 'errcode') : undefined
  return typeof code === 'number' ? code & 0xff : undefined
}

/** SQLite applies any WAL that it finds beside a file: one of another database would overwrite pages of this one. */
function refuseForeignWal(file: string): void {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) === 0) return
  const own = idIn(locationWithoutWal(file))
  const withWal = idIn(file)
  if (own === undefined || withWal === undefined || own === withWal) return
  throw new DamagedFile(`${file}-wal belongs to another database: move it aside; changes that were only in the right one are lost`)
}

function locationWithoutWal(file: string): string {
  return `${pathToFileURL(file).href}?immutable=1`
}

/** Undefined where there is none to be read: opening the file for good tells why. */
function idIn(location: string): unknown {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(location, { readOnly: true, timeout: 0 })
    return database.prepare('SELECT id FROM meta').get()?.['id']
  } catch {
    return undefined
  } finally {
    database?.close()
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
