import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyOf, readWholeBody, silentLogger } from '@gantry/runtime'
import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { startLocalCluster } from './local-cluster.ts'

const admin: UserInfo = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }

interface Answer {
  readonly code: number
  readonly body: Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- answers of any kind, read field by field
}

async function startTestCluster() {
  const clock = new FakeClock()
  const ids = createFakeIds()
  const store = createMemoryStore({ log: silentLogger })
  const cluster = await startLocalCluster({ store, clock, ids, log: silentLogger }, { controllers: false })
  async function call(method: string, target: string, more: { body?: unknown; user?: UserInfo; headers?: Record<string, string> } = {}): Promise<Answer> {
    const [path = '', query = ''] = target.split('?', 2)
    const request: HttpRequest = {
      method,
      path,
      query,
      headers: { ...more.headers },
      signal: new AbortController().signal,
      user: more.user,
      ...(more.body === undefined ? {} : { body: bodyOf(JSON.stringify(more.body)) }),
    }
    const response = await cluster.handle(request)
    const text = (await readWholeBody(response)).toString()
    return { code: response.status, body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { text } }
  }
  return {
    clock,
    call,
    asAdmin: (method: string, target: string, body?: unknown) => call(method, target, { body, user: admin }),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const pod = (name: string): unknown => ({ metadata: { name }, spec: { containers: [{ name: 'c', image: 'busybox:1.36' }] } })

describe('a new local cluster', () => {
  test('has the namespaces and roles that every cluster has', async () => {
    await using cluster = await startTestCluster()

    const namespaces = await cluster.asAdmin('GET', '/api/v1/namespaces')
    const role = await cluster.asAdmin('GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/view')

    assert.deepEqual(
      namespaces.body['items'].map((item: { metadata: { name: string } }) => item.metadata.name),
      ['default', 'kube-node-lease', 'kube-public', 'kube-system'],
    )
    assert.equal(role.code, 200)
  })

  test('gives a namespace its default service account before a pod can ask for it', async () => {
    await using cluster = await startTestCluster()

    await cluster.asAdmin('POST', '/api/v1/namespaces', { metadata: { name: 'team' } })
    const created = await cluster.asAdmin('POST', '/api/v1/namespaces/team/pods', pod('web'))

    assert.equal(created.code, 201)
    assert.equal(created.body['spec'].serviceAccountName, 'default')
    assert.match(created.body['spec'].volumes[0].name, /^kube-api-access-/)
  })

  test('refuses a pod whose service account is missing, naming it', async () => {
    await using cluster = await startTestCluster()

    const refused = await cluster.asAdmin('POST', '/api/v1/namespaces/default/pods', {
      metadata: { name: 'web' },
      spec: { serviceAccountName: 'ghost', containers: [{ name: 'c', image: 'i' }] },
    })

    assert.equal(refused.code, 403)
    assert.equal(refused.body['message'], 'pods "web" is forbidden: error looking up service account default/ghost: serviceaccount "ghost" not found')
  })
})

describe('identities of the local cluster', () => {
  test('let nobody in with a wrong token, and strangers only to what is public', async () => {
    await using cluster = await startTestCluster()

    const wrong = await cluster.call('GET', '/version', { headers: { authorization: 'Bearer nonsense' } })
    const version = await cluster.call('GET', '/version')
    const pods = await cluster.call('GET', '/api/v1/pods')

    assert.deepEqual([wrong.code, version.code, pods.code], [401, 200, 403])
    assert.equal(pods.body['message'], 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" at the cluster scope')
  })

  test('issue tokens for service accounts that work until the account goes', async () => {
    await using cluster = await startTestCluster()
    const issued = await cluster.asAdmin('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: {} })
    const headers = { authorization: `Bearer ${issued.body['status'].token}` }
    const whoami = (): Promise<Answer> => cluster.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { headers, body: {} })

    const before = await whoami()
    await cluster.asAdmin('DELETE', '/api/v1/namespaces/default/serviceaccounts/default')
    const after = await whoami()

    assert.equal(before.code, 201)
    assert.equal(before.body['status'].userInfo.username, 'system:serviceaccount:default:default')
    assert.deepEqual(before.body['status'].userInfo.groups, ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'])
    assert.equal(after.code, 401)
  })

  test('end a token when its hour is over', async () => {
    await using cluster = await startTestCluster()
    const issued = await cluster.asAdmin('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: { expirationSeconds: 3600 } })
    const headers = { authorization: `Bearer ${issued.body['status'].token}` }

    // Clocks may be a minute apart.
    await cluster.clock.advance(3_661_000)
    const late = await cluster.call('GET', '/version', { headers })

    assert.equal(late.code, 401)
  })

  test('refuse a token that is asked for less than ten minutes', async () => {
    await using cluster = await startTestCluster()

    const refused = await cluster.asAdmin('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', { spec: { expirationSeconds: 60 } })

    assert.equal(refused.code, 422)
    assert.match(refused.body['message'], /may not specify a duration less than 10 minutes/)
  })

  test('keep anybody from granting what he does not hold', async () => {
    await using cluster = await startTestCluster()
    const jane: UserInfo = { username: 'jane', groups: ['system:authenticated'] }
    const rbac = '/apis/rbac.authorization.k8s.io/v1/namespaces/default'
    await cluster.asAdmin('POST', `${rbac}/rolebindings`, {
      metadata: { name: 'jane-admin' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
      subjects: [{ kind: 'User', name: 'jane' }],
    })

    const own = await cluster.call('POST', `${rbac}/roles`, {
      user: jane,
      body: { metadata: { name: 'readers' }, rules: [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }] },
    })
    const more = await cluster.call('POST', `${rbac}/roles`, {
      user: jane,
      body: { metadata: { name: 'everything' }, rules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] },
    })
    const bound = await cluster.call('POST', `${rbac}/rolebindings`, {
      user: jane,
      body: {
        metadata: { name: 'root' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ kind: 'User', name: 'jane' }],
      },
    })

    assert.equal(own.code, 201)
    assert.equal(more.code, 403)
    assert.match(more.body['message'], /user "jane" .* is attempting to grant RBAC permissions not currently held/)
    assert.equal(bound.code, 403)
  })

  test('let only those impersonate who may', async () => {
    await using cluster = await startTestCluster()
    const jane: UserInfo = { username: 'jane', groups: ['system:authenticated'] }
    const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'devs' }

    const refused = await cluster.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { user: jane, headers, body: {} })
    const allowed = await cluster.call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { user: admin, headers, body: {} })

    assert.equal(refused.code, 403)
    assert.match(refused.body['message'], /User "jane" cannot impersonate-on:user-info:create resource "selfsubjectreviews"/)
    assert.deepEqual(allowed.body['status'].userInfo, { username: 'bob', groups: ['devs', 'system:authenticated'] })
  })
})
