import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer as createTcpServer, connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { bodyOf, readBody, readWholeBody } from '@gantry/runtime'
import { createClient } from './create-client.ts'
import { openHttpTransport } from './http-transport.ts'
import { createTestAuthority } from './test-certificates.ts'
import { transportFailureOf } from './transport-failure.ts'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock, HttpRequest } from '@gantry/runtime'
import type { HttpTransport, HttpTransportOptions } from './http-transport.ts'
import type { TestAuthority, TestCertificate } from './test-certificates.ts'
import type { TransportFailure } from './transport-failure.ts'

let authority: TestAuthority
let serving: TestCertificate

before(async () => {
  authority = createTestAuthority('cluster-ca', Date.now())
  serving = authority.issue({ commonName: 'api', dns: ['localhost', 'api.example.dev'], ip: ['127.0.0.1'] })
})

const open: AsyncDisposable[] = []
after(async () => {
  for (const one of open.toReversed()) await one[Symbol.asyncDispose]()
})

async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push({
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  })
  return (server.address() as AddressInfo).port
}

function transport(options: HttpTransportOptions, clock?: Clock): HttpTransport {
  const made = clock === undefined ? openHttpTransport(options) : openHttpTransport(options, { clock })
  open.push(made)
  return made
}

async function serve(
  listener: (...given: Parameters<RequestListener>) => unknown,
  options: Partial<HttpTransportOptions> = {},
  clock?: Clock,
): Promise<HttpTransport> {
  const port = await listen(createHttpServer((request, response) => void listener(request, response)))
  return transport({ server: `http://127.0.0.1:${port}`, ...options }, clock)
}

function get(path: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: 'GET', path, query: '', headers: {}, signal: new AbortController().signal, ...more }
}

/** Time that a test moves. */
function manualClock(): Clock & { fire(): void; readonly waiting: number } {
  const timers = new Set<() => void>()
  return {
    now: () => new Date(0),
    monotonicMs: () => 0,
    schedule(callback) {
      timers.add(callback)
      return () => timers.delete(callback)
    },
    sleep: () => Promise.resolve(),
    fire() {
      const due = [...timers]
      timers.clear()
      for (const callback of due) callback()
    },
    get waiting() {
      return timers.size
    },
  }
}

async function failureOf(work: Promise<unknown>): Promise<{ failure: TransportFailure | undefined; message: string }> {
  try {
    await work
  } catch (error) {
    assert.ok(error instanceof Error)
    return { failure: transportFailureOf(error), message: error.message }
  }
  assert.fail('no failure')
}

test('speaks TLS with a client certificate, and carries a client over it', async () => {
  const login = authority.issue({ commonName: 'admin' })
  const server = createHttpsServer({ ...serving, ca: authority.cert, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ metadata: { name: peer.subject.CN } }))
  })
  const port = await listen(server)

  const client = createClient(transport({ server: `https://127.0.0.1:${port}`, ca: authority.cert, ...login }))

  const object = await client.get({ group: '', version: 'v1', resource: 'rooms', kind: 'Room', namespaced: false }, { name: 'r' })
  assert.equal(object.metadata.name, 'admin')
})

test('passes end-to-end headers as given, drops hop-by-hop ones and adds no identity', async () => {
  const seen: IncomingMessage['headers'][] = []
  const { handle } = await serve((request, response) => {
    seen.push(request.headers)
    response.setHeader('connection', 'close, x-hop')
    response.setHeader('x-hop', '1')
    response.setHeader('x-end', '2')
    response.end('ok')
  })

  const response = await handle(
    get('/x', {
      user: { username: 'root', groups: ['system:masters'] },
      headers: {
        accept: 'a/b',
        connection: 'x-named, keep-alive',
        'x-named': '1',
        'keep-alive': 'timeout=1',
        te: 'trailers',
        trailer: 'x',
        'proxy-authorization': 'Basic x',
        upgrade: 'websocket',
        host: 'gantry',
        ':path': '/x',
        'x-two': ['1', '2'],
        'impersonate-user': 'jane',
      },
    }),
  )

  const { host, connection, ...rest } = seen[0] ?? {}
  assert.match(host ?? '', /^127\.0\.0\.1:/)
  assert.equal(connection, 'keep-alive')
  assert.deepEqual(rest, { accept: 'a/b', 'x-two': '1, 2', 'impersonate-user': 'jane' })
  assert.equal(response.headers['x-end'], '2')
  assert.equal(response.headers['x-hop'], undefined)
})

