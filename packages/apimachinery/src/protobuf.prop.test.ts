import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { arbitraryOf } from '../test/arbitrary-object.ts'
import { realTypes } from '../test/real-types.ts'
import { createDecoder } from './decode.ts'
import type { JsonObject } from './json-value.ts'
import { createProtobufCodec } from './protobuf.ts'
import type { ObjectSchema, Schema } from './schema.ts'
import { StatusError } from './status.ts'

const codec = createProtobufCodec(realTypes.definitions)
const decoder = createDecoder(realTypes.definitions)
// Tables and the like have no protobuf form, a WatchEvent is a frame.
const kinds = realTypes.kinds.filter(
  ({ type, kind }) => kind !== 'WatchEvent' && realTypes.definitions.get(type)?.fields.some((field) => field.number !== undefined) === true,
)

const anyObject = fc
  .constantFrom(...kinds)
  .chain(({ type }) => arbitraryOf(schemaOf(type), realTypes.definitions, 6).map((object) => ({ type, object: decoder.decode(schemaOf(type), object).object })))

function schemaOf(type: string): ObjectSchema {
  const schema = realTypes.definitions.get(type)
  if (schema === undefined) throw new Error(`no definition ${type}`)
  return schema
}

describe('protobuf', () => {
  it('gives back every object of every built-in kind', () => {
    fc.assert(
      fc.property(anyObject, ({ type, object }) => {
        const schema = schemaOf(type)
        const back = decoder.decode(schema, codec.decode(schema, codec.encode(schema, object))).object
        assert.deepEqual(withoutEmpty(back, schema), withoutEmpty(object, schema))
      }),
      { numRuns: 300 },
    )
  })

  it('answers damaged bytes with an object or a StatusError, nothing else', () => {
    fc.assert(
      fc.property(anyObject, fc.nat(), fc.nat(255), ({ type, object }, at, byte) => {
        const schema = schemaOf(type)
        const raw = codec.encode(schema, object)
        raw[at % Math.max(raw.length, 1)] = byte
        for (const damaged of [raw, raw.subarray(0, at % (raw.length + 1))]) {
          try {
            codec.decode(schema, damaged)
          } catch (error) {
            if (!(error instanceof StatusError)) throw error
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})

/** Empty lists and maps leave no trace on the wire: where JSON says `[]` or `{}`, protobuf says nothing. An empty message stays. */
function withoutEmpty(value: unknown, given: Schema): unknown {
  const schema = given.kind === 'ref' ? schemaOf(given.ref) : given
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => withoutEmpty(item, schema.kind === 'list' ? schema.of : schema))
  if (typeof value !== 'object' || value === null) return value
  const kept: JsonObject = {}
  for (const [key, member] of Object.entries(value)) {
    const field = schema.kind === 'object' ? schema.fields.find(({ name }) => name === key)?.schema : undefined
    const inner = withoutEmpty(member, field ?? (schema.kind === 'map' ? schema.of : schema))
    if (inner !== undefined && inner !== null) kept[key] = inner
  }
  return schema.kind === 'map' && Object.keys(kept).length === 0 ? undefined : kept
}
