import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LiveCollection } from './live-collection.ts'
import { LiveRegistry } from './live-registry.ts'
import type { LiveSource } from './live-source.ts'
import { LiveUnion } from './live-union.ts'
import { createStreamBudget } from './stream-budget.ts'
import { FakeLiveClock } from './testing.ts'

/** A server that answers its list when asked and then stays quiet. */
function quietSource(names: readonly string[], counts: { lists: number; stops: number }): LiveSource<string> {
  return {
    keyOf: (row) => row,
    listPage: () => {
      counts.lists++
      return Promise.resolve({ rows: names, resourceVersion: '1' })
    },
    async *watch({ signal }) {
      yield []
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
      counts.stops++
    },
  }
}

test('tells its readers once however many members change together', async () => {
  const clock = new FakeLiveClock()
  const deps = { clock, budget: createStreamBudget(() => 100) }
  const counts = { lists: 0, stops: 0 }
  const members = ['a', 'b', 'c', 'd'].map((name) => ({ name, collection: new LiveCollection(quietSource([name], counts), deps) }))
  const union = new LiveUnion(members, clock, 120)
  let told = 0
  const leave = union.subscribe(() => told++)
  for (const member of members) member.collection.start()
  await clock.settle()
  // The first member is shown at once, the other three together a moment later.
  assert.equal(told, 1)

  await clock.advance(120)
  assert.equal(told, 2)
  assert.equal(
    [...union.snapshot.members.values()].every((member) => member.phase === 'ready'),
    true,
  )
  leave()
  for (const member of members) member.collection.stop()
})

test('shares a collection by key, and stops it a while after its last reader', async () => {
  const clock = new FakeLiveClock()
  const registry = new LiveRegistry({ clock, budget: createStreamBudget(() => 100) })
  const counts = { lists: 0, stops: 0 }
  const source = (): LiveSource<string> => quietSource(['a'], counts)
  const first = registry.acquire('key', source)
  assert.equal(registry.acquire('key', source), first)
  await clock.settle()
  assert.equal(counts.lists, 1)

  registry.release('key')
  registry.release('key')
  await clock.advance(10_000)
  assert.equal(registry.acquire('key', source), first)
  registry.release('key')
  await clock.advance(30_000)
  assert.equal(counts.stops, 1)
  assert.notEqual(registry.acquire('key', source), first)
  registry.clear()
})
