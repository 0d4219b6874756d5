import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConsoleApi } from '../api/console-api.ts'
import type { KubeObject } from '../api/kube-object.ts'
import { objectSource, tableSource, type ResourceQuery } from './resource-source.ts'

const signal = new AbortController().signal
const pods: ResourceQuery = { cluster: 'prod', type: { group: '', version: 'v1', plural: 'pods' }, namespace: 'default', labelSelector: 'app=web' }
const shape = { project: (object: KubeObject) => object.metadata.name ?? '', keyOf: (name: string) => name }

/** An API that answers one list, or streams some lines. */
function apiOf(answer: { readonly list?: unknown; readonly lines?: readonly string[]; readonly headers?: Readonly<Record<string, string>> }): {
  readonly api: ConsoleApi
  readonly asked: URL[]
} {
  const asked: URL[] = []
  const api: ConsoleApi = {
    json: <T>(path: string, options?: { readonly onHeaders?: ((headers: Headers) => void) | undefined }) => {
      asked.push(new URL(path, 'http://gateway'))
      options?.onHeaders?.(new Headers(answer.headers))
      return Promise.resolve(answer.list as T)
    },
    text: () => Promise.resolve(''),
    async *lines(path) {
      asked.push(new URL(path, 'http://gateway'))
      yield []
      yield [...(answer.lines ?? [])]
    },
  }
  return { api, asked }
}

async function eventsOf<T>(events: AsyncIterable<readonly T[]>): Promise<readonly T[]> {
  const all: T[] = []
  for await (const batch of events) all.push(...batch)
  return all
}

test('asks the gateway for a page of one namespace of one cluster', async () => {
  const { api, asked } = apiOf({ list: { metadata: { resourceVersion: '7', continue: 'more', remainingItemCount: 3 }, items: [{ metadata: { name: 'a' } }] } })
  const page = await objectSource(api, pods, shape).listPage({ limit: 500, continueToken: 'here', signal })
  assert.deepEqual([page.rows, page.resourceVersion, page.continueToken, page.remaining], [['a'], '7', 'more', 3])
  assert.equal(asked[0]?.pathname, '/clusters/prod/api/v1/namespaces/default/pods')
  assert.deepEqual(Object.fromEntries(asked[0]?.searchParams ?? []), { labelSelector: 'app=web', limit: '500', continue: 'here' })
})

test('gives the items of a list the type that the list says once', async () => {
  const { api } = apiOf({ list: { apiVersion: 'apps/v1', kind: 'DeploymentList', metadata: {}, items: [{ metadata: { name: 'web' } }] } })
  const source = objectSource(api, pods, { project: (object) => object, keyOf: (object) => object.metadata.name ?? '' })
  assert.deepEqual((await source.listPage({ limit: 1, continueToken: undefined, signal })).rows, [
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
  ])
})

test('takes a list without items (null, as Go writes it) as empty', async () => {
  const { api } = apiOf({ list: { metadata: {}, items: null } })
  assert.deepEqual((await objectSource(api, pods, shape).listPage({ limit: 1, continueToken: undefined, signal })).rows, [])
})

test('follows with bookmarks from a revision, and reads every kind of event', async () => {
  const lines = [
    '{"type":"ADDED","object":{"metadata":{"name":"a","resourceVersion":"8"}}}',
    '{"type":"DELETED","object":{"metadata":{"name":"b","resourceVersion":"9"}}}',
    '{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"12"}}}',
  ]
  const { api, asked } = apiOf({ lines })
  assert.deepEqual(await eventsOf(objectSource(api, pods, shape).watch({ resourceVersion: '7', signal })), [
    { type: 'put', row: 'a', resourceVersion: '8' },
    { type: 'remove', key: 'b', resourceVersion: '9' },
    { type: 'bookmark', resourceVersion: '12' },
  ])
  const query = asked[0]?.searchParams
  assert.deepEqual([query?.get('watch'), query?.get('allowWatchBookmarks'), query?.get('resourceVersion')], ['true', 'true', '7'])
})

test('throws the Status of an ERROR event', async () => {
  const { api } = apiOf({ lines: ['{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}}'] })
  await assert.rejects(eventsOf(objectSource(api, pods, shape).watch({ resourceVersion: '7', signal })), { code: 410, reason: 'Expired' })
})

