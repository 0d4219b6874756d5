import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KubeObject } from '@gantry/client'
import { projectNamespaceKind, tenancyLabels, type ProjectNamespace } from '@gantry/tenancy/api'
import { askAbout, bank, ledgerOf, original, shop, start } from './test-move.ts'
import { pods, type TestTenancy } from './test-tenancy.ts'

const graceMs = 3 * 60_000
const mostWrites = 60

/** A namespace that moves to and fro between two projects. */
interface Course {
  readonly from: string
  readonly to: string
}

async function begin(platform: TestTenancy, { from, to }: Course): Promise<void> {
  const body = { to: to === shop ? 'acme/shop' : 'acme/bank' }
  const { status, message } = await askAbout(platform, { user: 'tom', method: 'POST', path: pathOf(from), body })
  assert.equal(status, 202, message)
}

const cancel = (platform: TestTenancy, { from }: Course): Promise<{ readonly status: number; readonly message: string }> =>
  askAbout(platform, { user: 'tom', method: 'DELETE', path: pathOf(from) })

const pathOf = (from: string): string => `/platform/v1/projectnamespaces/${from}/db/move`

async function settled(platform: TestTenancy): Promise<void> {
  await platform.idle()
  await platform.clock.advance(10_000)
  await platform.idle()
}

/** The one project that has the namespace, by everything there is: the objects, the mark, the permissions; with the same pod as ever in it. */
async function holderOf(platform: TestTenancy, before: KubeObject): Promise<string> {
  const { items } = await platform.hub.list<ProjectNamespace>(projectNamespaceKind.ref)
  assert.deepEqual(
    items.map(({ status }) => status?.phase),
    ['Active'],
    JSON.stringify(items.map(({ metadata, status }) => [metadata.namespace, status])),
  )
  const { uid, namespace = '' } = items[0]?.metadata ?? {}
  const { metadata } = await original(platform)
  assert.deepEqual([metadata.labels?.[tenancyLabels.uid], metadata.uid, metadata.deletionTimestamp], [uid, before.metadata.uid, undefined])
  const running = await platform.member('one').client.list<KubeObject>(pods, { namespace: 'db' })
  assert.deepEqual(
    running.items.map((pod) => pod.metadata.name),
    ['web'],
  )
  assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [namespace === shop, namespace === bank])
  return namespace
}

/** What the ledger has for the namespace, when what was under way has had its time. */
async function assertReservedOnce(platform: TestTenancy, holder: string): Promise<void> {
  await platform.clock.advance(graceMs)
  await settled(platform)
  const reservations = await ledgerOf(platform)
  const reserved = [shop, bank].filter((namespace) => new RegExp(`${namespace.split('--')[1]}[^"]*one[^"]*db`).test(reservations))
  assert.deepEqual(reserved, [holder], reservations)
}

describe('a namespace that moves, when the platform is killed', () => {
  test('at any write of the move, arrives, whole and once', async () => {
    await using platform = await start()
    const before = await original(platform)
    let course: Course = { from: shop, to: bank }
    let kills = 0
    for (let at = 1; at <= mostWrites; at++) {
      platform.atWrite((write) => Promise.resolve(write === at ? 'after' : undefined))
      await begin(platform, course)
      await settled(platform)
      platform.atWrite(undefined)
      const wasKilled = platform.isDead
      if (wasKilled) await platform.restart()
      await settled(platform)
      assert.equal(await holderOf(platform, before), course.to, `killed at write ${at}`)
      course = { from: course.to, to: course.from }
      if (!wasKilled) break
      kills++
    }
    assert.ok(kills >= 8 && kills < mostWrites, `${kills} writes of a move`)
    await assertReservedOnce(platform, course.from)
  })

  test('at any write after it was cancelled, stays or has arrived, whole and once', async () => {
    await using platform = await start()
    const before = await original(platform)
    let course: Course = { from: shop, to: bank }
    let kills = 0
    let missed = 0
    for (let at = 1; at <= mostWrites; at++) {
      let since = 0
      platform.atWrite(async () => {
        // From when the new object may take the namespace: before that, cancelling needs no more than the hub.
        const { items } = await platform.hub.list<ProjectNamespace>(projectNamespaceKind.ref, { namespace: course.from })
        if (since === 0 && items[0]?.status?.move?.phase !== 'NewCreated') return undefined
        // The cancelling writes too, and others go on meanwhile.
        const nth = ++since
        if (nth === 1) assert.equal((await cancel(platform, course)).status, 202)
        return nth === at ? 'after' : undefined
      })
      await begin(platform, course)
      await settled(platform)
      platform.atWrite(undefined)
      const wasKilled = platform.isDead
      if (wasKilled) await platform.restart()
      await settled(platform)
      const holder = await holderOf(platform, before)
      if (holder === course.to) course = { from: course.to, to: course.from }
      if (since === 0) {
        // A hub that answers in its own time may be past it when it is asked: once more.
        assert.ok(++missed < mostWrites, 'the new object is never seen')
        at--
        continue
      }
      if (!wasKilled) break
      kills++
    }
    assert.ok(kills >= 4 && kills < mostWrites, `${kills} writes of a move that is cancelled`)
  })
})

test('a move that is cancelled at any of its writes is undone until the new project has the namespace, and done from then on', async () => {
  await using platform = await start()
  const before = await original(platform)
  let course: Course = { from: shop, to: bank }
  const outcomes: string[] = []
  for (let at = 1; at <= mostWrites; at++) {
    let asked: number | undefined
    platform.atWrite(async (write) => {
      if (write === at) asked = (await cancel(platform, course)).status
      return undefined
    })
    await begin(platform, course)
    await settled(platform)
    platform.atWrite(undefined)
    const holder = await holderOf(platform, before)
    if (asked === undefined) break
    const hasMoved = holder === course.to
    outcomes.push(`${asked} ${hasMoved ? 'moved' : 'stayed'}`)
    if (asked !== 202) assert.ok(hasMoved, `refused with ${asked} at write ${at}, and stayed`)
    if (hasMoved) course = { from: course.to, to: course.from }
  }
  // Never back: what is too late at one write is so at all that follow.
  assert.deepEqual(
    outcomes.map((outcome) => outcome.endsWith('moved')),
    outcomes.map((_, at) => at >= outcomes.findIndex((outcome) => outcome.endsWith('moved'))),
    outcomes.join(', '),
  )
  assert.deepEqual([outcomes.includes('202 stayed'), outcomes.some((outcome) => /^4\d\d moved$/.test(outcome))], [true, true], outcomes.join(', '))
})
