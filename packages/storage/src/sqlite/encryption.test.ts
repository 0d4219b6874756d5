import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { silentLogger, systemClock } from '@gantry/runtime'
import { backupStore } from '../backup/backup-store.ts'
import { copyDataFile, salvageDataFile } from '../backup/data-file.ts'
import type { EncryptionKey, StoreEncryption } from '../encryption/value-encryption.ts'
import type { SqliteStore } from './sqlite-store.ts'
import { openSqliteStore } from './sqlite-store.ts'

let root = ''
let folders = 0
before(() => {
  root = mkdtempSync(join(tmpdir(), 'gantry-encryption-'))
})
after(() => rmSync(root, { recursive: true }))

const { signal } = new AbortController()
const secret = 'the password is hunter2'
const identity: EncryptionKey = { type: 'identity' }

function newFile(): string {
  return join(mkdtempSync(join(root, `${++folders}-`)), 'gantry.db')
}

function named(name: string): EncryptionKey {
  return { type: 'aesgcm', name, secret: createHash('sha256').update(name).digest() }
}

function by(...keys: readonly EncryptionKey[]): StoreEncryption {
  return { source: 'keys.yaml', rules: [{ prefix: '/secrets/', keys }] }
}

function open(file: string, encryption?: StoreEncryption): Promise<SqliteStore> {
  return openSqliteStore({ file, clock: systemClock, log: silentLogger }, { encryption })
}

function put(store: SqliteStore, key: string, text: string) {
  return store.put(key, store.latest(key)?.revision ?? 0, () => Buffer.from(text))
}

async function fill(store: SqliteStore, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => put(store, `/secrets/${i}`, `${secret} ${i} `.repeat(i % 40 === 0 ? 2_000 : 10))))
  await put(store, '/open/a', 'everybody may read this')
}

function told(store: SqliteStore): string[] {
  return store.list({ prefix: '' }).entries.map(({ key, revision, value }) => `${key} ${revision} ${value.toString()}`)
}

/** Whether any file of the folder holds the text. */
function stands(file: string, text: string): boolean {
  const folder = join(file, '..')
  return readdirSync(folder).some((name) => readFileSync(join(folder, name)).includes(text))
}

describe('a store with keys', () => {
  test('keeps values encrypted on the disk, and everything else as it is', async () => {
    const file = newFile()
    let before: string[]
    {
      await using store = await open(file, by(named('one')))
      await fill(store, 120)
      before = told(store)
      assert.equal(stands(file, 'hunter2'), false)
    }
    assert.equal(stands(file, 'hunter2'), false)
    assert.equal(stands(file, 'k8s:enc:aesgcm:v1:one:'), true)
    assert.equal(stands(file, 'everybody may read this'), true)

    await using again = await open(file, by(named('one')))
    assert.deepEqual(told(again), before)
  })

  test('takes a file without, and leaves nothing readable of it once it has written all of it again', async () => {
    const file = newFile()
    let before: string[]
    {
      await using store = await open(file)
      await fill(store, 120)
      before = told(store)
    }
    assert.equal(stands(file, 'hunter2'), true)
    {
      await using store = await open(file, by(named('one'), identity))
      const { revision } = store
      assert.equal((await store.reencrypt()).rows, 120)
      assert.equal(stands(file, 'hunter2'), false)
      assert.deepEqual([told(store), store.revision], [before, revision])
      assert.equal((await store.reencrypt()).rows, 0)
      assert.equal((await store.scrub()).damaged, 0)
      assert.equal((await store.status()).lastReencryption?.rows, 0)
    }
    await using again = await open(file, by(named('one')))
    assert.deepEqual(told(again), before)
  })

  test('goes over to another key while it writes, and does without the old one then', async () => {
    const file = newFile()
    let before: string[]
    {
      await using store = await open(file, by(named('one')))
      await fill(store, 120)
      const rotating = store.reencrypt(by(named('two'), named('one')))
      await Promise.all(Array.from({ length: 120 }, (_, i) => put(store, `/secrets/${i}`, `${secret}, changed ${i}`)))
      await rotating
      before = told(store)
      assert.deepEqual(store.encryption, by(named('two'), named('one')))
    }
    await using again = await open(file, by(named('two')))
    assert.deepEqual(told(again), before)
  })

  test('refuses keys that do not open what is there, by name, and goes on with those it has', async () => {
    const file = newFile()
    {
      await using store = await open(file, by(named('one')))
      await fill(store, 60)
      await assert.rejects(
        store.reencrypt(by(named('two'))),
        /keys\.yaml were not taken: 50 objects, the first of them \/secrets\/0, cannot be read: it is encrypted with the key "one"/,
      )
      await put(store, '/secrets/0', secret)
      assert.equal(stands(file, 'v1:two:'), false)
    }
    await assert.rejects(
      open(file, by(named('two'))),
      /gantry\.db: 60 objects, the first of them \/secrets\/\d+, cannot be read: it is encrypted with the key "one" of aesgcm\. Put the key that it was written with back into keys\.yaml/,
    )
    await assert.rejects(open(file), /cannot be read: it is encrypted with the key "one" of aesgcm/)
    await using again = await open(file, by(named('one')))
    assert.equal(again.count('/secrets/'), 60)
  })

  test('refuses keys that could not open what is being written, although nothing is there yet', async () => {
    await using store = await open(newFile(), by(named('one')))
    await assert.rejects(store.reencrypt(by(named('two'))), /were not taken: .* the key "one" of aesgcm/)
    await assert.rejects(store.reencrypt({ source: 'keys.yaml', rules: [] }), /were not taken: .* the key "one" of aesgcm/)
    await store.reencrypt(by(named('two'), named('one')))
    await assert.rejects(store.reencrypt(by(named('one'))), /the key "two" of aesgcm/)
    await store.reencrypt(by(identity, named('two')))
  })

  test('makes backups with the same key, that are restored and salvaged as they are', async () => {
    const file = newFile()
    await using store = await open(file, by(named('one')))
    await fill(store, 60)
    const backup = `${file}.backup`
    const summary = await backupStore(store, { file: backup, encryption: store.encryption }, { signal })
    assert.deepEqual(summary.encryptedWith, ['the key "one" of aesgcm'])
    assert.equal(stands(backup, 'hunter2'), false)
    copyDataFile(backup, `${file}.restored`, { revisionJump: 1 })
    assert.equal(salvageDataFile(backup, `${file}.salvaged`, { revisionJump: 1 }).damage.rows, 0)
    for (const copy of ['restored', 'salvaged']) {
      await using opened = await open(`${file}.${copy}`, by(named('one')))
      assert.deepEqual(told(opened), told(store))
    }
  })
})
