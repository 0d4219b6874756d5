import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSimulatedMember, type SimulatedMember } from './simulated-member.ts'
import { startTestFleet } from './test-fleet.ts'

test('shows the pods of all clusters in one table with the cluster first', async () => {
  const east = createSimulatedMember({ name: 'east' })
  const west = createSimulatedMember({ name: 'west' })
  east.put({ name: 'web-0' })
  west.put({ name: 'web-0', phase: 'Pending' })
  await using fleet = startTestFleet([west, east])

  const { rows, value, answer } = await fleet.table('/fleet/api/v1/pods?limit=500')

  assert.deepEqual(
    value.columnDefinitions?.map(({ name }) => name),
    ['Cluster', 'Name', 'Ready', 'Status', 'Restarts', 'Age', 'IP', 'Node'],
  )
  assert.deepEqual(
    rows.map((cells) => cells.slice(0, 4)),
    [
      ['east', 'web-0', '1/1', 'Running'],
      ['west', 'web-0', '0/1', 'Pending'],
    ],
  )
  assert.deepEqual(
    value.rows.map((row) => [row.object.metadata.name, row.object.metadata.labels['fleet.gantry.dev/cluster']]),
    [
      ['east:web-0', 'east'],
      ['west:web-0', 'west'],
    ],
  )
  assert.equal(answer.freshness, 'live=2')
  assert.deepEqual(answer.warnings, [])
})

test('pages through all clusters without showing an object twice or leaving one out', async () => {
  const members = ['a', 'b', 'c'].map((name) => createSimulatedMember({ name, pods: 230 }))
  await using fleet = startTestFleet(members)
  const seen: string[] = []
  let token = ''
  let pages = 0
  do {
    const { value } = await fleet.table(`/fleet/api/v1/pods?limit=100${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`)
    seen.push(...value.rows.map((row) => `${row.object.metadata.namespace}/${row.object.metadata.name}`))
    token = value.metadata.continue ?? ''
    pages++
    assert.equal(value.metadata.remainingItemCount, undefined)
  } while (token !== '')

  assert.equal(pages, 7)
  assert.equal(seen.length, 690)
  assert.equal(new Set(seen).size, 690)
})

test('refuses a continue token of another list', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'a', pods: 20 })])
  const { value } = await fleet.table('/fleet/api/v1/pods?limit=5')
  const token = encodeURIComponent(value.metadata.continue ?? '')

  const other = await fleet.get(`/fleet/api/v1/pods?limit=5&labelSelector=app%3Dapp-1&continue=${token}`, {
    accept: 'application/json;as=Table;g=meta.k8s.io;v=v1',
  })

  assert.equal(other.status, 410)
  assert.doesNotMatch(Buffer.from(value.metadata.continue ?? '', 'base64url').toString('latin1'), /app-|team-|cluster/)
})

test('selects by cluster, label, namespace and field', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east' }), createSimulatedMember({ name: 'west' })]
  for (const member of [east, west]) {
    member.put({ name: 'web', app: 'web' })
    member.put({ name: 'db', app: 'db', phase: 'Pending', namespace: 'data' })
  }
  await using fleet = startTestFleet([east, west])
  const names = async (path: string): Promise<string[]> => (await fleet.table(path)).rows.map(([cluster, name]) => `${String(cluster)}/${String(name)}`)

  assert.deepEqual(await names('/fleet/api/v1/pods?labelSelector=fleet.gantry.dev%2Fcluster%3Deast'), ['east/db', 'east/web'])
  assert.deepEqual(await names('/fleet/api/v1/pods?labelSelector=app%3Ddb'), ['east/db', 'west/db'])
  assert.deepEqual(await names('/fleet/api/v1/pods?labelSelector=app%21%3Ddb%2Cfleet.gantry.dev%2Fcluster%20in%20(west)'), ['west/web'])
  assert.deepEqual(await names('/fleet/api/v1/namespaces/data/pods'), ['east/db', 'west/db'])
  assert.deepEqual(await names('/fleet/api/v1/namespaces/west:data/pods'), ['west/db'])
  assert.deepEqual(await names('/fleet/api/v1/pods?fieldSelector=status.phase%3DPending'), ['east/db', 'west/db'])
  assert.deepEqual(await names('/fleet/api/v1/pods?fieldSelector=metadata.name%3Deast:web'), ['east/web'])
  // A field that the cache does not keep is selected by the clusters themselves.
  assert.equal((await names('/fleet/api/v1/pods?fieldSelector=status.podIP%3D10.0.0.1')).length, 4)
  assert.deepEqual(await names('/fleet/api/v1/pods?fieldSelector=status.podIP%3D10.0.0.9'), [])
})

