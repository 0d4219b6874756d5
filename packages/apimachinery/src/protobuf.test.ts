import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { realSchema, realTypes } from '../test/real-types.ts'
import { createDecoder } from './decode.ts'
import type { JsonObject } from './json-value.ts'
import { createProtobufCodec } from './protobuf.ts'
import type { ObjectSchema } from './schema.ts'
import { isReason } from './status.ts'

/** What kubectl 1.32.4 sends, recorded; the objects are what Go decodes from these bytes. */
const recorded = JSON.parse(readFileSync(new URL('../test/kubectl-1.32-bodies.json', import.meta.url), 'utf8')) as readonly {
  readonly command: string
  readonly hex: string
  readonly object: JsonObject
}[]

const codec = createProtobufCodec(realTypes.definitions)
const decoder = createDecoder(realTypes.definitions)

function decodeBody(bytes: Buffer): JsonObject {
  const { apiVersion, kind, raw } = codec.decodeEnvelope(bytes)
  return { apiVersion, kind, ...codec.decode(realSchema(apiVersion, kind), raw) }
}

describe('protobuf', () => {
  for (const { command, hex, object } of recorded) {
    it(`reads and writes what "${command}" sends as Go does`, () => {
      const bytes = Buffer.from(hex, 'hex')
      const { apiVersion, kind } = codec.decodeEnvelope(bytes)
      const schema = realSchema(apiVersion, kind)

      const decoded = decoder.decode(schema, decodeBody(bytes)).object

      assert.deepEqual(decoded, object)
      assert.equal(codec.encodeEnvelope(apiVersion, kind, codec.encode(schema, decodeBody(bytes))).toString('hex'), hex)
    })
  }

  it('skips fields it does not know, groups too', () => {
    const known = codec.encode(realSchema('v1', 'ConfigMap'), { data: { a: 'b' } })
    // Field 200 as a varint, field 201 as a group with a string in it, field 202 as fixed32.
    const unknown = Buffer.from('c00c05cb0c0a0178cc0cd50c01020304', 'hex')

    assert.deepEqual(codec.decode(realSchema('v1', 'ConfigMap'), Buffer.concat([unknown, known])), { data: { a: 'b' }, metadata: {} })
  })

  it('keeps int64 values up to 2^53 and negative ones', () => {
    const schema = realSchema('v1', 'Pod')
    for (const value of [0, -1, 9_007_199_254_740_991, -9_007_199_254_740_991]) {
      const spec = { terminationGracePeriodSeconds: value }
      const back = codec.decode(schema, codec.encode(schema, { spec }))['spec'] as JsonObject
      assert.equal(back['terminationGracePeriodSeconds'], value)
    }
  })

  it('writes a map key named __proto__ as data', () => {
    const schema = realSchema('v1', 'ConfigMap')
    const data = JSON.parse('{"__proto__":"x","constructor":"y"}') as JsonObject
    const back = codec.decode(schema, codec.encode(schema, { data }))['data'] as JsonObject

    assert.deepEqual(Object.entries(back), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ])
    assert.equal(Object.getPrototypeOf(back), Object.prototype)
  })

  it('keeps the unions of JSON schemas apart', () => {
    const schema = realSchema('apiextensions.k8s.io/v1', 'CustomResourceDefinition')
    const openAPIV3Schema = {
      type: 'object',
      maximum: 1.5,
      default: { a: [1] },
      enum: [1, 'x', null],
      additionalProperties: false,
      additionalItems: true,
      items: { type: 'string' },
      properties: {
        open: { additionalProperties: { type: 'integer' } },
        tuple: { items: [{ type: 'string' }, { type: 'integer' }] },
      },
      dependencies: { a: ['b', 'c'], d: { required: ['e'] } },
    }
    const object = decoder.decode(schema, { spec: { versions: [{ name: 'v1', schema: { openAPIV3Schema } }] } }).object

    assert.deepEqual(decoder.decode(schema, codec.decode(schema, codec.encode(schema, object))).object, object)
  })

  it('reads and writes durations as nanoseconds', () => {
    const schema: ObjectSchema = { kind: 'object', fields: [{ name: 'wait', schema: { kind: 'scalar', scalar: 'duration' }, number: 1, pointer: true }] }
    for (const wait of ['0s', '1h0m0s', '1.5s', '-2m3.000000001s', '100µs', '7ns', '250ms']) {
      assert.deepEqual(codec.decode(schema, codec.encode(schema, { wait })), { wait })
    }
  })

  it('reads packed lists of numbers', () => {
    const schema: ObjectSchema = { kind: 'object', fields: [{ name: 'list', schema: { kind: 'list', of: { kind: 'scalar', scalar: 'int64' } }, number: 3 }] }

    assert.deepEqual(codec.decode(schema, Buffer.from('1a0501ffff0302', 'hex')), { list: [1, 65535, 2] })
    assert.equal(codec.encode(schema, { list: [1, 300] }).toString('hex'), '180118ac02')
  })

  it('refuses embedded objects that are no JSON, times no calendar has, and broken frames', () => {
    const raw: ObjectSchema = { kind: 'object', fields: [{ name: 'raw', schema: { kind: 'any', any: 'rawExtension' }, number: 1 }] }
    const time: ObjectSchema = { kind: 'object', fields: [{ name: 'at', schema: { kind: 'scalar', scalar: 'time' }, number: 1 }] }

    assert.throws(() => codec.decode(raw, Buffer.from('0a050a036b3873', 'hex')), { reason: 'BadRequest' })
    assert.throws(() => codec.decode(time, Buffer.from('0a0a08ffffffffffffffff7f', 'hex')), { reason: 'BadRequest' })
    assert.throws(() => codec.decodeWatchFrame(Buffer.from('000000090a', 'hex')), { reason: 'BadRequest', message: 'unexpected EOF' })
  })

  it('writes a list in parts as it would in one piece', () => {
    const list = realTypes.definitions.get('io.k8s.api.core.v1.ConfigMapList')
    assert.ok(list !== undefined)
    for (const count of [0, 1, 300]) {
      const items = Array.from({ length: count }, (_, at) => ({ metadata: { name: `config-${at}` }, data: { a: 'b'.repeat(at) } }))
      const metadata = { resourceVersion: '7' }
      const parts = codec.encodeList(
        { apiVersion: 'v1', kind: 'ConfigMapList' },
        codec.encode(list, { metadata, items: [] }),
        items.map((item) => codec.encodeItem(realSchema('v1', 'ConfigMap'), item)),
      )
      assert.deepEqual(Buffer.concat(parts), codec.encodeEnvelope('v1', 'ConfigMapList', codec.encode(list, { metadata, items })))
    }
  })

  it('frames watch events', () => {
    const envelope = codec.encodeEnvelope('v1', 'ConfigMap', codec.encode(realSchema('v1', 'ConfigMap'), { data: { a: 'b' } }))
    const frame = codec.encodeWatchFrame('ADDED', envelope)

    assert.equal(frame.readUInt32BE(0), frame.length - 4)
    assert.deepEqual(codec.decodeWatchFrame(frame), { type: 'ADDED', envelope })
  })

  const refused: readonly (readonly [what: string, hex: string, message: string])[] = [
    ['an empty body', '', 'empty data'],
    ['a body without the magic', '7b7d', 'provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]'],
    ['a truncated length', '6b3873000a0f0a02', 'unexpected EOF'],
    ['a length past the end', '6b38730012ffffffff0f', 'unexpected EOF'],
    ['a field number of zero', '6b38730002', 'proto: illegal tag 0 (wire type 2)'],
    ['a wrong wire type', '6b38730010', 'proto: wrong wireType = 0 for field Unknown'],
    ['a varint without an end', '6b387300ffffffffffffffffffffffff', 'proto: integer overflow'],
  ]
  for (const [what, hex, message] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => codec.decodeEnvelope(Buffer.from(hex, 'hex')), { reason: 'BadRequest', message })
    })
  }

  it('refuses messages that nest without end', () => {
    const schema = realTypes.definitions.get('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps')
    const number = schema?.fields.find((field) => field.name === 'not')?.number
    assert.ok(schema !== undefined && number !== undefined)
    let raw = Buffer.alloc(0)
    for (let level = 0; level < 600; level++) raw = Buffer.concat([varint((number << 3) | 2), varint(raw.length), raw])

    assert.throws(
      () => codec.decode(schema, raw),
      (error) => isReason(error, 'BadRequest'),
    )
  })
})

function varint(value: number): Buffer {
  const digits: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    digits.push(rest < 0x80 ? rest : (rest & 0x7f) | 0x80)
    if (rest < 0x80) return Buffer.from(digits)
  }
}
