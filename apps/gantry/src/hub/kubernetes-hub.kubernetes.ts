import assert from 'node:assert/strict'
import { mkdtemp, readFile } from 'node:fs/promises'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { sessionKind } from '@gantry/access/api'
import { clusterKind, type Cluster } from '@gantry/clusters/api'
import { createClient, loadKubeconfig, openHttpTransport, type KubeClient, type KubeObject, type ResourceRef } from '@gantry/client'
import { bodyOf, readBody, readWholeBody, systemClock } from '@gantry/runtime'
import type { Handler } from '@gantry/runtime'
import type { Platform } from '../platform.ts'
import { startRealHub, startRelay, until, type RealHub } from '../testing/real-hub.ts'
import { gantry, startTestPlatform } from '../testing/test-platform.ts'

// The whole platform, more than one of it, over a real kube-apiserver with the permissions of `gantry hub manifest`.
const leases: ResourceRef = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true }
const configMaps: ResourceRef = { group: '', version: 'v1', resource: 'configmaps', kind: 'ConfigMap', namespaced: true }
let hub: RealHub

before(async () => {
  hub = await startRealHub()
})
after(() => hub[Symbol.asyncDispose]())
beforeEach(() => hub.clear())

interface Gateway extends AsyncDisposable {
  readonly platform: Platform
  readonly dir: string
  readonly admin: KubeClient
  readonly handle: Handler
  cli(...args: string[]): ReturnType<typeof gantry>
}

async function startGateway(options: { readonly kubeconfig?: string; readonly dir?: string } = {}): Promise<Gateway> {
  const dir = options.dir ?? (await mkdtemp(join(hub.dir, 'data-')))
  const platform = await startTestPlatform(dir, { hub: { kubeconfig: options.kubeconfig ?? (await hub.kubeconfig()), context: undefined } })
  const { transport } = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8'))
  const http = openHttpTransport({ ...transport, server: platform.server })
  return {
    platform,
    dir,
    handle: http.handle,
    admin: createClient({ handle: http.handle }),
    cli: (...args) => gantry(dir, ...args),
    async [Symbol.asyncDispose]() {
      await http.close()
      await platform[Symbol.asyncDispose]()
    },
  }
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly headers: Readonly<Record<string, unknown>>
}

/** One request on a connection of its own, trusting whatever certificate. */
async function ask(
  server: string,
  path: string,
  how: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = httpsRequest(
    `${server}${path}`,
    { method: how.method ?? 'GET', headers: how.headers, rejectUnauthorized: false, agent: false },
    (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }))
    },
  )
  outgoing.on('error', reject)
  outgoing.end(how.body)
  return promise
}

/** What the administrator chooses when the first password has to be changed. */
const ownPassword = 'quay crane, spreader, twistlock'

async function signIn(server: string, username: string, password: string): Promise<string> {
  const post = async (path: string, body: unknown, cookie = ''): Promise<Answer> => {
    const headers = { 'x-gantry-request': 'console', 'content-type': 'application/json', origin: server, ...(cookie === '' ? {} : { cookie }) }
    const answer = await ask(server, path, { method: 'POST', headers, body: JSON.stringify(body) })
    assert.equal(answer.status, 200, answer.text)
    return answer
  }
  const cookieOf = (answer: Answer, name: string): string => new RegExp(`${name}=[^;]+`).exec(String(answer.headers['set-cookie']))?.[0] ?? ''
  const first = await post('/auth/login', { username, password })
  const { next, ticket } = JSON.parse(first.text) as { next?: string; ticket?: string }
  const last =
    next === 'changePassword' ? await post('/auth/login/step', { ticket, newPassword: ownPassword }, cookieOf(first, '__Host-gantry-sign-in')) : first
  return cookieOf(last, '__Host-gantry-session')
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })
const tokenOf = async ({ dir }: Gateway): Promise<string> => loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8')).transport.token?.() ?? ''

