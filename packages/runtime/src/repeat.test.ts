import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { repeat, repeating } from './repeat.ts'
import { FakeClock, settle } from './testing/index.ts'

const unexpected = (error: unknown): void => assert.fail(error as Error)

describe('what is repeated', () => {
  test('begins after one interval, and comes again an interval after the work has ended', async () => {
    const clock = new FakeClock()
    const begun: number[] = []
    await using _ = repeat(
      { clock },
      {
        everyMs: 1_000,
        work: () => {
          begun.push(clock.monotonicMs())
          return clock.sleep(300)
        },
        failed: unexpected,
      },
    )
    await clock.advance(4_000)
    assert.deepEqual(begun, [1_000, 2_300, 3_600])
  })

  test('begins in the same turn when it is to begin at once', async () => {
    const clock = new FakeClock()
    let times = 0
    await using _ = repeat({ clock }, { everyMs: 1_000, firstAfterMs: 0, work: () => void times++, failed: unexpected })
    assert.equal(times, 1)
    await clock.advance(2_000)
    assert.equal(times, 3)
  })

  test('begins after a time of its own', async () => {
    const clock = new FakeClock()
    const begun: number[] = []
    await using _ = repeat({ clock }, { everyMs: 1_000, firstAfterMs: 10, work: () => void begun.push(clock.monotonicMs()), failed: unexpected })
    await clock.advance(2_500)
    assert.deepEqual(begun, [10, 1_010, 2_010])
  })

  test('tells a failure, thrown or rejected, and goes on', async () => {
    const clock = new FakeClock()
    const failures: unknown[] = []
    let times = 0
    await using _ = repeat(
      { clock },
      {
        everyMs: 1_000,
        work: () => {
          if (++times === 1) throw new Error('thrown')
          return times === 2 ? Promise.reject(new Error('rejected')) : undefined
        },
        failed: (error) => failures.push((error as Error).message),
      },
    )
    await clock.advance(3_000)
    assert.deepEqual(failures, ['thrown', 'rejected'])
    assert.equal(times, 3)
  })

  test('stops between two times, and leaves no timer', async () => {
    const clock = new FakeClock()
    const running = repeat({ clock }, { everyMs: 1_000, work: () => assert.fail('worked after the stop'), failed: unexpected })
    await running[Symbol.asyncDispose]()
    await running.done
    assert.equal(clock.pending, 0)
    await clock.advance(5_000)
  })

  test('is stopped only once the work under way has ended, which is told to; what that throws is no failure', async () => {
    const clock = new FakeClock()
    const work = Promise.withResolvers<void>()
    let given: AbortSignal | undefined
    const running = repeat(
      { clock },
      {
        everyMs: 1_000,
        work: (signal) => {
          given = signal
          return work.promise
        },
        failed: unexpected,
      },
    )
    await clock.advance(1_000)
    assert.equal(given?.aborted, false)

    let isStopped = false
    const stopped = running[Symbol.asyncDispose]().then(() => (isStopped = true))
    await settle()
    assert.equal(given.aborted, true)
    assert.equal(isStopped, false)

    work.reject(new Error('it was aborted'))
    await stopped
    await running.done
    await running[Symbol.asyncDispose]()
    assert.equal(clock.pending, 0)
  })
})

test('a repeating service does nothing before it is started, and anew at every start', async () => {
  const clock = new FakeClock()
  let times = 0
  const service = repeating({ clock }, { name: 'sweeper', everyMs: 1_000, firstAfterMs: 0, work: () => void times++, failed: unexpected })
  assert.equal(service.name, 'sweeper')
  assert.equal(times, 0)
  for (const expected of [1, 2]) {
    const running = await service.start({ signal: new AbortController().signal })
    assert.equal(times, expected)
    await running[Symbol.asyncDispose]()
  }
})
