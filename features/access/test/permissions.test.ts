import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  accessRoleBindingKind,
  accessRoleKind,
  apiKeyKind,
  groupKind,
  userKind,
  type AccessRule,
  type Explanation,
  type User,
  type WhoCan,
} from '@gantry/access/api'
import type { ResourceRef } from '@gantry/client'
import type { ClusterTarget } from '@gantry/gateway'
import { readBody } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import { password, settle, startTestPlatform, type TestPlatform } from './test-platform.ts'

const configMaps: ResourceRef = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }
const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
const bindingsPath = `/apis/${accessRoleBindingKind.apiVersion}/accessrolebindings`
const rolesPath = `/apis/${accessRoleKind.apiVersion}/accessroles`

interface Bound {
  readonly cluster?: string
  readonly namespaces?: string[]
  readonly group?: string
  readonly expirationTime?: string
}

async function bind(platform: TestPlatform, role: string, user: string, where: Bound = {}): Promise<string> {
  const { group, ...spec } = where
  const name = `${role}-${user}-${where.namespaces?.join('-') ?? 'all'}`
  const subjects = [group === undefined ? { kind: 'User', name: user } : { kind: 'Group', name: group }]
  await platform.hub.create(accessRoleBindingKind.ref, {
    apiVersion: accessRoleBindingKind.apiVersion,
    kind: 'AccessRoleBinding',
    metadata: { name },
    spec: { role, subjects, ...spec },
  } as never)
  await settle()
  return name
}

async function makeRole(platform: TestPlatform, name: string, rules: readonly AccessRule[]): Promise<void> {
  await platform.hub.create(accessRoleKind.ref, { apiVersion: accessRoleKind.apiVersion, kind: 'AccessRole', metadata: { name }, spec: { rules } } as never)
  await settle()
}

/** Two namespaces with a ConfigMap each, and a user with nothing. */
async function startWithUser(options: Parameters<typeof startTestPlatform>[0] = {}): Promise<TestPlatform & { readonly token: string }> {
  const platform = await startTestPlatform(options)
  for (const name of ['shop', 'bank']) {
    await platform.hub.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    await platform.hub.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `of-${name}`, namespace: name } })
  }
  await platform.addUser('vic')
  return Object.assign(platform, { token: await platform.keyOf('vic') })
}

const namesOf = (text: string): string[] => (JSON.parse(text) as { items: { metadata: { name: string } }[] }).items.map(({ metadata }) => metadata.name)

