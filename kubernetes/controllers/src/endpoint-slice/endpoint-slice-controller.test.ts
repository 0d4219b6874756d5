import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { startTestCluster } from '../test-cluster.ts'
import { createEndpointSliceController } from './endpoint-slice-controller.ts'
import type { EndpointSlice, Node, Pod, Service, ServiceSpec } from '@gantry/kube-api'
import type { TestCluster } from '../test-cluster.ts'

const start = (): Promise<TestCluster> => startTestCluster((deps) => createEndpointSliceController(deps))
const labels = { app: 'web' }
const service = (spec: Partial<ServiceSpec> = {}, more: Record<string, string> = {}): Service => ({
  metadata: { name: 'web', namespace: 'a', labels: { team: 'x', ...more } },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.0.0.1',
    ipFamilies: ['IPv4'],
    selector: labels,
    ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    ...spec,
  },
})
const pod = (name: string, ip: string, { port = 8080, node = 'n1' } = {}): Pod => ({
  metadata: { name, namespace: 'a', labels },
  spec: { nodeName: node, containers: [{ name: 'app', image: 'app:1', ports: [{ name: 'http', containerPort: port, protocol: 'TCP' }] }] },
  status: {
    phase: 'Running',
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }],
  },
})
const node = (name: string, zone: string): Node => ({ metadata: { name, labels: { 'topology.kubernetes.io/zone': zone } } })
const slicesOf = ({ api }: TestCluster): EndpointSlice[] => api.all<EndpointSlice>(resources.endpointSlices)
const addressesOf = (slice: EndpointSlice | undefined): string[] => (slice?.endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])

test('has an empty slice for a service without pods, and none for one without a selector', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.services, service())
  await cluster.api.create(resources.services, { ...service({ selector: undefined }), metadata: { name: 'other', namespace: 'a' } })
  await cluster.settle()

  const [slice, ...more] = slicesOf(cluster)
  assert.equal(more.length, 0)
  assert.match(slice?.metadata.name ?? '', /^web-/)
  assert.deepEqual(slice?.metadata.labels, {
    team: 'x',
    'kubernetes.io/service-name': 'web',
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  })
  assert.deepEqual([slice?.addressType, slice?.endpoints, slice?.ports], ['IPv4', [], []])
  assert.equal(slice?.metadata.ownerReferences?.[0]?.kind, 'Service')
  assert.ok(slice?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'])
})

test('lists the pods that answer, where they are and whether they are ready, and follows them', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.nodes, node('n1', 'z1'))
  await cluster.api.create(resources.services, service())
  const one = await cluster.api.create(resources.pods, pod('one', '10.1.0.1'))
  await cluster.api.create(resources.pods, pod('done', '10.1.0.9'))
  await cluster.api.patch(resources.pods, { namespace: 'a', name: 'done' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Succeeded' } } })
  await cluster.settle()

  const [slice, ...more] = slicesOf(cluster)
  assert.equal(more.length, 0)
  assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }])
  assert.deepEqual(slice?.endpoints, [
    {
      addresses: ['10.1.0.1'],
      conditions: { ready: true, serving: true, terminating: false },
      targetRef: { kind: 'Pod', namespace: 'a', name: 'one', uid: one.metadata.uid },
      nodeName: 'n1',
      zone: 'z1',
    },
  ])

  const conditions = [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T00:01:00Z' }]
  await cluster.api.patch(resources.pods, { namespace: 'a', name: 'one' }, { type: 'merge', subresource: 'status', body: { status: { conditions } } })
  await cluster.settle()
  const [unready] = slicesOf(cluster)
  assert.deepEqual(unready?.endpoints?.[0]?.conditions, { ready: false, serving: false, terminating: false })
  assert.equal(unready?.metadata.annotations?.['endpoints.kubernetes.io/last-change-trigger-time'], '2026-01-01T00:01:00Z')

  await cluster.api.delete(resources.pods, { namespace: 'a', name: 'one' }, { gracePeriodSeconds: 0 })
  await cluster.settle()
  assert.deepEqual(slicesOf(cluster).map(addressesOf), [[]])
})

