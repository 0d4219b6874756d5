import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSimulatedMember } from './simulated-member.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

function clusters() {
  const [east, west] = [createSimulatedMember({ name: 'east', widgets: ['gadget'] }), createSimulatedMember({ name: 'west' })]
  east.put({ name: 'web-1', app: 'web', image: 'registry.example:5000/shop/web:1.2' })
  east.put({ name: 'db-1', app: 'db', namespace: 'data', image: 'postgres:17', phase: 'CrashLoopBackOff' })
  west.put({ name: 'web-2', app: 'web', image: 'registry.example:5000/shop/web:1.3', node: 'big-node' })
  return { east, west }
}

async function names(fleet: TestFleet, q: string): Promise<readonly string[]> {
  const answer = await fleet.get(`/platform/v1/fleet/search?q=${encodeURIComponent(q)}`)
  const value = await answer.json()
  assert.equal(answer.status, 200, value.message)
  return value.items.map(({ cluster, name }) => `${cluster}/${name}`)
}

const searches: readonly (readonly [string, readonly string[]])[] = [
  ['kind:pod', ['east/db-1', 'east/web-1', 'west/web-2'].toSorted()],
  ['web', ['east/web-1', 'west/web-2']],
  ['kind:po name:web', ['east/web-1', 'west/web-2']],
  ['name:*-1', ['east/db-1', 'east/web-1'].toSorted()],
  ['cluster:west', ['west/web-2']],
  ['ns:data', ['east/db-1']],
  ['label:app=web -cluster:east', ['west/web-2']],
  ['label:app', ['east/db-1', 'east/web-1', 'west/web-2'].toSorted()],
  ['label:app=d*', ['east/db-1']],
  ['image:postgres', ['east/db-1']],
  ['image:*:1.3', ['west/web-2']],
  ['registry.example:5000/shop/web:1.2', ['east/web-1']],
  ['owner:replicaset/web*', ['east/web-1', 'west/web-2']],
  ['status:crash*', ['east/db-1']],
  ['-status:running kind:pods', ['east/db-1']],
  ['big-node', ['west/web-2']],
  ['name:web,db cluster:east', ['east/db-1', 'east/web-1'].toSorted()],
  ['kind:widget', ['east/gadget']],
  ['kind:widget,pod name:gadget,db-1', ['east/db-1', 'east/gadget']],
  ['nothing-like-it', []],
]
for (const [q, expected] of searches) {
  test(`a search for ${q} finds ${expected.join(', ') || 'nothing'}`, async () => {
    const { east, west } = clusters()
    await using fleet = startTestFleet([east, west])
    assert.deepEqual((await names(fleet, q)).toSorted(), expected)
  })
}

test('a search tells what kubectl would print, and what it is searched by', async () => {
  const { east, west } = clusters()
  await using fleet = startTestFleet([east, west])
  const { items } = await (await fleet.get('/platform/v1/fleet/search?q=db')).json()

  assert.deepEqual(items, [
    {
      cluster: 'east',
      group: '',
      version: 'v1',
      resource: 'pods',
      kind: 'Pod',
      namespace: 'data',
      name: 'db-1',
      created: '2025-12-31T23:00:00Z',
      status: 'CrashLoopBackOff',
      labels: { app: 'db', 'pod-template-hash': '7d4b9c6f5' },
      owners: ['ReplicaSet/db-7d4b9c6f5'],
      images: ['postgres:17'],
      cells: { Name: 'db-1', Ready: '0/1', Status: 'CrashLoopBackOff', Restarts: '0', Age: '60m', IP: '10.2.0.1', Node: 'east-node-0' },
    },
  ])
})

test('pages through what it finds', async () => {
  await using fleet = startTestFleet(['a', 'b'].map((name) => createSimulatedMember({ name, pods: 150 })))
  const seen = new Set<string>()
  let token = ''
  do {
    const page = await (await fleet.get(`/platform/v1/fleet/search?q=kind:pod&limit=70&continue=${encodeURIComponent(token)}`)).json()
    for (const { cluster, name } of page.items) seen.add(`${cluster}/${name}`)
    token = page.continue ?? ''
  } while (token !== '')
  assert.equal(seen.size, 300)
})

test('waits for a change, and answers within a second of it', async () => {
  const { east, west } = clusters()
  await using fleet = startTestFleet([east, west])
  const first = await (await fleet.get('/platform/v1/fleet/search?q=kind:pod')).json()
  let isHere = false
  const next = fleet.get(`/platform/v1/fleet/search?q=kind:pod&since=${first.sequence}&wait=30`).finally(() => (isHere = true))
  await fleet.clock.advance(100)
  assert.equal(isHere, false)

  west.put({ name: 'new' })
  const began = fleet.clock.monotonicMs()
  const { items } = await (await next).json()

  assert.equal(items.length, 4)
  assert.ok(fleet.clock.monotonicMs() - began <= 1_000)
})

test('refuses what it cannot search, with words for people', async () => {
  await using fleet = startTestFleet([createSimulatedMember({ name: 'a' })])
  for (const [query, message] of [
    ['q=kind:nonsense', /no cluster that answers serves the kind "nonsense"/],
    [`q=${'a'.repeat(1_001)}`, /at most 1000 characters/],
    ['q=a&limit=100000', /"limit" must be a whole number from 0 to 1000/],
  ] as const) {
    const answer = await fleet.get(`/platform/v1/fleet/search?${query}`)
    assert.equal(answer.status, 400)
    assert.match((await answer.json()).message, message)
  }
})
