import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import type { KubeObject } from '@gantry/client'
import type { Exchange } from '@gantry/gateway'
import { bodyOf, readWholeBody, systemIds, type UserInfo } from '@gantry/runtime'
import { movedFromAnnotation, projectKind, projectNamespaceKind, quotaLedgerKind, tenancyLabels, type ProjectNamespace } from '@gantry/tenancy/api'
import { clustersOf, closureOf } from '@gantry/tenancy/controller'
import { moveRoutes, Quotas } from '@gantry/tenancy/server'
import {
  membership,
  namespaces,
  pods,
  project,
  projectNamespaceOf,
  resourceQuotas,
  limitRanges,
  startTestTenancy,
  tenant,
  type TestTenancy,
} from './test-tenancy.ts'

const { ref } = projectNamespaceKind
const shop = 'project-acme--shop'
const bank = 'project-acme--bank'
const spec = { cluster: 'one', namespace: 'db', quota: { cpu: '2' }, limits: { default: { cpu: '1' } } }

/** Tenant acme with the projects shop, which ann owns and which has the namespace db with a pod, and bank, which bob owns. tom is an administrator of the tenant. */
async function start(): Promise<TestTenancy> {
  const platform = await startTestTenancy({ members: ['one'] })
  await platform.make(tenant('acme'))
  await platform.make(tenant('other'))
  await platform.make(project('tenant-acme', 'shop', { environments: [] }))
  await platform.make(project('tenant-acme', 'bank', { environments: [] }))
  await platform.make(membership(shop, 'project-owner', 'ann'))
  await platform.make(membership(bank, 'project-owner', 'bob'))
  await platform.make(membership('tenant-acme', 'tenant-admin', 'tom'))
  await platform.make(projectNamespaceOf(shop, 'db', spec))
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'db' }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  await platform.member('one').client.create(pods, pod as KubeObject)
  return platform
}

async function ask(platform: TestTenancy, user: string, body: object, name = 'db'): Promise<{ readonly status: number; readonly message: string }> {
  const { hub, clock, permissions, tenancy } = platform
  const [route] = moveRoutes({
    hub,
    clock,
    quotas: new Quotas({ hub, clock, ids: systemIds }),
    view: {
      closureOf(namespace) {
        const owner = tenancy.objects.ownerOf(namespace)
        return owner && closureOf(owner)
      },
      clustersOf(namespace) {
        const owner = tenancy.objects.ownerOf(namespace)
        return owner && clustersOf(owner)
      },
    },
    may: ({ username }: UserInfo, question) =>
      permissions.index.decide(permissions.subjectOf(username), { cluster: 'local', isResource: true, subresource: '', path: '', ...question }).allowed,
  })
  const { signal } = new AbortController()
  const request = {
    method: 'POST',
    path: `/platform/v1/projectnamespaces/${shop}/${name}/move`,
    query: '',
    headers: {},
    body: bodyOf(JSON.stringify(body)),
    signal,
  }
  try {
    const response = await route!.serve({ request, caller: { kind: 'platform', user: { username: user } } } as unknown as Exchange)
    return { status: response.status, message: (await readWholeBody(response)).toString() }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return { status: error.code, message: error.message }
  }
}

async function find(platform: TestTenancy, namespace: string): Promise<ProjectNamespace | undefined> {
  return (await platform.hub.list<ProjectNamespace>(ref, { namespace })).items.find(({ metadata }) => metadata.name === 'db')
}

async function ledgerOf({ hub }: TestTenancy): Promise<string> {
  return JSON.stringify((await hub.list(quotaLedgerKind.ref, { namespace: 'tenant-acme' })).items)
}

async function markOf(platform: TestTenancy): Promise<string | undefined> {
  return (await platform.member('one').client.get<KubeObject>(namespaces, { name: 'db' })).metadata.labels?.[tenancyLabels.uid]
}

/** Everything of the namespace is the new project's, and nothing in it has been touched. */
async function assertMoved(platform: TestTenancy, before: KubeObject): Promise<void> {
  const { client } = platform.member('one')
  const moved = await platform.namespace(bank, 'db')
  assert.equal(await find(platform, shop), undefined)
  assert.deepEqual([moved.status?.phase, moved.status?.conditions?.find(({ type }) => type === 'QuotaInForce')?.status], ['Active', 'True'])
  assert.deepEqual(moved.spec, spec)
  const { metadata } = await client.get<KubeObject>(namespaces, { name: 'db' })
  assert.deepEqual(
    [metadata.labels?.[tenancyLabels.uid], metadata.labels?.[tenancyLabels.project], metadata.uid],
    [moved.metadata.uid, 'bank', before.metadata.uid],
  )
  for (const resource of [resourceQuotas, limitRanges])
    for (const item of (await client.list<KubeObject>(resource, { namespace: 'db' })).items)
      assert.equal(item.metadata.labels?.[tenancyLabels.uid], moved.metadata.uid, resource.resource)
  assert.deepEqual(
    (await client.list<KubeObject>(pods, { namespace: 'db' })).items.map(({ metadata }) => metadata.name),
    ['web'],
  )
  assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [false, true])
  assert.equal(platform.member('one').requests.filter(({ method }) => method === 'DELETE').length, 0, 'nothing is deleted in the cluster')
}

