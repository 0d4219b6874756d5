import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accessRoleBindingKind,
  accessRoleKind,
  elevationRequestKind,
  type AccessRule,
  type AskedElevation,
  type ElevationPage,
  type ElevationRequest,
} from '@gantry/access/api'
import type { KubeObject, ResourceRef } from '@gantry/client'
import { installKinds } from '@gantry/clusters/server'
import { readBody, silentLogger, systemIds } from '@gantry/runtime'
import {
  membershipKind,
  projectKind,
  projectNamespace,
  projectNamespaceKind,
  tenancyKinds,
  tenantKind,
  tenantNamespace,
  type Membership,
} from '@gantry/tenancy/api'
import { createTenancy } from '@gantry/tenancy/controller'
import { Quotas } from '@gantry/tenancy/server'
import { passingTime, settle, startTestPlatform, type Answer, type TestPlatform } from './test-platform.ts'

const path = '/platform/v1/access/elevations'
const hourMs = 60 * 60_000
const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
const [acme, shop, api, bank] = [tenantNamespace('acme'), ...['shop', 'api', 'bank'].map((name) => projectNamespace('acme', name))] as [
  string,
  string,
  string,
  string,
]
const inShop: AskedElevation = { role: 'project-editor', scope: { tenant: 'acme', project: 'shop' }, durationSeconds: 3_600, reason: 'incident 42' }
const objectsOf = (namespace: string): string => `/apis/${projectNamespaceKind.apiVersion}/namespaces/${namespace}/${projectNamespaceKind.plural}`

interface Scoped extends TestPlatform {
  readonly tokens: Readonly<Record<'ann' | 'cleo' | 'tia' | 'olga' | 'abe' | 'vic' | 'zoe', string>>
  as(user: keyof Scoped['tokens'], method: string, path: string, body?: unknown): Promise<Answer>
  make(asked?: AskedElevation, user?: keyof Scoped['tokens']): Promise<string>
  decide(user: keyof Scoped['tokens'], name: string, what: string): Promise<Answer>
  find(name: string): Promise<ElevationRequest>
  memberships(namespace?: string): Promise<readonly Membership[]>
}

/**
 * Tenant acme with the projects shop, api below it, and bank; tenant other with lab. ann administers the platform, cleo the cluster member, tia the tenant acme; olga owns shop, abe
 * api; vic reads bank, zoe owns lab.
 */