describe('a platform on a real Kubernetes as its hub', () => {
  test('starts with the permissions of its manifest alone, and keeps users, keys and clusters there', async () => {
    await using one = await startGateway()

    const made = await one.cli('user', 'create', 'ann', '--role', 'platform-viewer')
    assert.equal(made.code, 0, made.err)
    const listed = await one.cli('cluster', 'list', '-o', 'json')
    assert.equal(listed.code, 0, listed.err)
    const cluster = await until('the hub is found ready', async () => {
      const found = await hub.admin.get<Cluster>(clusterKind.ref, { name: 'local' })
      return found.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true ? found : undefined
    })
    assert.equal(cluster.spec.provider, 'Hub')
    assert.match(cluster.status?.kubernetesVersion ?? '', /^v1\.\d+/)
    assert.equal((await hub.admin.list(sessionKind.ref)).items.length, 0)
    const names = (await one.admin.list<KubeObject>({ group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false })).items.map(
      ({ metadata }) => metadata.name,
    )
    assert.ok(names.includes('gantry-system') && names.includes('kube-system'))
    assert.equal((await ask(one.platform.server, '/readyz?verbose')).text, '[+]hub ok\nreadyz check passed\n')
    assert.match(
      (await one.cli('backup', 'status')).err + (await ask(one.platform.server, '/platform/v1/storage', { headers: bearer(await tokenOf(one)) })).text,
      /keeps its objects in the cluster at/,
    )
  })

  test('lets nobody do there what its credential may not, nor through it what the caller may not', async () => {
    await using one = await startGateway()
    const token = await tokenOf(one)
    const there = await ask(one.platform.server, '/api/v1/namespaces/default/secrets', { headers: bearer(token) })
    assert.equal(there.status, 403)
    assert.match(there.text, /system:serviceaccount:gantry-system:gantry/, 'the hub itself has refused')

    assert.equal((await one.cli('user', 'create', 'nobody')).code, 0)
    const key = (await one.cli('apikey', 'create', '--user', 'nobody')).out.trim()
    for (const path of ['/api/v1/namespaces', '/clusters/local/api/v1/namespaces', '/apis/access.gantry.dev/v1alpha1/users', '/api', '/version'])
      assert.equal((await ask(one.platform.server, path, { headers: bearer(key) })).status, 403, path)
  })

  test('takes no credential of the hub itself, no identity header, and nobody without one', async () => {
    await using one = await startGateway()
    const { server } = one.platform
    const token = await tokenOf(one)
    for (const path of ['/api/v1/namespaces', '/clusters/local/api/v1/namespaces', '/api', '/version', '/']) {
      assert.equal((await ask(server, path, { headers: bearer(hub.token) })).status, 401, `${path} with a token of the hub`)
      assert.equal((await ask(server, path)).status, 401, `${path} without an identity`)
      assert.equal(
        (await ask(server, path, { headers: { 'x-remote-user': 'admin', 'x-remote-group': 'system:masters' } })).status,
        401,
        `${path} with a proxy's headers`,
      )
    }
    assert.equal((await ask(server, '/api/v1/namespaces', { headers: { ...bearer(token), 'impersonate-user': 'system:admin' } })).status, 403)
    const whoami = JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' })
    const me = await ask(server, '/apis/authentication.k8s.io/v1/selfsubjectreviews', {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json', 'x-remote-user': 'eve' },
      body: whoami,
    })
    assert.equal(
      (JSON.parse(me.text) as { status: { userInfo: { username: string } } }).status.userInfo.username,
      'admin',
      'not the account that the gateway uses',
    )
  })

  test('judges what gives permissions there too, by ordinary requests and by ones that ask for another protocol', async () => {
    await using one = await startGateway()
    const { server } = one.platform
    assert.equal((await one.cli('user', 'create', 'mallory')).code, 0)
    const key = (await one.cli('apikey', 'create', '--user', 'mallory')).out.trim()
    const roles = '/apis/access.gantry.dev/v1alpha1/accessroles'
    const bindings = '/apis/access.gantry.dev/v1alpha1/accessrolebindings'
    const post = (token: string, path: string, body: object, more: Record<string, string> = {}): Promise<Answer> =>
      ask(server, path, { method: 'POST', headers: { ...bearer(token), 'content-type': 'application/json', ...more }, body: JSON.stringify(body) })
    const admin = await tokenOf(one)
    // Without bind and escalate.
    const rules = [
      { verbs: ['get', 'list', 'create', 'update', 'patch', 'delete'], apiGroups: ['access.gantry.dev'], resources: ['accessroles', 'accessrolebindings'] },
    ]
    assert.equal(
      (await post(admin, roles, { apiVersion: 'access.gantry.dev/v1alpha1', kind: 'AccessRole', metadata: { name: 'granter' }, spec: { rules } })).status,
      201,
    )
    const binding = (name: string, role: string): object => ({
      apiVersion: 'access.gantry.dev/v1alpha1',
      kind: 'AccessRoleBinding',
      metadata: { name },
      spec: { role, subjects: [{ kind: 'User', name: 'mallory' }] },
    })
    assert.equal((await post(admin, bindings, binding('granter', 'granter'))).status, 201)
    const refused = await until('mallory may write bindings', async () => {
      const answer = await post(key, bindings, binding('mine', 'platform-admin'))
      return /does not allow|no rule|may not POST/.test(answer.text) ? undefined : answer
    })
    assert.equal(refused.status, 403, refused.text)
    assert.match(refused.text, /would give what they do not have/)
    const upgraded = await post(key, bindings, binding('mine', 'platform-admin'), { connection: 'Upgrade', upgrade: 'SPDY/3.1' })
    assert.equal(upgraded.status, 400, upgraded.text)
    const removed = await ask(server, `${bindings}/granter`, { method: 'DELETE', headers: { ...bearer(key), connection: 'Upgrade', upgrade: 'websocket' } })
    assert.equal(removed.status, 400, removed.text)
    assert.equal(
      (
        await hub.admin.list<KubeObject>({
          group: 'access.gantry.dev',
          version: 'v1alpha1',
          resource: 'accessrolebindings',
          kind: 'AccessRoleBinding',
          namespaced: false,
        })
      ).items.some(({ metadata }) => metadata.name === 'mine'),
      false,
    )
  })
})

