import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { slowStart } from '../slow-start.ts'
import { startTestCluster } from '../test-cluster.ts'
import { byDeletionOrder } from './deletion-order.ts'
import { createReplicaSetController } from './replica-set-controller.ts'
import type { Pod, PodSpec, PodStatus, ReplicaSet, ReplicaSetSpec } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

function replicaSet(spec: Partial<ReplicaSetSpec> = {}): ReplicaSet {
  return {
    metadata: { name: 'web', namespace: 'a' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
      ...spec,
    },
  }
}

const start = (): Promise<TestCluster> => startTestCluster((deps) => createReplicaSetController(deps))

function statusOf(cluster: TestCluster): unknown {
  return cluster.api.find<ReplicaSet>(resources.replicaSets, 'web', 'a')?.status
}

test('creates what is missing, deletes what is too much, and reports', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.replicaSets, replicaSet())
  await cluster.settle()
  await cluster.runPods()
  assert.deepEqual(statusOf(cluster), {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    terminatingReplicas: 0,
    observedGeneration: 1,
  })

  await cluster.api.patch(resources.replicaSets, { namespace: 'a', name: 'web' }, { type: 'merge', body: { spec: { replicas: 1 } } })
  await cluster.settle()

  assert.equal(cluster.api.all(resources.pods).length, 1)
  assert.deepEqual(statusOf(cluster), {
    replicas: 1,
    fullyLabeledReplicas: 1,
    readyReplicas: 1,
    availableReplicas: 1,
    terminatingReplicas: 0,
    observedGeneration: 2,
  })
  assert.equal(cluster.events().filter((event) => event.startsWith('SuccessfulCreate Created pod: web-')).length, 3)
  assert.equal(cluster.events().filter((event) => event.startsWith('SuccessfulDelete Deleted pod: web-')).length, 2)
})

test('replaces a pod that was deleted or has failed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.replicaSets, replicaSet())
  await cluster.settle()
  await cluster.runPods()
  const [first, second] = cluster.api.all<Pod>(resources.pods)

  await cluster.api.delete(resources.pods, { namespace: 'a', name: first?.metadata.name ?? '' })
  await cluster.api.patch(
    resources.pods,
    { namespace: 'a', name: second?.metadata.name ?? '' },
    { type: 'merge', subresource: 'status', body: { status: { phase: 'Failed' } } },
  )
  await cluster.settle()

  const active = cluster.api.all<Pod>(resources.pods).filter((pod) => pod.status?.phase !== 'Failed')
  assert.equal(active.length, 3)
})

test('never makes more pods than wanted while its cache lags behind its own writes', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.replicaSets, replicaSet({ replicas: 40 }))
  await cluster.settle()

  assert.equal(cluster.api.writes.filter((write) => write.verb === 'create' && write.resource === 'pods').length, 40)
})

test('counts a pod as available only after minReadySeconds', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.replicaSets, replicaSet({ minReadySeconds: 10 }))
  await cluster.settle()
  await cluster.runPods()
  assert.deepEqual(statusOf(cluster), { replicas: 3, fullyLabeledReplicas: 3, readyReplicas: 3, terminatingReplicas: 0, observedGeneration: 1 })

  await cluster.clock.advance(11_000)
  await cluster.settle()

  assert.deepEqual(statusOf(cluster), {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    terminatingReplicas: 0,
    observedGeneration: 1,
  })
})

test('adopts a matching orphan and releases a pod whose labels have changed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, { metadata: { name: 'orphan', namespace: 'a', labels: { app: 'web' } }, spec: { containers: [] } } as Pod)
  await cluster.api.create(resources.replicaSets, replicaSet())
  await cluster.settle()
  assert.equal(cluster.api.all(resources.pods).length, 3)
  assert.equal(cluster.api.find(resources.pods, 'orphan', 'a')?.metadata.ownerReferences?.[0]?.name, 'web')

  await cluster.api.patch(resources.pods, { namespace: 'a', name: 'orphan' }, { type: 'merge', body: { metadata: { labels: { app: 'other' } } } })
  await cluster.settle()

  assert.deepEqual(cluster.api.find(resources.pods, 'orphan', 'a')?.metadata.ownerReferences, [])
  assert.equal(cluster.api.all(resources.pods).length, 4)
})

test('leaves its pods alone while it is being deleted', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.replicaSets, { ...replicaSet(), metadata: { name: 'web', namespace: 'a', finalizers: ['foregroundDeletion'] } })
  await cluster.settle()
  await cluster.api.delete(resources.replicaSets, { namespace: 'a', name: 'web' })
  await cluster.settle()
  const [pod] = cluster.api.all<Pod>(resources.pods)

  await cluster.api.delete(resources.pods, { namespace: 'a', name: pod?.metadata.name ?? '' })
  await cluster.settle()

  assert.equal(cluster.api.all(resources.pods).length, 2)
})

test('slow start tries 1, 2, 4 … and stops at the first failing batch', async () => {
  let calls = 0
  const result = await slowStart(100, async () => {
    calls++
    if (calls > 3) throw new Error('quota')
  })

  assert.equal(calls, 7)
  assert.equal(result.succeeded, 3)
  assert.match(String(result.error), /quota/)
  assert.deepEqual(await slowStart(0, () => Promise.reject(new Error('never'))), { succeeded: 0, error: undefined })
})

const now = new Date('2026-01-01T10:00:00Z')
const ago = (minutes: number): string => new Date(now.getTime() - minutes * 60_000).toISOString()
function pod(name: string, parts: { spec?: Partial<PodSpec>; status?: PodStatus; cost?: string; created?: string } = {}): Pod {
  return {
    metadata: {
      name,
      uid: name,
      creationTimestamp: parts.created ?? ago(60),
      ...(parts.cost === undefined ? {} : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': parts.cost } }),
    },
    spec: { containers: [], nodeName: 'n', ...parts.spec },
    status: parts.status ?? ready(60),
  }
}
function ready(minutes: number, more: PodStatus = {}): PodStatus {
  return { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(minutes) }], ...more }
}

test('deletes in the order unassigned, pending, not ready, cheap, crowded, young, restarting', () => {
  const pods = [
    { pod: pod('old'), rank: 1 },
    { pod: pod('restarting', { status: ready(60, { containerStatuses: [{ name: 'c', restartCount: 9, ready: true, image: '', imageID: '' }] }) }), rank: 1 },
    { pod: pod('young', { status: ready(1) }), rank: 1 },
    { pod: pod('crowded'), rank: 3 },
    { pod: pod('cheap', { cost: '-5' }), rank: 1 },
    { pod: pod('not-ready', { status: { phase: 'Running' } }), rank: 1 },
    { pod: pod('pending', { status: { phase: 'Pending' } }), rank: 1 },
    { pod: { ...pod('unassigned', { status: { phase: 'Pending' } }), spec: { containers: [] } }, rank: 1 },
  ]

  assert.deepEqual(
    pods.toSorted(byDeletionOrder(now)).map((ranked) => ranked.pod.metadata.name),
    ['unassigned', 'pending', 'not-ready', 'cheap', 'crowded', 'young', 'restarting', 'old'],
  )
})
