import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createDisruptionController } from './disruption-controller.ts'
import type { Pod, PodDisruptionBudget, PodDisruptionBudgetSpec, ReplicaSet } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

const start = (): Promise<TestCluster> => startTestCluster((deps) => createDisruptionController(deps))
const selector = { matchLabels: { app: 'web' } }
const budget = (spec: PodDisruptionBudgetSpec): PodDisruptionBudget => ({ metadata: { name: 'b', namespace: 'a', generation: 1 }, spec: { selector, ...spec } })
const pod = (name: string, more: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name, namespace: 'a', labels: { app: 'web' }, ...more },
  spec: { containers: [] },
  status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] },
})
const statusOf = ({ api }: TestCluster): NonNullable<PodDisruptionBudget['status']> =>
  api.find<PodDisruptionBudget>(resources.podDisruptionBudgets, 'b', 'a')?.status ?? {}
const numbersOf = (cluster: TestCluster): unknown[] => {
  const { expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed } = statusOf(cluster)
  return [expectedPods, desiredHealthy, currentHealthy, disruptionsAllowed]
}

test('allows what is ready beyond what has to stay, and follows the pods', async () => {
  await using cluster = await start()
  for (const name of ['one', 'two', 'three']) await cluster.api.create(resources.pods, pod(name))
  await cluster.api.create(resources.podDisruptionBudgets, budget({ minAvailable: 2 }))
  await cluster.settle()
  assert.deepEqual(numbersOf(cluster), [3, 2, 3, 1])
  assert.deepEqual([statusOf(cluster).observedGeneration, statusOf(cluster).conditions?.[0]?.reason], [1, 'SufficientPods'])

  await cluster.api.delete(resources.pods, { namespace: 'a', name: 'three' }, { gracePeriodSeconds: 0 })
  await cluster.settle()
  assert.deepEqual(numbersOf(cluster), [2, 2, 2, 0])
  assert.equal(statusOf(cluster).conditions?.[0]?.reason, 'InsufficientPods')
})

test('takes a percentage of what the owner wants, rounded up', async () => {
  await using cluster = await start()
  const web = await cluster.api.create<ReplicaSet>(resources.replicaSets, {
    metadata: { name: 'web', namespace: 'a' },
    spec: { replicas: 5, selector, template: { spec: { containers: [] } } },
  })
  const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: web.metadata.uid ?? '', controller: true }
  for (const name of ['one', 'two', 'three', 'four']) await cluster.api.create(resources.pods, pod(name, { ownerReferences: [owner] }))

  await cluster.api.create(resources.podDisruptionBudgets, budget({ maxUnavailable: '30%' }))
  await cluster.settle()

  assert.deepEqual(numbersOf(cluster), [5, 3, 4, 1])
})

test('allows nothing while the size of an owner is not known, and says why', async () => {
  await using cluster = await start()
  const owner = { apiVersion: 'example.dev/v1', kind: 'Widget', name: 'w', uid: 'u', controller: true }
  await cluster.api.create(resources.pods, pod('one', { ownerReferences: [owner] }))
  await cluster.api.create(resources.podDisruptionBudgets, budget({ maxUnavailable: 1 }))
  await cluster.settle()

  const { disruptionsAllowed, conditions } = statusOf(cluster)
  assert.deepEqual([disruptionsAllowed, conditions?.[0]?.reason, conditions?.[0]?.message], [0, 'SyncFailed', 'found no controllers for pod "one"'])
})

test('counts an evicted pod again that has not started to leave within two minutes', async () => {
  await using cluster = await start()
  for (const name of ['one', 'two']) await cluster.api.create(resources.pods, pod(name))
  await cluster.api.create(resources.podDisruptionBudgets, budget({ minAvailable: 1 }))
  await cluster.settle()
  const evictedAt = cluster.clock.now().toISOString()
  await cluster.api.patch(
    resources.podDisruptionBudgets,
    { namespace: 'a', name: 'b' },
    { type: 'merge', subresource: 'status', body: { status: { disruptionsAllowed: 0, disruptedPods: { one: evictedAt } } } },
  )
  await cluster.settle()
  assert.deepEqual(numbersOf(cluster), [2, 1, 1, 0])

  await cluster.clock.advance(121_000)
  await cluster.settle()
  assert.deepEqual([...numbersOf(cluster), statusOf(cluster).disruptedPods], [2, 1, 2, 1, undefined])
})
