import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resources } from '@gantry/kube-api'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { FaultDriver, openStoreOn } from '@gantry/storage/testing'
import { startLocalCluster } from './local-cluster.ts'

const paths = { all: '', labeled: 'labelSelector=team%3Da', other: 'labelSelector=team%3Db', named: 'fieldSelector=metadata.name%3Dc2' }

test('gives each watcher its own changes of one large commit, in order and whole, whoever shares its selection', async () => {
  const disk = new FaultDriver()
  const stop = new AbortController()
  await using store = await openStoreOn(disk)
  await using cluster = await startLocalCluster({ store, clock: new FakeClock(), ids: createFakeIds(), log: silentLogger }, { controllers: false })
  const watch = async (query: string): Promise<string[]> => {
    const chunks: string[] = []
    const { body } = await cluster.handle({
      method: 'GET',
      path: '/api/v1/namespaces/default/configmaps',
      query: `watch=1&resourceVersion=${store.revision}&${query}`,
      headers: {},
      signal: stop.signal,
      user: { username: 'admin', groups: ['system:masters', 'system:authenticated'] },
    })
    assert.ok(typeof body === 'function')
    const sink = {
      write: (chunk: Uint8Array | string) => chunks.push(String(chunk)) > 0,
      drained: () => Promise.resolve(),
      bufferedBytes: 0,
      signal: stop.signal,
    }
    void body(sink)
    return chunks
  }
  const seen = Object.fromEntries(
    await Promise.all(Object.entries(paths).map(async ([name, query]) => [name, [await watch(query), await watch(query)]] as const)),
  )
  const letGo = disk.hold()

  const first = cluster.client.create(resources.configMaps, { metadata: { name: 'held', namespace: 'default' } })
  await settle()
  const creations = Array.from({ length: 8 }, (_, at) =>
    cluster.client.create(resources.configMaps, {
      metadata: { name: `c${at}`, namespace: 'default', labels: { team: at % 2 === 0 ? 'a' : 'b' } },
      data: { padding: 'x'.repeat(20_000) },
    } as Parameters<typeof cluster.client.create>[1]),
  )
  await settle()
  letGo()
  await Promise.all([first, ...creations])
  await settle()
  stop.abort()

  const names = (chunks: readonly string[]): string[] =>
    chunks
      .join('')
      .split('\n')
      .slice(0, -1)
      .map((line) => (JSON.parse(line) as { readonly object: { readonly metadata: { readonly name: string } } }).object.metadata.name)
  const all = Array.from({ length: 8 }, (_, at) => `c${at}`)
  const expected = { all: ['held', ...all], labeled: all.filter((_, at) => at % 2 === 0), other: all.filter((_, at) => at % 2 === 1), named: ['c2'] }
  for (const [name, watchers] of Object.entries(seen)) {
    for (const chunks of watchers) assert.deepEqual(names(chunks), expected[name as keyof typeof expected], name)
  }
  assert.ok((seen['all']?.[0]?.length ?? 0) < 9, 'lines of one commit are written together')
})
