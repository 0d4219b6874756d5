import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { silentLogger, systemClock } from '@gantry/runtime'
import { settle } from '@gantry/runtime/testing'
import { SqliteDriver } from './sqlite/sqlite-driver.ts'
import { Compacted, RevisionConflict, StoreUnavailable } from './store.ts'
import type { Store, StoreEvent } from './store.ts'
import { FaultDriver, openStoreOn } from './testing/fault-driver.ts'

interface Change {
  readonly revision: number
  readonly key: string
  /** `undefined`: deleted. */
  readonly value: string | undefined
}

const keys = ['/a/1', '/a/2', '/a/22', '/b/x/1', '/b/x/2', '/b/y/1', '/c']
const prefixes = ['', '/', '/a/', '/a/2', '/b/', '/b/x/', '/c', '/nothing/']
const failure = new StoreUnavailable('the disk is full')

const keyArbitrary = fc.constantFrom(...keys)
const prefixArbitrary = fc.constantFrom(...prefixes)
const operations = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ type: fc.constant('put' as const), key: keyArbitrary, isStale: fc.boolean() }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('delete' as const), key: keyArbitrary, isStale: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('commit' as const), isFailing: fc.boolean() }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('watch' as const), prefix: prefixArbitrary, back: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('unwatch' as const), index: fc.nat(8) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('list' as const),
        prefix: prefixArbitrary,
        back: fc.nat(12),
        limit: fc.integer({ min: 1, max: 4 }),
        after: fc.option(keyArbitrary, { nil: undefined }),
      }),
    },
  ),
  { minLength: 20, maxLength: 120 },
)
type Operation = typeof operations extends fc.Arbitrary<(infer One)[]> ? One : never

/** The store's contract in its plainest form: a list of durable changes and a list of those on their way. */
class Model {
  readonly durable: Change[] = []
  waiting: Change[] = []

  latest(key: string): Change | undefined {
    const newest = [...this.durable, ...this.waiting].findLast((change) => change.key === key)
    return newest?.value === undefined ? undefined : newest
  }

  at(revision: number, prefix: string): Change[] {
    const states = new Map<string, Change>()
    for (const change of this.durable) if (change.revision <= revision && change.key.startsWith(prefix)) states.set(change.key, change)
    return [...states.values()].filter((change) => change.value !== undefined).sort((a, b) => (a.key < b.key ? -1 : 1))
  }

  events(after: number, prefix: string): Change[] {
    return this.durable.filter((change) => change.revision > after && change.key.startsWith(prefix))
  }

  settle(batch: readonly { readonly key: string; readonly revision: number }[], isFailing: boolean): void {
    const revisions = new Set(batch.map((write) => write.revision))
    const broken = new Set(batch.map((write) => write.key))
    if (!isFailing) this.durable.push(...this.waiting.filter((change) => revisions.has(change.revision)))
    this.waiting = this.waiting.filter((change) => !revisions.has(change.revision) && !(isFailing && broken.has(change.key)))
  }
}

interface Watch {
  readonly prefix: string
  readonly after: number
  readonly seen: StoreEvent[]
  readonly stop: () => void
  stoppedAt: number
}

class Run {
  readonly #driver: FaultDriver
  readonly #model = new Model()
  readonly #watches: Watch[] = []
  readonly #store: Store
  #settledBatches = 0
  #release: () => void

  static async start(driver: FaultDriver): Promise<Run> {
    return new Run(driver, await openStoreOn(driver, { historyLimitEvents: 12, batchLimitWrites: 4 }))
  }

  constructor(driver: FaultDriver, store: Store) {
    this.#driver = driver
    this.#store = store
    this.#release = driver.hold()
  }

