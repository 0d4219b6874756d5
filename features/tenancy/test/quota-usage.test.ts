import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { Cluster } from '@gantry/clusters/api'
import { createInformer } from '@gantry/controller'
import { silentLogger, systemIds } from '@gantry/runtime'
import { projectKind, projectNamespaceKind, quotaName, tenantKind, tenantNamespace, type Project, type ProjectNamespace, type Tenant } from '../api/index.ts'
import { createQuotaUsage } from '../controller/index.ts'
import { Quotas } from '../server/index.ts'
import { makeNamespace, makeProject, makeProjectNamespace, makeTenant, resourceQuotas, startTestHub } from './test-hub.ts'

const options = { signal: new AbortController().signal }

test('what clusters use is written into the objects and shares follow it; a dead cluster keeps its share, says so, and holds up nobody; others are not asked', async () => {
  await using started = await startTestHub()
  const { hub, clock } = started
  const deps = { hub, clock, ids: systemIds, log: silentLogger }
  const quotas = new Quotas(deps)
  const tenant = await makeTenant(hub, 'acme', { mode: 'Consumption', quota: { total: { 'requests.cpu': '10' } } })
  await hub.update(tenantKind.ref, { ...tenant, status: { namespace: tenantNamespace('acme') } }, { subresource: 'status' })
  await makeProject(hub, 'acme/shop')
  for (const name of ['one', 'two']) await makeNamespace(hub, name)
  const one = await makeProjectNamespace(hub, 'acme/shop', 'a/one')
  const two = await makeProjectNamespace(hub, 'acme/shop', 'dead/two')
  await quotas.hardFor(two, options)
  await quotas.enforce(hub, one, options)

  const asked = new Set<string>()
  const unavailable = (): never => {
    throw new StatusError('ServiceUnavailable', 'cluster "dead" is unavailable')
  }
  const dead = { ...hub, list: unavailable, watch: unavailable, get: unavailable } as KubeClient
  const clusterOf = (status: 'True' | 'False'): Cluster =>
    ({ metadata: {}, spec: {}, status: { conditions: [{ type: 'Ready', status, reason: 'x', message: '', lastTransitionTime: '' }] } }) as unknown as Cluster
  const clusters = new Map([
    ['a', clusterOf('True')],
    ['dead', clusterOf('False')],
    ['other', clusterOf('True')],
  ])
  const informed = { ...deps, client: hub }
  const objects = {
    tenants: createInformer<Tenant>(informed, { resource: tenantKind.ref }),
    projects: createInformer<Project>(informed, { resource: projectKind.ref }),
    namespaces: createInformer<ProjectNamespace>(informed, { resource: projectNamespaceKind.ref }),
  }
  const running = new AsyncDisposableStack()
  const projectOf = (): Project | undefined => objects.projects.store.get('tenant-acme/shop')
  for (const informer of Object.values(objects)) running.use(await informer.start(options))
  const memberOf = (cluster: string): KubeClient => {
    asked.add(cluster)
    return cluster === 'dead' ? dead : hub
  }
  running.use(await createQuotaUsage({ ...deps, objects: { ...objects, projectOf }, clusters, quotas, memberOf }).start(options))

  const hardIn = async (namespace: string): Promise<string | undefined> =>
    (await hub.get<KubeObject & { spec: { hard: Record<string, string> } }>(resourceQuotas, { namespace, name: quotaName })).spec.hard['requests.cpu']
  const before = await hardIn('one')
  await hub.patch(
    resourceQuotas,
    { namespace: 'one', name: quotaName },
    { type: 'merge', subresource: 'status', body: { status: { hard: { 'requests.cpu': before }, used: { 'requests.cpu': before } } } },
  )
  for (let step = 0; step < 60; step++) await clock.advance(500)

  assert.notEqual(await hardIn('one'), before, 'it has grown with the use')
  const now = await hub.get<ProjectNamespace>(projectNamespaceKind.ref, { namespace: one.metadata.namespace, name: one.metadata.name ?? '' })
  assert.deepEqual([now.status?.used, now.status?.reserved], [{ 'requests.cpu': before }, { 'requests.cpu': await hardIn('one') }])
  for (const { status } of [
    await hub.get<Tenant>(tenantKind.ref, { name: 'acme' }),
    await hub.get<Project>(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }),
  ]) {
    assert.equal(status?.quota?.namespaces, 2)
    assert.deepEqual(status?.quota?.used, { 'requests.cpu': before })
    const inDead = status?.quota?.clusters?.find(({ cluster }) => cluster === 'dead')
    assert.deepEqual(inDead?.reserved, { 'requests.cpu': '1' })
    assert.match(inDead?.message ?? '', /^Cluster "dead" cannot be reached: what its namespace may use stays reserved/)
  }

  clusters.delete('dead')
  await hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }, { type: 'merge', body: { metadata: { labels: { a: 'b' } } } })
  for (let step = 0; step < 20; step++) await clock.advance(500)
  const { status } = await hub.get<Tenant>(tenantKind.ref, { name: 'acme' })
  assert.match(
    status?.quota?.clusters?.find(({ cluster }) => cluster === 'dead')?.message ?? '',
    /no longer part of the platform: what its namespace had stays reserved\. Delete the ProjectNamespaces/,
  )

  // Its object is gone, and with it what it had.
  await hub.delete(projectNamespaceKind.ref, { namespace: two.metadata.namespace, name: two.metadata.name ?? '' })
  for (let step = 0; step < 30; step++) await clock.advance(10_000)
  const freed = await hub.get<Tenant>(tenantKind.ref, { name: 'acme' })
  assert.deepEqual(
    freed.status?.quota?.clusters?.map(({ cluster }) => cluster),
    ['a'],
  )
  assert.deepEqual([...asked].toSorted(), ['a', 'dead'])
  await running.disposeAsync()
})
