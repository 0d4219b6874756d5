import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import { collectWhenIdle } from './start-garbage.ts'
import type { Engine } from './start-garbage.ts'

const mebibyte = 1 << 20

function engineOf(state: { heapBytes: number; utilization: number }): { readonly engine: Engine; readonly collections: () => number } {
  let collections = 0
  const engine = { heapBytes: () => state.heapBytes, utilization: () => state.utilization, collect: () => void collections++ }
  return { engine, collections: () => collections }
}

describe('the garbage of a start', () => {
  test('is collected once, when the process idles', async () => {
    const clock = new FakeClock()
    const { engine, collections } = engineOf({ heapBytes: 50 * mebibyte, utilization: 0.1 })
    collectWhenIdle(clock, engine)

    await clock.advance(60_000)

    assert.equal(collections(), 1)
    assert.equal(clock.pending, 0)
  })

  test('is left alone while there are callers who would wait for it', async () => {
    const clock = new FakeClock()
    const state = { heapBytes: 50 * mebibyte, utilization: 0.8 }
    const { engine, collections } = engineOf(state)
    collectWhenIdle(clock, engine)

    await clock.advance(10_000)
    const whileBusy = collections()
    state.utilization = 0.05
    await clock.advance(10_000)

    assert.deepEqual([whileBusy, collections()], [0, 1])
  })

  test('is left to the engine where it is much, and forgotten when the process stops', async () => {
    const clock = new FakeClock()
    const large = engineOf({ heapBytes: 400 * mebibyte, utilization: 0 })
    const stopped = engineOf({ heapBytes: 50 * mebibyte, utilization: 0 })
    collectWhenIdle(clock, large.engine)
    collectWhenIdle(clock, stopped.engine)()

    await clock.advance(60_000)

    assert.deepEqual([large.collections(), stopped.collections(), clock.pending], [0, 0, 0])
  })
})