async function start(): Promise<Scoped> {
  const platform = await startTestPlatform()
  const feed = await follow(platform)
  const dispose = platform[Symbol.asyncDispose].bind(platform)
  const { hub } = platform
  const make = ({ apiVersion, kind, ref }: typeof tenantKind | typeof projectKind | typeof membershipKind, object: object): Promise<KubeObject> =>
    hub.create<KubeObject>(ref, { apiVersion, kind, ...object } as KubeObject)
  const scope = async (kind: typeof tenantKind | typeof projectKind, name: string, own: string, parent?: string): Promise<void> => {
    await hub.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: own } } as KubeObject)
    const key = { name, ...(parent === undefined ? {} : { namespace: parent }) }
    await make(kind, { metadata: key, spec: kind === tenantKind ? { clusters: ['*'] } : {} })
    await hub.patch(kind.ref, key, { type: 'merge', subresource: 'status', body: { status: { namespace: own } } })
  }
  await scope(tenantKind, 'acme', acme)
  await scope(projectKind, 'shop', shop, acme)
  await scope(projectKind, 'api', api, shop)
  await scope(projectKind, 'bank', bank, acme)
  await scope(tenantKind, 'other', tenantNamespace('other'))
  await scope(projectKind, 'lab', projectNamespace('other', 'lab'), tenantNamespace('other'))
  const tokens: Record<string, string> = {}
  for (const user of ['ann', 'cleo', 'tia', 'olga', 'abe', 'vic', 'zoe']) {
    await platform.addUser(user, user === 'ann' ? 'admin' : undefined)
    tokens[user] = await platform.keyOf(user)
  }
  for (const [namespace, role, name] of [
    [acme, 'tenant-admin', 'tia'],
    [shop, 'project-owner', 'olga'],
    [api, 'project-owner', 'abe'],
    [bank, 'project-viewer', 'vic'],
    [projectNamespace('other', 'lab'), 'project-owner', 'zoe'],
  ] as const)
    await make(membershipKind, { metadata: { namespace, name: `${role}-${name}` }, spec: { role, subjects: [{ kind: 'User', name }] } })
  await hub.create(accessRoleBindingKind.ref, {
    apiVersion: accessRoleBindingKind.apiVersion,
    kind: accessRoleBindingKind.kind,
    metadata: { name: 'cleo' },
    spec: { role: 'cluster-admin', cluster: 'member', subjects: [{ kind: 'User', name: 'cleo' }] },
  } as KubeObject)
  await settle()

  async function as(user: keyof Scoped['tokens'], method: string, to: string, body?: unknown): Promise<Answer> {
    const answer = await platform.ask(method, to, { token: tokens[user], body })
    await settle()
    return answer
  }
  return Object.assign(platform, {
    tokens: tokens as Scoped['tokens'],
    as,
    async make(asked: AskedElevation = inShop, user: keyof Scoped['tokens'] = 'vic') {
      const answer = await as(user, 'POST', path, asked)
      assert.equal(answer.status, 201, answer.text)
      return (answer.json() as ElevationRequest).metadata.name ?? ''
    },
    decide: (user: keyof Scoped['tokens'], name: string, what: string) => as(user, 'POST', `${path}/${name}/${what}`, {}),
    find: (name: string) => hub.get<ElevationRequest>(elevationRequestKind.ref, { name }),
    memberships: async (namespace = shop) =>
      (await hub.list<Membership>(membershipKind.ref, { namespace })).items.filter(({ metadata }) => metadata.name?.startsWith('elevation-')),
    [Symbol.asyncDispose]: async () => {
      await feed[Symbol.asyncDispose]()
      await dispose()
    },
  })
}

/** Tenants, projects and memberships reach the permissions as on the platform. */
async function follow(platform: TestPlatform): Promise<AsyncDisposable> {
  const { hub, clock, permissions } = platform
  const signal = new AbortController().signal
  await passingTime(clock, installKinds({ hub, clock }, tenancyKinds, { signal }))
  const tenancy = createTenancy({
    hub,
    clock,
    ids: systemIds,
    log: silentLogger,
    sink: permissions.scopes,
    quotas: new Quotas({ hub, clock, ids: systemIds }),
    clusters: { get: () => undefined, values: () => [], onChange: () => () => {} },
    memberOf: () => undefined,
  })
  const running = await tenancy.feed.start({ signal })
  const { tenants, projects, memberships } = tenancy.objects
  for (const [kind, { store }] of [
    [tenantKind, tenants],
    [projectKind, projects],
    [membershipKind, memberships],
  ] as const)
    platform.follow({ ref: kind.ref, everywhere: true, mirror: store })
  return running
}

async function reads(platform: Scoped, user: keyof Scoped['tokens'], namespace: string): Promise<boolean> {
  return (await platform.as(user, 'GET', objectsOf(namespace))).status === 200
}