describe('a user with a role in a namespace', () => {
  test('reads and writes there and nowhere else', async () => {
    await using platform = await startWithUser()
    const { token } = platform
    const ask = async (method: string, path: string, body?: unknown): Promise<number> =>
      (await platform.ask(method, path, { token, body, headers: { 'content-type': 'application/json' } })).status

    assert.equal(await ask('GET', '/api/v1/namespaces/shop/configmaps'), 403)
    assert.equal(await ask('GET', '/api'), 403, 'nothing of a cluster is told to whoever has nothing in it')
    await bind(platform, 'project-editor', 'vic', { cluster: 'local', namespaces: ['shop'] })

    assert.equal(await ask('GET', '/api'), 200)
    assert.equal(await ask('GET', '/clusters/local/api/v1/namespaces/shop/configmaps/of-shop'), 200)
    assert.equal(await ask('POST', '/api/v1/namespaces/shop/configmaps', { metadata: { name: 'mine' } }), 201)
    assert.equal(await ask('GET', '/api/v1/namespaces/bank/configmaps/of-bank'), 403)
    assert.equal(await ask('POST', '/api/v1/namespaces/bank/configmaps', { metadata: { name: 'mine' } }), 403)
    assert.equal(await ask('GET', '/api/v1/nodes'), 403)
    assert.equal(await ask('DELETE', '/api/v1/namespaces/shop'), 403)
    assert.equal(await ask('GET', '/platform/v1/info'), 200)
    assert.equal(await ask('POST', '/platform/v1/users', { name: 'x' }), 403)
  })

  test('sees of all namespaces what is in its own, as list, table and pages', async () => {
    await using platform = await startWithUser()
    const { token } = platform
    await bind(platform, 'project-viewer', 'vic', { cluster: 'local', namespaces: ['shop'] })

    const list = await platform.ask('GET', '/api/v1/configmaps', { token })
    const table = await platform.ask('GET', '/api/v1/configmaps?includeObject=None', {
      token,
      headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
    })
    const page = await platform.ask('GET', '/api/v1/configmaps?limit=1', { token })
    const packed = await platform.ask('GET', '/api/v1/configmaps', {
      token,
      headers: { accept: 'application/vnd.kubernetes.protobuf', 'accept-encoding': 'gzip' },
    })

    assert.deepEqual(namesOf(list.text), ['of-shop'])
    assert.deepEqual(
      (table.json() as { rows: { cells: unknown[] }[] }).rows.map(({ cells }) => cells[0]),
      ['of-shop'],
    )
    assert.deepEqual(namesOf(page.text), [], 'the first page holds what is elsewhere')
    assert.equal((page.json() as { metadata: Record<string, unknown> }).metadata['remainingItemCount'], undefined)
    assert.deepEqual(namesOf(packed.text), ['of-shop'])
    assert.deepEqual(namesOf((await platform.ask('GET', '/api/v1/namespaces', { token })).text), ['shop'])
    assert.equal((await platform.ask('DELETE', '/api/v1/configmaps', { token })).status, 403)
    assert.equal((await platform.ask('GET', '/api/v1/secrets', { token })).status, 403)
  })

  test('watches of all namespaces what is in its own, until that is taken away', async () => {
    await using platform = await startWithUser()
    const { token } = platform
    const name = await bind(platform, 'project-viewer', 'vic', { cluster: 'local', namespaces: ['shop'] })
    const { metadata } = (await platform.ask('GET', '/api/v1/configmaps', { token })).json() as { metadata: { resourceVersion: string } }

    const response = await platform.open(`/api/v1/configmaps?watch=1&resourceVersion=${metadata.resourceVersion}`, { token })
    const events = readBody(response)
    const first = events.next()
    for (const namespace of ['bank', 'shop'])
      await platform.hub.create(configMaps, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `new-in-${namespace}`, namespace } })
    assert.match(Buffer.from((await first).value ?? '').toString(), /^\{"type":"ADDED".*"name":"new-in-shop".*\}\n$/)

    const ended = assert.rejects(events.next(), /the permission has been revoked: no binding|no rule/)
    await platform.hub.delete(accessRoleBindingKind.ref, { name })
    await ended
  })
})

test('a watch ends when the binding that allows it expires, and when a group loses its reader', async () => {
  await using platform = await startWithUser()
  const { token } = platform
  await platform.hub.create(groupKind.ref, { apiVersion: groupKind.apiVersion, kind: 'Group', metadata: { name: 'ops' }, spec: { members: ['vic'] } } as never)
  await bind(platform, 'cluster-viewer', 'vic', { cluster: 'local', expirationTime: new Date(platform.clock.now().getTime() + 60_000).toISOString() })
  const toTheEnd = async (): Promise<void> => {
    for await (const _ of readBody(await platform.open('/api/v1/configmaps?watch=1', { token })));
  }
  const expired = assert.rejects(toTheEnd, /the permission has been revoked/)
  await settle()
  await platform.clock.advance(61_000)
  await expired

  await bind(platform, 'cluster-viewer', 'ops', { group: 'ops', cluster: 'local' })
  const ended = assert.rejects(toTheEnd, /the permission has been revoked/)
  await settle()
  await platform.hub.patch(groupKind.ref, { name: 'ops' }, { type: 'merge', body: { spec: { members: [] } } })
  await ended
})

test('a stream begun in the moment in which its key is revoked shows nothing', async () => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const member: ClusterTarget = {
    kind: 'member',
    async handle() {
      asked.resolve()
      await answer.promise
      return { status: 200, headers: { 'content-type': 'application/json' }, body: async (sink) => void sink.write('{"type":"ADDED"}\n') }
    },
    upgrade: () => Promise.resolve(),
  }
  await using platform = await startTestPlatform({ member })
  await platform.addUser('ann', 'admin')
  const { key, object } = await platform.identities.createKey({ user: 'ann' })
  const opening = platform.open('/clusters/member/api/v1/pods?watch=1', { token: key })
  await asked.promise
  await platform.identities.revokeKey(object.metadata.name ?? '')
  answer.resolve()
  await assert.rejects(async () => {
    for await (const chunk of readBody(await opening)) assert.fail(`showed ${Buffer.from(chunk).toString()}`)
  }, /the credential has been revoked/)
})

