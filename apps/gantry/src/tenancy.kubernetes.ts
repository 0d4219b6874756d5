import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
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

interface Key {
  readonly namespace: string
  readonly name: string
}

const apps = (resource: string, kind: string): ResourceRef => ({ group: 'apps', version: 'v1', resource, kind, namespaced: true })
const budgets: ResourceRef = { group: 'policy', version: 'v1', resource: 'poddisruptionbudgets', kind: 'PodDisruptionBudget', namespaced: true }
const scalers: ResourceRef = { group: 'autoscaling', version: 'v2', resource: 'horizontalpodautoscalers', kind: 'HorizontalPodAutoscaler', namespaced: true }
const [services, claims, secrets, accounts, configMaps] = [
  core('services', 'Service'),
  core('persistentvolumeclaims', 'PersistentVolumeClaim'),
  core('secrets', 'Secret'),
  core('serviceaccounts', 'ServiceAccount'),
  core('configmaps', 'ConfigMap'),
]
const deployments = apps('deployments', 'Deployment')
const kindsThere = [deployments, apps('replicasets', 'ReplicaSet'), pods, services, claims, secrets, accounts, configMaps, budgets, scalers]

/** What people have in a namespace, also what could not be made anew elsewhere: addresses, ports, claims, tokens, finalizers. */
function everything(namespace: string): readonly (readonly [ResourceRef, KubeObject])[] {
  const object = (ref: ResourceRef, name: string, rest: object): readonly [ResourceRef, KubeObject] => [
    ref,
    { apiVersion: ref.group === '' ? 'v1' : `${ref.group}/${ref.version}`, kind: ref.kind, metadata: { namespace, name }, ...rest } as KubeObject,
  ]
  const labels = { app: 'web' }
  const container = { name: 'web', image: 'example.com/web:1', resources: { requests: { cpu: '100m' } } }
  const ports = [{ port: 80 }]
  const metadata = { namespace, name: 'kept', finalizers: ['example.com/kept'] }
  return [
    object(deployments, 'web', { spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [container] } } } }),
    object(services, 'web', { spec: { selector: labels, ports } }),
    object(services, 'outside', { spec: { type: 'NodePort', selector: labels, ports } }),
    object(claims, 'data', { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } }),
    object(secrets, 'token', {
      type: 'kubernetes.io/service-account-token',
      metadata: { namespace, name: 'token', annotations: { 'kubernetes.io/service-account.name': 'default' } },
    }),
    object(configMaps, 'kept', { metadata }),
    object(budgets, 'web', { spec: { minAvailable: 1, selector: { matchLabels: labels } } }),
    object(scalers, 'web', { spec: { maxReplicas: 1, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } } }),
  ]
}

async function eventually(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const untilMs = performance.now() + 60_000; !(await isSo()); await sleep(100))
    if (performance.now() > untilMs) throw new Error(`not within a minute: ${what}`)
}

