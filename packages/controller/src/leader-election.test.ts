import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { silentLogger } from '@gantry/runtime'
import { LeaderElection, soleLeader, whileLeading, type Leadership } from './leader-election.ts'
import { FakeApi } from './testing/index.ts'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Service } from '@gantry/runtime'

const leases: ResourceRef = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true }
const signal = new AbortController().signal

interface Lease extends KubeObject {
  spec: { holderIdentity: string; leaseDurationSeconds: number; renewTime: string; acquireTime: string; leaseTransitions: number }
}

function setUp() {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const deps = { clock, ids: { ...createFakeIds(), random: () => 0.5 }, log: silentLogger }
  /** A process: its own way to the API can be cut. */
  function contender(identity: string) {
    const cut: { error: Error | undefined; hangs: boolean } = { error: undefined, hangs: false }
    const through =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      (...args: A): Promise<R> => {
        if (cut.error !== undefined) return Promise.reject(cut.error)
        if (!cut.hangs) return call(...args)
        const { signal: given } = args.at(-1) as { readonly signal: AbortSignal }
        return new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason as Error)))
      }
    const client = {
      get: through(api.get.bind(api)) as FakeApi['get'],
      create: through(api.create.bind(api)) as FakeApi['create'],
      update: through(api.update.bind(api)) as FakeApi['update'],
    }
    const election = new LeaderElection({ ...deps, client }, { namespace: 'system', name: 'gantry', identity })
    const changes: boolean[] = []
    election.onChange((isLeading) => changes.push(isLeading))
    return { election, cut, changes }
  }
  const lease = (): Lease => api.find<Lease>(leases, 'gantry', 'system') as Lease
  return { clock, api, deps, contender, lease }
}

describe('leader election', () => {
  test('gives the lease to the first and keeps it there while it is renewed', async () => {
    const { clock, contender, lease } = setUp()
    const [a, b] = [contender('a'), contender('b')]
    await using _a = await a.election.start({ signal })
    await using _b = await b.election.start({ signal })
    for (let i = 0; i < 30; i++) await clock.advance(2_000)

    assert.deepEqual([a.changes, b.changes], [[true], []])
    const { spec } = lease()
    assert.equal(spec.holderIdentity, 'a')
    assert.equal(spec.leaseDurationSeconds, 15)
    assert.equal(spec.leaseTransitions, 0)
    assert.match(spec.renewTime, /^2026-01-01T00:01:00\.000000Z$/)
  })

  test('goes over at once from one that stops', async () => {
    const { clock, contender, lease } = setUp()
    const [a, b] = [contender('a'), contender('b')]
    const running = await a.election.start({ signal })
    await using _b = await b.election.start({ signal })
    await running[Symbol.asyncDispose]()
    assert.equal(lease().spec.holderIdentity, '')
    await clock.advance(5_000)

    assert.deepEqual([a.changes, b.changes], [[true, false], [true]])
    assert.equal(lease().spec.leaseTransitions, 1)
  })

  test('never has two leaders: one that is cut off ceases before another begins', async () => {
    for (const how of ['error', 'hangs'] as const) {
      const { clock, contender } = setUp()
      const [a, b] = [contender('a'), contender('b')]
      await using _a = await a.election.start({ signal })
      await using _b = await b.election.start({ signal })
      await clock.advance(6_000)
      if (how === 'error') a.cut.error = new StatusError('ServiceUnavailable', 'away')
      else a.cut.hangs = true
      let [endedMs, begunMs] = [0, 0]
      for (let ms = 0; ms <= 30_000; ms += 100) {
        await clock.advance(100)
        assert.ok(!(a.election.isLeading && b.election.isLeading), `two leaders after ${ms} ms`)
        if (endedMs === 0 && !a.election.isLeading) endedMs = ms
        if (begunMs === 0 && b.election.isLeading) begunMs = ms
      }
      assert.ok(endedMs <= 10_000 && endedMs > 0, `${how}: ceased after ${endedMs}`)
      assert.ok(begunMs >= 13_000 && begunMs <= 20_000, `${how}: begun after ${begunMs}`)
      a.cut.error = undefined
      a.cut.hangs = false
    }
  })

  test('waits a whole lease duration on its own clock, whatever the time in the lease says', async () => {
    const { clock, api, contender, lease } = setUp()
    const ancient = { holderIdentity: 'ghost', leaseDurationSeconds: 15, renewTime: '2001-01-01T00:00:00.000000Z', acquireTime: '2001-01-01T00:00:00.000000Z' }
    await api.create(leases, { metadata: { name: 'gantry', namespace: 'system' }, spec: { ...ancient, leaseTransitions: 7 } } as KubeObject)
    const a = contender('a')
    await using _a = await a.election.start({ signal })
    await clock.advance(14_900)
    assert.equal(a.election.isLeading, false)
    await clock.advance(5_000)
    assert.equal(a.election.isLeading, true)
    assert.equal(lease().spec.leaseTransitions, 8)
  })

  test('goes on leading when somebody else has edited the lease but left it to us', async () => {
    const { clock, api, contender, lease } = setUp()
    const a = contender('a')
    await using _a = await a.election.start({ signal })
    await api.patch(leases, { namespace: 'system', name: 'gantry' }, { type: 'merge', body: { metadata: { labels: { seen: 'yes' } } } })
    await clock.advance(8_000)
    assert.deepEqual(a.changes, [true])
    assert.equal(lease().metadata.labels?.['seen'], 'yes')
    assert.match(lease().spec.renewTime, /00:00:0[68]/)
  })
})

