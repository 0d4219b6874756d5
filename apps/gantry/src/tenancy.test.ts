import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { connectPlatform } from '@gantry/cli-kit'
import { createClient, loadKubeconfig, openHttpTransport, readLines, type KubeClient, type KubeObject } from '@gantry/client'
import { bodyOf, readWholeBody, systemClock } from '@gantry/runtime'
import { projectKind, projectNamespaceKind } from '@gantry/tenancy/api'
import { startTestPlatform } from './testing/test-platform.ts'

const core = { group: '', version: 'v1', namespaced: true }
const configMaps = { ...core, resource: 'configmaps', kind: 'ConfigMap' }
const namespaces = { ...core, resource: 'namespaces', kind: 'Namespace', namespaced: false }
const tenancy = '/apis/tenancy.gantry.dev/v1alpha1'
const cleanups: (() => Promise<void>)[] = []
const { signal } = new AbortController()
let admin: KubeClient
let call: (method: 'POST', path: string, options: { readonly body?: unknown; readonly signal: AbortSignal }) => Promise<unknown>
let clientOf: (user: string) => Promise<KubeClient>
let clientWith: (token: string) => KubeClient

interface Answer {
  readonly status: number
  readonly text: string
}

async function ask(client: KubeClient, method: string, path: string, body?: unknown): Promise<Answer> {
  const [pathname = '', query = ''] = path.split('?', 2)
  const headers = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' }
  const bytes = body === undefined ? {} : { body: bodyOf(JSON.stringify(body)) }
  const response = await client.request({ method, path: pathname, query, headers, ...bytes })
  return { status: response.status, text: (await readWholeBody(response)).toString('utf8') }
}

const kinds: Readonly<Record<string, string>> = { tenants: 'Tenant', projects: 'Project', projectnamespaces: 'ProjectNamespace', memberships: 'Membership' }

type Where = readonly [resource: string, namespace: string | undefined, name: string]

const make = (client: KubeClient, [resource, namespace, name]: Where, spec: object): Promise<Answer> =>
  ask(client, 'POST', `${tenancy}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`, {
    apiVersion: 'tenancy.gantry.dev/v1alpha1',
    kind: kinds[resource],
    metadata: { name },
    spec,
  })

/** Waits for what a watch shows, not for a time. */
async function until(client: KubeClient, path: string, isSo: (object: { readonly status?: Record<string, unknown> }) => boolean): Promise<void> {
  const response = await client.request({
    method: 'GET',
    path: path.replace(/\/[^/]+$/, ''),
    query: `watch=1&fieldSelector=metadata.name%3D${path.split('/').at(-1)}`,
  })
  for await (const line of readLines(response, { signal: AbortSignal.timeout(20_000), maxLineBytes: 1 << 20, highWaterBytes: 1 << 20 })) {
    const { object } = JSON.parse(line.toString('utf8')) as { object: { status?: Record<string, unknown> } }
    if (isSo(object)) return
  }
  throw new Error(`${path} has not come to it`)
}

before(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-tenancy-'))
  cleanups.push(() => rm(dir, { recursive: true }))
  const platform = await startTestPlatform(dir)
  cleanups.push(async () => platform[Symbol.asyncDispose]())
  const kubeconfig = await readFile(platform.kubeconfig, 'utf8')
  const connection = connectPlatform(kubeconfig, { clock: systemClock })
  cleanups.push(async () => connection[Symbol.asyncDispose]())
  admin = connection.hub
  call = (method, path, options) => connection.call(method, path, options)
  clientOf = async (user) => {
    await connection.call('POST', '/platform/v1/users', { body: { name: user, password: 'a long enough password' }, signal })
    const { key } = (await connection.call('POST', '/platform/v1/apikeys', { body: { user }, signal })) as { readonly key: string }
    return clientWith(key)
  }
  clientWith = (token) => {
    const transport = openHttpTransport({ ...loadKubeconfig(kubeconfig).transport, server: platform.server, token: () => token })
    cleanups.push(() => transport.close())
    return createClient({ handle: transport.handle })
  }
  await make(admin, ['tenants', undefined, 'acme'], { clusters: ['*'] })
  await until(admin, `${tenancy}/tenants/acme`, ({ status }) => status?.['namespace'] !== undefined)
  await make(admin, ['projects', 'tenant-acme', 'shop'], {})
  await make(admin, ['projects', 'tenant-acme', 'bank'], { environments: [] })
  await until(admin, `${tenancy}/namespaces/tenant-acme/projects/shop`, ({ status }) => (status?.['environments'] as string[] | undefined)?.length === 2)
  await until(admin, `${tenancy}/namespaces/tenant-acme/projects/bank`, ({ status }) => status?.['namespace'] !== undefined)
  await until(admin, `${tenancy}/namespaces/project-acme--shop/projectnamespaces/test`, ({ status }) => status?.['phase'] === 'Active')
})

