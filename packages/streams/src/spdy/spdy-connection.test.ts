import assert from 'node:assert/strict'
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { constants, createDeflate } from 'node:zlib'
import { FakeClock, settle } from '@gantry/runtime/testing'
import { headerDictionary } from './dictionary.ts'
import { encodeDataHead, encodePing, encodeReset, encodeSynStream } from './frame.ts'
import { HeaderPacker } from './header-block.ts'
import { SpdyConnection } from './spdy-connection.ts'
import type { SpdyOptions } from './spdy-connection.ts'
import type { SpdyStream } from './spdy-stream.ts'

interface Ends {
  readonly client: SpdyConnection
  readonly server: SpdyConnection
  readonly clock: FakeClock
  /** Streams the server was given, in order. */
  readonly accepted: SpdyStream[]
}

function connect(options: Partial<SpdyOptions> = {}): Ends {
  const [near, far] = duplexPair()
  const clock = new FakeClock()
  const accepted: SpdyStream[] = []
  const onStream: SpdyOptions['onStream'] = (headers) => (headers['refuse'] === undefined ? (stream) => accepted.push(stream) : undefined)
  return {
    client: new SpdyConnection(near, { clock }, { role: 'client' }),
    server: new SpdyConnection(far, { clock }, { role: 'server', onStream, ...options }),
    clock,
    accepted,
  }
}

describe('SPDY connection', () => {
  test('opens streams with headers and carries data both ways, each closed on its own', async () => {
    const { client, accepted } = connect()

    const stream = await client.open({ streamtype: 'data', port: '80' })
    const remote = accepted[0]!
    stream.end('question')
    const question = await buffer(remote)
    remote.write('long ')
    remote.end('answer')

    assert.deepEqual({ ...remote.headers }, { streamtype: 'data', port: '80' })
    assert.equal(question.toString(), 'question')
    assert.equal((await buffer(stream)).toString(), 'long answer')
  })

  test('keeps many streams apart', async () => {
    const { client, accepted } = connect()
    const streams = await Promise.all(Array.from({ length: 50 }, (_, i) => client.open({ number: String(i) })))
    for (const stream of accepted) stream.pipe(stream)

    const echoes = await Promise.all(
      streams.map((stream, i) => {
        stream.end(Buffer.alloc(100_000, i))
        return buffer(stream)
      }),
    )

    echoes.forEach((echo, i) => assert.ok(echo.equals(Buffer.alloc(100_000, i))))
  })

  test('says no to streams the server does not want, and to more than the limit', async () => {
    const { client } = connect({ streamLimit: 1 })

    await assert.rejects(client.open({ refuse: 'please' }), /the peer refused the stream \(status 3\)/)
    await client.open({})
    await assert.rejects(client.open({}), /refused/)
  })

  test('gives up a stream that is not answered', async () => {
    const [near] = duplexPair()
    const clock = new FakeClock()
    const client = new SpdyConnection(near, { clock }, { role: 'client' })

    const opening = assert.rejects(client.open({}), /did not accept a stream within 30 s/)
    await clock.advance(30_000)

    await opening
  })

  test('stops reading when a reader lags, and goes on when it has caught up', async () => {
    const { client, accepted } = connect()
    const stream = await client.open({})
    const megabyte = Buffer.alloc(1 << 20, 7)
    let written = 0
    const writing = (async () => {
      for (let i = 0; i < 16; i++) {
        if (!stream.write(megabyte)) await new Promise((resolve) => stream.once('drain', resolve))
        written++
      }
      stream.end()
    })()

    await settle()
    const writtenBeforeReading = written
    const heldBeforeReading = accepted[0]!.readableLength
    const received = await buffer(accepted[0]!)
    await writing

    assert.ok(writtenBeforeReading <= 2, `${writtenBeforeReading} MiB were taken`)
    assert.ok(heldBeforeReading <= 512 << 10, `${heldBeforeReading} bytes were held`)
    assert.equal(received.length, 16 << 20)
  })

  test('goes on reading while it has much to write itself: an echo of both sides does not lock', async () => {
    const { client, accepted } = connect()
    const stream = await client.open({})
    const payload = Buffer.alloc(20 << 20, 'echo ')
    accepted[0]!.pipe(accepted[0]!)

    stream.end(payload)

    assert.ok((await buffer(stream)).equals(payload))
  })

  test('ends the readable side on a reset, after what came before it', async () => {
    const { client, accepted } = connect()
    const stream = await client.open({})
    accepted[0]!.write('last words')
    await settle()

    accepted[0]!.destroy()

    assert.equal((await buffer(stream)).toString(), 'last words')
    assert.equal(stream.wasReset, true)
    await assert.rejects(new Promise((_, reject) => stream.write('x', reject)), /the peer has closed the stream/)
  })

  test('closes in order: what was written arrives, then both sides are over', async () => {
    const { client, server, accepted } = connect()
    const stream = await client.open({})
    accepted[0]!.end('done')
    server.close()

    assert.equal((await buffer(stream)).toString(), 'done')
    assert.equal(await client.closed, undefined)
    assert.equal(await server.closed, undefined)
    await assert.rejects(client.open({}), /the connection has ended/)
  })

  test('cuts off a peer that does not close', async () => {
    const [near] = duplexPair()
    const clock = new FakeClock()
    const connection = new SpdyConnection(near, { clock }, { role: 'server' })

    connection.close()
    await clock.advance(5_000)

    await connection.closed
    assert.equal(near.destroyed, true)
  })

  test('tells open streams when the connection breaks', async () => {
    const [near, far] = duplexPair()
    const client = new SpdyConnection(near, { clock: new FakeClock() }, { role: 'client' })
    new SpdyConnection(far, { clock: new FakeClock() }, { role: 'server', onStream: () => () => {} })
    const stream = await client.open({})
    const failed = assert.rejects(buffer(stream), /broken/)

    near.destroy(new Error('broken'))

    await failed
    assert.match((await client.closed)!.message, /broken/)
  })

  test('pings so often, and not while the last one is stuck', async () => {
    const [near, far] = duplexPair()
    const clock = new FakeClock()
    const connection = new SpdyConnection(near, { clock }, { role: 'server', pingEveryMs: 1_000 })
    const received: Buffer[] = []
    far.on('data', (chunk: Buffer) => received.push(chunk))

    await clock.advance(2_500)
    connection.destroy()
    await clock.advance(5_000)

    assert.deepEqual(Buffer.concat(received), Buffer.concat([encodePing(2), encodePing(4)]))
  })
})

