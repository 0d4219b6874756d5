import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Caller } from '@gantry/gateway'
import { createSimulatedMember, type SimulatedMember } from './simulated-member.ts'
import { startTestFleet, type Wire } from './test-fleet.ts'

const callerOf = (username: string): Caller => ({ kind: 'platform', user: { username, groups: [] }, credential: { kind: 'bearer', id: `apikey/${username}` } })
const [ann, bob] = [callerOf('ann'), callerOf('bob')]

/** Its own rules: ann may list and watch pods everywhere, bob in one namespace. */
function createDecidingMember(): SimulatedMember {
  const member = createSimulatedMember({ name: 'strict', pods: 250 })
  member.rules = (user, { verb, resource, namespace }) =>
    resource === 'pods' && ['get', 'list', 'watch'].includes(verb) && (user === 'ann' || (user === 'bob' && namespace === 'team-0001'))
  return member
}

const clustersOf = (rows: readonly (readonly unknown[])[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...new Set(rows.map(([cluster]) => String(cluster)))].map((name) => [name, rows.filter(([cluster]) => cluster === name).length]))

test('a cluster that decides for itself shows each caller what it lets that caller list, and a refusal is told', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 10 }), createDecidingMember()])

  assert.deepEqual(clustersOf((await fleet.table('/fleet/api/v1/pods', ann)).rows), { east: 10, strict: 250 })
  const his = await fleet.table('/fleet/api/v1/pods', bob)
  assert.deepEqual(clustersOf(his.rows), { east: 10 })
  assert.match(his.answer.freshness, /live=1, failed=strict/)
  assert.match(his.answer.warnings.join(), /cluster 'strict' is missing: pods is forbidden: User 'bob' cannot list/)
  const inOne = await fleet.table('/fleet/api/v1/namespaces/team-0001/pods', bob)
  assert.deepEqual(clustersOf(inOne.rows), { strict: 100 })
  assert.deepEqual(inOne.answer.warnings, [])
})

test('nothing of a cluster that decides is read with the stored credential but what it serves', async () => {
  const strict = createDecidingMember()
  await using fleet = startTestFleet([strict])
  await fleet.table('/fleet/api/v1/pods', ann)
  await (await fleet.get('/fleet/api/v1/pods?limit=500', { caller: ann })).json()
  await (await fleet.get('/platform/v1/fleet/search?q=kind:pod', { caller: ann })).json()
  await fleet.get('/fleet/api/v1/namespaces/team-0000/pods/strict:app-0-7d4b9c6f5-00000', { caller: ann })

  const stored = strict.requests.filter((request) => !request.startsWith('ann '))
  assert.deepEqual(new Set(stored), new Set(['/api?', '/apis?']))
})

