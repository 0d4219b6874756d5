import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAuditor, createSigningKey, parseAuditPolicy, webhookAuthenticator, webhookAuthorizer } from '@gantry/kube-access'
import { bodyOf, readWholeBody, silentLogger } from '@gantry/runtime'
import type { Clock, Handler, HttpRequest, UserInfo } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import type { AccessOptions } from './access.ts'
import { startLocalCluster } from './local-cluster.ts'

const admin: UserInfo = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }

type Json = Record<string, any> // oxlint-disable-line typescript/no-explicit-any -- answers of any kind, read field by field

interface Answer {
  readonly code: number
  readonly warning: unknown
  readonly body: Json
}

async function startTestCluster(access: (clock: Clock) => AccessOptions = () => ({}), signingKey = createSigningKey()) {
  const clock = new FakeClock()
  const store = createMemoryStore({ log: silentLogger })
  const cluster = await startLocalCluster({ store, clock, ids: createFakeIds(), log: silentLogger }, { controllers: false, access: access(clock), signingKey })
  async function call(method: string, target: string, more: { readonly body?: unknown } & Omit<Partial<HttpRequest>, 'body'> = {}): Promise<Answer> {
    const [path = '', query = ''] = target.split('?', 2)
    const { body, ...rest } = more
    const response = await cluster.handle({
      method,
      path,
      query,
      headers: {},
      signal: new AbortController().signal,
      ...rest,
      ...(body === undefined ? {} : { body: bodyOf(JSON.stringify(body)) }),
    })
    const text = (await readWholeBody(response)).toString()
    return { code: response.status, warning: response.headers['warning'], body: text.startsWith('{') ? (JSON.parse(text) as Answer['body']) : { text } }
  }
  return {
    clock,
    call,
    asAdmin: (method: string, target: string, body?: unknown) => call(method, target, { body, user: admin }),
    whoami: async (request: Omit<Partial<HttpRequest>, 'body'>) => {
      const { code, body } = await call('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', { ...request, body: {} })
      return code === 201 ? body['status'].userInfo : code
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
const accountToken = '/api/v1/namespaces/default/serviceaccounts/default/token'

/** A remote end that answers every review with the status that `decide` gives to its spec. */
function remote(decide: (spec: Json) => object): { readonly handle: Handler; readonly specs: Json[] } {
  const specs: Json[] = []
  return {
    specs,
    handle: async ({ body }) => {
      const { spec } = JSON.parse((await body?.bytes(1 << 20))?.toString() ?? '') as { spec: Json }
      specs.push(spec)
      return { status: 201, headers: {}, body: JSON.stringify({ status: decide(spec) }) }
    },
  }
}

describe('callers of the local cluster', () => {
  test('without a credential or with another scheme are anonymous, with a wrong token refused', async () => {
    await using cluster = await startTestCluster()

    assert.equal((await cluster.call('GET', '/version', { headers: { authorization: 'Basic abc' } })).code, 200)
    assert.equal((await cluster.call('GET', '/version', { headers: { authorization: 'Bearer ' } })).code, 200)
    assert.equal((await cluster.call('GET', '/version', bearer('nope'))).code, 401)
  })

  test('come in with a bootstrap token until it expires', async () => {
    await using cluster = await startTestCluster()
    const stringData = {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
      expiration: '2026-01-01T01:00:00Z',
    }
    await cluster.asAdmin('POST', '/api/v1/namespaces/kube-system/secrets', {
      metadata: { name: 'bootstrap-token-abcdef' },
      type: 'bootstrap.kubernetes.io/token',
      stringData,
    })

    assert.deepEqual(await cluster.whoami(bearer('abcdef.0123456789abcdef')), {
      username: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:workers', 'system:authenticated'],
    })
    assert.equal(await cluster.whoami(bearer('abcdef.0123456789abcdee')), 401)
    await cluster.clock.advance(3_600_000)
    assert.equal(await cluster.whoami(bearer('abcdef.0123456789abcdef')), 401)
  })

  test('come in with the token of a Secret as long as the Secret holds it and the account is there', async () => {
    await using cluster = await startTestCluster(() => ({ ca: 'the CA' }))
    const collection = '/api/v1/namespaces/default/secrets'
    await cluster.asAdmin('POST', '/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 'old' } })
    const settled = async (name: string, isDone: (answer: Answer) => boolean): Promise<Answer> => {
      for (let turns = 0; ; turns++) {
        const answer = await cluster.asAdmin('GET', `${collection}/${name}`)
        if (isDone(answer)) return answer
        assert.ok(turns < 1_000, `${name} is not done: ${JSON.stringify(answer)}`)
        await cluster.clock.advance(0)
      }
    }
    const make = async (name: string): Promise<string> => {
      const annotations = { 'kubernetes.io/service-account.name': 'old' }
      await cluster.asAdmin('POST', collection, { metadata: { name, annotations }, type: 'kubernetes.io/service-account-token' })
      const { metadata, data } = (await settled(name, ({ body }) => body['data'] !== undefined)).body
      assert.deepEqual([atob(data['namespace']), atob(data['ca.crt'])], ['default', 'the CA'])
      assert.ok(metadata.annotations['kubernetes.io/service-account.uid'] !== undefined)
      return atob(data.token)
    }
    const [one, two] = [await make('one'), await make('two')]

    assert.equal((await cluster.whoami(bearer(one))).username, 'system:serviceaccount:default:old')
    await cluster.asAdmin('DELETE', `${collection}/one`)
    assert.deepEqual([await cluster.whoami(bearer(one)), (await cluster.whoami(bearer(two))).username], [401, 'system:serviceaccount:default:old'])
    const asked = (): Promise<Answer> => cluster.call('GET', '/api/v1/secrets', bearer(two))
    assert.equal((await asked()).warning, undefined)
    const account = { metadata: { name: 'old' }, secrets: [{ name: 'two' }] }
    assert.equal((await cluster.asAdmin('PUT', '/api/v1/namespaces/default/serviceaccounts/old', account)).code, 200)
    const { code, warning } = await asked()
    assert.deepEqual(
      [code, warning],
      [403, ['299 - "Use tokens from the TokenRequest API or manually created secret-based tokens instead of auto-generated secret-based tokens."']],
      'said of a request that is refused too',
    )
    await cluster.asAdmin('DELETE', '/api/v1/namespaces/default/serviceaccounts/old')
    assert.equal(await cluster.whoami(bearer(two)), 401)
    await settled('two', ({ code }) => code === 404)
  })

  test('keep the tokens that the former key signed', async () => {
    const [former, current] = [createSigningKey(), createSigningKey()]
    await using before = await startTestCluster(undefined, former)
    const { token } = (await before.asAdmin('POST', accountToken, {})).body['status']
    await using after = await startTestCluster(() => ({ formerSigningKeys: [former] }), current)
    await using stranger = await startTestCluster(undefined, current)
    const keys = (await after.asAdmin('GET', '/openid/v1/jwks')).body['keys']
    // The account of the new cluster is another one: its uid differs unless ids repeat, which those of tests do.
    assert.equal((await after.call('GET', '/version', bearer(token))).code, 200)
    assert.equal((await stranger.call('GET', '/version', bearer(token))).code, 401)
    assert.equal(keys.length, 2)
  })

  test('are named by a front proxy only when its certificate says so', async () => {
    const certificate = { commonName: 'front-proxy', organizations: [], fingerprint256: 'AA' }
    await using cluster = await startTestCluster(() => ({
      requestHeader: { allowedNames: ['front-proxy'], isFromProxyCa: ({ fingerprint256 }) => fingerprint256 === 'AA' },
    }))
    const headers = { 'x-remote-user': 'jane', 'x-remote-group': ['a', 'b'], 'x-remote-extra-acme.io%2fx': 'y' }

    assert.deepEqual(await cluster.whoami({ headers, peer: { address: '', certificate } }), {
      username: 'jane',
      groups: ['a', 'b', 'system:authenticated'],
      extra: { 'acme.io/x': ['y'] },
    })
    assert.equal((await cluster.whoami({ headers, peer: { address: '', certificate: { ...certificate, fingerprint256: 'BB' } } })).username, 'front-proxy')
    assert.equal(await cluster.whoami({ headers, peer: { address: '', certificate: { ...certificate, commonName: 'other' } } }), 401)
    assert.equal(await cluster.whoami({ peer: { address: '', certificate } }), 401, 'a proxy speaks for others only')
    assert.equal(await cluster.whoami({ headers }), 403)
  })

  test('are known by a remote review, which is asked once for a while', async () => {
    const { handle, specs } = remote(({ token }) => (token === 'good' ? { authenticated: true, user: { username: 'ann', uid: '1', groups: ['g'] } } : {}))
    await using cluster = await startTestCluster((clock) => ({ tokenAuthenticators: [webhookAuthenticator({ clock, handle }, { path: '/authenticate' })] }))
    const ann = { username: 'ann', uid: '1', groups: ['g', 'system:authenticated'] }

    assert.deepEqual([await cluster.whoami(bearer('good')), await cluster.whoami(bearer('good')), await cluster.whoami(bearer('bad'))], [ann, ann, 401])
    assert.equal(specs.length, 2)
    await cluster.clock.advance(120_000)
    await cluster.whoami(bearer('good'))
    assert.equal(specs.length, 3)
  })

  test('may do what a remote review allows after RBAC had no opinion', async () => {
    const { handle, specs } = remote(({ resourceAttributes }) => ({ allowed: resourceAttributes?.verb === 'list', reason: 'remote says so' }))
    await using cluster = await startTestCluster((clock) => ({ authorizers: [webhookAuthorizer({ clock, handle }, { path: '/authorize' })] }))
    const jane: UserInfo = { username: 'jane', groups: ['system:authenticated'] }

    assert.equal((await cluster.call('GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn&labelSelector=a%20in%20(b)', { user: jane })).code, 200)
    const refused = await cluster.call('DELETE', '/api/v1/namespaces/default/pods/x', { user: jane })

    assert.equal(refused.code, 403)
    assert.match(refused.body['message'], /: remote says so$/)
    assert.deepEqual(specs[0], {
      resourceAttributes: {
        verb: 'list',
        version: 'v1',
        resource: 'pods',
        fieldSelector: { requirements: [{ key: 'spec.nodeName', operator: 'In', values: ['n'] }] },
        labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }] },
      },
      user: 'jane',
      groups: ['system:authenticated'],
    })
  })

  test('are refused when the remote review cannot be asked and its failure means so', async () => {
    const handle: Handler = () => Promise.reject(new Error('connection refused'))
    const jane: UserInfo = { username: 'jane', groups: [] }
    await using cluster = await startTestCluster((clock) => ({ authorizers: [webhookAuthorizer({ clock, handle }, { path: '/', failurePolicy: 'Deny' })] }))
    const review = await cluster.asAdmin('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      spec: { user: jane.username, resourceAttributes: { verb: 'get', resource: 'pods' } },
    })

    assert.deepEqual(review.body['status'], { allowed: false, denied: true, evaluationError: 'connection refused' })
  })
})

