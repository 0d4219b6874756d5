import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StatusError } from '@gantry/apimachinery'
import { readJson } from '@gantry/gateway'
import { bodyOf, readWholeBody, type HttpRequest } from '@gantry/runtime'
import { movedFromAnnotation, moveUndoneAnnotation, projectKind, projectNamespaceKind, tenancyLabels, type ProjectNamespace } from '@gantry/tenancy/api'
import { ask, assertMoved, bank, find, ledgerOf, markOf, original, shop, spec, start } from './test-move.ts'
import { namespaces, projectNamespaceOf, type TestTenancy } from './test-tenancy.ts'

const { ref } = projectNamespaceKind

/** What a move that was interrupted has left: the new object, how far the old one says it is, and whether the namespace bears the new mark. */
async function leave(platform: TestTenancy, { isRecorded, isMarked }: { readonly isRecorded: boolean; readonly isMarked: boolean }): Promise<void> {
  const old = await platform.namespace(shop, 'db')
  const next = projectNamespaceOf(bank, 'db', spec)
  await platform.make({ ...next, metadata: { ...next.metadata, annotations: { [movedFromAnnotation]: old.metadata.uid ?? '' } } })
  const { uid } = (await platform.namespace(bank, 'db')).metadata
  const move = { to: bank, startTime: platform.clock.now().toISOString(), ...(isRecorded ? { phase: 'NewCreated', uid } : { phase: 'Pending' }) }
  await platform.hub.patch(ref, { namespace: shop, name: 'db' }, { type: 'merge', subresource: 'status', body: { status: { phase: 'Moving', move } } })
  await platform.idle()
  if (!isMarked) return
  const labels = { [tenancyLabels.uid]: uid, [tenancyLabels.project]: 'bank' }
  await platform.member('one').client.patch(namespaces, { name: 'db' }, { type: 'merge', body: { metadata: { labels } } })
}

