import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff, exponentialDelayMs } from './backoff.ts'
import { WorkQueue } from './work-queue.ts'
import type { Clock } from './clock.ts'

function manualClock(): Clock & { advance(ms: number): void } {
  let now = 0
  const timers = new Set<{ readonly atMs: number; readonly callback: () => void }>()
  return {
    now: () => new Date(now),
    monotonicMs: () => now,
    schedule(callback, afterMs) {
      const timer = { atMs: now + afterMs, callback }
      timers.add(timer)
      return () => timers.delete(timer)
    },
    sleep: () => Promise.resolve(),
    advance(ms) {
      now += ms
      const due = [...timers].filter((timer) => timer.atMs <= now).toSorted((a, b) => a.atMs - b.atMs)
      for (const timer of due) {
        timers.delete(timer)
        timer.callback()
      }
    },
  }
}

test('hands keys out once, in order of adding', async () => {
  const queue = new WorkQueue({ clock: manualClock() })

  queue.add('a')
  queue.add('b')
  queue.add('a')

  assert.equal(await queue.take(), 'a')
  assert.equal(await queue.take(), 'b')
  assert.equal(queue.length, 0)
})

test('gives a key that is added while it is worked on to nobody until it is done, then once', async () => {
  const queue = new WorkQueue({ clock: manualClock() })
  queue.add('a')
  await queue.take()

  queue.add('a')
  queue.add('a')
  assert.equal(queue.length, 0)
  queue.done('a')

  assert.equal(queue.length, 1)
  assert.equal(await queue.take(), 'a')
  queue.done('a')
  assert.equal(queue.pending, 0)
})

test('wakes one idle worker per key', async () => {
  const queue = new WorkQueue({ clock: manualClock() })
  const workers = [queue.take(), queue.take()]

  queue.add('a')
  queue.add('a')
  queue.add('b')

  assert.deepEqual(await Promise.all(workers), ['a', 'b'])
  assert.equal(queue.length, 0)
})

test('keeps the earliest of several delays', () => {
  const clock = manualClock()
  const queue = new WorkQueue({ clock })

  queue.addAfter('a', 100)
  queue.addAfter('a', 50)
  queue.addAfter('a', 70)

  clock.advance(49)
  assert.equal(queue.length, 0)
  clock.advance(1)
  assert.equal(queue.length, 1)
  clock.advance(100)
  assert.equal(queue.length, 1)
})

test('delays a failing key by 5 ms doubling to 1000 s, and from the start after forget', async () => {
  const clock = manualClock()
  const queue = new WorkQueue({ clock })

  for (const ms of [5, 10, 20, 40]) {
    queue.addRateLimited('a')
    clock.advance(ms - 1)
    assert.equal(queue.length, 0)
    clock.advance(1)
    assert.equal(await queue.take(), 'a')
    queue.done('a')
  }
  assert.equal(queue.failures('a'), 4)
  assert.equal(exponentialDelayMs(60, { baseMs: 5, maxMs: 1_000_000 }), 1_000_000)
  queue.forget('a')
  queue.addRateLimited('a')
  clock.advance(5)

  assert.equal(queue.length, 1)
})

test('shutting down drops what waits and sends workers home', async () => {
  const clock = manualClock()
  const queue = new WorkQueue({ clock })
  const worker = queue.take()
  queue.addAfter('late', 10)

  queue.shutDown()
  queue.add('a')
  clock.advance(10)

  assert.equal(await worker, undefined)
  assert.equal(await queue.take(), undefined)
  assert.equal(queue.pending, 0)
})

test('a backoff grows with jitter and starts anew after a success', () => {
  const backoff = new Backoff({ ids: { random: () => 0.5 } }, { baseMs: 100, maxMs: 400, jitter: 1 })

  assert.deepEqual([backoff.nextMs(), backoff.nextMs(), backoff.nextMs(), backoff.nextMs()], [150, 300, 600, 600])
  backoff.reset()
  assert.equal(backoff.nextMs(), 150)
})
