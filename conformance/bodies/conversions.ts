import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { startHttpsServer } from '../src/https-server.ts'
import { uniqueName } from '../src/target.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const text = { type: 'string' }
const count = { type: 'integer' }
const status = { type: 'object', properties: { ready: count, at: text } }
const schemaOf = (properties: Json): Json => ({ openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties }, status } } })
const scaleOf = (specReplicasPath: string): Json => ({ status: {}, scale: { specReplicasPath, statusReplicasPath: '.status.ready' } })

/** What is stored, `v1` with an address and a count, and the same in the words of `v2`. */
const versions: Json = [
  { name: 'v1', served: true, storage: true, schema: schemaOf({ address: text, count }), subresources: scaleOf('.spec.count') },
  {
    name: 'v2',
    served: true,
    storage: false,
    schema: schemaOf({ host: { ...text, default: 'nowhere' }, port: text, replicas: { ...count, maximum: 9 } }),
    subresources: scaleOf('.spec.replicas'),
    selectableFields: [{ jsonPath: '.spec.host' }],
    additionalPrinterColumns: [{ name: 'Host', type: 'string', jsonPath: '.spec.host' }],
  },
]

/** Also of what an apply has left of an object, which may have no spec. */
function convert({ spec = {}, ...object }: Json, apiVersion: string): Json {
  if (object.apiVersion === apiVersion) return { ...object, spec }
  if (apiVersion.endsWith('/v1')) {
    const { host, port, replicas } = spec
    return {
      ...object,
      apiVersion,
      spec: { ...(host !== undefined && { address: `${host}:${port ?? ''}` }), ...(replicas !== undefined && { count: replicas }) },
    }
  }
  const [host, port] = spec.address?.split(':') ?? []
  return { ...object, apiVersion, spec: { ...(host !== undefined && { host, port }), ...(spec.count !== undefined && { replicas: spec.count }) } }
}

