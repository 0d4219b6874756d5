import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { settle } from '@gantry/runtime/testing'
import { WebSocket } from 'ws'
import { acceptRemoteCommand, dialRemoteCommand } from '../index.ts'
import type { RemoteCommandClientOptions, RemoteCommandStreams } from '../index.ts'
import { UpgradeRefused } from '../upgrade/http-answer.ts'
import { openTestServer } from '../testing/command-server.ts'
import type { TestServer } from '../testing/command-server.ts'
import { runTestCommand } from '../testing/echo-command.ts'

let server: TestServer
/** The streams of the last request. */
let last: RemoteCommandStreams | undefined
/** What its connection has brought since they were all there. */
let bytesSince = (): number => 0

before(async () => {
  server = await openTestServer({
    async upgrade(request, socket, head) {
      const query = new URLSearchParams(request.query)
      const flag = (name: string): boolean => query.get(name) === 'true'
      const streams = await acceptRemoteCommand(request, socket, head, {
        stdin: flag('stdin'),
        stdout: flag('stdout'),
        stderr: flag('stderr'),
        tty: flag('tty'),
      })
      last = streams
      const { bytesRead } = socket as Socket
      bytesSince = () => (socket as Socket).bytesRead - bytesRead
      await streams.finish(await runTestCommand(query.getAll('command'), streams))
    },
  })
})
after(() => server[Symbol.asyncDispose]())

function address(scheme: string, command: readonly string[], flags: Readonly<Record<string, boolean>>): string {
  const query = new URLSearchParams(command.map((word): [string, string] => ['command', word]))
  for (const [name, isSet] of Object.entries(flags)) query.set(name, String(isSet))
  return `${scheme}://127.0.0.1:${server.port}/exec?${query.toString()}`
}

const allStreams = { stdin: true, stdout: true, stderr: true, tty: false }

describe('over SPDY, with our own client', () => {
  function dial(command: readonly string[], options: Partial<RemoteCommandClientOptions> = {}) {
    const all: RemoteCommandClientOptions = { ...allStreams, signal: new AbortController().signal, ...options }
    const { stdin, stdout, stderr, tty } = all
    return dialRemoteCommand(address('http', command, { stdin, stdout, stderr, tty }), all)
  }

  test('standard input reaches the command and its end ends it', async () => {
    const client = await dial(['cat'])
    const payload = Buffer.alloc(3 << 20, 'stdin ')

    client.stdin!.end(payload)
    client.stderr!.resume()

    assert.ok((await buffer(client.stdout!)).equals(payload))
    assert.deepEqual(await client.status, { status: 'Success' })
  })

  test('nothing is written but standard input: a command that is over already would break the connection', async () => {
    const client = await dial(['cat'])
    client.stderr!.resume()

    client.stdin!.write('x')
    await once(client.stdout!, 'readable')
    const frame = 8 + 'x'.length

    assert.equal(bytesSince(), frame)
    client.stdin!.end()
    client.stdout!.resume()
    assert.deepEqual(await client.status, { status: 'Success' })
  })

  test('the two outputs stay apart', async () => {
    const client = await dial(['both'])

    assert.deepEqual(await Promise.all([text(client.stdout!), text(client.stderr!)]), ['to stdout\n', 'to stderr\n'])
  })

  test('the exit code comes as NonZeroExitCode', async () => {
    const client = await dial(['exit', '3'], { stdin: false, stderr: false })
    client.stdout!.resume()

    assert.deepEqual(await client.status, {
      status: 'Failure',
      reason: 'NonZeroExitCode',
      message: 'command terminated with non-zero exit code: command terminated with exit code 3',
      exitCode: 3,
    })
  })

  test('a terminal has sizes and no standard error', async () => {
    const client = await dial(['size'], { tty: true })
    assert.equal(client.stderr, undefined)
    const output = text(client.stdout!)

    client.resize({ width: 80, height: 24 })
    await once(client.stdout!, 'readable')
    client.resize({ width: 1, height: 2 })

    assert.equal(await output, '80x24\n1x2\n')
    assert.deepEqual(await client.status, { status: 'Success' })
  })

  test('calling it off ends the command', async () => {
    const calledOff = new AbortController()
    const client = await dial(['hang'], { signal: calledOff.signal })
    const failed = assert.rejects(client.status, /the connection broke before the command ended: enough/)
    const gone = last!.signal

    calledOff.abort(new Error('enough'))

    await failed
    if (!gone.aborted) await once(gone, 'abort')
  })

  test('a broken connection is not taken for a success', async () => {
    const client = await dial(['hang'])
    const failed = assert.rejects(client.status, /the connection (broke|ended) before the command/)

    server.cut()

    await failed
  })

  test('a refusal carries the words of the server', async () => {
    await using refusing = await openTestServer({
      upgrade: (_request, socket) => {
        socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\ntoken not found\r\n')
        return Promise.resolve()
      },
    })

    await assert.rejects(
      dialRemoteCommand(`http://127.0.0.1:${refusing.port}/exec/x`, { ...allStreams, signal: new AbortController().signal }),
      /refused the connection with 404: token not found/,
    )
    await assert.rejects(
      dialRemoteCommand('http://127.0.0.1:1/', { ...allStreams, signal: new AbortController().signal }),
      /cannot be reached: connect ECONNREFUSED/,
    )
  })
})