after(async () => {
  for (const clean of cleanups.reverse()) await clean()
})

const member = (role: string, user: string): object => ({ role, subjects: [{ kind: 'User', name: user }] })

describe('over the gateway', () => {
  test('the owner of a project works in its namespaces, says who else does, and reaches nothing else', async () => {
    const ann = await clientOf('ann')
    assert.equal((await ask(ann, 'GET', '/api/v1/namespaces/acme-shop-test/configmaps')).status, 403)
    assert.equal((await make(admin, ['memberships', 'project-acme--shop', 'ann'], member('project-owner', 'ann'))).status, 201)
    await until(admin, `${tenancy}/namespaces/project-acme--shop/memberships/ann`, () => true)

    assert.equal((await ask(ann, 'POST', '/api/v1/namespaces/acme-shop-test/configmaps', { metadata: { name: 'a' } })).status, 201)
    assert.equal((await ask(ann, 'POST', '/api/v1/namespaces/project-acme--shop/configmaps', { metadata: { name: 'a' } })).status, 403)
    assert.equal((await ask(ann, 'GET', '/api/v1/namespaces/default/configmaps')).status, 403)
    await admin.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'foreign', namespace: 'default' } } as KubeObject)
    const { text } = await ask(ann, 'GET', '/api/v1/configmaps')
    const seen = (JSON.parse(text) as { items: { metadata: { namespace: string } }[] }).items.map(({ metadata }) => metadata.namespace)
    assert.deepEqual(
      [...new Set(seen)].filter((namespace) => !namespace.startsWith('acme-shop-')),
      [],
    )
    const projects = JSON.parse((await ask(ann, 'GET', `${tenancy}/projects`)).text) as { items: { metadata: { name: string } }[] }
    assert.deepEqual(
      projects.items.map(({ metadata }) => metadata.name),
      ['shop'],
    )
    const fleet = JSON.parse((await ask(ann, 'GET', '/fleet/api/v1/configmaps')).text) as { items?: { metadata: { name: string } }[] }
    assert.deepEqual(
      fleet.items?.some(({ metadata }) => metadata.name.endsWith('foreign')),
      false,
    )

    assert.equal((await make(ann, ['memberships', 'project-acme--shop', 'bob'], member('project-editor', 'bob'))).status, 201)
    for (const [namespace, role] of [
      ['project-acme--shop', 'platform-admin'],
      ['project-acme--shop', 'cluster-viewer'],
      ['project-acme--bank', 'project-viewer'],
      ['tenant-acme', 'project-viewer'],
    ] as const)
      assert.equal((await make(ann, ['memberships', namespace, 'more'], member(role, 'ann'))).status, 403, `${role} in ${namespace}`)
    const patch = await ask(ann, 'PATCH', `${tenancy}/namespaces/project-acme--shop/memberships/ann`, { spec: { role: 'cluster-admin' } })
    assert.match(patch.text, /would give what they do not have themselves/)
    assert.equal((await ask(ann, 'PATCH', `${tenancy}/namespaces/tenant-acme/projects/shop`, { spec: { locked: false } })).status, 403)
    assert.equal(
      (await ask(ann, 'PATCH', `${tenancy}/namespaces/project-acme--shop/projectnamespaces/test/status`, { status: { clusterUID: 'x' } })).status,
      403,
    )
  })

  test('nobody adopts a namespace of a cluster by a project alone, makes anything in one that is locked, or names a cluster that may not be used', async () => {
    const eve = await clientOf('eve')
    await make(admin, ['memberships', 'project-acme--bank', 'eve'], member('project-owner', 'eve'))
    await until(admin, `${tenancy}/namespaces/project-acme--bank/memberships/eve`, () => true)
    await admin.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'monitoring' } })
    const adopting = await make(eve, ['projectnamespaces', 'project-acme--bank', 'm'], { cluster: 'local', namespace: 'monitoring', adopt: true })
    assert.deepEqual([adopting.status, /that takes the permission to update this namespace/.test(adopting.text)], [403, true])
    assert.equal((await make(eve, ['projectnamespaces', 'project-acme--bank', 'm'], { cluster: 'local', namespace: 'monitoring' })).status, 201)
    const later = await ask(eve, 'PATCH', `${tenancy}/namespaces/project-acme--bank/projectnamespaces/m`, { spec: { adopt: true } })
    assert.equal(later.status, 403)
    await until(admin, `${tenancy}/namespaces/project-acme--bank/projectnamespaces/m`, ({ status }) => JSON.stringify(status).includes('Conflict'))
    assert.equal((await ask(eve, 'GET', '/api/v1/namespaces/monitoring/configmaps')).status, 403)

    await admin.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: { clusters: ['local'] } } })
    await until(admin, `${tenancy}/namespaces/tenant-acme/projects/bank`, () => true)
    const elsewhere = await make(eve, ['projectnamespaces', 'project-acme--bank', 'x'], { cluster: 'prod', namespace: 'x' })
    assert.match(elsewhere.text, /may not use the cluster prod; those above it may use local/)

    await admin.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: { locked: true } } })
    await until(admin, `${tenancy}/namespaces/tenant-acme/projects/bank`, () => true)
    for (const client of [eve, admin]) {
      const refused = await make(client, ['projectnamespaces', 'project-acme--bank', 'y'], { cluster: 'local', namespace: 'y' })
      assert.deepEqual([refused.status, /project acme\/bank is locked/.test(refused.text)], [403, true])
    }
    assert.equal((await ask(eve, 'DELETE', `${tenancy}/namespaces/project-acme--bank/projectnamespaces/m`)).status, 403)
  })

  test('the kubeconfig of a project has a context for each of its namespaces, and a key that is good for nothing else', async () => {
    const tom = await clientOf('tom')
    const path = '/platform/v1/kubeconfig?project=acme/shop'
    assert.equal((await ask(tom, 'POST', path)).status, 404, 'whoever may not see a project is not told whether it is there')
    await make(admin, ['memberships', 'tenant-acme', 'tom'], member('tenant-admin', 'tom'))
    await until(admin, `${tenancy}/namespaces/tenant-acme/memberships/tom`, () => true)
    for (const bad of ['?project=acme', '?project=acme/shop&auth=exec'])
      assert.equal((await ask(tom, 'POST', `/platform/v1/kubeconfig${bad}`)).status, 400, bad)

    for (const who of [tom, admin]) {
      const { text } = await ask(who, 'POST', path)
      assert.deepEqual([...text.matchAll(/namespace: (\S+)/g)].map(([, namespace = '']) => namespace).toSorted(), ['acme-shop-production', 'acme-shop-test'])
      const limited = clientWith(loadKubeconfig(text).transport.token?.() ?? '')
      assert.equal((await ask(limited, 'GET', '/clusters/local/api/v1/namespaces/acme-shop-test/configmaps')).status, 200)
      for (const [method, elsewhere] of [
        ['GET', '/api/v1/namespaces/default/configmaps'],
        ['GET', '/api/v1/nodes/x'],
        ['GET', '/api/v1/namespaces/gantry-system/secrets'],
        ['GET', `${tenancy}/namespaces/project-acme--bank/memberships`],
        ['POST', '/platform/v1/kubeconfig'],
        ['POST', '/platform/v1/apikeys'],
        ['GET', '/apis/access.gantry.dev/v1alpha1/users/admin'],
      ] as const)
        assert.equal((await ask(limited, method, elsewhere)).status, 403, `${method} ${elsewhere}`)
      const own = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb: 'list', resource: 'secrets', namespace: 'default' } },
      }
      const review = JSON.parse((await ask(limited, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', own)).text) as {
        status: { allowed: boolean }
      }
      assert.equal(review.status.allowed, false)
      const fleet = JSON.parse((await ask(limited, 'GET', '/fleet/api/v1/configmaps')).text) as { items: { metadata: { namespace: string } }[] }
      assert.deepEqual(
        [...new Set(fleet.items.map(({ metadata }) => metadata.namespace))].filter((namespace) => !namespace.startsWith('acme-shop-')),
        [],
      )
    }
  })

  test('a watch ends in the moment in which the namespace leaves the project, and can-i names the membership', async () => {
    const kim = await clientOf('kim')
    await make(admin, ['memberships', 'project-acme--shop', 'kim'], member('project-viewer', 'kim'))
    await until(admin, `${tenancy}/namespaces/project-acme--shop/memberships/kim`, () => true)
    const body = { user: 'kim', verb: 'list', resource: 'configmaps', namespace: 'acme-shop-production' }
    const answer = (await call('POST', '/platform/v1/access/explain', { body, signal })) as { reason: string; rules: { scope?: string; matches: string }[] }
    assert.match(answer.reason, /by Membership "project-acme--shop\/kim" of project acme\/shop/)
    assert.deepEqual([answer.rules[0]?.scope, answer.rules[0]?.matches], ['project acme/shop', 'wholly'])

    const watch = await kim.request({ method: 'GET', path: '/api/v1/namespaces/acme-shop-production/configmaps', query: 'watch=1' })
    const lines = readLines(watch, { signal: AbortSignal.timeout(20_000), maxLineBytes: 1 << 20, highWaterBytes: 1 << 20 })
    const ended = (async () => {
      for await (const line of lines) assert.ok(line)
    })()
    await admin.delete(projectNamespaceKind.ref, { namespace: 'project-acme--shop', name: 'production' })
    await assert.rejects(ended)
    assert.equal((await ask(kim, 'GET', '/api/v1/namespaces/acme-shop-production/configmaps')).status, 403)
  })

  test('a namespace moves to another project of the tenant by who may do both, and what is in it goes along', async () => {
    await make(admin, ['projects', 'tenant-acme', 'till'], { environments: [] })
    await until(admin, `${tenancy}/namespaces/tenant-acme/projects/till`, ({ status }) => status?.['namespace'] !== undefined)
    const lea = await clientOf('lea')
    await make(admin, ['memberships', 'project-acme--shop', 'lea'], member('project-owner', 'lea'))
    await until(admin, `${tenancy}/namespaces/project-acme--shop/memberships/lea`, () => true)
    assert.equal((await ask(lea, 'POST', '/api/v1/namespaces/acme-shop-test/configmaps', { metadata: { name: 'kept' } })).status, 201)
    const path = '/platform/v1/projectnamespaces/project-acme--shop/test/move'
    assert.match((await ask(lea, 'POST', path, { to: 'acme/till' })).text, /may not make ProjectNamespaces in the project acme\/till/)
    const begun = await ask(admin, 'POST', path, { to: 'acme/till' })
    assert.equal(begun.status, 202, begun.text)
    await until(admin, `${tenancy}/namespaces/project-acme--till/projectnamespaces/test`, ({ status }) => status?.['clusterUID'] !== undefined)
    assert.equal((await ask(admin, 'GET', '/api/v1/namespaces/acme-shop-test/configmaps/kept')).status, 200)
    const answer = (await call('POST', '/platform/v1/access/explain', {
      body: { user: 'lea', verb: 'list', resource: 'configmaps', namespace: 'acme-shop-test' },
      signal,
    })) as { allowed: boolean }
    assert.equal(answer.allowed, false)
  })
})
