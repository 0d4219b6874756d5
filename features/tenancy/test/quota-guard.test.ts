import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Exchange } from '@gantry/gateway'
import { bodyOf, readWholeBody, silentLogger, systemIds, type HttpRequest } from '@gantry/runtime'
import { projectKind, projectNamespaceKind, quotaLedgerKind, tenantKind, type QuotaLedger } from '../api/index.ts'
import { guardQuotas, quotaRoutes, Quotas } from '../server/index.ts'
import { makeProject, makeTenant, namespaceObject, startTestHub, type TestHub } from './test-hub.ts'

const signal = new AbortController().signal
const admin = { username: 'system:admin', groups: ['system:masters'] }

let started: TestHub
before(async () => void (started = await startTestHub()))
after(() => started[Symbol.asyncDispose]())

interface Answer {
  readonly status: number
  readonly body: { readonly message?: string; readonly [field: string]: unknown }
}

interface Guarded {
  readonly ask: (method: string, path: string, body?: unknown, fails?: number) => Promise<Answer>
  readonly route: (method: string, path: string, body?: unknown, user?: string) => Promise<Answer>
  readonly entries: () => Promise<readonly string[]>
  readonly requests: HttpRequest[]
}

/** A hub whose guard has tenant `name` with project shop of 10 CPU. */
async function startGuarded(name: string): Promise<Guarded> {
  const { hub, clock, handle } = started
  await makeTenant(hub, name, { quota: { total: { 'requests.cpu': '10' } } })
  await makeProject(hub, `${name}/shop`, { quota: { total: { 'requests.cpu': '10' } } })
  const quotas = new Quotas({ hub, clock, ids: systemIds })
  const requests: HttpRequest[] = []
  let failing = 0
  const target = guardQuotas(
    { quotas, log: silentLogger },
    {
      kind: 'hub',
      handle(request) {
        requests.push(request)
        if (failing > 0 && !request.query.includes('dryRun')) return Promise.resolve({ status: failing, headers: {}, body: '{}' })
        return handle({ ...request, user: admin })
      },
      upgrade: () => Promise.resolve(),
    },
  )
  const [route] = quotaRoutes({
    quotas,
    usage: () => Promise.reject(new Error('not asked here')),
    mayGet: ({ username }, { namespace }) => username === 'ann' && namespace === `tenant-${name}`,
  })
  return {
    requests,
    async ask(method, path, body, fails = 0) {
      failing = fails
      const [pathname = '', query = ''] = path.split('?')
      const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }
      const response = await target.handle({
        method,
        path: pathname,
        query,
        headers,
        body: body === undefined ? undefined : bodyOf(JSON.stringify(body)),
        signal,
      })
      return { status: response.status, body: JSON.parse((await readWholeBody(response)).toString()) as Answer['body'] }
    },
    async route(method, path, body, user = 'ann') {
      const request = { method, path, query: '', headers: {}, body: body === undefined ? undefined : bodyOf(JSON.stringify(body)), signal }
      const response = await route!.serve({ request, caller: { kind: 'platform', user: { username: user } } } as unknown as Exchange)
      return { status: response.status, body: JSON.parse((await readWholeBody(response)).toString()) as Answer['body'] }
    },
    entries: async () => (await hub.get<QuotaLedger>(quotaLedgerKind.ref, { namespace: `tenant-${name}`, name })).spec.entries ?? [],
  }
}

const api = `/apis/${tenantKind.apiVersion}`
const inShop = (tenant: string): string => `${api}/namespaces/project-${tenant}--shop/${projectNamespaceKind.plural}`
const wants = (tenant: string, place: string, cpu: string): object => namespaceObject(`${tenant}/shop`, place, { quota: { 'requests.cpu': cpu } })