describe('a namespace that moves to another project', () => {
  test('goes with what runs in it, and members change with it', async () => {
    await using platform = await start()
    const before = await original(platform)
    assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [true, false])
    assert.match(await ledgerOf(platform), /shop[^"]*one[^"]*db/)
    const { status } = await ask(platform, 'tom', { to: 'acme/bank' })
    assert.equal(status, 202)
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 409, 'it is moving')
    await platform.idle()
    await assertMoved(platform, before)
    assert.doesNotMatch(await ledgerOf(platform), /shop[^"]*one[^"]*db/, 'the old project has given back what was kept for it')
  })

  test('is only asked about with dryRun', async () => {
    await using platform = await start()
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank', dryRun: true })).status, 200)
    await platform.idle()
    assert.deepEqual([(await platform.namespace(shop, 'db')).status?.phase, await find(platform, bank)], ['Active', undefined])
  })

  test('is refused to who may not do both, to another tenant, and to where it does not fit', async () => {
    await using platform = await start()
    for (const [user, to, code, message] of [
      ['ann', 'acme/bank', 403, /may not make ProjectNamespaces in the project acme\/bank/],
      ['bob', 'acme/bank', 403, /may delete/],
      ['tom', 'other/bank', 422, /of that tenant, not to other/],
      ['tom', 'acme/shop', 422, /in acme\/shop already/],
      ['tom', 'bank', 400, /write "<tenant>\/<project>"/],
    ] as const) {
      const { status, message: said } = await ask(platform, user, { to })
      assert.deepEqual([status, message.test(said)], [code, true], said)
    }
    for (const [change, message] of [
      [{ quota: { total: { cpu: '1' } } }, /does not fit there: .*want 2, free 1/],
      [{ quota: null, clusters: ['two'] }, /may not use the cluster one/],
      [{ clusters: null, locked: true }, /acme\/bank is locked/],
    ] as const) {
      await platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: change } })
      await platform.idle()
      const { status, message: said } = await ask(platform, 'tom', { to: 'acme/bank' })
      assert.deepEqual([status, message.test(said)], [403, true], said)
    }
    assert.equal((await platform.namespace(shop, 'db')).status?.move, undefined)
  })

  test('stays where it was when the new project no longer takes it by the time it gets there', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
    await platform.hub.patch(projectKind.ref, { namespace: 'tenant-acme', name: 'bank' }, { type: 'merge', body: { spec: { locked: true } } })
    await platform.idle()
    await platform.clock.advance(10_000)
    await platform.idle()
    const { status } = await platform.namespace(shop, 'db')
    assert.deepEqual([status?.phase, status?.move?.phase, await find(platform, bank), await markOf(platform)], ['Active', 'Failed', undefined, uid])
    assert.match(status?.move?.message ?? '', /locked/)
    assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [true, false])
  })

  for (const [left, isRecorded, isMarked] of [
    ['the new object had been made, but not written down', false, false],
    ['the new object might take the namespace, but had not', true, false],
    ['the namespace bore the new mark, and nothing else had been done', true, true],
  ] as const)
    test(`is finished when the platform ended after ${left}`, async () => {
      await using platform = await start()
      const before = await original(platform)
      // Nothing goes on while the cluster does not answer: time to lay out what a crash leaves.
      await platform.setReady('one', 'False')
      await platform.idle()
      await leave(platform, { isRecorded, isMarked })
      await platform.setReady('one', 'True')
      await platform.idle()
      await platform.clock.advance(10_000)
      await platform.idle()
      await assertMoved(platform, before)
    })

  test('is undone when what it was to become is deleted before it has the namespace', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    await platform.setReady('one', 'False')
    await platform.idle()
    await leave(platform, { isRecorded: true, isMarked: false })
    await platform.hub.delete(ref, { namespace: bank, name: 'db' })
    await platform.setReady('one', 'True')
    await platform.idle()
    await platform.clock.advance(10_000)
    await platform.idle()
    const { status } = await platform.namespace(shop, 'db')
    assert.deepEqual([status?.phase, status?.move?.phase, await find(platform, bank), await markOf(platform)], ['Active', 'Failed', undefined, uid])
    assert.match(status?.move?.message ?? '', /has been deleted/)
    assert.equal(platform.can('ann', 'one get pods db/'), true)
  })

  test('is not taken by somebody who only says that it moves', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    const forged = projectNamespaceOf(bank, 'db', spec)
    await platform.make({ ...forged, metadata: { ...forged.metadata, annotations: { [movedFromAnnotation]: uid ?? '' } } })
    assert.deepEqual([await markOf(platform), (await platform.namespace(bank, 'db')).status?.phase], [uid, 'Pending'])
    assert.equal(platform.can('bob', 'one get pods db/'), false)
  })

  test('waits for a cluster that is away, and says so, and goes on when it is back', async () => {
    await using platform = await start()
    const before = await original(platform)
    await platform.setReady('one', 'False', 'connection refused')
    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
    await platform.idle()
    const waiting = await platform.namespace(shop, 'db')
    assert.deepEqual([waiting.status?.move?.phase, await find(platform, bank)], ['Pending', undefined])
    assert.match(readyOf(waiting), /^ClusterUnreachable: cluster one cannot be reached: connection refused/)
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertMoved(platform, before)
  })

  test('stays where it was when it has not arrived in an hour', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    await leaveOnTheWay(platform)
    await platform.clock.advance(60 * 60_000)
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Failed' })
    assert.match((await platform.namespace(shop, 'db')).status?.move?.message ?? '', /not arrived in 60 minutes/)
  })

  test('goes back when it was taken by a write that the cluster has done after its time, for an object that is gone by then', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    const late = await holdBackTheMark(platform)
    await platform.hub.delete(ref, { namespace: bank, name: 'db' })
    assert.equal(await late.arrive(), 200)
    assert.notEqual(await markOf(platform), uid)
    // What is deleted looks at the namespace once more: here it has done so before the write arrived.
    await platform.hub.patch(ref, { namespace: bank, name: 'db' }, { type: 'merge', body: { metadata: { finalizers: null } } })
    late.back()
    await platform.clock.advance(15_000)
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Failed' })
  })
})

