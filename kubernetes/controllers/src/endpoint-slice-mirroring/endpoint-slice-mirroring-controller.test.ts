import { resources } from '@gantry/kube-api'
import type { Endpoints, EndpointSlice, Service } from '@gantry/kube-api'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startTestCluster } from '../test-cluster.ts'
import type { TestCluster } from '../test-cluster.ts'
import { createEndpointSliceMirroringController } from './endpoint-slice-mirroring-controller.ts'

const start = (): Promise<TestCluster> => startTestCluster((deps) => createEndpointSliceMirroringController(deps))
const service = (spec: Service['spec'] = {}): Service => ({ metadata: { name: 'db', namespace: 'a' }, spec: { ports: [{ port: 5432 }], ...spec } })
const endpoints = (more: Partial<Endpoints['metadata']> = {}): Endpoints => ({
  metadata: {
    name: 'db',
    namespace: 'a',
    labels: { team: 'x' },
    annotations: { note: 'y', 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
    ...more,
  },
  subsets: [
    {
      addresses: [{ ip: '192.0.2.1', hostname: 'one' }, { ip: '2001:db8::1' }],
      notReadyAddresses: [{ ip: '192.0.2.2', nodeName: 'n' }],
      ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
    },
  ],
})
const slicesOf = ({ api }: TestCluster): EndpointSlice[] =>
  api.all<EndpointSlice>(resources.endpointSlices).toSorted((a, b) => (a.addressType < b.addressType ? -1 : 1))
const addressesOf = (cluster: TestCluster): string[] =>
  slicesOf(cluster).flatMap((slice) => (slice.endpoints ?? []).flatMap(({ addresses }) => addresses ?? []))

test('copies what stands in Endpoints into a slice for each family', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.services, service())
  const { metadata } = await cluster.api.create(resources.endpoints, endpoints())
  await cluster.settle()

  const [v4, v6, ...more] = slicesOf(cluster)
  assert.equal(more.length, 0)
  assert.match(v4?.metadata.name ?? '', /^db-/)
  assert.deepEqual(v4?.metadata.labels, {
    team: 'x',
    'kubernetes.io/service-name': 'db',
    'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
  })
  assert.deepEqual(v4?.metadata.annotations, { note: 'y' })
  assert.deepEqual(v4?.metadata.ownerReferences, [
    { apiVersion: 'v1', kind: 'Endpoints', name: 'db', uid: metadata.uid, controller: true, blockOwnerDeletion: true },
  ])
  assert.deepEqual(v4?.ports, [{ name: 'sql', port: 5432, protocol: 'TCP' }])
  assert.deepEqual(v4?.endpoints, [
    { addresses: ['192.0.2.1'], conditions: { ready: true }, hostname: 'one' },
    { addresses: ['192.0.2.2'], conditions: { ready: false }, nodeName: 'n' },
  ])
  assert.deepEqual([v6?.addressType, v6?.endpoints], ['IPv6', [{ addresses: ['2001:db8::1'], conditions: { ready: true } }]])
})

test('follows the Endpoints in the slices that are there, and writes nothing when nothing changed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.services, service())
  const created = await cluster.api.create(resources.endpoints, endpoints())
  await cluster.settle()
  const before = slicesOf(cluster)

  const unchanged = await cluster.api.update(resources.endpoints, {
    ...created,
    metadata: { ...created.metadata, annotations: { note: 'y', 'endpoints.kubernetes.io/last-change-trigger-time': 'now' } },
  })
  await cluster.settle()
  assert.deepEqual(
    slicesOf(cluster).map(({ metadata }) => metadata.resourceVersion),
    before.map(({ metadata }) => metadata.resourceVersion),
  )

  await cluster.api.update(resources.endpoints, { ...unchanged, subsets: [{ addresses: [{ ip: '192.0.2.9' }], ports: [{ port: 80, protocol: 'TCP' }] }] })
  await cluster.settle()
  assert.deepEqual(addressesOf(cluster), ['192.0.2.9'])
  assert.deepEqual(
    slicesOf(cluster).map(({ metadata }) => metadata.name),
    [before[0]?.metadata.name],
  )
})

test('keeps no copy for a service with a selector, for none, or where it is told to keep none', async () => {
  await using cluster = await start()
  const created = await cluster.api.create(resources.endpoints, endpoints())
  await cluster.settle()
  assert.deepEqual(addressesOf(cluster), [])

  const plain = await cluster.api.create(resources.services, service())
  await cluster.settle()
  assert.equal(addressesOf(cluster).length, 3)
  const selecting = await cluster.api.update(resources.services, { ...plain, spec: { ...plain.spec, selector: { app: 'db' } } })
  await cluster.settle()
  assert.deepEqual(addressesOf(cluster), [])

  const { selector: _selector, ...spec } = selecting.spec ?? {}
  await cluster.api.update(resources.services, { ...selecting, spec })
  await cluster.settle()
  assert.equal(addressesOf(cluster).length, 3)
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' }
  await cluster.api.update(resources.endpoints, { ...created, metadata: { ...created.metadata, labels } })
  await cluster.settle()
  assert.deepEqual(addressesOf(cluster), [])
})
