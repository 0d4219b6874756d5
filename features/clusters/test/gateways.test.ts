import assert from 'node:assert/strict'
import { request as httpsRequest } from 'node:https'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { createTestAuthority, type TestCertificate } from '@gantry/client/testing'
import { openHttpTransport, type KubeClient, type ResourceRef } from '@gantry/client'
import { clusterKind, type Cluster } from '@gantry/clusters/api'
import { installKinds, MemberDirectory, peerEntrance } from '@gantry/clusters/server'
import { openTestHub, settle } from '@gantry/conformance/test-hub'
import { openEdge, type Edge } from '@gantry/gateway'
import { serveTunnel } from '@gantry/gateway/tunnel'
import { bodyOf, readBody, readWholeBody, silentLogger, systemClock, systemIds } from '@gantry/runtime'
import type { Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import type { FakeClock } from '@gantry/runtime/testing'

const gatewayLabel = 'fleet.gantry.dev/gateway'
const leases: ResourceRef = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true }
const secrets: ResourceRef = { group: '', version: 'v1', resource: 'secrets', kind: 'Secret', namespaced: true }
const namespaces: ResourceRef = { group: '', version: 'v1', resource: 'namespaces', kind: 'Namespace', namespaced: false }
const namespace = 'gantry-system'

const serving = createTestAuthority('ports', Date.now())
const gatewayAuthority = createTestAuthority('gateways', Date.now())
const portPair = serving.issue({ commonName: 'gantry', dns: ['localhost'], ip: ['127.0.0.1'] })
const gatewayPair = gatewayAuthority.issue({ commonName: 'gantry-gateway' })

interface Gateway extends AsyncDisposable {
  readonly instance: string
  readonly edge: Edge
  readonly directory: MemberDirectory
  /** Requests that came to what everybody else comes to. */
  readonly others: HttpRequest[]
  /** An agent of the cluster `m` dials this gateway. */
  join(member: Member): Promise<Socket>
  ask(path: string, more?: Partial<HttpRequest>): Promise<HttpResponse>
  /** Whether the hub takes nothing that it says of itself. */
  isMute: boolean
  /** Stops taking connections, and says nothing to anybody: as a kill does. */
  die(): Promise<void>
}

interface Member {
  readonly handle: Handler
  readonly upgrade?: UpgradeHandler | undefined
}

interface World extends AsyncDisposable {
  readonly hub: KubeClient
  readonly clock: FakeClock
  readonly cluster: Cluster
  gateway(instance: string): Promise<Gateway>
  /** Lets time pass, in small steps, until it is so. */
  until(what: string, isSo: () => boolean): Promise<void>
}

const answering = (text: string): Member => ({ handle: () => Promise.resolve({ status: 200, headers: {}, body: text }) })
const textOf = async (response: HttpResponse): Promise<string> => (await readWholeBody(response)).toString()

async function socketPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const dialled = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const far = await accepted
  server.close()
  for (const socket of [dialled, far]) socket.on('error', () => {})
  return [dialled, far]
}

