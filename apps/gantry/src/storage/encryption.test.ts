import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore, StoreUnavailable } from '@gantry/storage'
import type { StoreEncryption } from '@gantry/storage'
import { openDataDir } from '../data-dir.ts'
import type { Platform } from '../platform.ts'
import { gantry, startTestPlatform } from '../testing/test-platform.ts'
import { DataKeys } from './data-keys.ts'
import { encryptionFileText, newKey, readEncryption } from './encryption-file.ts'

let root = ''
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'gantry-at-rest-'))
})
after(() => rm(root, { recursive: true }))

const secrets = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
const text = 'recognizable-hunter2'
const data = { password: Buffer.from(text.repeat(20)).toString('base64') }

async function hubOf(platform: Platform) {
  return connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
}

async function makeSecret(platform: Platform, name: string): Promise<void> {
  await using connection = await hubOf(platform)
  await connection.hub.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, data } as never)
}

async function readSecret(platform: Platform, name: string): Promise<unknown> {
  await using connection = await hubOf(platform)
  return ((await connection.hub.get(secrets, { namespace: 'default', name })) as unknown as { readonly data: unknown }).data
}

/** The keys that a Secret, which is in base64, or anything else that is known stands under in the files of the data folder. */
async function keysOnDisk(dir: string): Promise<{ readonly isReadable: boolean; readonly keys: readonly string[] }> {
  const bytes = Buffer.concat(await Promise.all((await readdir(dir)).filter((name) => name.startsWith('gantry.db')).map((name) => readFile(join(dir, name)))))
  const keys = new Set([...bytes.toString('latin1').matchAll(/k8s:enc:(\w+:v1:\w+):/g)].map(([, key]) => key ?? ''))
  return { isReadable: bytes.includes(data.password.slice(0, 40)) || bytes.includes('$argon2id$'), keys: [...keys].toSorted() }
}

describe('Secrets at rest', () => {
  test('are encrypted by a new platform with a key that only its owner may read, and by the next one when that is rotated', async () => {
    const dir = join(root, 'fresh')
    {
      await using platform = await startTestPlatform(dir)
      await makeSecret(platform, 'first')
      assert.equal((await stat(join(dir, 'encryption.yaml'))).mode & 0o777, 0o600)
      assert.deepEqual(await keysOnDisk(dir), { isReadable: false, keys: ['aesgcm:v1:key1'] })

      const rotated = await gantry(dir, 'data', 'rotate-key')
      assert.equal(rotated.code, 0, rotated.err)
      assert.match(
        rotated.out,
        /^every Secret is encrypted with aesgcm key2 of .*encryption\.yaml \(\d+ written again\); 1 old key is kept in it for backups from before\n$/,
      )
      await makeSecret(platform, 'second')
      assert.match((await gantry(dir, 'status')).out, /Secrets +are encrypted with aesgcm key2 of /)
      assert.deepEqual(await readSecret(platform, 'first'), data)

      const forgotten = await gantry(dir, 'data', 'rotate-key', '--forget-old')
      assert.match(forgotten.out, /^every Secret is encrypted with aesgcm key3 of [^;]*\n$/)
      assert.doesNotMatch(await readFile(join(dir, 'encryption.yaml'), 'utf8'), /key[12]/)
    }
    await using platform = await startTestPlatform(dir)
    for (const name of ['first', 'second']) assert.deepEqual(await readSecret(platform, name), data)
  })

  test('of a data file from before are encrypted in the background, and nothing readable is left', async () => {
    const dir = join(root, 'old')
    {
      await using _ = await startTestPlatform(dir)
    }
    // As the versions before wrote it.
    await rm(join(dir, 'encryption.yaml'))
    await rm(join(dir, 'gantry.db'))
    {
      await using store = await openSqliteStore({ file: join(dir, 'gantry.db'), clock: systemClock, log: silentLogger })
      const object = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'kept', namespace: 'default', uid: 'u' }, type: 'Opaque', data }
      await store.put('/registry/core/secrets/default/kept', 0, () => Buffer.from(JSON.stringify(object)))
    }
    assert.equal((await keysOnDisk(dir)).isReadable, true)
    {
      await using platform = await startTestPlatform(dir)
      assert.deepEqual(await readSecret(platform, 'kept'), data)
      // It waits for the round that the start has begun.
      assert.equal((await gantry(dir, 'data', 'rotate-key')).code, 0)
    }
    assert.deepEqual(await keysOnDisk(dir), { isReadable: false, keys: ['aesgcm:v1:key2'] })
  })

  test('that cannot be written again, on a full disk, are told of with the cause, and are when it is asked again', async () => {
    const data = await openDataDir(join(root, 'full'))
    const key = newKey([])
    await writeFile(data.encryption, encryptionFileText([key]))
    const { encryption } = readEncryption(data.encryption, encryptionFileText([key]))
    await using store = await openSqliteStore({ file: data.database, clock: systemClock, log: silentLogger }, { encryption })
    await store.put('/registry/core/secrets/default/a', 0, () => Buffer.from('{}'))
    let isFull = true
    const full = new StoreUnavailable('not every value of gantry.db could be encrypted again: database or disk is full')
    const reencrypt = (next?: StoreEncryption) => (isFull ? Promise.reject(full) : store.reencrypt(next))
    const keys = new DataKeys({ store: { encryption, reencrypt }, data, log: silentLogger }, data.encryption)

    await assert.rejects(keys.rotate({ forgetOld: true }), { reason: 'ServiceUnavailable', message: full.message })
    assert.match(await readFile(data.encryption, 'utf8'), /key2.*\n.*key1/)
    isFull = false
    assert.equal((await store.reencrypt(readEncryption(data.encryption, await readFile(data.encryption, 'utf8')).encryption)).rows, 1)
  })

  test('use the keys of a given file, which is read again instead of written', async () => {
    const [dir, given] = [join(root, 'given'), join(root, 'keys.yaml')]
    const old = newKey([])
    await writeFile(given, encryptionFileText([old]))
    {
      await using platform = await startTestPlatform(dir, { encryptionFile: given })
      await makeSecret(platform, 'kept')
      assert.ok(!(await readdir(dir)).includes('encryption.yaml'))
      await writeFile(given, encryptionFileText([newKey([old])]))
      const refused = await gantry(dir, 'data', 'rotate-key')
      assert.equal(refused.code, 1)
      assert.match(refused.err, /the keys of .*keys\.yaml were not taken: .* it is encrypted with the key "key1" of aesgcm/)
      await writeFile(given, encryptionFileText([newKey([old]), old]))
      const rotated = await gantry(dir, 'data', 'rotate-key')
      assert.match(rotated.out, /aesgcm key2 of .*keys\.yaml/)
      assert.match((await gantry(dir, 'data', 'rotate-key', '--forget-old')).err, /is not a file of Gantry's own/)
      await writeFile(given, 'kind: Nothing')
      assert.match((await gantry(dir, 'data', 'rotate-key')).err, /the key was not changed: .*keys\.yaml: expected EncryptionConfiguration/)
    }
    await assert.rejects(startTestPlatform(dir, { encryptionFile: given }), /keys\.yaml: expected EncryptionConfiguration/)
    await assert.rejects(startTestPlatform(dir, { encryptionFile: join(root, 'missing.yaml') }), /missing\.yaml does not exist/)
  })
})
