import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import { LoginThrottle } from './login-throttle.ts'

test('the pause doubles with every further failure, up to a quarter of an hour, and is forgotten in the end', async () => {
  const clock = new FakeClock()
  const throttle = new LoginThrottle(clock)
  const pauses: number[] = []
  for (let i = 0; i < 16; i++) {
    throttle.attempt('ann', '192.0.2.1')
    pauses.push(Math.round(throttle.waitMs('ann', '192.0.2.1') / 1_000))
  }
  await clock.advance(31 * 60_000)
  throttle.attempt('ann', '192.0.2.1')

  assert.deepEqual(pauses.slice(0, 12), [0, 0, 0, 0, 15, 30, 60, 120, 240, 480, 900, 900])
  assert.equal(throttle.waitMs('ann', '192.0.2.1'), 0)
})

test('an address that tries many names is slowed down for all of them', () => {
  const throttle = new LoginThrottle(new FakeClock())
  for (let i = 0; i < 30; i++) throttle.attempt(`user-${i}`, '192.0.2.1')

  assert.ok(throttle.waitMs('ann', '192.0.2.1') > 0)
  assert.equal(throttle.waitMs('ann', '192.0.2.2'), 0)
})

test('a success takes its own attempt back, and not those of the address', () => {
  const throttle = new LoginThrottle(new FakeClock())
  for (let i = 0; i < 29; i++) throttle.attempt(`user-${i}`, '192.0.2.1')
  for (let i = 0; i < 100; i++) {
    throttle.attempt('ann', '192.0.2.1')
    throttle.takeBack('ann', '192.0.2.1')
    throttle.succeeded('ann', '192.0.2.1')
  }

  assert.equal(throttle.waitMs('bob', '192.0.2.2'), 0)
  throttle.attempt('bob', '192.0.2.1')
  assert.ok(throttle.waitMs('bob', '192.0.2.1') > 0)
})

test('a million names from a million addresses take bounded memory', () => {
  const throttle = new LoginThrottle(new FakeClock())
  for (let i = 0; i < 50_000; i++) throttle.attempt('x'.repeat(1_000) + String(i), `address ${i}`)

  assert.ok(throttle.size <= 10_000)
})
