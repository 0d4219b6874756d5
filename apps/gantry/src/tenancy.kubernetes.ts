import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { createClient, loadKubeconfig, openHttpTransport, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { startKubernetes } from '@gantry/conformance/kubernetes'
import { systemClock } from '@gantry/runtime'
import { projectKind, projectNamespaceKind, tenancyLabels, tenantKind, type ProjectNamespace } from '@gantry/tenancy/api'
import { gantry, startTestPlatform } from './testing/test-platform.ts'

type Loose = KubeObject & { spec?: Record<string, unknown>; status?: Record<string, unknown> }

const core = (resource: string, kind: string, namespaced = true): ResourceRef => ({ group: '', version: 'v1', resource, kind, namespaced })
const [namespaces, pods, quotas, limitRanges] = [
  core('namespaces', 'Namespace', false),
  core('pods', 'Pod'),
  core('resourcequotas', 'ResourceQuota'),
  core('limitranges', 'LimitRange'),
]
const own = 'project-acme--shop'

// A real kube-apiserver with Kubernetes' own controllers as a member of the platform.
describe('a project in a real Kubernetes', () => {
  const parts = new AsyncDisposableStack()
  let hub: KubeClient
  let member: KubeClient

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-tenancy-'))
    parts.defer(() => rm(dir, { recursive: true }))
    const plane = await startKubernetes({ dir: join(dir, 'plane'), controllers: true })
    parts.defer(() => plane.stop())
    const http = openHttpTransport(loadKubeconfig(await readFile(plane.kubeconfig, 'utf8')).transport)
    parts.defer(() => http.close())
    member = createClient({ handle: http.handle })
    const data = join(dir, 'data')
    const platform = parts.use(await startTestPlatform(data))
    hub = parts.use(connectPlatform(await readFile(platform.kubeconfig, 'utf8'), { clock: systemClock })).hub
    const imported = await gantry(data, 'cluster', 'import', 'prod', '--kubeconfig', plane.kubeconfig)
    assert.equal(imported.code, 0, imported.err)
    await make(tenantKind.ref, { metadata: { name: 'acme' }, spec: { clusters: ['prod'] } })
    await until(hub, tenantKind.ref, { name: 'acme' }, ({ status }) => status?.['namespace'] !== undefined)
  })
  after(() => parts.disposeAsync())

  const make = ({ group, version, kind, ...ref }: ResourceRef, object: object): Promise<KubeObject> =>
    hub.create<KubeObject>({ group, version, kind, ...ref }, { apiVersion: `${group}/${version}`, kind, ...object } as KubeObject)

  /** Waits for what a watch shows. Undefined: it is gone. */
  async function until(
    client: KubeClient,
    ref: ResourceRef,
    key: { readonly namespace?: string; readonly name: string },
    isSo: (object: Loose) => boolean,
  ): Promise<Loose> {
    const { namespace, name } = key
    const signal = AbortSignal.timeout(30_000)
    for await (const { type, object } of client.watch<Loose>(ref, { namespace, fieldSelector: `metadata.name=${name}`, signal }))
      if (type !== 'BOOKMARK' && isSo(type === 'DELETED' ? { metadata: {} } : object)) return object
    throw new Error(`${ref.resource} ${name} has not come to it`)
  }
  const phase = (wanted: string, reason: string) => (object: Loose) => {
    const { status } = object as unknown as ProjectNamespace
    return status?.phase === wanted && status.conditions?.some((condition) => condition.type === 'Ready' && condition.reason === reason) === true
  }

  test('has its environments there, with quota and limits, and has these again when somebody changes them', async () => {
    const environments = [{ name: 'test', quota: { pods: '5', 'requests.cpu': '4' } }]
    await make(projectKind.ref, { metadata: { namespace: 'tenant-acme', name: 'shop' }, spec: { environments } })
    await until(hub, projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }, ({ status }) => status?.['environments'] !== undefined)
    await hub.patch(
      projectNamespaceKind.ref,
      { namespace: own, name: 'test' },
      { type: 'merge', body: { spec: { limits: { default: { cpu: '500m' }, max: { cpu: '2' } } } } },
    )
    await until(hub, projectNamespaceKind.ref, { namespace: own, name: 'test' }, phase('Active', 'Ready'))
    const there = { namespace: 'acme-shop-test', name: 'project-limits' }
    await until(member, limitRanges, there, () => true)
    const isFull = ({ spec }: Loose): boolean => JSON.stringify(spec?.['hard']) === '{"pods":"5","requests.cpu":"4"}'
    await until(member, quotas, { namespace: 'acme-shop-test', name: 'project-quota' }, isFull)

    await member.delete(limitRanges, there)
    await member.patch(quotas, { namespace: 'acme-shop-test', name: 'project-quota' }, { type: 'merge', body: { spec: { hard: { pods: '500' } } } })
    await until(member, limitRanges, there, ({ metadata }) => metadata.name !== undefined)
    await until(member, quotas, { namespace: 'acme-shop-test', name: 'project-quota' }, isFull)
  })

  test('does not touch a namespace that is there, and says so', async () => {
    const made = await member.create<KubeObject>(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'foreign' } })
    await make(projectNamespaceKind.ref, { metadata: { namespace: own, name: 'foreign' }, spec: { cluster: 'prod', namespace: 'foreign' } })
    await until(hub, projectNamespaceKind.ref, { namespace: own, name: 'foreign' }, phase('Pending', 'Conflict'))
    const after = await member.get<KubeObject>(namespaces, { name: 'foreign' })
    assert.deepEqual(after.metadata.labels, made.metadata.labels)
    await hub.delete(projectNamespaceKind.ref, { namespace: own, name: 'foreign' })
    await until(hub, projectNamespaceKind.ref, { namespace: own, name: 'foreign' }, ({ metadata }) => metadata.name === undefined)
    assert.equal((await member.get<KubeObject>(namespaces, { name: 'foreign' })).metadata.deletionTimestamp, undefined)
  })

  test('keeps a namespace that holds a pod until somebody says what is to become of it, and then it is gone', async () => {
    const spec = { containers: [{ name: 'app', image: 'example.com/app:1', resources: { requests: { cpu: '100m' } } }] }
    const accounts = core('serviceaccounts', 'ServiceAccount')
    await until(member, accounts, { namespace: 'acme-shop-test', name: 'default' }, ({ metadata }) => metadata.name !== undefined)
    await member.create(pods, { apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'acme-shop-test', name: 'web' }, spec } as KubeObject)
    const key = { namespace: own, name: 'test' }
    await hub.delete(projectNamespaceKind.ref, key)
    await until(hub, projectNamespaceKind.ref, key, phase('Terminating', 'HoldsWorkloads'))
    const { metadata } = await member.get<KubeObject>(namespaces, { name: 'acme-shop-test' })
    assert.equal(metadata.deletionTimestamp, undefined)
    assert.equal(metadata.labels?.[tenancyLabels.project], 'shop')
    await hub.patch(projectNamespaceKind.ref, key, { type: 'merge', body: { spec: { reclaimPolicy: 'Delete' } } })
    await until(
      member,
      namespaces,
      { name: 'acme-shop-test' },
      (object) => object.metadata.name === undefined || object.metadata.deletionTimestamp !== undefined,
    )
  })
})
