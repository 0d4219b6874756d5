import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controllerReference } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createGarbageCollector } from './garbage-collector.ts'
import { OwnerGraph } from './owner-graph.ts'
import type { KubeObject, OwnerReference, ResourceRef } from '@gantry/client'
import type { TestCluster } from '../test-cluster.ts'

const widgets: ResourceRef = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }
const served: ResourceRef[] = [resources.pods, resources.replicaSets, resources.deployments, resources.configMaps, resources.nodes, resources.leases, widgets]

async function start(): Promise<TestCluster> {
  const cluster = await startTestCluster((deps) => createGarbageCollector(deps))
  cluster.api.serve = async ({ path }) => {
    const groups = new Map<string, ResourceRef[]>()
    for (const one of served) if ((one.group === '') === (path === '/api')) groups.set(one.group, [...(groups.get(one.group) ?? []), one])
    const items = [...groups].map(([name, list]) => ({
      metadata: { name },
      versions: [
        {
          version: 'v1',
          resources: list.map((one) => ({
            resource: one.resource,
            responseKind: { kind: one.kind },
            scope: one.namespaced ? 'Namespaced' : 'Cluster',
            verbs: ['get', 'list', 'watch', 'delete', 'patch'],
          })),
        },
      ],
    }))
    return { status: 200, headers: {}, body: JSON.stringify({ items }) }
  }
  // The first discovery was asked before it could be answered.
  await cluster.clock.advance(1000)
  await cluster.settle()
  return cluster
}

async function make(cluster: TestCluster, resource: ResourceRef, path: string, owners: readonly OwnerReference[] = []): Promise<KubeObject> {
  const [name = '', namespace = 'a'] = path.split('/').toReversed()
  const made = await cluster.api.create<KubeObject>(resource, {
    metadata: { name, ...(resource.namespaced ? { namespace } : {}), ...(owners.length === 0 ? {} : { ownerReferences: [...owners] }) },
  })
  await cluster.settle()
  return made
}

async function calm(cluster: TestCluster): Promise<void> {
  await cluster.clock.advance(300)
  await cluster.settle()
}

const names = (cluster: TestCluster, resource: ResourceRef): (string | undefined)[] => cluster.api.all(resource).map((object) => object.metadata.name)

test('deletes what its owner leaves behind, through generations and kinds', async () => {
  await using cluster = await start()
  const top = await make(cluster, widgets, 'top')
  const middle = await make(cluster, resources.replicaSets, 'middle', [controllerReference(top, widgets)])
  await make(cluster, resources.pods, 'leaf', [controllerReference(middle, resources.replicaSets)])
  await make(cluster, resources.configMaps, 'stranger')

  await cluster.api.delete(widgets, { namespace: 'a', name: 'top' })
  await calm(cluster)

  assert.deepEqual(names(cluster, resources.replicaSets), [])
  assert.deepEqual(names(cluster, resources.pods), [])
  assert.deepEqual(names(cluster, resources.configMaps), ['stranger'])
})

test('deletes an object whose owner never was, or was replaced by another of its name', async () => {
  await using cluster = await start()
  const old = await make(cluster, widgets, 'owner')
  await cluster.api.delete(widgets, { namespace: 'a', name: 'owner' })
  await make(cluster, widgets, 'owner')
  await make(cluster, resources.configMaps, 'of-the-old-one', [controllerReference(old, widgets)])
  await make(cluster, resources.configMaps, 'of-nobody', [{ apiVersion: 'v1', kind: 'Pod', name: 'ghost', uid: 'never' }])
  await calm(cluster)

  assert.deepEqual(names(cluster, resources.configMaps), [])
})

test('keeps an object that has one living owner, and drops the dead reference', async () => {
  await using cluster = await start()
  const one = await make(cluster, widgets, 'one')
  const two = await make(cluster, widgets, 'two')
  await make(cluster, resources.configMaps, 'shared', [
    { ...controllerReference(one, widgets), controller: false },
    { ...controllerReference(two, widgets), controller: false },
  ])

  await cluster.api.delete(widgets, { namespace: 'a', name: 'one' })
  await calm(cluster)

  const [shared] = cluster.api.all(resources.configMaps)
  assert.deepEqual(
    shared?.metadata.ownerReferences?.map((reference) => reference.name),
    ['two'],
  )
})

