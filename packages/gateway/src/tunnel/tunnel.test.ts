import assert from 'node:assert/strict'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { openHttpTransport, transportError, transportFailureOf, type HttpTransport } from '@gantry/client'
import { bodyOf, readBody, readWholeBody, silentLogger, systemClock } from '@gantry/runtime'
import type { Clock, Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { impersonationHeaders } from '../impersonation.ts'
import { serveTunnel, type ServedTunnel } from './serve-tunnel.ts'
import { createTunnelTransport } from './tunnel-transport.ts'
import { Tunnel } from './tunnel.ts'

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A pair of joined sockets over loopback, as TLS would be: [what dialled, what was dialled]. */
async function socketPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer()
  const port = await listening(server)
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  const dialled = connect(port, '127.0.0.1')
  await new Promise((resolve) => dialled.once('connect', resolve))
  const far = await accepted
  server.close()
  for (const socket of [dialled, far]) socket.on('error', () => {})
  return [dialled, far]
}

const switching = 'HTTP/1.1 101 Switching Protocols\r\n\r\n'

/** Takes the answer to an upgrade off a socket; what follows stays in it. */
async function headOf(socket: Socket): Promise<void> {
  for (;;) {
    const chunk = socket.read(switching.length) as Buffer | null
    if (chunk !== null) return
    await new Promise((resolve) => socket.once('readable', resolve))
  }
}

interface World extends AsyncDisposable {
  readonly tunnel: Tunnel
  readonly transport: HttpTransport
  /** One more connection of the agent. */
  join(): Promise<{ readonly agent: ServedTunnel; readonly sockets: readonly [Socket, Socket]; readonly served: Promise<void> }>
}

async function startWorld(member: { readonly handle?: Handler; readonly upgrade?: UpgradeHandler }, clock: Clock = systemClock): Promise<World> {
  const tunnel = new Tunnel({ clock, log: silentLogger }, { subject: 'cluster "m"' })
  const transport = createTunnelTransport(
    { clock, tunnel },
    { subject: 'cluster "m"', connections: 4, streams: 64, maxQueued: 4, headersTimeoutMs: 1_000, absence: () => 'its agent has not connected yet' },
  )
  const open = new Set<Socket>()
  const world: World = {
    tunnel,
    transport,
    async join() {
      const sockets = await socketPair()
      for (const socket of sockets) open.add(socket)
      const before = tunnel.size
      const served = tunnel.serve(sockets[1], switching)
      const handle: Handler = member.handle ?? (() => Promise.resolve({ status: 200, headers: {}, body: 'fine' }))
      await headOf(sockets[0])
      const agent = serveTunnel({ clock, log: silentLogger, handle, upgrade: member.upgrade ?? (() => Promise.resolve()) }, sockets[0])
      while (tunnel.size === before && before < 2) await new Promise(setImmediate)
      return { agent, sockets, served }
    },
    async [Symbol.asyncDispose]() {
      tunnel.close('the test is over')
      await transport.close()
      for (const socket of open) socket.destroy()
    },
  }
  await world.join()
  return world
}

function get(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', path, query: '', headers: {}, signal: new AbortController().signal, ...more }
}

async function textOf(response: HttpResponse): Promise<string> {
  return (await readWholeBody(response)).toString()
}

