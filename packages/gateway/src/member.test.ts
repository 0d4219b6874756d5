import assert from 'node:assert/strict'
import { createServer as createHttpServer, type IncomingMessage } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { connect as connectH2 } from 'node:http2'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { openHttpTransport } from '@gantry/client'
import { silentLogger, systemClock, systemIds } from '@gantry/runtime'
import { clusterRoute, type ClusterTarget } from './cluster-route.ts'
import type { Edge } from './edge/edge.ts'
import type { Caller } from './exchange.ts'
import { createMemberConnection } from './member-connection.ts'
import { createPipeline } from './pipeline.ts'
import { Revocations } from './revocations.ts'
import { raw, testCertificate, testEdge } from './testing/test-edge.ts'

const admin: Caller = { kind: 'platform', user: { username: 'admin', groups: [] }, credential: { kind: 'bearer', id: 'apikey/a' } }

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

interface Fleet extends AsyncDisposable {
  readonly edge: Edge
  readonly revocations: Revocations
}

/** The whole way over real sockets: TLS edge, pipeline, member connections. */
async function startFleet(members: Readonly<Record<string, number>>, headersTimeoutMs = 600): Promise<Fleet> {
  const transports = Object.entries(members).map(([name, port]) => ({
    name,
    transport: openHttpTransport({
      server: `http://127.0.0.1:${port}`,
      token: () => 'member-token',
      connections: 8,
      maxQueued: 32,
      headersTimeoutMs,
      connectTimeoutMs: headersTimeoutMs,
    }),
  }))
  const targets = new Map<string, ClusterTarget>(
    transports.map(({ name, transport }) => [
      name,
      { kind: 'member', ...createMemberConnection({ clock: systemClock, transport }, { name, headersTimeoutMs }) },
    ]),
  )
  const revocations = new Revocations()
  const pipeline = createPipeline(
    {
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      audit: { write: () => {} },
      authenticators: [() => admin],
      authorize: () => ({ allowed: true, reason: 'test' }),
      revocations,
    },
    { hub: 'local', routes: [clusterRoute(targets)] },
  )
  const edge = await testEdge(pipeline)
  return {
    edge,
    revocations,
    async [Symbol.asyncDispose]() {
      await edge[Symbol.asyncDispose]()
      await Promise.all(transports.map(({ transport }) => transport.close()))
    },
  }
}

/** A server for the time of a test: closing cuts off what is open. */
function disposable(server: Server): AsyncDisposable & { readonly sockets: Set<Socket> } {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return {
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

test('a redirect of a member to another path of its own stays with the member', async () => {
  const server = createHttpServer((request, response) => {
    response.writeHead(301, { location: new URL(request.url ?? '', 'http://member').searchParams.get('to') ?? '' }).end()
  })
  await using _server = disposable(server)
  await using fleet = await startFleet({ m: await listening(server) })
  const location = async (to: string): Promise<string | undefined> => {
    const answer = await raw(fleet.edge, `GET /clusters/m/x?to=${encodeURIComponent(to)} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`)
    return /^location: (.*)\r$/im.exec(answer)?.[1]
  }

  assert.equal(await location('/openapi/v3/api/v1?hash=A'), '/clusters/m/openapi/v3/api/v1?hash=A')
  for (const other of ['there', '//other.example/x', 'https://other.example/x']) assert.equal(await location(other), other)
})

test('a member that never answers delays no other and holds a bounded number of sockets', async () => {
  const healthy = createHttpServer((_request, response) => response.end('fine'))
  const blackhole = createTcpServer(() => {})
  await using _healthy = disposable(healthy)
  await using dead = disposable(blackhole)
  await using fleet = await startFleet({ healthy: await listening(healthy), dead: await listening(blackhole) })
  const { ca } = await testCertificate()
  const session = connectH2(`https://localhost:${fleet.edge.port}`, {
    ca,
    lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
  })
  const get = (path: string): Promise<{ status: number; body: string; ms: number }> => {
    const started = performance.now()
    const stream = session.request({ ':path': path })
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string; ms: number }>()
    let status = 0
    let body = ''
    stream.on('response', (headers) => (status = Number(headers[':status'])))
    stream.on('data', (chunk: Buffer) => (body += chunk.toString()))
    stream.on('end', () => resolve({ status, body, ms: performance.now() - started }))
    stream.on('error', reject)
    return promise
  }
  await get('/clusters/healthy/api')

  const waiting = Array.from({ length: 200 }, () => get('/clusters/dead/api'))
  await new Promise((resolve) => setTimeout(resolve, 100))
  const sockets = dead.sockets.size
  const answers: { status: number; ms: number }[] = []
  for (let i = 0; i < 50; i++) answers.push(await get('/clusters/healthy/api'))
  const refused = await Promise.all(waiting)
  session.close()

  assert.ok(answers.every(({ status }) => status === 200))
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b)
  assert.ok((sorted[25] ?? 0) < 1_000, `the median beside a dead member was ${sorted[25]} ms`)
  assert.ok(sockets <= 8, `${sockets} sockets were open to the dead member`)
  for (const { status, body, ms } of refused) {
    assert.equal(status, 503)
    assert.match(body, /cluster \\"dead\\"/)
    // Its own deadline is half a second; the rest is for a busy machine.
    assert.ok(ms < 20_000, `${ms} ms`)
  }
})