describe('nobody gives what they do not have', () => {
  /** A user who may write roles, bindings, groups, users and keys, and read ConfigMaps of one namespace. */
  async function startWithManager(): Promise<
    TestPlatform & { readonly token: string; readonly write: (method: string, path: string, body?: unknown) => Promise<number> }
  > {
    const platform = await startWithUser()
    await makeRole(platform, 'manager', [{ verbs: ['*'], apiGroups: ['access.gantry.dev'], resources: ['*'] }])
    await makeRole(platform, 'reader', [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] }])
    await makeRole(platform, 'no-secrets', [{ effect: 'Deny', verbs: ['*'], apiGroups: [''], resources: ['secrets'] }])
    await bind(platform, 'manager', 'vic')
    await bind(platform, 'reader', 'vic', { cluster: 'local', namespaces: ['shop'] })
    await platform.addUser('ann', 'admin')
    const { token } = platform
    return Object.assign(platform, {
      write: async (method: string, path: string, given?: unknown) => {
        const [, apiVersion = '', plural = ''] = /^\/apis\/(.+)\/([a-z]+)$/.exec(path) ?? []
        const kind = [accessRoleKind, accessRoleBindingKind, groupKind, userKind, apiKeyKind].find((one) => one.plural === plural)?.kind
        const body = method === 'POST' && kind !== undefined ? { apiVersion, kind, ...(given as object) } : given
        const { status } = await platform.ask(method, path, {
          token,
          body,
          headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
        })
        await settle()
        return status
      },
    })
  }
  const binding = (spec: Record<string, unknown>, name = 'b') => ({ metadata: { name }, spec: { subjects: [{ kind: 'User', name: 'vic' }], ...spec } })
  // `*` in a group holds escalate and bind too: a manager of everything in it would be an administrator.
  const limited = { verbs: ['get', 'list', 'create', 'update', 'patch', 'delete', 'deletecollection'], apiGroups: ['access.gantry.dev'], resources: ['*'] }

  test('by a binding, a role, a group, a key or a password', async () => {
    await using platform = await startWithManager()
    await platform.hub.patch(accessRoleKind.ref, { name: 'manager' }, { type: 'merge', body: { spec: { rules: [limited] } } })
    await settle()
    const { write } = platform

    assert.equal(await write('POST', bindingsPath, binding({ role: 'platform-admin' })), 403)
    assert.equal(await write('POST', bindingsPath, binding({ role: 'reader' })), 403, 'on the whole platform')
    assert.equal(await write('POST', bindingsPath, binding({ role: 'reader', cluster: 'local' })), 403, 'in the whole cluster')
    assert.equal(await write('POST', bindingsPath, binding({ role: 'reader', cluster: 'local', namespaces: ['shop', 'bank'] })), 403)
    assert.equal(await write('POST', bindingsPath, binding({ role: 'nowhere', cluster: 'local', namespaces: ['shop'] })), 404)
    assert.equal(await write('POST', bindingsPath, binding({ role: 'reader', cluster: 'local', namespaces: ['shop'] })), 201, 'what they have')
    assert.equal(await write('PATCH', `${bindingsPath}/b`, { spec: { namespaces: ['bank'] } }), 403)
    assert.equal(await write('PATCH', `${bindingsPath}/b`, { spec: { namespaces: null } }), 403)
    assert.equal(await write('PATCH', `${bindingsPath}/b`, { spec: { reason: 'because' } }), 200)

    assert.equal(await write('POST', rolesPath, { metadata: { name: 'r' }, spec: { rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] } }), 403)
    assert.equal(await write('PATCH', `${rolesPath}/reader`, { spec: { rules: [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }] } }), 403)
    assert.equal(await write('POST', rolesPath, { metadata: { name: 'r' }, spec: { rules: [limited] } }), 201)

    await bind(platform, 'cluster-admin', 'ops', { group: 'ops', cluster: 'local' })
    const groups = `/apis/${groupKind.apiVersion}/groups`
    assert.equal(await write('POST', groups, { metadata: { name: 'ops' }, spec: { members: ['vic'] } }), 403)
    assert.equal(await write('POST', groups, { metadata: { name: 'friends' }, spec: { members: ['vic'] } }), 201)

    const keys = `/apis/${userKind.apiVersion}/apikeys`
    const hash = `sha256:${'A'.repeat(43)}`
    assert.equal(await write('POST', keys, { metadata: { name: 'k' }, spec: { user: 'ann', hash } }), 403)
    assert.equal(await write('POST', keys, { metadata: { name: 'k' }, spec: { user: 'vic', hash } }), 201)
    assert.equal(await write('PATCH', `${keys}/k`, { spec: { user: 'ann' } }), 403)
    assert.equal(await write('PATCH', `/apis/${userKind.apiVersion}/users/vic`, { spec: { role: 'admin' } }), 403, 'the role of former platforms')
    assert.equal(await write('POST', '/platform/v1/apikeys', { user: 'ann' }), 403)
  })

  test('nor lifts a Deny, by whatever write', async () => {
    await using platform = await startWithManager()
    await platform.hub.patch(accessRoleKind.ref, { name: 'manager' }, { type: 'merge', body: { spec: { rules: [limited] } } })
    const denied = await bind(platform, 'no-secrets', 'vic')
    const { write } = platform

    assert.equal(await write('DELETE', `${bindingsPath}/${denied}`), 403)
    assert.equal(await write('DELETE', bindingsPath), 403)
    assert.equal(await write('PATCH', `${bindingsPath}/${denied}`, { spec: { subjects: [] } }), 403)
    assert.equal(await write('PATCH', `${bindingsPath}/${denied}`, { spec: { expirationTime: '2020-01-01T00:00:00Z' } }), 403)
    assert.equal(await write('DELETE', `${rolesPath}/no-secrets`), 403)
    assert.equal(await write('PATCH', `${rolesPath}/no-secrets`, { spec: { rules: [] } }), 403)
    assert.equal(
      await write('POST', bindingsPath, { metadata: { name: 'x' }, spec: { role: 'no-secrets', subjects: [{ kind: 'User', name: 'ann' }] } }),
      403,
      'to lock others out',
    )
  })

  test('unless the verbs bind or escalate say so', async () => {
    await using platform = await startWithManager()
    const { write } = platform
    assert.equal(await write('POST', bindingsPath, binding({ role: 'reader' })), 201)
    assert.equal(await write('POST', rolesPath, { metadata: { name: 'r' }, spec: { rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] } }), 201)
  })

  test('and a password is set by whoever has what its user has', async () => {
    await using platform = await startWithManager()
    await makeRole(platform, 'helpdesk', [{ verbs: ['post'], nonResourceURLs: ['/platform/v1/users', '/platform/v1/users/*'] }])
    await bind(platform, 'helpdesk', 'vic')
    await platform.addUser('bob')
    const { write } = platform
    assert.equal(await write('POST', '/platform/v1/users/ann/password', {}), 403)
    assert.equal(await write('POST', '/platform/v1/users/bob/password', {}), 200)
    assert.equal(await write('POST', '/platform/v1/users', { name: 'eve', role: 'platform-admin' }), 403)
    assert.equal(await write('POST', '/platform/v1/users', { name: 'eve' }), 201)
  })
})

