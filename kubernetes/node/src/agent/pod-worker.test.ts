import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import type { KubeObject } from '@gantry/client'
import { fakeImage } from '../cri/testing/fake-cri.ts'
import type { Container } from '../pod/pod.ts'
import { startFakeNode } from './testing/fake-node.ts'
import type { FakeNode } from './testing/fake-node.ts'

const busybox = 'docker.io/library/busybox:1'
const key = { namespace: 'default', name: 'web' }

function named(name: string, more: Partial<Container> = {}): Container {
  return { name, image: 'busybox:1', ...more }
}

async function nodeWithImage(): Promise<FakeNode> {
  const node = await startFakeNode()
  node.cri.images.set(busybox, fakeImage(busybox))
  return node
}

async function isRunning(node: FakeNode): Promise<boolean> {
  return (await node.pod())?.status?.phase === 'Running'
}

/** A second of the node's life: the runtime is looked at once. */
async function second(node: FakeNode, count = 1): Promise<void> {
  for (let i = 0; i < count; i++) {
    await node.clock.advance(1_000)
    await node.settle()
  }
}

test('waits 10 s before the second restart of a crashing container and 20 s before the third', async () => {
  await using node = await nodeWithImage()
  await node.create({ containers: [named('c')] })
  await node.until('running', () => isRunning(node))
  const startsOf = (): number => node.cri.calls.filter((call) => call === 'start c').length

  node.cri.exit('c', 1)
  await node.pass('restarted at once', () => startsOf() === 2)
  for (const [starts, seconds] of [
    [3, 10],
    [4, 20],
  ] as const) {
    node.cri.exit('c', 1)
    const at = node.clock.monotonicMs()
    await node.pass('backing off', async () => (await node.container()).state?.waiting?.reason === 'CrashLoopBackOff')
    const message = (await node.container()).state?.waiting?.message ?? ''
    await node.pass('running again', async () => startsOf() === starts && (await node.container()).state?.running !== undefined)

    assert.ok(message.startsWith(`back-off ${seconds}s restarting failed container=c pod=web_default(`), message)
    assert.ok(node.clock.monotonicMs() - at >= seconds * 1_000)
  }

  assert.equal((await node.container()).restartCount, 3)
})

test('turns a failing pull into ImagePullBackOff, and starts once the image can be had', async () => {
  await using node = await startFakeNode()
  await node.create({ containers: [named('c')] })
  await node.until('failed', async () => (await node.container()).state?.waiting?.reason === 'ErrImagePull')
  await node.pass('backing off', async () => (await node.container()).state?.waiting?.reason === 'ImagePullBackOff')
  node.cri.registry.set(busybox, fakeImage(busybox))
  const pulls = node.cri.calls.length
  await second(node, 8)
  const early = node.cri.calls.length
  await node.pass('running', () => isRunning(node))

  assert.equal(early, pulls)
  assert.ok((await node.events()).includes('Warning Failed Error: ErrImagePull'))
})

test('ends a pod: TERM with what is left of the grace period, then the object goes, then the files', async () => {
  await using node = await nodeWithImage()
  await node.create({ terminationGracePeriodSeconds: 30, containers: [named('c')] })
  await node.until('running', () => isRunning(node))
  await node.client.delete(resources.pods, key)
  await node.until('gone', async () => (await node.pod()) === undefined)
  await node.until('forgotten', () => node.manager.workers.length === 0)

  assert.deepEqual(node.cri.calls.slice(-2), ['stop c 30', 'stop sandbox web'])
  assert.deepEqual(await readdir(join(node.folder, 'pods')), [])
  assert.deepEqual(await readdir(join(node.folder, 'links')), [])
})

test('a shorter grace period ends the longer one', async () => {
  await using node = await nodeWithImage()
  node.cri.deaf.add('c')
  await node.create({ terminationGracePeriodSeconds: 600, containers: [named('c')] })
  await node.until('running', () => isRunning(node))
  await node.client.delete(resources.pods, key)
  await node.until('told to end', () => node.cri.calls.includes('stop c 600'))
  await node.client.delete(resources.pods, key, { gracePeriodSeconds: 5 })
  await node.until('told again', () => node.cri.calls.includes('stop c 5'))
  await node.pass('gone', async () => (await node.pod()) === undefined)

  assert.equal((await node.events()).filter((event) => event === 'Normal Killing Stopping container c').length, 1)
})

test('a pull under way does not hold up the end of a pod', async () => {
  await using node = await startFakeNode()
  const { promise, reject } = Promise.withResolvers<string>()
  node.cri.pullImage = (_image, _auth, options) => {
    options?.signal?.addEventListener('abort', () => reject(options.signal?.reason))
    return promise
  }
  await node.create({ containers: [named('c')] })
  await node.until('pulling', async () => (await node.events()).includes('Normal Pulling Pulling image "busybox:1"'))
  await node.client.delete(resources.pods, key)
  await node.until('gone', async () => (await node.pod()) === undefined)
})

test('ends sidecars after the others, the last one first', async () => {
  await using node = await nodeWithImage()
  const sidecar = { restartPolicy: 'Always' } as const
  await node.create({ initContainers: [named('s1', sidecar), named('s2', sidecar)], containers: [named('a')] })
  await node.until('running', () => isRunning(node))
  await node.client.delete(resources.pods, key)
  await node.until('gone', async () => (await node.pod()) === undefined)

  assert.deepEqual(
    node.cri.calls.filter((call) => call.startsWith('stop ')).map((call) => call.split(' ')[1]),
    ['a', 's2', 's1', 'sandbox'],
  )
})