  async step(operation: Operation): Promise<void> {
    switch (operation.type) {
      case 'put':
      case 'delete':
        this.#write(operation)
        break
      case 'commit':
        await this.#commit(operation.isFailing)
        break
      case 'watch':
        this.#watch(operation.prefix, this.#store.revision - operation.back)
        break
      case 'unwatch': {
        const watch = this.#watches[operation.index]
        if (watch === undefined || watch.stoppedAt !== Infinity) break
        watch.stop()
        watch.stoppedAt = this.#store.revision
        break
      }
      case 'list':
        this.#list(operation)
        break
    }
    for (const key of keys) assert.equal(this.#store.latest(key)?.revision, this.#model.latest(key)?.revision)
    await settle(1)
  }

  /** Lets everything settle and holds all that was seen, and what a restart shows, against the model. */
  async finish(reopen: () => Promise<Store>): Promise<void> {
    while (this.#model.waiting.length > 0) await this.#commit(false)
    for (const { prefix, after, seen, stoppedAt } of this.#watches) {
      assert.deepEqual(
        seen.map(({ type, entry, revision }) => ({ revision, key: entry.key, value: type === 'put' ? entry.value.toString() : undefined })),
        this.#model.events(after, prefix).filter((change) => change.revision <= stoppedAt),
      )
      for (const event of seen) {
        assert.equal(event.previous?.revision, this.#model.at(event.revision - 1, event.entry.key).find((state) => state.key === event.entry.key)?.revision)
      }
    }
    await this.#store[Symbol.asyncDispose]()
    await using again = await reopen()
    assert.deepEqual(
      again.list({ prefix: '' }).entries.map((entry) => [entry.key, entry.revision, entry.value.toString()]),
      this.#model.at(Infinity, '').map((state) => [state.key, state.revision, state.value]),
    )
    assert.ok(again.revision >= (this.#model.durable.at(-1)?.revision ?? 1))
  }

  #write({ type, key, isStale }: Extract<Operation, { type: 'put' | 'delete' }>): void {
    const expected = (this.#model.latest(key)?.revision ?? 0) + (isStale ? 1 : 0)
    const waiting = this.#model.waiting
    const attempt = () =>
      this.#store[type](key, expected, (revision) => {
        const text = `${type} ${key} ${revision}`
        waiting.push({ revision, key, value: type === 'put' ? text : undefined })
        return Buffer.from(text)
      })
    if (isStale || (type === 'delete' && expected === 0)) {
      assert.throws(attempt, RevisionConflict)
      return
    }
    attempt().catch((error: unknown) => assert.equal(error, failure))
  }

  async #commit(isFailing: boolean): Promise<void> {
    const batch = this.#driver.batches[this.#settledBatches]
    if (batch === undefined) return
    this.#settledBatches++
    this.#driver.failure = () => (isFailing ? failure : undefined)
    const release = this.#release
    const committed = this.#driver.lastCommit
    this.#release = this.#driver.hold()
    release()
    this.#model.settle(batch, isFailing)
    await committed.catch(() => {}) // the model knows which ones fail
    await settle(1)
    assert.equal(this.#store.revision, this.#model.durable.at(-1)?.revision ?? 1)
  }

  #watch(prefix: string, after: number): void {
    const seen: StoreEvent[] = []
    const start = () => this.#store.watch({ prefix, after }, (events) => seen.push(...events))
    if (after < this.#store.compactedRevision) assert.throws(start, Compacted)
    else this.#watches.push({ prefix, after, seen, stop: start(), stoppedAt: Infinity })
  }

  #list({ prefix, back, limit, after }: Extract<Operation, { type: 'list' }>): void {
    const revision = this.#store.revision - back
    const list = () => this.#store.list({ prefix, revision, limit, after })
    if (revision < this.#store.compactedRevision) {
      assert.throws(list, Compacted)
      return
    }
    const expected = this.#model.at(revision, prefix).filter((state) => after === undefined || state.key > after)
    const { entries, remaining } = list()
    assert.deepEqual(
      entries.map((entry) => ({ revision: entry.revision, key: entry.key, value: entry.value.toString() })),
      expected.slice(0, limit),
    )
    assert.equal(remaining, Math.max(0, expected.length - limit))
    if (back === 0 && after === undefined) assert.equal(this.#store.count(prefix), expected.length)
  }
}

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

const encryption = { source: 'nowhere', rules: [] }

test('agrees with the plainest model through random writes, failures, watches, lists and a restart', async (context) => {
  context.diagnostic(`seed ${seed}`)

  await fc.assert(
    fc.asyncProperty(operations, async (steps) => {
      const driver = new FaultDriver()
      const run = await Run.start(driver)
      for (const step of steps) await run.step(step)
      await run.finish(() => openStoreOn(driver))
    }),
    { seed, numRuns: 100 },
  )
})

test('agrees with the model on SQLite too', async (context) => {
  context.diagnostic(`seed ${seed}`)
  const folder = mkdtempSync(join(tmpdir(), 'gantry-model-'))
  const deps = { clock: systemClock, log: silentLogger }
  let runs = 0
  try {
    await fc.assert(
      fc.asyncProperty(operations, async (steps) => {
        const file = join(folder, `${++runs}.db`)
        const run = await Run.start(new FaultDriver(new SqliteDriver({ file, maxPageCount: undefined, secondThreadAtBytes: undefined, encryption }, deps)))
        for (const step of steps) await run.step(step)
        await run.finish(() => openStoreOn(new SqliteDriver({ file, maxPageCount: undefined, secondThreadAtBytes: undefined, encryption }, deps)))
      }),
      { seed, numRuns: 8 },
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
})