test("sends its own token instead of the caller's Authorization", async () => {
  const seen: (string | undefined)[] = []
  let token: string | undefined = 'first'
  const { handle } = await serve(
    (request, response) => {
      seen.push(request.headers.authorization)
      response.end()
    },
    { token: () => token },
  )

  await handle(get('/', { headers: { authorization: 'Bearer of-the-caller' } }))
  token = 'second'
  await handle(get('/'))

  assert.deepEqual(seen, ['Bearer first', 'Bearer second'])
})

test('puts the path prefix of the server before every path', async () => {
  let url: string | undefined
  const port = await listen(
    createHttpServer((request, response) => {
      url = request.url
      response.end()
    }),
  )

  await transport({ server: `http://127.0.0.1:${port}/k8s/clusters/c-1/` }).handle(get('/api/v1/pods', { query: 'limit=1' }))

  assert.equal(url, '/k8s/clusters/c-1/api/v1/pods?limit=1')
})

test('streams a request body', async () => {
  const { handle } = await serve(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    response.end(`${request.headers['content-length'] ?? 'chunked'} ${Buffer.concat(chunks).length}`)
  })
  const body = bodyOf(Buffer.alloc(500_000))

  const chunked = await readWholeBody(await handle(get('/', { method: 'POST', body })))
  const sized = await readWholeBody(await handle(get('/', { method: 'POST', body, headers: { 'content-length': '500000' } })))

  assert.equal(chunked.toString(), 'chunked 500000')
  assert.equal(sized.toString(), '500000 500000')
})

test('streams an answer with back-pressure to its source', async () => {
  let sent = 0
  const { handle } = await serve((_request, response) => {
    const chunk = Buffer.alloc(65_536)
    const more = (): void => {
      while (sent < 1000) {
        sent++
        if (!response.write(chunk)) return void response.once('drain', more)
      }
      response.end()
    }
    more()
  })

  let read = 0
  let mostAhead = 0
  for await (const chunk of readBody(await handle(get('/big')))) {
    read += chunk.length
    mostAhead = Math.max(mostAhead, sent * 65_536 - read)
    if (read < 2_000_000) await new Promise((resolve) => setImmediate(resolve))
  }

  assert.equal(read, 65_536_000)
  assert.ok(mostAhead < 30_000_000, `${mostAhead} bytes ahead of the reader`)
})

test('hands over whole an answer of unknown length that has come with its head', async () => {
  const { handle } = await serve((_request, response) => {
    response.write('one, ')
    response.end('two')
  })

  const { headers, body } = await handle(get('/'))

  assert.equal(headers['content-length'], undefined)
  assert.equal(String(body), 'one, two')
})

test('flushes the head of a silent stream and ends it when the reader leaves', async () => {
  const gone = Promise.withResolvers<void>()
  const { handle } = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    response.on('close', () => gone.resolve())
  })
  const stop = new AbortController()

  const response = await handle(get('/pods', { query: 'watch=true', signal: stop.signal }))
  assert.equal(response.status, 200)
  stop.abort(new Error('left'))

  await gone.promise
  await assert.rejects(readWholeBody(response), /left/)
})

test('breaks a body that the server cut short', async () => {
  const { handle } = await serve((_request, response) => {
    response.writeHead(200, { 'transfer-encoding': 'chunked' })
    response.write('half')
    setImmediate(() => response.socket?.destroy())
  })

  await assert.rejects(
    async () => readWholeBody(await handle(get('/', { method: 'POST' }))),
    (error) => transportFailureOf(error) === 'ConnectionLost',
  )
})

