import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { resources } from '@gantry/kube-api'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { FaultDriver, openStoreOn } from '@gantry/storage/testing'
import { startLocalCluster } from './local-cluster.ts'
import type { LocalCluster } from './local-cluster.ts'

const user = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }
const one = { name: 'one', namespace: 'default' }

/** Runs against a disk that is held after a ConfigMap has been written. */
async function onHeldDisk(run: (cluster: LocalCluster, disk: FaultDriver, letGo: () => void) => Promise<void>): Promise<void> {
  const disk = new FaultDriver()
  await using store = await openStoreOn(disk)
  await using cluster = await startLocalCluster({ store, clock: new FakeClock(), ids: createFakeIds(), log: silentLogger }, { controllers: false })
  await cluster.client.create(resources.configMaps, { metadata: one })
  const letGo = disk.hold()
  try {
    await run(cluster, disk, letGo)
  } finally {
    letGo()
  }
}

/** What has become of a request by now. */
function watched(request: Promise<unknown>): { state: string } {
  const seen = { state: 'waits' }
  request.then(
    () => (seen.state = 'done'),
    (error: unknown) => (seen.state = isReason(error, 'NotFound') ? 'not found' : String(error)),
  )
  return seen
}

test('says that an object is gone only when that is on the disk', async () => {
  await onHeldDisk(async ({ client, handle }, _disk, letGo) => {
    const first = watched(client.delete(resources.configMaps, one))
    await settle()
    const second = watched(client.delete(resources.configMaps, one))
    const all = watched(
      handle({ method: 'DELETE', path: '/api/v1/namespaces/default/configmaps', query: '', headers: {}, signal: new AbortController().signal, user }),
    )
    await settle()
    const before = [first.state, second.state, all.state]
    letGo()
    await settle()

    assert.deepEqual(before, ['waits', 'waits', 'waits'])
    assert.deepEqual([first.state, second.state, all.state], ['done', 'not found', 'done'])
    assert.deepEqual((await client.list(resources.configMaps, { namespace: 'default' })).items, [])
  })
})

test('tries again where the removal that it waited for has failed', async () => {
  await onHeldDisk(async ({ client }, disk, letGo) => {
    const first = watched(client.delete(resources.configMaps, one))
    await settle()
    const second = watched(client.delete(resources.configMaps, one))
    await settle()
    disk.failure = () => new Error('no space left')
    letGo()
    await disk.lastCommit.catch(() => {})
    disk.failure = () => undefined
    await settle()

    assert.match(first.state, /no space left/)
    assert.equal(second.state, 'done')
  })
})

test('a PUT that names no revision is told of no conflict, whoever writes beside it', async () => {
  await onHeldDisk(async ({ client }, _disk, letGo) => {
    letGo()
    const values = Array.from({ length: 20 }, (_, number) => String(number))
    const written = await Promise.all(values.map((value) => client.update(resources.configMaps, { metadata: one, data: { value } })))
    const last = await client.get<{ readonly metadata: typeof one; readonly data: { readonly value: string } }>(resources.configMaps, one)

    assert.equal(written.length, values.length)
    assert.ok(values.includes(last.data.value))
  })
})
