import assert from 'node:assert/strict'
import { test } from 'node:test'
import { humanDuration, timestampMs } from './age.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

// The expected texts are those of upstream's TestHumanDuration.
const durations: readonly (readonly [number, string])[] = [
  [-2 * second, '<invalid>'],
  [-1_900, '0s'],
  [0, '0s'],
  [second, '1s'],
  [70 * second, '70s'],
  [190 * second, '3m10s'],
  [2 * minute, '2m'],
  [70 * minute, '70m'],
  [3 * hour, '3h'],
  [4 * hour + 5 * minute, '4h5m'],
  [47 * hour + 40 * minute, '47h'],
  [49 * hour, '2d1h'],
  [8 * day + 2 * hour, '8d'],
  [367 * day, '367d'],
  [365 * 2 * day + 25 * day, '2y25d'],
  [365 * 8 * day + 2 * day, '8y'],
]

for (const [ms, text] of durations) {
  test(`says ${text} for ${ms} ms`, () => assert.equal(humanDuration(ms), text))
}

test('has no time for a missing or broken timestamp', () => {
  assert.equal(timestampMs(undefined), undefined)
  assert.equal(timestampMs(null), undefined)
  assert.equal(timestampMs('yesterday'), undefined)
})
