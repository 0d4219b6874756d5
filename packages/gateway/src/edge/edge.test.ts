import assert from 'node:assert/strict'
import { connect as connectH2, constants, type ClientHttp2Session } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { describe, test } from 'node:test'
import type { HttpRequest } from '@gantry/runtime'
import { raw, testCertificate, testEdge } from '../testing/test-edge.ts'
import type { Edge } from './edge.ts'

async function h2(edge: Edge): Promise<ClientHttp2Session> {
  const { ca } = await testCertificate()
  return connectH2(`https://localhost:${edge.port}`, { ca, lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]) })
}

async function getH2(session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<{ status: number; body: string }> {
  const stream = session.request(headers, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>()
  let status = 0
  let text = ''
  stream.on('response', (fields) => (status = Number(fields[':status'])))
  stream.on('data', (chunk: Buffer) => (text += chunk.toString()))
  stream.on('end', () => resolve({ status, body: text }))
  stream.on('error', reject)
  return promise
}

const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Connection: close\r\n\r\n`

describe('edge', () => {
  test('gives HTTP/1.1 and HTTP/2 requests the same shape', async () => {
    const seen: HttpRequest[] = []
    await using edge = await testEdge({
      async handle(request) {
        seen.push(request)
        const body = request.body === undefined ? '' : (await request.body.bytes(100)).toString()
        return { status: 201, headers: { 'x-list': ['a', 'b'] }, body: `got ${body}` }
      },
    })

    const one = await raw(edge, 'POST /a/b?x=%201 HTTP/1.1\r\nHost: localhost\r\nX-Two: 1\r\nx-two: 2\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody')
    const session = await h2(edge)
    const two = await getH2(session, { ':method': 'POST', ':path': '/a/b?x=%201', 'x-two': '1, 2' }, 'body')
    session.close()

    assert.match(one, /^HTTP\/1\.1 201 [^]*x-list: a\r\nx-list: b\r\n[^]*got body$/)
    assert.deepEqual(two, { status: 201, body: 'got body' })
    for (const request of seen) {
      assert.equal(request.method, 'POST')
      assert.equal(request.path, '/a/b')
      assert.equal(request.query, 'x=%201')
      assert.equal(request.headers['x-two'], '1, 2')
      assert.equal(request.peer?.address, '127.0.0.1')
      assert.equal(request.peer.certificate, undefined)
    }
    assert.equal(seen.length, 2)
  })

  test('flushes the headers of a stream before its first byte and ends it cleanly', async () => {
    const first = Promise.withResolvers<void>()
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: { 'content-type': 'application/json' },
          async body(sink) {
            await first.promise
            sink.write('late\n')
          },
        }),
    })
    const session = await h2(edge)
    const stream = session.request({ ':path': '/watch' })
    const status = await new Promise((resolve) => stream.once('response', (headers) => resolve(headers[':status'])))

    assert.equal(status, 200)
    first.resolve()
    let text = ''
    for await (const chunk of stream) text += String(chunk)

    assert.equal(text, 'late\n')
    session.close()
  })

  test('breaks a stream whose body fails, so that it is not taken for a whole one', async () => {
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          body(sink) {
            sink.write('half')
            return Promise.reject(new Error('the producer failed'))
          },
        }),
    })
    const one = await raw(edge, get('/'))
    const session = await h2(edge)
    const stream = session.request({ ':path': '/' })
    const code = await new Promise((resolve) => {
      stream.on('error', () => {})
      stream.resume()
      stream.once('close', () => resolve(stream.rstCode))
    })
    session.close()

    assert.ok(!one.includes('\r\n0\r\n'), 'a chunked body must not be terminated')
    assert.equal(code, constants.NGHTTP2_INTERNAL_ERROR)
  })

  test('sends a large body in slices and whole', async () => {
    const body = Buffer.alloc(3 << 20, 'x')
    await using edge = await testEdge({ handle: () => Promise.resolve({ status: 200, headers: {}, body }) })
    const session = await h2(edge)
    const [one, two] = await Promise.all([raw(edge, get('/')), getH2(session, { ':path': '/' })])
    session.close()

    assert.equal(one.length - one.indexOf('\r\n\r\n') - 4, body.length)
    assert.equal(two.body.length, body.length)
  })

  test('a slow reader holds the producer back', async () => {
    let written = 0
    let held = false
    const done = Promise.withResolvers<void>()
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          async body(sink) {
            const chunk = Buffer.alloc(64 << 10)
            while (written < 200 << 20 && !sink.signal.aborted) {
              written += chunk.length
              if (sink.write(chunk)) continue
              held = true
              await sink.drained()
            }
            done.resolve()
          },
        }),
    })
    const session = await h2(edge)
    const stream = session.request({ ':path': '/' })
    await new Promise((resolve) => stream.once('response', resolve)) // and never read
    await new Promise((resolve) => stream.once('readable', resolve))
    session.destroy()
    await done.promise

    assert.ok(held)
    assert.ok(written < 64 << 20, `${written} bytes were produced for a reader that reads nothing`)
  })

  test('gives lent bytes back once they are sent: changing them then changes no answer', async () => {
    const letters = ['a', 'b', 'c', 'd', 'e', 'f']
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          async body(sink) {
            const chunk = Buffer.alloc(300 << 10)
            for (const letter of letters) await sink.lend?.(chunk.fill(letter))
            chunk.fill('!')
          },
        }),
    })
    const session = await h2(edge)
    const [one, two] = await Promise.all([raw(edge, get('/').replace('1.1', '1.0')), getH2(session, { ':path': '/' })])
    session.close()

    const expected = letters.map((letter) => letter.repeat(300 << 10)).join('')
    assert.ok(one.endsWith(`\r\n\r\n${expected}`))
    assert.ok(two.body === expected)
  })

  test('gives lent bytes back when the reader goes away without reading', async () => {
    const done = Promise.withResolvers<void>()
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          async body(sink) {
            const chunk = Buffer.alloc(256 << 10)
            while (!sink.signal.aborted) await sink.lend?.(chunk)
            done.resolve()
          },
        }),
    })
    const session = await h2(edge)
    const stream = session.request({ ':path': '/' })
    await new Promise((resolve) => stream.once('readable', resolve)) // and never read
    session.destroy()

    await done.promise
  })

  test('aborts a request when its client has gone', async () => {
    const gone = Promise.withResolvers<void>()
    await using edge = await testEdge({
      handle: ({ signal }) => {
        signal.addEventListener('abort', () => gone.resolve())
        return new Promise(() => {})
      },
    })
    const { ca } = await testCertificate()
    const client = httpsRequest({ host: '127.0.0.1', port: edge.port, ca, servername: 'localhost' })
    client.on('error', () => {})
    client.end()
    client.once('socket', (socket) => socket.once('secureConnect', () => setImmediate(() => setTimeout(() => client.destroy(), 30))))

    await gone.promise
  })

  test('answers a client that has closed its side after its request, and tells the handler', async () => {
    const answer = Promise.withResolvers<void>()
    await using edge = await testEdge({
      async handle({ signal }) {
        signal.addEventListener('abort', () => answer.resolve())
        await answer.promise
        return { status: 200, headers: {}, body: 'late' }
      },
    })
    assert.match(await raw(edge, get('/'), { ends: true }), /late$/)
  })

  test('carries 200 streams of one HTTP/2 connection at once, as informers hold them (W1)', async () => {
    const writers: ((text: string) => void)[] = []
    await using edge = await testEdge({
      handle: () =>
        Promise.resolve({
          status: 200,
          headers: {},
          body: (sink) => {
            writers.push((text) => void sink.write(text))
            return new Promise((resolve) => sink.signal.addEventListener('abort', () => resolve()))
          },
        }),
    })
    const session = await h2(edge)
    const streams = Array.from({ length: 200 }, () => session.request({ ':path': '/watch' }))
    await Promise.all(streams.map((stream) => new Promise((resolve) => stream.once('response', resolve))))
    const heard = streams.map((stream) => new Promise((resolve) => stream.once('data', (chunk: Buffer) => resolve(chunk.toString()))))

    for (const write of writers) write('event')

    assert.deepEqual([...new Set(await Promise.all(heard))], ['event'])
    assert.equal(writers.length, 200)
    session.destroy()
  })

  test('sends GOAWAY, ends streams and stops within its bound', async () => {
    const edge = await testEdge({
      handle: () =>
        Promise.resolve({ status: 200, headers: {}, body: (sink) => new Promise((resolve) => sink.signal.addEventListener('abort', () => resolve())) }),
    })
    const session = await h2(edge)
    const goaway = new Promise((resolve) => session.once('goaway', resolve))
    const stream = session.request({ ':path': '/watch' })
    await new Promise((resolve) => stream.once('response', resolve))
    const ended = new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)))
    stream.resume()

    await edge[Symbol.asyncDispose]()

    await goaway
    assert.equal(await ended, 0, 'a watch ends cleanly, so that its client simply opens a new one')
  })

  test('upgrades only to the protocols of exec and port-forward, behind a proxy to any but HTTP; any other is an ordinary request', async () => {
    const upgraded: string[] = []
    await using edge = await testEdge({
      upgrade(request, socket) {
        upgraded.push(request.path)
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nhello')
        return new Promise((resolve) => socket.once('close', () => resolve()))
      },
    })
    const spdy = await raw(edge, 'POST /exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n')
    const h2c = await raw(
      edge,
      'GET /h2c HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n',
    )

    const own = (path: string, protocol: string): Promise<string> =>
      raw(edge, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: ${protocol}\r\n\r\n`)

    assert.match(spdy, /^HTTP\/1\.1 101 [^]*hello$/)
    assert.match(h2c, /^HTTP\/1\.1 200 /)
    assert.match(await own('/pods/p/proxy/x', 'anything/1'), /^HTTP\/1\.1 101 /)
    assert.match(await own('/pods/p/proxy?x', 'anything/1'), /^HTTP\/1\.1 101 /)
    assert.match(await own('/pods/p/proxy/x', 'h2c'), /^HTTP\/1\.1 200 /)
    assert.match(await own('/pods/p', 'anything/1'), /^HTTP\/1\.1 200 /)
    assert.deepEqual(upgraded, ['/exec', '/pods/p/proxy/x', '/pods/p/proxy'])
  })

  test('upgrades to a protocol of its own on one path alone', async () => {
    const upgraded: string[] = []
    await using edge = await testEdge(
      {
        upgrade(request, socket) {
          upgraded.push(request.path)
          socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n')
          return new Promise((resolve) => socket.once('close', () => resolve()))
        },
      },
      { ownUpgrade: { path: '/own', protocol: 'own' } },
    )
    const ask = (path: string): Promise<string> => raw(edge, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: own\r\n\r\n`)

    assert.match(await ask('/own'), /^HTTP\/1\.1 101 /)
    for (const path of ['/own/', '/own?x', '/%6fwn', '/clusters/a/own', '/pods/p/proxy/own']) assert.match(await ask(path), /^HTTP\/1\.1 200 /, path)
    assert.deepEqual(upgraded, ['/own'])
  })

  test('does not run a second request smuggled behind a refused upgrade', async () => {
    const handled: string[] = []
    await using edge = await testEdge({
      handle(request) {
        handled.push(request.path)
        return Promise.resolve({ status: 200, headers: {} })
      },
      async upgrade(_request, socket) {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n')
        await new Promise((resolve) => socket.once('close', resolve))
      },
    })
    const answer = await raw(
      edge,
      'GET /exec HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /second HTTP/1.1\r\nHost: localhost\r\n\r\n',
    )

    assert.match(answer, /^HTTP\/1\.1 403 /)
    assert.deepEqual(handled, [])
  })
})

describe('edge under attack', () => {
  const attacks: readonly (readonly [string, string, RegExp])[] = [
    ['a dot segment', get('/clusters/a/../b/api'), /^HTTP\/1\.1 400 /],
    ['an encoded dot segment', get('/clusters/a/%2e%2E/b'), /^HTTP\/1\.1 400 /],
    ['a half-encoded dot segment', get('/clusters/a/.%2e/b'), /^HTTP\/1\.1 400 /],
    ['a dot segment at the end', get('/clusters/a/..'), /^HTTP\/1\.1 400 /],
    ['a backslash', get('/clusters\\a/api'), /^HTTP\/1\.1 400 /],
    ['an encoded backslash', get('/clusters/a%5c..%5cb'), /^HTTP\/1\.1 400 /],
    ['an encoded NUL', get('/api%00/v1'), /^HTTP\/1\.1 400 /],
    ['broken percent encoding', get('/api/%zz'), /^HTTP\/1\.1 400 /],
    ['a leading double slash', get('//clusters/a'), /^HTTP\/1\.1 400 /],
    ['the absolute form', get('http://localhost/api'), /^HTTP\/1\.1 400 /],
    ['the asterisk form', 'OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a fragment', get('/api#/x'), /^HTTP\/1\.1 400 /],
    ['two hosts', get('/api', 'Host: other\r\n'), /^HTTP\/1\.1 400 /],
    ['no host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['two identities', get('/api', 'Authorization: Bearer a\r\nauthorization: Bearer b\r\n'), /^HTTP\/1\.1 400 /],
    ['two content lengths', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /^HTTP\/1\.1 400 /],
    ['length and chunks together', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['an obscured transfer encoding', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n Impersonate-User: root\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', /^HTTP\/1\.1 400 /],
    ['headers without end', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'a'.repeat(80 << 10)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['too many headers', get('/', 'X-A: 1\r\n'.repeat(250)), /^HTTP\/1\.1 400 /],
    ['a long URL', get(`/${'a'.repeat(40 << 10)}`), /^HTTP\/1\.1 400 /],
    ['an unknown method', 'TRACE / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /^HTTP\/1\.1 405 /],
  ]
  for (const [name, text, answer] of attacks) {
    test(`refuses ${name} before any handler sees it`, async () => {
      let handled = 0
      await using edge = await testEdge({
        handle() {
          handled++
          return Promise.resolve({ status: 200, headers: {} })
        },
      })

      assert.match(await raw(edge, text), answer)
      assert.equal(handled, 0)
    })
  }

  test('cuts off a client that sends its headers drop by drop', async () => {
    await using edge = await testEdge({}, { limits: { headersTimeoutMs: 100, requestTimeoutMs: 200 } })

    assert.match(await raw(edge, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: '), /^HTTP\/1\.1 408 /)
  })

  test('refuses a body past the limit of its handler and does not read the rest as a request', async () => {
    const handled: string[] = []
    await using edge = await testEdge({
      async handle(request) {
        handled.push(request.path)
        const size = await request.body?.bytes(10).then(
          (bytes) => bytes.length,
          () => -1,
        )
        return { status: size === -1 ? 413 : 200, headers: {} }
      },
    })
    const declared = await raw(edge, `POST /declared HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`)
    const chunked = await raw(edge, `POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n${'x'.repeat(64)}\r\n`)

    assert.match(declared, /^HTTP\/1\.1 413 /)
    assert.match(chunked, /^HTTP\/1\.1 413 /)
    assert.deepEqual(handled, ['/declared', '/chunked'])
  })

  test('closes connections past the limit', async () => {
    const both = Promise.withResolvers<void>()
    let handled = 0
    const handle = (): Promise<never> => {
      if (++handled === 2) both.resolve()
      return new Promise(() => {})
    }
    await using edge = await testEdge({ handle }, { limits: { connections: 2 } })
    const open = [raw(edge, get('/1'), { until: /never/ }), raw(edge, get('/2'), { until: /never/ })]
    await both.promise

    await assert.rejects(raw(edge, get('/3')))
    await edge[Symbol.asyncDispose]()
    await Promise.allSettled(open)
  })
})