describe('a role for a while in a project', () => {
  test('is approved by its owner, holds there and below and nowhere else, and is over at its time with what is open by it', async () => {
    await using platform = await start()
    const { clock } = platform
    const name = await platform.make({ ...inShop, durationSeconds: 300 })
    assert.equal(await reads(platform, 'vic', shop), false, 'asking gives nothing')
    const { items } = (await platform.as('olga', 'GET', path)).json() as ElevationPage
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      [name],
    )
    const approved = await platform.decide('olga', name, 'approve')
    assert.equal(approved.status, 200, approved.text)
    const { status, metadata } = approved.json() as ElevationRequest
    const until = new Date(clock.now().getTime() + 300_000).toISOString().replace(/\.\d+Z/, 'Z')
    assert.deepEqual([status?.phase, status?.decidedBy, status?.until, status?.binding], ['Approved', 'olga', until, `elevation-${metadata.uid}`])
    assert.deepEqual(
      (await platform.memberships()).map(({ spec }) => spec),
      [
        {
          role: 'project-editor',
          subjects: [{ kind: 'User', name: 'vic' }],
          expirationTime: until,
          reason: `ElevationRequest ${name}, approved by olga: incident 42`,
        },
      ],
    )
    assert.deepEqual(await Promise.all([shop, api, projectNamespace('other', 'lab'), acme].map((namespace) => reads(platform, 'vic', namespace))), [
      true,
      true,
      false,
      false,
    ])
    let isOpen = true
    const open = async (): Promise<void> => {
      for await (const _ of readBody(await platform.open(`${objectsOf(shop)}?watch=1`, { token: platform.tokens.vic })));
    }
    const cut = assert.rejects(open, /the permission has been revoked/).finally(() => (isOpen = false))
    await settle()
    await clock.advance(299_000)
    await settle()
    assert.equal(isOpen, true, 'its time is not over')
    await clock.advance(1_000)
    await cut
    assert.equal(await reads(platform, 'vic', shop), false)
    await clock.advance(31_000)
    await settle()
    assert.deepEqual([(await platform.find(name)).status?.phase, await platform.memberships()], ['Ended', []])
  })

  test('ends at once, and what is open by it, for whoever gives it back and for the owner of the project', async () => {
    await using platform = await start()
    for (const user of ['vic', 'olga'] as const) {
      const name = await platform.make()
      await platform.decide('olga', name, 'approve')
      const open = async (): Promise<void> => {
        for await (const _ of readBody(await platform.open(`${objectsOf(shop)}?watch=1`, { token: platform.tokens.vic })));
      }
      const cut = assert.rejects(open, /the permission has been revoked/)
      await settle()
      assert.equal((await platform.decide('abe', name, 'end')).status, 404, 'not for the owner of what is below')
      assert.equal((await platform.decide(user, name, 'end')).status, 200)
      await cut
      assert.deepEqual([await reads(platform, 'vic', shop), await platform.memberships()], [false, []])
    }
  })

  test('is not given back to somebody whose Membership has been removed', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.decide('olga', name, 'approve')
    const [made] = await platform.memberships()
    assert.equal((await platform.as('olga', 'DELETE', `/apis/${membershipKind.apiVersion}/namespaces/${shop}/memberships/${made?.metadata.name}`)).status, 200)
    assert.equal(await reads(platform, 'vic', shop), false)
    await platform.clock.advance(31_000)
    assert.deepEqual(await platform.memberships(), [])
    assert.match((await platform.find(name)).status?.message ?? '', /its binding has been removed/)
  })
})