describe('a tunnel', () => {
  test('carries who asks to the other end as it was told, each group by itself', async () => {
    let seen: HttpRequest['headers'] = {}
    await using world = await startWorld({
      handle: ({ headers }) => {
        seen = headers
        return Promise.resolve({ status: 200, headers: {}, body: 'fine' })
      },
    })
    const told = impersonationHeaders({ username: 'ann', uid: 'u', groups: ['a, system:masters', 'Prüfer'], extra: { 'example.org/a b': ['1', '2'] } })
    const { signal } = new AbortController()
    await readWholeBody(await world.transport.handle({ method: 'GET', path: '/api', query: '', headers: told, signal }))
    assert.deepEqual(Object.fromEntries(Object.entries(seen).filter(([name]) => name.startsWith('impersonate'))), told)
  })

  test('carries requests with their path, headers and body, and answers with theirs', async () => {
    const seen: HttpRequest[] = []
    await using world = await startWorld({
      async handle(request) {
        seen.push(request)
        const body = request.body === undefined ? '' : (await request.body.bytes(100)).toString()
        return { status: 201, headers: { 'x-list': 'a', 'gantry-agent-failure': 'NotTls' }, body: `got ${body}` }
      },
    })

    const answer = await world.transport.handle(
      get('/api/v1/pods', {
        method: 'POST',
        query: 'x=%201',
        headers: { 'content-type': 'text/plain', connection: 'x-hop', 'x-hop': '1' },
        body: bodyOf('body'),
      }),
    )

    assert.equal(answer.status, 201)
    assert.equal(answer.headers['x-list'], 'a')
    assert.equal(answer.headers['gantry-agent-failure'], undefined, 'a member cannot speak for its agent')
    assert.equal(await textOf(answer), 'got body')
    assert.deepEqual([seen[0]?.method, seen[0]?.path, seen[0]?.query], ['POST', '/api/v1/pods', 'x=%201'])
    assert.equal(seen[0]?.headers['content-type'], 'text/plain')
    assert.equal(seen[0]?.headers['x-hop'], undefined)
  })

  test('carries large bodies whole, both ways', async () => {
    const body = Buffer.alloc(5 << 20, 'x')
    await using world = await startWorld({
      handle: async (request) => ({ status: 200, headers: {}, body: await (request.body?.bytes(8 << 20) ?? Promise.resolve(Buffer.alloc(0))) }),
    })

    const answer = await world.transport.handle(get('/', { method: 'POST', body: bodyOf(body) }))

    assert.ok((await readWholeBody(answer)).equals(body))
  })

  test('holds the member back for a slow reader, and no other stream with it', async () => {
    let written = 0
    await using world = await startWorld({
      handle: (request) =>
        Promise.resolve(
          request.path === '/quick'
            ? { status: 200, headers: {}, body: 'quick' }
            : {
                status: 200,
                headers: {},
                async body(sink) {
                  const chunk = Buffer.alloc(64 << 10)
                  while (!sink.signal.aborted && written < 200 << 20) {
                    written += chunk.length
                    if (!sink.write(chunk)) await sink.drained()
                  }
                },
              },
        ),
    })
    const slow = await world.transport.handle(get('/endless', { query: 'watch=true' }))
    const reader = readBody(slow, 1)
    await reader.next() // and then no more
    await settle(50)

    for (let i = 0; i < 20; i++) assert.equal(await textOf(await world.transport.handle(get('/quick'))), 'quick')
    assert.ok(written < 8 << 20, `${written} bytes were produced for a reader that reads nothing`)
    await reader.return()
  })

  test('tells the member when the caller has gone', async () => {
    const gone = Promise.withResolvers<void>()
    await using world = await startWorld({
      handle: (request) => {
        request.signal.addEventListener('abort', () => gone.resolve())
        return new Promise(() => {})
      },
    })
    const caller = new AbortController()
    const asking = world.transport.handle(get('/', { signal: caller.signal }))
    asking.catch(() => {})
    await settle()
    caller.abort(new Error('the caller has gone'))

    await assert.rejects(asking, /the caller has gone/)
    await gone.promise
  })

  test('ends with its own deadline when a member never answers', async () => {
    const clock = new FakeClock()
    await using world = await startWorld({ handle: () => new Promise(() => {}) }, clock)
    const asking = world.transport.handle(get('/'))
    asking.catch(() => {})
    await settle()
    await clock.advance(1_000)

    await assert.rejects(asking, (error) => transportFailureOf(error) === 'ResponseTimeout')
  })

  test('tells why the agent could not ask its cluster, in the words of a direct connection', async () => {
    await using world = await startWorld({
      handle: () => Promise.reject(transportError('ConnectionRefused', 'cannot reach https://10.0.0.1:6443: connection refused')),
    })

    await assert.rejects(world.transport.handle(get('/')), (error: Error) => {
      assert.equal(transportFailureOf(error), 'ConnectionRefused')
      assert.match(error.message, /10\.0\.0\.1:6443: connection refused/)
      return true
    })
  })

  test('says at once that there is no agent', async () => {
    const tunnel = new Tunnel({ clock: systemClock, log: silentLogger }, { subject: 'cluster "m"' })
    const transport = createTunnelTransport(
      { clock: systemClock, tunnel },
      { subject: 'cluster "m"', connections: 1, streams: 1, maxQueued: 1, headersTimeoutMs: 1_000, absence: () => 'its agent has not connected yet' },
    )

    await assert.rejects(
      transport.handle(get('/')),
      (error: Error) => transportFailureOf(error) === 'AgentAbsent' && error.message.includes('not connected yet'),
    )
  })

  test('bounds what waits for a slow member', async () => {
    await using world = await startWorld({ handle: () => new Promise(() => {}) })
    const stop = new AbortController()
    const waiting = Array.from({ length: 12 }, () => world.transport.handle(get('/', { signal: stop.signal })).catch((error: unknown) => error))
    await settle()
    stop.abort(new Error('enough'))
    const outcomes = await Promise.all(waiting)

    assert.equal(outcomes.filter((error) => transportFailureOf(error) === 'QueueFull').length, 4, '4 run, 4 wait, the rest is refused')
  })
})

