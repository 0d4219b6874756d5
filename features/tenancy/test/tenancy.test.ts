import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KubeObject } from '@gantry/client'
import { projectKind, projectNamespaceKind, tenancyLabels, tenantKind, type ProjectNamespace } from '@gantry/tenancy/api'
import {
  configMaps,
  limitRanges,
  membership,
  namespaces,
  pods,
  project,
  projectNamespaceOf,
  resourceQuotas,
  startTestTenancy,
  tenant,
  type TestTenancy,
} from './test-tenancy.ts'

type WithSpec = KubeObject & { spec: Record<string, unknown> }

/** Tenant acme with the project shop; ann owns it. */
async function startWithShop(options: Parameters<typeof startTestTenancy>[0] & { readonly spec?: object } = {}): Promise<TestTenancy> {
  const platform = await startTestTenancy(options)
  await platform.make(tenant('acme'))
  await platform.make(project('tenant-acme', 'shop', options.spec ?? { environments: [] }))
  await platform.make(membership('project-acme--shop', 'project-owner', 'ann'))
  return platform
}

const readyOf = ({ status }: ProjectNamespace): readonly [string | undefined, string | undefined] => {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready')
  return [status?.phase, condition?.reason]
}
const messageOf = (object: { status?: { conditions?: { type: string; message: string }[] | undefined } }, type = 'Ready'): string =>
  object.status?.conditions?.find((condition) => condition.type === type)?.message ?? ''

async function isThere(platform: TestTenancy, cluster: string, name: string): Promise<boolean> {
  return (await platform.member(cluster).client.list<KubeObject>(namespaces)).items.some(({ metadata }) => metadata.name === name)
}

