import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deducedType, mergeTypeOf } from './merge-type.ts'
import { diffObjects, fieldSetOf } from './object-diff.ts'
import { mergeObjects, removeFields, validateConfiguration } from './object-merge.ts'
import type { Definitions, Schema } from './schema.ts'

const definitions: Definitions = { get: () => undefined }
const string: Schema = { kind: 'scalar', scalar: 'string' }
const nothing = { added: {}, modified: {}, removed: {} }

const item: Schema = {
  kind: 'object',
  fields: [
    { name: 'name', schema: string },
    { name: 'zone', schema: { ...string, default: 'a' } },
    { name: 'size', schema: { kind: 'scalar', scalar: 'int64' } },
  ],
}
const box: Schema = {
  kind: 'object',
  fields: [
    { name: 'items', schema: { kind: 'list', of: item, listType: 'map', listMapKeys: ['zone', 'name'] } },
    { name: 'tags', schema: { kind: 'list', of: string, listType: 'set' } },
    { name: 'labels', schema: { kind: 'map', of: string } },
    { name: 'free', schema: { kind: 'any', any: 'json' } },
  ],
}
const type = mergeTypeOf(box, definitions)

describe('diffObjects', () => {
  it('tells empty from absent, and not null from null', () => {
    assert.deepEqual(diffObjects({}, { labels: {} }, type), { ...nothing, added: { 'f:labels': {} } })
    assert.deepEqual(diffObjects({ labels: {} }, { labels: null }, type), { ...nothing, modified: { 'f:labels': {} } })
    assert.deepEqual(diffObjects({ labels: null }, { labels: { a: 'b' } }, type), { ...nothing, added: { 'f:labels': { 'f:a': {} } } })
    assert.deepEqual(diffObjects({ labels: null }, { labels: null }, type), nothing)
  })

  it('knows an item by all its keys, defaults included', () => {
    const before = { items: [{ name: 'x', size: 1 }] }
    const after = {
      items: [
        { zone: 'b', name: 'x' },
        { zone: 'a', name: 'x', size: 2 },
      ],
    }

    assert.deepEqual(diffObjects(before, after, type), {
      added: {
        'f:items': {
          'k:{"name":"x","zone":"a"}': { 'f:zone': {} },
          'k:{"name":"x","zone":"b"}': { '.': {}, 'f:name': {}, 'f:zone': {} },
        },
      },
      modified: { 'f:items': { 'k:{"name":"x","zone":"a"}': { 'f:size': {} } } },
      removed: {},
    })
  })

  it('does not see the order of keyed lists and sets', () => {
    const items = [{ name: 'x' }, { name: 'y' }]
    assert.deepEqual(diffObjects({ items, tags: ['a', 'b'] }, { items: items.toReversed(), tags: ['b', 'a'] }, type), nothing)
  })

  it('compares duplicates as one value', () => {
    const twice = { items: [{ name: 'x' }, { name: 'x', size: 1 }] }
    const element = 'k:{"name":"x","zone":"a"}'

    assert.deepEqual(diffObjects(twice, structuredClone(twice), type), nothing)
    assert.deepEqual(diffObjects(twice, { items: [{ name: 'x' }, { name: 'x', size: 2 }] }, type), { ...nothing, modified: { 'f:items': { [element]: {} } } })
    assert.deepEqual(diffObjects(twice, { items: [{ name: 'x' }] }, type), {
      ...nothing,
      added: { 'f:items': { [element]: { '.': {}, 'f:name': {} } } },
      removed: { 'f:items': { [element]: {} } },
    })
    assert.deepEqual(diffObjects({ items: [{ name: 'x' }] }, twice, type), {
      ...nothing,
      added: { 'f:items': { [element]: {} } },
      removed: { 'f:items': { [element]: { '.': {}, 'f:name': {} } } },
    })
  })

  it('follows a free value that changes its shape', () => {
    assert.deepEqual(diffObjects({ free: 1 }, { free: { a: 1 } }, type), { ...nothing, added: { 'f:free': { 'f:a': {} } }, modified: { 'f:free': {} } })
    assert.deepEqual(diffObjects({ free: { a: 1 } }, { free: [1] }, type), { ...nothing, removed: { 'f:free': { 'f:a': {} } }, modified: { 'f:free': {} } })
    assert.deepEqual(diffObjects({ free: [1] }, { free: [1, 2] }, type), { ...nothing, modified: { 'f:free': {} } })
  })

  it('finds nothing in prototypes', () => {
    const after = JSON.parse('{"labels":{"__proto__":"x","constructor":"y"}}') as Record<string, unknown>

    assert.deepEqual(diffObjects({ labels: { a: 'b' } }, after, type), {
      ...nothing,
      added: { 'f:labels': { 'f:__proto__': {}, 'f:constructor': {} } },
      removed: { 'f:labels': { 'f:a': {} } },
    })
  })

  it('says which item has no key', () => {
    const keyless = mergeTypeOf(
      { kind: 'object', fields: [{ name: 'l', schema: { kind: 'list', of: item, listType: 'map', listMapKeys: ['name'] } }] },
      definitions,
    )
    const cases: readonly (readonly [unknown, string])[] = [
      [{}, 'element 0: associative list with keys has an element that omits all key fields ["name"] (and doesn\'t have default values for any key fields)'],
      ['x', 'element 0: associative list with keys may not have non-map elements'],
      [null, 'element 0: associative list with keys may not have a null element'],
    ]
    for (const [bad, message] of cases) assert.throws(() => diffObjects({ l: [] }, { l: [bad] }, keyless), { message })
    for (const [bad, message] of [
      [null, "element 0: associative list without keys has an element that's an explicit null"],
      [[], 'element 0: not supported: associative list with lists as elements'],
      [{}, "element 0: associative list without keys has an element that's a map type"],
    ] as const) {
      assert.throws(() => diffObjects({ tags: [] }, { tags: [bad] }, type), { message })
    }
  })
})

