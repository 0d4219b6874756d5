import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { arbitraryOf } from '../test/arbitrary-object.ts'
import { realSchema, realTypes } from '../test/real-types.ts'
import { applyPatch } from './apply.ts'
import { createDecoder } from './decode.ts'
import {
  fieldSetHas,
  fieldSetOfPaths,
  intersectFieldSets,
  isEmptyFieldSet,
  parseFieldSet,
  pathsOf,
  subtractFieldSet,
  subtractFieldSetRecursively,
  unionFieldSets,
} from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { isJsonObject } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { mergeTypeOf } from './merge-type.ts'
import { diffObjects, fieldSetOf } from './object-diff.ts'

const element = fc.constantFrom('f:a', 'f:b', 'f:ü', 'k:{"name":"x"}', 'k:{"name":"y"}', 'k:{"port":10}', 'k:{"port":9}', 'v:"s"', 'v:2', 'v:10', 'i:0')
const paths = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 })

/** The model: a set of paths is a set of texts. */
function textsOf(set: FieldSet): Set<string> {
  return new Set([...pathsOf(set)].map((path) => path.join('\n')))
}

describe('field sets', () => {
  it('are sets of paths', () => {
    fc.assert(
      fc.property(paths, paths, (left, right) => {
        const [a, b] = [fieldSetOfPaths(left), fieldSetOfPaths(right)]
        const [aTexts, bTexts] = [textsOf(a), textsOf(b)]
        assert.deepEqual(aTexts, new Set(left.map((path) => path.join('\n'))))
        assert.deepEqual(textsOf(unionFieldSets(a, b)), new Set([...aTexts, ...bTexts]))
        assert.deepEqual(textsOf(intersectFieldSets(a, b)), new Set([...aTexts].filter((text) => bTexts.has(text))))
        assert.deepEqual(textsOf(subtractFieldSet(a, b)), new Set([...aTexts].filter((text) => !bTexts.has(text))))
        const below = [...aTexts].filter((text) => ![...bTexts].some((other) => text === other || text.startsWith(`${other}\n`)))
        assert.deepEqual(textsOf(subtractFieldSetRecursively(a, b)), new Set(below))
        for (const path of left) assert.ok(fieldSetHas(a, path))
      }),
    )
  })

  it('have one text each, whatever order they were built in', () => {
    fc.assert(
      fc.property(paths, (list) => {
        const set = fieldSetOfPaths(list)
        assert.equal(JSON.stringify(fieldSetOfPaths(list.toReversed())), JSON.stringify(set))
        assert.equal(JSON.stringify(parseFieldSet(JSON.parse(JSON.stringify(set)))), JSON.stringify(set))
      }),
    )
  })
})

const schema = realSchema('v1', 'Service')
const { definitions } = realTypes
const decoder = createDecoder(definitions)
const anyService = arbitraryOf(schema, definitions, 4).map((object) => {
  const service = withKeys(object) as JsonObject
  const metadata = { ...(service['metadata'] as JsonObject | undefined), name: 's', namespace: 'n' }
  return { ...service, apiVersion: 'v1', kind: 'Service', metadata }
})
const keysOfLists: Readonly<Record<string, (index: number) => JsonObject>> = {
  ports: (index) => ({ port: index, protocol: 'TCP' }),
  conditions: (index) => ({ type: `t${index}` }),
  ownerReferences: (index) => ({ uid: `u${index}` }),
}

/** Items of keyed lists with keys of their own (upstream prunes an item whose key is only a default, and so do we), sets without duplicates. */
function withKeys(value: unknown): unknown {
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => {
      if (!Array.isArray(member)) return [name, withKeys(member)]
      const keys = keysOfLists[name]
      if (keys === undefined) return [name, [...new Set<unknown>(member)]]
      return [name, (member as JsonObject[]).map((item, index) => ({ ...item, ...keys(index) }))]
    }),
  )
}

describe('diffObjects', () => {
  it('says the same in both directions', () => {
    fc.assert(
      fc.property(anyService, anyService, (a, b) => {
        const type = mergeTypeOf(schema, definitions)
        const forth = diffObjects(a, b, type)
        const back = diffObjects(b, a, type)
        assert.deepEqual(forth.added, back.removed)
        assert.deepEqual(forth.removed, back.added)
        assert.deepEqual(forth.modified, back.modified)
        assert.ok(isEmptyFieldSet(diffObjects(a, structuredClone(a), type).added))
      }),
    )
  })
})

describe('applyPatch', () => {
  function apply(live: JsonObject | undefined, patch: JsonObject, manager: string): JsonObject {
    const applied = applyPatch({ live, patch, schema, definitions, apiVersion: 'v1', kind: 'Service', manager, force: true, now: new Date(0) })
    const { object } = decoder.decode(schema, applied.object)
    return { ...object, metadata: { ...(object['metadata'] as JsonObject), uid: 'u', managedFields: applied.managedFields } }
  }

  it('applying twice is applying once, and everybody owns what he applied last', () => {
    fc.assert(
      fc.property(anyService, anyService, (first, second) => {
        const live = apply(apply(undefined, first, 'a'), second, 'b')
        assert.deepEqual(apply(live, second, 'b'), live)
        const claim = fieldSetOf(second, mergeTypeOf(schema, definitions))
        const entry = ((live['metadata'] as JsonObject)['managedFields'] as { manager: string; fieldsV1: FieldSet }[]).find(({ manager }) => manager === 'b')
        assert.ok(isEmptyFieldSet(subtractFieldSet(entry?.fieldsV1 ?? {}, claim)))
      }),
      { numRuns: 200 },
    )
  })
})
