import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crashLoopBackOff, goDuration, raised, waitUntil } from './back-off.ts'
import type { BackOffEntry } from './back-off.ts'

test('a container that crashes at once waits 0, 10, 20, 40, 80, 160 and then 300 seconds', () => {
  const waits: number[] = []
  let entry: BackOffEntry | undefined
  let nowMs = 0
  for (let crash = 0; crash < 8; crash++) {
    const until = waitUntil(entry, nowMs, nowMs, crashLoopBackOff)
    waits.push(((until ?? nowMs) - nowMs) / 1_000)
    const endedAtMs = nowMs
    nowMs = until ?? nowMs
    entry = raised(entry, endedAtMs, nowMs, crashLoopBackOff)
  }

  assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300])
})

test('ten minutes of running well start the pauses over', () => {
  const entry = { delayMs: 300_000, raisedAtMs: 0 }
  const endedAtMs = 600_001

  assert.equal(waitUntil(entry, endedAtMs, endedAtMs, crashLoopBackOff), undefined)
  assert.equal(raised(entry, endedAtMs, endedAtMs, crashLoopBackOff).delayMs, 10_000)
})

test('writes durations as Go does', () => {
  assert.deepEqual([20, 1_000, 10_000, 160_000, 300_000, 1_234, 3_661_000].map(goDuration), ['20ms', '1s', '10s', '2m40s', '5m0s', '1.234s', '1h1m1s'])
})
