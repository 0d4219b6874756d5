import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubeObject } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { startLocalCluster } from './local-cluster.ts'

const minuteMs = 60_000

/** Lets minutes pass one after another, as they do: what a sweep begins ends before the next. */
async function passMinutes(clock: FakeClock, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    // oxlint-disable-next-line no-await-in-loop -- time passes in order
    await clock.advance(minuteMs)
    // oxlint-disable-next-line no-await-in-loop -- and so does what happens in it
    await settle()
  }
}

test('an event goes an hour after it was written last, and nothing else does (C21)', async () => {
  const clock = new FakeClock()
  await using store = createMemoryStore({ log: silentLogger })
  await using cluster = await startLocalCluster({ store, clock, ids: createFakeIds(), log: silentLogger }, { controllers: false })
  const { client } = cluster
  const namespace = 'default'
  const eventOf = (name: string): KubeObject =>
    ({ metadata: { name, namespace }, involvedObject: { kind: 'Pod', namespace, name: 'p' }, reason: 'Started', type: 'Normal' }) as unknown as KubeObject
  const names = async (): Promise<unknown> => (await client.list(resources.events, { namespace })).items.map(({ metadata }) => metadata.name)
  await client.create(resources.events, eventOf('once'))
  await client.create(resources.events, eventOf('again'))
  await client.create(resources.configMaps, { metadata: { name: 'a', namespace } })

  await passMinutes(clock, 30)
  await client.patch(resources.events, { namespace, name: 'again' }, { type: 'merge', body: { count: 2 } })
  await passMinutes(clock, 29)
  const beforeTheHour = await names()
  await passMinutes(clock, 3)
  const afterTheHour = await names()
  await passMinutes(clock, 30)

  assert.deepEqual([beforeTheHour, afterTheHour, await names()], [['again', 'once'], ['again'], []])
  assert.equal((await client.get(resources.configMaps, { namespace, name: 'a' })).metadata.name, 'a')
})
