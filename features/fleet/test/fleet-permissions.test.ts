import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ReadPermissions, ReadTarget } from '@gantry/fleet/server'
import type { Caller } from '@gantry/gateway'
import { createSimulatedMember } from './simulated-member.ts'
import { admin, startTestFleet } from './test-fleet.ts'

const alice: Caller = { kind: 'platform', user: { username: 'alice', groups: [] }, credential: { kind: 'bearer', id: 'apikey/alice' } }

/** Admins see everything; what others see can be changed. */
function permissions(
  mayAlice: (target: ReadTarget) => boolean,
  reached: ReadonlySet<string> = new Set(),
): ReadPermissions & { change(mayAlice: (target: ReadTarget) => boolean): void } {
  let may = mayAlice
  let epoch = 0
  const listeners = new Set<() => void>()
  return {
    mayRead: (caller, target) => caller === admin || may(target),
    reaches: (caller, cluster) => caller === admin || reached.has(cluster),
    epoch: (caller) => (caller === admin ? 0 : epoch),
    onEpoch(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    change(next) {
      may = next
      epoch++
      for (const listener of listeners) listener()
    },
  }
}

test('shows each caller what that caller may read, from the same cache', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east', pods: 250 }), createSimulatedMember({ name: 'west', pods: 50 })]
  const given = permissions(({ cluster, namespace }) => cluster === 'east' && namespace === 'team-0001')
  await using fleet = startTestFleet([east, west], { permissions: given })

  assert.equal((await fleet.table('/fleet/api/v1/pods')).rows.length, 300)
  const hers = await fleet.table('/fleet/api/v1/pods', alice)
  assert.equal(hers.rows.length, 100)
  assert.ok(hers.rows.every(([cluster]) => cluster === 'east'))
  const objects = await (await fleet.get('/fleet/api/v1/pods?limit=500', { caller: alice })).json()
  assert.equal(objects.items.length, 100)
  assert.equal((await fleet.get('/fleet/api/v1/namespaces/team-0000/pods/east:app-0-7d4b9c6f5-00000', { caller: alice })).status, 404)
  assert.equal((await fleet.get('/fleet/api/v1/namespaces/team-0000/pods/east:app-0-7d4b9c6f5-00000')).status, 200)
})

test('tells nothing of hidden objects by pages, tokens or counts', async () => {
  const east = createSimulatedMember({ name: 'east', pods: 300 })
  const given = permissions(({ namespace, resource }) => resource === 'pods' && namespace === 'team-0002')
  await using fleet = startTestFleet([east], { permissions: given })

  const first = await fleet.table('/fleet/api/v1/pods?limit=60', alice)
  assert.equal(first.rows.length, 60)
  const second = await fleet.table(`/fleet/api/v1/pods?limit=60&continue=${encodeURIComponent(first.value.metadata.continue ?? '')}`, alice)
  assert.equal(second.rows.length, 40)
  assert.equal(second.value.metadata.continue, undefined)
  // As many as there are to see: no token, although hidden ones follow.
  const hidden = permissions(({ namespace }) => namespace === 'team-0000')
  await using other = startTestFleet([east], { permissions: hidden })
  const all = await other.table('/fleet/api/v1/pods?limit=100', alice)
  assert.deepEqual([all.rows.length, all.value.metadata.continue, all.value.metadata.remainingItemCount], [100, undefined, undefined])
})

test('does not name clusters that the caller may not know', async () => {
  const dead = createSimulatedMember({ name: 'hidden' })
  dead.behave = () => Promise.reject(new Error('it is away'))
  const given = permissions(({ cluster, resource, name }) => cluster === 'east' || (resource === 'clusters' && name === 'east'))
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1 }), dead], { permissions: given })

  const hers = await fleet.table('/fleet/api/v1/pods', alice)
  assert.equal(hers.answer.freshness, 'live=1')
  assert.deepEqual(hers.answer.warnings, [])
  assert.match((await fleet.table('/fleet/api/v1/pods')).answer.freshness, /failed=hidden/)
  const search = await fleet.get('/platform/v1/fleet/search?q=kind:pod', { caller: alice })
  assert.deepEqual(
    (await search.json()).clusters.map(({ name }) => name),
    ['east'],
  )
})

test('tells whoever has something in a cluster that it does not answer, also without the right to read its object', async () => {
  const dead = createSimulatedMember({ name: 'west' })
  dead.behave = () => Promise.reject(new Error('it is away'))
  const given = permissions(({ namespace }) => namespace === 'team-0001', new Set(['west']))
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1 }), dead], { permissions: given })

  const { answer } = await fleet.table('/fleet/api/v1/pods', alice)
  assert.match(answer.freshness, /failed=west/)
  assert.match(answer.warnings.join(), /cluster 'west' is missing/)
})

test('filters watches, and ends them when permissions change', async () => {
  const east = createSimulatedMember({ name: 'east' })
  const given = permissions(({ namespace }) => namespace === 'hers')
  await using fleet = startTestFleet([east], { permissions: given })
  const { value } = await fleet.table('/fleet/api/v1/pods', alice)
  const path = `/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`
  const [hers, his] = [await fleet.watch(path, { caller: alice }), await fleet.watch(path)]

  east.put({ name: 'a', namespace: 'hers' })
  east.put({ name: 'b', namespace: 'others' })
  assert.deepEqual(
    (await hers.events()).map(({ object }) => object.rows[0]?.cells[1]),
    ['a'],
  )
  assert.equal((await his.events()).length, 2)

  given.change(() => false)
  east.put({ name: 'c', namespace: 'hers' })
  const [end, ...more] = await hers.events()
  assert.deepEqual([end?.type, end?.object.code, more], ['ERROR', 410, []])
  assert.equal((await his.events()).length, 1)
  his.stop()
})