describe('a write through the gateway', () => {
  test('that fits is reserved for its object; one that does not is refused with what is free, and is not written', async () => {
    const { ask, entries } = await startGuarded('fits')
    const made = await ask('POST', inShop('fits'), wants('fits', 'a/one', '8500m'))
    assert.equal(made.status, 201)
    const { uid } = made.body['metadata'] as { uid: string }
    assert.ok((await entries()).some((line) => line.startsWith('namespace shop a one ') && line.includes(uid)))

    const refused = await ask('POST', inShop('fits'), wants('fits', 'member-1/two', '4'))
    assert.deepEqual(
      [refused.status, refused.body.message],
      [403, 'project fits/shop cluster member-1 requests.cpu: want 4, free 1.5 (limit 10 of project fits/shop)'],
    )
    assert.equal((await ask('GET', `${inShop('fits')}/member-1-two`)).status, 404)
    assert.equal((await ask('PATCH', `${inShop('fits')}/a-one`, { spec: { quota: { 'requests.cpu': '11' } } })).status, 403)
    assert.equal((await ask('PATCH', `${inShop('fits')}/a-one`, { spec: { quota: { 'requests.cpu': '10' } } })).status, 200)
    assert.equal((await entries()).filter((line) => line.startsWith('namespace ')).length, 1)
  })

  test('that the hub refuses gives back what was reserved; one whose end is not known keeps it', async () => {
    const { ask, entries } = await startGuarded('fails')
    assert.equal((await ask('POST', inShop('fails'), wants('fails', 'a/one', '6'), 409)).status, 409)
    assert.deepEqual(
      (await entries()).filter((line) => line.startsWith('namespace ')),
      [],
    )
    assert.equal((await ask('POST', inShop('fails'), wants('fails', 'a/one', '6'), 503)).status, 503)
    assert.equal((await entries()).filter((line) => line.startsWith('namespace ')).length, 1)
    assert.match((await ask('POST', inShop('fails'), wants('fails', 'a/two', '6'))).body.message ?? '', /want 6, free 4 /)
  })

  test('that is a dry run is judged and reserves nothing', async () => {
    const { ask, entries } = await startGuarded('dry')
    assert.equal((await ask('POST', `${inShop('dry')}?dryRun=All`, wants('dry', 'a/one', '11'))).status, 403)
    assert.equal((await ask('POST', `${inShop('dry')}?dryRun=All`, wants('dry', 'a/one', '6'))).status, 201)
    assert.deepEqual(
      (await entries()).filter((line) => line.startsWith('namespace ')),
      [],
    )
  })

  test('of a quota that is less than what is reserved, or more than there is above, is refused', async () => {
    const { ask } = await startGuarded('less')
    assert.equal((await ask('POST', inShop('less'), wants('less', 'a/one', '8'))).status, 201)
    const shop = `${api}/namespaces/tenant-less/${projectKind.plural}/shop`
    assert.match(
      (await ask('PATCH', shop, { spec: { quota: { total: { 'requests.cpu': '7' } } } })).body.message ?? '',
      /limit 7 is less than the 8 reserved below it/,
    )
    assert.match(
      (await ask('PATCH', shop, { spec: { quota: { total: { 'requests.cpu': '11' } } } })).body.message ?? '',
      /project less\/shop requests.cpu: want 11, free 10 \(limit 10 of tenant less\)/,
    )
    assert.match(
      (await ask('PATCH', `${api}/tenants/less`, { spec: { quota: { total: { 'requests.cpu': '9' } } } })).body.message ?? '',
      /limit 9 is less than the 10 reserved below it/,
    )
    assert.equal((await ask('PATCH', shop, { spec: { quota: { total: { 'requests.cpu': '8' } } } })).status, 200)
    assert.equal((await ask('PATCH', `${api}/tenants/less`, { spec: { quota: { total: { 'requests.cpu': '9' } } } })).status, 200)
    assert.equal((await ask('PATCH', shop, { spec: { quota: { total: { 'c pu': '8' } } } })).status, 422)
  })

  test('of a ledger is refused, and one that changes no quota touches none', async () => {
    const { ask, entries } = await startGuarded('own')
    assert.equal((await ask('POST', inShop('own'), wants('own', 'a/one', '1'))).status, 201)
    assert.match(
      (await ask('PATCH', `${api}/namespaces/tenant-own/${quotaLedgerKind.plural}/own`, { spec: { entries: [] } })).body.message ?? '',
      /written by the platform alone/,
    )
    const { metadata } = await started.hub.get(quotaLedgerKind.ref, { namespace: 'tenant-own', name: 'own' })
    assert.equal((await ask('PATCH', `${inShop('own')}/a-one`, { metadata: { labels: { a: 'b' } } })).status, 200)
    assert.equal((await started.hub.get(quotaLedgerKind.ref, { namespace: 'tenant-own', name: 'own' })).metadata.resourceVersion, metadata.resourceVersion)
    assert.equal((await entries()).length, 3)
  })
})

describe('the routes of quotas', () => {
  test('show what limits a project, and check what would be without keeping anything', async () => {
    const { route, ask, entries } = await startGuarded('show')
    await ask('POST', inShop('show'), wants('show', 'a/one', '8'))
    const before = await entries()
    const path = '/platform/v1/projects/show/shop/quota'
    const shown = await route('GET', path)
    assert.deepEqual(shown.body['limits'], [
      { scope: 'project show/shop', resource: 'requests.cpu', limit: '10', taken: '8', free: '2' },
      { scope: 'tenant show', resource: 'requests.cpu', limit: '10', taken: '10', free: '0' },
    ])
    assert.deepEqual(shown.body['namespaces'], [{ cluster: 'a', namespace: 'one', reserved: { 'requests.cpu': '8' } }])

    const check = async (body: unknown): Promise<unknown> => {
      const { fits, problems } = (await route('POST', `${path}:check`, body)).body
      return [fits, problems]
    }
    assert.deepEqual(await check({ namespace: { cluster: 'b', namespace: 'two', quota: { 'requests.cpu': 2 } } }), [true, []])
    assert.deepEqual(await check({ namespace: { cluster: 'b', namespace: 'two', quota: { 'requests.cpu': 3 } } }), [
      false,
      ['project show/shop cluster b requests.cpu: want 3, free 2 (limit 10 of project show/shop)'],
    ])
    assert.deepEqual(await check({ quota: { total: { 'requests.cpu': 8 } } }), [true, []])
    assert.deepEqual(await check({ mode: 'Consumption' }), [true, []])
    assert.deepEqual(await entries(), before)
  })

  test('answer only who may read the project, and say what is wrong with a question', async () => {
    const { route } = await startGuarded('ask')
    const path = '/platform/v1/projects/ask/shop/quota'
    await assert.rejects(route('GET', path, undefined, 'bob'), /there is no project ask\/shop that user "bob" may read/)
    await assert.rejects(route('GET', '/platform/v1/projects/ask/none/quota'), /there is no project ask\/none that user "ann" may read/)
    await assert.rejects(route('GET', `${path}:check`), /takes a POST/)
    await assert.rejects(route('POST', `${path}:check`, {}), /give either "namespace" \{cluster, namespace, quota\}, or "quota" or "mode"/)
    await assert.rejects(route('POST', `${path}:check`, { namespace: { cluster: 'a b', namespace: 'x' } }), /"namespace.cluster" is no name/)
    await assert.rejects(
      route('POST', `${path}:check`, { quota: { total: { 'requests.cpu': 'four' } } }),
      /spec\.quota\.total\.requests\.cpu: "four" is no quantity/,
    )
  })
})
