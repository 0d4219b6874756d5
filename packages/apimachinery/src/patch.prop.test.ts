import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { arbitraryOf } from '../test/arbitrary-object.ts'
import { realSchema, realTypes } from '../test/real-types.ts'
import { applyJsonPatch } from './json-patch.ts'
import { isJsonObject, jsonEqual } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { applyMergePatch } from './merge-patch.ts'
import { StatusError } from './status.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

const { value: json } = fc.letrec<{ value: unknown; object: JsonObject }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom<unknown>(1, 'a', true, null), fc.array(tie('value'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'x/y'), tie('value'), { maxKeys: 3 }),
}))
const document = fc.dictionary(fc.constantFrom('a', 'b', 'c'), json, { maxKeys: 3 })
const pointer = fc
  .array(fc.constantFrom('a', 'b', 'c', '0', '1', '-', '-1', '__proto__', 'x~1y'), { maxLength: 3 })
  .map((steps) => steps.map((step) => `/${step}`).join(''))
const operation = fc.record({ op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), path: pointer, from: pointer, value: json })

describe('patches', () => {
  it('a JSON patch changes nothing it was given, and fails as a StatusError', () => {
    fc.assert(
      fc.property(document, fc.array(operation, { maxLength: 5 }), (live, patch) => {
        const before = JSON.stringify([live, patch])
        try {
          applyJsonPatch(live, patch)
        } catch (error) {
          if (!(error instanceof StatusError)) throw error
        }
        assert.equal(JSON.stringify([live, patch]), before)
        assert.deepEqual(Object.keys(Object.prototype), [])
      }),
    )
  })

  it('a merge patch leads from any object to any other that has no null in it', () => {
    fc.assert(
      fc.property(document, document, (from, to) => {
        const [before, target] = [withoutNulls(from), withoutNulls(to)] as [JsonObject, JsonObject]
        assert.ok(jsonEqual(applyMergePatch(before, mergeDiff(before, target)), target))
      }),
    )
  })

  it('a strategic patch that says what is there changes nothing', () => {
    const schema = realSchema('v1', 'Pod')
    fc.assert(
      fc.property(arbitraryOf(schema, realTypes.definitions, 4), (object) => {
        const live = withUniqueItems(object) as JsonObject
        const before = JSON.stringify(live)
        assert.ok(jsonEqual(applyStrategicMergePatch(live, structuredClone(live), { schema, definitions: realTypes.definitions }), live))
        assert.equal(JSON.stringify(live), before)
      }),
    )
  })
})

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls).filter((item) => item !== null)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== null)
      .map(([key, member]) => [key, withoutNulls(member)]),
  )
}

function mergeDiff(from: JsonObject, to: JsonObject): JsonObject {
  const entries: [string, unknown][] = Object.keys(from)
    .filter((key) => !Object.hasOwn(to, key))
    .map((key) => [key, null])
  for (const [key, value] of Object.entries(to)) {
    const current = Object.hasOwn(from, key) ? from[key] : undefined
    if (jsonEqual(current, value)) continue
    entries.push([key, isJsonObject(current) && isJsonObject(value) ? mergeDiff(current, value) : value])
  }
  return Object.fromEntries(entries)
}

/** Lists of one item at most, so that none has two with one key; items get the keys that merging asks for. */
function withUniqueItems(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map((item) => (isJsonObject(item) ? { ...mergeKeys, ...(withUniqueItems(item) as JsonObject) } : item))
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withUniqueItems(member)]))
}

const mergeKeys = { name: 'n', ip: '1', uid: 'u', type: 't', topologyKey: 'k', containerPort: 1, mountPath: '/m', devicePath: '/d', port: 1 }