test('runs a pod to its end once, keeps what it left, and stops its sandbox', async () => {
  await using node = await nodeWithImage()
  await node.create({ restartPolicy: 'Never', containers: [named('a'), named('b')] })
  await node.until('running', () => isRunning(node))
  node.cri.exit('a', 0)
  await second(node)
  node.cri.exit('b', 2)
  await node.pass('failed', async () => (await node.pod())?.status?.phase === 'Failed')
  await second(node, 65)

  assert.deepEqual(node.cri.calls, ['sandbox web', 'create a', 'start a', 'create b', 'start b', 'stop sandbox web'])
  assert.deepEqual(
    (await node.pod())?.status?.containerStatuses?.map(({ state }) => state?.terminated?.exitCode),
    [0, 2],
  )
})

test('makes a new sandbox when the old one has died, and restarts the containers in it', async () => {
  await using node = await nodeWithImage()
  await node.create({ containers: [named('c')] })
  await node.until('running', () => isRunning(node))
  const [sandbox] = await node.cri.listPodSandboxes()
  await node.cri.stopPodSandbox(sandbox?.id ?? '')
  await node.pass('started again', async () => (await node.container()).restartCount === 1)

  assert.ok((await node.events()).includes('Normal SandboxChanged Pod sandbox changed, it will be killed and re-created.'))
  assert.notEqual((await node.pod())?.status?.podIP, '10.42.0.1')
})

test('readiness follows its probe, liveness restarts', async () => {
  await using node = await nodeWithImage()
  let answer: 'success' | 'failure' = 'failure'
  let alive = true
  node.io = { ...node.io, http: () => Promise.resolve({ kind: answer, message: 'HTTP probe failed with statuscode: 503' }) }
  node.cri.exec = () => ({ stdout: Buffer.alloc(0), stderr: Buffer.from('dead'), exitCode: alive ? 0 : 1 })
  const probes = {
    readinessProbe: { httpGet: { port: 80, path: '/' }, periodSeconds: 5 },
    livenessProbe: { exec: { command: ['check'] }, periodSeconds: 2, failureThreshold: 2 },
  }
  await node.create({ terminationGracePeriodSeconds: 3, containers: [named('c', probes)] })
  await node.until('running', () => isRunning(node))
  await node.clock.advance(0)
  await node.settle()
  const before = (await node.container()).ready
  answer = 'success'
  await node.pass('ready', async () => (await node.container()).ready)
  alive = false
  await node.pass('restarted', async () => (await node.container()).restartCount === 1)

  const events = await node.events()
  assert.equal(before, false)
  assert.ok(events.includes('Warning Unhealthy Readiness probe failed: HTTP probe failed with statuscode: 503'))
  assert.ok(events.includes('Warning Unhealthy Liveness probe failed: dead'))
  assert.ok(events.includes('Normal Killing Container c failed liveness probe, will be restarted'))
})

test('a startup probe holds the others back', async () => {
  await using node = await nodeWithImage()
  let started = false
  let readinessAsked = 0
  node.cri.exec = (_name, [what]) => {
    if (what === 'ready') readinessAsked++
    return { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), exitCode: what === 'ready' || started ? 0 : 1 }
  }
  const probe = (command: string): Container['startupProbe'] & object => ({ exec: { command: [command] }, periodSeconds: 1, failureThreshold: 10 })
  await node.create({ containers: [named('c', { startupProbe: probe('up'), readinessProbe: probe('ready') })] })
  await node.until('running', () => isRunning(node))
  await second(node, 3)
  const askedBefore = readinessAsked
  started = true
  await node.pass('ready', async () => (await node.container()).ready)

  assert.equal(askedBefore, 0)
  assert.equal((await node.container()).started, true)
})

test('follows a config map into a running pod within its minute', async () => {
  await using node = await nodeWithImage()
  const configMap: KubeObject & { data: Record<string, string> } = { metadata: { namespace: 'default', name: 'settings' }, data: { a: '1' } }
  await node.client.create(resources.configMaps, configMap)
  const pod = await node.create({
    containers: [named('c', { volumeMounts: [{ name: 'v', mountPath: '/v' }] })],
    volumes: [{ name: 'v', configMap: { name: 'settings' } }],
  })
  await node.until('running', () => isRunning(node))
  await node.client.update(resources.configMaps, { ...configMap, data: { b: '2' } })
  const volume = join(node.folder, 'pods', pod.metadata.uid ?? '', 'volumes', 'v')

  const names = async (): Promise<readonly string[]> => (await readdir(volume)).filter((name) => !name.startsWith('..'))
  await node.pass('exactly what it holds now', async () => (await names()).join() === 'b')
})

test('says which volume cannot be set up, and sets it up later', async () => {
  await using node = await nodeWithImage()
  await node.create({ containers: [named('c')], volumes: [{ name: 'v', configMap: { name: 'settings' } }] })
  await node.until('told', async () =>
    (await node.events()).includes('Warning FailedMount MountVolume.SetUp failed for volume "v" : configmap "settings" not found'),
  )
  const configMap: KubeObject & { data: Record<string, string> } = { metadata: { namespace: 'default', name: 'settings' }, data: { a: '1' } }
  await node.client.create(resources.configMaps, configMap)
  await node.pass('running', () => isRunning(node))
})