describe('two gateways on one hub', () => {
  test('start at once on an empty hub: one makes the first user, both show certificates of one authority', async () => {
    const gateways = await Promise.all([startGateway(), startGateway()])
    try {
      const passwords = gateways.map(({ platform }) => platform.firstPassword).filter((password) => password !== undefined)
      assert.equal(passwords.length, 1)
      const [first, second] = gateways
      await signIn(first?.platform.server ?? '', 'admin', passwords[0] ?? '')
      await signIn(second?.platform.server ?? '', 'admin', ownPassword)
      const [ca, other] = await Promise.all(gateways.map(({ dir }) => readFile(join(dir, 'tls/ca.crt'), 'utf8')))
      assert.equal(ca, other)
      // Trusts that one authority: openHttpTransport has checked it.
      for (const gateway of gateways) assert.equal((await gateway.cli('user', 'list')).code, 0)
    } finally {
      for (const gateway of gateways) await gateway[Symbol.asyncDispose]()
    }
  })

  test('know each other’s sessions, keys and permissions within a second, and end streams of what the other has revoked', async () => {
    await using one = await startGateway()
    await using two = await startGateway()
    assert.equal((await one.cli('user', 'create', 'ann')).code, 0)
    const key = (await one.cli('apikey', 'create', '--user', 'ann')).out.trim()
    const users = '/apis/access.gantry.dev/v1alpha1/users'
    const at = (gateway: Gateway): Promise<Answer> => ask(gateway.platform.server, users, { headers: bearer(key) })
    await until('the other knows the key', async () => ((await at(two)).status === 403 ? true : undefined), 1_000)
    assert.equal((await one.cli('access', 'grant', 'platform-viewer', '--user', 'ann')).code, 0)
    await until('the other knows the permission', async () => ((await at(two)).status === 200 ? true : undefined), 1_000)

    const cookie = await signIn(one.platform.server, 'admin', one.platform.firstPassword ?? '')
    const info = (gateway: Gateway): Promise<Answer> =>
      ask(gateway.platform.server, '/platform/v1/info', { headers: { cookie, 'x-gantry-request': 'console', origin: gateway.platform.server } })
    await until('the other knows the session', async () => ((await info(two)).status === 200 ? true : undefined), 1_000)

    const stop = new AbortController()
    const http = openHttpTransport({ server: two.platform.server, ca: await readFile(join(two.dir, 'tls/ca.crt')), token: () => key })
    const followed = await http.handle({ method: 'GET', path: users, query: 'watch=1', headers: {}, signal: stop.signal })
    assert.equal(followed.status, 200)
    const ended = (async () => {
      try {
        for await (const _ of readBody(followed));
      } catch {
        // cut off: that is an end too
      }
      return systemClock.monotonicMs()
    })()
    const revokedMs = systemClock.monotonicMs()
    assert.equal((await one.cli('apikey', 'revoke', key.split('_')[1] ?? '')).code, 0)
    assert.ok((await ended) - revokedMs < 1_000, 'the watch of a revoked key goes on')
    assert.equal((await at(two)).status, 401)
    stop.abort()
    await http.close()
  })

  test('finish the logins that another has begun, and know which refresh token is the current one', async () => {
    await using one = await startGateway()
    await using two = await startGateway()
    const form = (gateway: Gateway, path: string, fields: Record<string, string>): Promise<Answer> =>
      ask(gateway.platform.server, path, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ client_id: 'gantry-cli', ...fields }).toString(),
      })
    const begun = JSON.parse((await form(one, '/oidc/device/auth', { scope: 'openid offline_access' })).text) as { device_code: string; user_code: string }
    const cookie = await signIn(two.platform.server, 'admin', one.platform.firstPassword ?? '')
    const allowed = await ask(two.platform.server, '/platform/v1/oidc/device', {
      method: 'POST',
      headers: { cookie, 'x-gantry-request': 'console', 'content-type': 'application/json', origin: two.platform.server },
      body: JSON.stringify({ userCode: begun.user_code, allow: true }),
    })
    assert.equal(allowed.status, 200, allowed.text)

    interface Tokens {
      readonly access_token: string
      readonly refresh_token: string
    }
    const deviceGrant = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: begun.device_code }
    const got = await form(one, '/oidc/token', deviceGrant)
    assert.equal(got.status, 200, got.text)
    let tokens = JSON.parse(got.text) as Tokens
    const old = tokens.refresh_token
    const refresh = (gateway: Gateway, token: string): Promise<Answer> => form(gateway, '/oidc/token', { grant_type: 'refresh_token', refresh_token: token })
    for (const gateway of [two, one, two]) {
      const answer = await refresh(gateway, tokens.refresh_token)
      assert.equal(answer.status, 200, answer.text)
      tokens = JSON.parse(answer.text) as Tokens
    }
    const info = (gateway: Gateway): Promise<Answer> => ask(gateway.platform.server, '/platform/v1/info', { headers: bearer(tokens.access_token) })
    for (const gateway of [one, two]) assert.equal((await info(gateway)).status, 200)

    assert.equal((await refresh(one, old)).status, 400)

    for (const gateway of [one, two])
      await until('the session has ended everywhere', async () => ((await info(gateway)).status === 401 ? true : undefined), 1_000)
    assert.equal((await refresh(two, tokens.refresh_token)).status, 400)
  })

  test('share the work: one leads, and when it stops the other goes on at once', async () => {
    const first = await startGateway()
    await using second = await startGateway()
    interface Lease extends KubeObject {
      spec: { holderIdentity: string; leaseTransitions: number }
    }
    const lease = (): Promise<Lease> => hub.admin.get<Lease>(leases, { namespace: 'gantry-system', name: 'gantry' })
    const holder = (await lease()).spec.holderIdentity
    assert.notEqual(holder, '')
    await first[Symbol.asyncDispose]()
    const next = await until('the other leads', async () => {
      const { holderIdentity } = (await lease()).spec
      return holderIdentity !== '' && holderIdentity !== holder ? holderIdentity : undefined
    })
    assert.notEqual(next, holder)
    const added: Cluster = {
      apiVersion: clusterKind.apiVersion,
      kind: clusterKind.kind,
      metadata: { name: 'away' },
      spec: { provider: 'Imported', connection: { server: 'https://127.0.0.1:1', credentialsSecret: { namespace: 'gantry-system', name: 'none' } } },
    }
    await second.admin.create(clusterKind.ref, added)
    await until('the one that leads now has looked at a new cluster', async () => {
      const { status } = await hub.admin.get<Cluster>(clusterKind.ref, { name: 'away' })
      return status?.conditions?.find(({ type }) => type === 'Ready')
    })
  })
})

