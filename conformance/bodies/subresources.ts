import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }
const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')
const deployment: Json = {
  metadata: { name: 'web' },
  spec: { replicas: 2, selector: { matchLabels: { app: 'web' } }, template: { metadata: { labels: { app: 'web' } }, spec: podSpec } },
}

export const subresources = conformance('subresources', ({ api, claim }) => {
  claim('reads and writes the status, and returns the whole object (S1)', async (t) => {
    const namespace = await api.namespace(t)
    // Nobody schedules it, so that nobody else writes it meanwhile.
    const created = await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { ...podSpec, schedulerName: 'nobody' } })

    const read = await api.read(`${namespace}/pods/p/status`)
    const put = await api.put(`${namespace}/pods/p/status`, { ...created, metadata: { ...created.metadata, labels: { a: 'b' } }, status: { phase: 'Running' } })

    assert.equal(read.kind, 'Pod')
    assert.equal(put.code, 200)
    assert.equal(put.json.status.phase, 'Running')
    assert.deepEqual(put.json.spec, created.spec)
  })

  claim('reads the scale of a Deployment (S2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    const { metadata } = await api.create(path, deployment)

    const scale = await api.read(`${path}/web/scale`)

    assert.deepEqual(scale, {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: {
        name: 'web',
        namespace: metadata.namespace,
        uid: metadata.uid,
        resourceVersion: metadata.resourceVersion,
        creationTimestamp: metadata.creationTimestamp,
      },
      spec: { replicas: 2 },
      status: { replicas: 0, selector: 'app=web' },
    })
  })

  claim('scales by patch and by PUT (S2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    await api.create(path, deployment)

    const patched = await api.patch('merge', `${path}/web/scale`, { spec: { replicas: 5 } })
    const { metadata } = await api.read(`${path}/web`)
    const put = await api.put(`${path}/web/scale`, { ...patched.json, spec: {} })
    const scaled = await api.read(`${path}/web`)

    assert.deepEqual([patched.code, patched.json.spec], [200, { replicas: 5 }])
    assert.deepEqual([put.code, put.json.spec], [200, {}])
    assert.deepEqual([scaled.spec.replicas, scaled.metadata.generation], [0, 3])
    assert.ok(metadata.managedFields.some(({ subresource }: Json) => subresource === 'scale'))
  })

  claim('refuses a scale that is stale or negative (S2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    await api.create(path, deployment)
    const scale = await api.read(`${path}/web/scale`)
    await api.patch('merge', `${path}/web`, { metadata: { labels: { a: 'b' } } })

    const stale = await api.put(`${path}/web/scale`, { ...scale, spec: { replicas: 3 } })
    const negative = await api.patch('merge', `${path}/web/scale`, { spec: { replicas: -1 } })

    assert.equal(stale.code, 409)
    assert.equal(stale.json.reason, 'Conflict')
    assert.equal(negative.code, 422)
    assert.match(negative.json.message, /spec\.replicas: Invalid value: -1: must be greater than or equal to 0$/)
  })

  claim('takes a Scale for what it says it is, and for the object that it names (S2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    const { metadata } = await api.create(path, deployment)

    const another = await api.put(`${path}/web/scale`, { metadata: { name: 'other' }, spec: { replicas: 3 } })
    const recreated = await api.put(`${path}/web/scale`, { metadata: { name: 'web', uid: 'x' }, spec: { replicas: 3 } })
    const parent = await api.put(`${path}/web/scale`, { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec: { replicas: 3 } })
    const text = await api.patch('merge', `${path}/web/scale`, { spec: { replicas: 'x' } })

    assert.deepEqual([another.code, another.json.message], [400, 'the name of the object (other) does not match the name on the URL (web)'])
    assert.deepEqual([recreated.code, recreated.json.reason], [409, 'Conflict'])
    assert.ok(recreated.json.message.endsWith(`UID in precondition: x, UID in object meta: ${metadata.uid}`), recreated.json.message)
    assert.deepEqual(
      [parent.code, parent.json.message],
      [400, 'Deployment in version "v1" cannot be handled as a Scale: converting (v1.Deployment) to (autoscaling.Scale): unknown conversion'],
    )
    assert.equal(text.code, 422)
    assert.match(text.json.message, /": json: cannot unmarshal string into Go struct field ScaleSpec\.spec\.replicas of type int32$/)
  })

  claim('applies a Scale, and knows who owns the replicas (S2, 7.2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    await api.create(`${path}?fieldManager=creator`, deployment)
    const scale = (replicas: number): Json => ({ apiVersion: 'autoscaling/v1', kind: 'Scale', metadata: { name: 'web' }, spec: { replicas } })

    const refused = await api.apply(`${path}/web/scale`, scale(4), { manager: 'scaler' })
    const forced = await api.apply(`${path}/web/scale`, scale(4), { manager: 'scaler', force: true })
    const owners = async (): Promise<Json> =>
      (await api.read(`${path}/web`)).metadata.managedFields.map(({ manager, operation, subresource, time, fieldsV1, apiVersion }: Json) => [
        manager,
        operation,
        apiVersion,
        subresource,
        time !== undefined,
        fieldsV1['f:spec']?.['f:replicas'] !== undefined,
      ])
    const afterApply = await owners()
    await api.patch('merge', `${path}/web/scale?fieldManager=hand`, { spec: { replicas: 6 } })
    const afterPatch = await owners()

    assert.deepEqual([refused.code, refused.json.message], [409, 'Apply failed with 1 conflict: conflict with "creator" using autoscaling/v1: .spec.replicas'])
    assert.deepEqual([forced.code, forced.json.spec], [200, { replicas: 4 }])
    assert.deepEqual(afterApply, [
      ['scaler', 'Apply', 'apps/v1', 'scale', false, true],
      ['creator', 'Update', 'apps/v1', undefined, true, false],
    ])
    assert.deepEqual(afterPatch, [
      ['hand', 'Update', 'apps/v1', 'scale', false, true],
      ['creator', 'Update', 'apps/v1', undefined, true, false],
    ])
  })

  claim('shows a Scale in protobuf (S2)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments`
    await api.create(path, deployment)

    const { code, headers, text } = await api.get(`${path}/web/scale`, { headers: { accept: 'application/vnd.kubernetes.protobuf' } })

    assert.deepEqual([code, headers['content-type']], [200, 'application/vnd.kubernetes.protobuf'])
    assert.ok(text.startsWith('k8s\u0000') && text.includes('autoscaling/v1'))
  })

  claim('binds a pod to a node once (S3)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })
    const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } }

    const bound = await api.post(`${namespace}/pods/p/binding`, binding)
    const again = await api.post(`${namespace}/pods/p/binding`, binding)
    const pod = await api.read(`${namespace}/pods/p`)

    assert.equal(bound.code, 201)
    assert.deepEqual(bound.json, { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 })
    assert.equal(again.code, 409)
    assert.equal(again.json.message, 'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"')
    assert.equal(pod.spec.nodeName, 'n1')
    assert.deepEqual(
      pod.status.conditions.map(({ type, status }: Json) => `${type} ${status}`),
      ['PodScheduled True'],
    )
  })

  claim('binds through the collection of bindings too (S3)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })

    const bound = await api.post(`${namespace}/bindings`, { metadata: { name: 'p' }, target: { kind: 'Node', name: 'n1' } })
    const pod = await api.read(`${namespace}/pods/p`)

    assert.equal(bound.code, 201, bound.text)
    assert.equal(pod.spec.nodeName, 'n1')
  })

  claim('takes only finalizers on finalize (S12)', async (t) => {
    const namespace = await api.namespace(t)
    const before = await api.read(namespace)

    const { code, json } = await api.put(`${namespace}/finalize`, {
      ...before,
      metadata: { ...before.metadata, labels: { a: 'b' } },
      spec: { finalizers: ['kubernetes', 'example.com/x'] },
    })
    const restored = await api.put(`${namespace}/finalize`, { ...json, spec: { finalizers: ['kubernetes'] } })

    assert.equal(code, 200)
    assert.deepEqual(json.spec.finalizers, ['kubernetes', 'example.com/x'])
    assert.equal(restored.code, 200)
  })

  claim('answers the log of a pod without a node with nothing (S6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })

    const { code, text } = await api.get(`${namespace}/pods/p/log`)

    assert.deepEqual([code, text], [204, ''])
  })

  claim('asks which container a log is of, and knows those there are (S6)', async (t) => {
    const namespace = await api.namespace(t)
    const containers = ['a', 'b'].map((name) => ({ name, image: 'registry.example.com/app:1' }))
    await api.create(`${namespace}/pods`, { metadata: { name: 'two' }, spec: { containers } })

    const open = await api.get(`${namespace}/pods/two/log`)
    const wrong = await api.get(`${namespace}/pods/two/log?container=c`)

    assert.deepEqual([open.code, open.json.message], [400, 'a container name must be specified for pod two, choose one of: [a b]'])
    assert.deepEqual([wrong.code, wrong.json.message], [400, 'container c is not valid for pod two'])
  })

  claim('refuses an exec that is no upgrade (S7)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })

    const { code, json } = await api.post(`${namespace}/pods/p/exec?command=ls&stdout=true`, undefined)

    assert.equal(code, 400)
    assert.equal(json.message, 'pod p does not have a host assigned')
  })

  claim('gives a service account a token (S11)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/serviceaccounts/default/token`, { spec: { expirationSeconds: 3600, audiences: [] } })
    const claims = JSON.parse(Buffer.from(json.status.token.split('.')[1], 'base64url').toString())
    const name = namespace.split('/').at(-1)

    assert.equal(code, 201)
    assert.equal(json.kind, 'TokenRequest')
    assert.equal(json.spec.expirationSeconds, 3600)
    assert.equal(claims.sub, `system:serviceaccount:${name}:default`)
    assert.equal(claims['kubernetes.io'].namespace, name)
    assert.equal(claims['kubernetes.io'].serviceaccount.name, 'default')
    assert.equal(claims.exp - claims.iat, 3600)
    assert.ok(Math.abs(Date.parse(json.status.expirationTimestamp) / 1000 - claims.exp) <= 1)
  })

  claim('refuses a token that lives less than ten minutes (S11)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/serviceaccounts/default/token`, { spec: { expirationSeconds: 60 } })

    assert.equal(code, 422)
    assert.match(json.message, /spec\.expirationSeconds: Invalid value: 60: may not specify a duration less than 10 minutes$/)
  })

  claim('answers 404 for a subresource that a kind does not have (W12)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })

    const { code } = await api.get(`${namespace}/configmaps/a/status`)

    assert.equal(code, 404)
  })
})
