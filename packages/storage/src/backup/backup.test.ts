import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { silentLogger, systemClock } from '@gantry/runtime'
import { createMemoryStore } from '../memory/memory-store.ts'
import { Compacted } from '../store.ts'
import type { Entry } from '../store.ts'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import type { SqliteStore } from '../sqlite/sqlite-store.ts'
import { backupStore } from './backup-store.ts'
import { copyDataFile, salvageDataFile, verifyDataFile } from './data-file.ts'

let root = ''
let folders = 0
before(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-backup-'))
})
after(() => rmSync(root, { recursive: true }))

const { signal } = new AbortController()

function newFolder(): string {
  return mkdtempSync(join(root, `${++folders}-`))
}

function open(file: string): Promise<SqliteStore> {
  return openSqliteStore({ file, clock: systemClock, log: silentLogger })
}

function put(store: SqliteStore, key: string, text: string) {
  return store.put(key, store.latest(key)?.revision ?? 0, () => Buffer.from(text))
}

/** A store of 700 rows whose second half of writes is under way. */
async function busyStore(folder: string): Promise<{ store: SqliteStore; writing: Promise<unknown> }> {
  const store = await open(join(folder, 'gantry.db'))
  await Promise.all(Array.from({ length: 700 }, (_, i) => put(store, `/k${i}`, `first ${i} `.repeat(100))))
  return { store, writing: Promise.all(Array.from({ length: 700 }, (_, i) => put(store, `/k${i}`, `second ${i} `.repeat(100)))) }
}

describe('a backup', () => {
  test('holds one moment while writes go on, with the files that belong to it, for its owner only', async () => {
    const folder = newFolder()
    const { store, writing } = await busyStore(folder)
    await using _ = store
    const file = join(folder, 'backup.db')

    const { revision } = store
    const summary = await backupStore(store, { file, attachments: [{ name: 'ca.key', content: Buffer.from('a key') }] }, { signal })
    await writing

    assert.deepEqual([summary.rows, summary.revision, summary.bytes], [700, revision, statSync(file).size])
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.deepEqual(readdirSync(folder).toSorted(), ['backup.db', 'gantry.db', 'gantry.db-wal'])
    assert.deepEqual(verifyDataFile(file), summary)
    const restored = copyDataFile(file, join(folder, 'restored.db'), { revisionJump: 1_000 })
    assert.deepEqual(
      restored.attachments.map(({ name, content }) => [name, content.toString()]),
      [['ca.key', 'a key']],
    )
    await using again = await open(join(folder, 'restored.db'))
    assert.equal(again.count(''), 700)
    for (const entry of again.list({ prefix: '' }).entries) {
      const number = entry.key.slice(2)
      assert.equal(entry.value.toString(), `first ${number} `.repeat(100))
    }
  })

  test('of a large store is taken in pieces, and still holds one moment of it', async () => {
    await using store = createMemoryStore()
    const rows = 12_000
    const keyAt = (i: number): string => `/k${String(i).padStart(6, '0')}`
    const write = (i: number, text: string) => store.put(keyAt(i), store.latest(keyAt(i))?.revision ?? 0, () => Buffer.from(text))
    for (let from = 0; from < rows; from += 500) await Promise.all(Array.from({ length: 500 }, (_, i) => write(2 * (from + i), 'first')))
    const pieces: number[] = []
    const list = store.list.bind(store)
    store.list = (range) => {
      const listing = list(range)
      pieces.push(listing.entries.length)
      // In what has been taken, at its edge, and in what is to come.
      for (const at of listing.remaining === 0 ? [] : [0, 9_998, 20_000]) {
        void write(at, `changed after ${pieces.length} pieces`)
        void write(at + 1, `made after ${pieces.length} pieces`)
        const gone = store.latest(keyAt(at + 2 * pieces.length))!
        void store.delete(gone.key, gone.revision, () => Buffer.from('gone'))
      }
      return listing
    }
    const file = join(newFolder(), 'backup.db')

    const { revision } = await backupStore(store, { file }, { signal })

    assert.ok(pieces.length > 2 && Math.max(...pieces) <= 5_000, `pieces of ${pieces.join(', ')}`)
    await using again = await open(file)
    const told = ({ key, revision: written, value }: Entry): string => `${key} ${written} ${value.toString()}`
    assert.equal(revision, store.revision)
    assert.deepEqual(again.list({ prefix: '' }).entries.map(told), list({ prefix: '' }).entries.map(told))
  })

  test('never takes the place of another file, and leaves nothing behind when it fails', async () => {
    const folder = newFolder()
    await using store = await open(join(folder, 'gantry.db'))
    await put(store, '/a', '1')
    writeFileSync(join(folder, 'taken'), 'precious')

    await assert.rejects(backupStore(store, { file: join(folder, 'taken') }, { signal }), /taken is there already: choose another name/)
    await assert.rejects(backupStore(store, { file: join(folder, 'missing', 'b') }, { signal }), /the backup was not made/)
    await assert.rejects(backupStore(store, { file: join(folder, 'off') }, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)

    assert.equal(readFileSync(join(folder, 'taken'), 'utf8'), 'precious')
    assert.deepEqual(readdirSync(folder).toSorted(), ['gantry.db', 'gantry.db-wal', 'taken'])
  })

  test('that is damaged is not restored', async () => {
    const folder = newFolder()
    const { store, writing } = await busyStore(folder)
    const file = join(folder, 'backup.db')
    await writing
    await backupStore(store, { file }, { signal })
    await store[Symbol.asyncDispose]()
    const bytes = readFileSync(file)
    const at = bytes.indexOf('second 5 ')
    bytes[at]! ^= 1
    writeFileSync(file, bytes)

    assert.throws(() => copyDataFile(file, join(folder, 'restored.db'), { revisionJump: 1 }), /1 object cannot be read as written: \/k5/)
    const salvaged = salvageDataFile(file, join(folder, 'salvaged.db'), { revisionJump: 1 })

    assert.deepEqual([salvaged.rows, salvaged.damage.keys], [699, ['/k5']])
    assert.deepEqual(readdirSync(folder).toSorted(), ['backup.db', 'gantry.db', 'salvaged.db'])
  })

  test('once restored goes on above every revision that clients may have seen: they list again', async () => {
    const folder = newFolder()
    const file = join(folder, 'backup.db')
    let seenAfterBackup = 0
    {
      await using store = await open(join(folder, 'gantry.db'))
      await put(store, '/a', '1')
      await backupStore(store, { file }, { signal })
      for (let i = 0; i < 50; i++) await put(store, '/a', `later ${i}`)
      seenAfterBackup = store.revision
    }
    copyDataFile(file, join(folder, 'restored.db'), { revisionJump: 1_000_000_000 })

    await using store = await open(join(folder, 'restored.db'))

    assert.throws(() => store.watch({ prefix: '/', after: seenAfterBackup }, () => {}), Compacted)
    assert.ok((await put(store, '/a', 'new')).revision > seenAfterBackup)
  })
})
