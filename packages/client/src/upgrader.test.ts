import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createTcpServer, connect } from 'node:net'
import { after, test } from 'node:test'
import { openHttpTransport } from './http-transport.ts'
import type { IncomingMessage, RequestListener } from 'node:http'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { HttpHeaders } from '@gantry/runtime'
import type { HttpTransport } from './http-transport.ts'

const open: AsyncDisposable[] = []
after(async () => {
  for (const one of open.toReversed()) await one[Symbol.asyncDispose]()
})

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
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

async function member(listener: {
  readonly upgrade?: (request: IncomingMessage, socket: Socket, head: Buffer) => void
  readonly request?: RequestListener
}): Promise<HttpTransport> {
  const server = createServer(listener.request)
  if (listener.upgrade !== undefined) server.on('upgrade', listener.upgrade)
  const made = openHttpTransport({ server: `http://127.0.0.1:${await listen(server)}`, token: () => 'of-the-member' })
  open.push(made)
  return made
}

/** A caller at the far end of a real socket, and the upgrade that serves it. */
async function call(
  transport: HttpTransport,
  request: { readonly headers: HttpHeaders; readonly method?: string; readonly head?: Buffer; readonly signal?: AbortSignal },
): Promise<{ readonly caller: Socket; readonly done: Promise<void> }> {
  const accepted = Promise.withResolvers<Socket>()
  const port = await listen(createTcpServer({ allowHalfOpen: true }, (socket) => accepted.resolve(socket)))
  const caller = connect(port, '127.0.0.1')
  const socket = await accepted.promise
  const done = transport.upgrade(
    {
      method: request.method ?? 'GET',
      path: '/exec',
      query: 'command=sh',
      headers: request.headers,
      signal: request.signal ?? new AbortController().signal,
      user: { username: 'jane', groups: [] },
    },
    socket,
    request.head ?? Buffer.alloc(0),
  )
  return { caller, done }
}

async function readUntil(socket: Socket, pattern: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += String(chunk)
    if (pattern.test(text)) return text
  }
  return text
}

const websocket = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-key': 'abc' }

test('joins both sockets after 101, with the bytes that came early from either side', async () => {
  let seen: IncomingMessage | undefined
  const transport = await member({
    upgrade(request, socket, head) {
      seen = request
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: xyz\r\n\r\nhello ')
      if (head.length > 0) socket.write(`[${head.toString()}]`)
      socket.on('data', (chunk) => socket.write(`[${String(chunk)}]`))
    },
  })

  const { caller, done } = await call(transport, { headers: { ...websocket, authorization: 'Bearer jane', 'keep-alive': '1' }, head: Buffer.from('early') })
  const opening = await readUntil(caller, /\[early\]/)
  caller.write('late')
  const later = await readUntil(caller, /\[late\]/)
  caller.end()
  await done

  assert.match(opening, /^HTTP\/1\.1 101 Switching Protocols\r\nsec-websocket-accept: xyz\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello \[early\]$/)
  assert.equal(later, '[late]')
  assert.equal(seen?.url, '/exec?command=sh')
  const { host: _, ...headers } = seen?.headers ?? {}
  assert.deepEqual(headers, { ...websocket, authorization: 'Bearer of-the-member' })
})

test('sends a POST upgrade without a body, as SPDY clients do', async () => {
  let length: string | undefined
  const transport = await member({
    upgrade(request, socket) {
      length = request.headers['content-length']
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\nbye')
    },
  })

  const { caller, done } = await call(transport, { method: 'POST', headers: { connection: 'Upgrade', upgrade: 'SPDY/3.1' } })

  assert.match(await readUntil(caller, /bye/), /upgrade: SPDY\/3\.1/)
  caller.end()
  await done
  assert.equal(length, '0')
})

test('passes on an answer that is not 101', async () => {
  const transport = await member({
    request(_request, response) {
      response.writeHead(403, { 'content-type': 'application/json', 'keep-alive': 'timeout=5' })
      response.write('{"reason":')
      response.end('"Forbidden"}')
    },
  })

  const { caller, done } = await call(transport, { headers: websocket })
  const answer = await readUntil(caller, /never/)
  await done

  assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n/)
  assert.match(answer, /connection: close/)
  assert.doesNotMatch(answer, /keep-alive/)
  assert.match(answer, /\r\n\r\n\{"reason":"Forbidden"\}$/)
})

test('keeps a cookie that the server sets from the caller, on 101 and on a refusal', async () => {
  const accepting = await member({
    upgrade: (_request, socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSet-Cookie: a=1\r\nX-Kept: yes\r\n\r\n'),
  })
  const refusing = await member({
    upgrade: (_request, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nSet-Cookie: a=1\r\nX-Kept: yes\r\nContent-Length: 0\r\n\r\n'),
  })
  const headers = { connection: 'Upgrade', upgrade: 'websocket' }

  for (const transport of [accepting, refusing]) {
    const { caller } = await call(transport, { headers })
    const head = await readUntil(caller, /\r\n\r\n/)

    assert.match(head, /x-kept: yes/i)
    assert.doesNotMatch(head, /set-cookie/i)
    caller.destroy()
  }
})

test('answers 503 with the cause when the server cannot be reached', async () => {
  const gone = createTcpServer()
  const port = await listen(gone)
  gone.close()
  await once(gone, 'close')
  await using transport = openHttpTransport({ server: `http://127.0.0.1:${port}` })

  const { caller, done } = await call(transport, { headers: websocket })
  const answer = await readUntil(caller, /never/)
  await done

  assert.match(answer, /^HTTP\/1\.1 503 ServiceUnavailable\r\n/)
  assert.match(answer, /connection refused; nothing listens on/)
})

test('closes both sides when the caller has gone, when the server ends, and when the signal aborts', async () => {
  for (const how of ['caller', 'server', 'signal'] as const) {
    const serverClosed = Promise.withResolvers<void>()
    let serverSocket: Socket | undefined
    const transport = await member({
      upgrade(_request, socket) {
        serverSocket = socket
        socket.on('close', () => serverClosed.resolve())
        socket.on('end', () => socket.end())
        socket.resume()
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nready')
      },
    })
    const stop = new AbortController()
    const { caller, done } = await call(transport, { headers: websocket, signal: stop.signal })
    caller.on('error', () => {})
    await readUntil(caller, /ready/)

    if (how === 'caller') caller.destroy()
    if (how === 'server') serverSocket?.end()
    if (how === 'signal') stop.abort()
    caller.resume()

    await done
    await serverClosed.promise
    if (!caller.closed) await once(caller, 'close')
  }
})