test('no way through the fleet shows what the cluster refuses: tables, objects, single ones, searches, watches, pages begun by others', async () => {
  const strict = createDecidingMember()
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1 }), strict])
  // Ann has everything in memory.
  const hers = await fleet.table('/fleet/api/v1/pods?limit=20', ann)
  const token = encodeURIComponent(hers.value.metadata.continue ?? '')
  const secretName = 'app-0-7d4b9c6f5-00000'
  const asked = [
    '/fleet/api/v1/pods',
    '/fleet/api/v1/pods?limit=500',
    '/fleet/api/v1/namespaces/strict:team-0000/pods',
    '/fleet/api/v1/pods?labelSelector=fleet.gantry.dev%2Fcluster%3Dstrict',
    `/fleet/api/v1/pods?fieldSelector=metadata.name%3Dstrict%3A${secretName}`,
    `/fleet/api/v1/pods?limit=20&continue=${token}`,
    `/fleet/api/v1/namespaces/team-0000/pods/strict:${secretName}`,
    `/fleet/api/v1/namespaces/team-0000/pods/${secretName}`,
    '/platform/v1/fleet/search?q=kind:pod%20cluster:strict',
    `/platform/v1/fleet/search?q=${secretName}`,
  ]
  for (const path of asked) {
    for (const accept of [
      'application/json',
      'application/json;as=Table;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
    ]) {
      const answer = await fleet.get(path, { caller: bob, accept })
      const text = JSON.stringify(await answer.json())
      // His own question holds the name.
      const rows = (JSON.parse(text) as Wire).rows ?? (JSON.parse(text) as Wire).items ?? []
      assert.ok(
        answer.status !== 200 || rows.every((row) => !JSON.stringify(row).includes('strict')),
        `${path} ${accept}: ${answer.status} ${text.slice(0, 300)}`,
      )
    }
  }
  for (const accept of ['application/json;as=Table;g=meta.k8s.io;v=v1', 'application/json']) {
    for (const query of [
      '',
      '&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true',
      `&resourceVersion=${hers.value.metadata.resourceVersion}`,
    ]) {
      const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1${query}`, { caller: bob, accept })
      await watch.events()
      strict.put({ name: 'new', namespace: 'team-0000', restarts: strict.requests.length })
      const events = (await watch.events()).filter(({ type }) => type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')
      assert.ok(!JSON.stringify(events).includes('strict'), query)
      watch.stop()
    }
  }
})

test('a right that the cluster takes away ends what the fleet shows by it within five seconds', async () => {
  const strict = createDecidingMember()
  await using fleet = startTestFleet([strict])
  const { rows, value } = await fleet.table('/fleet/api/v1/pods', ann)
  assert.equal(rows.length, 250)
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`, { caller: ann })
  strict.put({ name: 'a', namespace: 'team-0000' })
  assert.equal((await watch.events()).length, 1)

  strict.rules = () => false
  await fleet.clock.advance(5_001)
  strict.put({ name: 'b', namespace: 'team-0000' })
  const [end, ...more] = await watch.events()
  assert.deepEqual([end?.type, end?.object.code, more], ['ERROR', 410, []])
  const after = await fleet.table('/fleet/api/v1/pods', ann)
  assert.deepEqual(after.rows, [])
  assert.match(after.answer.freshness, /failed=strict/)
})

test('a cluster that does not answer shows nothing of what it has shown, and that is told', async () => {
  const strict = createDecidingMember()
  await using fleet = startTestFleet([strict])
  assert.equal((await fleet.table('/fleet/api/v1/pods', ann)).rows.length, 250)

  strict.behave = () => new Promise(() => {})
  await fleet.clock.advance(6_000)
  const { rows, answer } = await fleet.table('/fleet/api/v1/pods', ann)
  assert.deepEqual(rows, [])
  assert.match(answer.warnings.join(), /cluster 'strict' is missing: it has not said yet whether you may still see what it has shown/)
})

test('what was read for one caller is given up a minute after the last look', async () => {
  const strict = createDecidingMember()
  await using fleet = startTestFleet([strict])
  await fleet.table('/fleet/api/v1/pods', ann)
  assert.equal(strict.watches, 1)
  await fleet.clock.advance(80_000)
  assert.equal(strict.watches, 0)
})

test('from the moment a cluster decides for itself, what was read with the stored credential is gone', async () => {
  const strict = createDecidingMember()
  const { rules } = strict
  strict.rules = undefined
  await using fleet = startTestFleet([strict])
  const { rows, value } = await fleet.table('/fleet/api/v1/pods', bob)
  assert.equal(rows.length, 250)
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`, { caller: bob })

  strict.rules = rules
  assert.deepEqual((await fleet.table('/fleet/api/v1/pods', bob)).rows, [])
  strict.put({ name: 'a', namespace: 'team-0000' })
  fleet.membersChanged()
  strict.put({ name: 'b', namespace: 'team-0000' })
  assert.ok((await watch.events()).every(({ type }) => type === 'DELETED' || type === 'ERROR'))
  watch.stop()
})