const webSocketProtocols = [
  { protocol: 'v5.channel.k8s.io', isText: false, hasStatus: true },
  { protocol: 'v4.channel.k8s.io', isText: false, hasStatus: true },
  { protocol: 'v3.channel.k8s.io', isText: false, hasStatus: false },
  { protocol: 'v2.channel.k8s.io', isText: false, hasStatus: false },
  { protocol: 'channel.k8s.io', isText: false, hasStatus: false },
  { protocol: 'v4.base64.channel.k8s.io', isText: true, hasStatus: true },
  { protocol: 'base64.channel.k8s.io', isText: true, hasStatus: false },
  { protocol: '', isText: false, hasStatus: false },
]

/** A client of the WebSocket protocols, as plain as a browser's. */
class ChannelClient {
  readonly socket: WebSocket
  readonly #isText: boolean
  readonly messages: { readonly channel: number; readonly data: string }[] = []
  closeCode: number | undefined

  constructor(url: string, protocol: string, isText: boolean) {
    this.#isText = isText
    this.socket = new WebSocket(url, protocol === '' ? [] : [protocol])
    this.socket.on('message', (message: Buffer, isBinary) => {
      assert.equal(isBinary, !isText)
      const channel = isText ? Number(message.toString('latin1', 0, 1)) : message[0]!
      const data = isText ? Buffer.from(message.toString('latin1', 1), 'base64') : message.subarray(1)
      this.messages.push({ channel, data: data.toString() })
    })
    this.socket.on('close', (code) => (this.closeCode = code))
  }

  send(channel: number, data: string): void {
    this.socket.send(this.#isText ? `${channel}${Buffer.from(data).toString('base64')}` : Buffer.concat([Buffer.from([channel]), Buffer.from(data)]))
  }

  on(channel: number): string {
    return this.messages
      .filter((message) => message.channel === channel)
      .map((message) => message.data)
      .join('')
  }
}

for (const { protocol, isText, hasStatus } of webSocketProtocols) {
  describe(`over WebSocket, ${protocol === '' ? 'no subprotocol' : protocol}`, () => {
    const flags = { stdin: false, stdout: true, stderr: false, tty: false }

    test('greets with an empty message, tells the exit code and closes with 1000', async () => {
      const client = new ChannelClient(address('ws', ['exit', '7'], flags), protocol, isText)

      await once(client.socket, 'close')

      const message = 'command terminated with non-zero exit code: command terminated with exit code 7'
      const status = { metadata: {}, status: 'Failure', message, reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: '7' }] } }
      assert.deepEqual(client.messages, [
        { channel: 1, data: '' },
        { channel: 3, data: hasStatus ? JSON.stringify(status) : message },
      ])
      assert.equal(client.closeCode, 1000)
      assert.equal(client.socket.protocol, protocol)
    })

    test('says of a success what its version says', async () => {
      const client = new ChannelClient(address('ws', ['exit', '0'], flags), protocol, isText)

      await once(client.socket, 'close')

      assert.equal(client.on(3), hasStatus ? '{"metadata":{},"status":"Success"}' : '')
    })

    test('copies standard input and reads terminal sizes', async () => {
      const client = new ChannelClient(address('ws', ['size'], { ...flags, tty: true }), protocol, isText)
      await once(client.socket, 'open')

      client.send(4, '{"Width":1,"Hei')
      client.send(4, 'ght":9}')
      client.send(200, 'a channel that is none')
      await once(client.socket, 'close')

      assert.equal(client.on(1), '1x9\n')
    })
  })
}