test('reads rows and columns of a table, in lists and in events', async () => {
  const table = (name: string, resourceVersion: string) => ({
    kind: 'Table',
    metadata: { resourceVersion: '20' },
    columnDefinitions: [{ name: 'Name', type: 'string' }],
    rows: [{ cells: [name, 3], object: { metadata: { name, resourceVersion } } }],
  })
  const printed = {
    project: (object: KubeObject, cells: readonly unknown[]) => `${object.metadata.name}:${String(cells[1])}`,
    keyOf: (row: string) => row.split(':')[0] ?? '',
  }
  const { api } = apiOf({ list: table('a', '3'), lines: [JSON.stringify({ type: 'DELETED', object: table('a', '21') })] })
  const source = tableSource(api, pods, printed)
  const page = await source.listPage({ limit: 1, continueToken: undefined, signal })
  assert.deepEqual([page.rows, page.resourceVersion, page.tableColumns?.length], [['a:3'], '20', 1])
  assert.deepEqual(await eventsOf(source.watch({ resourceVersion: '20', signal })), [{ type: 'remove', key: 'a', resourceVersion: '21' }])
})

test('says so when a server prints no table', async () => {
  const { api } = apiOf({ list: { kind: 'PodList', metadata: {}, items: [] } })
  await assert.rejects(tableSource(api, pods, { project: () => '', keyOf: (row) => row }).listPage({ limit: 1, continueToken: undefined, signal }), {
    code: 406,
  })
})

describe('all clusters at once', () => {
  const everywhere: ResourceQuery = { cluster: '*', type: pods.type, labelSelector: 'app=web' }
  const inFleet = (cluster: string, name: string, resourceVersion: string) => ({
    metadata: { name: `${cluster}:${name}`, namespace: 'default', resourceVersion, labels: { app: 'web', 'fleet.gantry.dev/cluster': cluster } },
  })
  const named = {
    project: (object: KubeObject, cluster: string) => `${cluster} ${object.metadata.name} ${Object.keys(object.metadata.labels ?? {}).join()}`,
    keyOf: (row: string) => row,
  }

  test('are asked by one list and one watch, and their objects come with their clusters and their own names', async () => {
    const headers = { 'gantry-fleet-freshness': 'live=97, failed=north, stale=south@2026-01-01T00:00:00Z, more=2' }
    const { api, asked } = apiOf({
      headers,
      list: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items: [inFleet('east', 'web', '3'), inFleet('west', 'web', '5')] },
      lines: [JSON.stringify({ type: 'DELETED', object: inFleet('west', 'web', '8') })],
    })
    const source = objectSource(api, everywhere, named)
    const page = await source.listPage({ limit: 500, continueToken: undefined, signal })
    assert.deepEqual(page.rows, ['east web app', 'west web app'])
    assert.deepEqual(page.gaps, [
      { phase: 'failed', name: 'north' },
      { phase: 'stale', name: 'south' },
    ])
    assert.deepEqual(await eventsOf(source.watch({ resourceVersion: '7', signal })), [{ type: 'remove', key: 'west web app', resourceVersion: '8' }])
    assert.deepEqual(
      asked.map(({ pathname, searchParams }) => [pathname, searchParams.get('labelSelector')]),
      [
        ['/fleet/api/v1/pods', 'app=web'],
        ['/fleet/api/v1/pods', 'app=web'],
      ],
    )
  })

  test('can be some of them', async () => {
    const { api, asked } = apiOf({ list: { metadata: {}, items: [] } })
    await objectSource(api, { ...everywhere, among: ['east', 'west'] }, named).listPage({ limit: 1, continueToken: undefined, signal })
    assert.equal(asked[0]?.searchParams.get('labelSelector'), 'app=web,fleet.gantry.dev/cluster in (east,west)')
  })

  test('say with bookmarks which of them are not whole', async () => {
    const annotations = {
      'fleet.gantry.dev/clusters': JSON.stringify([{ name: 'west', phase: 'failed', since: '2026-01-01T00:00:00Z', problem: 'it is away' }]),
    }
    const { api } = apiOf({ lines: [JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9', annotations } } })] })
    const [event] = await eventsOf(objectSource(api, everywhere, named).watch({ resourceVersion: '7', signal }))
    assert.deepEqual(event?.type === 'bookmark' && event.gaps?.map(({ name, problem }) => [name, problem]), [['west', 'it is away']])
  })

  test('print tables whose first column, the cluster, is none of the kind itself', async () => {
    const rows = [{ cells: ['east', 'web', 3], object: inFleet('east', 'web', '3') }]
    const { api } = apiOf({ list: { kind: 'Table', metadata: {}, columnDefinitions: [{ name: 'Cluster' }, { name: 'Name' }, { name: 'Ready' }], rows } })
    const source = tableSource(api, everywhere, {
      project: (object, cells, cluster) => `${cluster} ${object.metadata.name} ${cells.join()}`,
      keyOf: (row) => row,
    })
    const page = await source.listPage({ limit: 1, continueToken: undefined, signal })
    assert.deepEqual([page.rows, page.tableColumns?.map(({ name }) => name)], [['east web web,3'], ['Name', 'Ready']])
  })
})
