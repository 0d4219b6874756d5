import assert from 'node:assert/strict'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { WebSocket } from 'ws'
import { acceptPortForward, dialPortForward } from '../index.ts'
import { SpdyConnection } from '../spdy/spdy-connection.ts'
import { openTestServer } from '../testing/command-server.ts'
import type { TestServer } from '../testing/command-server.ts'
import { dialTunnel } from '../testing/dial-tunnel.ts'
import { serveSpdyForward } from './spdy-forward-server.ts'

let server: TestServer
/** The pod's ends of the connections, in order. */
const inPod: Duplex[] = []

before(async () => {
  server = await openTestServer({ upgrade: (request, socket, head) => acceptPortForward(request, socket, head, dial) })
})
after(() => server[Symbol.asyncDispose]())

/** Port 80 upper-cases, 81 is for the test to answer, all others are closed. */
async function dial(port: number): Promise<Duplex> {
  if (port !== 80 && port !== 81) throw new Error(`connect ECONNREFUSED 127.0.0.1:${port}`)
  const [near, far] = duplexPair()
  inPod.push(far)
  if (port === 81) return near
  far.on('data', (chunk: Buffer) => far.write(chunk.toString().toUpperCase()))
  far.on('end', () => far.end())
  return near
}

const path = '/api/v1/namespaces/default/pods/web/portforward'
const never = new AbortController().signal

describe('port-forward over SPDY, with our own client', () => {
  test('carries both directions and their ends', async () => {
    const connection = await dialPortForward(`http://127.0.0.1:${server.port}${path}`, 80, never)

    connection.end('hello')

    assert.equal(await text(connection), 'HELLO')
  })

  test('passes the end of the pod on while the client still writes', async () => {
    const connection = await dialPortForward(`http://127.0.0.1:${server.port}${path}`, 81, never)
    connection.write('x')
    await settle()
    const pod = inPod.at(-1)!
    pod.end('bye')
    const [bye] = await once(connection, 'data')

    assert.equal(String(bye), 'bye')
    connection.end(' and more')
    assert.equal(await text(pod), 'x and more')
  })

  test("says with upstream's words why a port cannot be reached", async () => {
    const connection = await dialPortForward(`http://127.0.0.1:${server.port}${path}`, 9, never)

    await assert.rejects(text(connection), /^Error: error forwarding port 9 to pod web_default, uid : connect ECONNREFUSED 127\.0\.0\.1:9$/)
  })

  test('ends the connection in the pod when the client goes', async () => {
    const calledOff = new AbortController()
    const connection = await dialPortForward(`http://127.0.0.1:${server.port}${path}`, 81, calledOff.signal)
    connection.on('error', () => {})
    await settle()
    const pod = inPod.at(-1)!
    pod.resume()

    calledOff.abort()

    if (!pod.readableEnded) await once(pod, 'end')
  })
})

test('port-forward tunnels SPDY in a WebSocket', async () => {
  const client = await dialTunnel({ port: server.port, path }, { clock: new FakeClock() })
  const error = await client.open({ streamtype: 'error', port: '80', requestid: '0' })
  const data = await client.open({ streamtype: 'data', port: '80', requestid: '0' })

  data.end('through the tunnel')

  assert.equal(await text(data), 'THROUGH THE TUNNEL')
  assert.equal(await text(error), '')
  client.close()
  await client.closed
})

describe('port-forward over the channels of a WebSocket', () => {
  async function connect(query: string, protocol = 'v4.channel.k8s.io'): Promise<{ readonly socket: WebSocket; readonly messages: Buffer[] }> {
    const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}?${query}`, [protocol])
    const messages: Buffer[] = []
    socket.on('message', (message: Buffer) => messages.push(message))
    await once(socket, 'open')
    return { socket, messages }
  }

  test('begins each channel with its port and carries data and errors', async () => {
    const { socket, messages } = await connect('ports=80&ports=9')
    socket.send(Buffer.from('\0hello'))
    while (messages.length < 6) await once(socket, 'message')

    const words = 'error forwarding port 9 to pod web_default, uid : connect ECONNREFUSED 127.0.0.1:9'
    const sorted = messages.map((message) => `${message[0]} ${message.subarray(1).toString('latin1')}`).sort()
    assert.deepEqual(sorted, ['0 P\0', '0 HELLO', '1 P\0', '2 \t\0', '3 \t\0', `3 ${words}`].sort())
    socket.close()
  })

  test('closes when all its connections have ended', async () => {
    const { socket, messages } = await connect('ports=81', 'v4.base64.channel.k8s.io')
    while (messages.length < 2) await once(socket, 'message')
    inPod.at(-1)!.end('last words')
    inPod.at(-1)!.resume()
    const [code] = await once(socket, 'close')

    assert.equal(code, 1000)
    assert.equal(Buffer.from(messages.at(-1)!.toString().slice(1), 'base64').toString(), 'last words')
  })

  test('refuses ports that are none', async () => {
    for (const [query, words] of [
      ['', 'query parameter "ports" is required'],
      ['ports=x', 'unable to parse "x" as a port: strconv.ParseUint: parsing "x": invalid syntax'],
      ['ports=70000', 'unable to parse "70000" as a port: strconv.ParseUint: parsing "70000": value out of range'],
      ['ports=80,0', 'port "0" must be > 0'],
    ] as const) {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}?${query}`, ['v4.channel.k8s.io'])
      const [, response] = await once(socket, 'unexpected-response')

      assert.equal(response.statusCode, 400)
      assert.equal(await text(response), `${words}\n`)
      socket.on('error', () => {}) // ws reports its own terminate
      socket.terminate()
    }
  })
})

describe('a client of port-forward', () => {
  function serve(): { readonly client: SpdyConnection; readonly clock: FakeClock; readonly served: Promise<void> } {
    const [near, far] = duplexPair()
    const clock = new FakeClock()
    const served = serveSpdyForward(far, { dial, clock, target: 'web_default', signal: never })
    return { client: new SpdyConnection(near, { clock }, { role: 'client' }), clock, served }
  }

  test('is refused streams without a port or of another type', async () => {
    const { client } = serve()

    for (const headers of [{ streamtype: 'data', requestid: '0' }, { streamtype: 'data', port: '0' }, { streamtype: 'video', port: '80' }, { port: '80' }]) {
      await assert.rejects(client.open(headers), /refused/)
    }
    client.close()
  })

  test('is told when the second stream does not come', async () => {
    const { client, clock } = serve()
    const error = await client.open({ streamtype: 'error', port: '80', requestid: '7' })

    await clock.advance(30_000)

    assert.equal(await text(error), '(request=7) timed out waiting for streams')
    client.close()
  })

  test('is told when a stream comes twice', async () => {
    const { client } = serve()
    const error = await client.open({ streamtype: 'error', port: '80', requestid: '7' })
    await client.open({ streamtype: 'error', port: '80', requestid: '7' })

    assert.equal(await text(error), 'error processing stream for request 7: error stream already assigned')
    client.close()
  })

  test('may leave out the request id, as clients of old do', async () => {
    const { client } = serve()
    await client.open({ streamtype: 'error', port: '80' })
    const data = await client.open({ streamtype: 'data', port: '80' })

    data.end('old')

    assert.equal(await text(data), 'OLD')
    client.close()
  })

  test('that goes ends the serving', async () => {
    const { client, served } = serve()
    await client.open({ streamtype: 'error', port: '81', requestid: '0' })

    client.close()

    await served
  })
})
