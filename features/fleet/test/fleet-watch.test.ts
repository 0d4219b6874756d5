import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settle } from '@gantry/runtime/testing'
import { createSimulatedMember } from './simulated-member.ts'
import { startTestFleet, type Wire } from './test-fleet.ts'

const seen = (events: readonly Wire[]): readonly unknown[] =>
  events.map(({ type, object }) =>
    object.kind === 'Table' ? [type, ...(object.rows[0]?.cells.slice(0, 2) ?? [])] : [type, object.metadata?.name ?? object.reason],
  )

test('shows what changes in any cluster after the list', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east', pods: 3 }), createSimulatedMember({ name: 'west' })]
  await using fleet = startTestFleet([east, west])
  const { value } = await fleet.table('/fleet/api/v1/pods')
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`)
  assert.deepEqual(await watch.events(), [])

  west.put({ name: 'web' })
  east.put({ name: 'web' })
  west.put({ name: 'web', phase: 'Failed' })
  east.remove('web')
  const events = await watch.events()

  assert.deepEqual(seen(events), [
    ['ADDED', 'west', 'web'],
    ['ADDED', 'east', 'web'],
    ['MODIFIED', 'west', 'web'],
    ['DELETED', 'east', 'web'],
  ])
  assert.equal(events[0]?.object.columnDefinitions?.[0]?.name, 'Cluster')
  assert.equal(events[1]?.object.columnDefinitions, null)
  watch.stop()
})

test('goes on where it was: changes, deletions and what has left a selection are told again from a version on', async () => {
  const east = createSimulatedMember({ name: 'east' })
  for (const name of ['kept', 'changed', 'deleted', 'relabelled']) east.put({ name, app: 'web' })
  await using fleet = startTestFleet([east])
  const { value } = await fleet.table('/fleet/api/v1/pods?labelSelector=app%3Dweb')
  east.put({ name: 'changed', phase: 'Failed' })
  east.put({ name: 'relabelled', app: 'db' })
  east.remove('deleted')
  east.put({ name: 'added', app: 'web' })
  await fleet.clock.advance(10)

  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&labelSelector=app%3Dweb&resourceVersion=${value.metadata.resourceVersion}`)

  assert.deepEqual(seen(await watch.events()).toSorted(byText), [
    ['ADDED', 'east', 'added'],
    ['DELETED', 'east', 'deleted'],
    ['DELETED', 'east', 'relabelled'],
    ['MODIFIED', 'east', 'changed'],
  ])
  watch.stop()
})

test('begins with everything that is there when no version is given', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 40 }), createSimulatedMember({ name: 'west', pods: 30 })])
  const watch = await fleet.watch('/fleet/api/v1/pods?watch=1')
  const events = await watch.events()

  assert.equal(events.length, 70)
  assert.ok(events.every(({ type }) => type === 'ADDED'))
  watch.stop()
})

const watchList = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'

