import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, describe, test } from 'node:test'
import { silentLogger, systemClock } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { StoreUnavailable } from '../store.ts'
import { SqliteFile } from './sqlite-file.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { SqliteStore, SqliteStoreOptions } from './sqlite-store.ts'

let folder = ''
let files = 0
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gantry-damage-'))
})
after(() => rmSync(folder, { recursive: true }))

const keys = Array.from({ length: 40 }, (_, i) => `/registry/core/things/default/t${i}`)

function open(file: string, options: SqliteStoreOptions = {}): Promise<SqliteStore> {
  return openSqliteStore({ file, clock: systemClock, log: silentLogger }, options)
}

/** A file of 40 rows with recognizable values. */
async function filled(): Promise<string> {
  const file = join(folder, `${++files}.db`)
  await using store = await open(file)
  await Promise.all(keys.map((key, i) => store.put(key, 0, () => Buffer.from(`value-of-${i}-`.repeat(80)))))
  await store.delete(keys[39]!, store.latest(keys[39]!)!.revision, () => Buffer.from('gone'))
  return file
}

function garble(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file)
  change(bytes)
  writeFileSync(file, bytes)
}

function sql(file: string, statements: string): void {
  const database = new DatabaseSync(file)
  database.exec(statements)
  database.close()
}

describe('a damaged data file is not served', () => {
  test('when a bit inside a value has flipped: it names the object and what to do', async () => {
    const file = await filled()
    flipBitOf(file, 'value-of-7-')

    await assert.rejects(open(file), (error: unknown) => {
      assert.ok(error instanceof StoreUnavailable)
      assert.match(error.message, /1 object cannot be read as written: core\/things\/default\/t7\)/)
      assert.match(error.message, /gantry restore.*gantry salvage/)
      return true
    })
  })

  // The first pages are those that hold the others together; two threads take three times as long to start.
  for (const [threads, { pages = Infinity, ...options }] of [
    ['one thread reads', { secondThreadAtBytes: undefined, pages: undefined }],
    ['two threads read', { secondThreadAtBytes: 0, pages: 5 }],
  ] as const) {
    test(`when any one page of what ${threads} is overwritten`, async () => {
      const file = await filled()
      const whole = readFileSync(file)
      const unseen: number[] = []
      for (let page = 1; page < Math.min(whole.length / 8192, 1 + pages); page++) {
        garble(file, (bytes) => {
          whole.copy(bytes)
          bytes.fill(0xee, page * 8192, page * 8192 + 8192)
        })
        await open(file, options).then(
          async (store) => {
            unseen.push(page)
            await store[Symbol.asyncDispose]()
          },
          (error: unknown) => {
            assert.ok(error instanceof StoreUnavailable)
            assert.match(error.message, /is damaged/)
          },
        )
      }
      assert.deepEqual(unseen, [])
    })
  }

  test('when a row is gone, is back, or is older than it should be, each of them whole', async () => {
    const older = await filled()
    const database = new DatabaseSync(older)
    const row = database.prepare('SELECT * FROM state WHERE key = ?').get(keys[3]!)!
    database.close()
    {
      await using store = await open(older)
      await store.put(keys[3]!, store.latest(keys[3]!)!.revision, () => Buffer.from('newer'))
    }
    const put = (file: string, key: string) => {
      const target = new DatabaseSync(file)
      target
        .prepare('INSERT OR REPLACE INTO state (key, revision, checksum, value) VALUES (?, ?, ?, ?)')
        .run(key, row['revision']!, row['checksum']!, row['value']!)
      target.close()
    }
    const back = join(folder, `${++files}.db`)
    copyFileSync(older, back)
    sql(back, `DELETE FROM state WHERE key = '${keys[3]}'`)
    const lost = join(folder, `${++files}.db`)
    copyFileSync(back, lost)
    put(older, keys[3]!)

    await assert.rejects(open(older), /some rows are older than they should be/)
    await assert.rejects(open(lost), /1 object cannot be read as written; 1 rows are missing without a trace|1 rows are missing/)
  })

  test('when the WAL beside it is of another database, and leaves both alone', async () => {
    const file = await filled()
    const other = await filled()
    const live = new SqliteFile({ file: other })
    live.commit([{ key: '/x', revision: 100, previous: 0, value: Buffer.from('of another database') }])
    copyFileSync(`${other}-wal`, `${file}-wal`)
    live.close()
    const before = readFileSync(file)

    await assert.rejects(open(file), /-wal belongs to another database: move it aside/)

    assert.ok(readFileSync(file).equals(before))
    rmSync(`${file}-wal`)
    await using store = await open(file)
    assert.equal(store.count(''), 39)
  })

  test('and what is whole of it can be told from what is not', async () => {
    const file = await filled()
    garble(file, (bytes) => {
      for (let at = bytes.indexOf('value-of-20-'); at !== -1; at = bytes.indexOf('value-of-20-', at)) bytes.fill(0, at & ~8191, (at & ~8191) + 8192)
    })
    const found: string[] = []

    const damaged = new SqliteFile({ file, mode: 'salvage' })
    const damage = damaged.salvage(({ key, value }) => {
      found.push(key)
      assert.equal(value.toString(), `value-of-${keys.indexOf(key)}-`.repeat(80))
    })
    damaged.close()

    assert.ok(damage.keys.includes(keys[20]!))
    assert.equal(damage.rows + found.length, 39)
    assert.ok(found.length >= 20, `${found.length} rows were read`)
  })
})