test('asks a GET again when the server closed an idle connection under it, and never a POST', async () => {
  let requests = 0
  const { handle } = await serve((request, response) => {
    requests++
    if (requests === 1 || request.method === 'POST') return void request.socket.destroy()
    response.end('ok')
  })

  assert.equal((await readWholeBody(await handle(get('/')))).toString(), 'ok')
  assert.equal(requests, 2)
  await assert.rejects(handle(get('/', { method: 'POST' })), (error) => transportFailureOf(error) === 'ConnectionLost')
  assert.equal(requests, 3)
})

test('queues past its connections, refuses past its queue, and goes on when a slot is free', async () => {
  const waiting: (() => void)[] = []
  const arrived = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { handle } = await serve(
    (_request, response) => {
      waiting.push(() => response.end('done'))
      arrived[waiting.length - 1]?.resolve()
    },
    { connections: 1, maxQueued: 1 },
  )

  const first = handle(get('/1'))
  await arrived[0]?.promise
  const second = handle(get('/2'))
  const third = await failureOf(handle(get('/3')))
  waiting[0]?.()
  await first
  await arrived[1]?.promise
  waiting[1]?.()

  assert.equal((await second).status, 200)
  assert.equal(third.failure, 'QueueFull')
  assert.match(third.message, /too many requests to http:\/\/127\.0\.0\.1:\d+ at once: 1 run and 1 wait/)
})

test('keeps watches out of the way of ordinary requests', async () => {
  const { handle } = await serve(
    (request, response) => {
      if (request.url?.includes('watch=true')) response.flushHeaders()
      else response.end('ok')
    },
    { connections: 1, streams: 2 },
  )
  const stop = new AbortController()

  await handle(get('/a', { query: 'watch=true', signal: stop.signal }))
  await handle(get('/b', { query: 'limit=1&watch=true', signal: stop.signal }))
  assert.equal((await handle(get('/c'))).status, 200)
  const third = await failureOf(handle(get('/d', { query: 'watch=true' })))
  stop.abort()

  assert.equal(third.failure, 'QueueFull')
})

test('names a server that accepts and never answers', async () => {
  const clock = manualClock()
  const arrived = Promise.withResolvers<void>()
  const { handle } = await serve(() => arrived.resolve(), { headersTimeoutMs: 5000 }, clock)

  const answer = failureOf(handle(get('/', { method: 'POST' })))
  await arrived.promise
  clock.fire()

  const { failure, message } = await answer
  assert.equal(failure, 'ResponseTimeout')
  assert.match(message, /did not answer within 5000 ms/)
})

test('names a connection that cannot be opened in time', async () => {
  const clock = manualClock()
  // Accepts TCP and never says a word of TLS.
  const accepted = Promise.withResolvers<void>()
  const port = await listen(createTcpServer(() => accepted.resolve()))

  const answer = failureOf(transport({ server: `https://127.0.0.1:${port}`, connectTimeoutMs: 700 }, clock).handle(get('/')))
  await accepted.promise
  clock.fire()

  const { failure, message } = await answer
  assert.equal(failure, 'ConnectTimeout')
  assert.match(message, /no connection within 700 ms/)
})

test('names a refused connection and a name that DNS does not know', async () => {
  const gone = createTcpServer()
  const port = await listen(gone)
  gone.close()
  await once(gone, 'close')

  const refused = await failureOf(transport({ server: `https://127.0.0.1:${port}` }).handle(get('/')))
  assert.equal(refused.failure, 'ConnectionRefused')
  assert.match(refused.message, /connection refused; nothing listens on 127\.0\.0\.1:\d+/)
  assert.equal(transportFailureOf(await rejection(transport({ server: 'https://cluster.invalid:6443' }).handle(get('/')))), 'NameNotResolved')
})

async function rejection(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  assert.fail('no failure')
}

