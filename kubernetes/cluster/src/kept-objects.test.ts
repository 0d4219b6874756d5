import { silentLogger } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepObjects, serviceIntervalMs, systemIntervalMs } from './kept-objects.ts'

test('looks for each object at its own pace, goes on after a failure, and never after its end', async () => {
  const clock = new FakeClock()
  const looks: string[] = []
  const keeper = keepObjects({ clock, log: silentLogger }, [
    { what: 'service', everyMs: serviceIntervalMs, ensure: () => Promise.reject(new Error(`look ${looks.push('service')}`)) },
    { what: 'namespaces', everyMs: systemIntervalMs, ensure: async () => void looks.push('namespaces') },
  ])

  for (let second = 0; second < 60; second++) await clock.advance(1_000)
  assert.deepEqual(looks, [...Array<string>(6).fill('service'), 'namespaces'])

  await keeper[Symbol.asyncDispose]()
  await clock.advance(systemIntervalMs)
  assert.equal(looks.length, 7)
})