describe('an upgrade through a tunnel', () => {
  test('carries bytes both ways and ends on both sides', async () => {
    const server = createHttpServer()
    const paths: string[] = []
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      paths.push(`${request.method} ${request.url} ${request.headers.authorization}`)
      socket.on('error', () => {})
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nSet-Cookie: a=1\r\n\r\n')
      if (head.length > 0) socket.write(head)
      socket.pipe(socket)
    })
    const port = await listening(server)
    await using member = openHttpTransport({ server: `http://127.0.0.1:${port}`, token: () => 'of-the-agent' })
    await using world = await startWorld({ handle: member.handle, upgrade: member.upgrade })
    const [caller, gateway] = await socketPair()
    const payload = Buffer.alloc(3 << 20, 'payload ')
    const ended = world.transport.upgrade(
      get('/api/v1/exec', { method: 'POST', query: 'command=sh', headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1', authorization: 'Bearer stolen' } }),
      gateway,
      Buffer.from('first '),
    )
    let received = Buffer.alloc(0)
    const whole = Promise.withResolvers<void>()
    caller.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.indexOf('\r\n\r\n') !== -1 && received.length - received.indexOf('\r\n\r\n') - 4 === payload.length + 6) whole.resolve()
    })
    caller.write(payload)
    await whole.promise
    caller.end()
    await ended
    server.closeAllConnections()
    server.close()

    const head = received.toString('latin1', 0, received.indexOf('\r\n\r\n'))
    assert.match(head, /^HTTP\/1\.1 101 /)
    assert.ok(!/set-cookie/i.test(head))
    assert.ok(received.subarray(received.indexOf('\r\n\r\n') + 4).equals(Buffer.concat([Buffer.from('first '), payload])))
    assert.deepEqual(paths, ['POST /api/v1/exec?command=sh Bearer of-the-agent'])
  })

  test('that the member refuses is an ordinary answer', async () => {
    const server = createHttpServer((_request, response) => response.writeHead(403, { 'content-type': 'text/plain' }).end('no'))
    const port = await listening(server)
    await using member = openHttpTransport({ server: `http://127.0.0.1:${port}` })
    await using world = await startWorld({ handle: member.handle, upgrade: member.upgrade })
    const [caller, gateway] = await socketPair()
    let received = ''
    caller.on('data', (chunk: Buffer) => (received += chunk.toString()))
    const closed = new Promise((resolve) => caller.once('close', resolve))
    await world.transport.upgrade(get('/exec', { headers: { connection: 'Upgrade', upgrade: 'websocket' } }), gateway, Buffer.alloc(0))
    gateway.destroy()
    await closed
    server.closeAllConnections()
    server.close()

    assert.match(received, /^HTTP\/1\.1 403 [^]*no$/)
  })
})

