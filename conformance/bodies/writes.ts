import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'

const podSpec = { containers: [{ name: 'c', image: 'registry.example.com/app:1' }] }
const template = { metadata: { labels: { app: 'web' } }, spec: podSpec }
const deployment = (name: string, replicas = 1): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: { replicas, selector: { matchLabels: { app: 'web' } }, template },
})
const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')
const leasesOf = (namespace: string): string => `${namespace.replace('/api/v1', '/apis/coordination.k8s.io/v1')}/leases`
const timestamp = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

export const writes = conformance('create, update and delete', ({ api, claim }) => {
  claim('creates with 201 and the metadata that only the server sets (C1)', async (t) => {
    const namespace = await api.namespace(t)
    const past = '2001-01-01T00:00:00Z'

    const { code, json } = await api.post(`${namespace}/configmaps`, {
      metadata: { name: 'a', uid: 'mine', creationTimestamp: past, deletionTimestamp: past, deletionGracePeriodSeconds: 5, selfLink: '/x' },
      data: { key: 'x' },
    })

    assert.equal(code, 201)
    assert.deepEqual(Object.keys(json), ['kind', 'apiVersion', 'metadata', 'data'])
    assert.deepEqual(Object.keys(json.metadata), ['name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'managedFields'])
    assert.match(json.metadata.uid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.match(json.metadata.creationTimestamp, timestamp)
    assert.notEqual(json.metadata.creationTimestamp, past)
    assert.match(json.metadata.resourceVersion, /^[1-9]\d*$/)
  })

  claim('refuses a resourceVersion on creation (C1)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a', resourceVersion: '1' } })

    assert.equal(code, 500)
    assert.equal(json.message, 'resourceVersion should not be set on objects to be created')
  })

  claim('takes a built-in object without kind and version, and refuses a wrong one (C1)', async (t) => {
    const namespace = await api.namespace(t)

    const bare = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    const wrong = await api.post(`${namespace}/configmaps`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'b' } })

    assert.equal(bare.code, 201)
    assert.deepEqual([wrong.code, wrong.json.reason], [400, 'BadRequest'])
    assert.equal(wrong.json.message, 'Secret in version "v1" cannot be handled as a ConfigMap: converting (v1.Secret) to (core.ConfigMap): unknown conversion')
  })

  claim('says that a body is no JSON or has a wrong type (1.1 BadRequest)', async (t) => {
    const namespace = await api.namespace(t)

    const broken = await api.post(`${namespace}/configmaps`, '{"metadata":', { contentType: 'application/json' })
    const typed = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: 1 } })

    assert.deepEqual([broken.code, typed.code], [400, 400])
    assert.match(broken.json.message, /unexpected end of JSON input/)
    assert.equal(
      typed.json.message,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap.data of type string',
    )
  })

  claim('refuses a name that is taken (1.1 AlreadyExists)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a' } })

    assert.equal(code, 409)
    assert.deepEqual([json.reason, json.message, json.details], ['AlreadyExists', 'configmaps "a" already exists', { name: 'a', kind: 'configmaps' }])
  })

  claim('takes the namespace from the URL and refuses another in the body (C2)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a', namespace: 'other' } })

    assert.equal(code, 400)
    assert.equal(json.message, `the namespace of the provided object does not match the namespace sent on the request`)
  })

  claim('refuses an object in a namespace that does not exist (C2)', async () => {
    const name = uniqueName('nowhere')

    const { code, json } = await api.post(`/api/v1/namespaces/${name}/configmaps`, { metadata: { name: 'a' } })

    assert.equal(code, 404)
    assert.deepEqual([json.reason, json.message], ['NotFound', `namespaces "${name}" not found`])
  })

  claim('generates names from a prefix that is cut to 58 characters (C3)', async (t) => {
    const namespace = await api.namespace(t)

    const short = await api.create(`${namespace}/configmaps`, { metadata: { generateName: 'web-' } })
    const long = await api.create(`${namespace}/configmaps`, { metadata: { generateName: 'x'.repeat(80) } })

    assert.match(short.metadata.name, /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    assert.equal(short.metadata.generateName, 'web-')
    assert.match(long.metadata.name, /^x{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  })

  claim('refuses an object with neither name nor generateName (C3)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: {} })

    assert.equal(code, 422)
    assert.equal(json.message, 'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required')
  })

  claim('counts generations of what has a specification, and only changes of it (C4)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${inApps(namespace)}/deployments/web`
    const created = await api.create(`${inApps(namespace)}/deployments`, deployment('web'))

    const labelled = await api.patch('merge', path, { metadata: { labels: { a: 'b' } } })
    const scaled = await api.patch('merge', path, { spec: { replicas: 3 } })
    const configMap = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })

    assert.deepEqual([created.metadata.generation, labelled.json.metadata.generation, scaled.json.metadata.generation], [1, 1, 2])
    assert.equal(configMap.metadata.generation, undefined)
  })

  claim('writes nothing when nothing changes (C5)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: 'x' } })
    const before = await api.read(`${namespace}/configmaps/a`)

    const patched = await api.patch('merge', `${namespace}/configmaps/a`, { data: { key: 'x' } })
    const put = await api.put(`${namespace}/configmaps/a`, before)

    assert.deepEqual(
      [patched.json.metadata.resourceVersion, put.json.metadata.resourceVersion],
      [before.metadata.resourceVersion, before.metadata.resourceVersion],
    )
  })

  claim('updates at the right resourceVersion and refuses a stale one (C6, 1.1 Conflict)', async (t) => {
    const namespace = await api.namespace(t)
    const created = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' }, data: { key: 'x' } })

    const updated = await api.put(`${namespace}/configmaps/a`, { ...created, data: { key: 'y' } })
    const stale = await api.put(`${namespace}/configmaps/a`, { ...created, data: { key: 'z' } })

    assert.equal(updated.code, 200)
    assert.deepEqual(updated.json.data, { key: 'y' })
    assert.equal(updated.json.metadata.uid, created.metadata.uid)
    assert.equal(stale.code, 409)
    assert.deepEqual(stale.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: 'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
      reason: 'Conflict',
      details: { name: 'a', kind: 'configmaps' },
      code: 409,
    })
  })

  claim('refuses an update whose name, namespace or uid is another one (C6)', async (t) => {
    const namespace = await api.namespace(t)
    const created = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    const put = (metadata: Json): Promise<Json> => api.put(`${namespace}/configmaps/a`, { metadata: { ...created.metadata, ...metadata } })

    const named = await put({ name: 'b' })
    const moved = await put({ namespace: 'other' })
    const reborn = await put({ uid: '00000000-0000-4000-8000-00000000dead', resourceVersion: '' })

    assert.deepEqual([named.code, named.json.message], [400, 'the name of the object (b) does not match the name on the URL (a)'])
    assert.deepEqual([moved.code, moved.json.reason], [400, 'BadRequest'])
    assert.equal(reborn.code, 409)
    assert.match(
      reborn.json.message,
      /^Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, .*Precondition failed: UID in precondition: 00000000-0000-4000-8000-00000000dead, UID in object meta: /,
    )
  })

  claim('updates a ConfigMap without a resourceVersion, and no Lease (C6)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    await api.create(leasesOf(namespace), { metadata: { name: 'a' } })

    const configMap = await api.put(`${namespace}/configmaps/a`, { metadata: { name: 'a' }, data: { key: 'x' } })
    const lease = await api.put(`${leasesOf(namespace)}/a`, { metadata: { name: 'a' } })

    assert.equal(configMap.code, 200)
    assert.equal(lease.code, 422)
    assert.equal(lease.json.message, 'leases.coordination.k8s.io "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update')
  })

  claim('creates a Lease by PUT, and no ConfigMap (C7)', async (t) => {
    const namespace = await api.namespace(t)

    const lease = await api.put(`${leasesOf(namespace)}/a`, { metadata: { name: 'a' } })
    const configMap = await api.put(`${namespace}/configmaps/a`, { metadata: { name: 'a' } })

    assert.equal(lease.code, 201)
    assert.equal(configMap.code, 404)
  })

  claim('keeps status and specification apart (C8)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${inApps(namespace)}/deployments/web`
    await api.create(`${inApps(namespace)}/deployments`, { ...deployment('web'), status: { replicas: 9 } })

    const spec = await api.patch('merge', path, { status: { replicas: 5 } })
    const status = await api.patch('merge', `${path}/status`, { metadata: { labels: { a: 'b' } }, spec: { replicas: 7 }, status: { replicas: 3 } })

    assert.equal(spec.json.status.replicas, undefined)
    assert.equal(status.json.status.replicas, 3)
    assert.equal(status.json.spec.replicas, 1)
    assert.equal(status.json.metadata.generation, 1)
    assert.ok(status.json.metadata.managedFields.some(({ subresource }: Json) => subresource === 'status'))
  })

  claim('goes through everything and keeps nothing with dryRun=All (C9)', async (t) => {
    const namespace = await api.namespace(t)

    const created = await api.post(`${namespace}/configmaps?dryRun=All`, { metadata: { name: 'a' } })
    const gone = await api.get(`${namespace}/configmaps/a`)
    const wrong = await api.post(`${namespace}/configmaps?dryRun=Some`, { metadata: { name: 'a' } })
    const invalid = await api.post(`${namespace}/configmaps?dryRun=All`, { metadata: { name: 'A' } })
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'b' } })
    const deleted = await api.delete(`${namespace}/configmaps/b?dryRun=All`)

    assert.equal(created.code, 201)
    assert.match(created.json.metadata.uid, /^[0-9a-f-]{36}$/)
    assert.equal(created.json.metadata.resourceVersion, undefined)
    assert.equal(gone.code, 404)
    assert.equal(wrong.code, 422)
    assert.equal(invalid.code, 422)
    assert.equal(deleted.code, 200)
    await api.read(`${namespace}/configmaps/b`)
  })

  claim('refuses, warns of or ignores unknown and duplicate fields as asked (C10)', async (t) => {
    const namespace = await api.namespace(t)
    const body = (name: string): string => `{"metadata":{"name":"${name}"},"dta":{},"data":{"a":"1","a":"2"},"immutabel":true}`
    const post = (name: string, query: string): Promise<Json> => api.post(`${namespace}/configmaps${query}`, body(name))

    const strict = await post('a', '?fieldValidation=Strict')
    const warned = await post('b', '?fieldValidation=Warn')
    const ignored = await post('c', '?fieldValidation=Ignore')
    const wrong = await post('d', '?fieldValidation=Perhaps')

    assert.equal(strict.code, 400)
    assert.equal(
      strict.json.message,
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "dta", duplicate field "data.a", unknown field "immutabel"',
    )
    assert.equal(warned.code, 201)
    assert.match(String(warned.headers.warning), /unknown field \\"dta\\"/)
    assert.deepEqual([ignored.code, ignored.headers.warning], [201, undefined])
    assert.equal(wrong.code, 422)
  })

  claim('names the field manager after the client unless it is given (C11)', async (t) => {
    const namespace = await api.namespace(t)
    const managers = (object: Json): string[] => object.metadata.managedFields.map(({ manager }: Json) => manager)

    const named = await api.post(`${namespace}/configmaps?fieldManager=me`, { metadata: { name: 'a' }, data: { key: 'x' } })
    const byAgent = await api.post(
      `${namespace}/configmaps`,
      { metadata: { name: 'b' }, data: { key: 'x' } },
      { headers: { 'user-agent': 'tool/1.2 (linux)' } },
    )
    const tooLong = await api.post(`${namespace}/configmaps?fieldManager=${'m'.repeat(129)}`, { metadata: { name: 'c' } })

    assert.deepEqual([managers(named.json), managers(byAgent.json)], [['me'], ['tool']])
    assert.equal(tooLong.code, 422)
  })

  claim('reads delete options from the body and the query and refuses wrong ones (C12)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })

    const unknown = await api.delete(`${namespace}/configmaps/a?propagationPolicy=Sometimes`)
    const both = await api.delete(`${namespace}/configmaps/a`, { propagationPolicy: 'Background', orphanDependents: true })
    const typed = await api.delete(`${namespace}/configmaps/a`, { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background' })

    assert.deepEqual([unknown.code, both.code, typed.code], [422, 422, 200])
  })

  claim('deletes only what its preconditions hold for (C13)', async (t) => {
    const namespace = await api.namespace(t)
    const { metadata } = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    const other = '00000000-0000-4000-8000-00000000dead'

    const wrongUid = await api.delete(`${namespace}/configmaps/a`, { preconditions: { uid: other } })
    const wrongRevision = await api.delete(`${namespace}/configmaps/a`, { preconditions: { resourceVersion: '1' } })
    const right = await api.delete(`${namespace}/configmaps/a`, { preconditions: { uid: metadata.uid, resourceVersion: metadata.resourceVersion } })

    assert.deepEqual([wrongUid.code, wrongRevision.code, right.code], [409, 409, 200])
    assert.equal(
      wrongUid.json.message,
      `Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (${other}) does not match the UID in record (${metadata.uid}). ` +
        'The object might have been deleted and then recreated',
    )
    assert.equal(
      wrongRevision.json.message,
      `Operation cannot be fulfilled on ConfigMap "a": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${metadata.resourceVersion}). ` +
        'The object might have been modified',
    )
  })

  claim('answers a deletion with a Status or with the object, by kind (C14)', async (t) => {
    const namespace = await api.namespace(t)
    const configMap = await api.create(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })
    await api.create(`${namespace}/services`, { metadata: { name: 's' }, spec: { ports: [{ port: 80 }] } })
    const replicaSet = await api.create(`${inApps(namespace)}/replicasets`, {
      ...deployment('r'),
      kind: 'ReplicaSet',
      spec: { selector: { matchLabels: { app: 'web' } }, template },
    })

    const status = await api.delete(`${namespace}/configmaps/a`)
    const grouped = await api.delete(`${inApps(namespace)}/replicasets/r`)
    const pod = await api.delete(`${namespace}/pods/p`)
    const service = await api.delete(`${namespace}/services/s`)
    await api.create(`${namespace}/podtemplates`, { metadata: { name: 't' }, template })
    const podTemplate = await api.delete(`${namespace}/podtemplates/t`)
    assert.deepEqual([podTemplate.json.kind, podTemplate.json.metadata.name], ['PodTemplate', 't'])

    assert.deepEqual(status.json, {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Success',
      details: { name: 'a', kind: 'configmaps', uid: configMap.metadata.uid },
    })
    assert.deepEqual(grouped.json.details, { name: 'r', group: 'apps', kind: 'replicasets', uid: replicaSet.metadata.uid })
    assert.deepEqual([pod.json.kind, service.json.kind], ['Pod', 'Service'])
  })

  claim('keeps an object with finalizers until the last one is taken away (C15)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/configmaps/a`
    await api.create(`${namespace}/configmaps`, { metadata: { name: 'a', finalizers: ['example.com/hold'] } })

    const deleted = await api.delete(path)
    const again = await api.delete(path)
    const added = await api.patch('merge', path, { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } })
    const taken = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a' } })
    const released = await api.patch('merge', path, { metadata: { finalizers: null } })
    const gone = await api.get(path)

    assert.equal(deleted.code, 200)
    assert.match(deleted.json.metadata.deletionTimestamp, timestamp)
    assert.equal(deleted.json.metadata.deletionGracePeriodSeconds, 0)
    assert.equal(again.json.metadata.resourceVersion, deleted.json.metadata.resourceVersion)
    assert.equal(added.code, 422)
    assert.match(
      added.json.message,
      /^ConfigMap "a" is invalid: metadata\.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers \[\]string\{"example\.com\/more"\}$/,
    )
    assert.deepEqual([taken.code, taken.json.message], [409, 'object is being deleted: configmaps "a" already exists'])
    assert.equal(released.code, 200)
    assert.equal(released.json.metadata.finalizers, undefined)
    assert.equal(gone.code, 404)
  })

  claim('gives a scheduled pod its grace, which later deletions may only shorten (C16)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/pods/p`
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: { ...podSpec, nodeName: 'nowhere', terminationGracePeriodSeconds: 50 } })

    const first = await api.delete(path)
    const longer = await api.delete(path, { gracePeriodSeconds: 100 })
    const shorter = await api.delete(path, { gracePeriodSeconds: 10 })
    const now = await api.delete(path, { gracePeriodSeconds: 0 })
    const gone = await api.get(path)
    const grace = (answer: Json): unknown => answer.json.metadata.deletionGracePeriodSeconds

    assert.deepEqual([first.code, grace(first), grace(longer), grace(shorter)], [200, 50, 50, 10])
    assert.ok(Date.parse(shorter.json.metadata.deletionTimestamp) < Date.parse(first.json.metadata.deletionTimestamp))
    assert.equal(first.json.status.phase, 'Pending')
    assert.equal(now.code, 200)
    assert.equal(gone.code, 404)
  })

  claim('removes a pod that is on no node at once (C16)', async (t) => {
    const namespace = await api.namespace(t)
    await api.create(`${namespace}/pods`, { metadata: { name: 'p' }, spec: podSpec })

    const { code, json } = await api.delete(`${namespace}/pods/p`)
    const gone = await api.get(`${namespace}/pods/p`)

    assert.deepEqual([code, json.metadata.deletionGracePeriodSeconds, gone.code], [200, 0, 404])
  })

  claim('marks what is to wait for its dependents or to leave them behind (C17)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${inApps(namespace)}/deployments`
    await Promise.all(['foreground', 'orphan'].map((name) => api.create(path, deployment(name))))

    const foreground = await api.delete(`${path}/foreground`, { propagationPolicy: 'Foreground' })
    const orphan = await api.delete(`${path}/orphan`, { propagationPolicy: 'Orphan' })

    assert.deepEqual([foreground.json.metadata?.finalizers, orphan.json.metadata?.finalizers], [['foregroundDeletion'], ['orphan']])
    assert.equal(foreground.json.metadata.generation, 2)
  })

  claim('deletes what a selector finds and answers with the list of it (C18)', async (t) => {
    const namespace = await api.namespace(t)
    await Promise.all(['a', 'b', 'c'].map((name) => api.create(`${namespace}/configmaps`, { metadata: { name, labels: { drop: String(name !== 'c') } } })))

    const { code, json } = await api.delete(`${namespace}/configmaps?labelSelector=drop%3Dtrue`)
    const left = await api.read(`${namespace}/configmaps`)

    assert.equal(code, 200)
    assert.equal(json.kind, 'ConfigMapList')
    assert.deepEqual(
      json.items.map(({ metadata }: Json) => metadata.name),
      ['a', 'b'],
    )
    assert.deepEqual(
      left.items.map(({ metadata }: Json) => metadata.name),
      ['c'],
    )
  })

  claim('lets a namespace terminate and refuses new content meanwhile (C19, C2)', async () => {
    const name = uniqueName('leaving')
    const path = `/api/v1/namespaces/${name}`
    const created = await api.create('/api/v1/namespaces', { metadata: { name } })
    // Something that keeps it from being finished at once.
    await api.create(`${path}/configmaps`, { metadata: { name: 'a', finalizers: ['example.com/hold'] } })

    const deleted = await api.delete(path)
    const refused = await api.post(`${path}/configmaps`, { metadata: { name: 'b' } })
    await api.patch('merge', `${path}/configmaps/a`, { metadata: { finalizers: null } })

    assert.deepEqual([created.spec.finalizers, created.status.phase, created.metadata.labels['kubernetes.io/metadata.name']], [['kubernetes'], 'Active', name])
    assert.equal(deleted.code, 200)
    assert.deepEqual([deleted.json.kind, deleted.json.status.phase], ['Namespace', 'Terminating'])
    assert.equal(refused.code, 403)
    assert.equal(refused.json.message, `configmaps "b" is forbidden: unable to create new content in namespace ${name} because it is being terminated`)
    assert.deepEqual(refused.json.details.causes, [
      { reason: 'NamespaceTerminating', message: `namespace ${name} is being terminated`, field: 'metadata.namespace' },
    ])
  })

  claim('finishes a namespace by its own subresource (C19, S12)', async () => {
    const name = uniqueName('finished')
    const path = `/api/v1/namespaces/${name}`
    await api.create('/api/v1/namespaces', { metadata: { name } })
    await api.delete(path)
    const terminating = await api.get(path)

    const finished = terminating.code === 404 ? terminating : await api.put(`${path}/finalize`, { ...terminating.json, spec: { finalizers: [] } })
    const gone = await api.eventually(path, ({ code }) => code === 404)

    assert.ok(finished.code === 200 || finished.code === 404, finished.text)
    assert.equal(gone.code, 404)
  })

  claim('never deletes the namespaces that every cluster has (C19)', async () => {
    for (const name of ['default', 'kube-system', 'kube-public']) {
      const { code, json } = await api.delete(`/api/v1/namespaces/${name}`)

      assert.deepEqual([code, json.message], [403, `namespaces "${name}" is forbidden: this namespace may not be deleted`])
    }
  })

  claim('refuses two controlling owners (C20)', async (t) => {
    const namespace = await api.namespace(t)
    const owner = (uid: string): Json => ({ apiVersion: 'v1', kind: 'Node', name: uid, uid, controller: true })

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a', ownerReferences: [owner('one'), owner('two')] } })

    assert.equal(code, 422)
    assert.match(
      json.message,
      /metadata\.ownerReferences: Invalid value: .*Only one reference can have Controller set to true\. Found "true" in references for Node\/one and Node\/two$/,
    )
  })

  claim('checks names by kind (C22)', async (t) => {
    const namespace = await api.namespace(t)
    const code = async (target: string, name: string, more: Json = {}): Promise<number> => (await api.post(target, { metadata: { name }, ...more })).code

    assert.equal(await code(`${namespace}/services`, 'a.b', { spec: { ports: [{ port: 80 }] } }), 422)
    assert.equal(await code(`${namespace}/configmaps`, 'a.b.c'), 201)
    assert.equal(await code(`${namespace}/configmaps`, 'x'.repeat(254)), 422)
    assert.equal(await code('/api/v1/namespaces?dryRun=All', 'a.b'), 422)
    assert.equal(await code(`${namespace.replace('/api/v1', '/apis/rbac.authorization.k8s.io/v1')}/roles`, 'with:colon', { rules: [] }), 201)
    assert.equal(await code(`${namespace.replace('/api/v1', '/apis/rbac.authorization.k8s.io/v1')}/roles`, 'with%percent', { rules: [] }), 422)
  })

  claim('refuses labels that are none (C22)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.post(`${namespace}/configmaps`, { metadata: { name: 'a', labels: { 'bad key': 'x', good: 'bad value!' } } })

    assert.equal(code, 422)
    assert.deepEqual(
      json.details.causes.map(({ field }: Json) => field),
      ['metadata.labels', 'metadata.labels'],
    )
  })
})
