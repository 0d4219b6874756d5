import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { bodyOf, readBody, readWholeBody, silentLogger } from '@gantry/runtime'
import type { HttpHeaders, HttpRequest, HttpResponse, Handler } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import type { AuditEvent, AuditLevel } from './audit.ts'
import { clusterRoute, hubRoutes, type ClusterTarget } from './cluster-route.ts'
import type { ConcurrencyLimits } from './concurrency-limit.ts'
import type { Authorizer, Caller } from './exchange.ts'
import { createPipeline } from './pipeline.ts'
import { Revocations } from './revocations.ts'

const admin: Caller = {
  kind: 'platform',
  user: { username: 'admin', groups: ['system:masters'] },

  credential: { kind: 'bearer', id: 'apikey/a' },
}
const byCookie: Caller = { ...admin, credential: { kind: 'cookie', id: 'session/s' } }

function start(
  options: {
    caller?: Caller
    authorize?: Authorizer
    hub?: Handler
    member?: Handler
    limits?: Partial<ConcurrencyLimits>
    auditLevel?: () => AuditLevel
  } = {},
) {
  const events: AuditEvent[] = []
  const hubSaw: HttpRequest[] = []
  const memberSaw: HttpRequest[] = []
  const revocations = new Revocations()
  const hub: ClusterTarget = {
    kind: 'hub',
    handle(request) {
      hubSaw.push(request)
      return options.hub?.(request) ?? Promise.resolve({ status: 200, headers: {}, body: 'hub' })
    },
    async upgrade(request, socket) {
      hubSaw.push(request)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n')
      await new Promise<void>((resolve) => socket.once('close', () => resolve()))
    },
  }
  const member: ClusterTarget = {
    kind: 'member',
    handle(request) {
      memberSaw.push(request)
      return options.member?.(request) ?? Promise.resolve({ status: 200, headers: {}, body: 'member' })
    },
    upgrade: () => Promise.resolve(),
  }
  const clusters = new Map([
    ['local', hub],
    ['prod', member],
  ])
  const pipeline = createPipeline(
    {
      clock: new FakeClock(),
      ids: createFakeIds(),
      log: silentLogger,
      audit: { write: (event) => void events.push(event) },
      auditLevel: options.auditLevel,
      authenticators: [() => options.caller],
      authorize: options.authorize ?? (() => ({ allowed: true, reason: 'test' })),
      revocations,
    },
    {
      hub: 'local',
      routes: [
        clusterRoute(clusters),
        ...hubRoutes(hub),
        { path: '/public', audience: 'anyone', serve: () => Promise.resolve({ status: 200, headers: {}, body: 'public' }) },
        { path: '/platform/v1/', audience: 'platform', serve: () => Promise.resolve({ status: 200, headers: {}, body: 'platform' }) },
      ],
      limits: options.limits,
    },
  )
  return { ...pipeline, events, hubSaw, memberSaw, revocations }
}

function get(path: string, headers: HttpHeaders = {}, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', path, query: '', headers, signal: new AbortController().signal, peer: { address: '127.0.0.1' }, ...more }
}

async function text(response: HttpResponse): Promise<string> {
  return (await readWholeBody(response)).toString()
}

