import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inParallel } from './in-parallel.ts'

test('works on every item and on no more than the limit at once', async () => {
  let atWork = 0
  let most = 0
  const done: number[] = []

  await inParallel([1, 2, 3, 4, 5], { limit: 2 }, async (item) => {
    most = Math.max(most, ++atWork)
    await Promise.resolve()
    atWork--
    done.push(item)
  })

  assert.deepEqual(
    done.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5],
  )
  assert.equal(most, 2)
})

test('rejects with the error of an item', async () => {
  await assert.rejects(
    inParallel(['good', 'bad'], { limit: 2 }, (item) => (item === 'bad' ? Promise.reject(new Error(item)) : Promise.resolve())),
    /bad/,
  )
})