export const conversions = conformance('conversion webhooks', ({ api, claim }) => {
  /** A kind whose versions are converted by `convert`, after `spoil` had its way with what comes out. */
  const served = async (
    t: TestContext,
    spoil: (converted: Json) => Json = (converted) => converted,
  ): Promise<{
    readonly group: string
    readonly path: (version: string) => string
    readonly v1: (name: string, spec: Json) => Json
    readonly v2: (name: string, spec: Json) => Json
  }> => {
    const server = await startHttpsServer()
    t.after(() => server[Symbol.asyncDispose]())
    server.on('/convert', ({ body }) => {
      const { uid, objects, desiredAPIVersion } = body.request
      const convertedObjects = objects.map((object: Json) => spoil(convert(object, desiredAPIVersion)))
      return { apiVersion: 'apiextensions.k8s.io/v1', kind: 'ConversionReview', response: { uid, convertedObjects, result: { status: 'Success' } } }
    })
    const group = `${uniqueName('c')}.example.com`
    const clientConfig = { url: `https://127.0.0.1:${server.port}/convert`, caBundle: server.caBundle }
    const namespace = await api.namespace(t)
    await api.createForTest(t, definitions, {
      metadata: { name: `hosts.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'hosts', kind: 'Host' },
        versions,
        conversion: { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig } },
      },
    } as Json)
    const path = (version: string): string => `${namespace.replace('/api/v1', `/apis/${group}/${version}`)}/hosts`
    for (const version of ['v1', 'v2']) await api.eventually(path(version), ({ code }) => code === 200)
    const of =
      (version: string) =>
      (name: string, spec: Json): Json => ({ apiVersion: `${group}/${version}`, kind: 'Host', metadata: { name }, spec })
    return { group, path, v1: of('v1'), v2: of('v2') }
  }

  claim('reads and writes the status in every version (X10, X9)', async (t) => {
    const { group, path, v1 } = await served(t)
    const created = await api.create(path('v1'), v1('a', { address: 'h:1' }))

    const read = await api.read(`${path('v2')}/a/status`)
    const put = await api.put(`${path('v2')}/a/status`, { ...read, spec: { host: 'other', port: '9' }, status: { ready: 1 } })
    const patched = await api.patch('merge', `${path('v2')}/a/status`, { status: { at: 'noon' } })
    const stored = await api.read(`${path('v1')}/a`)

    assert.deepEqual([read.apiVersion, read.spec], [`${group}/v2`, { host: 'h', port: '1' }])
    assert.deepEqual([put.code, put.json.spec, put.json.status], [200, { host: 'h', port: '1' }, { ready: 1 }])
    assert.deepEqual([patched.code, patched.json.apiVersion, patched.json.status], [200, `${group}/v2`, { ready: 1, at: 'noon' }])
    assert.deepEqual([stored.spec, stored.status], [{ address: 'h:1' }, { ready: 1, at: 'noon' }])
    assert.equal(stored.metadata.generation, created.metadata.generation)
    assert.deepEqual(
      stored.metadata.managedFields.map(({ apiVersion, subresource }: Json) => [apiVersion, subresource]),
      [
        [`${group}/v1`, undefined],
        [`${group}/v2`, 'status'],
      ],
    )
  })

  claim('scales in every version by its own paths (X10, X9, S2)', async (t) => {
    const { group, path, v1 } = await served(t)
    await api.create(path('v1'), v1('a', { address: 'h:1', count: 2 }))

    const read = await api.read(`${path('v2')}/a/scale`)
    const patched = await api.patch('merge', `${path('v2')}/a/scale`, { spec: { replicas: 4 } })
    const put = await api.put(`${path('v1')}/a/scale`, { ...patched.json, spec: { replicas: 5 } })
    const refused = await api.patch('merge', `${path('v2')}/a/scale`, { spec: { replicas: 10 } })
    const stored = await api.read(`${path('v1')}/a`)

    assert.deepEqual([read.kind, read.spec, read.status], ['Scale', { replicas: 2 }, { replicas: 0 }])
    assert.deepEqual([patched.code, patched.json.spec], [200, { replicas: 4 }])
    assert.deepEqual([put.code, put.json.spec], [200, { replicas: 5 }])
    assert.deepEqual(
      [refused.code, refused.json.message],
      [422, `Host.${group} "a" is invalid: spec.replicas: Invalid value: 10: spec.replicas in body should be less than or equal to 9`],
    )
    assert.deepEqual(stored.spec, { address: 'h:1', count: 5 })
    assert.deepEqual(
      new Map(stored.metadata.managedFields.map(({ apiVersion, subresource, fieldsV1 }: Json) => [`${apiVersion} ${subresource ?? ''}`, fieldsV1['f:spec']])),
      new Map([
        [`${group}/v1 `, { '.': {}, 'f:address': {} }],
        [`${group}/v1 scale`, { 'f:count': {} }],
      ]),
    )
  })

  claim('lists and selects by the fields of the version that is asked for (X10, X11, X13)', async (t) => {
    const { group, path, v1, v2 } = await served(t)
    await api.create(path('v1'), v1('a', { address: 'h:1' }))
    await api.create(path('v2'), v2('b', { host: 'g' }))
    await api.create(path('v2'), v2('c', { port: '3' }))

    const list = await api.read(path('v2'))
    const selected = await api.read(`${path('v2')}?fieldSelector=spec.host%3Dh`)
    const other = await api.get(`${path('v1')}?fieldSelector=spec.host%3Dh`)
    const { json: table } = await api.get(`${path('v2')}?limit=1`, { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } })
    const removed = await api.delete(`${path('v2')}?fieldSelector=spec.host%3Dh`)

    assert.deepEqual(
      list.items.map(({ apiVersion, spec }: Json) => [apiVersion, spec]),
      [
        { host: 'h', port: '1' },
        { host: 'g', port: '' },
        { host: 'nowhere', port: '3' },
      ].map((spec) => [`${group}/v2`, spec]),
    )
    assert.deepEqual(
      selected.items.map(({ metadata }: Json) => metadata.name),
      ['a'],
    )
    assert.deepEqual([other.code, other.json.message], [400, 'field label not supported: spec.host'])
    assert.deepEqual(
      table.rows.map(({ cells }: Json) => cells),
      [['a', 'h']],
    )
    assert.deepEqual([removed.code, removed.json.items.map(({ apiVersion, spec }: Json) => [apiVersion, spec.host])], [200, [[`${group}/v2`, 'h']]])
  })

  claim('watches in a version that is not the stored one: what there is, what changes, what stops matching, what is deleted (X10, L17, L19)', async (t) => {
    const { group, path, v1 } = await served(t)
    await api.create(path('v1'), v1('a', { address: 'h:1' }))
    await api.create(path('v1'), v1('b', { address: 'g:1' }))
    const watch = await api.watch(t, `${path('v2')}?fieldSelector=spec.host%3Dh`)

    const events = [await watch.next()]
    await api.patch('merge', `${path('v1')}/a`, { spec: { address: 'h:2' } })
    await api.patch('merge', `${path('v1')}/b`, { spec: { address: 'h:3' } })
    await api.patch('merge', `${path('v1')}/b`, { spec: { address: 'g:3' } })
    await api.delete(`${path('v1')}/a`)
    for (let more = 0; more < 4; more++) events.push(await watch.next())

    assert.deepEqual(
      events.map(({ type, object }) => [type, object.apiVersion, object.metadata.name, object.spec]),
      [
        ['ADDED', `${group}/v2`, 'a', { host: 'h', port: '1' }],
        ['MODIFIED', `${group}/v2`, 'a', { host: 'h', port: '2' }],
        ['ADDED', `${group}/v2`, 'b', { host: 'h', port: '3' }],
        ['DELETED', `${group}/v2`, 'b', { host: 'h', port: '3' }],
        ['DELETED', `${group}/v2`, 'a', { host: 'h', port: '2' }],
      ],
    )
  })

  claim('keeps who owns what across versions, and moves it with an apply in another one (P9, X10)', async (t) => {
    const { group, path, v1, v2 } = await served(t)
    /** Who owns what of the spec, by manager and version. */
    const owners = ({ metadata }: Json): unknown =>
      new Map(
        metadata.managedFields.map(({ manager, operation, apiVersion, fieldsV1 }: Json) => [
          `${manager} ${operation} ${apiVersion.replace(`${group}/`, '')}`,
          Object.keys(fieldsV1['f:spec']).sort(),
        ]),
      )

    const first = await api.apply(`${path('v1')}/a`, v1('a', { address: 'h:1', count: 2 }), { manager: 'one' })
    const second = await api.apply(`${path('v2')}/a`, v2('a', { replicas: 2 }), { manager: 'two' })
    const conflict = await api.apply(`${path('v2')}/a`, v2('a', { host: 'g', replicas: 3 }), { manager: 'three' })
    const moved = await api.apply(`${path('v2')}/a`, v2('a', { host: 'h', port: '1' }), { manager: 'one' })
    const forced = await api.apply(`${path('v2')}/a`, v2('a', { host: 'g' }), { manager: 'three', force: true })
    const back = await api.apply(`${path('v1')}/a`, v1('a', { count: 4 }), { manager: 'two', force: true })
    const updated = await api.patch('merge', `${path('v1')}/a?fieldManager=four`, { spec: { address: 'g:5' } })

    assert.deepEqual(
      [first, second, conflict, moved, forced, back, updated].map(({ code }) => code),
      [201, 200, 409, 200, 200, 200, 200],
    )
    assert.deepEqual(owners(first.json), new Map([['one Apply v1', ['f:address', 'f:count']]]))
    assert.deepEqual(
      owners(second.json),
      new Map([
        ['one Apply v1', ['f:address', 'f:count']],
        ['two Apply v2', ['f:replicas']],
      ]),
    )
    assert.equal(
      conflict.json.message,
      'Apply failed with 3 conflicts: conflicts with "one":\n- .spec.address\n- .spec.count\nconflicts with "two":\n- .spec.replicas',
    )
    assert.deepEqual(conflict.json.details.causes.map(({ message, field }: Json) => `${message} ${field}`).sort(), [
      'conflict with "one" .spec.address',
      'conflict with "one" .spec.count',
      'conflict with "two" .spec.replicas',
    ])
    assert.deepEqual(
      owners(moved.json),
      new Map([
        ['one Apply v2', ['f:host', 'f:port']],
        ['two Apply v2', ['f:replicas']],
      ]),
    )
    assert.deepEqual(
      owners(forced.json),
      new Map([
        ['one Apply v2', ['f:port']],
        ['three Apply v2', ['f:host']],
        ['two Apply v2', ['f:replicas']],
      ]),
    )
    assert.deepEqual(
      owners(back.json),
      new Map([
        ['one Apply v2', ['f:port']],
        ['three Apply v2', ['f:host']],
        ['two Apply v1', ['f:count']],
      ]),
    )
    // In version 2 a new address is another port, and the same host.
    assert.deepEqual(
      owners(updated.json),
      new Map([
        ['three Apply v2', ['f:host']],
        ['two Apply v1', ['f:count']],
        ['four Update v1', ['f:address']],
      ]),
    )
    assert.deepEqual(
      [back.json.spec, updated.json.spec],
      [
        { address: 'g:1', count: 4 },
        { address: 'g:5', count: 4 },
      ],
    )
  })

  claim('takes labels and annotations from a conversion and nothing else of the metadata (X10)', async (t) => {
    let spoil = (converted: Json): Json => converted
    const { group, path, v1 } = await served(t, (converted) => spoil(converted))
    const namespace = path('v1').split('/').at(-2)
    /** What is read of an object of its own, whose conversion nobody can have kept. */
    const spoilt = async (name: string, change: (converted: Json) => Json): Promise<unknown[]> => {
      spoil = (converted) => converted
      const { metadata } = await api.create(path('v1'), v1(name, { address: 'h:1' }))
      spoil = change
      const { code, json } = await api.get(`${path('v2')}/${name}`)
      spoil = (converted) => converted
      if (code === 200) return [code, json.metadata.labels, json.metadata.annotations, json.metadata.finalizers]
      return [code, json.message.replace(`conversion webhook for ${group}/v1, Kind=Host returned invalid `, '').replace(metadata.uid, 'the-uid')]
    }
    const withMetadata = (more: Json) => (converted: Json) => ({ ...converted, metadata: { ...converted.metadata, ...more } })
    const label =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

    assert.deepEqual(await spoilt('a', withMetadata({ labels: { a: 'b' }, annotations: { c: 'd' } })), [200, { a: 'b' }, { c: 'd' }, undefined])
    assert.deepEqual(await spoilt('b', withMetadata({ finalizers: ['example.com/x'] })), [200, undefined, undefined, undefined])
    assert.deepEqual(await spoilt('c', withMetadata({ name: 'other' })), [500, 'object: must have the same name: c != other'])
    assert.deepEqual(await spoilt('d', withMetadata({ namespace: 'other' })), [500, `object: must have the same namespace: ${namespace} != other`])
    assert.deepEqual(await spoilt('e', withMetadata({ uid: 'other' })), [500, 'object: must have the same UID: the-uid != other'])
    assert.deepEqual(await spoilt('f', withMetadata({ labels: { a: '-' } })), [500, `metadata: metadata.labels: Invalid value: "-": ${label}`])
    assert.deepEqual(await spoilt('g', (converted) => ({ ...converted, apiVersion: 'v1' })), [
      500,
      `object at index 0: invalid groupVersion (expected ${group}/v2, received v1)`,
    ])
  })
})