describe('an upgrade to a member', () => {
  const exec = (extra = ''): string =>
    `GET /clusters/m/api/v1/namespaces/a/pods/b/exec?command=sh HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, Authorization\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${extra}\r\n`

  test('carries bytes both ways untouched, and only the stored credential', async () => {
    let seen: IncomingMessage['headers'] = {}
    const server = createHttpServer()
    server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      seen = request.headers
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n',
      )
      if (head.length > 0) socket.write(head)
      socket.pipe(socket)
    })
    await using _server = disposable(server)
    await using fleet = await startFleet({ m: await listening(server) })

    const answer = await raw(
      fleet.edge,
      `${exec('Authorization: Bearer gantry_a_CANARY\r\nCookie: s=CANARY\r\nX-Remote-User: root\r\nSec-WebSocket-Protocol: v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.CANARY\r\n')}\x00\xff\r\nGET / HTTP/1.1\r\n\r\n`,
      { until: /GET \/ HTTP\/1\.1\r\n\r\n$/ },
    )

    assert.match(answer, /^HTTP\/1\.1 101 [^]*\r\n\r\n/)
    assert.equal(seen.authorization, 'Bearer member-token')
    assert.equal(seen['sec-websocket-protocol'], 'v5.channel.k8s.io')
    assert.ok(!JSON.stringify(seen).includes('CANARY'))
    assert.equal(seen['x-remote-user'], undefined)
    assert.equal(seen.connection, 'Upgrade')
  })

  for (const [status, more] of [
    ['200 OK', ''],
    ['302 Found', 'Location: http://169.254.169.254/\r\n'],
    ['400 Bad Request', ''],
    ['403 Forbidden', ''],
  ] as const) {
    test(`that the member answers with ${status} is no tunnel: what follows is not run`, async () => {
      const requests: string[] = []
      const server = createTcpServer((socket) => {
        socket.on('error', () => {})
        socket.on('data', (chunk: Buffer) => {
          requests.push(chunk.toString('latin1'))
          socket.write(`HTTP/1.1 ${status}\r\n${more}Content-Length: 2\r\n\r\nno`)
        })
      })
      await using _server = disposable(server)
      await using fleet = await startFleet({ m: await listening(server) })

      const answer = await raw(fleet.edge, `${exec()}DELETE /api/v1/namespaces/victim HTTP/1.1\r\nHost: localhost\r\n\r\n`)

      assert.ok(answer.startsWith(`HTTP/1.1 ${status.slice(0, 3)}`))
      assert.equal(requests.length, 1)
      assert.ok(!requests.join('').includes('victim'))
    })
  }

  test('to a member that is down is answered 503 and closed', async () => {
    await using fleet = await startFleet({ m: 1 })

    assert.match(await raw(fleet.edge, exec()), /^HTTP\/1\.1 503 [^]*connection refused/)
  })

  test('ends on both sides when its credential is revoked', async () => {
    const closed = Promise.withResolvers<void>()
    const server = createHttpServer()
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nopen')
      socket.on('error', () => {})
      socket.resume()
      socket.once('end', () => socket.end())
      socket.once('close', () => closed.resolve())
    })
    await using _server = disposable(server)
    await using fleet = await startFleet({ m: await listening(server) })
    const open = Promise.withResolvers<void>()
    const conversation = raw(fleet.edge, exec(), { onData: (received) => void (received.endsWith('open') && open.resolve()) })
    await open.promise
    const started = performance.now()
    fleet.revocations.revoke('apikey/a')
    await closed.promise
    const answer = await conversation

    assert.match(answer, /open$/)
    assert.ok(performance.now() - started < 10_000)
  })
})
