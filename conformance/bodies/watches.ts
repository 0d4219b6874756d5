import assert from 'node:assert/strict'
import { openMessages } from '@gantry/streams/testing'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const configMap = (name: string, labels: Readonly<Record<string, string>> = {}, value = 'x'): Json => ({ metadata: { name, labels }, data: { key: value } })
const partial = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'
const table = 'application/json;as=Table;g=meta.k8s.io;v=v1'

export const watches = conformance('watches', ({ api, claim }) => {
  claim('tells what exists and then what happens (L14, L16, L17)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))

    const watch = await api.watch(t, `${namespace}/configmaps?fieldSelector=metadata.name!%3Dkube-root-ca.crt`)
    const first = await watch.next()
    await api.create(`${namespace}/configmaps`, configMap('b'))
    await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: 'y' } })
    await api.delete(`${namespace}/configmaps/b`)

    assert.equal(`${first.type} ${first.object.metadata.name}`, 'ADDED a')
    assert.deepEqual(await watch.told(3), ['ADDED b', 'MODIFIED a', 'DELETED b'])
  })

  claim('streams one JSON object a line as application/json, kind and version in each (L15)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))

    const watch = await api.watch(t, `${namespace}/configmaps`)
    const { object } = await watch.next()

    assert.equal(watch.contentType, 'application/json')
    assert.deepEqual(Object.keys(object), ['kind', 'apiVersion', 'metadata', 'data'])
  })

  claim('refuses a watch in YAML (L15)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.get(`${namespace}/configmaps?watch=1`, { headers: { accept: 'application/yaml' } })

    assert.equal(code, 406)
    assert.equal(json?.reason ?? 'NotAcceptable', 'NotAcceptable')
  })

  claim('watches under the legacy path and ignores watch on one object (L14)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))

    const legacy = await api.watch(t, `/api/v1/watch/namespaces/${namespace.split('/').at(-1)}/configmaps`)
    const one = await api.get(`${namespace}/configmaps/a?watch=true`)

    assert.equal((await legacy.next()).type, 'ADDED')
    assert.equal(one.json.kind, 'ConfigMap')
  })

  claim('gives a deleted object its last state and the revision of the deletion (L16)', async (t) => {
    const namespace = await api.namespace(t)
    const created = await api.create(`${namespace}/configmaps`, configMap('a'))
    const watch = await api.watch(t, `${namespace}/configmaps?resourceVersion=${created.metadata.resourceVersion}`)

    await api.delete(`${namespace}/configmaps/a`)
    const { type, object } = await watch.next()

    assert.equal(type, 'DELETED')
    assert.deepEqual(object.data, { key: 'x' })
    assert.ok(BigInt(object.metadata.resourceVersion) > BigInt(created.metadata.resourceVersion))
  })

  claim('continues after a resourceVersion, without it (L18)', async (t) => {
    const namespace = await api.namespace(t)
    const first = await api.create(`${namespace}/configmaps`, configMap('a'))
    await api.create(`${namespace}/configmaps`, configMap('b'))

    const watch = await api.watch(t, `${namespace}/configmaps?resourceVersion=${first.metadata.resourceVersion}`)

    assert.deepEqual(await watch.told(1), ['ADDED b'])
  })

  claim('tells objects that start and stop matching as added and deleted, and nothing of others (L19)', async (t) => {
    const namespace = await api.namespace(t)
    const created = await api.create(`${namespace}/configmaps`, configMap('a', { color: 'red' }))
    const watch = await api.watch(t, `${namespace}/configmaps?labelSelector=color%3Dblue&resourceVersion=${created.metadata.resourceVersion}`)
    const paint = (color: string): Promise<unknown> => api.patch('merge', `${namespace}/configmaps/a`, { metadata: { labels: { color } } })

    await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: 'outside' } })
    await paint('blue')
    await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: 'inside' } })
    const left = (await paint('green')) as Json
    await paint('blue')
    await api.delete(`${namespace}/configmaps/a`)

    const events = [await watch.next(), await watch.next(), await watch.next(), await watch.next(), await watch.next()]
    assert.deepEqual(
      events.map(({ type, object }) => `${type} ${object.metadata.labels.color}`),
      ['ADDED blue', 'MODIFIED blue', 'DELETED blue', 'ADDED blue', 'DELETED blue'],
    )
    assert.equal(events[2]?.object.metadata.resourceVersion, left.json.metadata.resourceVersion)
  })

  claim('watches one object by a field selector (L14)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, configMap('a'))
    const watch = await api.watch(t, `${namespace}/configmaps?fieldSelector=metadata.name%3Db&resourceVersion=${metadata.resourceVersion}`)

    await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: 'y' } })
    await api.create(`${namespace}/configmaps`, configMap('b'))

    assert.deepEqual(await watch.told(1), ['ADDED b'])
  })

  claim('ends after timeoutSeconds without a word (L20)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, configMap('a'))

    const watch = await api.watch(t, `${namespace}/configmaps?resourceVersion=${metadata.resourceVersion}&timeoutSeconds=1`)
    await api.pass(1_100)

    assert.equal(await watch.nextOrEnd(), undefined)
  })

  claim('sends nothing but a revision in a bookmark (L21)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, configMap('a'))

    const watch = await api.watch(t, `${namespace}/configmaps?resourceVersion=${metadata.resourceVersion}&timeoutSeconds=3&allowWatchBookmarks=true`)
    await api.pass(3_100)

    // How many come is up to the server: a real one sends one a minute, and not always one before the end.
    for (let event = await watch.nextOrEnd(); event !== undefined; event = await watch.nextOrEnd()) {
      const { type, object } = event
      assert.equal(type, 'BOOKMARK')
      assert.deepEqual([object.kind, object.apiVersion], ['ConfigMap', 'v1'])
      assert.ok(BigInt(object.metadata.resourceVersion) >= BigInt(metadata.resourceVersion))
      assert.deepEqual(
        Object.keys(object.metadata).filter((key) => key !== 'creationTimestamp'),
        ['resourceVersion'],
      )
    }
  })

  claim('streams a list: what exists, a bookmark that ends it, then what happens (L22)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))
    await api.create(`${namespace}/configmaps`, configMap('b'))

    const watch = await api.watch(t, `${namespace}/configmaps?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`)
    const initial = await watch.told(2)
    const { type, object } = await watch.next()
    await api.create(`${namespace}/configmaps`, configMap('c'))
    let created = await watch.next()
    // A real server may send a bookmark of its own time in between.
    while (created.type === 'BOOKMARK') created = await watch.next()

    assert.deepEqual(initial.sort(), ['ADDED a', 'ADDED b'])
    assert.equal(type, 'BOOKMARK')
    assert.equal(object.metadata.annotations['k8s.io/initial-events-end'], 'true')
    assert.deepEqual([created.type, created.object.metadata.name], ['ADDED', 'c'])
  })

  claim('refuses sendInitialEvents where it means nothing (L22)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = async (query: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/configmaps?${query}`)
      return [code, json.reason]
    }

    assert.deepEqual(await refused('watch=1&sendInitialEvents=true'), [422, 'Invalid'])
    assert.deepEqual(await refused('watch=1&resourceVersionMatch=NotOlderThan'), [422, 'Invalid'])
    assert.deepEqual(await refused('sendInitialEvents=true'), [422, 'Invalid'])
  })

  claim('names each option of a watch that does not fit the others (L22, W14)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = async (query: string): Promise<unknown[]> => {
      const { code, json } = await api.get(`${namespace}/configmaps?watch=1&${query}`)
      return [code, json.message]
    }
    const invalid = 'ListOptions.meta.k8s.io "" is invalid:'
    const requires = 'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'

    assert.deepEqual(await refused('sendInitialEvents=true'), [422, `${invalid} ${requires}`])
    assert.deepEqual(await refused('sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1'), [
      422,
      `${invalid} [${requires}, resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"]`,
    ])
    assert.deepEqual(await refused('sendInitialEvents=true&resourceVersionMatch=NotOlderThan&continue=x'), [
      422,
      `${invalid} resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided`,
    ])
    assert.deepEqual(await refused('limit=x'), [400, 'strconv.ParseInt: parsing "x": invalid syntax'])
  })

  claim('starts from now when no initial events are wanted (L22)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))

    const watch = await api.watch(t, `${namespace}/configmaps?sendInitialEvents=false&resourceVersionMatch=NotOlderThan`)
    await api.create(`${namespace}/configmaps`, configMap('b'))

    assert.deepEqual(await watch.told(1), ['ADDED b'])
  })

  claim('tells metadata or a table of one row on request (L23)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))

    const metadata = await (await api.watch(t, `${namespace}/configmaps`, { headers: { accept: partial } })).next()
    const row = await (await api.watch(t, `${namespace}/configmaps`, { headers: { accept: table } })).next()

    assert.equal(metadata.object.kind, 'PartialObjectMetadata')
    assert.equal(metadata.object.data, undefined)
    assert.equal(row.object.kind, 'Table')
    assert.equal(row.object.rows.length, 1)
    assert.equal(row.object.rows[0].cells[0], 'a')
  })

  claim('tells two watchers the same events in the same order, revisions rising (L25)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, configMap('a'))
    const target = `${namespace}/configmaps?resourceVersion=${metadata.resourceVersion}`
    const [one, two] = [await api.watch(t, target), await api.watch(t, target)]

    await Promise.all(['b', 'c', 'd', 'e', 'f'].map((name) => api.create(`${namespace}/configmaps`, configMap(name))))
    await Promise.all(['b', 'c', 'd', 'e', 'f'].map((name) => api.delete(`${namespace}/configmaps/${name}`)))

    const collect = async (watch: typeof one): Promise<string[]> => {
      const seen: string[] = []
      for (let count = 0; count < 10; count++) {
        const { type, object } = await watch.next()
        seen.push(`${object.metadata.resourceVersion} ${type} ${object.metadata.name}`)
      }
      return seen
    }
    const [first, second] = [await collect(one), await collect(two)]
    assert.deepEqual(first, second)
    const revisions = first.map((line) => BigInt(line.split(' ')[0] ?? ''))
    assert.ok(revisions.every((revision, at) => at === 0 || revision > (revisions[at - 1] ?? 0n)))
  })

  claim('tells one event in each text message to a watcher over a WebSocket (L15)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, configMap('a'))
    const port = await api.door(t)

    const watch = await openMessages(`ws://127.0.0.1:${port}${namespace}/configmaps?watch=true&resourceVersion=${metadata.resourceVersion}&timeoutSeconds=20`)
    await api.create(`${namespace}/configmaps`, configMap('b'))
    await api.delete(`${namespace}/configmaps/b`)
    const events = [await watch.next(), await watch.next()]
    watch.close()

    assert.deepEqual(
      events.map(({ data, isBinary }) => {
        const { type, object } = JSON.parse(data.toString()) as Json
        return [type, object.kind, object.metadata.name, isBinary]
      }),
      [
        ['ADDED', 'ConfigMap', 'b', false],
        ['DELETED', 'ConfigMap', 'b', false],
      ],
    )
    assert.ok(events.every(({ data }) => data.toString().endsWith('}\n')))
  })

  claim('keeps the subprotocol that a watcher over a WebSocket names, and ends the watch in its time (L15, L20)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))
    const port = await api.door(t)

    const query = 'watch=true&timeoutSeconds=1&fieldSelector=metadata.name%3Da'
    const watch = await openMessages(`ws://127.0.0.1:${port}${namespace}/configmaps?${query}`, ['base64.binary.k8s.io'])
    const { data } = await watch.next()
    await api.pass(1_100)
    const { messages, code } = await watch.rest()

    assert.equal(watch.protocol, 'base64.binary.k8s.io')
    assert.equal((JSON.parse(data.toString()) as Json).object.metadata.name, 'a')
    assert.deepEqual([messages, code], [[], 1000])
  })

  claim('tells events in protobuf in binary messages without the frames of HTTP (L15, W8)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a'))
    const port = await api.door(t)

    const watch = await openMessages(`ws://127.0.0.1:${port}${namespace}/configmaps?watch=true&fieldSelector=metadata.name%3Da`, [], {
      accept: 'application/vnd.kubernetes.protobuf',
    })
    const { data, isBinary } = await watch.next()
    watch.close()

    assert.equal(isBinary, true)
    // The first field of a WatchEvent: its type.
    assert.deepEqual([...data.subarray(0, 2), data.subarray(2, 7).toString()], [0x0a, 5, 'ADDED'])
  })

  claim('refuses a watch over a WebSocket as it refuses any (L15, L22)', async (t) => {
    const namespace = await api.namespace(t)
    const port = await api.door(t)

    await assert.rejects(openMessages(`ws://127.0.0.1:${port}${namespace}/configmaps?watch=true&sendInitialEvents=true`), (error: Json) => {
      const { reason, message } = JSON.parse(error.body)
      assert.equal(error.code, 422)
      assert.equal(reason, 'Invalid')
      assert.match(message, /sendInitialEvents requires/)
      return true
    })
  })
})