describe('a project', () => {
  test('gets a namespace of the hub and two environments in the first cluster that is ready, and its members have them', async () => {
    await using platform = await startTestTenancy()
    await platform.setReady('one', 'False')
    await platform.make(tenant('acme'))
    await platform.make(project('tenant-acme', 'shop', {}))
    await platform.make(membership('project-acme--shop', 'project-owner', 'ann'))
    await platform.make(membership('tenant-acme', 'tenant-admin', 'tom'))

    const { status } = await platform.project('tenant-acme', 'shop')
    assert.deepEqual([status?.namespace, status?.tenant, status?.environments], ['project-acme--shop', 'acme', ['test', 'production']])
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'production')), ['Active', 'Ready'])
    const { metadata } = await platform.member('two').client.get<KubeObject>(namespaces, { name: 'acme-shop-production' })
    assert.deepEqual([metadata.labels?.[tenancyLabels.tenant], metadata.labels?.[tenancyLabels.project]], ['acme', 'shop'])
    assert.equal((await platform.tenant('acme')).status?.projects, 1)
    for (const user of ['ann', 'tom']) assert.equal(platform.can(user, 'two create pods acme-shop-test/'), true, user)
    assert.equal(platform.can('ann', 'one list pods'), false)
    assert.deepEqual(platform.member('one').requests, [], 'a cluster without a namespace of a project is asked for nothing')
  })

  test('waits for a cluster that it may use, and makes its environments when there is one', async () => {
    await using platform = await startTestTenancy()
    await platform.setReady('two', 'False')
    await platform.make(tenant('acme', { clusters: ['two'] }))
    await platform.make(project('tenant-acme', 'shop', {}))
    assert.match(messageOf(await platform.project('tenant-acme', 'shop'), 'EnvironmentsMade'), /none of the clusters that it may use is ready/)
    await platform.setReady('two', 'True')
    await platform.idle()
    assert.equal(await isThere(platform, 'two', 'acme-shop-test'), true)
    assert.equal(await isThere(platform, 'one', 'acme-shop-test'), false)
  })

  test('does not make an environment again that was deleted', async () => {
    await using platform = await startWithShop({ spec: {} })
    await platform.hub.delete(projectNamespaceKind.ref, { namespace: 'project-acme--shop', name: 'test' })
    await platform.idle()
    await platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }, { type: 'merge', body: { spec: { displayName: 'Shop' } } })
    await platform.idle()
    assert.deepEqual((await platform.project('tenant-acme', 'shop')).status?.environments, ['test', 'production'])
    assert.equal((await platform.hub.list(projectNamespaceKind.ref, { namespace: 'project-acme--shop' })).items.length <= 2, true)
  })

  test('of a name that its tenant has already gets nothing: the owner of one project cannot become the parent of another', async () => {
    await using platform = await startWithShop()
    await platform.make(project('tenant-acme', 'web', { environments: [] }))
    await platform.make(membership('project-acme--web', 'project-owner', 'eve'))
    await platform.make(project('project-acme--web', 'shop', { environments: [] }))

    const second = await platform.project('project-acme--web', 'shop')
    assert.match(messageOf(second), /has a project of this name already, in tenant-acme/)
    assert.equal(second.status?.namespace, undefined)
    assert.equal(platform.can('eve', 'local list memberships.tenancy.gantry.dev project-acme--shop/'), false)
    assert.equal(platform.can('ann', 'local list memberships.tenancy.gantry.dev project-acme--shop/'), true)
  })

  test('does not take a namespace of the hub that was there before it', async () => {
    await using platform = await startTestTenancy()
    await platform.hub.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'project-acme--shop' } })
    await platform.make(tenant('acme'))
    await platform.make(project('tenant-acme', 'shop'))
    await platform.make(membership('project-acme--shop', 'project-owner', 'ann'))
    const made = await platform.project('tenant-acme', 'shop')
    assert.match(messageOf(made), /is there and is not its own/)
    assert.equal(platform.can('ann', 'local list memberships.tenancy.gantry.dev project-acme--shop/'), false)
  })

  test('outside a tenant is told where to stand', async () => {
    await using platform = await startTestTenancy()
    await platform.hub.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'elsewhere' } })
    await platform.make(project('elsewhere', 'shop'))
    assert.match(messageOf(await platform.project('elsewhere', 'shop')), /make it in tenant-<tenant>/)
  })

  test('that is deleted waits for its namespaces, and each of these for what runs in it', async () => {
    await using platform = await startWithShop({ spec: {} })
    const member = platform.member('one').client
    await member.create(pods, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'acme-shop-production', name: 'web' },
      spec: { containers: [{ name: 'a', image: 'a' }] },
    } as KubeObject)
    await platform.hub.delete(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' })
    await platform.idle()

    assert.match(messageOf(await platform.project('tenant-acme', 'shop')), /its namespaces have to go first: .*acme-shop-production in one/)
    const production = await platform.namespace('project-acme--shop', 'production')
    assert.deepEqual(readyOf(production), ['Terminating', 'HoldsWorkloads'])
    assert.match(messageOf(production), /holds pods \(web\): remove them, or set spec.reclaimPolicy/)
    assert.equal(platform.can('ann', 'one delete pods acme-shop-production/web'), true, 'its members can still clear it')

    await platform.hub.patch(
      projectNamespaceKind.ref,
      { namespace: 'project-acme--shop', name: 'production' },
      { type: 'merge', body: { spec: { reclaimPolicy: 'Retain' } } },
    )
    await platform.idle()
    const { metadata } = await member.get<KubeObject>(namespaces, { name: 'acme-shop-production' })
    assert.equal(metadata.deletionTimestamp, undefined)
    assert.equal(metadata.labels?.[tenancyLabels.uid], undefined)
    assert.equal(platform.can('ann', 'one delete pods acme-shop-production/web'), false)
    await assert.rejects(platform.namespace('project-acme--shop', 'production'), /not found/)
  })
})

