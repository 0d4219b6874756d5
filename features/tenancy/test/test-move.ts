import assert from 'node:assert/strict'
import { StatusError, unlessGone, unlessThere } from '@gantry/apimachinery'
import type { KubeObject } from '@gantry/client'
import type { Exchange } from '@gantry/gateway'
import { bodyOf, readWholeBody, systemIds, type HttpResponse, type UserInfo } from '@gantry/runtime'
import { projectNamespaceKind, quotaLedgerKind, tenancyLabels, type ProjectNamespace } from '@gantry/tenancy/api'
import { clustersOf, closureOf } from '@gantry/tenancy/controller'
import { moveRoutes, Quotas } from '@gantry/tenancy/server'
import {
  core,
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

const { ref } = projectNamespaceKind
const accounts = core('serviceaccounts', 'ServiceAccount')
export const shop = 'project-acme--shop'
export const bank = 'project-acme--bank'
export const spec = { cluster: 'one', namespace: 'db', quota: { cpu: '2' }, limits: { default: { cpu: '1' } } }

/** Tenant acme with the projects shop, which ann owns and which has the namespace db with a pod, and bank, which bob owns. tom is an administrator of the tenant. */
export async function start(): Promise<TestTenancy> {
  const platform = await startTestTenancy({ members: ['one'] })
  await platform.make(tenant('acme'))
  await platform.make(tenant('other'))
  await platform.make(project('tenant-acme', 'shop', { environments: [] }))
  await platform.make(project('tenant-acme', 'bank', { environments: [] }))
  await platform.make(membership(shop, 'project-owner', 'ann'))
  await platform.make(membership(bank, 'project-owner', 'bob'))
  await platform.make(membership('tenant-acme', 'tenant-admin', 'tom'))
  await platform.make(projectNamespaceOf(shop, 'db', spec))
  const { client } = platform.member('one')
  await unlessThere(client.create(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'db' } }))
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', namespace: 'db' }, spec: { containers: [{ name: 'a', image: 'a' }] } }
  await client.create(pods, pod as KubeObject)
  return platform
}

/** Begins a move of shop's namespace; without a body the end of it. */
export function ask(platform: TestTenancy, user: string, body?: object): Promise<{ readonly status: number; readonly message: string }> {
  return askAbout(platform, { user, method: body === undefined ? 'DELETE' : 'POST', path: `/platform/v1/projectnamespaces/${shop}/db/move`, body })
}

interface AskedMove {
  readonly user: string
  readonly method: string
  readonly path: string
  readonly body?: unknown
}

export async function askAbout(platform: TestTenancy, asked: AskedMove): Promise<{ readonly status: number; readonly message: string }> {
  try {
    const response = await serve(platform, asked)
    return { status: response.status, message: (await readWholeBody(response)).toString() }
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return { status: error.code, message: error.message }
  }
}

/** Throws StatusError, as the routes do. */
export async function serve(platform: TestTenancy, { user, method, path, body }: AskedMove): Promise<HttpResponse> {
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
    method,
    path,
    query: '',
    headers: {},
    body: body === undefined ? undefined : bodyOf(JSON.stringify(body)),
    signal,
  }
  return route!.serve({ request, caller: { kind: 'platform', user: { username: user } } } as unknown as Exchange)
}

export async function find(platform: TestTenancy, namespace: string): Promise<ProjectNamespace | undefined> {
  return unlessGone(platform.hub.get<ProjectNamespace>(ref, { namespace, name: 'db' }))
}

export async function ledgerOf({ hub }: TestTenancy): Promise<string> {
  return JSON.stringify((await hub.list(quotaLedgerKind.ref, { namespace: 'tenant-acme' })).items)
}

export async function markOf(platform: TestTenancy): Promise<string | undefined> {
  return (await platform.member('one').client.get<KubeObject>(namespaces, { name: 'db' })).metadata.labels?.[tenancyLabels.uid]
}

/** Everything of the namespace is the new project's, and nothing in it has been touched. */
export async function assertMoved(platform: TestTenancy, before: KubeObject): Promise<void> {
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

export const original = (platform: TestTenancy): Promise<KubeObject> => platform.member('one').client.get<KubeObject>(namespaces, { name: 'db' })