test('foreground deletion takes dependents first, deepest first', async () => {
  await using cluster = await start()
  const top = await make(cluster, resources.deployments, 'top')
  const middle = await make(cluster, resources.replicaSets, 'middle', [controllerReference(top, resources.deployments)])
  const leaf: KubeObject & { spec: unknown } = {
    metadata: { name: 'leaf', namespace: 'a', ownerReferences: [controllerReference(middle, resources.replicaSets)] },
    spec: { nodeName: 'n' },
  }
  await cluster.api.create(resources.pods, leaf)
  await cluster.settle()

  await cluster.api.delete(resources.deployments, { namespace: 'a', name: 'top' }, { propagationPolicy: 'Foreground' })
  await calm(cluster)

  // The pod has time to end; until then all three are there.
  assert.ok(cluster.api.find(resources.pods, 'leaf', 'a')?.metadata.deletionTimestamp)
  assert.ok(cluster.api.find(resources.replicaSets, 'middle', 'a')?.metadata.deletionTimestamp)
  assert.ok(cluster.api.find(resources.deployments, 'top', 'a')?.metadata.deletionTimestamp)

  await cluster.api.delete(resources.pods, { namespace: 'a', name: 'leaf' }, { gracePeriodSeconds: 0 })
  await calm(cluster)

  assert.deepEqual(names(cluster, resources.replicaSets), [])
  assert.deepEqual(names(cluster, resources.deployments), [])
})

test('foreground deletion does not wait for dependents that do not block', async () => {
  await using cluster = await start()
  const top = await make(cluster, widgets, 'top')
  await cluster.api.create(resources.configMaps, {
    metadata: {
      name: 'kept',
      namespace: 'a',
      finalizers: ['x.dev/keep'],
      ownerReferences: [{ ...controllerReference(top, widgets), blockOwnerDeletion: false }],
    },
  })
  await cluster.settle()

  await cluster.api.delete(widgets, { namespace: 'a', name: 'top' }, { propagationPolicy: 'Foreground' })
  await calm(cluster)

  assert.deepEqual(names(cluster, widgets), [])
  assert.ok(cluster.api.find(resources.configMaps, 'kept', 'a')?.metadata.deletionTimestamp)
})

test('orphaning releases the dependents and then lets the owner go', async () => {
  await using cluster = await start()
  const top = await make(cluster, resources.deployments, 'top')
  await make(cluster, resources.replicaSets, 'child', [controllerReference(top, resources.deployments)])

  await cluster.api.delete(resources.deployments, { namespace: 'a', name: 'top' }, { propagationPolicy: 'Orphan' })
  await calm(cluster)

  assert.deepEqual(names(cluster, resources.deployments), [])
  assert.deepEqual(cluster.api.find(resources.replicaSets, 'child', 'a')?.metadata.ownerReferences, [])
})

test('two that own each other in foreground deletion do not wait for ever', async () => {
  await using cluster = await start()
  const one = await make(cluster, widgets, 'one')
  const two = await make(cluster, widgets, 'two', [controllerReference(one, widgets)])
  await cluster.api.patch(
    widgets,
    { namespace: 'a', name: 'one' },
    { type: 'merge', body: { metadata: { ownerReferences: [controllerReference(two, widgets)] } } },
  )
  await cluster.settle()

  await cluster.api.delete(widgets, { namespace: 'a', name: 'one' }, { propagationPolicy: 'Foreground' })
  await calm(cluster)

  assert.deepEqual(names(cluster, widgets), [])
})

test('a cluster-scoped owner works across namespaces, an owner of another namespace does not', async () => {
  await using cluster = await start()
  const node = await make(cluster, resources.nodes, 'n1')
  await make(cluster, resources.leases, 'kube-node-lease/n1', [controllerReference(node, resources.nodes)])
  const elsewhere = await make(cluster, widgets, 'b/elsewhere')
  await make(cluster, resources.configMaps, 'lost', [controllerReference(elsewhere, widgets)])
  await calm(cluster)

  assert.deepEqual(names(cluster, resources.leases), ['n1'])
  assert.deepEqual(names(cluster, resources.configMaps), [])
  assert.deepEqual(names(cluster, widgets), ['elsewhere'])
  assert.ok(cluster.events().some((event) => event.startsWith('OwnerRefInvalidNamespace ')))

  await cluster.api.delete(resources.nodes, { name: 'n1' })
  await calm(cluster)
  assert.deepEqual(names(cluster, resources.leases), [])
})

test('leaves an object alone whose owner is of a kind nobody serves', async () => {
  await using cluster = await start()
  await make(cluster, resources.configMaps, 'kept', [{ apiVersion: 'gone.dev/v1', kind: 'Gone', name: 'x', uid: 'u' }])
  await calm(cluster)
  await cluster.clock.advance(120_000)
  await cluster.settle()

  assert.deepEqual(names(cluster, resources.configMaps), ['kept'])
})

test('the graph says who is due when an owner goes', () => {
  const graph = new OwnerGraph()
  const owner: KubeObject = { metadata: { name: 'o', namespace: 'a', uid: 'o' } }
  const child: KubeObject = { metadata: { name: 'c', namespace: 'a', uid: 'c', ownerReferences: [controllerReference(owner, widgets)] } }

  const first = [...graph.put(child, resources.configMaps).examine].map((node) => node.identity.uid)
  assert.deepEqual(first, ['o'], 'an owner nobody has seen is looked for')
  assert.deepEqual([...graph.put(owner, widgets).examine], [])
  assert.deepEqual(
    [...graph.remove('o').examine].map((node) => node.identity.uid),
    ['c'],
  )
  graph.remove('c')
  assert.equal(graph.size, 0)
})
