import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const open = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

function version(name: string, more: Json = {}): Json {
  const openAPIV3Schema = { type: 'object', properties: { spec: open, status: open } }
  return { name, served: true, storage: name === 'v1', schema: { openAPIV3Schema }, ...more }
}

export const customResourceLives = conformance('custom resources, from their definition to its end', ({ api, claim }) => {
  /** A kind with these versions, and where its objects are by version. */
  const served = async (
    t: TestContext,
    versions: readonly Json[],
  ): Promise<{ readonly crd: string; readonly group: string; readonly path: (version?: string) => string }> => {
    const group = `${uniqueName('l')}.example.com`
    const namespace = await api.namespace(t)
    const path = (name = 'v1'): string => `${namespace.replace('/api/v1', `/apis/${group}/${name}`)}/widgets`
    const definition: Json = {
      metadata: { name: `widgets.${group}` },
      spec: { group, scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' }, versions },
    }
    await api.createForTest(t, definitions, definition)
    for (const { name } of versions) await api.eventually(path(name), ({ code }) => code === 200)
    return { crd: `${definitions}/widgets.${group}`, group, path }
  }
  const widget = (group: string, name: string, spec: Json = {}): Json => ({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name }, spec })

  claim('changes objects in every version, whichever is stored (X10)', async (t) => {
    const { group, path } = await served(t, [version('v1'), version('v2', { deprecated: true })])
    await api.create(path(), widget(group, 'a', { size: 1 }))

    const merged = await api.patch('merge', `${path('v2')}/a`, { spec: { size: 2 } })
    const patched = await api.patch('json', `${path('v2')}/a`, [
      { op: 'test', path: '/apiVersion', value: `${group}/v2` },
      { op: 'replace', path: '/spec/size', value: 3 },
    ])
    const put = await api.put(`${path('v2')}/a`, { ...patched.json, spec: { size: 4 } })
    const applied = await api.apply(`${path('v2')}/a`, { ...widget(group, 'a', { color: 'red' }), apiVersion: `${group}/v2` }, { manager: 'me' })
    const read = await api.read(`${path()}/a`)

    assert.equal(String(merged.headers.warning), `299 - "${group}/v2 Widget is deprecated"`)
    assert.deepEqual(
      [merged, patched, put, applied].map(({ code, json }) => [code, json.apiVersion, json.spec.size]),
      [
        [200, `${group}/v2`, 2],
        [200, `${group}/v2`, 3],
        [200, `${group}/v2`, 4],
        [200, `${group}/v2`, 4],
      ],
    )
    assert.deepEqual([read.apiVersion, read.spec, read.metadata.generation], [`${group}/v1`, { color: 'red', size: 4 }, 5])
  })

  claim('creates nothing under a definition that is going, and says how far it is (X12)', async (t) => {
    const { crd, group, path } = await served(t, [version('v1')])
    const held = widget(group, 'held')
    held.metadata.finalizers = ['example.com/hold']
    await api.create(path(), held)

    await api.delete(crd)
    const terminating = ({ json }: Json): Json => json.status?.conditions?.find(({ type }: Json) => type === 'Terminating')
    const { json } = await api.eventually(crd, (answer) => terminating(answer)?.reason === 'InstanceDeletionInProgress')
    const refused = await api
      .eventually(`${path()}/held`, (answer) => answer.json?.metadata?.deletionTimestamp !== undefined)
      .then(() => api.post(path(), widget(group, 'late')))
    const changed = await api.patch('merge', `${path()}/held`, { metadata: { labels: { a: 'b' } } })
    await api.patch('merge', `${path()}/held`, { metadata: { finalizers: null } })

    assert.equal(terminating({ json }).message, 'CustomResource deletion is in progress')
    assert.deepEqual(
      [refused.code, refused.json.message],
      [403, `widgets.${group} "late" is forbidden: create not allowed while custom resource definition is terminating`],
    )
    assert.equal(changed.code, 200)
    assert.equal((await api.eventually(crd, ({ code }) => code === 404)).code, 404)
  })

  claim('takes its objects along although it serves none of its versions (X12)', async (t) => {
    const { crd, group, path } = await served(t, [version('v1'), version('v2')])
    await api.create(path(), widget(group, 'a'))
    await api.create(path('v2'), { ...widget(group, 'b'), apiVersion: `${group}/v2` })
    const unserved = [version('v1', { served: false }), version('v2', { served: false })]
    assert.equal((await api.patch('merge', crd, { spec: { versions: unserved } })).code, 200)
    for (const name of ['v1', 'v2']) await api.eventually(path(name), ({ code }) => code === 404)

    assert.equal((await api.delete(crd)).code, 200)
    await api.eventually(crd, ({ code }) => code === 404)
    const again: Json = {
      metadata: { name: `widgets.${group}` },
      spec: { group, scope: 'Namespaced', names: { plural: 'widgets', kind: 'Widget' }, versions: [version('v1'), version('v2')] },
    }
    await api.createForTest(t, definitions, again)
    const { json } = await api.eventually(path(), ({ code }) => code === 200)

    assert.deepEqual(json.items, [])
  })

  claim('knows of no subresource that its definition does not name (X9)', async (t) => {
    const { group, path } = await served(t, [version('v1')])
    await api.create(path(), widget(group, 'a'))

    const answers = [await api.get(`${path()}/a/scale`), await api.put(`${path()}/a/status`, widget(group, 'a'))]

    for (const { code, json } of answers) {
      assert.deepEqual([code, json.message, json.details], [404, `widgets.${group} "a" not found`, { name: 'a', group, kind: 'widgets' }])
    }
  })

  claim('refuses to scale below nothing, and what has no replicas (X9)', async (t) => {
    const scale = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' }
    const { group, path } = await served(t, [version('v1', { subresources: { status: {}, scale } })])
    await api.create(path(), widget(group, 'a', { replicas: 1 }))
    await api.create(path(), widget(group, 'b'))

    const current = await api.read(`${path()}/a/scale`)
    const negative = await api.put(`${path()}/a/scale`, { ...current, spec: { replicas: -7 } })
    const missing = await api.get(`${path()}/b/scale`)

    assert.deepEqual(
      [negative.code, negative.json.message],
      [422, `Widget.${group} "a" is invalid: .spec.replicas: Invalid value: -7: should be a non-negative integer`],
    )
    assert.deepEqual([missing.code, missing.json.message], [500, 'Internal error occurred: the spec replicas field ".spec.replicas" does not exist'])
  })

  claim('prints maps and lists as JSON (X13)', async (t) => {
    const additionalPrinterColumns = ['map', 'list'].map((name) => ({ name, type: 'string', jsonPath: `.spec.${name}` }))
    const { group, path } = await served(t, [version('v1', { additionalPrinterColumns })])
    await api.create(path(), widget(group, 'a', { map: { a: 'b' }, list: ['x', 1] }))

    const { json } = await api.get(path(), { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } })

    assert.deepEqual(json.rows[0].cells, ['a', '{"a":"b"}', '["x",1]'])
  })
})
