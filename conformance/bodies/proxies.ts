import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { TestContext } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { createTestAuthority } from '@gantry/client/testing'
import type { NodeBackend } from '@gantry/kube-api'
import { openMessages } from '@gantry/streams/testing'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer, Api } from '../src/target.ts'

// What a pod serves here listens on an address of this machine that is no loopback: a real API server dials the pod's address and refuses others. Ours gets there through the agent of
// the pod's node, whatever the address says.
const external = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address
const listenAddress = external ?? '127.0.0.1'
const podAddress = external ?? '10.0.0.1'

interface Served {
  readonly port: number
  readonly server: Server
  /** Sockets that are open. */
  readonly sockets: ReadonlySet<Socket>
}

async function serve(t: TestContext, listener: RequestListener, isTls = false): Promise<Served> {
  const server = isTls ? createTlsServer(createTestAuthority('pod', Date.now()).issue({ commonName: 'pod' }), listener) : createServer(listener)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, listenAddress)
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { server, sockets, port: (server.address() as AddressInfo).port }
}

function unasked(): Promise<never> {
  return Promise.reject(new Error('nobody asks for it here'))
}

/** Leads to this machine whatever pod is asked for. */
const agent: NodeBackend = {
  logs: unasked,
  exec: unasked,
  attach: unasked,
  async dial(_target, port) {
    const socket = connect(port, listenAddress)
    await once(socket, 'connect')
    return socket
  },
}

interface Place {
  readonly api: Api
  readonly namespace: string
  readonly node: string
}

async function placeOf(t: TestContext, api: Api): Promise<Place> {
  return { api, namespace: await api.namespace(t), node: await api.node(t, agent) }
}

/** A pod at an address; its path. */
async function podAt({ api, namespace, node }: Place, name: string, options: { readonly address?: string; readonly port?: number } = {}): Promise<string> {
  const ports = options.port === undefined ? [] : [{ containerPort: options.port }]
  const containers = [{ name: 'c', image: 'registry.example.com/app:1', ports }]
  await api.create(`${namespace}/pods`, { metadata: { name }, spec: { nodeName: node, containers, terminationGracePeriodSeconds: 0 } })
  const ip = options.address ?? podAddress
  const answer = await api.patch('merge', `${namespace}/pods/${name}/status`, { status: { phase: 'Running', podIP: ip, podIPs: ip === '' ? [] : [{ ip }] } })
  assert.equal(answer.code, 200, answer.text)
  return `${namespace}/pods/${name}`
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request) text += String(chunk)
  return text
}

const echo: RequestListener = (request, response) => {
  void bodyOf(request).then((body) => {
    const { method, url, headers } = request
    response.writeHead(200, { 'content-type': 'application/json', 'x-own': 'yes' }).end(JSON.stringify({ method, url, headers, body }))
  })
}

function told({ code, json }: Answer): readonly [number, string, string] {
  return [code, json?.reason, json?.message]
}

