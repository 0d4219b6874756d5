import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { silentLogger, systemClock } from '@gantry/runtime'
import type { Store } from '../store.ts'
import { StoreUnavailable } from '../store.ts'
import { describeStore } from '../testing/describe-store.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { SqliteStoreOptions } from './sqlite-store.ts'

let folder = ''
let files = 0
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-store-'))
})
after(() => rmSync(folder, { recursive: true }))

function newFile(): string {
  return join(folder, `${++files}.db`)
}

function open(file = newFile(), options: SqliteStoreOptions = {}): Promise<Store> {
  return openSqliteStore({ file, clock: systemClock, log: silentLogger }, options)
}

describeStore('SQLite store', (options) => open(newFile(), options))

describe('SQLite file', () => {
  test('holds every acknowledged write after a restart, with an empty history', async () => {
    const file = newFile()
    {
      await using store = await open(file)
      await Promise.all(Array.from({ length: 300 }, (_, i) => store.put(`/k${i}`, 0, (revision) => Buffer.from(`value ${i} at ${revision}`))))
      await store.put('/k0', store.latest('/k0')!.revision, () => Buffer.alloc(0))
      await store.delete('/k1', store.latest('/k1')!.revision, () => Buffer.from('gone'))
    }

    await using store = await open(file)

    assert.equal(store.revision, 303)
    assert.equal(store.compactedRevision, 303)
    assert.equal(store.count('/'), 299)
    assert.equal(store.get('/k0')?.value.length, 0)
    assert.equal(store.get('/k1'), undefined)
    assert.equal(store.get('/k7')?.value.toString(), 'value 7 at 9')
    assert.equal(store.get('/k7')?.revision, 9)
    assert.equal((await store.put('/new', 0, () => Buffer.from('1'))).revision, 304)
  })

  test('continues above the revision of a deletion that left no row', async () => {
    const file = newFile()
    {
      await using store = await open(file)
      await store.put('/a', 0, () => Buffer.from('1'))
      await store.delete('/a', 2, () => Buffer.from('2'))
    }

    await using store = await open(file)

    assert.equal(store.revision, 3)
  })

  test('is readable for its owner only', async () => {
    const file = newFile()
    await using store = await open(file)
    await store.put('/a', 0, () => Buffer.from('1'))

    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(statSync(`${file}-wal`).mode & 0o777, 0o600)
  })

  test('rejects writes on a full disk, shows nothing of them and goes on when there is space', async () => {
    await using store = await open(newFile(), { maxPageCount: 64 })
    const accepted: string[] = []
    const refused: string[] = []
    for (let i = 0; i < 40; i++) {
      const key = `/k${i}`
      await store
        .put(key, 0, () => Buffer.alloc(16_000))
        .then(
          () => accepted.push(key),
          (error: unknown) => {
            assert.ok(error instanceof StoreUnavailable)
            assert.match(error.message, /disk of .*\.db is full .*: free some space/)
            refused.push(key)
          },
        )
    }
    assert.ok(accepted.length > 5 && refused.length > 5)
    assert.deepEqual(
      store
        .list({ prefix: '/' })
        .entries.map((entry) => entry.key)
        .sort(),
      accepted.toSorted(),
    )
    assert.equal(store.latest(refused[0]!), undefined)

    for (const key of accepted.splice(0, 4)) await store.delete(key, store.latest(key)!.revision, () => Buffer.from('gone'))
    const saved = await store.put(refused[0]!, 0, () => Buffer.alloc(16_000))

    assert.equal(store.get(refused[0]!), saved)
  })

  test('is refused while another store has it open', async () => {
    const file = newFile()
    await using store = await open(file)

    await assert.rejects(open(file), /in use by another process: stop the other Gantry, or start this one with another data folder/)

    await store.put('/a', 0, () => Buffer.from('1'))
  })

  test('that two threads read is whole with what was only in its WAL, and stays locked for other processes', async () => {
    const [live, file] = [newFile(), newFile()]
    {
      await using store = await open(live)
      for (let i = 0; i < 50; i++) await store.put(`/k${i}`, 0, () => Buffer.alloc(3_000, i))
      for (const suffix of ['', '-wal']) copyFileSync(`${live}${suffix}`, `${file}${suffix}`)
    }

    await using store = await open(file, { secondThreadAtBytes: 0 })

    assert.equal(store.count('/'), 50)
    assert.equal((await store.put('/new', 0, () => Buffer.from('1'))).revision, 52)
    const other = `new (require('node:sqlite').DatabaseSync)(${JSON.stringify(file)}, { timeout: 0 }).exec('BEGIN IMMEDIATE')`
    assert.match(spawnSync(process.execPath, ['-e', other], { encoding: 'utf8' }).stderr, /database is locked/)
  })

  test('is refused when it is no database', async () => {
    const file = newFile()
    writeFileSync(file, 'this is not a database, '.repeat(1000))

    await assert.rejects(open(file), /\.db is damaged or is no database .*restore a backup/)
  })

  test('is refused when a page is damaged', async () => {
    const file = newFile()
    {
      await using store = await open(file)
      for (let i = 0; i < 100; i++) await store.put(`/k${i}`, 0, () => Buffer.alloc(3_000, i))
    }
    const bytes = readFileSync(file)
    bytes.fill(0xee, 40_960, 45_056)
    writeFileSync(file, bytes)

    await assert.rejects(open(file), (error: unknown) => error instanceof StoreUnavailable && /\.db .*damaged.*backup/.test(error.message))
  })

  test('is refused when it has been cut short', async () => {
    const file = newFile()
    {
      await using store = await open(file)
      for (let i = 0; i < 100; i++) await store.put(`/k${i}`, 0, () => Buffer.alloc(3_000, i))
    }
    truncateSync(file, statSync(file).size >> 1)

    await assert.rejects(open(file), /\.db .*damaged.*backup/)
  })

  test('is refused when it belongs to another program or a newer format', async () => {
    const [foreign, newer] = [newFile(), newFile()]
    const database = new DatabaseSync(foreign)
    database.exec('CREATE TABLE bookmarks (url TEXT)')
    database.close()
    await (await open(newer))[Symbol.asyncDispose]()
    const later = new DatabaseSync(newer)
    later.exec('PRAGMA user_version = 99')
    later.close()

    await assert.rejects(open(foreign), /cannot be used: it is an SQLite database of another program/)
    await assert.rejects(open(newer), /its format is 99, this version reads format 2/)
  })

  test('is refused with the reason when its folder is missing or is no folder', async () => {
    const file = newFile()
    writeFileSync(file, '')
    mkdirSync(`${file}.d`)

    await assert.rejects(open(join(folder, 'missing', 'hub.db')), /the folder .*missing does not exist, create it/)
    await assert.rejects(open(join(file, 'hub.db')), /\d+\.db is not a folder/)
    await assert.rejects(open(`${file}.d`), /it is a folder, name a file/)
  })
})
