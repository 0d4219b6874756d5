import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SwaggerMerger, swaggerBelow } from './foreign-swagger.ts'

const ref = (name: string): object => ({ $ref: `#/definitions/${name}` })
const kind = (group: string): object => ({ group, version: 'v1', kind: 'DeleteOptions' })

test('takes what stands below a path with the types that it needs', () => {
  const document = {
    paths: { '/apis/a/v1/x': { get: ref('X') }, '/apis/a/v2/y': { get: ref('Y') } },
    definitions: { X: { properties: { inner: ref('Inner') } }, Inner: { type: 'string' }, Y: { type: 'object' }, Loose: { type: 'integer' } },
  }

  const part = swaggerBelow(document, '/apis/a/v1/')

  assert.deepEqual([Object.keys(part?.paths ?? {}), Object.keys(part?.definitions ?? {})], [['/apis/a/v1/x'], ['X', 'Inner', 'Loose']])
})

test('gives types that are others here new names, and shares those that differ in texts and kinds alone', () => {
  const shared = new Map<string, Record<string, unknown>>([
    ['Options', { type: 'object', 'x-kubernetes-group-version-kind': [kind('b')] }],
    ['Thing', { type: 'object', properties: { description: { type: 'string' } } }],
  ])
  const merger = new SwaggerMerger({ paths: new Set(['/own']), definitions: new Set(['Options', 'Thing']), shared })
  const source = {
    paths: { '/own': { get: ref('Thing') }, '/other': { get: ref('Thing'), delete: ref('Options') } },
    definitions: {
      Options: { type: 'object', description: 'How.', 'x-kubernetes-group-version-kind': [kind('b'), kind('a')] },
      Thing: { type: 'object', properties: {} },
    },
  }

  merger.add(source)

  assert.deepEqual(Object.fromEntries(merger.paths), { '/other': { get: ref('Thing_v2'), delete: ref('Options') } })
  assert.deepEqual(Object.fromEntries(merger.definitions), {
    Options: { type: 'object', 'x-kubernetes-group-version-kind': [kind('a'), kind('b')] },
    Thing: shared.get('Thing'),
    Thing_v2: { type: 'object', properties: {} },
  })
})