describe('fieldSetOf', () => {
  it('claims leaves, items, keys of maps and what is empty, but no containers', () => {
    const config = { items: [{ name: 'x' }], tags: ['t'], labels: { a: 'b' }, free: { deep: {}, list: [1], none: null } }

    assert.deepEqual(fieldSetOf(config, type), {
      'f:free': { 'f:deep': {}, 'f:list': {}, 'f:none': {} },
      'f:items': { 'k:{"name":"x","zone":"a"}': { '.': {}, 'f:name': {} } },
      'f:labels': { 'f:a': {} },
      'f:tags': { 'v:"t"': {} },
    })
  })
})

describe('mergeObjects', () => {
  const cases: readonly (readonly [live: readonly string[], config: readonly string[], merged: readonly string[]])[] = [
    [['a', 'b'], ['c'], ['a', 'b', 'c']],
    [
      ['a', 'b', 'c'],
      ['c', 'a'],
      ['b', 'c', 'a'],
    ],
    [
      ['a', 'b', 'c', 'd'],
      ['d', 'x', 'b'],
      ['a', 'c', 'd', 'x', 'b'],
    ],
    [[], ['b', 'a'], ['b', 'a']],
    [
      ['a', 'a', 'b'],
      ['b', 'a'],
      ['b', 'a'],
    ],
  ]
  for (const [live, config, merged] of cases) {
    it(`orders ${JSON.stringify(live)} under ${JSON.stringify(config)} as upstream`, () => {
      assert.deepEqual(mergeObjects({ tags: live }, { tags: config }, type)['tags'], merged)
    })
  }

  it('keeps a map that the configuration sets to null', () => {
    assert.deepEqual(mergeObjects({ labels: { a: 'b' } }, { labels: null }, type), { labels: { a: 'b' } })
  })
})

describe('removeFields', () => {
  it('leaves null where a container has lost everything', () => {
    const object = { labels: { a: 'b' }, tags: ['t'], items: [{ name: 'x' }] }
    const fields = { 'f:labels': { 'f:a': {} }, 'f:tags': { 'v:"t"': {} }, 'f:items': { 'k:{"name":"x","zone":"a"}': { 'f:name': {} } } }

    assert.deepEqual(removeFields(object, fields, type), { labels: null, tags: null, items: [null] })
    assert.deepEqual(object, { labels: { a: 'b' }, tags: ['t'], items: [{ name: 'x' }] })
  })
})

describe('validateConfiguration', () => {
  it('names paths and types as upstream prints them', () => {
    assert.deepEqual(validateConfiguration({ items: [{ name: 'x', size: '1' }], labels: { a: 1 }, tags: ['t', 't'], free: { a: [1] } }, type), [
      '.items[name="x",zone="a"].size: expected numeric (int or float), got string',
      '.labels.a: expected string, got &value.valueUnstructured{Value:1}',
      '.tags: duplicate entries for key [="t"]',
    ])
    assert.deepEqual(validateConfiguration({ labels: ['x'], tags: {} }, type), ['.labels: expected map, got &{[x]}', '.tags: expected list, got &{map[]}'])
    assert.deepEqual(validateConfiguration({ anything: [{ goes: null }] }, deducedType), [])
  })
})
