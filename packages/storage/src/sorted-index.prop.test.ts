import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SortedIndex } from './sorted-index.ts'

test('ranks and ranges agree with a sorted array through thousands of inserts and removals', (context) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  context.diagnostic(`seed ${seed}`)

  fc.assert(
    fc.property(fc.array(fc.nat(6_000), { minLength: 3_000, maxLength: 6_000, size: 'max' }), fc.nat(3_000), (numbers, initial) => {
      const start = [...new Set(numbers.slice(0, initial))].map((number) => ({ key: keyOf(number) }))
      const keys = new Set(start.map((item) => item.key))
      const index = SortedIndex.from(start)
      for (const number of numbers.slice(initial)) {
        const key = keyOf(number)
        if (keys.delete(key)) index.remove(key)
        else index.insert({ key: (keys.add(key), key) })
      }
      const sorted = [...keys].sort()

      assert.deepEqual(visited(index, 0, Infinity), sorted)
      assert.equal(index.size, sorted.length)
      for (const prefix of ['', '/', '/1', '/12', '/5999', '/zzz', '~']) {
        const first = sorted.findIndex((key) => key >= prefix)
        const rank = first === -1 ? sorted.length : first
        assert.equal(index.rank(prefix), rank)
        assert.equal(index.rankAfterPrefix(prefix), rank + sorted.filter((key) => key.startsWith(prefix)).length)
      }
      assert.deepEqual(visited(index, 700, 1500), sorted.slice(700, 1500))
    }),
    { seed, numRuns: 8 },
  )
})

function visited(index: SortedIndex<{ readonly key: string }>, start: number, end: number): string[] {
  const keys: string[] = []
  index.visit(start, end, ({ key }) => void keys.push(key))
  return keys
}

function keyOf(number: number): string {
  return `/${number}`
}