describe('explaining', () => {
  test('names the rule that decides and what is in the way of the others', async () => {
    await using platform = await startWithUser()
    await platform.addUser('ann', 'admin')
    await bind(platform, 'project-viewer', 'vic', { cluster: 'local', namespaces: ['shop'] })
    const admin = await platform.keyOf('ann')
    const explain = async (body: unknown, token = admin): Promise<Explanation> =>
      (await platform.ask('POST', '/platform/v1/access/explain', { token, body })).json() as Explanation

    const yes = await explain({ user: 'vic', cluster: 'local', verb: 'get', resource: 'configmaps', namespace: 'shop', name: 'x' })
    const noSecret = await explain({ user: 'vic', cluster: 'local', verb: 'get', resource: 'secrets', namespace: 'shop', name: 'x' })
    const part = await explain({ user: 'vic', cluster: 'local', verb: 'list', resource: 'configmaps' })
    const own = await explain({ verb: 'get', path: '/platform/v1/storage' }, platform.token)

    assert.deepEqual([yes.allowed, yes.partly, yes.groups], [true, false, ['system:authenticated']])
    assert.match(yes.reason, /^rule 0 of AccessRole "project-viewer" by AccessRoleBinding/)
    assert.equal(yes.rules[0]?.matches, 'wholly')
    assert.deepEqual([noSecret.allowed, noSecret.rules.find(({ role }) => role === 'project-viewer')?.because], [false, 'it leaves out secrets'])
    assert.deepEqual([part.allowed, part.partly], [true, true])
    assert.deepEqual([own.user, own.allowed], ['vic', false])
    assert.equal(
      (await platform.ask('POST', '/platform/v1/access/explain', { token: platform.token, body: { user: 'ann', verb: 'get', resource: 'pods' } })).status,
      403,
    )
    assert.equal((await explain({ user: 'nobody', verb: 'get', resource: 'pods' })).allowed, false)
  })

  test('says who may do something to whoever may list bindings, and leaves out who can do nothing', async () => {
    await using platform = await startWithUser()
    for (const name of ['ann', 'bob', 'dan']) await platform.addUser(name)
    await platform.addUser('root', 'admin')
    for (const name of ['vic', 'bob', 'dan']) await bind(platform, 'project-editor', name, { cluster: 'local', namespaces: ['shop'] })
    await platform.hub.patch<User>(userKind.ref, { name: 'dan' }, { type: 'merge', body: { spec: { disabled: true } } })
    await settle()
    const admin = await platform.keyOf('root')
    const whoCan = (body: unknown, token = admin): ReturnType<typeof platform.ask> => platform.ask('POST', '/platform/v1/access/who-can', { token, body })
    const names = async (body: unknown): Promise<unknown> => ((await whoCan(body)).json() as WhoCan).users.map(({ user, partly }) => [user, partly])

    assert.deepEqual(await names({ cluster: 'local', verb: 'get', resource: 'secrets', namespace: 'shop' }), [
      ['bob', false],
      ['root', false],
      ['vic', false],
    ])
    assert.deepEqual(await names({ cluster: 'local', verb: 'list', resource: 'secrets' }), [
      ['bob', true],
      ['root', false],
      ['vic', true],
    ])
    assert.deepEqual(await names({ cluster: 'local', verb: 'get', resource: 'secrets', namespace: 'bank' }), [['root', false]])
    const { total, users } = (await whoCan({ verb: 'get', path: '/platform/v1/info' })).json() as WhoCan
    assert.deepEqual([total, users.length], [4, 4], 'everybody who is signed in')
    assert.match(users[0]?.reason ?? '', /AccessRole "signed-in"/)
    assert.equal((await whoCan({ verb: 'get', resource: 'secrets' }, platform.token)).status, 403)
    assert.equal((await whoCan({ resource: 'secrets' })).status, 400)
  })

  test('kubectl auth can-i tells the truth on the hub and on members', async () => {
    const member: ClusterTarget = {
      kind: 'member',
      handle: (_request: HttpRequest) => Promise.resolve({ status: 201, headers: {}, body: '{"status":{"allowed":true}}' }),
      upgrade: () => Promise.resolve(),
    }
    await using platform = await startWithUser({ member })
    const { token } = platform
    for (const cluster of ['local', 'member'])
      await platform.hub.create(accessRoleBindingKind.ref, {
        apiVersion: accessRoleBindingKind.apiVersion,
        kind: 'AccessRoleBinding',
        metadata: { name: cluster },
        spec: { role: 'project-editor', subjects: [{ kind: 'User', name: 'vic' }], cluster, namespaces: ['shop'] },
      } as never)
    await settle()
    const canI = async (cluster: string, resourceAttributes: unknown): Promise<unknown> => {
      const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } }
      const answer = await platform.ask('POST', `/clusters/${cluster}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`, {
        token,
        body,
        headers: { 'content-type': 'application/json' },
      })
      assert.equal(answer.status, 201, answer.text)
      return (answer.json() as { status: { allowed: boolean } }).status.allowed
    }
    for (const cluster of ['local', 'member']) {
      assert.equal(await canI(cluster, { verb: 'create', group: 'apps', resource: 'deployments', namespace: 'shop' }), true, cluster)
      assert.equal(await canI(cluster, { verb: 'create', group: 'apps', resource: 'deployments', namespace: 'bank' }), false, cluster)
      assert.equal(await canI(cluster, { verb: 'delete', resource: 'namespaces', name: 'shop' }), false, cluster)
    }
  })

  test('kubectl auth can-i on a member that is told who asks needs the yes of both sides', async () => {
    const asked: { readonly user: string | undefined; readonly body: unknown }[] = []
    const member: ClusterTarget = {
      kind: 'member',
      impersonates: true,
      async handle({ user, body }: HttpRequest) {
        const review = JSON.parse(String(await body?.bytes(1_000))) as { readonly spec: { readonly resourceAttributes: { readonly resource: string } } }
        asked.push({ user: user?.username, body: review.spec })
        return { status: 201, headers: {}, body: JSON.stringify({ status: { allowed: review.spec.resourceAttributes.resource === 'pods' } }) }
      },
      upgrade: () => Promise.resolve(),
    }
    await using platform = await startWithUser({ member })
    const { token } = platform
    await platform.hub.create(accessRoleBindingKind.ref, {
      apiVersion: accessRoleBindingKind.apiVersion,
      kind: 'AccessRoleBinding',
      metadata: { name: 'member' },
      spec: { role: 'project-editor', subjects: [{ kind: 'User', name: 'vic' }], cluster: 'member', namespaces: ['shop'] },
    } as never)
    await settle()
    const canI = async (resource: string, namespace: string): Promise<unknown> => {
      const body = {
        apiVersion: 'authorization.k8s.io/v1',
        kind: 'SelfSubjectAccessReview',
        spec: { resourceAttributes: { verb: 'get', resource, namespace } },
      }
      const answer = await platform.ask('POST', '/clusters/member/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
        token,
        body,
        headers: { 'content-type': 'application/json' },
      })
      return (answer.json() as { status: { allowed: boolean } }).status.allowed
    }
    assert.equal(await canI('pods', 'shop'), true)
    assert.equal(await canI('configmaps', 'shop'), false)
    assert.equal(await canI('pods', 'bank'), false)
    assert.deepEqual(asked, [
      { user: 'vic', body: { resourceAttributes: { verb: 'get', resource: 'pods', namespace: 'shop' } } },
      { user: 'vic', body: { resourceAttributes: { verb: 'get', resource: 'configmaps', namespace: 'shop' } } },
    ])
  })
})