for (const [what, accept] of [
  ['whole objects', 'application/json'],
  ['metadata', 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'],
] as const) {
  test(`streams the initial list of ${what} in a few requests, ends it with the annotated bookmark, and goes on from there`, async () => {
    const [east, west] = [createSimulatedMember({ name: 'east', pods: 300 }), createSimulatedMember({ name: 'west', pods: 20 })]
    await using fleet = startTestFleet([east, west])
    const watch = await fleet.watch(`/fleet/api/v1/pods?${watchList}`, { accept })
    const initial = await watch.events()

    assert.equal(initial.length, 321)
    assert.ok(initial.slice(0, -1).every(({ type, object }) => type === 'ADDED' && object.kind === (what === 'metadata' ? 'PartialObjectMetadata' : 'Pod')))
    const end = initial.at(-1)
    assert.deepEqual([end?.type, end?.object.kind], ['BOOKMARK', what === 'metadata' ? 'PartialObjectMetadata' : 'Pod'])
    assert.deepEqual(end?.object.metadata.annotations, { 'k8s.io/initial-events-end': 'true', 'fleet.gantry.dev/clusters': '[]' })
    // Two pages and one, beside what the cache and the discovery ask.
    assert.ok(east.requests.length < 10, east.requests.join('\n'))

    west.put({ name: 'web' })
    assert.deepEqual(seen(await watch.events()), [['ADDED', 'west:web']])
    watch.stop()
    const again = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${end?.object.metadata.resourceVersion}`, { accept })
    assert.deepEqual(seen(await again.events()), [['ADDED', 'west:web']])
    again.stop()
  })
}

test('streams the initial list as tables, whose bookmark has its annotations where clients look for them', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 3 })])
  const watch = await fleet.watch(`/fleet/api/v1/pods?${watchList}`)
  const events = await watch.events()
  assert.deepEqual(
    events.map(({ type }) => type),
    ['ADDED', 'ADDED', 'ADDED', 'BOOKMARK'],
  )
  assert.equal(events.at(-1)?.object.rows[0]?.object.metadata.annotations['k8s.io/initial-events-end'], 'true')
  watch.stop()
})

test('begins with nothing when initial events are not wanted, and refuses half of what asks for them', async () => {
  const east = createSimulatedMember({ name: 'east', pods: 3 })
  await using fleet = startTestFleet([east])
  const watch = await fleet.watch('/fleet/api/v1/pods?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan')
  assert.deepEqual(await watch.events(), [])
  east.put({ name: 'web' })
  assert.equal((await watch.events()).length, 1)
  watch.stop()
  for (const query of ['sendInitialEvents=true', 'sendInitialEvents=true&resourceVersionMatch=Exact', 'resourceVersionMatch=NotOlderThan'])
    assert.equal((await fleet.get(`/fleet/api/v1/pods?watch=1&${query}`)).status, 422, query)
})

test('ends the initial events with an error, not with the bookmark, when a cluster fails in the middle of them', async () => {
  const east = createSimulatedMember({ name: 'east', pods: 300 })
  await using fleet = startTestFleet([east])
  await fleet.table('/fleet/api/v1/pods')
  let pages = 0
  east.behave = (request) => (request.query.includes('limit=') && ++pages > 1 ? Promise.reject(new Error('it is away')) : east.asked(request))
  const watch = await fleet.watch(`/fleet/api/v1/pods?${watchList}`, { accept: 'application/json' })
  const events = await watch.events()
  assert.equal(events.length, 251)
  assert.deepEqual([events.at(-1)?.type, events.at(-1)?.object.code], ['ERROR', 503])
})

test('bookmarks say which clusters are not whole, soon after that has changed', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east', pods: 1 }), createSimulatedMember({ name: 'west', pods: 1 })]
  await using fleet = startTestFleet([east, west])
  const { value } = await fleet.table('/fleet/api/v1/pods')
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&allowWatchBookmarks=true&resourceVersion=${value.metadata.resourceVersion}`, {
    accept: 'application/json',
  })
  const states = async (): Promise<readonly unknown[]> =>
    (await watch.events()).map(({ type, object }) => [
      type,
      (JSON.parse(object.metadata.annotations['fleet.gantry.dev/clusters'] ?? '') as Wire[]).map(({ name }) => name),
    ])
  assert.deepEqual(await states(), [])
  west.behave = () => Promise.reject(new Error('it is away'))
  west.endWatches()
  await fleet.clock.advance(3_000)
  assert.deepEqual(await states(), [['BOOKMARK', ['west']]])
  west.behave = undefined
  await fleet.clock.advance(40_000)
  assert.deepEqual((await states()).at(-1), ['BOOKMARK', []])
  watch.stop()
})

test('tells a watch to list again when its version is of another process, or was before the kind was opened', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1 })])
  assert.equal((await fleet.get('/fleet/api/v1/pods?watch=1&resourceVersion=5')).status, 410)
  assert.equal((await fleet.get('/fleet/api/v1/pods?watch=1&resourceVersion=9007199254740000')).status, 410)
  assert.equal((await fleet.get('/fleet/api/v1/pods?watch=1&resourceVersion=abc')).status, 410)
})

test('ends the watch of a reader who does not read, and holds little for him', async () => {
  const east = createSimulatedMember({ name: 'east' })
  await using fleet = startTestFleet([east])
  const { value } = await fleet.table('/fleet/api/v1/pods')
  const answer = await fleet.get(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`, {
    accept: 'application/json;as=Table;g=meta.k8s.io;v=v1',
  })
  const written: string[] = []
  let buffered = 0
  const sink = {
    write(chunk: Uint8Array | string) {
      written.push(String(chunk))
      buffered += chunk.length
      return false
    },
    drained: () => new Promise<void>(() => {}),
    get bufferedBytes() {
      return buffered
    },
    signal: new AbortController().signal,
  }
  assert.ok(typeof answer.response.body === 'function')
  const body = answer.response.body(sink)
  for (let i = 0; i < 4_000; i++) east.put({ name: `pod-${i}` })
  await fleet.clock.advance(1_000)
  await body

  assert.match(written.at(-1) ?? '', /"type":"ERROR".*"reason":"Expired"/)
  assert.ok(buffered < 2 << 20, `${buffered} bytes`)
})

test('carries whole objects to whoever asks for them', async () => {
  const east = createSimulatedMember({ name: 'east' })
  await using fleet = startTestFleet([east])
  const list = await (await fleet.get('/fleet/api/v1/pods?limit=500')).json()
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${list.metadata.resourceVersion}`, { accept: 'application/json' })
  east.put({ name: 'web', image: 'nginx:2' })
  const [event] = await watch.events()

  assert.equal(event?.object.metadata.name, 'east:web')
  assert.equal(event?.object.spec.containers[0]?.image, 'nginx:2')
  east.remove('web')
  assert.deepEqual(seen(await watch.events()), [['DELETED', 'east:web']])
  watch.stop()
})

test('a cluster that joins comes, and one that leaves goes, in open watches too', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east', pods: 2 }), createSimulatedMember({ name: 'west', pods: 2 })]
  await using fleet = startTestFleet([east])
  const { value } = await fleet.table('/fleet/api/v1/pods')
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`)

  fleet.members.set('west', west)
  fleet.membersChanged()
  await fleet.clock.advance(50)
  assert.deepEqual(
    (await watch.events()).map(({ type, object }) => [type, object.rows[0]?.cells[0]]),
    [
      ['ADDED', 'west'],
      ['ADDED', 'west'],
    ],
  )
  fleet.members.delete('east')
  fleet.membersChanged()
  await fleet.clock.advance(50)
  assert.deepEqual(
    (await watch.events()).map(({ type, object }) => [type, object.rows[0]?.cells[0]]),
    [
      ['DELETED', 'east'],
      ['DELETED', 'east'],
    ],
  )
  watch.stop()
  await settle()
  assert.equal(east.watches, 0)
})

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}