test('waits for the node of a pod', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.services, service())
  await cluster.api.create(resources.pods, pod('one', '10.1.0.1'))
  await cluster.settle()
  assert.deepEqual(slicesOf(cluster).map(addressesOf), [[]])

  await cluster.api.create(resources.nodes, node('n1', 'z1'))
  await cluster.settle()
  assert.deepEqual(slicesOf(cluster).map(addressesOf), [['10.1.0.1']])
})

test('keeps pods with other ports, and more than a hundred, in slices of their own', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.nodes, node('n1', 'z1'))
  for (let i = 0; i < 130; i++) await cluster.api.create(resources.pods, pod(`p${i}`, `10.1.0.${i}`))
  await cluster.api.create(resources.pods, pod('odd', '10.1.1.1', { port: 9090 }))
  await cluster.api.create(resources.services, service())
  await cluster.settle()

  const sizes = (): (readonly [number | undefined, number])[] =>
    slicesOf(cluster)
      .map(({ ports, endpoints }) => [ports?.[0]?.port, (endpoints ?? []).length] as const)
      .sort((a, b) => a[1] - b[1])
  assert.deepEqual(sizes(), [
    [9090, 1],
    [8080, 30],
    [8080, 100],
  ])

  // A new one goes where there is room; the full slice is not written.
  const full = slicesOf(cluster).find(({ endpoints }) => endpoints?.length === 100)
  await cluster.api.create(resources.pods, pod('late', '10.1.2.1'))
  await cluster.settle()
  assert.deepEqual(sizes(), [
    [9090, 1],
    [8080, 31],
    [8080, 100],
  ])
  assert.equal(slicesOf(cluster).find(({ endpoints }) => endpoints?.length === 100)?.metadata.resourceVersion, full?.metadata.resourceVersion)
})

test('takes over the labels of the service, and marks a headless one', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.nodes, node('n1', 'z1'))
  await cluster.api.create(resources.services, service({ clusterIP: 'None' }))
  await cluster.api.create(resources.pods, pod('one', '10.1.0.1'))
  await cluster.settle()
  assert.equal(slicesOf(cluster)[0]?.metadata.labels?.['service.kubernetes.io/headless'], '')

  await cluster.api.patch(resources.services, { namespace: 'a', name: 'web' }, { type: 'merge', body: { metadata: { labels: { team: 'y' } } } })
  await cluster.settle()
  assert.deepEqual(
    slicesOf(cluster).map(({ metadata }) => metadata.labels?.['team']),
    ['y'],
  )
})

test('hints at the zone and the node of ready pods, as the service wants its traffic distributed', async () => {
  await using cluster = await start()
  await cluster.api.create(resources.nodes, node('n1', 'z1'))
  await cluster.api.create(resources.nodes, { metadata: { name: 'n2' } })
  await cluster.api.create(resources.services, service({ trafficDistribution: 'PreferClose' }))
  await cluster.api.create(resources.pods, pod('one', '10.1.0.1'))
  await cluster.api.create(resources.pods, pod('two', '10.1.0.2', { node: 'n2' }))
  await cluster.api.create(resources.pods, { ...pod('late', '10.1.0.3'), status: { ...pod('late', '10.1.0.3').status, conditions: [] } })
  const hints = async (): Promise<unknown> => {
    await cluster.settle()
    const endpoints = slicesOf(cluster).flatMap((slice) => slice.endpoints ?? [])
    return Object.fromEntries(endpoints.map((endpoint) => [endpoint.targetRef?.name, endpoint.hints]))
  }
  const want = (body: object): Promise<unknown> => cluster.api.patch(resources.services, { namespace: 'a', name: 'web' }, { type: 'merge', body })
  const near = { forZones: [{ name: 'z1' }] }

  assert.deepEqual(await hints(), { one: near, two: undefined, late: undefined })
  await want({ spec: { trafficDistribution: 'PreferSameNode' } })
  assert.deepEqual(await hints(), { one: { ...near, forNodes: [{ name: 'n1' }] }, two: { forNodes: [{ name: 'n2' }] }, late: undefined })
  await want({ spec: { trafficDistribution: 'PreferSameZone' } })
  assert.deepEqual(await hints(), { one: near, two: undefined, late: undefined })
  await want({ metadata: { annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } } })
  assert.deepEqual(await hints(), { one: undefined, two: undefined, late: undefined })
})
