import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { settle } from '@gantry/runtime/testing'
import { createMemoryStore } from './memory/memory-store.ts'
import type { Store } from './store.ts'
import { StoreUnavailable } from './store.ts'
import { FaultDriver, openStoreOn } from './testing/fault-driver.ts'

const full = new StoreUnavailable('the disk is full: free some space')

describe('group commit', () => {
  test('gathers what arrives in one turn, then what arrives during a commit', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    const release = driver.hold()

    const first = [put(store, '/a'), put(store, '/b')]
    await settle(1)
    const second = [put(store, '/c'), put(store, '/d'), put(store, '/e')]
    await settle(1)
    release()
    await Promise.all([...first, ...second])

    assert.deepEqual(
      driver.batches.map((batch) => batch.map((write) => write.key)),
      [
        ['/a', '/b'],
        ['/c', '/d', '/e'],
      ],
    )
  })
})

describe('compaction', () => {
  test('gives up old changes with the commits that push them out, never more at once than a commit brings', async () => {
    await using store = createMemoryStore({}, { historyLimitEvents: 1_000, batchLimitWrites: 100 })
    let compacted = store.compactedRevision
    const pieces: number[] = []
    store.watch({ prefix: '', after: store.revision }, (events) => {
      pieces.push(store.compactedRevision - compacted - events.length)
      compacted = store.compactedRevision
    })

    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 500 }, (_, i) => put(store, `/k${i}`)))

    assert.equal(store.compactedRevision, store.revision - 1_000)
    assert.ok(pieces.length >= 50 && Math.max(...pieces) <= 0, `${Math.max(...pieces)} more than a commit brought`)
  })
})

describe('a failed commit', () => {
  test('rejects the whole batch and leaves every key as it was', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    const before = await put(store, '/a', 'old')
    const events = watchAll(store)
    driver.failure = () => full

    const outcomes = await Promise.allSettled([put(store, '/a', 'new'), put(store, '/b'), put(store, '/b')])

    assert.deepEqual(reasons(outcomes), [full, full, full])
    assert.equal(store.latest('/a'), before)
    assert.equal(store.latest('/b'), undefined)
    assert.equal(store.get('/a'), before)
    assert.equal(store.count(''), 1)
    assert.equal(store.revision, before.revision)
    assert.deepEqual(events, [])
  })

  test('rejects queued writes that build on it and keeps the others', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    driver.failure = (batch) => (batch.some((write) => write.key === '/a') ? full : undefined)
    const release = driver.hold()
    const failing = put(store, '/a')
    await settle(1)

    const dependent = put(store, '/a')
    const alsoDependent = store.delete('/a', store.latest('/a')!.revision, () => Buffer.from('gone'))
    const independent = put(store, '/b')
    release()
    const outcomes = await Promise.allSettled([failing, dependent, alsoDependent, independent])

    assert.deepEqual(reasons(outcomes), [full, full, full, undefined])
    assert.equal(store.latest('/a'), undefined)
    assert.equal(store.get('/b')?.revision, 5)
    assert.equal(store.revision, 5)
  })

  test('brings a deleted key back', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    const entry = await put(store, '/a')
    driver.failure = () => full

    await assert.rejects(
      store.delete('/a', entry.revision, () => Buffer.from('gone')),
      full,
    )

    assert.equal(store.latest('/a'), entry)
    assert.equal(store.count('/'), 1)
  })

  test('never gives a revision twice, and writes go on afterwards', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    driver.failure = () => full
    await assert.rejects(put(store, '/a'), full)
    driver.failure = () => undefined

    const entry = await put(store, '/a')

    assert.equal(entry.revision, 3)
    assert.equal(await driver.load(() => {}), 3)
  })

  test('turns any error of the driver into StoreUnavailable', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver)
    driver.failure = () => new TypeError('a bug')

    await assert.rejects(put(store, '/a'), (error) => error instanceof StoreUnavailable && error.message.includes('a bug'))
  })

  test('frees its place in the queue', async () => {
    const driver = new FaultDriver()
    await using store = await openStoreOn(driver, { queueLimitWrites: 1 })
    driver.failure = () => full
    await assert.rejects(put(store, '/a'), full)
    driver.failure = () => undefined

    await put(store, '/a')
  })
})

test('a restart shows what the driver holds', async () => {
  const driver = new FaultDriver()
  {
    await using store = await openStoreOn(driver)
    for (let i = 0; i < 3000; i++) await put(store, `/k${i}`, `${i}`)
  }

  await using store = await openStoreOn(driver)

  assert.equal(store.count('/'), 3000)
  assert.deepEqual(
    store.list({ prefix: '/k299' }).entries.map((entry) => entry.value.toString()),
    ['299', ...Array.from({ length: 10 }, (_, i) => `299${i}`)],
  )
  assert.equal(store.revision, 3001)
  assert.equal(store.compactedRevision, 3001)
})

function put(store: Store, key: string, text = key) {
  return store.put(key, store.latest(key)?.revision ?? 0, () => Buffer.from(text))
}

function watchAll(store: Store): unknown[] {
  const events: unknown[] = []
  store.watch({ prefix: '', after: store.revision }, (news) => events.push(...news))
  return events
}

function reasons(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason : undefined))
}
