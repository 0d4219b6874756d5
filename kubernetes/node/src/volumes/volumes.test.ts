import assert from 'node:assert/strict'
import { mkdtemp, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { createFakeIds } from '@gantry/runtime/testing'
import type { ConfigSource } from '../pod/environment.ts'
import type { Volume, VolumeMount } from '../pod/pod.ts'
import { containerNamed, podWith } from '../pod/testing/pods.ts'
import { writeAtomically } from './atomic-writer.ts'
import { mountsOf, setUpVolumes } from './pod-volumes.ts'
import { volumeFilesOf } from './volume-files.ts'
import type { VolumeFiles } from './volume-files.ts'

async function folderFor(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-volumes-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const source: ConfigSource = {
  configMap: (name) => Promise.resolve(name === 'settings' ? { data: { a: 'one', b: 'two' }, binaryData: { c: Buffer.from([255]) } } : undefined),
  secret: (name) => Promise.resolve(name === 'keys' ? { type: 'Opaque', data: { k: Buffer.from('hush') } } : undefined),
}
const input = {
  pod: podWith({}, { metadata: { annotations: { b: 'x"y', a: '1' } } }),
  source,
  addresses: { hostIPs: [], podIPs: [] },
  capacity: { cpuMilli: 1_000, memoryBytes: 1, ephemeralStorageBytes: 1 },
  token: () => Promise.resolve('a token'),
}
const deps = { ids: createFakeIds(), run: () => Promise.reject(new Error('no programs here')) }

function filesOf(volume: Omit<Volume, 'name'>): Promise<VolumeFiles> {
  return volumeFilesOf({ ...input, volume: { name: 'v', ...volume } })
}

function textsOf(files: VolumeFiles): Readonly<Record<string, string>> {
  return Object.fromEntries([...files].map(([path, { content, mode }]) => [path, `${content.toString('latin1')} ${mode.toString(8)}`]))
}

test('gives the keys of a config map, or those that are picked', async () => {
  assert.deepEqual(textsOf(await filesOf({ configMap: { name: 'settings' } })), { a: 'one 644', b: 'two 644', c: 'ÿ 644' })
  assert.deepEqual(textsOf(await filesOf({ configMap: { name: 'settings', defaultMode: 0o600, items: [{ key: 'a', path: 'x/y', mode: 0o400 }] } })), {
    'x/y': 'one 400',
  })
})

test('puts several sources into one projected volume', async () => {
  const files = await filesOf({
    projected: {
      sources: [
        { configMap: { name: 'settings', items: [{ key: 'a', path: 'a' }] } },
        { secret: { name: 'keys' } },
        { downwardAPI: { items: [{ path: 'notes', fieldRef: { fieldPath: 'metadata.annotations' } }] } },
        { serviceAccountToken: { path: 'token' } },
      ],
    },
  })

  assert.deepEqual(textsOf(files), { a: 'one 644', k: 'hush 644', notes: 'a="1"\nb="x\\"y" 644', token: 'a token 600' })
})

const problems: readonly (readonly [Omit<Volume, 'name'>, string])[] = [
  [{ configMap: { name: 'none' } }, 'configmap "none" not found'],
  [{ secret: { secretName: 'none' } }, 'secret "none" not found'],
  [{ configMap: { name: 'settings', items: [{ key: 'z', path: 'z' }] } }, 'references non-existent config key: z'],
  [{ secret: { secretName: 'keys', items: [{ key: 'z', path: 'z' }] } }, 'references non-existent secret key: z'],
  [{ configMap: { name: 'settings', items: [{ key: 'a', path: '../a' }] } }, 'invalid path "../a"'],
]

for (const [volume, message] of problems) {
  test(`refuses a volume with: ${message}`, async () => {
    await assert.rejects(filesOf(volume), { message })
  })
}

test('leaves an optional source empty', async () => {
  assert.equal((await filesOf({ secret: { secretName: 'none', optional: true } })).size, 0)
})

test('swaps all files of a volume at once and tells whether anything changed', async (context) => {
  const folder = await folderFor(context)
  const files = (content: Readonly<Record<string, string>>): { files: VolumeFiles } => ({
    files: new Map(Object.entries(content).map(([path, text]) => [path, { content: Buffer.from(text), mode: 0o640 }])),
  })

  assert.equal(await writeAtomically(deps, folder, files({ a: '1', 'd/e': '2' })), true)
  const first = await readlink(join(folder, '..data'))
  assert.equal(await writeAtomically(deps, folder, files({ a: '1', 'd/e': '2' })), false)
  assert.equal(await readlink(join(folder, 'd')), '..data/d')
  assert.equal((await stat(join(folder, 'a'))).mode & 0o777, 0o640)

  assert.equal(await writeAtomically(deps, folder, files({ a: '3' })), true)
  assert.equal(await readFile(join(folder, 'a'), 'utf8'), '3')
  assert.notEqual(await readlink(join(folder, '..data')), first)
  await assert.rejects(stat(join(folder, 'd')), { code: 'ENOENT' })
  await assert.rejects(stat(join(folder, first)), { code: 'ENOENT' })
})

test('names the volume that cannot be set up', async (context) => {
  const folder = await folderFor(context)
  const pod = podWith({ volumes: [{ name: 'v', configMap: { name: 'none' } }] })

  await assert.rejects(setUpVolumes(deps, folder, { ...input, pod }), { message: 'MountVolume.SetUp failed for volume "v" : configmap "none" not found' })
})

test('checks what a host path has to be', async (context) => {
  const folder = await folderFor(context)
  const setUp = (path: string, type: string): Promise<unknown> =>
    setUpVolumes(deps, folder, { ...input, pod: podWith({ volumes: [{ name: 'v', hostPath: { path, type } }] }) })
  await writeFile(join(folder, 'file'), '')

  await setUp(join(folder, 'file'), 'File')
  await setUp(join(folder, 'new', 'folder'), 'DirectoryOrCreate')
  assert.ok((await stat(join(folder, 'new', 'folder'))).isDirectory())
  await assert.rejects(setUp(join(folder, 'file'), 'Directory'), /hostPath type check failed: .*\/file is not a directory/)
  await assert.rejects(setUp(join(folder, 'none'), 'Socket'), /is not a socket file/)
})

test('mounts part of a volume, and nothing outside it', async (context) => {
  const folder = await folderFor(context)
  await writeFile(join(folder, 'a'), '')
  await symlink('/etc', join(folder, 'out'))
  const mount = (more: Partial<VolumeMount>): ReturnType<typeof mountsOf> =>
    mountsOf(containerNamed('c', { volumeMounts: [{ name: 'v', mountPath: '/m', ...more }] }), {
      pod: podWith(),
      places: new Map([['v', folder]]),
      environment: new Map([['NAME', 'made']]),
    })

  assert.equal((await mount({ subPath: 'a', readOnly: true }))[0]?.hostPath, join(folder, 'a'))
  assert.equal((await mount({ subPathExpr: '$(NAME)/x' }))[0]?.hostPath, join(folder, 'made', 'x'))
  await assert.rejects(mount({ subPath: 'out' }), /outside of the volume/)
  await assert.rejects(mount({ subPath: 'out/new' }), /outside of the volume/)
  await assert.rejects(mount({ subPath: '../x' }), /must not contain/)
  await assert.rejects(mount({ subPathExpr: '$(NONE)' }), /missing value for "NONE"/)
  await assert.rejects(mount({ name: 'w' }), /cannot find volume "w" to mount into container "c"/)
})