describe('the pipeline', () => {
  test('gives the hub the proved identity and none of the credentials', async () => {
    const gateway = start({ caller: admin })
    await gateway.handle(get('/api/v1/nodes', { authorization: 'Bearer gantry_a_b', cookie: 'x=y', 'x-remote-user': 'root', accept: 'a' }))
    await gateway.handle(
      get('/clusters/local/api/v1/nodes', {}, { peer: { address: '1.1.1.1', certificate: { commonName: 'other', organizations: [], fingerprint256: '' } } }),
    )

    for (const request of gateway.hubSaw) {
      assert.equal(request.path, '/api/v1/nodes')
      assert.deepEqual(request.user, { username: 'admin', groups: ['system:masters'] })
      assert.equal(request.headers['authorization'], undefined)
      assert.equal(request.headers['cookie'], undefined)
      assert.equal(request.headers['x-remote-user'], undefined)
      assert.equal(request.peer?.certificate, undefined)
    }
    assert.equal(gateway.hubSaw.length, 2)
  })

  test('passes credentials of the local cluster on to it, with no user set', async () => {
    const gateway = start()
    await gateway.handle(get('/api/v1/nodes', { authorization: 'Bearer some.service.token' }))

    assert.equal(gateway.hubSaw[0]?.user, undefined)
    assert.equal(gateway.hubSaw[0]?.headers['authorization'], 'Bearer some.service.token')
  })

  test('keeps identities of the local cluster away from members and from the platform', async () => {
    const gateway = start()

    assert.equal((await gateway.handle(get('/clusters/prod/api', { authorization: 'Bearer some.service.token' }))).status, 401)
    assert.equal((await gateway.handle(get('/clusters/nosuch/api'))).status, 401, 'an anonymous caller cannot find out which clusters exist')
    assert.equal((await gateway.handle(get('/platform/v1/info'))).status, 401)
    assert.equal(gateway.memberSaw.length, 0)
  })

  test('strips the cluster prefix and nothing else', async () => {
    const gateway = start({ caller: admin })
    await gateway.handle(get('/clusters/prod/api/v1/namespaces/a/services/b/proxy/x%2Fy//z', {}, { query: 'a=%20b&c' }))
    await gateway.handle(get('/clusters/prod'))

    assert.deepEqual(
      gateway.memberSaw.map(({ path, query, user, peer }) => ({ path, query, user, peer })),
      [
        { path: '/api/v1/namespaces/a/services/b/proxy/x%2Fy//z', query: 'a=%20b&c', user: undefined, peer: undefined },
        { path: '/', query: '', user: undefined, peer: undefined },
      ],
    )
  })

  for (const name of ['pr%6fd', 'prod%2f', 'PROD', 'prod;x', 'prod:443', '-', '', 'a_b']) {
    test(`does not take "${name}" for a cluster`, async () => {
      const gateway = start({ caller: admin })

      assert.equal((await gateway.handle(get(`/clusters/${name}/api`))).status, 404)
      assert.equal(gateway.memberSaw.length, 0)
    })
  }

  test('answers an unknown cluster with a Status that says so', async () => {
    const gateway = start({ caller: admin })
    const response = await gateway.handle(get('/clusters/nosuch/api'))

    assert.equal(response.status, 404)
    assert.match(await text(response), /there is no cluster \\"nosuch\\"/)
  })

  test('refuses what the authorizer does not allow, and an invalid credential of its own, everywhere but in public', async () => {
    const denied = start({ caller: admin, authorize: () => ({ allowed: false, reason: 'no role allows it' }) })
    const refused = start({ caller: { kind: 'refused', message: 'the session has ended' } })

    for (const path of ['/api', '/apis/x', '/clusters/prod/api', '/clusters/local/api', '/platform/v1/x']) {
      assert.equal((await denied.handle(get(path))).status, 403, path)
      assert.equal((await refused.handle(get(path))).status, 401, path)
    }
    assert.equal((await refused.handle(get('/public'))).status, 200)
    assert.equal(denied.hubSaw.length + refused.hubSaw.length + denied.memberSaw.length + refused.memberSaw.length, 0)
  })

  test('puts every request on record with who, what, the decision and its reason, refusals included', async () => {
    const gateway = start({ caller: admin, authorize: ({ request }) => ({ allowed: request.method === 'GET', reason: 'read-only' }) })
    await gateway.handle(get('/apis/apps/v1/namespaces/shop/deployments/web/scale', { 'user-agent': 'kubectl/v1.36' }, { query: 'dryRun=All' }))
    await gateway.handle(get('/clusters/prod/api/v1/namespaces/shop/pods', {}, { method: 'DELETE' }))
    await gateway.handle(get('/platform/v1/info'))

    const common = { time: '2026-01-01T00:00:00.000Z', user: 'admin', groups: ['system:masters'], credential: 'apikey/a', sourceIP: '127.0.0.1', latencyMs: 0 }
    assert.deepEqual(
      gateway.events.map((event) => JSON.parse(JSON.stringify({ ...event, auditID: undefined })) as unknown),
      [
        {
          ...common,
          stage: 'complete',
          userAgent: 'kubectl/v1.36',
          method: 'GET',
          cluster: 'local',
          verb: 'get',
          apiGroup: 'apps',
          version: 'v1',
          resource: 'deployments',
          subresource: 'scale',
          namespace: 'shop',
          name: 'web',
          query: 'dryRun=All',
          decision: 'allow',
          reason: 'read-only',
          status: 200,
        },
        {
          ...common,
          stage: 'complete',
          method: 'DELETE',
          cluster: 'prod',
          verb: 'deletecollection',
          apiGroup: '',
          version: 'v1',
          resource: 'pods',
          namespace: 'shop',
          decision: 'deny',
          reason: 'read-only',
          status: 403,
        },
        { ...common, stage: 'complete', method: 'GET', path: '/platform/v1/info', decision: 'allow', reason: 'read-only', status: 200 },
      ],
    )
  })

  test('keeps secrets out of the record, wherever in a request they stand', async () => {
    const canary = 'CANARY'
    const gateway = start({ caller: byCookie })
    const headers = {
      host: 'gantry.local:6443',
      authorization: `Bearer gantry_a_${canary}`,
      cookie: `__Host-gantry=${canary}`,
      'proxy-authorization': `Basic ${canary}`,
      'x-api-key': canary,
      'impersonate-extra-token': canary,
      'sec-websocket-protocol': `base64url.bearer.authorization.k8s.io.${canary}, v4.channel.k8s.io`,
      referer: `https://gantry.local:6443/?token=${canary}`,
      'audit-id': `${canary}\nx`,
      'x-gantry-request': 'console',
      origin: 'https://gantry.local:6443',
    }
    const queries = [
      `token=${canary}&limit=1&access_token=${canary}`,
      `q=${canary}`,
      canary,
      `watch&${canary}`,
      `${canary}==`,
      `continue=${canary}`,
      `command=mysql&command=-p${canary}&command=${canary}&container=db`,
      `%74oken=${canary}`,
      `limit=1;token=${canary}`,
      `a=${canary}&`.repeat(50),
      `labelSelector=app;password=${canary}`,
      `code=${canary}&state=${canary}#${canary}`,
    ]
    for (const query of queries) {
      await gateway.handle(get('/api/v1/namespaces/shop/pods/db/exec', headers, { query }))
      await gateway.handle(get('/platform/v1/info', headers, { query }))
      await gateway.handle(get(`/clusters/prod/api/v1/namespaces/shop/services/login/proxy/reset/${canary}`, headers, { query }))
      await gateway.handle(get('/api/v1/namespaces/shop/secrets', headers, { query, method: 'POST', body: bodyOf(canary) }))
    }

    assert.equal(gateway.events.length, 4 * queries.length)
    assert.deepEqual(
      gateway.events.filter((event) => JSON.stringify(event).includes(canary)),
      [],
    )
    assert.equal(gateway.events[24]?.query, 'command=mysql&command=…&command=…&container=db', 'the program is on record, its arguments are not')
  })

  test('records nothing, or bodies as well, where the level says so', async () => {
    const level = { of: 'None' as AuditLevel }
    const answer: Handler = async (request) => {
      for await (const _ of request.body?.stream() ?? []);
      return { status: 201, headers: { 'content-type': 'application/json' }, body: '{"answer":1}' }
    }
    const { handle, events } = start({ caller: admin, hub: answer, auditLevel: () => level.of })
    const send = async (
      content: string | Uint8Array,
      headers: HttpHeaders = { 'content-type': 'application/json' },
    ): Promise<(typeof events)[number] | undefined> => {
      events.length = 0
      await handle(get('/api/v1/namespaces/a/configmaps', headers, { method: 'POST', body: bodyOf(content) }))
      return events[0]
    }
    assert.equal(await send('{"a":1}'), undefined)
    level.of = 'Metadata'
    assert.deepEqual([(await send('{"a":1}'))?.requestBody, events[0]?.responseBody], [undefined, undefined])
    level.of = 'Request'
    assert.deepEqual([(await send('{"a":1}'))?.requestBody, events[0]?.responseBody], ['{"a":1}', undefined])
    level.of = 'RequestResponse'
    assert.deepEqual([(await send('{"a":1}'))?.requestBody, events[0]?.responseBody], ['{"a":1}', '{"answer":1}'])
    assert.match((await send('x'.repeat(30_000)))?.requestBodyOmitted ?? '', /longer than/)
    // In the record each would take six.
    assert.match((await send('\u0001'.repeat(10_000)))?.requestBodyOmitted ?? '', /longer than/)
    assert.equal((await send(Buffer.from('k8s'), { 'content-type': 'application/vnd.kubernetes.protobuf' }))?.requestBodyOmitted, 'it is neither JSON nor YAML')
    assert.equal((await send('{}', { 'content-type': 'application/json', 'content-encoding': 'gzip' }))?.requestBodyOmitted, 'it is compressed')
  })

  test('puts the audit id on the answer and takes over one the caller gives', async () => {
    const gateway = start({ caller: admin })

    assert.equal((await gateway.handle(get('/api', { 'audit-id': 'abcdefgh-1' }))).headers['audit-id'], 'abcdefgh-1')
    assert.match(String((await gateway.handle(get('/api', { 'audit-id': 'x\ny' }))).headers['audit-id']), /^[0-9a-f-]{36}$/)
  })

  test('bounds what one caller has on its way and lets it in again afterwards', async () => {
    const release = Promise.withResolvers<HttpResponse>()
    const gateway = start({ caller: admin, limits: { perCaller: 2 }, hub: () => release.promise })
    const open = [gateway.handle(get('/api')), gateway.handle(get('/api'))]
    await settle()
    const refused = await gateway.handle(get('/api'))
    release.resolve({ status: 200, headers: {} })
    await Promise.all(open)

    assert.equal(refused.status, 429)
    assert.equal(refused.headers['retry-after'], '1')
    assert.equal((await gateway.handle(get('/api'))).status, 200)
  })

  test('what waits for a dead cluster leaves its caller room for the others', async () => {
    const release = Promise.withResolvers<HttpResponse>()
    const gateway = start({ caller: admin, limits: { perCallerAndCluster: 2 }, member: () => release.promise })
    const pods = '/clusters/prod/api/v1/pods'
    const open = [gateway.handle(get(pods)), gateway.handle(get(pods))]
    await settle()
    const [there, elsewhere] = [await gateway.handle(get(pods)), await gateway.handle(get('/clusters/local/api/v1/pods'))]
    release.resolve({ status: 200, headers: {} })
    await Promise.all(open)

    assert.equal(there.status, 429)
    assert.equal(elsewhere.status, 200)
    assert.equal((await gateway.handle(get(pods))).status, 200)
  })
})