describe('over WebSocket', () => {
  const flags = { stdin: true, stdout: true, stderr: false, tty: false }

  test('v5 ends standard input by its close signal', async () => {
    const client = new ChannelClient(address('ws', ['cat'], flags), 'v5.channel.k8s.io', false)
    await once(client.socket, 'open')

    client.send(0, 'one ')
    client.send(0, 'two')
    client.socket.send(Buffer.from([255, 0]))
    await once(client.socket, 'close')

    assert.equal(client.on(1), 'one two')
  })

  test('v5 refuses a close signal without a channel', async () => {
    const client = new ChannelClient(address('ws', ['cat'], flags), 'v5.channel.k8s.io', false)
    await once(client.socket, 'open')

    client.socket.send(Buffer.from([255]))
    await once(client.socket, 'close')

    assert.equal(client.closeCode, 1002)
  })

  test('the command hears that the client has gone', async () => {
    const client = new ChannelClient(address('ws', ['hang'], flags), 'v4.channel.k8s.io', false)
    await once(client.socket, 'message')
    const { signal, stdin } = last!

    client.socket.terminate()

    if (!signal.aborted) await once(signal, 'abort')
    assert.match(String(signal.reason), /the client has closed the connection/)
    stdin!.resume()
    if (!stdin!.readableEnded) await once(stdin!, 'end')
  })

  test('stops taking input that the command does not read', async () => {
    const client = new ChannelClient(address('ws', ['hang'], flags), 'v5.channel.k8s.io', false)
    await once(client.socket, 'message')
    const { stdin } = last!
    let sent = 0
    for (let i = 0; i < 400; i++) client.socket.send(Buffer.concat([Buffer.from([0]), Buffer.alloc(64 << 10)]), () => sent++)

    await settle(200)

    assert.ok(stdin!.readableLength < 1 << 20, `${stdin!.readableLength} bytes are held`)
    assert.ok(client.socket.bufferedAmount > 4 << 20, `only ${client.socket.bufferedAmount} bytes wait at the client after ${sent} sends`)
    client.socket.terminate()
  })

  test('an output nobody takes stops the command, not the process', async () => {
    const client = new ChannelClient(address('ws', ['say', String(64 << 20)], flags), 'v5.channel.k8s.io', false)
    await once(client.socket, 'message')
    client.socket.pause()

    await settle(200)

    assert.ok(last!.stdout!.writableLength < 1 << 20)
    client.socket.terminate()
  })
})

describe('a request that cannot be upgraded', () => {
  async function ask(lines: readonly string[]): Promise<string> {
    const socket: Socket = connect(server.port, '127.0.0.1')
    socket.write(`${lines.join('\r\n')}\r\n\r\n`)
    return text(socket)
  }

  const get = 'GET /exec?stdout=true HTTP/1.1'
  const common = ['Host: x', 'Connection: Upgrade']
  const webSocket = [...common, 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==']

  for (const [name, lines, status, words] of [
    ['to another protocol', [get, ...common, 'Upgrade: h2c'], 400, /unable to upgrade: missing upgrade headers in request/],
    ['without SPDY stream protocols', [get, ...common, 'Upgrade: SPDY/3.1'], 400, /header X-Stream-Protocol-Version does not exist in request/],
    [
      'with SPDY stream protocols of the future',
      [get, ...common, 'Upgrade: SPDY/3.1', 'X-Stream-Protocol-Version: v9.channel.k8s.io'],
      403,
      /X-Accepted-Stream-Protocol-Versions: v4\.channel\.k8s\.io[^]*client supports \[v9\.channel\.k8s\.io\], server accepts \[v4\.channel\.k8s\.io v3/,
    ],
    [
      'with an unknown WebSocket subprotocol',
      [get, ...webSocket, 'Sec-WebSocket-Protocol: v9.channel.k8s.io'],
      403,
      /requested protocol\(s\) are not supported: \[v9/,
    ],
    ['with a broken WebSocket handshake', [get, ...common, 'Upgrade: websocket'], 400, /Sec-WebSocket/],
  ] as const) {
    test(`${name} is answered with ${status}`, async () => {
      const answer = await ask(lines)

      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
      assert.match(answer, words)
      assert.ok(server.failures.at(-1) instanceof UpgradeRefused)
    })
  }
})
