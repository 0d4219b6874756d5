import { FakeClock } from '@gantry/runtime/testing'
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { RequestDeadline } from './request-deadline.ts'

class Overdue extends Error {}
const limitMs = 60_000
const options = { limitMs, overdue: () => new Overdue() }

describe('RequestDeadline', () => {
  test('gives the outcome of what is done in time, and an error as it is', async () => {
    const deadline = new RequestDeadline(new FakeClock(), options)

    assert.equal(await deadline.limit(0, Promise.resolve('done')), 'done')
    await assert.rejects(deadline.limit(0, Promise.reject(new Error('broken'))), { message: 'broken' })
  })

  test('gives up on each request when its own time is over', async () => {
    const clock = new FakeClock()
    const deadline = new RequestDeadline(clock, options)
    const never = new Promise<never>(() => {})
    const overdue: string[] = []
    const wait = (name: string): void => {
      deadline.limit(clock.monotonicMs(), never).catch((error: unknown) => overdue.push(error instanceof Overdue ? name : 'another error'))
    }

    wait('first')
    await clock.advance(20_000)
    wait('second')
    await clock.advance(39_999)
    assert.deepEqual(overdue, [])
    await clock.advance(1)
    assert.deepEqual(overdue, ['first'])
    await clock.advance(20_000)
    assert.deepEqual(overdue, ['first', 'second'])
  })

  test('watches again after a time without requests', async () => {
    const clock = new FakeClock()
    const deadline = new RequestDeadline(clock, options)
    await deadline.limit(clock.monotonicMs(), Promise.resolve())
    await clock.advance(10 * limitMs)
    const late = assert.rejects(deadline.limit(clock.monotonicMs(), new Promise<never>(() => {})), Overdue)

    await clock.advance(limitMs)
    await late
  })
})
