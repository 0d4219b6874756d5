import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TurnBudget } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import fc from 'fast-check'
import { arrange, encodeObject, metadataBytes } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'

const fields = ['apiVersion', 'kind', 'metadata', 'spec', 'data', 'status'].map((name) => ({ name, schema: { kind: 'any', any: 'json' } }))
const builtin = {
  group: '',
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  schema: { kind: 'object', name: 'Thing', fields },
} as unknown as ResourceDefinition
const custom = { ...builtin, group: 'example.com', custom: true } as unknown as ResourceDefinition

const text = fc.string({ unit: 'grapheme' })
const json = fc.jsonValue({ maxDepth: 4 })
const optional = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(of, { nil: undefined })
const object = fc.record({
  kind: fc.constant('Thing'),
  apiVersion: fc.constant('v1'),
  spec: optional(json),
  data: optional(fc.dictionary(text, text)),
  status: optional(json),
  metadata: fc.record({
    name: text,
    namespace: optional(text),
    resourceVersion: optional(fc.constant('7')),
    annotations: optional(fc.dictionary(fc.oneof(text, fc.constant('resourceVersion')), text)),
    labels: optional(fc.dictionary(text, text)),
    managedFields: optional(fc.array(json)),
  }),
}) as unknown as fc.Arbitrary<ApiObject>

/** Asks for a turn after every piece, and gets one. */
function impatient(): { readonly turns: TurnBudget; readonly taken: () => number } {
  let now = 0
  let taken = 0
  const turns = new TurnBudget({
    clock: { monotonicMs: () => (now += 10) },
    loop: {
      turn: () => 0,
      soon(callback) {
        taken++
        queueMicrotask(callback)
      },
    },
  })
  return { turns, taken: () => taken }
}

for (const [name, definition] of [
  ['of a built-in kind', builtin],
  ['of a custom resource', custom],
] as const) {
  test(`an object ${name} encoded in pieces is what it is encoded to at once, at any revision`, async () => {
    const still = new TurnBudget({ clock: new FakeClock() })
    await fc.assert(
      fc.asyncProperty(object, fc.nat(), async (given, revision) => {
        const stamped = { ...given, metadata: { ...given.metadata, resourceVersion: String(revision) } }
        const encoding = await encodeObject(definition, given, still)
        assert.equal(encoding.at(revision).toString(), JSON.stringify(arrange(definition, stamped)))
      }),
    )
  })
}

test('metadata is found in the bytes of an object without parsing them', () => {
  fc.assert(
    fc.property(object, (given) => {
      const arranged = arrange(builtin, given)
      assert.equal(metadataBytes(builtin, Buffer.from(JSON.stringify(arranged)))?.toString(), JSON.stringify(arranged.metadata))
    }),
  )
})

test('a large object is encoded in more than one turn, and a small one in none of its own', async () => {
  const sized = (size: number): ApiObject =>
    ({ kind: 'Thing', apiVersion: 'v1', metadata: { name: 'a' }, spec: 'x'.repeat(size), status: 'y'.repeat(size) }) as unknown as ApiObject
  const [large, small] = [impatient(), impatient()]
  await encodeObject(builtin, sized(100_000), large.turns)
  await encodeObject(builtin, sized(100), small.turns)
  assert.ok(large.taken() > 0)
  assert.equal(small.taken(), 0)
})
