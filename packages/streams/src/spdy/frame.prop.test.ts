import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeDataHead, encodeGoAway, encodePing, encodeReset, encodeSynReply, encodeSynStream, FrameReader } from './frame.ts'
import type { Frame } from './frame.ts'
import { decodeHeaders, encodeHeaders, HeaderPacker, HeaderUnpacker } from './header-block.ts'
import { SpdyProtocolError } from './protocol-error.ts'

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const streamId = fc.integer({ min: 1, max: 0x7fffffff })
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const frames = fc.oneof(
  fc.record({ type: fc.constant('synStream' as const), streamId, isFin: fc.constant(false), headerBlock: bytes }),
  fc.record({ type: fc.constant('synReply' as const), streamId, isFin: fc.constant(false), headerBlock: bytes }),
  fc.record({ type: fc.constant('reset' as const), streamId, status: fc.nat() }),
  fc.record({ type: fc.constant('ping' as const), id: fc.nat() }),
  fc.record({ type: fc.constant('goAway' as const), lastStreamId: fc.nat(), status: fc.nat() }),
  fc.record({ type: fc.constant('data' as const), streamId, isFin: fc.boolean(), bytes }),
)

function encode(frame: Exclude<Frame, { type: 'headers' }>): Buffer {
  switch (frame.type) {
    case 'synStream':
      return encodeSynStream(frame.streamId, frame.headerBlock)
    case 'synReply':
      return encodeSynReply(frame.streamId, frame.headerBlock)
    case 'reset':
      return encodeReset(frame.streamId, frame.status)
    case 'ping':
      return encodePing(frame.id)
    case 'goAway':
      return encodeGoAway(frame.lastStreamId, frame.status)
    case 'data':
      return Buffer.concat([encodeDataHead(frame.streamId, frame.bytes.length, frame.isFin), frame.bytes])
  }
}

/** Feeds the bytes in pieces of these sizes (in turn) and puts the pieces of data frames together again. */
function read(stream: Buffer, sizes: readonly number[]): unknown[] {
  const reader = new FrameReader()
  const found: Frame[] = []
  let partial: Buffer[] = []
  let left = 0
  for (let offset = 0, turn = 0; offset < stream.length; turn++) {
    const size = sizes[turn % sizes.length]!
    reader.push(stream.subarray(offset, offset + size))
    offset += size
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      if (frame.type !== 'data') {
        found.push(frame)
        continue
      }
      if (left === 0) left = lengths.get(frame.streamId)?.shift() ?? 0
      left -= frame.bytes.length
      partial.push(Buffer.from(frame.bytes))
      if (left > 0) continue
      found.push({ ...frame, bytes: Buffer.concat(partial) })
      partial = []
    }
  }
  return found
}

/** The lengths of the data frames of a stream, in order: what `read` needs to know where one ends. */
const lengths = new Map<number, number[]>()

test('reads back what it wrote, however the bytes were cut', (context) => {
  context.diagnostic(`seed ${seed}`)
  fc.assert(
    fc.property(fc.array(frames, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 5 }), (written, sizes) => {
      lengths.clear()
      for (const frame of written) if (frame.type === 'data') lengths.set(frame.streamId, [...(lengths.get(frame.streamId) ?? []), frame.bytes.length])

      assert.deepEqual(
        read(Buffer.concat(written.map(encode)), sizes),
        written.map((frame) => ({ ...frame })),
      )
    }),
    { seed, numRuns: 300 },
  )
})

test('takes any bytes without another error than its own', (context) => {
  context.diagnostic(`seed ${seed}`)
  const control = fc.tuple(fc.constantFrom(1, 2, 3, 4, 6, 7, 8, 9, 10), fc.nat(3), fc.nat(40), bytes).map(([type, flags, length, payload]) => {
    const head = Buffer.from([0x80, 3, 0, type, flags, 0, 0, length])
    return Buffer.concat([head, payload])
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(bytes, control), { maxLength: 20 }), (chunks) => {
      const reader = new FrameReader()
      try {
        for (const chunk of chunks) {
          reader.push(chunk)
          while (reader.next() !== undefined);
        }
      } catch (error) {
        assert.ok(error instanceof SpdyProtocolError, String(error))
      }
    }),
    { seed, numRuns: 2_000 },
  )
})

test('takes any header block without another error than its own', (context) => {
  context.diagnostic(`seed ${seed}`)
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
      try {
        decodeHeaders(Buffer.from(array))
      } catch (error) {
        assert.ok(error instanceof SpdyProtocolError, String(error))
      }
    }),
    { seed, numRuns: 2_000 },
  )
})

test('packs header blocks that its unpacker reads, block after block', async (context) => {
  context.diagnostic(`seed ${seed}`)
  const headers = fc.dictionary(fc.stringMatching(/^[a-z][a-z-]{0,10}$/), fc.string({ maxLength: 50, unit: 'grapheme' }), { maxKeys: 8 })
  await fc.assert(
    fc.asyncProperty(fc.array(headers, { maxLength: 5 }), async (blocks) => {
      const packer = new HeaderPacker()
      const unpacker = new HeaderUnpacker()
      for (const block of blocks) assert.deepEqual({ ...(await unpacker.unpack(packer.pack(block))) }, { ...block })
      unpacker.close()
    }),
    { seed, numRuns: 50 },
  )
})

test('refuses header blocks that grow or lie', async () => {
  assert.throws(() => decodeHeaders(Buffer.from([0, 0, 1, 0])), /256 headers, the limit is 100/)
  assert.throws(() => decodeHeaders(Buffer.concat([encodeHeaders({ a: '1' }), Buffer.alloc(1)])), /goes on after its last header/)
  const twice = Buffer.concat([encodeHeaders({ a: '1' }), encodeHeaders({ a: '2' }).subarray(4)])
  twice.writeUInt32BE(2, 0)
  assert.throws(() => decodeHeaders(twice), /the header a stands twice/)
  const unpacker = new HeaderUnpacker()
  await assert.rejects(unpacker.unpack(Buffer.from('no zlib at all')), /SPDY: a header block cannot be unpacked/)
})