test('lets ages grow between the answers of a cluster', async () => {
  const east = createSimulatedMember({ name: 'east' })
  east.put({ name: 'web', restarts: 2 })
  await using fleet = startTestFleet([east])

  const age = async (): Promise<readonly unknown[]> => (await fleet.table('/fleet/api/v1/pods')).rows[0]?.slice(4, 6) ?? []
  assert.deepEqual(await age(), ['2 (5m ago)', '60m'])
  await fleet.clock.advance(180_000)
  assert.deepEqual(await age(), ['2 (8m ago)', '63m'])
})

test('asks a cluster for nothing before somebody asks, and stops when nobody has asked for a while', async () => {
  const east = createSimulatedMember({ name: 'east', pods: 3 })
  await using fleet = startTestFleet([east], { idleMs: 60_000 })
  await fleet.clock.advance(60_000)
  assert.equal(east.requests.length, 0)

  await fleet.table('/fleet/api/v1/pods')
  assert.equal(east.watches, 1)
  assert.equal(
    east.requests.some((path) => path.includes('secrets')),
    false,
  )
  const asked = east.requests.length
  for (let i = 0; i < 5; i++) await fleet.table('/fleet/api/v1/pods')
  assert.equal(east.requests.length, asked)

  await fleet.clock.advance(120_000)
  assert.equal(east.watches, 0)
  assert.equal(fleet.fleet.bytes, 0)
})

test('gives up kinds that nobody looks at when memory runs out', async () => {
  const members = (): readonly [SimulatedMember] => [createSimulatedMember({ name: 'east', pods: 500, widgets: ['w1'] })]
  await using measured = startTestFleet(members())
  await measured.table('/fleet/api/v1/pods')
  const [east] = members()
  await using fleet = startTestFleet([east], { maxBytes: measured.fleet.bytes + 1 })
  assert.equal((await fleet.table('/fleet/api/v1/pods')).rows.length, 500)
  assert.equal(east.watches, 1)

  assert.equal((await fleet.table('/fleet/apis/example.dev/v1/widgets')).rows.length, 1)
  assert.equal(east.watches, 0)
  assert.ok(fleet.fleet.bytes < measured.fleet.bytes)
})

test('leaves clusters out when the kinds that are looked at do not fit, and names the limit', async () => {
  const east = createSimulatedMember({ name: 'east', pods: 3_000 })
  await using fleet = startTestFleet([east], { maxBytes: 400_000 })

  const { rows, answer } = await fleet.table('/fleet/api/v1/pods')

  assert.ok(rows.length < 3_000)
  assert.match(answer.warnings.join(), /cluster 'east' is missing: the fleet's tables are full: .* start Gantry with a greater --fleet-memory-mib/)
  assert.match(answer.freshness, /failed=east/)
})

test('serves a kind that only some clusters have', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east', widgets: ['w1'] }), createSimulatedMember({ name: 'west' })]
  await using fleet = startTestFleet([east, west])

  const { rows, answer } = await fleet.table('/fleet/apis/example.dev/v1/widgets')
  assert.deepEqual(
    rows.map(([cluster, name]) => [cluster, name]),
    [['east', 'w1']],
  )
  assert.equal(answer.freshness, 'live=2')

  const list = await (await fleet.get('/fleet/apis/example.dev/v1')).json()
  assert.deepEqual(
    list.resources.map(({ name, verbs }) => [name, verbs]),
    [['widgets', ['get', 'list', 'watch']]],
  )
  const groups = await (await fleet.get('/fleet/apis', { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' })).json()
  assert.deepEqual(
    groups.items.map(({ metadata }) => metadata.name),
    ['example.dev'],
  )
})

test('shows whole objects under names that no two clusters share', async () => {
  const [east, west] = [createSimulatedMember({ name: 'east' }), createSimulatedMember({ name: 'west' })]
  east.put({ name: 'web' })
  west.put({ name: 'web' })
  west.put({ name: 'only-west' })
  await using fleet = startTestFleet([east, west])

  const list = await (await fleet.get('/fleet/api/v1/pods?limit=500')).json()
  assert.deepEqual(
    list.items.map(({ metadata }) => metadata.name),
    ['east:web', 'west:web', 'west:only-west'],
  )
  assert.equal(list.items[0]?.spec.containers[0]?.image, 'nginx:1.27')
  assert.equal(list.items[0]?.metadata.annotations['fleet.gantry.dev/resource-version'], '1001')

  const one = await (await fleet.get('/fleet/api/v1/namespaces/default/pods/west:web')).json()
  assert.equal(one.metadata.labels['fleet.gantry.dev/cluster'], 'west')
  assert.equal((await (await fleet.get('/fleet/api/v1/namespaces/default/pods/only-west')).json()).metadata.name, 'west:only-west')
  const both = await fleet.get('/fleet/api/v1/namespaces/default/pods/web')
  assert.equal(both.status, 409)
  assert.match((await both.json()).message, /ask for one of east:web, west:web/)
  assert.equal((await fleet.get('/fleet/api/v1/namespaces/default/pods/none')).status, 404)
  assert.equal((await fleet.get('/fleet/api/v1/namespaces/default/pods/nowhere:web')).status, 404)
})

test('pages whole objects through the clusters with tokens that tell nothing', async () => {
  await using fleet = startTestFleet(['a', 'b'].map((name) => createSimulatedMember({ name, pods: 120 })))
  const seen = new Set<string>()
  let token = ''
  do {
    const page = await (await fleet.get(`/fleet/api/v1/pods?limit=50${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`)).json()
    for (const { metadata } of page.items) seen.add(`${metadata.namespace}/${metadata.name}`)
    token = page.metadata.continue ?? ''
  } while (token !== '')
  assert.equal(seen.size, 240)
})

test('refuses to write, and names the cluster where it can be done', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1 })])
  const refused = await fleet.get('/fleet/api/v1/namespaces/a/pods/east:web', { method: 'DELETE' })

  assert.equal(refused.status, 405)
  assert.match((await refused.json()).message, /\/clusters\/east\/api\/v1\/namespaces\/a\/pods\/web/)
  assert.equal((await fleet.get('/fleet/api/v1/namespaces/a/pods/east:web/log')).status, 405)
})