describe('a namespace of a project', () => {
  const spec = { cluster: 'one', namespace: 'shop-db' }

  test('has the quota and limits of its object, and has them again when somebody changes them', async () => {
    await using platform = await startWithShop()
    const limits = { default: { cpu: '500m' }, max: { cpu: '2' } }
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', { ...spec, quota: { pods: 5, 'requests.cpu': '4' }, limits }))
    const member = platform.member('one').client
    const [quotaKey, limitKey] = [
      { namespace: 'shop-db', name: 'project-quota' },
      { namespace: 'shop-db', name: 'project-limits' },
    ]
    assert.deepEqual((await member.get<WithSpec>(resourceQuotas, quotaKey)).spec['hard'], { pods: '5', 'requests.cpu': '4' })
    const limited = (await member.get<WithSpec>(limitRanges, limitKey)).spec['limits'] as { readonly max: unknown }[]
    assert.deepEqual(limited[0]?.max, { cpu: '2' })

    await member.patch(resourceQuotas, quotaKey, { type: 'merge', body: { spec: { hard: { pods: '500' } } } })
    await member.delete(limitRanges, limitKey)
    await platform.idle()
    assert.deepEqual((await member.get<WithSpec>(resourceQuotas, quotaKey)).spec['hard'], { pods: '5', 'requests.cpu': '4' })
    assert.ok(await member.get(limitRanges, limitKey))

    await platform.hub.patch(
      projectNamespaceKind.ref,
      { namespace: 'project-acme--shop', name: 'db' },
      { type: 'merge', body: { spec: { quota: { pods: 7 }, limits: null } } },
    )
    await platform.idle()
    assert.equal((await member.get<WithSpec>(resourceQuotas, quotaKey)).spec['hard'] !== undefined, true)
    assert.equal(((await member.get<WithSpec>(resourceQuotas, quotaKey)).spec['hard'] as Record<string, string>)['pods'], '7')
    await assert.rejects(member.get(limitRanges, limitKey), /not found/)

    const before = platform.member('one').requests.length
    await platform.clock.advance(60_000)
    const writes = platform
      .member('one')
      .requests.slice(before)
      .filter(({ method, query }) => method !== 'GET' && !query.includes('dryRun'))
    assert.deepEqual(writes, [], 'nothing is written while nothing changes')
  })

  test("that is there and nobody's is not touched without adopt, and is only let go afterwards", async () => {
    await using platform = await startWithShop()
    const member = platform.member('one').client
    await member.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop-db' } })
    const before = await member.get<KubeObject>(namespaces, { name: 'shop-db' })
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Pending', 'Conflict'])
    assert.equal((await member.get<KubeObject>(namespaces, { name: 'shop-db' })).metadata.resourceVersion, before.metadata.resourceVersion)
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), false, 'what is only asked for gives nothing')

    const key = { namespace: 'project-acme--shop', name: 'db' }
    await platform.hub.patch(projectNamespaceKind.ref, key, { type: 'merge', body: { spec: { adopt: true } } })
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Active', 'Ready'])
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), true)

    await platform.hub.patch(projectNamespaceKind.ref, key, { type: 'merge', body: { spec: { reclaimPolicy: 'Delete' } } })
    await platform.hub.delete(projectNamespaceKind.ref, key)
    await platform.idle()
    const { metadata } = await member.get<KubeObject>(namespaces, { name: 'shop-db' })
    assert.deepEqual([metadata.deletionTimestamp, metadata.labels?.[tenancyLabels.uid]], [undefined, undefined])
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), false)
  })

  test("that is another project's is not touched, also with adopt, and gives its members nothing", async () => {
    await using platform = await startWithShop()
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    await platform.make(tenant('bank'))
    await platform.make(project('tenant-bank', 'ledger', { environments: [] }))
    await platform.make(membership('project-bank--ledger', 'project-owner', 'bob'))
    await platform.make(projectNamespaceOf('project-bank--ledger', 'stolen', { ...spec, adopt: true }))

    const stolen = await platform.namespace('project-bank--ledger', 'stolen')
    assert.deepEqual(readyOf(stolen), ['Pending', 'Conflict'])
    assert.match(messageOf(stolen), /belongs to project-acme--shop already/)
    assert.deepEqual([platform.can('bob', 'one get pods shop-db/web'), platform.can('ann', 'one get pods shop-db/web')], [false, true])

    await platform.hub.delete(projectNamespaceKind.ref, { namespace: 'project-bank--ledger', name: 'stolen' })
    await platform.idle()
    assert.equal(await isThere(platform, 'one', 'shop-db'), true, 'what was never its own is not deleted with it')
  })

  test('is lost to its members when somebody takes its mark away, until it is certain again', async () => {
    await using platform = await startWithShop()
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    const member = platform.member('one').client
    await member.patch(namespaces, { name: 'shop-db' }, { type: 'merge', body: { metadata: { labels: { [tenancyLabels.uid]: 'another' } } } })
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Pending', 'Conflict'])
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), false)
  })

  test('waits in a project that is locked, a tenant that is suspended, and for a cluster that it may not use', async () => {
    await using platform = await startWithShop()
    const key = { namespace: 'tenant-acme', name: 'shop' }
    await platform.hub.patch(projectKind.ref, key, { type: 'merge', body: { spec: { locked: true } } })
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Pending', 'Locked'])
    assert.equal(await isThere(platform, 'one', 'shop-db'), false)

    await platform.hub.patch(projectKind.ref, key, { type: 'merge', body: { spec: { locked: false, clusters: ['two'] } } })
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Pending', 'ClusterNotAllowed'])

    await platform.hub.patch(tenantKind.ref, { name: 'acme' }, { type: 'merge', body: { spec: { suspended: true } } })
    await platform.hub.patch(projectKind.ref, key, { type: 'merge', body: { spec: { clusters: null } } })
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Pending', 'Suspended'])
    await platform.hub.patch(tenantKind.ref, { name: 'acme' }, { type: 'merge', body: { spec: { suspended: false } } })
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Active', 'Ready'])
  })

  test('whose quota is refused is not made', async () => {
    const refused = { kind: 'Refused', message: 'project acme/shop cluster one requests.cpu: want 4, free 1' } as const
    const quotas = {
      hardFor: () => Promise.resolve(refused),
      enforce: () => Promise.resolve(refused),
      release: () => Promise.resolve(),
      settle: () => Promise.resolve(undefined),
      environmentShares: () => Promise.resolve(new Map<string, string>()),
      releaseProject: () => Promise.resolve(),
    }
    await using platform = await startWithShop({ quotas })
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    const object = await platform.namespace('project-acme--shop', 'db')
    assert.deepEqual([...readyOf(object), messageOf(object)], ['Pending', 'QuotaExceeded', refused.message])
    assert.equal(await isThere(platform, 'one', 'shop-db'), false)
  })

  test('has the quota and the limits that its project says where it says none, also when the project says otherwise later', async () => {
    const namespaceDefaultQuota = { cpu: '2', pods: '10' }
    const namespaceDefaultLimits = { defaultRequest: { cpu: '100m' } }
    await using platform = await startTestTenancy()
    await platform.make(tenant('acme'))
    await platform.make(
      project('tenant-acme', 'shop', {
        environments: [{ name: 'test', cluster: 'one' }],
        namespaceDefaultQuota,
        namespaceDefaultLimits,
        quota: { total: { cpu: '10' } },
      }),
    )
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', { ...spec, quota: { 'requests.cpu': '3' } }))
    const { client } = platform.member('one')
    const hardIn = async (namespace: string): Promise<unknown> =>
      (await client.get<KubeObject & { spec: { hard: unknown } }>(resourceQuotas, { namespace, name: 'project-quota' })).spec.hard
    assert.deepEqual(await hardIn('acme-shop-test'), { cpu: '2', pods: '10' })
    assert.deepEqual(await hardIn('shop-db'), { 'requests.cpu': '3', pods: '10' })
    const { spec: range } = await client.get<KubeObject & { spec: { limits: { defaultRequest: unknown }[] } }>(limitRanges, {
      namespace: 'shop-db',
      name: 'project-limits',
    })
    assert.deepEqual(range.limits[0]?.defaultRequest, { cpu: '100m' })
    assert.equal((await platform.namespace('project-acme--shop', 'test')).spec.quota, undefined, 'it goes on following its project')

    const change = (body: object): Promise<unknown> =>
      platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'shop' }, { type: 'merge', body: { spec: body } })
    await change({ namespaceDefaultQuota: { cpu: '4' } })
    await platform.idle()
    assert.deepEqual(
      [await hardIn('acme-shop-test'), await hardIn('shop-db')],
      [
        { cpu: '4', pods: '10' },
        { 'requests.cpu': '3', pods: '10' },
      ],
    )
    await change({ namespaceDefaultQuota: { cpu: '8' } })
    await platform.idle()
    const { status } = await platform.namespace('project-acme--shop', 'test')
    assert.match(
      status?.conditions?.find(({ type }) => type === 'QuotaInForce')?.message ?? '',
      /requests.cpu: want 8, free 7 \(limit 10 of project acme\/shop\)/,
    )
    assert.deepEqual(await hardIn('acme-shop-test'), { cpu: '4', pods: '10' }, 'what does not fit leaves what there was')
  })

  test('in a cluster that does not answer waits with the reason and holds up no other cluster', async () => {
    await using platform = await startWithShop()
    const [one, two] = [platform.member('one'), platform.member('two')]
    one.behave = ({ signal }) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason as Error)))
    for (const name of ['a', 'b', 'c', 'd']) await platform.make(projectNamespaceOf('project-acme--shop', name, { cluster: 'one', namespace: `shop-${name}` }))
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', { ...spec, cluster: 'two' }))
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Active', 'Ready'])
    assert.ok(two.requests.length > 0)
    await platform.clock.advance(16_000)
    await platform.idle()
    const waiting = await platform.namespace('project-acme--shop', 'a')
    assert.deepEqual([...readyOf(waiting), messageOf(waiting)], ['Pending', 'ClusterUnreachable', 'cluster one has not answered in 15 s'])

    await platform.setReady('one', 'False', 'connection refused')
    await platform.clock.advance(60_000)
    await platform.idle()
    assert.equal(messageOf(await platform.namespace('project-acme--shop', 'a')), 'cluster one cannot be reached: connection refused')
    one.behave = undefined
    await platform.setReady('one', 'True')
    await platform.idle()
    for (const name of ['a', 'b', 'c', 'd']) assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', name)), ['Active', 'Ready'], name)
  })

  test("stays its members' while its cluster is away, and not in another cluster of that name", async () => {
    await using platform = await startWithShop()
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    await platform.setReady('one', 'Unknown', 'no route')
    await platform.idle()
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Active', 'ClusterUnreachable'])
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), true)

    platform.member('one').behave = () => Promise.resolve({ status: 503, headers: {}, body: '' })
    await platform.removeCluster('one')
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), false)
    await platform.addCluster('one')
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), false, 'it is another cluster, and nobody has looked yet')
    platform.member('one').behave = undefined
    await platform.clock.advance(20_000)
    await platform.idle()
    assert.equal(platform.can('ann', 'one get pods shop-db/web'), true)
  })

  test('goes with its object when nothing is in it but configuration', async () => {
    await using platform = await startWithShop()
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    const member = platform.member('one').client
    await member.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop-db', name: 'settings' } })
    await platform.hub.delete(projectNamespaceKind.ref, { namespace: 'project-acme--shop', name: 'db' })
    await platform.idle()
    assert.notEqual((await member.get<KubeObject>(namespaces, { name: 'shop-db' })).metadata.deletionTimestamp, undefined)
    assert.deepEqual(readyOf(await platform.namespace('project-acme--shop', 'db')), ['Terminating', 'NamespaceTerminating'])
  })

  test('of a cluster that has left the platform goes without it', async () => {
    await using platform = await startWithShop()
    await platform.make(projectNamespaceOf('project-acme--shop', 'db', spec))
    await platform.removeCluster('one')
    await platform.idle()
    assert.match(messageOf(await platform.namespace('project-acme--shop', 'db')), /the platform has no cluster one/)
    await platform.hub.delete(projectNamespaceKind.ref, { namespace: 'project-acme--shop', name: 'db' })
    await platform.idle()
    await assert.rejects(platform.namespace('project-acme--shop', 'db'), /not found/)
  })
})