describe('a move that is cancelled', () => {
  test('leaves the namespace where it was, and it can be moved again', async () => {
    await using platform = await start()
    const before = await original(platform)
    const uid = await markOf(platform)
    await leaveOnTheWay(platform)
    assert.equal((await ask(platform, 'ann')).status, 202)
    assert.equal((await ask(platform, 'ann')).status, 202, 'once more')
    await platform.idle()
    const waiting = await platform.namespace(shop, 'db')
    assert.equal(waiting.status?.move?.phase, 'Cancelling', 'only the cluster can say who has the namespace')
    assert.match(readyOf(waiting), /^ClusterUnreachable/)
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Cancelled' })
    assert.doesNotMatch(await ledgerOf(platform), /bank[^"]*one[^"]*db/, 'nothing is kept for it in the other project')
    const { status, message } = await ask(platform, 'ann')
    assert.deepEqual([status, message], [409, `${shop}/db is not moving`])

    assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
    await settled(platform)
    await assertMoved(platform, before)
    assert.equal((await original(platform)).metadata.annotations?.[moveUndoneAnnotation], undefined)
  })

  test('is over at once, also without its cluster, while the new project cannot have it yet', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    await platform.setReady('one', 'False')
    await platform.idle()
    for (const isMade of [false, true]) {
      if (isMade) await leave(platform, { isRecorded: false, isMarked: false })
      else assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
      await platform.idle()
      assert.equal((await ask(platform, 'tom')).status, 202)
      await settled(platform)
      const { status } = await platform.namespace(shop, 'db')
      assert.deepEqual([status?.phase, status?.move?.phase, await markOf(platform)], ['Active', 'Cancelled', uid])
    }
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Cancelled' })
  })

  test('is refused when the new project has the namespace, and to who may not move it away', async () => {
    await using platform = await start()
    const before = await original(platform)
    assert.equal((await ask(platform, 'ann')).status, 409)
    await leaveOnTheWay(platform, { isMarked: true })
    assert.equal((await ask(platform, 'bob')).status, 403)
    const next = await platform.namespace(bank, 'db')
    const { clusterUID } = (await platform.namespace(shop, 'db')).status ?? {}
    await platform.hub.patch(ref, { namespace: bank, name: 'db' }, { type: 'merge', subresource: 'status', body: { status: { ...next.status, clusterUID } } })
    const { status, message } = await ask(platform, 'ann')
    assert.equal(status, 409)
    assert.match(message, /has arrived in acme\/bank already, which has the namespace now: move it back from there/)
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertMoved(platform, before)
    assert.equal((await ask(platform, 'ann')).status, 404)
  })

  test('is done all the same when the cluster shows that it has come too late', async () => {
    await using platform = await start()
    const before = await original(platform)
    await leaveOnTheWay(platform, { isMarked: true })
    assert.equal((await ask(platform, 'ann')).status, 202)
    await platform.setReady('one', 'True')
    await settled(platform)
    await assertMoved(platform, before)
  })

  test('is not carried out by a write that the cluster does after its time', async () => {
    await using platform = await start()
    const uid = await markOf(platform)
    const late = await holdBackTheMark(platform)
    assert.equal((await ask(platform, 'ann')).status, 202)
    late.back()
    await platform.clock.advance(15_000)
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Cancelled' })
    assert.equal(await late.arrive(), 409)
    await settled(platform)
    await assertStayed(platform, { uid, phase: 'Cancelled' })
  })
})

const readyOf = ({ status }: ProjectNamespace): string => {
  const condition = status?.conditions?.find(({ type }) => type === 'Ready')
  return `${condition?.reason}: ${condition?.message}`
}

async function settled(platform: TestTenancy): Promise<void> {
  await platform.idle()
  await platform.clock.advance(10_000)
  await platform.idle()
}

/** A move that waits for its cluster, and in which the new object may take the namespace. */
async function leaveOnTheWay(platform: TestTenancy, { isMarked = false } = {}): Promise<void> {
  await platform.setReady('one', 'False')
  await platform.idle()
  await leave(platform, { isRecorded: true, isMarked })
}

interface HeldBack {
  /** The cluster does it after all. Returns the status of its answer, which nobody waits for any more. */
  arrive(): Promise<number>
  /** The cluster answers again. */
  back(): void
}

/** Begins a move. The write that puts the new mark on the namespace does not come to its end in time, and from then on the cluster does not answer. */
async function holdBackTheMark(platform: TestTenancy): Promise<HeldBack> {
  const member = platform.member('one')
  const held = Promise.withResolvers<HttpRequest>()
  member.behave = async (request) => {
    if (request.method !== 'PATCH' || !request.path.endsWith('/namespaces/db')) return member.handle(request)
    member.behave = () => Promise.reject(new StatusError('ServiceUnavailable', 'down'))
    const body = await readJson(request, 16 << 10)
    held.resolve({ ...request, body: bodyOf(JSON.stringify(body)), signal: new AbortController().signal })
    return new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)))
  }
  assert.equal((await ask(platform, 'tom', { to: 'acme/bank' })).status, 202)
  await platform.idle()
  const write = await held.promise
  await platform.clock.advance(15_000)
  await platform.idle()
  assert.match(readyOf(await platform.namespace(bank, 'db')), /^ClusterUnreachable: /)
  return {
    async arrive() {
      const response = await member.handle(write)
      await readWholeBody(response)
      return response.status
    },
    back: () => (member.behave = undefined),
  }
}

/** Nothing has changed, and the old project has all of it. */
async function assertStayed(platform: TestTenancy, { uid, phase }: { readonly uid: string | undefined; readonly phase: string }): Promise<void> {
  const { status, metadata } = await platform.namespace(shop, 'db')
  assert.deepEqual(
    [status?.phase, status?.move?.phase, metadata.uid, await markOf(platform), await find(platform, bank)],
    ['Active', phase, uid, uid, undefined],
  )
  assert.equal(readyOf({ status } as ProjectNamespace), 'Ready: ')
  assert.deepEqual([platform.can('ann', 'one get pods db/'), platform.can('bob', 'one get pods db/')], [true, false])
}
