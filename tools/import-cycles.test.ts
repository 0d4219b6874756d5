import assert from 'node:assert/strict'
import { test } from 'node:test'
import { importCycles } from './import-cycles.ts'

function cyclesOf(edges: Readonly<Record<string, readonly string[]>>): string[][] {
  return importCycles(new Map(Object.entries(edges)))
}

test('finds none where modules only share what they import', () => {
  assert.deepEqual(cyclesOf({ a: ['b', 'c'], b: ['d'], c: ['d'], d: [] }), [])
})

test('finds each cycle once, as a shortest round trip', () => {
  const edges = { a: ['b'], b: ['c', 'a'], c: ['a'], d: ['a', 'e'], e: ['d'] }

  assert.deepEqual(cyclesOf(edges), [
    ['a', 'b'],
    ['d', 'e'],
  ])
})

test('finds a module that imports itself', () => {
  assert.deepEqual(cyclesOf({ a: ['a'] }), [['a']])
})

test('survives a chain deeper than the call stack', () => {
  const chain = new Map(Array.from({ length: 20_000 }, (_, at) => [String(at), [String(at + 1)]]))

  assert.deepEqual(importCycles(chain), [])
})