test('the webhooks tell a cluster who has a token and what they may do in it', async () => {
  await using platform = await startWithUser()
  await platform.addUser('ann', 'admin')
  const token = await platform.keyOf('ann')
  await bind(platform, 'project-editor', 'vic', { cluster: 'prod', namespaces: ['shop'] })
  const review = async (what: string, spec: unknown): Promise<Record<string, unknown>> =>
    (
      (await platform.ask('POST', `/platform/v1/webhooks/prod/${what}`, { token, body: { apiVersion: 'v1', kind: 'Review', spec } })).json() as {
        status: Record<string, unknown>
      }
    ).status

  const known = await review('authentication', { token: platform.token })
  const { user } = known as { user: { username: string; extra: unknown } }
  const can = async (spec: Record<string, unknown>): Promise<unknown> => (await review('authorization', spec))['allowed']
  const inShop = { verb: 'create', group: 'apps', resource: 'deployments', namespace: 'shop' }

  assert.deepEqual([known['authenticated'], user.username], [true, 'vic'])
  assert.equal((await review('authentication', { token: 'gantry_x_y' }))['authenticated'], false)
  assert.equal((await review('authentication', { token: 'other' }))['authenticated'], false)
  assert.equal(await can({ user: 'vic', extra: user.extra, resourceAttributes: inShop }), true)
  assert.equal(await can({ user: 'vic', extra: user.extra, resourceAttributes: { ...inShop, namespace: 'bank' } }), false)
  assert.equal(await can({ user: 'vic', resourceAttributes: inShop }), false, 'somebody else of that name')
  assert.equal((await platform.ask('POST', '/platform/v1/webhooks/prod/authentication', { token: platform.token, body: { spec: {} } })).status, 403)
})