describe('the connections of an agent', () => {
  test('one may die: a GET on it goes over the other, and the rest never notices', async () => {
    let asked = 0
    const first = Promise.withResolvers<void>()
    await using world = await startWorld({
      handle: () => {
        if (asked++ > 0) return Promise.resolve({ status: 200, headers: {}, body: 'again' })
        first.resolve()
        return new Promise(() => {})
      },
    })
    const connection = world.tunnel.pick()
    await world.join()
    const asking = world.transport.handle(get('/'))
    await first.promise
    connection?.session.destroy()

    assert.equal(await textOf(await asking), 'again')
    assert.equal(world.tunnel.size, 1)
  })

  test('a third takes the place of the oldest, whose agent is told', async () => {
    await using world = await startWorld({})
    const second = await world.join()
    await world.join()
    while (world.tunnel.size > 2) await settle(1)
    const fourth = await world.join()

    assert.equal(await second.agent.ended, 'a newer connection of its agent took its place')
    assert.equal(world.tunnel.size, 2)
    assert.ok(!fourth.sockets[0].destroyed)
  })

  test('are ended at once, with what runs over them, when the agent is revoked; it hears why', async () => {
    await using world = await startWorld({
      handle: () =>
        Promise.resolve({ status: 200, headers: {}, body: (sink) => new Promise((resolve) => sink.signal.addEventListener('abort', () => resolve())) }),
    })
    const { agent } = await world.join()
    const watch = await world.transport.handle(get('/', { query: 'watch=true' }))
    const reading = readWholeBody(watch)
    world.tunnel.close('the cluster was removed from the platform')

    await assert.rejects(reading, (error) => transportFailureOf(error) === 'ConnectionLost' && /was removed/.test(String(error)))
    assert.equal(await agent.ended, 'the cluster was removed from the platform')
    assert.equal(world.tunnel.size, 0)
  })

  test('an agent that stops says so, and what it answers is answered', async () => {
    await using world = await startWorld({})
    const { agent, served } = await world.join()
    agent.leave('the agent is stopping')
    await served

    assert.equal(world.tunnel.size, 1)
    assert.equal(world.tunnel.departure?.why, 'the agent is stopping')
    assert.equal(await textOf(await world.transport.handle(get('/'))), 'fine')
  })

  test('one whose other end has vanished is found within ten seconds, on both sides', async () => {
    const clock = new FakeClock()
    await using world = await startWorld({}, clock)
    const [near, far] = await socketPair()
    const [nearCut, farCut] = await socketPair()
    // Half of the way is a relay that has stopped: nothing passes, nothing is refused.
    let isCut = false
    far.on('data', (chunk: Buffer) => void (isCut || nearCut.write(chunk)))
    nearCut.on('data', (chunk: Buffer) => void (isCut || far.write(chunk)))
    const served = world.tunnel.serve(farCut, switching)
    await headOf(near)
    const agent = serveTunnel({ clock, log: silentLogger, handle: () => Promise.reject(new Error('none')), upgrade: () => Promise.resolve() }, near)
    while (world.tunnel.size < 2) await new Promise(setImmediate)
    await clock.advance(60_000)
    assert.equal(world.tunnel.size, 2, 'while both ends answer, nothing ends')
    isCut = true
    await clock.advance(8_100)

    await served
    assert.match(world.tunnel.departure?.why ?? '', /it gave no sign of life for 5 s/)
    assert.match(await agent.ended, /the platform gave no sign of life for 5 s/)
    for (const socket of [near, far, nearCut, farCut]) socket.destroy()
  })

  test('garbage in the place of HTTP/2 ends that connection alone', async () => {
    await using world = await startWorld({})
    const [liar, far] = await socketPair()
    liar.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n')
    liar.write(Buffer.alloc(1 << 16, 'garbage'))
    await world.tunnel.serve(far, switching)

    assert.match(world.tunnel.departure?.why ?? '', /no HTTP\/2/)
    assert.equal(await textOf(await world.transport.handle(get('/'))), 'fine')
  })
})
