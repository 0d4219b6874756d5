import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../api/api-error.ts'
import { LiveCollection, type LiveOptions } from './live-collection.ts'
import type { LiveEvent, LivePage, LiveSource } from './live-source.ts'
import { createStreamBudget } from './stream-budget.ts'
import { FakeLiveClock } from './testing.ts'

interface Row {
  readonly name: string
  readonly value: number
}

const put = (name: string, value: number, resourceVersion: string): LiveEvent<Row> => ({ type: 'put', row: { name, value }, resourceVersion })
const rowsNamed = (...names: readonly string[]): readonly Row[] => names.map((name) => ({ name, value: 0 }))
const page = (rows: readonly Row[], resourceVersion: string, rest: Partial<LivePage<Row>> = {}): LivePage<Row> => ({ rows, resourceVersion, ...rest })
const gone = new ApiError({ code: 410, reason: 'Expired', message: 'too old resource version' })
const down = new ApiError({ code: 503, reason: 'ServiceUnavailable', message: 'cluster is down' })

/** A server played by the test: what is asked waits until the test answers. */
class PlayedSource implements LiveSource<Row> {
  readonly lists: { readonly continueToken: string | undefined; readonly answer: (result: LivePage<Row> | ApiError) => void }[] = []
  readonly watches: {
    readonly resourceVersion: string
    readonly send: (...events: readonly LiveEvent<Row>[]) => void
    readonly end: (error?: ApiError) => void
  }[] = []

  keyOf(row: Row): string {
    return row.name
  }

  listPage(request: { readonly continueToken: string | undefined }): Promise<LivePage<Row>> {
    const { promise, resolve, reject } = Promise.withResolvers<LivePage<Row>>()
    this.lists.push({ continueToken: request.continueToken, answer: (result) => (result instanceof ApiError ? reject(result) : resolve(result)) })
    return promise
  }

  async *watch(request: { readonly resourceVersion: string; readonly signal: AbortSignal }): AsyncGenerator<readonly LiveEvent<Row>[]> {
    const queue: (readonly LiveEvent<Row>[] | 'end' | ApiError)[] = []
    let wake = Promise.withResolvers<void>()
    const push = (item: (typeof queue)[number]): void => {
      queue.push(item)
      wake.resolve()
    }
    this.watches.push({ resourceVersion: request.resourceVersion, send: (...events) => push(events), end: (error) => push(error ?? 'end') })
    request.signal.addEventListener('abort', () => push('end'))
    yield []
    for (;;) {
      const item = queue.shift()
      if (item === 'end') return
      if (item instanceof ApiError) throw item
      if (item !== undefined) {
        yield item
        continue
      }
      // oxlint-disable-next-line no-await-in-loop -- one event after another
      await wake.promise
      wake = Promise.withResolvers<void>()
    }
  }
}

function collect(
  options: LiveOptions = {},
  streams = 10,
): { readonly source: PlayedSource; readonly clock: FakeLiveClock; readonly live: LiveCollection<Row>; readonly told: () => number } {
  const source = new PlayedSource()
  const clock = new FakeLiveClock()
  const live = new LiveCollection(source, { clock, budget: createStreamBudget(() => streams) }, options)
  let told = 0
  live.subscribe(() => told++)
  live.start()
  return { source, clock, live, told: () => told }
}

const names = (live: LiveCollection<Row>): string => [...live.snapshot.rows.keys()].join(' ')

test('lists page by page, shows the first rows early and then follows from the list', async () => {
  const { source, clock, live } = collect({ pageSize: 2 })
  await clock.settle()
  assert.equal(live.snapshot.phase, 'loading')

  source.lists[0]?.answer(page(rowsNamed('a', 'b'), '10', { continueToken: 'next', remaining: 1 }))
  await clock.advance(200)
  assert.deepEqual([live.snapshot.phase, live.snapshot.isPaging, live.snapshot.remaining, names(live)], ['ready', true, 1, 'a b'])

  assert.equal(source.lists[1]?.continueToken, 'next')
  source.lists[1]?.answer(page(rowsNamed('c'), '10'))
  await clock.settle()
  assert.deepEqual([live.snapshot.isPaging, names(live)], [false, 'a b c'])
  assert.equal(source.watches[0]?.resourceVersion, '10')
  live.stop()
})

test('makes one update of many events', async () => {
  const { source, clock, live, told } = collect()
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1'))
  await clock.settle()
  const before = told()

  for (let index = 0; index < 500; index++) source.watches[0]?.send(put(`p${index}`, index, String(index + 2)))
  source.watches[0]?.send({ type: 'remove', key: 'a', resourceVersion: '600' })
  await clock.settle()
  assert.equal(told(), before)

  await clock.advance(150)
  assert.equal(told(), before + 1)
  assert.equal(live.snapshot.rows.size, 500)
  live.stop()
})

test('resumes a watch that ended where it was', async () => {
  const { source, clock, live } = collect()
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1'))
  await clock.settle()
  source.watches[0]?.send({ type: 'bookmark', resourceVersion: '40' })
  await clock.advance(5_000)

  source.watches[0]?.end()
  await clock.settle()

  assert.equal(source.watches[1]?.resourceVersion, '40')
  assert.equal(source.lists.length, 1)
  assert.equal(live.snapshot.phase, 'ready')
  live.stop()
})

test('waits before asking again when a server closes watches at once', async () => {
  const { source, clock, live } = collect()
  await clock.settle()
  source.lists[0]?.answer(page([], '1'))
  await clock.settle()
  source.watches[0]?.end()
  await clock.settle()
  assert.equal(source.watches.length, 1)

  await clock.advance(1_500)
  assert.equal(source.watches.length, 2)
  live.stop()
})

