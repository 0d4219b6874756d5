import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionsFromTable } from './builtin-types.ts'
import type { FieldFacts, TypeFacts, TypeTable } from './builtin-types.ts'
import { createDecoder } from './decode.ts'
import { StatusError } from './status.ts'

const string = { k: 'string' }
function struct(...fields: FieldFacts[]): TypeFacts {
  return { fields }
}
function ref(name: string): { k: string; ref: string } {
  return { k: 'ref', ref: name }
}

// The shape of the real thing in small: one of each way a Go field can be.
const table: TypeTable = {
  kubernetesVersion: 'v0.0.0',
  kinds: [{ group: '', version: 'v1', kind: 'Box', type: 'test.v1.Box' }],
  types: {
    'test.v1.Box': struct(
      { name: 'kind', omitEmpty: true, type: string },
      { name: 'apiVersion', omitEmpty: true, type: string },
      { name: 'metadata', omitEmpty: true, type: ref('test.v1.Meta') },
      { name: 'spec', omitEmpty: true, type: ref('test.v1.BoxSpec') },
      { name: 'status', omitEmpty: true, type: ref('test.v1.BoxStatus') },
    ),
    'test.v1.Meta': struct(
      { name: 'name', omitEmpty: true, type: string },
      { name: 'creationTimestamp', omitEmpty: true, omitZero: true, type: { k: 'Time' } },
      { name: 'labels', omitEmpty: true, type: { k: 'map', of: string } },
    ),
    'test.v1.BoxSpec': struct(
      { name: 'replicas', omitEmpty: true, pointer: true, type: { k: 'int32' } },
      { name: 'items', required: true, type: { k: 'list', of: ref('test.v1.Item') } },
      { name: 'paused', omitEmpty: true, type: { k: 'bool' } },
      { name: 'strategy', omitEmpty: true, type: ref('test.v1.Strategy') },
      { name: 'limits', omitEmpty: true, type: { k: 'map', of: { k: 'Quantity' } } },
      { name: 'data', omitEmpty: true, type: { k: 'map', of: { k: 'bytes' } } },
      { name: 'raw', omitEmpty: true, pointer: true, type: { k: 'RawExtension' } },
      { name: 'selfish', omitEmpty: true, pointer: true, type: ref('test.v1.BoxSpec') },
    ),
    'test.v1.Item': struct(
      { name: 'name', required: true, type: string },
      { name: 'port', omitEmpty: true, type: { k: 'IntOrString' } },
      { name: 'at', omitEmpty: true, type: { k: 'Time' } },
      { name: 'micro', omitEmpty: true, pointer: true, type: { k: 'MicroTime' } },
      { name: 'count', omitEmpty: true, type: { k: 'int64' } },
    ),
    'test.v1.Strategy': struct({ name: 'type', omitEmpty: true, type: string }),
    'test.v1.BoxStatus': struct({ name: 'ready', required: true, type: { k: 'int32' } }, { name: 'phase', omitEmpty: true, type: string }),
  },
}
const { definitions, schemaOf } = definitionsFromTable(table)
const decoder = createDecoder(definitions)
const box = schemaOf('', 'v1', 'Box') ?? assert.fail('no schema')

function textOf(value: unknown): string {
  return JSON.stringify(decoder.decode(box, value).object)
}
function failureOf(value: unknown): string {
  try {
    decoder.decode(box, value)
  } catch (error) {
    assert.ok(error instanceof StatusError)
    assert.equal(error.code, 400)
    return error.message
  }
  return 'no failure'
}
const head = 'Box in version "v1" cannot be handled as a Box: '

