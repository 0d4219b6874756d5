import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import type { Answer } from '../src/target.ts'

const farFuture = '9007199254740991'
const configMap = (name: string, more: Json = {}): Json => ({ metadata: { name, ...more } })
const told = ({ code, json }: Answer): unknown[] => [code, json.message]

/** What a request asks for beside its object: options, limits of time, preconditions. */
export const requestOptions = conformance('options of requests', ({ api, claim }) => {
  claim('refuses a timeout that is no duration, whatever is asked for (W15)', async (t) => {
    const namespace = await api.namespace(t)
    const refused = 'invalid timeout specified in the request URL - time:'

    const answers = await Promise.all(['x', '5', '1q', '1 s'].map((timeout) => api.get(`${namespace}/configmaps?timeout=${encodeURIComponent(timeout)}`)))
    const created = await api.post(`${namespace}/configmaps?timeout=x`, configMap('a'))
    const elsewhere = await api.get('/nothing?timeout=x')

    assert.deepEqual(answers.map(told), [
      [400, `${refused} invalid duration "x"`],
      [400, `${refused} missing unit in duration "5"`],
      [400, `${refused} unknown unit "q" in duration "1q"`],
      [400, `${refused} unknown unit " s" in duration "1 s"`],
    ])
    assert.deepEqual([created.code, elsewhere.code], [400, 400])
  })

  claim('takes every duration of Go as a timeout, and ignores it where a request runs long (W15)', async (t) => {
    const namespace = await api.namespace(t)

    const answers = await Promise.all(
      ['30s', '1m1s', '1h', '0', '0s', '-1s', '%2B1s', '1.5s', ''].map((timeout) => api.get(`${namespace}/configmaps?timeout=${timeout}`)),
    )
    const watch = api.get(`${namespace}/configmaps?watch=1&timeoutSeconds=1&timeout=x`)
    await api.pass(1_200)

    assert.deepEqual([...new Set(answers.map(({ code }) => code))], [200])
    assert.equal((await watch).code, 200)
  })

  claim('answers 504 in plain text when the time that a client gives is over (W15)', async (t) => {
    const namespace = await api.namespace(t)

    const asked = api.get(`${namespace}/configmaps?resourceVersion=${farFuture}&resourceVersionMatch=NotOlderThan&timeout=1s`)
    await api.pass(1_200)
    const { code, json, headers } = await asked

    assert.equal(code, 504)
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8')
    assert.deepEqual(json, {
      metadata: {},
      status: 'Failure',
      message: 'Timeout: request did not complete within the allotted timeout',
      reason: 'Timeout',
      details: {},
      code: 504,
    })
  })

  claim('names the options that it refuses by the verb they came with (C9, C10, C11)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, configMap('a'))
    const path = `${collection}/a`
    const dryRun = 'dryRun: Unsupported value: ["x"]: supported values: "All"'
    const validation = 'fieldValidation: Unsupported value: "Loud": supported values: "", "Ignore", "Strict", "Warn"'

    assert.deepEqual(told(await api.post(`${collection}?dryRun=x`, configMap('b'))), [422, `CreateOptions.meta.k8s.io "" is invalid: ${dryRun}`])
    assert.deepEqual(told(await api.put(`${path}?dryRun=x`, configMap('a'))), [422, `UpdateOptions.meta.k8s.io "" is invalid: ${dryRun}`])
    assert.deepEqual(told(await api.patch('merge', `${path}?dryRun=x`, {})), [422, `PatchOptions.meta.k8s.io "" is invalid: ${dryRun}`])
    assert.deepEqual(told(await api.delete(`${path}?dryRun=x`)), [422, `DeleteOptions.meta.k8s.io "" is invalid: ${dryRun}`])
    assert.deepEqual(told(await api.post(`${collection}?fieldValidation=Loud`, configMap('b'))), [
      422,
      `CreateOptions.meta.k8s.io "" is invalid: ${validation}`,
    ])
    assert.deepEqual(told(await api.put(`${path}?fieldValidation=Loud`, configMap('a'))), [422, `UpdateOptions.meta.k8s.io "" is invalid: ${validation}`])
    assert.deepEqual(told(await api.patch('merge', `${path}?fieldValidation=Loud`, {})), [422, `PatchOptions.meta.k8s.io "" is invalid: ${validation}`])
    assert.deepEqual(told(await api.patch('merge', `${path}?fieldManager=${'x'.repeat(129)}`, {})), [
      422,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
    ])
    assert.deepEqual(told(await api.post(`${collection}?fieldManager=a%00b`, configMap('b'))), [
      422,
      'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Invalid value: "a\\x00b": invalid character U+0000 (at position 1)',
    ])
    assert.deepEqual(told(await api.patch('merge', `${path}?force=false`, {})), [
      422,
      'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch',
    ])
  })

  claim('deletes nothing when the body of the deletion says dryRun (C9, C12)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, configMap('a'))

    const plain = await api.delete(`${collection}/a`, { dryRun: ['All'] })
    const typed = await api.delete(`${collection}/a`, { kind: 'DeleteOptions', apiVersion: 'policy/v1', dryRun: ['All'] })
    const bad = await api.delete(`${collection}/a`, { dryRun: ['Some'] })
    const all = await api.delete(collection, { dryRun: ['All'] })

    assert.deepEqual([plain.code, plain.json.status, typed.code], [200, 'Success', 200])
    assert.deepEqual(told(bad), [422, 'DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: "All"'])
    assert.deepEqual(
      all.json.items.map(({ metadata }: Json) => [metadata.name, metadata.deletionTimestamp]),
      [['a', undefined]],
    )
    assert.equal((await api.get(`${collection}/a`)).code, 200)
  })

  claim('reads no option of a deletion from the query when there is a body (C12)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, configMap('a'))

    const { code } = await api.delete(`${collection}/a?dryRun=All`, { propagationPolicy: 'Background' })

    assert.deepEqual([code, (await api.get(`${collection}/a`)).code], [200, 404])
  })

  claim('refuses options of a deletion that are none (C12)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, configMap('a'))
    const path = `${collection}/a`

    assert.deepEqual(told(await api.delete(`${path}?gracePeriodSeconds=x`)), [400, 'strconv.ParseInt: parsing "x": invalid syntax'])
    assert.deepEqual(told(await api.delete(path, { kind: 'Pod', apiVersion: 'v1' })), [
      400,
      'no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"',
    ])
    assert.deepEqual(told(await api.delete(path, '{')), [400, "couldn't get version/kind; json parse error: unexpected end of JSON input"])
    assert.deepEqual(told(await api.delete(path, { propagationPolicy: 'Sideways' })), [
      422,
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan", "nil"',
    ])
    assert.equal((await api.get(path)).code, 200)
  })

  claim('lists what it deletes as it was before, page by page, under preconditions (C13, C18)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, configMap('a', { labels: { g: '1' } }))
    await api.create(collection, configMap('b', { labels: { g: '1' }, finalizers: ['example.com/x'] }))
    t.after(() => api.patch('merge', `${collection}/b`, { metadata: { finalizers: null } }))

    const page = await api.delete(`${collection}?labelSelector=g=1&limit=1`)
    const rest = await api.delete(`${collection}?labelSelector=g=1`)
    const other = await api.delete(`${collection}?labelSelector=g=1`, { preconditions: { uid: 'x' } })

    assert.deepEqual(
      page.json.items.map(({ metadata }: Json) => metadata.name),
      ['a'],
    )
    assert.equal(typeof page.json.metadata.continue, 'string')
    assert.deepEqual(
      rest.json.items.map(({ metadata }: Json) => [metadata.name, metadata.deletionTimestamp]),
      [['b', undefined]],
    )
    assert.equal(other.code, 409)
    assert.match(other.json.message, /^Operation cannot be fulfilled on ConfigMap "b": the UID in the precondition \(x\) does not match the UID in record/)
  })

  claim('keeps its own metadata in a creation (W21)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    const past = '2001-01-01T00:00:00Z'

    const { json } = await api.post(collection, {
      ...configMap('a', { selfLink: '/x', uid: 'mine', creationTimestamp: past, generation: 7, deletionTimestamp: past, deletionGracePeriodSeconds: 3 }),
    })
    const revised = await api.post(collection, configMap('b', { resourceVersion: '5' }))

    assert.match(json.metadata.uid, /^[0-9a-f-]{36}$/)
    assert.notEqual(json.metadata.creationTimestamp, past)
    // A kind that does not count its generations takes what it is given.
    assert.equal(json.metadata.generation, 7)
    for (const field of ['selfLink', 'deletionTimestamp', 'deletionGracePeriodSeconds']) assert.equal(json.metadata[field], undefined, field)
    assert.deepEqual(told(revised), [500, 'resourceVersion should not be set on objects to be created'])
  })

  claim('counts generations itself where a kind has them (W21)', async (t) => {
    const collection = `${(await api.namespace(t)).replace('/api/v1', '/apis/networking.k8s.io/v1')}/networkpolicies`

    const created = await api.create(collection, { metadata: { name: 'a', generation: 8 }, spec: { podSelector: {} } })
    const patched = await api.patch('merge', `${collection}/a`, { metadata: { generation: 77, selfLink: '/x', creationTimestamp: '2001-01-01T00:00:00Z' } })

    assert.deepEqual([created.metadata.generation, patched.json.metadata.generation], [1, 1])
    assert.deepEqual([patched.json.metadata.creationTimestamp, patched.json.metadata.selfLink], [created.metadata.creationTimestamp, undefined])
  })

  claim('refuses a change of what identifies an object or deletes it (W21)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    const { metadata } = await api.create(collection, configMap('a'))
    const refused = async (change: Json): Promise<unknown> => {
      const { code, json } = await api.patch('merge', `${collection}/a`, { metadata: change })
      assert.equal(code, 422, json.message)
      assert.equal(json.details.causes.length, 2)
      return json.message
    }

    const put = await api.put(`${collection}/a`, configMap('a', { uid: 'other' }))

    const invalid = 'ConfigMap "a" is invalid: metadata'
    assert.equal(await refused({ uid: 'other' }), `${invalid}.uid: Invalid value: "other": field is immutable`)
    assert.equal(
      await refused({ deletionTimestamp: '2030-01-01T00:00:00Z' }),
      `${invalid}.deletionTimestamp: Invalid value: "2030-01-01T00:00:00Z": field is immutable`,
    )
    assert.equal(await refused({ deletionGracePeriodSeconds: 5 }), `${invalid}.deletionGracePeriodSeconds: Invalid value: 5: field is immutable`)
    assert.equal(put.code, 409)
    assert.ok(put.json.message.endsWith(`Precondition failed: UID in precondition: other, UID in object meta: ${metadata.uid}`), put.json.message)
  })

  claim('knows that an applied uid is of no object there is (P5)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    const applied = (name: string): Json => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, uid: 'zzz' } })
    await api.create(collection, configMap('a'))

    const there = await api.apply(`${collection}/a`, applied('a'), { manager: 'm' })
    const absent = await api.apply(`${collection}/b`, applied('b'), { manager: 'm' })

    assert.deepEqual(told(there), [422, 'ConfigMap "a" is invalid: metadata.uid: Invalid value: "zzz": field is immutable'])
    assert.deepEqual(told(absent), [
      409,
      'Operation cannot be fulfilled on configmaps "b": uid mismatch: the provided object specified uid zzz, and no existing object was found',
    ])
  })

  claim('gives up the ownership of all fields for an empty list of managers (7.1)', async (t) => {
    const collection = `${await api.namespace(t)}/configmaps`
    await api.create(collection, { ...configMap('a'), data: { x: '1' } })

    const emptied = await api.patch('merge', `${collection}/a`, { metadata: { managedFields: [] } })
    const changed = await api.patch('merge', `${collection}/a`, { data: { y: '2' } })

    assert.deepEqual([emptied.code, emptied.json.metadata.managedFields], [200, undefined])
    assert.equal(changed.json.metadata.managedFields, undefined)
  })

  claim('answers reviews with who has asked for what (P3)', async () => {
    const review = await api.post('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews?fieldManager=me', {
      spec: { resourceAttributes: { verb: 'get', resource: 'pods' } },
    })
    const rules = await api.post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { spec: { namespace: 'default' } })

    const [{ time: _time, ...entry }] = review.json.metadata.managedFields
    assert.deepEqual(entry, {
      manager: 'me',
      operation: 'Update',
      apiVersion: 'authorization.k8s.io/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:spec': { 'f:resourceAttributes': { '.': {}, 'f:resource': {}, 'f:verb': {} } } },
    })
    assert.deepEqual(rules.json.metadata, {})
  })

  claim('counts nothing down for a namespace that goes (C19, M1)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, configMap('a', { finalizers: ['example.com/x'] }))
    t.after(() => api.patch('merge', `${namespace}/configmaps/a`, { metadata: { finalizers: null } }))

    const { json } = await api.delete(namespace)
    const created = await api.post(`${namespace}/configmaps`, configMap('b'))
    const applied = await api.apply(`${namespace}/configmaps/b`, { apiVersion: 'v1', kind: 'ConfigMap', ...configMap('b') }, { manager: 'm' })
    const changed = await api.patch('merge', `${namespace}/configmaps/a`, { data: { x: '1' } })
    const name = namespace.split('/').at(-1)

    assert.equal(json.status.phase, 'Terminating')
    assert.equal(typeof json.metadata.deletionTimestamp, 'string')
    assert.equal(json.metadata.deletionGracePeriodSeconds, undefined)
    for (const { code, json: status } of [created, applied]) {
      assert.equal(code, 403)
      assert.equal(status.message, `configmaps "b" is forbidden: unable to create new content in namespace ${name} because it is being terminated`)
      assert.deepEqual(
        status.details.causes.map(({ reason }: Json) => reason),
        ['NamespaceTerminating'],
      )
    }
    assert.equal(changed.code, 200)
  })

  claim('writes nothing into a namespace that is not there, and answers reviews about it (M1)', async () => {
    const absent = '/api/v1/namespaces/conformance-is-not-there'
    const coordination = absent.replace('/api/v1', '/apis/coordination.k8s.io/v1')
    const authorization = absent.replace('/api/v1', '/apis/authorization.k8s.io/v1')
    const namespace = 'conformance-is-not-there'

    const created = await api.post(`${absent}/configmaps`, configMap('a'))
    const tried = await api.post(`${absent}/configmaps?dryRun=All`, configMap('a'))
    const lease = await api.put(`${coordination}/leases/a`, configMap('a'))
    const removed = await api.delete(`${absent}/configmaps/a`)
    const review = await api.post(`${authorization}/localsubjectaccessreviews`, {
      metadata: { namespace },
      spec: { user: 'x', resourceAttributes: { namespace, verb: 'get', resource: 'pods' } },
    })

    for (const answer of [created, tried, lease]) assert.deepEqual(told(answer), [404, `namespaces "${namespace}" not found`])
    assert.deepEqual(told(removed), [404, 'configmaps "a" not found'])
    assert.equal(review.code, 201)
  })

  claim('keeps the namespaces that a cluster cannot be without (M1, C19)', async () => {
    for (const name of ['default', 'kube-system', 'kube-public']) {
      assert.deepEqual(told(await api.delete(`/api/v1/namespaces/${name}`)), [403, `namespaces "${name}" is forbidden: this namespace may not be deleted`])
    }
  })
})