describe('who decides about a role', () => {
  test('has the say where it is to hold: nobody beside it, below it or in another tenant even sees the request', async () => {
    await using platform = await start()
    const everybody = ['ann', 'cleo', 'tia', 'olga', 'abe', 'zoe'] as const
    const { role, durationSeconds, reason } = inShop
    for (const [place, wanted, deciders] of [
      [{}, 'cluster-viewer', ['ann']],
      [{ cluster: 'member' }, 'cluster-viewer', ['ann', 'cleo']],
      [{ cluster: 'member', namespaces: ['db'] }, role, ['ann', 'cleo']],
      [{ cluster: 'elsewhere' }, 'cluster-viewer', ['ann']],
      [{ scope: { tenant: 'acme' } }, role, ['ann', 'tia']],
      [{ scope: { tenant: 'acme', project: 'shop' } }, role, ['ann', 'tia', 'olga']],
      [{ scope: { tenant: 'acme', project: 'api' } }, role, ['ann', 'tia', 'olga', 'abe']],
      [{ scope: { tenant: 'acme', project: 'bank' } }, role, ['ann', 'tia']],
    ] as const) {
      const spec = { role: wanted, durationSeconds, reason, ...place } as AskedElevation
      const where = JSON.stringify(place)
      const name = await platform.make(spec)
      for (const user of everybody) {
        const isDecider = (deciders as readonly string[]).includes(user)
        const { items } = (await platform.as(user, 'GET', path)).json() as ElevationPage
        assert.deepEqual([user, where, items.some((item) => item.metadata.name === name)], [user, where, isDecider])
        if (isDecider) continue
        for (const what of ['approve', 'deny', 'end']) assert.deepEqual([user, where, (await platform.decide(user, name, what)).status], [user, where, 404])
      }
      assert.equal((await platform.decide('vic', name, 'withdraw')).status, 200)
      for (const user of deciders) {
        const asked = await platform.make(spec)
        const answer = await platform.decide(user, asked, 'approve')
        assert.deepEqual([user, where, answer.status], [user, where, 200], answer.text)
        assert.equal((await platform.decide('vic', asked, 'end')).status, 200)
      }
    }
  })

  test('is never the requester, also not the owner of the project', async () => {
    await using platform = await start()
    const name = await platform.make({ ...inShop, role: 'project-viewer' }, 'olga')
    const answer = await platform.decide('olga', name, 'approve')
    assert.deepEqual([answer.status, (await platform.find(name)).status], [403, undefined])
    assert.match(answer.text, /nobody approves their own request/)
    assert.equal((await platform.decide('tia', name, 'approve')).status, 200)
  })

  test('gives no more than they hold there themselves', async () => {
    await using platform = await start()
    const role = (name: string, rules: AccessRule[]): Promise<KubeObject> =>
      platform.hub.create(accessRoleKind.ref, { apiVersion: accessRoleKind.apiVersion, kind: 'AccessRole', metadata: { name }, spec: { rules } } as KubeObject)
    await role('node-reader', [{ verbs: ['get'], apiGroups: [''], resources: ['nodes'] }])
    await role('no-pods', [{ effect: 'Deny', verbs: ['get'], apiGroups: [''], resources: ['pods'] }])
    await settle()
    for (const [wanted, message] of [
      ['platform-admin', /it would give what they do not have themselves/],
      ['node-reader', /it would give what they do not have themselves/],
      ['no-pods', /it takes the verb escalate/],
    ] as const) {
      const name = await platform.make({ ...inShop, role: wanted })
      for (const user of ['olga', 'tia'] as const) {
        const answer = await platform.decide(user, name, 'approve')
        assert.equal(answer.status, 403)
        assert.match(answer.text, message)
      }
    }
    assert.deepEqual(await platform.memberships(), [])
  })

  test('does not decide for a tenant that is suspended', async () => {
    await using platform = await start()
    const name = await platform.make()
    await platform.hub.patch(tenantKind.ref, { name: 'acme' }, { type: 'merge', body: { spec: { suspended: true } } })
    await settle()
    assert.equal((await platform.decide('olga', name, 'approve')).status, 404)
    const answer = await platform.decide('ann', name, 'approve')
    assert.equal(answer.status, 409)
    assert.match(answer.text, /project acme\/shop .* is gone, not ready, or suspended/)
    assert.deepEqual([(await platform.find(name)).status, await platform.memberships()], [undefined, []])
  })
})