test('names what is wrong with the certificate of the server', async () => {
  const other = createTestAuthority('another-ca', Date.now())
  const day = 86_400_000
  const expired = authority.issue({
    commonName: 'api',
    ip: ['127.0.0.1'],
    notBefore: new Date(Date.now() - 2 * day),
    notAfter: new Date(Date.now() - day),
  })
  const future = authority.issue({
    commonName: 'api',
    ip: ['127.0.0.1'],
    notBefore: new Date(Date.now() + day),
    notAfter: new Date(Date.now() + 2 * day),
  })
  const elsewhere = authority.issue({ commonName: 'api', dns: ['api.example.dev'] })
  async function ask(certificate: TestCertificate, options: Partial<HttpTransportOptions>): Promise<Awaited<ReturnType<typeof failureOf>>> {
    const port = await listen(createHttpsServer(certificate, (_request, response) => response.end()))
    return failureOf(transport({ server: `https://127.0.0.1:${port}`, ...options }).handle(get('/')))
  }

  const untrusted = await ask(serving, { ca: other.cert })
  assert.equal(untrusted.failure, 'CertificateUntrusted')
  assert.match(untrusted.message, /not signed by the given certificate authority/)
  assert.equal((await ask(serving, {})).failure, 'CertificateUntrusted')
  assert.equal((await ask(expired, { ca: authority.cert })).failure, 'CertificateExpired')
  assert.equal((await ask(future, { ca: authority.cert })).failure, 'CertificateNotYetValid')
  const mismatch = await ask(elsewhere, { ca: authority.cert })
  assert.equal(mismatch.failure, 'CertificateHostMismatch')
  assert.match(mismatch.message, /its certificate is not for 127\.0\.0\.1 but for DNS:api\.example\.dev/)
})

test('takes a certificate under the name it was told, or any when told to skip the check', async () => {
  const elsewhere = authority.issue({ commonName: 'api', dns: ['api.example.dev'] })
  const port = await listen(createHttpsServer(elsewhere, (_request, response) => response.end()))
  const server = `https://127.0.0.1:${port}`

  assert.equal((await transport({ server, ca: authority.cert, serverName: 'api.example.dev' }).handle(get('/'))).status, 200)
  assert.equal((await transport({ server, insecureSkipTlsVerify: true }).handle(get('/'))).status, 200)
})

test('names plain HTTP on a TLS address, and a server that hangs up on our certificate or our HTTP', async () => {
  const stranger = createTestAuthority('stranger', Date.now()).issue({ commonName: 'nobody' })
  const strict = await listen(
    createHttpsServer({ ...serving, ca: authority.cert, requestCert: true, rejectUnauthorized: true }, (_request, response) => response.end()),
  )
  const plain = await listen(createHttpServer((_request, response) => response.end()))
  const closing: readonly (TransportFailure | undefined)[] = ['ClientCertificateRefused', 'NotHttp', 'ConnectionLost'] // whether the alert outruns the reset is chance

  assert.equal((await failureOf(transport({ server: `https://127.0.0.1:${plain}` }).handle(get('/')))).failure, 'NotTls')
  for (const options of [{ server: `https://127.0.0.1:${strict}`, ca: authority.cert, ...stranger }, { server: `http://127.0.0.1:${strict}` }]) {
    const { failure } = await failureOf(transport(options).handle(get('/')))
    assert.ok(closing.includes(failure), failure)
  }
})

