import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { silentLogger } from '@gantry/runtime'
import { commitStatus } from './commit.ts'
import { withCondition } from './conditions.ts'
import { createController, retryAfter, settled, trigger } from './controller.ts'
import { createEventRecorder } from './event-recorder.ts'
import { Expectations } from './expectations.ts'
import { createInformer } from './informer.ts'
import { keyOf } from './object-key.ts'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { FakeApi } from './testing/index.ts'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Condition } from './conditions.ts'
import type { Outcome } from './controller.ts'

interface Widget extends KubeObject {
  spec?: { size: number }
  status?: { size?: number; note?: string }
}

const widgets: ResourceRef = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }
const events: ResourceRef = { group: '', version: 'v1', resource: 'events', kind: 'Event', namespaced: true }

function setUp(
  reconcile: (key: string, context: { readonly signal: AbortSignal }) => Promise<Outcome>,
  more: { workers?: number; reconcileTimeoutMs?: number } = {},
) {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const informer = createInformer<Widget>({ client: api, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger }, { resource: widgets })
  const controller = createController(
    { clock, log: silentLogger },
    { name: 'widgets', triggers: [trigger(informer, (change) => [keyOf(change.object)])], reconcile, ...more },
  )
  return { clock, api, informer, controller, signal: new AbortController().signal }
}

test('reconciles each object once the informer has synced, and again when it changes', async () => {
  const seen: string[] = []
  const { api, informer, controller, signal } = setUp(async (key) => {
    seen.push(`${key} ${informer.store.get(key)?.spec?.size}`)
    return settled
  })
  await api.create(widgets, { metadata: { name: 'one', namespace: 'a' }, spec: { size: 1 } })
  await using _controller = await controller.start({ signal })
  await settle()
  assert.deepEqual(seen, [])

  await using _informer = await informer.start({ signal })
  await settle()
  await api.patch(widgets, { namespace: 'a', name: 'one' }, { type: 'merge', body: { spec: { size: 2 } } })
  await settle()

  assert.deepEqual(seen, ['a/one 1', 'a/one 2'])
})

test('comes back after the time an outcome asks for, and with backoff after an error', async () => {
  const at: number[] = []
  const outcomes: (Outcome | Error)[] = [retryAfter(1000), new Error('flaky'), new StatusError('Conflict', 'raced'), settled]
  const { clock, informer, controller, signal } = setUp(async () => {
    at.push(clock.monotonicMs())
    const outcome = outcomes.shift() ?? settled
    if (outcome instanceof Error) throw outcome
    return outcome
  })
  await using _informer = await informer.start({ signal })
  await using _controller = await controller.start({ signal })
  controller.enqueue('x')
  await clock.advance(60_000)

  assert.deepEqual(at, [0, 1000, 1005, 1015])
  assert.equal(controller.pending, 0)
})

test('never works on one key twice at the same time, and on several keys with several workers', async () => {
  const running = new Set<string>()
  let most = 0
  const release = Promise.withResolvers<void>()
  const { informer, controller, signal } = setUp(
    async (key) => {
      assert.ok(!running.has(key))
      running.add(key)
      most = Math.max(most, running.size)
      await release.promise
      running.delete(key)
      return settled
    },
    { workers: 2 },
  )
  await using _informer = await informer.start({ signal })
  await using _controller = await controller.start({ signal })
  for (const key of ['a', 'b', 'c']) controller.enqueue(key)
  await settle()
  controller.enqueue('a')
  release.resolve()
  await settle()

  assert.equal(most, 2)
  assert.equal(controller.pending, 0)
})

test('aborts a reconcile that takes too long and tries it again', async () => {
  let calls = 0
  const { clock, informer, controller, signal } = setUp(
    async (_key, context) => {
      calls++
      if (calls > 1) return settled
      const { promise, reject } = Promise.withResolvers<never>()
      context.signal.addEventListener('abort', () => reject(context.signal.reason))
      return promise
    },
    { reconcileTimeoutMs: 5000 },
  )
  await using _informer = await informer.start({ signal })
  await using _controller = await controller.start({ signal })
  controller.enqueue('x')
  await clock.advance(4999)
  assert.equal(calls, 1)
  await clock.advance(6)

  assert.equal(calls, 2)
})

test('stopping aborts what runs and waits for it', async () => {
  let aborted = false
  const { informer, controller, signal } = setUp((_key, context) => {
    const { promise, resolve } = Promise.withResolvers<Outcome>()
    context.signal.addEventListener('abort', () => {
      aborted = true
      resolve(settled)
    })
    return promise
  })
  await using _informer = await informer.start({ signal })
  const running = await controller.start({ signal })
  controller.enqueue('x')
  await settle()

  await running[Symbol.asyncDispose]()

  assert.ok(aborted)
})

