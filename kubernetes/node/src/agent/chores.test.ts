import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import { createFakeCri, fakeImage } from '../cri/testing/fake-cri.ts'
import { containerIn, readySandboxState, runtimeOf } from '../pod/testing/pods.ts'
import { imageGarbageOf } from './image-garbage.ts'
import { rotateLog } from './log-rotation.ts'
import { chooseNodeIP } from './machine-info.ts'
import { nodeStatusOf } from './node-object.ts'
import type { NodeDescription, NodeObservation } from './node-object.ts'
import { podGarbageOf } from './pod-garbage.ts'

test('keeps a log and its last rotations, all but the newest compressed', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-rotation-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const clock = new FakeClock()
  const logPath = join(folder, '0.log')
  for (let i = 0; i < 6; i++) {
    await writeFile(logPath, 'x'.repeat(100))
    await rotateLog({ cri: createFakeCri({ clock }), now: () => clock.now() }, { id: 'c', logPath }, { maxBytes: 100, maxFiles: 4 })
    await clock.advance(1_000)
  }
  await writeFile(logPath, 'short')
  assert.equal(await rotateLog({ cri: createFakeCri({ clock }), now: () => clock.now() }, { id: 'c', logPath }, { maxBytes: 100, maxFiles: 4 }), false)

  assert.deepEqual((await readdir(folder)).sort(), ['0.log', '0.log.20260101-000003.gz', '0.log.20260101-000004.gz', '0.log.20260101-000005'])
})

test('puts a log back when the runtime does not open a new one', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-rotation-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const clock = new FakeClock()
  const cri = createFakeCri({ clock })
  cri.reopenContainerLog = () => Promise.reject(new Error('no'))
  const logPath = join(folder, '0.log')
  await writeFile(logPath, 'x'.repeat(100))

  await assert.rejects(rotateLog({ cri, now: () => clock.now() }, { id: 'c', logPath }, { maxBytes: 100, maxFiles: 4 }), { message: 'no' })
  assert.deepEqual(await readdir(folder), ['0.log'])
})

test('forgets dead containers but the newest, and sandboxes that hold nothing', () => {
  const dead = (restartCount: number): ReturnType<typeof containerIn> => containerIn('exited', { restartCount, sandboxId: restartCount === 0 ? 'old' : 's0' })
  const sandboxes = [readySandboxState, { ...readySandboxState, id: 'old', ready: false }]
  const garbage = podGarbageOf(runtimeOf([containerIn('running', { restartCount: 3 }), dead(2), dead(1), dead(0)], sandboxes))

  assert.deepEqual(
    garbage.containers.map(({ restartCount }) => restartCount),
    [1, 0],
  )
  assert.deepEqual(
    garbage.sandboxes.map(({ id }) => id),
    ['old'],
  )
})

test('removes the images unused longest when the disk is too full, and no more than needed', () => {
  const nowMs = 1_000_000
  const images = [
    { image: fakeImage('used'), lastUsedMs: 0 },
    { image: fakeImage('old'), lastUsedMs: 1 },
    { image: fakeImage('older'), lastUsedMs: 0 },
    { image: fakeImage('new'), lastUsedMs: nowMs },
  ]
  const remove = (availableBytes: number): readonly (string | undefined)[] =>
    imageGarbageOf(images, { diskBytes: 10_000, availableBytes, inUse: new Set(['used']), nowMs }).map(({ repoTags }) => repoTags[0])

  assert.deepEqual(remove(2_000), [])
  assert.deepEqual(remove(1_400), ['older'])
  assert.deepEqual(remove(500), ['older', 'old'])
})

test('chooses an address that others can use', () => {
  const address = (text: string, internal = false): Parameters<typeof chooseNodeIP>[0][string] => [
    { address: text, family: text.includes(':') ? 'IPv6' : 'IPv4', internal, netmask: '', mac: '', cidr: null, scopeid: 0 },
  ]
  const interfaces = { lo: address('127.0.0.1', true), gantry1: address('10.42.0.1'), eth0: address('192.0.2.1'), eth1: address('192.0.2.2') }

  assert.equal(chooseNodeIP(interfaces, 'eth1'), '192.0.2.2')
  assert.equal(chooseNodeIP(interfaces, undefined), '192.0.2.1')
  assert.equal(chooseNodeIP({ lo: address('127.0.0.1', true) }, 'lo'), undefined)
  assert.equal(chooseNodeIP({ eth0: address('2001:db8::1') }, undefined), '2001:db8::1')
})

test('tells of pressure and of a runtime that is down, and keeps the time of the last change', () => {
  const node: NodeDescription = {
    nodeName: 'n',
    podCidr: '10.42.0.0/24',
    nodeIP: '192.0.2.1',
    kubernetesVersion: 'v1',
    labels: {},
    machine: { hostname: 'h', architecture: 'amd64', kernelVersion: '', osImage: '', machineID: '', systemUUID: '', bootID: '', cpus: 2, memoryBytes: 2 ** 30 },
  }
  const seen = (more: Partial<NodeObservation>): NodeObservation => ({
    pressure: { availableMemoryBytes: 2 ** 29, diskBytes: 1_000, availableDiskBytes: 500 },
    runtimeVersion: 'containerd://1',
    images: [],
    problem: undefined,
    nowMs: 0,
    ...more,
  })
  const reasons = (observation: NodeObservation): readonly (readonly [string, string, string | undefined])[] =>
    (nodeStatusOf(node, observation, undefined).conditions ?? []).map(({ type, status, reason }) => [type, status, reason])
  const first = nodeStatusOf(node, seen({}), undefined)
  const later = nodeStatusOf(node, seen({ nowMs: 60_000, problem: 'container runtime is down' }), first)

  assert.deepEqual(reasons(seen({})), [
    ['MemoryPressure', 'False', 'KubeletHasSufficientMemory'],
    ['DiskPressure', 'False', 'KubeletHasNoDiskPressure'],
    ['PIDPressure', 'False', 'KubeletHasSufficientPID'],
    ['Ready', 'True', 'KubeletReady'],
  ])
  assert.deepEqual(reasons(seen({ pressure: { availableMemoryBytes: 1, diskBytes: 1_000, availableDiskBytes: 50 } })).slice(0, 2), [
    ['MemoryPressure', 'True', 'KubeletHasInsufficientMemory'],
    ['DiskPressure', 'True', 'KubeletHasDiskPressure'],
  ])
  assert.deepEqual(
    later.conditions?.map(({ lastTransitionTime }) => lastTransitionTime),
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '1970-01-01T00:00:00Z', '1970-01-01T00:01:00Z'],
  )
  assert.equal(later.conditions?.[3]?.message, 'container runtime is down')
})