describe('a hub that is not there', () => {
  test('is waited for: the port says why, and the platform starts when it comes', async () => {
    const { port } = new URL(hub.server)
    await using relay = await startRelay({ port: Number(port) })
    await relay.close()
    const listen = await freePort()
    const dir = await mkdtemp(join(hub.dir, 'data-'))
    const kubeconfig = await hub.kubeconfig(`https://127.0.0.1:${relay.port}`)
    const starting = startTestPlatform(dir, { port: listen, hub: { kubeconfig, context: undefined } })
    const server = `https://127.0.0.1:${listen}`
    const told = await until('the port says why it waits', async () => {
      const answer = await ask(server, '/api/v1/pods').catch(() => undefined)
      return answer !== undefined && /waits for its hub/.test(answer.text) ? answer : undefined
    })
    assert.equal(told.status, 503)
    assert.match(told.text, new RegExp(`127.0.0.1:${relay.port}.*refused|ECONNREFUSED`))
    const ready = await ask(server, '/readyz')
    assert.equal(ready.status, 503)
    assert.match(ready.text, /^\[-\]hub failed: .*readyz check failed\n$/s)
    assert.equal((await ask(server, '/livez')).status, 200)
    await relay.open()
    await using platform = await starting
    assert.equal(platform.server, server)
    assert.equal((await ask(server, '/readyz')).status, 200)
  })

  test('that refuses the credential or lacks a permission is told the same way, and a wait can be ended', async () => {
    const listen = await freePort()
    const dir = await mkdtemp(join(hub.dir, 'data-'))
    const bindings: ResourceRef = {
      group: 'rbac.authorization.k8s.io',
      version: 'v1',
      resource: 'clusterrolebindings',
      kind: 'ClusterRoleBinding',
      namespaced: false,
    }
    const binding = await hub.admin.get<KubeObject>(bindings, { name: 'gantry' })
    await hub.admin.delete(bindings, { name: 'gantry' })
    try {
      const stop = new AbortController()
      const starting = startTestPlatform(dir, { port: listen, hub: { kubeconfig: await hub.kubeconfig(), context: undefined } }, stop.signal)
      starting.catch(() => {})
      const told = await until('the port says what is missing', async () => {
        const answer = await ask(`https://127.0.0.1:${listen}`, '/api').catch(() => undefined)
        return answer !== undefined && /waits for its hub/.test(answer.text) ? answer : undefined
      })
      assert.match(told.text, /system:serviceaccount:gantry-system:gantry.* cannot get resource/)
      stop.abort(new Error('stopped by the test'))
      await assert.rejects(starting, /stopped by the test/)
    } finally {
      const { metadata, ...rest } = binding
      await hub.admin.create(bindings, { ...rest, metadata: { name: metadata.name ?? '' } })
    }
  })

  test('that goes away in the middle takes nothing with it that does not need it, and all goes on when it is back', async () => {
    const { port } = new URL(hub.server)
    await using relay = await startRelay({ port: Number(port) })
    await using one = await startGateway({ kubeconfig: await hub.kubeconfig(`https://127.0.0.1:${relay.port}`) })
    const { server } = one.platform
    const cookie = await signIn(server, 'admin', one.platform.firstPassword ?? '')
    const headers = { cookie, 'x-gantry-request': 'console', origin: server }
    await relay.close()

    assert.equal((await ask(server, '/platform/v1/info', { headers })).status, 200, 'who is signed in stays signed in')
    const read = await ask(server, '/api/v1/namespaces', { headers })
    assert.equal(read.status, 503)
    assert.match(read.text, /cluster \\"local\\" is unavailable/)
    const refused = await one.cli('user', 'create', 'late')
    assert.notEqual(refused.code, 0)
    assert.match(refused.err, /ECONNREFUSED|refused|unavailable/i)
    const ready = await ask(server, '/readyz?verbose')
    assert.equal(ready.status, 200)
    assert.match(ready.text, /\[-\]hub failed/)
    // Changed while nobody here could see it.
    await hub.admin.create({ group: 'access.gantry.dev', version: 'v1alpha1', resource: 'groups', kind: 'Group', namespaced: false }, {
      apiVersion: 'access.gantry.dev/v1alpha1',
      kind: 'Group',
      metadata: { name: 'crew' },
      spec: { members: ['admin'] },
    } as KubeObject)
    await relay.open()

    await until('reads work again', async () => ((await ask(server, '/api/v1/namespaces', { headers })).status === 200 ? true : undefined), 20_000)
    await until(
      'what has changed meanwhile is known',
      async () =>
        /"crew"/.test(
          (
            await ask(server, '/platform/v1/access/explain', {
              method: 'POST',
              headers: { ...headers, 'content-type': 'application/json' },
              body: JSON.stringify({ verb: 'get', resource: 'pods' }),
            })
          ).text,
        )
          ? true
          : undefined,
      40_000,
    )
    assert.equal((await one.cli('user', 'create', 'late')).code, 0)
  })
})