/** A service that says when it runs. */
function recorded(): { readonly service: Service; readonly events: string[]; fail: boolean; readonly end: PromiseWithResolvers<void>[] } {
  const events: string[] = []
  const end: PromiseWithResolvers<void>[] = []
  const state = {
    events,
    end,
    fail: false,
    service: {
      name: 'work',
      start({ signal: mine }: { readonly signal: AbortSignal }) {
        events.push('start')
        if (state.fail) return Promise.reject(new Error('not now'))
        const done = Promise.withResolvers<void>()
        end.push(done)
        mine.addEventListener('abort', () => events.push('aborted'), { once: true })
        return Promise.resolve({ done: done.promise, [Symbol.asyncDispose]: () => Promise.resolve(void events.push('disposed')) })
      },
    },
  }
  return state
}

function manual(isLeading: boolean): Leadership & { set(value: boolean): void } {
  const listeners = new Set<(value: boolean) => void>()
  const leadership = {
    ...soleLeader,
    isLeading,
    onChange(listener: (value: boolean) => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    set(value: boolean) {
      leadership.isLeading = value
      for (const listener of listeners) listener(value)
    },
  }
  return leadership
}

describe('a service while leading', () => {
  const log = silentLogger

  test('runs at once for who is alone, and its failure to start is told', async () => {
    const clock = new FakeClock()
    const work = recorded()
    const running = await whileLeading({ leadership: soleLeader, clock, log }, work.service).start({ signal })
    assert.deepEqual(work.events, ['start'])
    await running[Symbol.asyncDispose]()
    assert.deepEqual(work.events, ['start', 'aborted', 'disposed'])
    work.fail = true
    await assert.rejects(() => whileLeading({ leadership: soleLeader, clock, log }, work.service).start({ signal }), /not now/)
  })

  test('is stopped with the leadership, in the same turn, and never runs twice at once', async () => {
    const clock = new FakeClock()
    const leadership = manual(false)
    const work = recorded()
    await using _ = await whileLeading({ leadership, clock, log }, work.service).start({ signal })
    assert.deepEqual(work.events, [])
    leadership.set(true)
    await settle()
    leadership.set(false)
    assert.deepEqual(work.events, ['start', 'aborted'])
    leadership.set(true)
    await settle()
    assert.deepEqual(work.events, ['start', 'aborted', 'disposed', 'start'])
  })

  test('is tried again while leading when it could not be started, and not after that', async () => {
    const clock = new FakeClock()
    const leadership = manual(false)
    const work = recorded()
    work.fail = true
    await using _ = await whileLeading({ leadership, clock, log }, work.service).start({ signal })
    leadership.set(true)
    await clock.advance(5_000)
    assert.deepEqual(work.events, ['start', 'start'])
    leadership.set(false)
    await clock.advance(60_000)
    assert.deepEqual(work.events, ['start', 'start'])
  })

  test('that ends by itself with an error is told as its own end', async () => {
    const clock = new FakeClock()
    const work = recorded()
    const running = await whileLeading({ leadership: soleLeader, clock, log }, work.service).start({ signal })
    work.end[0]?.reject(new Error('broken'))
    await assert.rejects(() => running.done, /broken/)
    await running[Symbol.asyncDispose]()
  })
})