describe('decode', () => {
  it('writes what Go writes for an empty object', () => {
    assert.equal(textOf({}), '{"metadata":{},"spec":{"items":null,"strategy":{}},"status":{"ready":0}}')
  })

  it('puts fields into the order of the struct whatever order they came in', () => {
    const value = { status: { phase: 'x', ready: 1 }, spec: { strategy: { type: 'a' }, replicas: 1, items: [] }, apiVersion: 'v1', kind: 'Box', metadata: {} }
    assert.equal(
      textOf(value),
      '{"kind":"Box","apiVersion":"v1","metadata":{},"spec":{"replicas":1,"items":[],"strategy":{"type":"a"}},"status":{"ready":1,"phase":"x"}}',
    )
  })

  it('keeps a zero behind a pointer and drops one that is omitted when empty', () => {
    const { object } = decoder.decode(box, { spec: { replicas: 0, paused: false, items: [{ name: '', count: 0 }], limits: {} } })
    assert.deepEqual(object['spec'], { replicas: 0, items: [{ name: '', port: 0, at: null }], strategy: {} })
  })

  it('takes null for the zero value, also within lists and maps', () => {
    const { object } = decoder.decode(box, { metadata: { labels: { a: null } }, spec: { replicas: null, items: [null], strategy: null, raw: null } })
    assert.deepEqual(object['metadata'], { labels: { a: '' } })
    assert.deepEqual(object['spec'], { items: [{ name: '', port: 0, at: null }], strategy: {} })
  })

  it('reports unknown fields with their paths and drops them', () => {
    const decoded = decoder.decode(box, { foo: 1, spec: { Items: [], items: [{ name: 'a' }, { name: 'b', bar: { x: 1 } }], selfish: { foo: 1 } } })
    assert.deepEqual(decoded.unknownFields, ['foo', 'spec.Items', 'spec.items[1].bar', 'spec.selfish.foo'])
    assert.equal(JSON.stringify(decoded.object).includes('bar'), false)
  })

  it('reports no more than a hundred unknown fields', () => {
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`field${i}`, 1]))
    assert.equal(decoder.decode(box, many).unknownFields.length, 100)
  })

  it('sorts the keys of maps and keeps odd ones from the prototype', () => {
    const value: unknown = JSON.parse('{"metadata":{"labels":{"b":"1","a":"2","__proto__":"3"}}}')
    const { object } = decoder.decode(box, value)
    assert.equal(JSON.stringify(object['metadata']), '{"labels":{"__proto__":"3","a":"2","b":"1"}}')
    assert.equal(Object.getPrototypeOf((object['metadata'] as { labels: object }).labels), Object.prototype)
  })

  it('makes times, quantities and base64 canonical', () => {
    const item = { name: 'a', at: '2026-01-02T03:04:05.678+02:00', micro: '2026-01-02T03:04:05.678901Z', port: 'http' }
    const { object } = decoder.decode(box, {
      spec: { items: [item], limits: { cpu: '1000m', memory: 1024, disk: '1024Mi' }, data: { k: 'YWI=\n', z: 'YWJ=' } },
    })
    assert.deepEqual(object['spec'], {
      items: [{ name: 'a', port: 'http', at: '2026-01-02T01:04:05Z', micro: '2026-01-02T03:04:05.678901Z' }],
      strategy: {},
      limits: { cpu: '1', disk: '1Gi', memory: '1024' },
      data: { k: 'YWI=', z: 'YWI=' },
    })
  })

  it('leaves free JSON as it is', () => {
    const raw = { b: 1, a: [null, { z: null }] }
    assert.equal(JSON.stringify((decoder.decode(box, { spec: { raw } }).object['spec'] as { raw: unknown }).raw), JSON.stringify(raw))
  })

  it('does not share what it rebuilds with its input', () => {
    const labels = { a: 'b' }
    const { object } = decoder.decode(box, { metadata: { labels } })
    assert.notEqual((object['metadata'] as { labels: object }).labels, labels)
  })

  it('names the Go field of a wrong type', () => {
    const wrong: [unknown, string][] = [
      [{ spec: { items: 'x' } }, 'json: cannot unmarshal string into Go struct field BoxSpec.spec.items of type []v1.Item'],
      [{ spec: { items: [{ name: 1 }] } }, 'json: cannot unmarshal number into Go struct field Item.spec.items.name of type string'],
      [{ spec: { replicas: 1.5 } }, 'json: cannot unmarshal number 1.5 into Go struct field BoxSpec.spec.replicas of type int32'],
      [{ spec: { replicas: 2 ** 31 } }, 'json: cannot unmarshal number 2147483648 into Go struct field BoxSpec.spec.replicas of type int32'],
      [{ spec: { paused: 'yes' } }, 'json: cannot unmarshal string into Go struct field BoxSpec.spec.paused of type bool'],
      [{ metadata: { labels: { a: true } } }, 'json: cannot unmarshal bool into Go struct field Meta.metadata.labels of type string'],
      [{ metadata: [] }, 'json: cannot unmarshal array into Go struct field Box.metadata of type v1.Meta'],
      [{ spec: { items: [{ name: 'a', port: {} }] } }, 'json: cannot unmarshal object into Go struct field Item.spec.items.port of type int32'],
      [[], 'json: cannot unmarshal array into Go value of type v1.Box'],
    ]
    for (const [value, text] of wrong) assert.equal(failureOf(value), head + text)
  })

  it('gives the grammar errors of times, quantities and base64', () => {
    assert.equal(
      failureOf({ metadata: { creationTimestamp: 'now' } }),
      `${head}parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"`,
    )
    assert.equal(failureOf({ metadata: { creationTimestamp: '2026-02-29T00:00:00Z' } }), `${head}parsing time "2026-02-29T00:00:00Z": day out of range`)
    assert.equal(
      failureOf({ spec: { limits: { cpu: 'x' } } }),
      `${head}quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    )
    assert.equal(failureOf({ spec: { data: { k: 'a$b=' } } }), `${head}illegal base64 data at input byte 1`)
    assert.equal(failureOf({ spec: { data: { k: 'YWJj$' } } }), `${head}illegal base64 data at input byte 4`)
  })

  it('names the kind and version that the object itself claims', () => {
    assert.match(failureOf({ apiVersion: 'apps/v1beta1', kind: 'Crate', metadata: 1 }), /^Crate in version "v1beta1" cannot be handled as a Box: /)
  })
})