describe('the audit log of the local cluster', () => {
  const recorded = async (level: string, run: (cluster: Awaited<ReturnType<typeof startTestCluster>>) => Promise<unknown>): Promise<Json[]> => {
    const lines: string[] = []
    const { policy } = parseAuditPolicy(JSON.stringify({ apiVersion: 'audit.k8s.io/v1', kind: 'Policy', rules: [{ level, users: ['admin', ''] }] }))
    await using cluster = await startTestCluster((clock) => ({
      auditor: createAuditor({ clock, sinks: [{ write: (line) => void lines.push(line) }] }, policy),
    }))
    await run(cluster)
    return lines.map((line) => JSON.parse(line) as Json)
  }

  test('holds a write from its arrival to its answer', async () => {
    const events = await recorded('RequestResponse', (cluster) =>
      cluster.asAdmin('POST', '/api/v1/namespaces/default/configmaps', { metadata: { name: 'a' }, data: { b: 'c' } }),
    )
    const last = events.at(-1)

    assert.deepEqual(
      events.map(({ stage }) => stage),
      ['RequestReceived', 'ResponseComplete'],
    )
    assert.deepEqual([last?.['objectRef'].name, last?.['responseStatus'].code], ['a', 201])
    assert.deepEqual([last?.['requestObject'].data, last?.['responseObject'].data], [{ b: 'c' }, { b: 'c' }])
    assert.equal(last?.['requestObject'].metadata.uid, undefined)
    assert.equal(last?.['annotations']['authorization.k8s.io/decision'], 'allow')
  })

  test('holds no secret and no token at the levels that have no bodies', async () => {
    let token = ''
    const events = await recorded('Metadata', async (cluster) => {
      await cluster.asAdmin('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 's' }, stringData: { password: 'hush-hush' } })
      token = (await cluster.asAdmin('POST', accountToken, {})).body['status'].token
      await cluster.asAdmin('GET', '/api/v1/secrets')
      await cluster.call('GET', '/version', bearer('very-secret-token'))
    })
    const text = JSON.stringify(events)

    assert.ok(events.length >= 7)
    for (const hidden of ['hush-hush', Buffer.from('hush-hush').toString('base64'), token, 'very-secret-token'])
      assert.ok(hidden !== '' && !text.includes(hidden))
    assert.equal(events.at(-1)?.['responseStatus'].message, 'Unauthorized')
  })

  test('holds lists, patches and failures', async () => {
    const events = await recorded('RequestResponse', async (cluster) => {
      await cluster.asAdmin('GET', '/api/v1/namespaces')
      await cluster.call('PATCH', '/api/v1/namespaces/none', {
        user: admin,
        headers: { 'content-type': 'application/merge-patch+json' },
        body: { metadata: { labels: { a: 'b' } } },
      })
    })
    const [list, patch] = events.filter(({ stage }) => stage === 'ResponseComplete')

    assert.equal(list?.['responseObject'].items.length, 4)
    assert.deepEqual(patch?.['requestObject'], { metadata: { labels: { a: 'b' } } })
    assert.deepEqual([patch?.['responseStatus'].reason, patch?.['responseStatus'].code], ['NotFound', 404])
  })
})