// A real kube-apiserver with Kubernetes' own controllers as a member of the platform.
describe('a project in a real Kubernetes', () => {
  const parts = new AsyncDisposableStack()
  let hub: KubeClient
  let member: KubeClient
  let data: string

  before(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'gantry-tenancy-'))
    parts.defer(() => rm(dir, { recursive: true }))
    const plane = await startKubernetes({ dir: join(dir, 'plane'), controllers: true })
    parts.defer(() => plane.stop())
    const http = openHttpTransport(loadKubeconfig(await readFile(plane.kubeconfig, 'utf8')).transport)
    parts.defer(() => http.close())
    member = createClient({ handle: http.handle })
    data = join(dir, 'data')
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

  /** Waits for what is so or becomes so. Without a name: it is gone. */
  async function until(
    client: KubeClient,
    ref: ResourceRef,
    key: { readonly namespace?: string; readonly name: string },
    isSo: (object: Loose) => boolean,
  ): Promise<Loose> {
    const { namespace, name } = key
    const about = { namespace, fieldSelector: `metadata.name=${name}`, signal: AbortSignal.timeout(30_000) }
    // A watch alone says nothing of what went before it began.
    const { items, metadata } = await client.list<Loose>(ref, about)
    const now = items[0] ?? { metadata: {} }
    if (isSo(now)) return now
    for await (const { type, object } of client.watch<Loose>(ref, { ...about, resourceVersion: metadata.resourceVersion }))
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
    await until(member, limitRanges, there, ({ metadata }) => metadata.name !== undefined)
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

  test('moves to another project with all that is in it, of which nothing changes', async () => {
    const namespace = 'acme-shop-test'
    await make(projectKind.ref, { metadata: { namespace: 'tenant-acme', name: 'bank' }, spec: { environments: [] } })
    await until(hub, projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, ({ status }) => status?.['namespace'] !== undefined)
    for (const [ref, object] of everything(namespace)) await member.create(ref, object)
    const before = await settledIn(namespace)
    const { uid } = (await member.get<KubeObject>(namespaces, { name: namespace })).metadata

    await move('acme/shop', 'acme/bank')
    assert.deepEqual(await settledIn(namespace), before)
    const { metadata } = await member.get<KubeObject>(namespaces, { name: namespace })
    assert.deepEqual([metadata.uid, metadata.labels?.[tenancyLabels.project]], [uid, 'bank'])
    for (const [ref, name] of [
      [quotas, 'project-quota'],
      [limitRanges, 'project-limits'],
    ] as const)
      assert.equal((await member.get<KubeObject>(ref, { namespace, name })).metadata.labels?.[tenancyLabels.uid], metadata.labels?.[tenancyLabels.uid])
  })

  test('does not move when the cluster refuses it, says so, and stays when that is cancelled', async () => {
    const policies = {
      group: 'admissionregistration.k8s.io',
      version: 'v1',
      resource: 'validatingadmissionpolicies',
      kind: 'ValidatingAdmissionPolicy',
      namespaced: false,
    }
    const bindings = { ...policies, resource: 'validatingadmissionpolicybindings', kind: 'ValidatingAdmissionPolicyBinding' }
    const named = (kind: string, spec: object): KubeObject =>
      ({ apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name: 'frozen' }, spec }) as unknown as KubeObject
    const label = tenancyLabels.uid
    await member.create(
      policies,
      named('ValidatingAdmissionPolicy', {
        matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['UPDATE'], resources: ['namespaces'] }] },
        validations: [{ expression: `object.metadata.?labels[?'${label}'] == oldObject.metadata.?labels[?'${label}']`, message: 'owners are frozen' }],
      }),
    )
    await member.create(bindings, named('ValidatingAdmissionPolicyBinding', { policyName: 'frozen', validationActions: ['Deny'] }))
    const mark = { metadata: { labels: { [label]: 'somebody' } } }
    const isRefused = (): Promise<boolean> =>
      member.patch(namespaces, { name: 'acme-shop-test' }, { type: 'merge', body: mark, dryRun: true }).then(
        () => false,
        (error: unknown) => /owners are frozen/.test(String(error)),
      )
    await eventually('the policy is in force', isRefused)

    const bank = { namespace: 'project-acme--bank', name: 'test' }
    const begun = await gantry(data, 'namespaces', 'move', 'acme/bank', 'test', 'acme/shop')
    assert.equal(begun.code, 0, begun.err)
    await until(hub, projectNamespaceKind.ref, { namespace: own, name: 'test' }, phase('Pending', 'ClusterRefuses'))
    const cancelled = await gantry(data, 'namespaces', 'move', 'acme/bank', 'test', '--cancel')
    assert.deepEqual([cancelled.code, cancelled.out], [0, 'the namespace acme-shop-test of cluster prod stays in acme/bank\n'], cancelled.err)
    await until(hub, projectNamespaceKind.ref, bank, phase('Active', 'Ready'))
    await assert.rejects(hub.get(projectNamespaceKind.ref, { namespace: own, name: 'test' }), /not found/)

    await member.delete(bindings, { name: 'frozen' })
    await member.delete(policies, { name: 'frozen' })
    await eventually('the policy is gone', async () => !(await isRefused()))
    await move('acme/bank', 'acme/shop')
  })

  /** Moves the environment test, and waits until it is there. */
  async function move(from: string, to: string): Promise<void> {
    const [old, next] = [from, to].map((path) => ({ namespace: `project-${path.replace('/', '--')}`, name: 'test' })) as [Key, Key]
    const { code, err } = await gantry(data, 'namespaces', 'move', from, 'test', to)
    assert.equal(code, 0, err)
    await until(hub, projectNamespaceKind.ref, next, phase('Active', 'Ready'))
    await eventually(`it has left ${from}`, async () => {
      const { items } = await hub.list<KubeObject>(projectNamespaceKind.ref, { namespace: old.namespace })
      return !items.some(({ metadata }) => metadata.name === old.name)
    })
  }

  /** Who every object of a namespace is and what it is to be, when Kubernetes' controllers have made what they make. */
  async function settledIn(namespace: string): Promise<readonly string[]> {
    const seen = async (): Promise<readonly string[]> => {
      const found = await Promise.all(
        kindsThere.map(async (ref) =>
          (await member.list<Loose>(ref, { namespace })).items.map(({ metadata: { name, uid, deletionTimestamp, ownerReferences, finalizers }, spec }) =>
            JSON.stringify([ref.resource, name, uid, deletionTimestamp, ownerReferences, finalizers, spec]),
          ),
        ),
      )
      return found.flat().toSorted()
    }
    let last = await seen()
    await eventually('the controllers have nothing to do', async () => {
      await sleep(500)
      const now = await seen()
      const isStill = JSON.stringify(now) === JSON.stringify(last) && now.some((one) => one.startsWith('["pods"'))
      last = now
      return isStill
    })
    return last
  }

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