test('goes through a proxy with CONNECT, and says what the proxy answered otherwise', async () => {
  const asked: { url: string | undefined; login: string | undefined }[] = []
  const port = await listen(createHttpsServer(serving, (_request, response) => response.end('through')))
  const login = `Basic ${Buffer.from('jane:p@ss').toString('base64')}`
  const proxy = createHttpServer()
  proxy.on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push({ url: request.url, login: request.headers['proxy-authorization'] })
    if (request.headers['proxy-authorization'] !== login) return void socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
    const onward = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      onward.pipe(socket).pipe(onward)
    })
  })
  const proxyPort = await listen(proxy)
  const target = { server: `https://127.0.0.1:${port}`, ca: authority.cert }

  const response = await transport({ ...target, proxyUrl: `http://jane:p%40ss@127.0.0.1:${proxyPort}` }).handle(get('/'))
  const refused = await failureOf(transport({ ...target, proxyUrl: `http://127.0.0.1:${proxyPort}` }).handle(get('/')))

  assert.equal((await readWholeBody(response)).toString(), 'through')
  assert.deepEqual(asked[0], { url: `127.0.0.1:${port}`, login: `Basic ${Buffer.from('jane:p@ss').toString('base64')}` })
  assert.equal(refused.failure, 'ProxyFailed')
  assert.match(refused.message, /it wants a user and a password; put them into the proxy address \(407\)/)
  const wrong = await failureOf(transport({ ...target, proxyUrl: `http://jane:no@127.0.0.1:${proxyPort}` }).handle(get('/')))
  assert.match(wrong.message, /it refuses the user or the password \(407\)/)
  assert.ok(!/jane|:no@/.test(wrong.message), 'the login is in no message')
})

