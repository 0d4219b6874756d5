import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cellAt, cellClockOf, positionsOf, unionOfColumns } from './columns.ts'
import { compareVersions, unionOf, type GroupDiscovery } from './fleet-discovery.ts'
import { formOf } from './fleet-route.ts'
import { textTest } from './search.ts'

const column = (name: string, type = 'string') => ({ name, type, format: '', description: '', priority: 0 })
const row = { createdS: 0, receivedMs: 60_000 }

for (const [name, cell, isRunning, at60, at3660] of [
  ['Age', '""', false, '"60s"', '"61m"'],
  ['Last Seen', '"10s"', false, '"10s"', '"60m"'],
  ['Restarts', '"3 (2m ago)"', false, '"3 (2m ago)"', '"3 (62m ago)"'],
  ['Restarts', '"0"', false, '"0"', '"0"'],
  ['Duration', '"5s"', true, '"5s"', '"60m"'],
  ['Duration', '"5s"', false, '"5s"', '"5s"'],
  ['Last Schedule', '"<none>"', false, '"<none>"', '"<none>"'],
  ['Status', '"5s"', false, '"5s"', '"5s"'],
] as const) {
  test(`a cell ${cell} of ${name}${isRunning ? ', running,' : ''} is ${at3660} an hour later`, () => {
    const clock = cellClockOf(column(name))
    assert.equal(cellAt(cell, clock, row, { nowMs: 60_000, isRunning }), at60)
    assert.equal(cellAt(cell, clock, row, { nowMs: 3_660_000, isRunning }), at3660)
  })
}

test('joins the columns of clusters of several versions by their names', () => {
  const old = ['Name', 'Status', 'Age'].map((name) => column(name))
  const new_ = ['Name', 'Ready', 'Status', 'Age'].map((name) => column(name))
  const other = ['Name', 'Extra'].map((name) => column(name))
  const union = unionOfColumns([old, new_, other])
  assert.deepEqual(
    union.map(({ name }) => name),
    ['Name', 'Ready', 'Status', 'Age', 'Extra'],
  )
  assert.deepEqual(positionsOf(union, old), [0, -1, 1, 2, -1])
})

test('ranks versions as Kubernetes does', () => {
  const ranked = ['v10', 'v2', 'v1', 'v2beta10', 'v2beta1', 'v1beta3', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10']
  assert.deepEqual(ranked.toReversed().toSorted(compareVersions), ranked)
})

const group = (name: string, versions: Readonly<Record<string, readonly [string, string, string][]>>): GroupDiscovery => ({
  metadata: { name },
  versions: Object.entries(versions).map(([version, resources]) => ({
    version,
    resources: resources.map(([resource, kind, scope]) => ({ resource, responseKind: { kind }, scope, verbs: ['create', 'list', 'get', 'watch', 'delete'] })),
  })),
})

test('unites what clusters serve: every version of any, stable ones first, and where two contradict each other the first cluster decides', () => {
  const { groups, resources } = unionOf([
    { groups: [group('a.dev', { v1beta1: [['things', 'Thing', 'Namespaced']] })] },
    {
      groups: [
        group('a.dev', {
          v1: [
            ['things', 'Thing', 'Cluster'],
            ['others', 'Other', 'Cluster'],
          ],
        }),
        group('b.dev', { v1: [['things', 'Thing', 'Cluster']] }),
      ],
    },
  ])
  assert.deepEqual(
    groups.map(({ metadata, versions }) => [
      metadata.name,
      versions.map(({ version, resources: list }) => [version, list?.map(({ resource, scope }) => `${resource} ${scope}`)]),
    ]),
    [
      [
        'a.dev',
        [
          ['v1', ['others Cluster']],
          ['v1beta1', ['things Namespaced']],
        ],
      ],
      ['b.dev', [['v1', ['things Cluster']]]],
    ],
  )
  assert.equal(resources.get('things.a.dev')?.namespaced, true)
})

test('reads what a caller accepts in its order', () => {
  assert.equal(formOf('application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json'), 'Table')
  assert.equal(
    formOf(
      'application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    ),
    'PartialObjectMetadata',
  )
  assert.equal(formOf('application/vnd.kubernetes.protobuf,application/json'), 'Object')
  assert.equal(formOf('*/*'), 'Object')
  assert.throws(() => formOf('application/vnd.kubernetes.protobuf'), /only the following media types/)
})

for (const [value, text, holds] of [
  ['web', 'My-Web-0', true],
  ['w*b', 'web', true],
  ['w*b', 'my-web', false],
  ['*b*a*', 'xbya', true],
  ['a*a', 'a', false],
  ['*', '', true],
  ['a*b*c', 'abbbc', true],
  ['a*bb*bc', 'abbc', false],
] as const) {
  test(`${value} ${holds ? 'matches' : 'does not match'} ${text}`, () => {
    assert.equal(textTest(value)(text), holds)
  })
}

test('a pattern with many stars takes no longer than the text is long', () => {
  const began = performance.now()
  assert.equal(textTest(`${'*a'.repeat(400)}*b`)('a'.repeat(100_000)), false)
  assert.ok(performance.now() - began < 1_000)
})