describe('environments of a project with a quota', () => {
  const quotaOf = async (platform: TestTenancy, name: string): Promise<unknown> => (await platform.namespace('project-acme--shop', name)).spec.quota
  const environmentsMade = async (platform: TestTenancy): Promise<string> => {
    const { status } = await platform.project('tenant-acme', 'shop')
    const { reason = '', message = '' } = status?.conditions?.find(({ type }) => type === 'EnvironmentsMade') ?? {}
    return `${reason} ${message}`
  }

  test('have an even share of it where nobody says what they are to have, and that is said', async () => {
    await using platform = await startTestTenancy()
    await platform.make(tenant('acme'))
    await platform.make(
      project('tenant-acme', 'shop', {
        quota: { total: { cpu: '10', memory: '5Gi', pods: '9' }, clusters: [{ cluster: 'one', hard: { pods: '6' } }], namespaces: 4 },
      }),
    )
    const half = { 'requests.cpu': '5', 'requests.memory': '2560Mi', pods: '3' }
    for (const name of ['test', 'production']) {
      assert.deepEqual(await quotaOf(platform, name), half)
      const { status } = await platform.namespace('project-acme--shop', name)
      assert.equal(status?.conditions?.find(({ type }) => type === 'Ready')?.status, 'True')
    }
    assert.match(await environmentsMade(platform), /^Made production, test: given an even share of what was free of the project's quota/)
  })

  test('have what is left when some say what they have, and none at all rather than nothing', async () => {
    await using platform = await startTestTenancy()
    await platform.make(tenant('acme'))
    const environments = [{ name: 'test' }, { name: 'staging' }, { name: 'production', quota: { 'requests.cpu': '6', pods: 1 } }]
    await platform.make(project('tenant-acme', 'shop', { environments, quota: { total: { cpu: '10', pods: '2' } } }))
    assert.deepEqual(await quotaOf(platform, 'production'), { 'requests.cpu': '6', pods: 1 })
    await assert.rejects(platform.namespace('project-acme--shop', 'test'), /not found/)
    assert.match(
      await environmentsMade(platform),
      /^Waiting test: too little pods is free of the quota of project acme\/shop to share it: raise it, lower others, or say in spec.environments what test is to have; staging: /,
    )

    await platform.hub.patch(
      projectKind.ref,
      { namespace: 'tenant-acme', name: 'shop' },
      { type: 'merge', body: { spec: { quota: { total: { cpu: '10', pods: '7' } } } } },
    )
    await platform.idle()
    for (const name of ['test', 'staging']) assert.deepEqual(await quotaOf(platform, name), { 'requests.cpu': '2', pods: '3' })
  })

  test('lease what they use in the mode Consumption, and nothing is said for them', async () => {
    await using platform = await startTestTenancy()
    await platform.make(tenant('acme'))
    await platform.make(project('tenant-acme', 'shop', { mode: 'Consumption', quota: { total: { cpu: '10' } } }))
    assert.equal(await quotaOf(platform, 'test'), undefined)
    assert.match(await environmentsMade(platform), /^Made $/)
  })
})