describe('cross-site requests', () => {
  const unsafe = (headers: HttpHeaders): HttpRequest => get('/api/v1/namespaces', { host: 'gantry.local:6443', ...headers }, { method: 'POST' })
  const same = { 'x-gantry-request': 'console', origin: 'https://gantry.local:6443' }

  for (const [name, headers, status] of [
    ['no header and no origin', {}, 403],
    ['the header alone', { 'x-gantry-request': 'console' }, 403],
    ['the origin alone', { origin: 'https://gantry.local:6443' }, 403],
    ['another origin', { ...same, origin: 'https://evil.example' }, 403],
    ['another port', { ...same, origin: 'https://gantry.local:7443' }, 403],
    ['plain http', { ...same, origin: 'http://gantry.local:6443' }, 403],
    ['the null origin', { ...same, origin: 'null' }, 403],
    ['Sec-Fetch-Site cross-site', { ...same, 'sec-fetch-site': 'cross-site' }, 403],
    ['Sec-Fetch-Site same-site', { ...same, 'sec-fetch-site': 'same-site' }, 403],
    ['header and origin', same, 200],
    ['header and Sec-Fetch-Site', { 'x-gantry-request': 'console', 'sec-fetch-site': 'same-origin' }, 200],
  ] as const) {
    test(`by cookie with ${name}: ${status}`, async () => {
      assert.equal((await start({ caller: byCookie }).handle(unsafe(headers))).status, status)
    })
  }

  test('need no proof with a bearer token, nor for reading', async () => {
    assert.equal((await start({ caller: admin }).handle(unsafe({}))).status, 200)
    assert.equal((await start({ caller: byCookie }).handle(get('/api'))).status, 200)
  })

  for (const [origin, opened] of [
    ['https://evil.example', false],
    [undefined, false],
    ['https://gantry.local:6443', true],
  ] as const) {
    test(`a WebSocket by cookie from ${origin ?? 'nowhere'} is ${opened ? 'opened' : 'refused'}`, async () => {
      const gateway = start({ caller: byCookie })
      const socket = new PassThrough()
      let written = ''
      socket.on('data', (chunk: Buffer) => (written += chunk.toString()))
      const done = gateway.upgrade(get('/api/v1/exec', { host: 'gantry.local:6443', origin, upgrade: 'websocket' }), socket, Buffer.alloc(0))
      await settle()
      socket.destroy()
      await done

      assert.equal(gateway.hubSaw.length, opened ? 1 : 0)
      assert.equal(written.startsWith('HTTP/1.1 403'), !opened)
    })
  }

  test('a page of a cluster shown by cookie cannot act as the console', async () => {
    const gateway = start({ caller: byCookie, member: () => Promise.resolve({ status: 200, headers: { 'content-type': 'text/html' }, body: '<script>' }) })
    const response = await gateway.handle(get('/clusters/prod/api/v1/namespaces/a/services/b/proxy/'))

    assert.equal(response.headers['content-security-policy'], "sandbox; default-src 'none'")
  })
})