/** Sends an upgrade and collects what comes until the connection ends; `talk` is told of it as it comes. */
async function upgrade(
  t: TestContext,
  options: { readonly door: number; readonly path: string; readonly protocol?: string },
  talk = (_text: string, _socket: Socket) => {},
): Promise<string> {
  const socket = connect(options.door, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write(`GET ${options.path} HTTP/1.1\r\nHost: pod.example\r\nConnection: Upgrade\r\nUpgrade: ${options.protocol ?? 'websocket'}\r\nX-Mine: 1\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) {
    text += String(chunk)
    talk(text, socket)
  }
  return text
}

export const proxies = conformance('requests through the API server', ({ api, claim }) => {
  claim('passes every method on to a pod with its path, query and body, and the answer back (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { port } = await serve(t, echo)
    await podAt(place, 'p', { port })
    const proxy = `${place.namespace}/pods/p/proxy`

    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const hasBody = !['GET', 'OPTIONS'].includes(method)
      const { code, json, headers } = await api.send(method, `${proxy}/a/b%20c?x=%201&y`, hasBody ? { body: 'text', contentType: 'text/x' } : {})
      const kept = { method, url: '/a/b%20c?x=%201&y', body: hasBody ? 'text' : '' }

      assert.deepEqual({ method: json.method, url: json.url, body: json.body }, kept)
      assert.equal(json.headers['content-type'], hasBody ? 'text/x' : undefined)
      assert.deepEqual([code, headers['x-own'], headers['content-type']], [200, 'yes', 'application/json'])
    }
    const head = await api.send('HEAD', `${proxy}/x`)
    const unknown = await api.send('TRACE', `${proxy}/x`)

    assert.deepEqual([head.code, head.headers['x-own'], head.text], [200, 'yes', ''])
    assert.equal(unknown.code, 405)
  })

  claim('finds the port and the scheme of a pod in its name (S10)', async (t) => {
    const place = await placeOf(t, api)
    const plain = await serve(t, echo)
    const tls = await serve(t, echo, true)
    await podAt(place, 'p', { port: plain.port })
    const pods = `${place.namespace}/pods`

    for (const name of ['p', `p:${plain.port}`, `http:p:${plain.port}`, 'http:p:', `https:p:${tls.port}`]) {
      const { code, json, text } = await api.get(`${pods}/${name}/proxy/x`)
      assert.deepEqual([name, code, json?.url], [name, 200, '/x'], text)
    }
    for (const [name, code, reason, message] of [
      ['a:b:c', 400, 'BadRequest', 'invalid pod request "a:b:c"'],
      ['ftp:p:1', 400, 'BadRequest', 'invalid pod request "ftp:p:1"'],
      [':80', 400, 'BadRequest', 'invalid pod request ":80"'],
      ['http:p', 404, 'NotFound', 'pods "http" not found'],
      ['p:99999', 503, 'ServiceUnavailable', 'error trying to reach service: dial tcp: address 99999: invalid port'],
      [`https:p:${plain.port}`, 503, 'ServiceUnavailable', 'error trying to reach service: tls: first record does not look like a TLS handshake'],
    ] as const) {
      assert.deepEqual(told(await api.get(`${pods}/${name}/proxy/x`)), [code, reason, message])
    }
    plain.server.close()
    const gone = await api.get(`${pods}/p/proxy/x`)
    assert.deepEqual([gone.code, gone.json.reason], [503, 'ServiceUnavailable'])
    assert.match(gone.json.message, new RegExp(`^error trying to reach service: dial tcp .*:${plain.port}: connect: connection refused$`))
    const services = `${place.namespace}/services/a:b:c/proxy/x`
    assert.deepEqual(told(await api.get(services)), [400, 'BadRequest', 'invalid service request "a:b:c"'])
    assert.deepEqual(told(await api.get('/api/v1/nodes/a:b:c/proxy/x')), [400, 'BadRequest', 'invalid node request "a:b:c"'])
  })

  claim('takes detours out of the path, and sends who names none to the root (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { port } = await serve(t, echo)
    await podAt(place, 'p', { port })
    const proxy = `${place.namespace}/pods/p/proxy`

    assert.equal((await api.get(`${proxy}/`)).json.url, '/')
    assert.equal((await api.get(`${proxy}/a%2Fb/../c//d/?q=1`)).json.url, '/a/c/d/?q=1')
    assert.equal((await api.post(`${proxy}?q=1`, 'x', { contentType: 'text/x' })).json.url, '/?q=1')
    const none = await api.get(`${proxy}?q=1`)
    assert.deepEqual([none.code, none.headers['location'], none.text], [301, `${proxy}/?q=1`, ''])
    assert.deepEqual(told(await api.get(`${proxy}/x?dryRun=All`)), [400, 'BadRequest', 'dryRun is not supported'])
  })

  claim('tells a pod where it is seen from, and nothing of who asks (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { port } = await serve(t, echo)
    await podAt(place, 'p', { port })
    const proxy = `${place.namespace}/pods/p/proxy`

    const { headers } = (
      await api.get(`${proxy}/a`, {
        headers: { authorization: 'Basic YTpi', 'x-remote-user': 'x', 'x-mine': '1', connection: 'keep-alive, x-hop', 'x-hop': '1' },
      })
    ).json

    assert.deepEqual([headers['x-forwarded-uri'], headers['x-mine']], [`${proxy}/a`, '1'])
    for (const name of ['authorization', 'x-remote-user', 'x-hop']) assert.equal(headers[name], undefined, name)
  })

  claim('leads redirects and the links of pages to its own host below the proxy (S10)', async (t) => {
    const place = await placeOf(t, api)
    const page = '<html><a href="/x/y?q=1">a</a><a href="z">b</a><img src="http://other/x"><script src="/s.js">if (a<b) "<a href=\'/no\'>"</script></html>'
    const { port } = await serve(t, (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '', 'http://pod')
      if (pathname === '/redirect') return void response.writeHead(302, { location: searchParams.get('to') ?? '' }).end()
      if (pathname === '/zipped/') return void response.writeHead(200, { 'content-type': 'text/html', 'content-encoding': 'gzip' }).end(gzipSync(page))
      response.writeHead(200, { 'content-type': pathname === '/page/' ? 'text/html; charset=utf-8' : 'text/plain' }).end(page)
    })
    await podAt(place, 'p', { port })
    const proxy = `${place.namespace}/pods/p/proxy`
    const seen = page.replace('"/x/y', `"${proxy}/x/y`).replace('"/s.js', `"${proxy}/s.js`)

    for (const [to, expected] of [
      ['/a', `${proxy}/a`],
      ['/a b/?q=1', `${proxy}/a%20b/?q=1`],
      ['/a/../b/', `${proxy}/b/`],
      [`${proxy}/y`, `${proxy}/y`],
      [`http://${podAddress}:${port}/in`, `${proxy}/in`],
      ['b', 'b'],
      ['//other/x', '//other/x'],
      ['http://other/x', 'http://other/x'],
    ] as const) {
      const { code, headers } = await api.get(`${proxy}/redirect?to=${encodeURIComponent(to)}`)
      assert.deepEqual([to, code, headers['location']], [to, 302, expected])
    }
    assert.equal((await api.get(`${proxy}/page/`)).text, seen)
    assert.equal((await api.get(`${proxy}/text/`)).text, page)
    const { content, headers } = await api.bytes(`${proxy}/zipped/`, { 'accept-encoding': 'gzip' })
    assert.deepEqual([headers['content-encoding'], gunzipSync(content).toString()], ['gzip', seen])
  })

  claim('passes an answer on while it comes, and tells the pod that nobody reads any more (S10)', async (t) => {
    const place = await placeOf(t, api)
    const goOn = Promise.withResolvers<void>()
    const gone = Promise.withResolvers<void>()
    const { port } = await serve(t, (_request, response) => {
      response.once('close', () => gone.resolve())
      response.writeHead(200, { 'content-type': 'text/plain' })
      response.write('one\n')
      void goOn.promise.then(() => response.write('two\n'))
    })
    await podAt(place, 'p', { port })

    const { chunks } = await api.stream(t, `${place.namespace}/pods/p/proxy/x`)
    const first = await chunks.next()
    goOn.resolve()
    const second = await chunks.next()
    await chunks.return()
    await gone.promise

    assert.deepEqual([first.value, second.value], ['one\n', 'two\n'])
  })

  claim('breaks an answer off where the pod does (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { port } = await serve(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '10' })
      response.write('half', () => response.destroy())
    })
    await podAt(place, 'p', { port })

    await assert.rejects(async () => {
      const { chunks } = await api.stream(t, `${place.namespace}/pods/p/proxy/x`)
      for await (const chunk of chunks) assert.equal(chunk, 'half')
    })
  })

  claim('passes an upgrade of any protocol on and joins both ends (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { server, port } = await serve(t, echo)
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      const { upgrade: protocol, host, 'x-mine': mine } = request.headers
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\nX-Own: yes\r\n\r\nhello ${protocol} ${request.url?.split('?', 1)[0]} ${String(mine)} ${host === undefined}`,
      )
      socket.on('data', (chunk: Buffer) => (String(chunk) === 'bye' ? socket.end('[end]') : socket.write(`[${String(chunk)}]`)))
    })
    await podAt(place, 'p', { port })
    const [door, proxy] = [await api.door(t), `${place.namespace}/pods/p:${port}/proxy`]

    for (const [path, protocol, asked] of [
      ['/a/b', 'websocket', '/a/b'],
      ['/a/b/', 'anything/1', '/a/b/'],
      ['', 'websocket', '/'],
    ] as const) {
      const sent: string[] = []
      const text = await upgrade(t, { door, path: `${proxy}${path}`, protocol }, (soFar, socket) => {
        const [next] = [soFar.includes('[one]') ? 'bye' : soFar.includes('hello') ? 'one' : ''].filter((one) => one !== '' && !sent.includes(one))
        if (next === undefined) return
        sent.push(next)
        socket.write(next)
      })
      assert.match(text, /^HTTP\/1\.1 101 Switching Protocols\r\n[^]*x-own: yes\r\n[^]*\r\n\r\n/i)
      assert.equal(text.slice(text.indexOf('\r\n\r\n') + 4), `hello ${protocol} ${asked} 1 false[one][end]`)
    }
  })

  claim('leaves no connection to a pod behind that refuses an upgrade (S10)', async (t) => {
    const place = await placeOf(t, api)
    const heard: string[] = []
    const { server, port, sockets } = await serve(t, echo)
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      const code = Number(request.url?.slice(1))
      socket.on('data', (chunk: Buffer) => heard.push(String(chunk)))
      socket.on('end', () => socket.end())
      // It lets the connection stand, and looks as much like an upgrade as it can.
      socket.write(`HTTP/1.1 ${code} Own\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Own: yes\r\nContent-Length: 4\r\n\r\nno ${code % 10}`)
    })
    await podAt(place, 'p', { port })
    const [door, proxy] = [await api.door(t), `${place.namespace}/pods/p:${port}/proxy`]
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: pod\r\n\r\n'

    for (const code of [400, 403, 501]) {
      const text = await upgrade(t, { door, path: `${proxy}/${code}` }, (_text, socket) => void socket.write(smuggled))
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${code} [^]*x-own: yes\r\n[^]*\r\n\r\nno ${code % 10}$`, 'i'))
    }
    for (const code of [200, 302]) {
      const text = await upgrade(t, { door, path: `${proxy}/${code}` }, (_text, socket) => void socket.write(smuggled))
      assert.match(text, /^HTTP\/1\.1 500 /)
      assert.match(text, new RegExp(`"message":"invalid upgrade response: status code ${code}"`))
    }
    const unreachable = await upgrade(t, { door, path: `${place.namespace}/pods/p:1/proxy/x` })
    assert.match(unreachable, /^HTTP\/1\.1 500 [^]*"message":"error dialing backend: dial tcp .*:1: connect: connection refused"/)
    await Promise.all([...sockets].map((socket) => once(socket, 'close')))

    assert.deepEqual(heard, [])
  })

  claim('carries a WebSocket to what is behind a service (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { server, port } = await serve(t, echo)
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      void import('node:crypto').then(({ createHash }) => {
        const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`
        const accept = createHash('sha1').update(key).digest('base64')
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`)
        socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]))
      })
    })
    await podAt(place, 'p', { port })
    await service(place, { name: 's', subsets: [{ addresses: [{ ip: podAddress, targetRef: pod(place, 'p') }], ports: [{ name: 'http', port }] }] })

    const socket = await openMessages(`ws://127.0.0.1:${await api.door(t)}${place.namespace}/services/s:http/proxy/x`)
    t.after(() => socket.close())

    assert.equal((await socket.next()).data.toString(), 'hello')
  })

  claim('leads to the pods behind a service by name and number of its port, to nothing else (S10)', async (t) => {
    const place = await placeOf(t, api)
    const { port } = await serve(t, echo)
    await podAt(place, 'p', { port })
    const ports = [{ name: 'http', port }]
    const services = `${place.namespace}/services`
    const unavailable = (name: string): unknown => [503, 'ServiceUnavailable', `no endpoints available for service "${name}"`]
    await service(place, { name: 'good', subsets: [{ addresses: [{ ip: podAddress, targetRef: pod(place, 'p') }], ports }] })
    await service(place, { name: 'empty', subsets: [] })
    await service(place, { name: 'pending', subsets: [{ notReadyAddresses: [{ ip: podAddress, targetRef: pod(place, 'p') }], ports }] })
    await service(place, { name: 'stranger', subsets: [{ addresses: [{ ip: podAddress }], ports }] })
    await service(place, { name: 'abroad', subsets: [{ addresses: [{ ip: podAddress, targetRef: { ...pod(place, 'p'), namespace: 'default' } }], ports }] })
    await service(place, { name: 'moved', subsets: [{ addresses: [{ ip: '10.9.8.7', targetRef: pod(place, 'p') }], ports }] })

    for (const name of ['good:http', 'good:80', 'http:good:80', 'http:good:http']) {
      const { code, json, text } = await api.get(`${services}/${name}/proxy/a?q=1`)
      assert.deepEqual([name, code, json?.url], [name, 200, '/a?q=1'], text)
    }
    assert.deepEqual(told(await api.get(`${services}/empty:http/proxy/`)), unavailable('empty'))
    for (const name of ['good', 'good:other', 'pending:http', 'stranger:http', 'abroad:http', 'moved:http'])
      assert.deepEqual(told(await api.get(`${services}/${name}/proxy/`)), unavailable(name))
    assert.deepEqual(told(await api.get(`${services}/good:81/proxy/`)), [503, 'ServiceUnavailable', 'no service port 81 found for service "good"'])
  })

  claim('leads to no address of the machine itself, of its link or of nobody (S10)', async (t) => {
    const place = await placeOf(t, api)
    const refused = [400, 'BadRequest', 'address not allowed']
    for (const [at, address] of [
      '127.0.0.1',
      '127.9.9.9',
      '169.254.169.254',
      '0.0.0.0',
      '224.0.0.1',
      '255.255.255.255',
      '::1',
      '::',
      'fe80::1',
      'ff02::1',
      '',
    ].entries()) {
      await podAt(place, `p${at}`, { address })
      assert.deepEqual([address, ...told(await api.get(`${place.namespace}/pods/p${at}:80/proxy/x`))], [address, ...refused])
    }
    const door = await api.door(t)
    assert.match(await upgrade(t, { door, path: `${place.namespace}/pods/p0:80/proxy/x` }), /^HTTP\/1\.1 400 [^]*"message":"address not allowed"/)
    for (const [type, address] of [
      ['InternalIP', '127.0.0.1'],
      ['InternalIP', '169.254.169.254'],
      ['InternalIP', '::1'],
      ['Hostname', 'localhost'],
    ] as const) {
      const name = await nodeAt(t, api, { addresses: [{ type, address }] })
      for (const port of ['', ':80', ':10250']) assert.deepEqual(told(await api.get(`/api/v1/nodes/${name}${port}/proxy/x`)), refused, `${address}${port}`)
    }
    const homeless = await nodeAt(t, api, {})
    const { code, json } = await api.get(`/api/v1/nodes/${homeless}/proxy/x`)
    assert.deepEqual([code, json.message], [500, 'no preferred addresses found; known addresses: []'])
  })

  claim('asks admission about what is connected, with every method and for an upgrade (S10, M9)', async (t) => {
    const place = await placeOf(t, api)
    const heard: string[] = []
    const { server, port } = await serve(t, (request, response) => {
      heard.push(`${request.method} ${request.url}`)
      echo(request, response)
    })
    server.on('upgrade', ({ url }: IncomingMessage, socket: Socket) => {
      heard.push(`upgrade ${url}`)
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    })
    await podAt(place, 'p', { port })
    const [policies, name] = ['/apis/admissionregistration.k8s.io/v1', uniqueName('connect')]
    await api.createForTest(t, `${policies}/validatingadmissionpolicies`, {
      metadata: { name },
      spec: {
        matchConstraints: {
          resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CONNECT'], resources: ['pods/proxy'] }],
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': place.namespace.split('/').at(-1) } },
        },
        validations: [{ expression: "object.kind == 'PodProxyOptions' && object.path.startsWith('/open')", message: 'closed' }],
      },
    } as { readonly metadata: { readonly name: string } })
    await api.createForTest(t, `${policies}/validatingadmissionpolicybindings`, {
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    } as { readonly metadata: { readonly name: string } })
    const [door, proxy] = [await api.door(t), `${place.namespace}/pods/p/proxy`]
    const refusal = await api.eventually(`${proxy}/shut`, ({ code }) => code !== 200)
    heard.length = 0

    const posted = await api.post(`${proxy}/shut`, 'x', { contentType: 'text/x' })
    const upgraded = await upgrade(t, { door, path: `${proxy}/shut` })
    const open = await api.get(`${proxy}/open/a`)

    assert.deepEqual([refusal.code, refusal.json.reason], [422, 'Invalid'])
    assert.match(refusal.json.message, /denied request: closed$/)
    assert.equal(posted.code, 422)
    assert.match(upgraded, /^HTTP\/1\.1 422 /)
    assert.deepEqual([open.code, heard], [200, ['GET /open/a']])
  })

  claim('leads to any port of a node, and to its kubelet over TLS (S10)', async (t) => {
    const [plain, tls] = [await serve(t, echo), await serve(t, echo, true)]
    const name = await nodeAt(t, api, {
      addresses: [{ type: 'InternalIP', address: podAddress }],
      daemonEndpoints: { kubeletEndpoint: { Port: tls.port } },
    })

    for (const one of [name, `${name}:${tls.port}`, `http:${name}:${tls.port}`, `${name}:${plain.port}`, `http:${name}:${plain.port}`]) {
      const { code, json, text } = await api.get(`/api/v1/nodes/${one}/proxy/healthz?q=1`)
      assert.deepEqual([one, code, json?.url, json?.headers['x-forwarded-uri']], [one, 200, '/healthz?q=1', `/api/v1/nodes/${one}/proxy/healthz`], text)
    }
  })
})

function pod({ namespace }: Place, name: string): Json {
  return { kind: 'Pod', name, namespace: namespace.split('/').at(-1) }
}

/** A service without a selector, with these endpoints. */
async function service({ api, namespace }: Place, { name, subsets }: { readonly name: string; readonly subsets: readonly Json[] }): Promise<void> {
  await api.create(`${namespace}/services`, { metadata: { name }, spec: { ports: [{ name: 'http', port: 80 }] } })
  await api.create(`${namespace}/endpoints`, { metadata: { name }, subsets })
}

/** A Node that no agent of ours stands for. */
async function nodeAt(t: TestContext, api: Api, status: Json): Promise<string> {
  const name = uniqueName('node')
  await api.createForTest(t, '/api/v1/nodes', { metadata: { name }, status } as { readonly metadata: { readonly name: string } })
  return name
}
