import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Handler } from '@gantry/runtime'
import { createSimulatedMember, type SimulatedMember } from './simulated-member.ts'
import { startTestFleet, type TestFleet } from './test-fleet.ts'

const json = { 'content-type': 'application/json' }

/** As it is in discovery, and otherwise in everything that is asked of its pods. */
function pods(member: SimulatedMember, behave: Handler): void {
  const whole = createSimulatedMember({ name: member.name })
  member.behave = (request) => (request.path.includes('pods') ? behave(request) : whole.handle(request))
}

async function firstPage(
  fleet: TestFleet,
): Promise<{ readonly ms: number; readonly clusters: readonly unknown[]; readonly freshness: string; readonly warnings: string }> {
  const began = fleet.clock.monotonicMs()
  const { rows, answer } = await fleet.table('/fleet/api/v1/pods?limit=500')
  return {
    ms: fleet.clock.monotonicMs() - began,
    clusters: [...new Set(rows.map(([cluster]) => cluster))],
    freshness: answer.freshness,
    warnings: answer.warnings.join(),
  }
}

const faults: readonly { readonly what: string; readonly behave: Handler; readonly says: RegExp }[] = [
  { what: 'is dead', behave: () => new Promise(() => {}), says: /loading=bad/ },
  { what: 'refuses connections', behave: () => Promise.reject(new Error('connection refused')), says: /failed=bad/ },
  { what: 'answers garbage', behave: () => Promise.resolve({ status: 200, headers: json, body: '<html>not yours</html>' }), says: /failed=bad/ },
  {
    what: 'answers half a list',
    behave: () => Promise.resolve({ status: 200, headers: json, body: '{"kind":"Table","columnDefinitions":[],"rows":[{"cells":[],"object":{"meta' }),
    says: /failed=bad/,
  },
  {
    what: 'lists what is no object',
    behave: () => Promise.resolve({ status: 200, headers: json, body: '{"kind":"PodList","items":[{},{}]}' }),
    says: /failed=bad/,
  },
  {
    what: 'refuses its credential',
    behave: () => Promise.resolve({ status: 403, headers: json, body: '{"kind":"Status","reason":"Forbidden","message":"no","code":403}' }),
    says: /failed=bad/,
  },
  {
    what: 'answers byte by byte',
    behave: (request) =>
      Promise.resolve({
        status: 200,
        headers: json,
        body: (sink) => {
          sink.write('{')
          return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(), { once: true }))
        },
      }),
    says: /loading=bad/,
  },
]

for (const { what, behave, says } of faults) {
  test(`a cluster that ${what} delays no other, and is named`, async () => {
    const good = createSimulatedMember({ name: 'good', pods: 3 })
    const bad = createSimulatedMember({ name: 'bad' })
    pods(bad, behave)
    await using fleet = startTestFleet([good, bad])

    const first = await firstPage(fleet)
    const second = await firstPage(fleet)

    assert.deepEqual(first.clusters, ['good'])
    assert.match(first.freshness, says)
    assert.match(first.warnings, /cluster 'bad'/)
    assert.ok(first.ms <= 1_600, `${first.ms} ms`)
    assert.ok(second.ms < 50, `the second answer took ${second.ms} ms`)
    // It is asked ever more slowly, and comes back by itself.
    await fleet.clock.advance(120_000)
    assert.ok(bad.requests.filter((path) => path.includes('pods')).length < 20, `${bad.requests.length} requests`)
    bad.behave = undefined
    bad.put({ name: 'back' })
    await fleet.clock.advance(60_000)
    assert.deepEqual((await firstPage(fleet)).clusters, ['bad', 'good'])
  })
}

test('a list that does not end is given up', async () => {
  const bad = createSimulatedMember({ name: 'bad' })
  let page = 0
  pods(bad, () => Promise.resolve({ status: 200, headers: json, body: JSON.stringify({ kind: 'PodList', metadata: { continue: String(page++) }, items: [] }) }))
  await using fleet = startTestFleet([createSimulatedMember({ name: 'good', pods: 1 }), bad])

  const answer = await firstPage(fleet)

  assert.deepEqual(answer.clusters, ['good'])
  assert.match(answer.warnings, /bad/)
  assert.ok(page <= 2_001, `${page} pages`)
})

