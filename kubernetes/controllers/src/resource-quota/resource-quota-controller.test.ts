import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createResourceQuotaController } from './resource-quota-controller.ts'
import type { KubeObject } from '@gantry/client'
import type { Pod, ResourceQuota } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

const start = (): Promise<TestCluster> => startTestCluster((deps) => createResourceQuotaController(deps))
const quota = (hard: Record<string, string>, more: NonNullable<ResourceQuota['spec']> = {}): ResourceQuota => ({
  metadata: { name: 'q', namespace: 'a' },
  spec: { hard, ...more },
})
const pod = (name: string, more: Partial<Pod['spec']> = {}): Pod => ({
  metadata: { name, namespace: 'a' },
  spec: { containers: [{ name: 'app', image: 'app:1', resources: { requests: { cpu: '250m' }, limits: { memory: '64Mi' } } }], ...more },
})
const statusOf = ({ api }: TestCluster): unknown => api.find<ResourceQuota>(resources.resourceQuotas, 'q', 'a')?.status
/** Past the time in which what goes together is collected. */
const pass = async (cluster: TestCluster, ms = 200): Promise<void> => {
  await cluster.clock.advance(ms)
  await cluster.settle()
}

test('counts what is there when a quota is made', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, pod('one'))
  await cluster.api.create(resources.pods, pod('two', { initContainers: [{ name: 'first', image: 'a', resources: { requests: { cpu: '1' } } }] }))
  await cluster.api.create(resources.pods, { ...pod('elsewhere'), metadata: { name: 'elsewhere', namespace: 'b' } })
  await cluster.api.create(resources.services, {
    metadata: { name: 's', namespace: 'a' },
    spec: { type: 'NodePort', ports: [{ port: 80 }, { port: 81 }] },
  } as KubeObject)

  await cluster.api.create(
    resources.resourceQuotas,
    quota({ pods: '10', 'requests.cpu': '4', 'limits.memory': '1Gi', 'services.nodeports': '3', persistentvolumeclaims: '2' }),
  )
  await cluster.settle()

  assert.deepEqual(statusOf(cluster), {
    hard: { pods: '10', 'requests.cpu': '4', 'limits.memory': '1Gi', 'services.nodeports': '3', persistentvolumeclaims: '2' },
    used: { 'limits.memory': '128Mi', persistentvolumeclaims: '0', pods: '2', 'requests.cpu': '1250m', 'services.nodeports': '2' },
  })
})

test('gives back what has gone or ended, and follows a new limit', async () => {
  await using cluster = await start()
  for (const name of ['one', 'two', 'three']) await cluster.api.create(resources.pods, pod(name))
  await cluster.api.create(resources.resourceQuotas, quota({ pods: '3', 'count/pods': '5' }))
  await cluster.settle()

  await cluster.api.delete(resources.pods, { namespace: 'a', name: 'one' }, { gracePeriodSeconds: 0 })
  await cluster.api.patch(resources.pods, { namespace: 'a', name: 'two' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Succeeded' } } })
  await pass(cluster)
  assert.deepEqual(statusOf(cluster), { hard: { pods: '3', 'count/pods': '5' }, used: { pods: '1', 'count/pods': '2' } })

  await cluster.api.patch(
    resources.resourceQuotas,
    { namespace: 'a', name: 'q' },
    { type: 'merge', body: { spec: { hard: { pods: '7', 'count/pods': null } } } },
  )
  await cluster.settle()
  assert.deepEqual(statusOf(cluster), { hard: { pods: '7' }, used: { pods: '1' } })
})

test('counts only the pods in its scopes, and a pod that leaves them no longer', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, pod('endless'))
  await cluster.api.create(resources.pods, pod('job', { activeDeadlineSeconds: 60 }))
  await cluster.api.create(resources.resourceQuotas, quota({ pods: '3' }, { scopes: ['NotTerminating'] }))
  await cluster.settle()
  assert.deepEqual(statusOf(cluster), { hard: { pods: '3' }, used: { pods: '1' } })

  await cluster.api.patch(resources.pods, { namespace: 'a', name: 'endless' }, { type: 'merge', body: { spec: { activeDeadlineSeconds: 5 } } })
  await pass(cluster)
  assert.deepEqual(statusOf(cluster), { hard: { pods: '3' }, used: { pods: '0' } })
})

test('counts objects of any kind that is served, and waits for one that is not yet', async () => {
  await using cluster = await start()
  const widgets = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }
  await cluster.api.create(widgets, { metadata: { name: 'w', namespace: 'a' } })
  await cluster.api.create(resources.configMaps, { metadata: { name: 'c', namespace: 'a' } })
  const serve = (...served: (typeof widgets)[]): void => {
    cluster.api.serve = ({ path }) =>
      Promise.resolve({ status: 200, headers: {}, body: JSON.stringify({ items: path === '/apis' ? served.map(groupOf) : [groupOf(resources.configMaps)] }) })
  }
  serve()
  await cluster.api.create(resources.resourceQuotas, quota({ 'count/widgets.example.dev': '5', configmaps: '2' }))
  await cluster.settle()
  assert.deepEqual(statusOf(cluster), { hard: { 'count/widgets.example.dev': '5', configmaps: '2' }, used: { configmaps: '1' } })

  serve(widgets)
  await pass(cluster, 35_000)
  assert.deepEqual(statusOf(cluster), {
    hard: { 'count/widgets.example.dev': '5', configmaps: '2' },
    used: { configmaps: '1', 'count/widgets.example.dev': '1' },
  })
})

test('mends a status that is wrong within minutes, and writes nothing when it is right', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.pods, pod('one'))
  await cluster.api.create(resources.resourceQuotas, quota({ pods: '3' }))
  await cluster.settle()
  await pass(cluster, 10_000)
  await cluster.api.patch(
    resources.resourceQuotas,
    { namespace: 'a', name: 'q' },
    { type: 'merge', subresource: 'status', body: { status: { used: { pods: '3' } } } },
  )
  const writes = cluster.api.writes.length

  await pass(cluster, 400_000)

  assert.deepEqual(statusOf(cluster), { hard: { pods: '3' }, used: { pods: '1' } })
  assert.equal(cluster.api.writes.length, writes + 1)
})

function groupOf({
  group,
  version,
  resource,
  kind,
}: {
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly kind: string
}): unknown {
  return {
    metadata: { name: group },
    versions: [{ version, resources: [{ resource, responseKind: { kind }, scope: 'Namespaced', verbs: ['list', 'watch'] }] }],
  }
}
