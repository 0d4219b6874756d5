import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createPodGcController } from './pod-gc-controller.ts'
import type { Pod } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

const start = (): Promise<TestCluster> => startTestCluster((deps) => createPodGcController(deps))
const pod = (name: string, nodeName?: string): Pod => ({
  metadata: { name, namespace: 'a' },
  spec: { containers: [], ...(nodeName === undefined ? {} : { nodeName }) },
})
const names = (cluster: TestCluster): (string | undefined)[] => cluster.api.all(resources.pods).map((one) => one.metadata.name)

test('removes the pods of a node that is gone, after it has been missing for a while', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.nodes, { metadata: { name: 'here' } })
  await cluster.api.create(resources.pods, pod('kept', 'here'))
  await cluster.api.create(resources.pods, pod('lost', 'gone'))
  await cluster.api.create(resources.pods, pod('waiting'))

  await cluster.clock.advance(45_000)
  await cluster.settle()
  assert.deepEqual(names(cluster), ['kept', 'lost', 'waiting'])

  await cluster.clock.advance(40_000)
  await cluster.settle()
  assert.deepEqual(names(cluster), ['kept', 'waiting'])
  const marked = cluster.api.writes.find((write) => write.subresource === 'status')?.body as Pod | undefined
  assert.equal(marked?.status?.phase, 'Failed')
  assert.equal(marked?.status?.conditions?.[0]?.reason, 'DeletionByPodGC')
})

test('does not touch the pods of a node that comes back in time', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, pod('kept', 'late'))
  await cluster.clock.advance(30_000)
  await cluster.api.create(resources.nodes, { metadata: { name: 'late' } })
  await cluster.clock.advance(100_000)
  await cluster.settle()

  assert.deepEqual(names(cluster), ['kept'])
})

test('removes a deleted pod that never had a node', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, { ...pod('stuck'), metadata: { name: 'stuck', namespace: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' } })
  await cluster.clock.advance(25_000)
  await cluster.settle()

  assert.deepEqual(names(cluster), [])
})

test('keeps as many finished pods as the limit says, the newest', async () => {
  await using cluster = await startTestCluster((deps) => createPodGcController(deps, { mostTerminated: 2 }))
  for (const name of ['oldest', 'older', 'newer', 'newest']) {
    await cluster.api.create(resources.pods, { ...pod(name), status: { phase: 'Succeeded' } })
    await cluster.clock.advance(1000)
  }
  await cluster.api.create(resources.pods, pod('running'))
  await cluster.clock.advance(25_000)
  await cluster.settle()

  assert.deepEqual(names(cluster), ['newer', 'newest', 'running'])
})