async function startWorld(): Promise<World> {
  const base = await openTestHub()
  const { client: hub, clock } = base
  const stack = new AsyncDisposableStack()
  stack.use(base)
  const signal = new AbortController().signal
  let isInstalled = false
  const installing = installKinds({ hub, clock }, [clusterKind], { signal }).finally(() => (isInstalled = true))
  installing.catch(() => {}) // awaited below
  while (!isInstalled) await clock.advance(5)
  await installing
  const present = await hub.list(namespaces)
  if (!present.items.some(({ metadata }) => metadata.name === namespace)) await hub.create(namespaces, { metadata: { name: namespace } })
  const data = { 'agent-enrolment': Buffer.from('e').toString('base64') }
  await hub.create(secrets, { metadata: { name: 'agent-m', namespace }, data } as never)
  const left = await hub.list(leases, { namespace, labelSelector: gatewayLabel })
  for (const { metadata } of left.items) await hub.delete(leases, { namespace, name: metadata.name ?? '' })
  const gateways = new Set<Gateway>()
  const cluster = await hub.create<Cluster>(clusterKind.ref, {
    apiVersion: clusterKind.apiVersion,
    kind: clusterKind.kind,
    metadata: { name: 'm' },
    spec: { provider: 'Imported', connection: { kind: 'Agent', credentialsSecret: { namespace, name: 'agent-m' } } },
  })

  async function until(what: string, isSo: () => boolean): Promise<void> {
    for (const endMs = performance.now() + 10_000; !isSo(); await clock.advance(20)) {
      if (performance.now() > endMs) assert.fail(`it did not come to be that ${what}`)
      await settle()
    }
  }
  /** What each gateway has told is known to the others. */
  function known(): Promise<void> {
    const connections = [...gateways].reduce((sum, { directory }) => sum + (directory.agents.reports().get('m')?.connections ?? 0), 0)
    return until('all know of all agents', () => [...gateways].every(({ directory }) => connectionsAt(directory, cluster) >= connections))
  }

  return {
    hub,
    clock,
    cluster,
    until,
    async gateway(instance) {
      const others: HttpRequest[] = []
      const sockets = new Set<Socket>()
      const handler: { handle: Handler; upgrade: UpgradeHandler } = { handle: notThere, upgrade: async (_request, socket) => void socket.destroy() }
      const edge = await openEdge(
        { clock: systemClock, log: silentLogger, handle: (request) => handler.handle(request), upgrade: (...all) => handler.upgrade(...all) },
        { host: '127.0.0.1', port: 0, tls: portPair, clientCa: gatewayAuthority.cert, drainMs: 0 },
      )
      const address = `127.0.0.1:${edge.port}`
      const patch: KubeClient['patch'] = (...all) => (gateway.isMute ? Promise.reject(new Error('the hub is away')) : hub.patch(...all))
      const directory = new MemberDirectory({
        hub: { ...hub, patch },
        clock,
        ids: systemIds,
        log: silentLogger,
        local: undefined,
        // The clock of its deadlines stands still with all the others; sockets are real.
        openTransport: (options) => openHttpTransport(options, { clock }),
        peering: { instance, address, tls: () => ({ ca: serving.cert, ...gatewayPair }) },
      })
      const authority = (): string => gatewayAuthority.cert
      Object.assign(
        handler,
        peerEntrance(
          { authority, local: (of, lane) => directory.here(of, lane) },
          {
            handle: (request) => (others.push(request), notThere()),
            upgrade: async (request, socket) => void (others.push(request), socket.end('HTTP/1.1 404 Not Found\r\n\r\n')),
          },
        ),
      )
      const die = async (): Promise<void> => {
        gateway.isMute = true
        gateways.delete(gateway)
        for (const socket of sockets) socket.destroy()
        await edge[Symbol.asyncDispose]()
      }
      const gateway: Gateway = {
        instance,
        isMute: false,
        edge,
        directory,
        others,
        async join(member) {
          const [near, far] = await socketPair()
          sockets.add(near).add(far)
          const tunnel = directory.agents.tunnelOf(cluster)
          directory.agents.introduce(cluster, { version: `of-${instance}` })
          const before = tunnel.size
          void tunnel.serve(far, 'x')
          while (near.read(1) === null) await new Promise((resolve) => near.once('readable', resolve))
          serveTunnel({ clock: systemClock, log: silentLogger, handle: member.handle, upgrade: member.upgrade ?? (() => Promise.resolve()) }, near)
          while (tunnel.size === before) await new Promise(setImmediate)
          await known()
          return near
        },
        ask: (path, more = {}) => {
          const target = directory.get('m')
          assert.ok(target)
          return target.handle({ method: 'GET', path, query: '', headers: {}, signal: new AbortController().signal, ...more })
        },
        die,
        async [Symbol.asyncDispose]() {
          await die()
          await running[Symbol.asyncDispose]()
        },
      }
      const running = await directory.start({ signal })
      stack.use(gateway)
      gateways.add(gateway)
      await known()
      return gateway
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

function connectionsAt(directory: MemberDirectory, cluster: Cluster): number {
  return directory.agents.stateOf(cluster)?.connections ?? 0
}

function notThere(): Promise<HttpResponse> {
  return Promise.resolve({ status: 404, headers: {}, body: 'no such path' })
}

describe('a cluster whose agent has dialled another gateway', () => {
  test('is read and written through it, with bodies and headers as they are', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    const seen: HttpRequest[] = []
    await two.join({
      async handle(request) {
        seen.push(request)
        return {
          status: 201,
          headers: { 'x-of': 'member', 'gantry-agent-failure': 'NotTls', 'gantry-peer': '7' },
          body: (await request.body?.bytes(1 << 20)) ?? 'none',
        }
      },
    })
    const body = Buffer.alloc(300_000, 'x')

    const answer = await one.ask('/api/v1/pods', {
      method: 'POST',
      query: 'a=%20b',
      headers: { 'content-type': 'text/plain', authorization: 'Bearer secret', cookie: 'c=d' },
      body: bodyOf(body),
    })
    const text = await textOf(answer)

    assert.deepEqual([answer.status, text.length, answer.headers['x-of']], [201, body.length, 'member'])
    assert.deepEqual([answer.headers['gantry-peer'], answer.headers['gantry-agent-failure']], [undefined, undefined], 'a member cannot speak for a gateway')
    assert.deepEqual([seen[0]?.method, seen[0]?.path, seen[0]?.query, seen[0]?.headers['content-type']], ['POST', '/api/v1/pods', 'a=%20b', 'text/plain'])
    assert.deepEqual([seen[0]?.headers['authorization'], seen[0]?.headers['cookie']], [undefined, undefined], 'the caller is known where it came in')
    assert.equal(two.others.length, 0)
    assert.equal(await textOf(await two.ask('/here')), 'none')
  })

  test('streams: an event is here when it is sent, a reader who is slow holds the member up, one who leaves ends it there', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    let sent = 0
    const over = Promise.withResolvers<void>()
    await two.join({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          async body(sink) {
            sink.write('first\n')
            sink.signal.addEventListener('abort', () => over.resolve())
            const chunk = Buffer.alloc(64 << 10)
            while (!sink.signal.aborted && sent < 256 << 20) {
              sent += chunk.length
              if (!sink.write(chunk)) await sink.drained()
            }
          },
        }),
    })
    const gone = new AbortController()

    const answer = await one.ask('/api/v1/pods', { query: 'watch=1', signal: gone.signal })
    const reading = readBody(answer)[Symbol.asyncIterator]()
    const { value } = (await reading.next()) as { value: Uint8Array }
    let before = -1
    for (let quiet = 0; quiet < 500; quiet = before === sent ? quiet + 1 : 0) {
      before = sent
      await new Promise(setImmediate)
    }

    assert.match(Buffer.from(value).toString('latin1'), /^first\n/)
    assert.ok(sent < 32 << 20, `${sent} bytes are on the way to a reader who reads nothing`)
    gone.abort(new Error('the caller has gone'))
    await over.promise
  })

  test('is taken over by an upgrade, both ways', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    await two.join({
      ...answering(''),
      async upgrade(request, socket) {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${String(request.headers['upgrade'])}\r\n\r\n`)
        socket.on('data', (chunk: Buffer) => socket.write(`${request.path} heard ${chunk.toString()}`))
        await new Promise((resolve) => socket.once('close', resolve))
      },
    })
    const [client, gateway] = await socketPair()
    const target = one.directory.get('m')
    const headers = { connection: 'Upgrade', upgrade: 'SPDY/3.1' }

    const served = target?.upgrade(
      { method: 'POST', path: '/api/v1/namespaces/a/pods/b/exec', query: '', headers, signal: new AbortController().signal },
      gateway,
      Buffer.alloc(0),
    )
    const heard = await until(client, /\r\n\r\n/)
    client.write('hello')
    const echo = await until(client, /hello/)
    client.destroy()
    await served

    assert.match(heard, /^HTTP\/1.1 101 /)
    assert.equal(echo, '/api/v1/namespaces/a/pods/b/exec heard hello')
  })

  test('answers at once where the agent has come, and through the others, when it comes back elsewhere', async () => {
    await using world = await startWorld()
    const [one, two, three] = [await world.gateway('one'), await world.gateway('two'), await world.gateway('three')]
    const first = await two.join(answering('through two'))
    assert.equal(await textOf(await three.ask('/')), 'through two')
    first.destroy()
    await two.die()

    const refused = await one.ask('/')
    const again = await one.ask('/')
    await one.join(answering('through one'))
    await world.until('the last one knows', () => connectionsAt(three.directory, world.cluster) === 2)

    assert.equal(refused.status, 503)
    assert.match(await textOf(refused), /cluster \\"m\\" is unavailable: .*(gateway gantry-gateway-two at 127.0.0.1:\d+.* does not answer|not connected)/)
    assert.equal(again.status, 503)
    assert.equal(await textOf(await one.ask('/')), 'through one')
    assert.equal(await textOf(await three.ask('/')), 'through one', 'what the dead one has left behind is passed over')
  })

  test('is told of by all that know something: how many connections, which version, why it left', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    const told: string[] = []
    one.directory.onAgentChange((name) => told.push(name))
    const first = await two.join(answering(''))
    const joined = one.directory.agents.stateOf(world.cluster)
    await one.join(answering(''))
    const both = one.directory.agents.stateOf(world.cluster)
    first.destroy()
    await world.until('the first has gone', () => connectionsAt(one.directory, world.cluster) === 1)

    assert.deepEqual([joined?.connections, joined?.version, both?.connections], [1, 'of-two', 2])
    assert.equal(one.directory.agents.stateOf(world.cluster)?.connections, 1)
    assert.ok(told.length >= 3)
    assert.match(two.directory.agents.absenceOf(world.cluster), /it left at .*: the connection (was reset|ended)/)
    const third = await world.gateway('three')
    assert.match(
      third.directory.agents.absenceOf(world.cluster),
      /it left at .*: the connection (was reset|ended)/,
      'those that it was never connected to know as well',
    )
  })
})

describe('one hop', () => {
  test('is all there is: a gateway that is asked by another one asks nobody else', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    // Each is made to believe that the agent is with the other one.
    for (const { instance } of [one, two]) {
      const annotations = { 'fleet.gantry.dev/agents': '[["m",1,null]]' }
      await world.hub.patch(leases, { namespace, name: `gantry-gateway-${instance}` }, { type: 'merge', body: { metadata: { annotations } } })
    }
    await world.until('each believes it', () => [one, two].every(({ directory }) => connectionsAt(directory, world.cluster) === 1))

    const answer = await one.ask('/api/v1/pods')

    assert.equal(answer.status, 503)
    assert.match(await textOf(answer), /its agent has not connected yet/)
  })

  test('leads to the cluster of that uid alone, and to none that is dialled', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    await one.join(answering('the member'))
    const { uid = '' } = world.cluster.metadata

    const right = await tls(one, `/peer/v1/users/m/${uid}/api`, gatewayPair)
    for (const path of [
      `/peer/v1/users/m/00000000-0000-0000-0000-000000000000/api`,
      `/peer/v1/users/local/${uid}/api`,
      `/peer/v1/users/m/${uid}`,
      `/peer/v1/else/m/${uid}/api`,
      `/peer/v1/users/..%2fm/${uid}/api`,
    ]) {
      const { status, text } = await tls(one, path, gatewayPair)
      assert.deepEqual([path, status], [path, 502])
      assert.match(text, /does not know cluster/)
    }
    assert.deepEqual([right.status, right.text], [200, 'the member'])
    assert.equal(one.others.length, 0)
  })
})

describe('what only gateways may do', () => {
  test('is like a path that does not exist for whoever has no certificate that only they have, whatever else it shows', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    const asked: string[] = []
    await one.join({ handle: ({ path }) => (asked.push(path), Promise.resolve({ status: 200, headers: {}, body: 'the member' })) })
    const path = `/peer/v1/users/m/${world.cluster.metadata.uid}/api/v1/secrets`
    const forged = createTestAuthority('gateways', Date.now())
    const claims = {
      'gantry-peer': '1',
      'x-forwarded-client-cert': gatewayPair.cert.replaceAll('\n', ''),
      'x-remote-user': 'gantry-gateway',
      'ssl-client-verify': 'SUCCESS',
    }
    const attackers: readonly [string, Partial<TestCertificate>, Record<string, string>?][] = [
      ['nothing', {}],
      ['headers of a proxy', {}, claims],
      ['a certificate of the authority that signs ports', serving.issue({ commonName: 'gantry-gateway' })],
      ["a gateway's own port certificate", portPair],
      ['an authority of the same name', forged.issue({ commonName: 'gantry-gateway' })],
      [
        'a certificate that has expired',
        gatewayAuthority.issue({ commonName: 'gantry-gateway', notBefore: new Date(Date.now() - 9e8), notAfter: new Date(Date.now() - 8e8) }),
      ],
    ]
    for (const [what, pair, headers = {}] of attackers) {
      const before = one.others.length
      const { status } = await tls(one, path, pair, headers)
      assert.deepEqual([what, status, one.others.length - before], [what, 404, 1])
      const upgrade = await tls(one, path, pair, { ...headers, connection: 'Upgrade', upgrade: 'SPDY/3.1' })
      assert.deepEqual([what, upgrade.status, one.others.length - before], [what, 404, 2])
    }
    assert.deepEqual(asked, [])
    assert.equal((await tls(one, path, gatewayPair)).text, 'the member', 'with one it is open')
  })

  test('is shown to nobody who stands at the address of a gateway and is none', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    const stranger = createTestAuthority('ports', Date.now()).issue({ commonName: 'gantry', ip: ['127.0.0.1'] })
    const heard: string[] = []
    await using impostor = await openEdge(
      {
        clock: systemClock,
        log: silentLogger,
        handle: ({ path }) => (heard.push(path), Promise.resolve({ status: 200, headers: { 'gantry-peer': '1' }, body: 'forged' })),
        upgrade: async () => {},
      },
      { host: '127.0.0.1', port: 0, tls: stranger, clientCa: gatewayAuthority.cert, drainMs: 0 },
    )
    const lease = {
      metadata: {
        name: 'gantry-gateway-zz',
        namespace,
        labels: { [gatewayLabel]: 'true' },
        annotations: { 'fleet.gantry.dev/address': `127.0.0.1:${impostor.port}`, 'fleet.gantry.dev/agents': '[["m",2,"1"]]' },
      },
    }
    await world.hub.create(leases, lease)
    await world.until('it is believed', () => connectionsAt(one.directory, world.cluster) === 2)

    const answer = await one.ask('/api', { method: 'POST', body: bodyOf('a Secret') })

    assert.equal(answer.status, 503)
    assert.match(await textOf(answer), /cannot trust https:\/\/127.0.0.1/)
    assert.deepEqual(heard, [])
  })

  test('a Lease that is not as gateways write it is not used', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    for (const [at, annotations] of [
      {},
      { address: 'https://evil/' },
      { address: 'a:1', agents: '{"m":1}' },
      { address: 'a:1', agents: '[' },
      { address: '127.0.0.1:1@b', agents: '[["m",1,null]]' },
    ].entries()) {
      const named = Object.fromEntries(Object.entries(annotations).map(([name, value]) => [`fleet.gantry.dev/${name}`, value]))
      await world.hub.create(leases, {
        metadata: { name: `gantry-gateway-z${at}`, namespace, labels: { [gatewayLabel]: 'true' }, annotations: named },
      })
    }
    const annotations = { 'fleet.gantry.dev/address': '127.0.0.1:1', 'fleet.gantry.dev/agents': '[["last",7,null]]' }
    await world.hub.create(leases, { metadata: { name: 'gantry-gateway-zz', namespace, labels: { [gatewayLabel]: 'true' }, annotations } })
    const last = { ...world.cluster, metadata: { name: 'last', uid: 'last' } }
    await world.until('one that is as they write it is seen', () => connectionsAt(one.directory, last) === 7)
    const answer = await one.ask('/')
    assert.match(await textOf(answer), /its agent has not connected yet/)
  })
})

describe('a gateway that does not renew its Lease', () => {
  const stale = async (world: World, agents = '[["m",1,"old"]]'): Promise<void> => {
    const annotations = { 'fleet.gantry.dev/address': '127.0.0.1:1', 'fleet.gantry.dev/agents': agents }
    await world.hub.create(leases, { metadata: { name: 'gantry-gateway-dead', namespace, labels: { [gatewayLabel]: 'true' }, annotations } })
  }
  const found = async (world: World): Promise<readonly (string | undefined)[]> =>
    (await world.hub.list(leases, { namespace, labelSelector: gatewayLabel })).items.map(({ metadata }) => metadata.name)

  test('has gone after fifteen seconds: its agents count no more, and ten minutes later it is forgotten', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    await stale(world)
    await world.until('it is seen', () => connectionsAt(one.directory, world.cluster) === 1)
    await world.clock.advance(12_000)
    assert.equal(connectionsAt(one.directory, world.cluster), 1)
    await world.clock.advance(12_000)
    await world.until('it has gone', () => connectionsAt(one.directory, world.cluster) === 0)
    assert.deepEqual(await found(world), ['gantry-gateway-dead', 'gantry-gateway-one'])
    // In steps that are shorter than the time between two renewals, or this gateway takes itself for blind.
    for (let past = 0; past < 11 * 60_000 && (await found(world)).length > 1; past += 20_000) await world.clock.advance(20_000)
    assert.deepEqual(await found(world), ['gantry-gateway-one'])
  })

  test('has not gone when the hub was away for all: nothing that runs through it ends', async () => {
    await using world = await startWorld()
    const [one, two] = [await world.gateway('one'), await world.gateway('two')]
    let isOver = false
    await two.join({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          async body(sink) {
            sink.write('on')
            await new Promise<void>((resolve) => sink.signal.addEventListener('abort', () => resolve()))
            isOver = true
          },
        }),
    })
    const answer = await one.ask('/', { query: 'watch=1' })
    const reading = readBody(answer)[Symbol.asyncIterator]()
    await reading.next()
    one.isMute = two.isMute = true
    const version = async (): Promise<string | undefined> => (await world.hub.get(leases, { namespace, name: 'gantry-gateway-one' })).metadata.resourceVersion
    const before = await version()
    await world.clock.advance(30_000)
    assert.equal(await version(), before)

    one.isMute = false
    await world.clock.advance(6_000)
    assert.notEqual(await version(), before, 'the first is heard again, the other one not yet')
    assert.deepEqual([connectionsAt(one.directory, world.cluster), isOver], [1, false])
    two.isMute = false
    await world.clock.advance(30_000)
    assert.deepEqual([connectionsAt(one.directory, world.cluster), isOver], [1, false])
    await reading.return?.()
  })

  test('takes its Lease with it when it stops', async () => {
    await using world = await startWorld()
    const one = await world.gateway('one')
    assert.deepEqual(await found(world), ['gantry-gateway-one'])
    await one[Symbol.asyncDispose]()
    assert.deepEqual(await found(world), [])
  })
})

interface Answer {
  readonly status: number
  readonly text: string
}

/** One request on a connection of its own, with whatever certificate. */
async function tls({ edge }: Gateway, path: string, { cert, key }: Partial<TestCertificate>, headers: Record<string, string> = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const outgoing = httpsRequest({ host: '127.0.0.1', port: edge.port, path, ca: serving.cert, cert, key, headers, agent: false }, (response) => {
    let text = ''
    response.on('data', (chunk: Buffer) => (text += chunk.toString()))
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
  })
  outgoing.on('upgrade', (response, socket) => {
    socket.destroy()
    resolve({ status: response.statusCode ?? 0, text: '' })
  })
  outgoing.on('error', reject)
  outgoing.end()
  return promise
}

async function until(socket: Duplex, pattern: RegExp): Promise<string> {
  let text = ''
  while (!pattern.test(text)) {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) await new Promise((resolve) => socket.once('readable', resolve))
    else text += chunk.toString()
  }
  return text
}