describe('a hostile peer', () => {
  function attack(): { readonly peer: Duplex; readonly server: SpdyConnection; readonly received: () => Buffer } {
    const [peer, far] = duplexPair()
    const received: Buffer[] = []
    peer.on('data', (chunk: Buffer) => received.push(chunk))
    const server = new SpdyConnection(far, { clock: new FakeClock() }, { role: 'server', onStream: () => (stream) => stream.resume() })
    return { peer, server, received: () => Buffer.concat(received) }
  }

  const goAwayWithError = Buffer.from([0x80, 3, 0, 7, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1])

  for (const [name, bytes, error] of [
    ['a control frame that is too long', Buffer.from([0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff]), /a control frame of 16777215 bytes/],
    ['another version', Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]), /version 2, expected 3/],
    ['an unknown frame', Buffer.from([0x80, 3, 0, 99, 0, 0, 0, 0]), /unknown type 99/],
    ['a frame that is too short', Buffer.from([0x80, 3, 0, 1, 0, 0, 0, 2, 0, 0]), /too short for its type/],
    ['a data frame for stream 0', Buffer.alloc(8), /a data frame for stream 0/],
    ['a reset of stream 0', encodeReset(0, 1), /a frame for stream 0/],
    ['a broken header block', encodeSynStream(1, Buffer.from('nonsense')), /cannot be unpacked/],
  ] as const) {
    test(`${name} ends the connection with an error`, async () => {
      const { peer, server, received } = attack()

      peer.write(bytes)

      assert.match((await server.closed)!.message, error)
      await settle()
      assert.deepEqual(received(), goAwayWithError)
    })
  }

  test('a header block that grows a thousandfold ends the connection', async () => {
    const { peer, server } = attack()
    const deflate = createDeflate({ dictionary: headerDictionary, level: 9 })
    const packed: Buffer[] = []
    deflate.on('data', (chunk: Buffer) => packed.push(chunk))
    await new Promise<void>((resolve) => deflate.write(Buffer.alloc(8 << 20), () => deflate.flush(constants.Z_SYNC_FLUSH, resolve)))

    peer.write(encodeSynStream(1, Buffer.concat(packed)))

    assert.match((await server.closed)!.message, /a header block of more than 65536 bytes/)
  })

  test('data for unknown streams and repeated stream ids are shrugged off', async () => {
    const { peer, server, received } = attack()
    const packer = new HeaderPacker()

    peer.write(Buffer.concat([encodeDataHead(77, 3, true), Buffer.from('abc'), encodeSynStream(3, packer.pack({}))]))
    while (received().length === 0) await once(peer, 'data')
    const before = received().length
    peer.write(encodeSynStream(3, packer.pack({})))
    peer.write(encodeSynStream(2, packer.pack({})))
    while (received().length < before + 32) await once(peer, 'data')

    assert.deepEqual(received().subarray(before), Buffer.concat([encodeReset(3, 1), encodeReset(2, 1)]))
    server.destroy()
  })

  test('a flood of pings that are never read stops being answered', async () => {
    const [peer, far] = duplexPair()
    const server = new SpdyConnection(far, { clock: new FakeClock() }, { role: 'server' })
    const pings = Buffer.concat(Array.from({ length: 10_000 }, () => encodePing(1)))
    let taken = 0
    for (let i = 0; i < 100; i++) peer.write(pings, () => taken++)

    await settle(50)

    assert.ok(taken < 60, `${taken} of 100 floods were taken`)
    assert.ok(far.writableLength < 2 << 20)
    server.destroy()
  })
})
