import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { encodeDataHead, encodeSynStream } from '../spdy/frame.ts'
import { HeaderPacker } from '../spdy/header-block.ts'
import { createCommandDecoder, type CommandDecoder } from './command-decoder.ts'

const success = '{"metadata":{},"status":"Success"}'

/** A frame as RFC 6455 has it. */
function frame(payload: string | Buffer, how: { readonly opcode?: number; readonly isFin?: boolean; readonly mask?: Buffer } = {}): Buffer {
  const { opcode = 2, isFin = true, mask } = how
  const bytes = Buffer.from(payload)
  const size =
    bytes.length < 126 ? Buffer.of(bytes.length) : bytes.length < 65_536 ? Buffer.from([126, bytes.length >> 8, bytes.length & 255]) : Buffer.alloc(9)
  if (size.length === 9) {
    size.writeUInt8(127, 0)
    size.writeBigUInt64BE(BigInt(bytes.length), 1)
  }
  size.writeUInt8(size.readUInt8(0) | (mask === undefined ? 0 : 0x80), 0)
  const masked = mask === undefined ? bytes : bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0))
  return Buffer.concat([Buffer.of((isFin ? 0x80 : 0) | opcode), size, mask ?? Buffer.alloc(0), masked])
}

const masked = (payload: string | Buffer): Buffer => frame(payload, { mask: Buffer.from([1, 2, 3, 4]) })

function listen(headers: Readonly<Record<string, string>>, options: { readonly input?: boolean } = {}) {
  const heard: string[] = []
  const decoder = createCommandDecoder(new Map(Object.entries(headers)), {
    onOutput: (stream, bytes) => heard.push(`${stream} ${bytes.toString()}`),
    onInput: options.input === true ? (bytes) => heard.push(`stdin ${bytes.toString()}`) : undefined,
    onResize: ({ width, height }) => heard.push(`size ${width}x${height}`),
    onStatus: ({ status, exitCode }) => heard.push(`status ${status} ${exitCode ?? 0}`),
  })
  return { decoder, heard }
}

/** Joins what was cut anew where the pieces came in other sizes. */
function joined(heard: readonly string[]): string[] {
  const whole: string[] = []
  for (const line of heard) {
    const [kind = ''] = line.split(' ', 1)
    const last = whole.at(-1)
    if (last?.startsWith(`${kind} `) === true && (kind === 'stdout' || kind === 'stdin')) whole.push(`${whole.pop()}${line.slice(kind.length + 1)}`)
    else whole.push(line)
  }
  return whole
}

const webSocket = { upgrade: 'websocket', 'sec-websocket-protocol': 'v5.channel.k8s.io' }
const spdy = { upgrade: 'SPDY/3.1', 'x-stream-protocol-version': 'v4.channel.k8s.io' }

function webSocketConversation(decoder: CommandDecoder, piece: number): void {
  feed((bytes) => decoder.fromClient(bytes), [masked('\u0004{"Width":120,"Height":40}\n'), masked('\u0000ls\n')], piece)
  const long = Buffer.concat([Buffer.of(1), Buffer.alloc(70_000, 'x')])
  feed(
    (bytes) => decoder.fromServer(bytes),
    [
      frame('\u0001'),
      frame(`\u0001one`, { isFin: false }),
      frame('ping', { opcode: 9 }),
      frame(' two\n', { opcode: 0 }),
      frame('\u0002oops'),
      frame(long),
      frame(Buffer.concat([Buffer.of(255), Buffer.of(0)])),
      frame(`\u0003${success}`),
    ],
    piece,
  )
}

function feed(to: (bytes: Buffer) => void, messages: readonly Buffer[], piece: number): void {
  const all = Buffer.concat(messages)
  for (let at = 0; at < all.length; at += piece) to(all.subarray(at, at + piece))
}