describe('objects of users on the hub', () => {
  test('are read, written and watched through the platform as far as its credential may', async (t) => {
    const role: ResourceRef = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'rolebindings', kind: 'RoleBinding', namespaced: true }
    await hub.admin.patch(
      role,
      { namespace: 'default', name: 'gantry-admin' },
      {
        type: 'apply',
        fieldManager: 'test',
        force: true,
        body: {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind: 'RoleBinding',
          metadata: { name: 'gantry-admin', namespace: 'default' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
          subjects: [{ kind: 'ServiceAccount', name: 'gantry', namespace: 'gantry-system' }],
        },
      },
    )
    t.after(() => hub.admin.delete(role, { namespace: 'default', name: 'gantry-admin' }))
    await using one = await startGateway()
    const stop = new AbortController()
    const seen: string[] = []
    const following = (async () => {
      for await (const event of one.admin.watch<KubeObject>(configMaps, { namespace: 'default', resourceVersion: '0', signal: stop.signal }))
        if (event.type !== 'BOOKMARK') seen.push(`${event.type} ${event.object.metadata.name}`)
    })()
    following.catch(() => {}) // ended by the test
    const fresh = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'of-ann', namespace: 'default' } }
    // An authorizer learns of a new binding a moment later.
    const map = await until('the credential may write there', () => one.admin.create<KubeObject>(configMaps, fresh).catch(forbidden))
    await one.admin.patch(configMaps, { namespace: 'default', name: 'of-ann' }, { type: 'merge', body: { data: { a: '1' } } })
    const stale = await readWholeBody(
      await one.handle({
        method: 'PUT',
        path: '/api/v1/namespaces/default/configmaps/of-ann',
        query: '',
        headers: { 'content-type': 'application/json' },
        body: bodyOf(JSON.stringify(map)),
        signal: stop.signal,
      }),
    )
    assert.match(stale.toString(), /"reason":"Conflict"/)
    await one.admin.delete(configMaps, { namespace: 'default', name: 'of-ann' })
    await until('the watch has told all of it', () => (seen.includes('DELETED of-ann') ? true : undefined))
    assert.deepEqual(
      seen.filter((line) => line.endsWith('of-ann')),
      ['ADDED of-ann', 'MODIFIED of-ann', 'DELETED of-ann'],
    )
    stop.abort()
    await following.catch(() => {})
  })
})

function forbidden(error: unknown): undefined {
  if (!isReason(error, 'Forbidden')) throw error
}

async function freePort(): Promise<number> {
  const relay = await startRelay({ port: 1 })
  const { port } = relay
  await relay.close()
  return port
}
