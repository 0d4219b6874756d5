import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { silentLogger } from '@gantry/runtime'
import { createInformer } from './informer.ts'
import { createInformers } from './informers.ts'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { FakeApi } from './testing/index.ts'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Change } from './informer.ts'

interface Widget extends KubeObject {
  spec?: { color: string }
}

const widgets: ResourceRef = { group: 'example.dev', version: 'v1', resource: 'widgets', kind: 'Widget', namespaced: true }

function widget(name: string, color = 'red'): Widget {
  return { metadata: { name, namespace: 'a', labels: { color } }, spec: { color } }
}

function setUp(options: { readonly labelSelector?: string } = {}) {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  const informer = createInformer<Widget>(
    { client: api, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger },
    { resource: widgets, indexers: { color: (object) => [object.spec?.color ?? ''] }, ...options },
  )
  const changes: string[] = []
  informer.onChange((change: Change<Widget>) => changes.push(`${change.type} ${change.object.metadata.name} ${change.object.spec?.color}`))
  return { clock, api, informer, changes }
}

test('lists, then follows every change, and keeps its indices right', async () => {
  const { api, informer, changes } = setUp()
  await api.create(widgets, widget('one'))
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced

  const two = await api.create(widgets, widget('two', 'blue'))
  await api.update(widgets, { ...two, spec: { color: 'red' } })
  await api.delete(widgets, { namespace: 'a', name: 'one' })
  await settle()

  assert.deepEqual(changes, ['added one red', 'added two blue', 'updated two red', 'deleted one red'])
  assert.deepEqual(
    informer.store.byIndex('color', 'red').map((object) => object.metadata.name),
    ['two'],
  )
  assert.deepEqual(informer.store.byIndex('color', 'blue'), [])
  assert.equal(informer.store.byIndex('namespace', 'a').length, 1)
  assert.equal(informer.store.get('a/two')?.spec?.color, 'red')
})

test('keeps no managed fields', async () => {
  const { api, informer } = setUp()
  await api.create(widgets, { ...widget('one'), metadata: { ...widget('one').metadata, managedFields: [{ manager: 'test' }] } })
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced

  const { metadata } = informer.store.get('a/one') ?? {}

  assert.equal(metadata?.name, 'one')
  assert.ok(metadata !== undefined && !('managedFields' in metadata))
})

test('hands out frozen objects', async () => {
  const { api, informer } = setUp()
  await api.create(widgets, widget('one'))
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced

  const object = informer.store.get('a/one')

  assert.throws(() => {
    if (object?.spec !== undefined) object.spec.color = 'green'
  }, TypeError)
})

test('lists again when its revision is too old, and notices what was deleted and remade meanwhile', async () => {
  const { clock, api, informer, changes } = setUp()
  await api.create(widgets, widget('gone'))
  await api.create(widgets, widget('remade'))
  await api.create(widgets, widget('same'))
  let watches = 0
  const fail = Promise.withResolvers<never>()
  const client = {
    list: api.list.bind(api) as typeof api.list,
    watch<T extends KubeObject>(...given: Parameters<typeof api.watch>) {
      watches++
      if (watches > 1) return api.watch<T>(...given)
      return (async function* () {
        yield* [] as never[]
        await fail.promise
      })()
    },
  }
  const flaky = createInformer<Widget>({ client, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger }, { resource: widgets })
  flaky.onChange((change) => changes.push(`${change.type} ${change.object.metadata.name} ${change.object.spec?.color}`))
  await using _ = await flaky.start({ signal: new AbortController().signal })
  await flaky.synced
  changes.length = 0

  await api.delete(widgets, { namespace: 'a', name: 'gone' })
  await api.delete(widgets, { namespace: 'a', name: 'remade' })
  await api.create(widgets, widget('remade', 'blue'))
  fail.reject(new StatusError('Expired', 'too old resource version: 1 (9)'))
  await settle()

  assert.deepEqual(changes, ['deleted remade red', 'added remade blue', 'deleted gone red'])
  assert.equal(flaky.store.size, 2)
  assert.equal(informer.hasSynced, false)
})

test('tries again with a growing, jittered delay while the server is away, and goes on from its revision', async () => {
  const { clock, api, informer } = setUp()
  let lists = 0
  api.intercept = (verb) => {
    if (verb !== 'list') return
    lists++
    if (lists < 4) throw new StatusError('ServiceUnavailable', 'connection refused')
  }
  await using _ = await informer.start({ signal: new AbortController().signal })
  await settle()

  assert.equal(lists, 1)
  await clock.advance(800)
  assert.equal(lists, 2)
  await clock.advance(1599)
  assert.equal(lists, 2)
  await clock.advance(1)
  assert.equal(lists, 3)
  await clock.advance(3200)

  assert.equal(lists, 4)
  assert.equal(informer.hasSynced, true)
})

test('does not turn into a hot loop when watches end at once', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  let watches = 0
  const client = {
    list: api.list.bind(api) as typeof api.list,
    async *watch() {
      watches++
      yield* [] as never[]
    },
  }
  const informer = createInformer<Widget>({ client, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger }, { resource: widgets })
  await using _ = await informer.start({ signal: new AbortController().signal })
  await settle(50)

  assert.ok(watches <= 2, `${watches} watches without time passing`)
})

test('gives up a watch that stays silent past its own deadline', async () => {
  const { clock, api, informer } = setUp()
  let watches = 0
  api.intercept = (verb) => {
    if (verb === 'watch') watches++
  }
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced
  await settle()

  await clock.advance(300_000 + 30_000 + 1_000)

  assert.equal(watches, 2)
})

test('ends when it is stopped between its list and its watch', async () => {
  const { api, informer } = setUp()
  await api.create(widgets, widget('one'))
  const stop = new AbortController()
  informer.onChange(() => stop.abort(new Error('stopped')))
  let hasEnded = false

  void informer.run(stop.signal).then(() => (hasEnded = true))
  await settle()

  assert.ok(hasEnded)
})

test('keeps to its selectors', async () => {
  const { api, informer, changes } = setUp({ labelSelector: 'color=blue' })
  await api.create(widgets, widget('one'))
  await api.create(widgets, widget('two', 'blue'))
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced

  assert.deepEqual(changes, ['added two blue'])
})

test('a handler that throws does not stop the others', async () => {
  const { api, informer, changes } = setUp()
  informer.onChange(() => {
    throw new Error('a bug')
  })
  await using _ = await informer.start({ signal: new AbortController().signal })
  await informer.synced
  await api.create(widgets, widget('one'))
  await api.create(widgets, widget('two'))
  await settle()

  assert.deepEqual(changes, ['added one red', 'added two red'])
})

test('shares one informer per collection and starts late ones at once', async () => {
  const clock = new FakeClock()
  const api = new FakeApi(clock)
  await api.create(widgets, widget('one'))
  const informers = createInformers({ client: api, clock, ids: { ...createFakeIds(), random: () => 0 }, log: silentLogger })
  const first = informers.of<Widget>(widgets)
  assert.equal(informers.of<Widget>(widgets), first)
  await using _ = await informers.start({ signal: new AbortController().signal })
  await informers.synced()

  const late = informers.of<Widget>(widgets, { labelSelector: 'color=blue' })
  await late.synced

  assert.equal(first.store.size, 1)
  assert.equal(late.store.size, 0)
})