test('lists again after 410 and replaces the rows at once', async () => {
  const { source, clock, live } = collect({ pageSize: 1 })
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a', 'b'), '1'))
  await clock.settle()
  source.watches[0]?.end(gone)
  await clock.advance(2_000)

  source.lists[1]?.answer(page(rowsNamed('b'), '9', { continueToken: 'next' }))
  await clock.advance(500)
  assert.deepEqual([live.snapshot.phase, names(live)], ['ready', 'a b'])

  source.lists[2]?.answer(page(rowsNamed('c'), '9'))
  await clock.settle()
  assert.equal(names(live), 'b c')
  assert.equal(source.watches[1]?.resourceVersion, '9')
  live.stop()
})

test('keeps the last rows of a cluster that fails, says why, and recovers', async () => {
  const { source, clock, live } = collect()
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1'))
  await clock.settle()
  source.watches[0]?.end(down)
  await clock.settle()
  assert.deepEqual([live.snapshot.phase, live.snapshot.error?.message, names(live)], ['error', 'cluster is down', 'a'])

  await clock.advance(2_000)
  await clock.advance(200)
  assert.equal(source.watches[1]?.resourceVersion, '1')
  assert.deepEqual([live.snapshot.phase, live.snapshot.error], ['ready', undefined])
  live.stop()
})

test('takes up a watch that broke without a word, and says so when every try breaks', async () => {
  const { source, clock, live } = collect()
  const broken = new ApiError({ code: 0, reason: 'Unreachable', message: 'network changed' })
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1'))
  await clock.settle()
  await clock.advance(5_000)
  source.watches[0]?.end(broken)
  await clock.settle()
  assert.equal(live.snapshot.phase, 'ready')

  await clock.advance(1_500)
  source.watches[1]?.end(broken)
  await clock.settle()
  assert.equal(live.snapshot.phase, 'ready')

  await clock.advance(2_400)
  source.watches[2]?.end(broken)
  await clock.settle()
  assert.deepEqual([live.snapshot.phase, live.snapshot.error?.message], ['error', 'network changed'])
  live.stop()
})

test('backs off from a server that stays down, at most to half a minute, and tries at once when asked', async () => {
  const { source, clock, live } = collect()
  for (let attempt = 0; attempt < 8; attempt++) {
    // oxlint-disable-next-line no-await-in-loop -- one attempt after another
    await clock.settle()
    source.lists.at(-1)?.answer(down)
    // oxlint-disable-next-line no-await-in-loop -- one attempt after another
    await clock.advance(36_000)
  }
  assert.equal(source.lists.length, 9)
  source.lists.at(-1)?.answer(down)
  await clock.advance(1_000)
  assert.equal(source.lists.length, 9)

  live.retryNow()
  await clock.settle()
  assert.equal(source.lists.length, 10)
  live.stop()
})

test('stops at its limit of rows and says so', async () => {
  const { source, clock, live } = collect({ pageSize: 2, maxRows: 4 })
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a', 'b'), '1', { continueToken: '2', remaining: 98 }))
  await clock.settle()
  source.lists[1]?.answer(page(rowsNamed('c', 'd'), '1', { continueToken: '4', remaining: 96 }))
  await clock.settle()
  assert.deepEqual([source.lists.length, live.snapshot.isTruncated, live.snapshot.remaining], [2, true, 96])

  source.watches[0]?.send(put('e', 1, '2'), put('a', 7, '3'))
  await clock.advance(200)
  assert.equal(names(live), 'a b c d')
  assert.equal(live.snapshot.rows.get('a')?.value, 7)
  live.stop()
})

test('polls when no stream is free', async () => {
  const { source, clock, live } = collect({ pollEveryMs: 5_000 }, 0)
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1'))
  await clock.advance(200)
  assert.deepEqual([live.snapshot.isPolling, source.watches.length], [true, 0])

  await clock.advance(8_000)
  source.lists[1]?.answer(page(rowsNamed('a', 'b'), '2'))
  await clock.settle()
  assert.equal(names(live), 'a b')
  live.stop()
})

test('gives its stream back when it stops', async () => {
  const budget = createStreamBudget(() => 1)
  const source = new PlayedSource()
  const clock = new FakeLiveClock()
  const live = new LiveCollection(source, { clock, budget })
  live.start()
  await clock.settle()
  source.lists[0]?.answer(page([], '1'))
  await clock.settle()
  assert.equal(budget.tryAcquire(), undefined)

  live.stop()
  await clock.settle()
  assert.notEqual(budget.tryAcquire(), undefined)
})

test('keeps which clusters are not whole until a page or a bookmark says otherwise', async () => {
  const { source, clock, live } = collect()
  live.start()
  await clock.settle()
  source.lists[0]?.answer(page(rowsNamed('a'), '1', { gaps: [{ name: 'west', phase: 'failed' }] }))
  await clock.advance(200)
  assert.deepEqual(live.snapshot.gaps, [{ name: 'west', phase: 'failed' }])
  source.watches[0]?.send(put('b', 1, '2'))
  await clock.advance(200)
  assert.equal(live.snapshot.gaps.length, 1)
  source.watches[0]?.send({ type: 'bookmark', resourceVersion: '3', gaps: [] })
  await clock.advance(200)
  assert.deepEqual(live.snapshot.gaps, [])
  live.stop()
})