test('goes through a proxy that is asked over TLS', async () => {
  const port = await listen(createHttpsServer(serving, (_request, response) => response.end('through')))
  const proxy = createHttpsServer(serving)
  proxy.on('connect', (_request: IncomingMessage, socket: Socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'))
  const proxyPort = await listen(proxy)

  const { failure, message } = await failureOf(
    transport({ server: `https://127.0.0.1:${port}`, ca: authority.cert, proxyUrl: `https://127.0.0.1:${proxyPort}` }).handle(get('/')),
  )

  // The CA is the server's, not the proxy's: that one needs an authority the system trusts.
  assert.equal(failure, 'ProxyFailed')
  assert.match(message, /the proxy failed: cannot trust https:\/\/127\.0\.0\.1:\d+/)
})

describe('a SOCKS 5 proxy', () => {
  /** What RFC 1928 and 1929 ask of a server, and no more. */
  async function socksServer(
    how: { readonly login?: string; readonly reply?: number; readonly banner?: string } = {},
  ): Promise<{ readonly port: number; readonly asked: string[] }> {
    const asked: string[] = []
    const server = createTcpServer((socket) => {
      socket.on('error', () => {})
      if (how.banner !== undefined) return void socket.write(how.banner)
      void (async () => {
        const [, count = 0] = await take(socket, 2)
        const methods = await take(socket, count)
        const method = how.login === undefined ? 0 : 2
        if (!methods.includes(method)) return socket.end(Buffer.from([5, 0xff]))
        socket.write(Buffer.from([5, method]))
        if (how.login !== undefined) {
          const user = await take(socket, (await take(socket, 2))[1] ?? 0)
          const password = await take(socket, (await take(socket, 1))[0] ?? 0)
          const isRight = `${user.toString()}:${password.toString()}` === how.login
          socket.write(Buffer.from([1, isRight ? 0 : 1]))
          if (!isRight) return socket.end()
        }
        const [, , , type = 0] = await take(socket, 4)
        const address = await take(socket, type === 3 ? ((await take(socket, 1))[0] ?? 0) : type === 1 ? 4 : 16)
        const port = (await take(socket, 2)).readUInt16BE()
        asked.push(type === 3 ? `${address.toString()}:${port}` : type === 1 ? `${[...address].join('.')}:${port}` : `${address.toString('hex')}:${port}`)
        if (how.reply !== undefined) return socket.end(Buffer.from([5, how.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        const onward = connect(port, '127.0.0.1', () => {
          // In pieces, with a name for an address: a reader must not count on more.
          socket.write(Buffer.from([5, 0, 0]))
          setImmediate(() => {
            socket.write(Buffer.concat([Buffer.from([3, 4]), Buffer.from('here'), Buffer.from([0, 1])]))
            onward.pipe(socket).pipe(onward)
          })
        })
        onward.on('error', () => socket.destroy())
        return undefined
      })()
    })
    return { port: await listen(server), asked }
  }
  async function take(socket: Socket, bytes: number): Promise<Buffer> {
    for (;;) {
      const chunk = bytes === 0 ? Buffer.alloc(0) : (socket.read(bytes) as Buffer | null)
      if (chunk !== null) return chunk
      await new Promise((resolve) => socket.once('readable', resolve))
    }
  }
  const target = async () => ({
    server: `https://localhost:${await listen(createHttpsServer(serving, (_request, response) => response.end('through')))}`,
    ca: authority.cert,
  })

  test('is asked by name, without a login or with one', async () => {
    const to = await target()
    const open = await socksServer()
    const closed = await socksServer({ login: 'jane:p@ss' })
    for (const [{ port }, login] of [
      [open, ''],
      [open, 'any:one@'],
      [closed, 'jane:p%40ss@'],
    ] as const) {
      const response = await transport({ ...to, serverName: '127.0.0.1', proxyUrl: `socks5://${login}127.0.0.1:${port}` }).handle(get('/'))
      assert.equal((await readWholeBody(response)).toString(), 'through')
    }
    assert.deepEqual(new Set(open.asked), new Set([new URL(to.server).host]))
  })

  test('is given addresses as they are', async () => {
    const socks = await socksServer({ reply: 4 })
    for (const host of ['10.1.2.3', '[fd00::1:2]', '[::ffff:10.1.2.3]'])
      await failureOf(transport({ server: `http://${host}:6443`, proxyUrl: `socks5://127.0.0.1:${socks.port}` }).handle(get('/')))

    assert.deepEqual(socks.asked, ['10.1.2.3:6443', 'fd000000000000000000000000010002:6443', '00000000000000000000ffff0a010203:6443'])
  })

  test('is named with what it says when it refuses', async () => {
    const outcomes: readonly (readonly [Parameters<typeof socksServer>[0], string, RegExp])[] = [
      [{ login: 'jane:p@ss' }, '', /it wants a user and a password/],
      [{ login: 'jane:p@ss' }, 'jane:wrong@', /it refuses the user or the password/],
      [{ reply: 2 }, '', /its rules do not allow it/],
      [{ reply: 5 }, '', /the connection was refused there/],
      [{ reply: 99 }, '', /it answered 99/],
      [{ banner: 'HTTP/1.1 400 Bad Request\r\n\r\n' }, '', /it does not speak SOCKS 5/],
    ]
    for (const [how, login, expected] of outcomes) {
      const { port } = await socksServer(how)
      const { failure, message } = await failureOf(
        transport({ server: 'https://api.invalid:6443', proxyUrl: `socks5://${login}127.0.0.1:${port}` }).handle(get('/')),
      )
      assert.equal(failure, 'ProxyFailed')
      assert.match(message, expected)
      assert.ok(!message.includes('jane'))
    }
  })
})

test('rejects with the reason of the caller when it leaves', async () => {
  const arrived = Promise.withResolvers<void>()
  const { handle } = await serve(() => arrived.resolve())
  const stop = new AbortController()

  const answer = handle(get('/', { signal: stop.signal }))
  await arrived.promise
  stop.abort(new Error('the page was closed'))

  await assert.rejects(answer, /the page was closed/)
})

test('closing fails what runs and refuses what comes', async () => {
  const arrived = Promise.withResolvers<void>()
  const made = await serve(() => arrived.resolve())

  const running = failureOf(made.handle(get('/')))
  await arrived.promise
  await made.close()

  assert.equal((await running).failure, 'Closed')
  assert.equal((await failureOf(made.handle(get('/')))).failure, 'Closed')
})

test('refuses addresses that are no server', () => {
  assert.throws(
    () => openHttpTransport({ server: 'host:6443' }),
    (error) => isReason(error, 'BadRequest'),
  )
  assert.throws(() => openHttpTransport({ server: 'https://user:secret@host' }), /must not carry a user/)
})
