import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzzyScore, rank } from './fuzzy-match.ts'

const kinds = ['Pod', 'PodDisruptionBudget', 'ReplicaSet', 'ConfigMap', 'CustomResourceDefinition', 'Deployment']
const found = (query: string): readonly string[] => rank(query, kinds, (kind) => [kind])

test('finds nothing when a letter is missing', () => assert.equal(fuzzyScore('podx', 'pod'), undefined))

test('prefers a whole word at the start over the same letters scattered', () => {
  assert.equal(found('pod')[0], 'Pod')
  assert.equal(found('dep')[0], 'Deployment')
})

test('finds a kind by letters that occur in order', () => {
  assert.deepEqual(found('crd'), ['CustomResourceDefinition'])
  assert.equal(found('cfgmap')[0], 'ConfigMap')
})

test('takes every word of the query, in any of the texts', () => {
  const items = [
    { name: 'web', cluster: 'prod' },
    { name: 'web', cluster: 'stage' },
  ]
  assert.deepEqual(
    rank('web prod', items, (item) => [item.name, item.cluster]),
    [items[0]],
  )
})

test('keeps the given order for an empty query', () => assert.deepEqual(found(''), kinds))