test('a user who is gone leaves nothing to the next of that name', async () => {
  await using platform = await startWithUser()
  await bind(platform, 'project-editor', 'vic', { cluster: 'local', namespaces: ['shop'] })
  await platform.hub.delete(userKind.ref, { name: 'vic' })
  for (let turn = 0; turn < 20 && platform.permissions.bindings.get('project-editor-vic-shop') !== undefined; turn++) await settle()
  assert.equal(platform.permissions.bindings.get('project-editor-vic-shop'), undefined)

  await bind(platform, 'project-editor', 'new', { cluster: 'local', namespaces: ['shop'] })
  await assert.rejects(platform.addUser('new'), /would have what is bound to that name already/)
})

test('users of platforms before bindings keep what their role gave', async () => {
  const before = await startTestPlatform()
  await before.addUser('old')
  await before.hub.patch<User>(userKind.ref, { name: 'old' }, { type: 'merge', body: { spec: { role: 'viewer' } } })
  await using platform = await before.restart()
  const { cookie } = await platform.signIn('old', password)
  assert.equal((await platform.ask('GET', '/api/v1/configmaps', { cookie })).status, 200)
  assert.equal((await platform.ask('GET', '/api/v1/secrets', { cookie })).status, 403)
  assert.equal(platform.identities.users.get('old')?.spec.role, undefined)
})