describe('a request for a role in a tenant or project', () => {
  test('is for who has a role in the tenant or may see it; what others ask for is the same as what is not there', async () => {
    await using platform = await start()
    for (const [user, scope] of [
      ['zoe', { tenant: 'acme', project: 'shop' }],
      ['zoe', { tenant: 'acme' }],
      ['cleo', { tenant: 'acme', project: 'shop' }],
      ['vic', { tenant: 'acme', project: 'nothing' }],
      ['vic', { tenant: 'other', project: 'lab' }],
      ['ann', { tenant: 'nothing' }],
    ] as const) {
      const answer = await platform.as(user, 'POST', path, { ...inShop, scope })
      const inWords = 'project' in scope ? `project ${scope.tenant}/${scope.project}` : `tenant ${scope.tenant}`
      assert.equal(answer.status, 404, answer.text)
      assert.match(answer.text, new RegExp(`there is no ${inWords} that you could have a role in`))
    }
    await platform.make(inShop, 'ann')
  })

  test('says one place, and which', async () => {
    await using platform = await start()
    for (const [change, status, message] of [
      [{ cluster: 'member' }, 422, /leave one of them out/],
      [{ scope: { project: 'shop' } }, 400, /must name a \\"tenant\\"/],
      [{ scope: 'acme' }, 400, /\\"scope\\" must be an object/],
    ] as const) {
      const answer = await platform.as('vic', 'POST', path, { ...inShop, ...change })
      assert.equal(answer.status, status, answer.text)
      assert.match(answer.text, message)
    }
  })
})

describe('after a crash, in a project', () => {
  test('between status and Membership it is made, until the time that was approved', async () => {
    await using platform = await start()
    const name = await platform.make()
    const request = await platform.find(name)
    const until = new Date(platform.clock.now().getTime() + hourMs).toISOString().replace(/\.\d+Z/, 'Z')
    const status = { phase: 'Approved', decidedBy: 'olga', until } as const
    await platform.hub.update<ElevationRequest>(elevationRequestKind.ref, { ...request, status }, { subresource: 'status' })
    assert.deepEqual(await platform.memberships(), [])
    await platform.clock.advance(31_000)
    await settle()
    assert.deepEqual(
      (await platform.memberships()).map(({ spec }) => spec.expirationTime),
      [until],
    )
    assert.equal(await reads(platform, 'vic', shop), true)
  })

  test('what has outlived its request is removed, and nothing that somebody else has given such a name', async () => {
    await using platform = await start()
    const [ended, gone] = [await platform.make(), await platform.make()]
    for (const name of [ended, gone]) await platform.decide('olga', name, 'approve')
    const { apiVersion, kind, ref } = membershipKind
    const spec = { role: 'project-viewer', subjects: [{ kind: 'User', name: 'abe' }] }
    await platform.hub.create(ref, { apiVersion, kind, metadata: { namespace: shop, name: 'elevation-of-abe' }, spec } as KubeObject)
    const request = await platform.find(ended)
    await platform.hub.update(elevationRequestKind.ref, { ...request, status: { ...request.status, phase: 'Ended' } }, { subresource: 'status' })
    await platform.hub.delete(elevationRequestKind.ref, { name: gone })
    await settle()
    await platform.clock.advance(31_000)
    await settle()
    assert.deepEqual(
      (await platform.memberships()).map(({ metadata }) => metadata.name),
      ['elevation-of-abe'],
    )
    assert.equal(await reads(platform, 'vic', shop), false)
  })

  test('a project that went between status and Membership ends the request', async () => {
    await using platform = await start()
    const name = await platform.make()
    const request = await platform.find(name)
    await platform.hub.delete(namespaces, { name: shop })
    const ending = await platform.hub.get<KubeObject>(namespaces, { name: shop })
    await platform.hub.update(namespaces, { ...ending, spec: {} } as KubeObject, { subresource: 'finalize' })
    const until = new Date(platform.clock.now().getTime() + hourMs).toISOString().replace(/\.\d+Z/, 'Z')
    await platform.hub.update(elevationRequestKind.ref, { ...request, status: { phase: 'Approved', decidedBy: 'olga', until } }, { subresource: 'status' })
    await platform.clock.advance(31_000)
    const { status } = await platform.find(name)
    assert.deepEqual([status?.phase, status?.message], ['Ended', 'the project acme/shop is gone'])
  })
})