test('writes a status once, not at all when it is so already, and anew after a conflict', async () => {
  const { api } = setUp(async () => settled)
  const first = await api.create<Widget>(widgets, { metadata: { name: 'one', namespace: 'a' }, spec: { size: 1 } })
  const next = (current: Widget): Widget => ({ ...current, status: { ...current.status, size: current.spec?.size ?? 0 } })

  const written = await commitStatus(api, { resource: widgets, object: first, next })
  assert.ok(written)
  await commitStatus(api, { resource: widgets, object: written, next })
  assert.equal(api.writes.filter((write) => write.subresource === 'status').length, 1)

  await api.patch(widgets, { namespace: 'a', name: 'one' }, { type: 'merge', body: { spec: { size: 7 } } })
  await api.patch(widgets, { namespace: 'a', name: 'one' }, { type: 'merge', subresource: 'status', body: { status: { note: 'of another' } } })
  const stale = await commitStatus(api, { resource: widgets, object: { ...written, spec: { size: 2 } }, next })

  assert.deepEqual(stale?.status, { size: 7, note: 'of another' })
})

test('writes nothing to an object that was replaced by another of its name', async () => {
  const { api } = setUp(async () => settled)
  const first = await api.create<Widget>(widgets, { metadata: { name: 'one', namespace: 'a' } })
  await api.delete(widgets, { namespace: 'a', name: 'one' })
  await api.create<Widget>(widgets, { metadata: { name: 'one', namespace: 'a' } })

  const result = await commitStatus(api, { resource: widgets, object: first, next: (current) => ({ ...current, status: { size: 1 } }) })

  assert.equal(result, undefined)
  assert.equal(api.find<Widget>(widgets, 'one', 'a')?.status, undefined)
})

test('creates an event, then counts its repetitions, and stops a flood about one object', async () => {
  const { clock, api } = setUp(async () => settled)
  const recorder = createEventRecorder(
    { client: api, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger },
    { component: 'widget-controller' },
  )
  const subject = { apiVersion: 'example.dev/v1', kind: 'Widget', namespace: 'a', name: 'one', uid: 'u' }

  for (let i = 0; i < 3; i++) recorder.record(subject, { type: 'Normal', reason: 'Painted', message: 'painted red' })
  await recorder.flush()
  const [event] = api.all<KubeObject & { count: number; source: unknown; involvedObject: unknown }>(events)
  assert.equal(event?.count, 3)
  assert.deepEqual(event?.source, { component: 'widget-controller' })
  assert.deepEqual(event?.involvedObject, subject)
  assert.match(event?.metadata.name ?? '', /^one\.[0-9a-f]+$/)

  for (let i = 0; i < 100; i++) recorder.record(subject, { type: 'Normal', reason: 'Painted', message: `coat ${i}` })
  await recorder.flush()
  assert.equal(api.writes.length, 25)
  await clock.advance(300_000)
  recorder.record(subject, { type: 'Normal', reason: 'Painted', message: 'later' })
  await recorder.flush()
  assert.equal(api.writes.length, 26)
})

test('an event that cannot be sent is dropped and the next one is sent', async () => {
  const { clock, api } = setUp(async () => settled)
  const recorder = createEventRecorder({ client: api, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger }, { component: 'c' })
  let calls = 0
  api.intercept = () => {
    calls++
    if (calls === 1) throw new StatusError('Forbidden', 'the namespace is being terminated')
  }

  recorder.record({ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }, { type: 'Warning', reason: 'A', message: 'a' })
  recorder.record({ apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'u' }, { type: 'Warning', reason: 'B', message: 'b' })
  await recorder.flush()

  assert.deepEqual(
    api.all<KubeObject & { reason?: string }>(events).map((event) => `${event.metadata.namespace} ${event.reason}`),
    ['default B'],
  )
})

test('expectations hold a key back until everything was seen, or five minutes', async () => {
  const clock = new FakeClock()
  const expectations = new Expectations({ clock })

  expectations.expectCreations('rs', 2)
  expectations.creationObserved('rs')
  assert.equal(expectations.satisfied('rs'), false)
  expectations.creationObserved('rs')
  assert.equal(expectations.satisfied('rs'), true)

  expectations.expectDeletions('rs', ['p', 'q'])
  expectations.deletionObserved('rs', 'p')
  expectations.deletionObserved('rs', 'p')
  assert.equal(expectations.satisfied('rs'), false)
  await clock.advance(300_001)
  assert.equal(expectations.satisfied('rs'), true)
})

test('a condition keeps its transition time until its status changes', () => {
  const ready: Condition = { type: 'Ready', status: 'False', reason: 'Starting' }
  const first = withCondition([], ready, '2026-01-01T00:00:00Z')
  const second = withCondition(first, { ...ready, reason: 'Waiting' }, '2026-01-01T00:00:05Z')
  const third = withCondition(second, { ...ready, status: 'True' }, '2026-01-01T00:00:09Z')

  assert.equal(second[0]?.lastTransitionTime, '2026-01-01T00:00:00Z')
  assert.equal(second[0]?.reason, 'Waiting')
  assert.equal(third[0]?.lastTransitionTime, '2026-01-01T00:00:09Z')
  assert.equal(withCondition(third, { ...ready, status: 'True' }, '2026-01-01T00:00:10Z'), third)
})