describe('a listener of commands', () => {
  for (const piece of [1, 3, 7, 1_000, 1 << 20]) {
    test(`reads both directions of a WebSocket that comes in pieces of ${piece} bytes`, () => {
      const { decoder, heard } = listen(webSocket, { input: true })
      assert.ok(decoder !== undefined)
      webSocketConversation(decoder, piece)

      assert.deepEqual(joined(heard.filter((line) => !line.startsWith('stderr'))), [
        'size 120x40',
        'stdin ls\n',
        `stdout one two\n${'x'.repeat(70_000)}`,
        'status Success 0',
      ])
      assert.equal(
        heard
          .filter((line) => line.startsWith('stderr'))
          .map((line) => line.slice(7))
          .join(''),
        'oops',
      )
    })

    test(`reads both directions of SPDY that comes in pieces of ${piece} bytes`, () => {
      const { decoder, heard } = listen(spdy, { input: true })
      assert.ok(decoder !== undefined)
      const packer = new HeaderPacker()
      const data = (id: number, text: string, isFin = false): Buffer => Buffer.concat([encodeDataHead(id, text.length, isFin), Buffer.from(text)])
      feed(
        (bytes) => decoder.fromClient(bytes),
        [
          ...['error', 'stdin', 'stdout', 'resize'].map((streamtype, at) => encodeSynStream(2 * at + 1, packer.pack({ streamtype }))),
          data(7, '{"Width":80,"Height":24}\n{"Width":90,"Height":30}\n'),
          data(3, 'exit 3\n', true),
        ],
        piece,
      )
      const status = '{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}'
      feed((bytes) => decoder.fromServer(bytes), [data(5, 'bye\n', true), data(1, status, true)], piece)

      assert.deepEqual(joined(heard), ['size 80x24', 'size 90x30', 'stdin exit 3\n', 'stdout bye\n', 'status Failure 3'])
    })
  }

  test('reads base64 channels', () => {
    const { decoder, heard } = listen({ ...webSocket, 'sec-websocket-protocol': 'base64.channel.k8s.io' })
    feed(
      (bytes) => decoder?.fromServer(bytes),
      [frame(`1${Buffer.from('hello, ').toString('base64')}`, { opcode: 1 }), frame(`1${Buffer.from('you').toString('base64')}`, { opcode: 1 })],
      5,
    )

    assert.deepEqual(joined(heard), ['stdout hello, you'])
  })

  test('leaves standard input unread where nobody wants it', () => {
    const { decoder, heard } = listen(webSocket)
    decoder?.fromClient(masked('\u0000password\n'))
    decoder?.fromClient(masked('\u0004{"Width":80,"Height":24}'))

    assert.deepEqual(heard, ['size 80x24'])
  })

  test('has nothing for what it cannot read: another protocol, a compressed one, a tunnel', () => {
    for (const headers of [
      { upgrade: 'h2c' },
      { ...webSocket, 'sec-websocket-extensions': 'permessage-deflate' },
      { ...webSocket, 'sec-websocket-protocol': 'SPDY/3.1+portforward.k8s.io' },
    ])
      assert.equal(listen(headers).decoder, undefined)
  })

  for (const [name, headers, bytes] of [
    ['a WebSocket with reserved bits', webSocket, Buffer.from([0xf2, 0x01, 0x01])],
    ['a continuation of nothing', webSocket, frame('x', { opcode: 0 })],
    ['a message inside a message', webSocket, Buffer.concat([frame('\u0001a', { isFin: false }), frame('\u0001b')])],
    ['SPDY with a control frame that is too long', spdy, Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff])],
    ['a terminal size that is none', webSocket, frame('\u0004{"Width":"wide"}')],
    ['a status without an end', webSocket, frame(Buffer.concat([Buffer.of(3), Buffer.alloc(70_000, 'x')]))],
  ] as const) {
    test(`throws at ${name}`, () => {
      const { decoder } = listen(headers)

      assert.throws(() => decoder?.fromServer(bytes), Error)
    })
  }

  test('gives up on header blocks that unpack to more than headers are', () => {
    const { decoder } = listen(spdy)
    const packer = new HeaderPacker()

    assert.throws(() => {
      for (let id = 1; id < 100; id += 2) decoder?.fromClient(encodeSynStream(id, packer.pack({ streamtype: 'x'.repeat(2_000) })))
    }, /header blocks of more than|more than 16 streams/)
  })
})
