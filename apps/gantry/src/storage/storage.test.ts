import assert from 'node:assert/strict'
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { silentLogger, systemClock } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { createMemoryStore, verifyDataFile } from '@gantry/storage'
import { openDataDir } from '../data-dir.ts'
import type { Platform } from '../platform.ts'
import { Backups } from './backups.ts'
import { gantry, startTestPlatform } from '../testing/test-platform.ts'

let root = ''
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'gantry-storage-'))
})
after(() => rm(root, { recursive: true }))

const configMaps = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }

async function hubOf(platform: Platform) {
  return connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })
}

test('a backup of the running platform becomes another one: objects, users and kubeconfigs are good there', async () => {
  const [first, second, file] = [join(root, 'first'), join(root, 'second'), join(root, 'backup.db')]
  let certificate = ''
  {
    await using platform = await startTestPlatform(first)
    await using connection = await hubOf(platform)
    await connection.hub.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kept', namespace: 'default' },
      data: { a: '1' },
    } as never)
    const made = await gantry(first, 'backup', '--to', file)
    await connection.hub.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later', namespace: 'default' } })
    certificate = await readFile(join(first, 'tls/ca.crt'), 'utf8')

    assert.equal(made.code, 0)
    assert.match(
      made.err,
      /^Secrets in it are encrypted with the key "key1" of aesgcm: nobody can read them without encryption\.yaml of the platform, so keep a copy/,
    )
    assert.match(made.out, /backup\.db: \d+ objects at revision \d+, .* MiB, every checksum compared/)
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    const again = await gantry(first, 'backup', '--to', file)
    assert.deepEqual([again.code, again.err], [1, `error: ${file} is there already: choose another name\n`])
    const status = await gantry(first, 'status')
    assert.match(status.out, /writes +are saved\nSecrets .*\n.*\nlast backup +\S+: \d+ objects, .* taken away by a client/)
    const running = await gantry(first, 'restore', '--from', file)
    assert.match(running.err, /gantry\.db is there already, of a Gantry that runs or has run: stop it/)
    assert.deepEqual(
      (await readdir(first)).filter((name) => name.startsWith('backup')),
      [],
    )
  }

  const restored = await gantry(second, 'restore', '--from', file)

  assert.equal(restored.code, 0)
  assert.match(
    restored.err,
    /^Secrets in it are encrypted with the key "key1" of aesgcm: put encryption\.yaml of the platform that they are from to .*second\/encryption\.yaml before the start\n$/,
  )
  await assert.rejects(
    startTestPlatform(second),
    /cannot be read: it is encrypted with the key "key1" of aesgcm\. Put the key that it was written with back into .*second\/encryption\.yaml/,
  )
  assert.ok(!(await readdir(second)).includes('encryption.yaml'))
  await copyFile(join(first, 'encryption.yaml'), join(second, 'encryption.yaml'))
  await using platform = await startTestPlatform(second)
  await using connection = await hubOf(platform)
  assert.equal(await readFile(join(second, 'tls/ca.crt'), 'utf8'), certificate)
  assert.equal((await connection.hub.get(configMaps, { namespace: 'default', name: 'kept' })).metadata.name, 'kept')
  await assert.rejects(connection.hub.get(configMaps, { namespace: 'default', name: 'later' }), /not found/)
  const { metadata } = await connection.hub.list(configMaps)
  assert.ok(Number(metadata.resourceVersion) > 1_000_000_000)
})

test('a backup of a stopped platform is made from its folder; a damaged one is salvaged, by name', async () => {
  const [dir, rescued, file] = [join(root, 'stopped'), join(root, 'rescued'), join(root, 'stopped.db')]
  {
    await using platform = await startTestPlatform(dir)
    await using connection = await hubOf(platform)
    await connection.hub.create(configMaps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'broken', namespace: 'default' },
      data: { text: 'recognizable '.repeat(50) },
    } as never)
  }
  const made = await gantry(dir, 'backup', '--to', file, '--with-keys')
  assert.deepEqual([made.code, made.err], [0, 'the backup holds its own keys (the key "key1" of aesgcm): whoever has it reads every Secret\n'])
  assert.match(made.out, /Gantry is not running/)
  const bytes = await readFile(file)
  for (let at = bytes.indexOf('recognizable'); at !== -1; at = bytes.indexOf('recognizable', at + 1)) bytes[at]! ^= 1
  await writeFile(file, bytes)

  const refused = await gantry(rescued, 'restore', '--from', file)
  const salvaged = await gantry(rescued, 'salvage', '--from', file)

  assert.equal(refused.code, 1)
  assert.match(refused.err, /1 object cannot be read as written: core\/configmaps\/default\/broken/)
  assert.equal(salvaged.code, 0)
  assert.match(
    salvaged.err,
    /^1 object is lost, among them \/registry\/core\/configmaps\/default\/broken\nSecrets in it are encrypted with the key "key1" of aesgcm: put encryption\.yaml /,
  )
  await copyFile(join(dir, 'encryption.yaml'), join(rescued, 'encryption.yaml'))
  await using platform = await startTestPlatform(rescued)
  await using connection = await hubOf(platform)
  await assert.rejects(connection.hub.get(configMaps, { namespace: 'default', name: 'broken' }), /not found/)
})

test('scheduled backups keep as many as they should and leave other files alone', async () => {
  const [dir, clock] = [join(root, 'scheduled'), new FakeClock()]
  const store = createMemoryStore()
  await store.put('/a', 0, () => Buffer.from('1'))
  const data = await openDataDir(join(root, 'data'))
  await using backups = new Backups({ store, keys: { file: '', encryption: { source: '', rules: [] } }, data, clock, log: silentLogger })
  backups.schedule({ dir, everyMs: 3_600_000, keep: 2 })

  const made: (string | undefined)[] = []
  for (let hour = 0; hour < 4; hour++) {
    while (backups.last === undefined || made.includes(backups.last.time)) await clock.advance(600_000)
    made.push(backups.last.time)
    assert.equal(backups.last.error, undefined)
    if (hour === 0) await writeFile(join(dir, 'notes.txt'), 'mine')
  }
  while ((await readdir(dir)).length > 3) await settle()

  const left = (await readdir(dir)).toSorted()
  assert.equal(left.at(-1), 'notes.txt')
  assert.equal(left.length, 3)
  for (const name of left.slice(0, 2)) assert.equal(verifyDataFile(join(dir, name)).rows, 1)
})