/** What a move that was interrupted has left: the new object, how far the old one says it is, and whether the namespace bears the new mark. */
async function leave(platform: TestTenancy, { isRecorded, isMarked }: { readonly isRecorded: boolean; readonly isMarked: boolean }): Promise<void> {
  const old = await platform.namespace(shop, 'db')
  const next = projectNamespaceOf(bank, 'db', spec)
  await platform.make({ ...next, metadata: { ...next.metadata, annotations: { [movedFromAnnotation]: old.metadata.uid ?? '' } } })
  const { uid } = (await platform.namespace(bank, 'db')).metadata
  const move = { to: bank, startTime: '2026-01-01T00:00:00Z', ...(isRecorded ? { phase: 'NewCreated', uid } : { phase: 'Pending' }) }
  await platform.hub.patch(ref, { namespace: shop, name: 'db' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Moving', move } } })
  await platform.idle()
  if (!isMarked) return
  const labels = { [tenancyLabels.uid]: uid, [tenancyLabels.project]: 'bank' }
  await platform.member('one').client.patch(namespaces, { name: 'db' }, { type: 'merge', body: { metadata: { labels } } })
}

const original = (platform: TestTenancy): Promise<KubeObject> => platform.member('one').client.get<KubeObject>(namespaces, { name: 'db' })

describe('a namespace that moves to another project', () => {
  test('goes with what runs in it, and members change with it', async () => {
    await using platform = await start()
    const before = await original(platform)
    assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [true, false])
    assert.match(await ledgerOf(platform), /shop[^"]*one[^"]*db/)
    const { status } = await ask(platform, 'tom', { to: 'acme/bank' })
    assert.equal(status, 202)
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 409, 'it is moving')
    await platform.idle()
    await assertMoved(platform, before)
    assert.doesNotMatch(await ledgerOf(platform), /shop[^"]*one[^"]*db/, 'the old project has given back what was kept for it')
  })

  test('is only asked about with dryRun', async () => {
    await using platform = await start()
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank', dryRun: true })).status, 200)
    await platform.idle()
    assert.deepEqual([(await platform.namespace(shop, 'db')).status?.phase, await find(platform, bank)], ['Active', undefined])
  })

  test('is refused to who may not do both, to another tenant, and to where it does not fit', async () => {
    await using platform = await start()
    for (const [user, to, code, message] of [
      ['ann', 'acme/bank', 403, /may not make ProjectNamespaces in the project acme\/bank/],
      ['bob', 'acme/bank', 403, /may delete/],
      ['tom', 'other/bank', 422, /of that tenant, not to other/],
      ['tom', 'acme/shop', 422, /in acme\/shop already/],
      ['tom', 'bank', 400, /write "<tenant>\/<project>"/],
    ] as const) {
      const { status, message: said } = await ask(platform, user, { to })
      assert.deepEqual([status, message.test(said)], [code, true], said)
    }
    for (const [change, message] of [
      [{ quota: { total: { cpu: '1' } } }, /does not fit there: .*want 2, free 1/],
      [{ quota: null, clusters: ['two'] }, /may not use the cluster one/],
      [{ clusters: null, locked: true }, /acme\/bank is locked/],
    ] as const) {
      await platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: change } })
      await platform.idle()
      const { status, message: said } = await ask(platform, 'tom', { to: 'acme/bank' })
      assert.deepEqual([status, message.test(said)], [403, true], said)
    }
    assert.equal((await platform.namespace(shop, 'db')).status?.move, undefined)
  })

  test('stays where it was when the new project no longer takes it by the time it gets there', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
    await platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: { locked: true } } })
    await platform.idle()
    await platform.clock.advance(10_000)
    await platform.idle()
    const { status } = await platform.namespace(shop, 'db')
    assert.deepEqual([status?.phase, status?.move?.phase, await find(platform, bank), await markOf(platform)], ['Active', 'Failed', undefined, uid])
    assert.match(status?.move?.message ?? '', /locked/)
    assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [true, false])
  })

  for (const [left, isRecorded, isMarked] of [
    ['the new object had been made, but not written down', false, false],
    ['the new object might take the namespace, but had not', true, false],
    ['the namespace bore the new mark, and nothing else had been done', true, true],
  ] as const)
    test(`is finished when the platform ended after ${left}`, async () => {
      await using platform = await start()
      const before = await original(platform)
      // Nothing goes on while the cluster does not answer: time to lay out what a crash leaves.
      await platform.setReady('one', 'False')
      await platform.idle()
      await leave(platform, { isRecorded, isMarked })
      await platform.setReady('one', 'True')
      await platform.idle()
      await platform.clock.advance(10_000)
      await platform.idle()
      await assertMoved(platform, before)
    })

  test('is undone when what it was to become is deleted before it has the namespace', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    await platform.setReady('one', 'False')
    await platform.idle()
    await leave(platform, { isRecorded: true, isMarked: false })
    await platform.hub.delete(ref, { namespace: bank, name: 'db' })
    await platform.setReady('one', 'True')
    await platform.idle()
    await platform.clock.advance(10_000)
    await platform.idle()
    const { status } = await platform.namespace(shop, 'db')
    assert.deepEqual([status?.phase, status?.move?.phase, await find(platform, bank), await markOf(platform)], ['Active', 'Failed', undefined, uid])
    assert.match(status?.move?.message ?? '', /has been deleted/)
    assert.equal(platform.can('ann', 'one get pods db/'), true)
  })

  test('is not taken by somebody who only says that it moves', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    const forged = projectNamespaceOf(bank, 'db', spec)
    await platform.make({ ...forged, metadata: { ...forged.metadata, annotations: { [movedFromAnnotation]: uid ?? '' } } })
    assert.deepEqual([await markOf(platform), (await platform.namespace(bank, 'db')).status?.phase], [uid, 'Pending'])
    assert.equal(platform.can('bob', 'one get pods db/'), false)
  })
})