describe('revocation', () => {
  test('ends an open watch at once, whatever its producer does, and leaves others alone', async () => {
    const gateway = start({
      caller: byCookie,
      hub: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          body(sink) {
            sink.write('first\n')
            return new Promise(() => {}) // never looks at its signal
          },
        }),
    })
    const chunks: string[] = []
    const response = await gateway.handle(get('/api/v1/pods', {}, { query: 'watch=true' }))
    const reading = (async () => {
      for await (const chunk of readBody(response)) chunks.push(Buffer.from(chunk).toString())
    })()
    await settle()
    gateway.revocations.revoke('session/other')
    await settle()
    const before = gateway.revocations.size
    gateway.revocations.revoke('session/s')

    await assert.rejects(reading, /revoked/)
    assert.deepEqual(chunks, ['first\n'])
    assert.equal(before, 1)
    assert.equal(gateway.revocations.size, 0)
    assert.deepEqual(
      gateway.events.map(({ stage }) => stage),
      ['started', 'ended'],
    )
  })

  test('closes the socket of an exec at once', async () => {
    const gateway = start({ caller: admin })
    const socket = new PassThrough()
    const done = gateway.upgrade(get('/clusters/local/api/v1/exec', { upgrade: 'websocket' }), socket, Buffer.alloc(0))
    await settle()
    gateway.revocations.revoke('apikey/a')
    await done

    assert.ok(socket.destroyed)
    assert.deepEqual(
      gateway.events.map(({ stage, status }) => ({ stage, status })),
      [
        { stage: 'started', status: 101 },
        { stage: 'ended', status: 101 },
      ],
    )
  })
})