test('reads what an old cluster serves, which does not know aggregated discovery', async () => {
  const old = createSimulatedMember({ name: 'old', widgets: ['w1'] })
  const whole = createSimulatedMember({ name: 'old', widgets: ['w1'] })
  const resources = (name: string, kind: string): object => ({
    kind: 'APIResourceList',
    resources: [
      { name, kind, namespaced: true, singularName: kind.toLowerCase(), verbs: ['get', 'list', 'watch'] },
      { name: `${name}/status`, kind, namespaced: true, singularName: '', verbs: ['get'] },
    ],
  })
  const legacy: Readonly<Record<string, object>> = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': {
      kind: 'APIGroupList',
      groups: [
        { name: 'example.dev', versions: [{ version: 'v1' }] },
        { name: 'down.dev', versions: [{ version: 'v1' }] },
      ],
    },
    '/api/v1': resources('pods', 'Pod'),
    '/apis/example.dev/v1': resources('widgets', 'Widget'),
  }
  old.behave = (request) => {
    const value = legacy[request.path]
    if (value !== undefined) return Promise.resolve({ status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) })
    if (request.path !== '/apis/down.dev/v1') return whole.handle(request)
    return Promise.resolve({ status: 503, headers: {}, body: '{"kind":"Status","reason":"ServiceUnavailable","message":"it is down","code":503}' })
  }
  await using fleet = startTestFleet([old])

  assert.deepEqual(
    (await fleet.table('/fleet/apis/example.dev/v1/widgets')).rows.map(([cluster, name]) => [cluster, name]),
    [['old', 'w1']],
  )
  const groups = await (await fleet.get('/fleet/apis')).json()
  assert.match(JSON.stringify(groups), /"name":"example.dev".*"preferredVersion":\{"groupVersion":"example.dev\/v1"/)
})

test('asks small clusters for whole objects together, and shows each object once however short the pages are', async () => {
  const members = Array.from({ length: 20 }, (_, at) => createSimulatedMember({ name: `c-${String(at).padStart(2, '0')}`, pods: 7 }))
  await using fleet = startTestFleet(members)
  await fleet.table('/fleet/api/v1/pods')
  let [open, most] = [0, 0]
  for (const member of members) {
    const serve = member.asked
    member.behave = async (request) => {
      most = Math.max(most, ++open)
      await Promise.resolve()
      open--
      return serve(request)
    }
  }
  const whole = await (await fleet.get('/fleet/api/v1/pods?limit=500')).json()
  assert.equal(whole.items.length, 140)
  assert.ok(most > 5, `${most} at once`)
  const names = new Set<string>()
  let [token, count] = ['', 0]
  do {
    const page = await (await fleet.get(`/fleet/api/v1/pods?limit=20&continue=${encodeURIComponent(token)}`)).json()
    assert.ok(page.items.length <= 20)
    for (const { metadata } of page.items) names.add(`${metadata.namespace}/${metadata.name}`)
    count += page.items.length
    token = page.metadata.continue ?? ''
  } while (token !== '')
  assert.deepEqual([names.size, count], [140, 140])
})