test('a cluster that always says that its version is too old is asked ever more slowly', async () => {
  const storm = createSimulatedMember({ name: 'storm' })
  const whole = createSimulatedMember({ name: 'storm', pods: 2 })
  storm.behave = (request) =>
    request.query.includes('watch=true')
      ? Promise.resolve({ status: 410, headers: json, body: '{"kind":"Status","reason":"Expired","message":"too old","code":410}' })
      : whole.handle(request)
  await using fleet = startTestFleet([storm])

  const { rows } = await fleet.table('/fleet/api/v1/pods')
  await fleet.clock.advance(120_000)

  assert.equal(rows.length, 2)
  assert.ok(storm.requests.length < 30, `${storm.requests.length} requests`)
  assert.match((await firstPage(fleet)).freshness, /stale=storm@|live=1/)
})

test('a cluster that flaps keeps its rows, says how old they are, and is never shown twice', async () => {
  const flapping = createSimulatedMember({ name: 'flapping', pods: 5 })
  await using fleet = startTestFleet([flapping])
  await fleet.table('/fleet/api/v1/pods')

  for (let round = 0; round < 5; round++) {
    flapping.behave = () => Promise.reject(new Error('it is away'))
    flapping.endWatches()
    await fleet.clock.advance(20_000)
    const away = await fleet.table('/fleet/api/v1/pods')
    assert.equal(away.rows.length, 5)
    assert.match(away.answer.freshness, /stale=flapping@2026-01-01T/)
    assert.match(away.answer.warnings.join(), /cannot be followed.* s old/)
    flapping.behave = undefined
    await fleet.clock.advance(45_000)
    assert.match((await fleet.table('/fleet/api/v1/pods')).answer.freshness, /^live=1$/)
  }
  assert.equal((await fleet.table('/fleet/api/v1/pods')).rows.length, 5)
})

test('what has gone while a cluster could not be watched is gone once it has been listed again', async () => {
  const east = createSimulatedMember({ name: 'east' })
  for (const name of ['a', 'b', 'c']) east.put({ name })
  await using fleet = startTestFleet([east])
  const { value } = await fleet.table('/fleet/api/v1/pods')
  const watch = await fleet.watch(`/fleet/api/v1/pods?watch=1&resourceVersion=${value.metadata.resourceVersion}`)

  east.behave = () => Promise.reject(new Error('it is away'))
  east.endWatches()
  await fleet.clock.advance(5_000)
  east.remove('b')
  east.put({ name: 'd' })
  east.forget()
  east.behave = undefined
  await fleet.clock.advance(60_000)

  assert.deepEqual((await watch.events()).map(({ type, object }) => [type, object.rows[0]?.cells[1]]).toSorted(byText), [
    ['ADDED', 'd'],
    ['DELETED', 'b'],
  ])
  watch.stop()
})

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

test('a cluster whose discovery never ends is given up soon, and not asked again for every kind that somebody opens', async () => {
  const endless = createSimulatedMember({ name: 'endless' })
  let [asked, written] = [0, 0]
  endless.behave = (request) => {
    if (request.path === '/api') asked++
    return Promise.resolve({
      status: 200,
      headers: {},
      async body(sink) {
        while (!sink.signal.aborted && written < 64 << 20) {
          written += 1 << 16
          if (!sink.write(Buffer.alloc(1 << 16, 'x'))) await sink.drained()
        }
      },
    })
  }
  await using fleet = startTestFleet([createSimulatedMember({ name: 'east', pods: 1, widgets: ['w1'] }), endless])
  for (const path of ['/fleet/api/v1/pods', '/fleet/api/v1/secrets', '/fleet/apis/example.dev/v1/widgets']) {
    const { rows, answer } = await fleet.table(path)
    assert.equal(rows.length, 1)
    assert.match(answer.freshness, /(failed|loading)=endless/)
  }
  assert.equal(asked, 1)
  assert.ok(written < 12 << 20, `${written} bytes`)
})