test('a scrub finds a row that has changed on the disk and writes it again from memory', async () => {
  const file = await filled()
  sql(file, 'PRAGMA journal_mode = DELETE')
  const clock = new FakeClock()
  const store = await openSqliteStore({ file, clock, log: silentLogger })
  // Not through SQLite, as a disk does it.
  flipBitOf(file, 'value-of-7-')

  const first = await scrubbed(store, clock)
  const second = await scrubbed(store, clock)
  await store[Symbol.asyncDispose]()

  assert.deepEqual([first.rows, first.damagedKeys, first.problem], [39, [keys[7]], undefined])
  assert.equal(second.damaged, 0)
  await using again = await open(file)
  assert.equal(again.get(keys[7]!)?.value.toString(), 'value-of-7-'.repeat(80))
})

test('a file of format 1 is taken over with everything in it', async () => {
  const file = join(folder, `${++files}.db`)
  sql(
    file,
    `PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;
     CREATE TABLE state (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value BLOB NOT NULL) STRICT;
     CREATE TABLE meta (revision INTEGER NOT NULL) STRICT;
     INSERT INTO meta VALUES (77);
     INSERT INTO state VALUES ('/a', 12, x'6f6e65'), ('/b', 30, x'');
     PRAGMA application_id = ${0x47414e54}; PRAGMA user_version = 1`,
  )
  {
    await using store = await open(file)
    assert.equal(store.revision, 77)
    assert.deepEqual(
      store.list({ prefix: '' }).entries.map(({ key, revision, value }) => `${key} ${revision} ${value.toString()}`),
      ['/a 12 one', '/b 30 '],
    )
    await store.put('/c', 0, () => Buffer.from('three'))
  }

  await using store = await open(file)

  assert.deepEqual([store.revision, store.count('')], [78, 3])
})

test('a file gives back its pages after a mass deletion, while it is open', async () => {
  const file = join(folder, `${++files}.db`)
  const clock = new FakeClock()
  await using store = await openSqliteStore({ file, clock, log: silentLogger })
  const many = Array.from({ length: 300 }, (_, i) => `/k${i}`)
  await Promise.all(many.map((key) => store.put(key, 0, () => Buffer.alloc(40_000))))
  await Promise.all(many.map((key) => store.delete(key, store.latest(key)!.revision, () => Buffer.alloc(0))))
  const { fileBytes } = await store.status()

  let now = fileBytes
  for (let i = 0; i < 100 && now > fileBytes / 2; i++) {
    await clock.advance(10_000)
    // Pages leave the file with the next checkpoint.
    await store.put('/tick', store.latest('/tick')?.revision ?? 0, () => Buffer.alloc(200_000))
    now = (await store.status()).fileBytes
  }

  assert.ok(now < fileBytes / 2, `${fileBytes} bytes have become ${now}`)
})

/** Wherever the text stands: pages also hold what rows have left behind. */
function flipBitOf(file: string, text: string): void {
  garble(file, (bytes) => {
    for (let at = bytes.indexOf(text); at !== -1; at = bytes.indexOf(text, at + 1)) bytes[at + 3]! ^= 0x10
  })
}

/** A round of scrubbing, with the pauses between its steps passing at once. */
async function scrubbed(store: SqliteStore, clock: FakeClock) {
  const scrub = store.scrub()
  let done = false
  void scrub.finally(() => (done = true))
  while (!done) {
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(100)
  }
  return scrub
}
