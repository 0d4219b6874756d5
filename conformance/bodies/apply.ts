import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const configMap = (name: string, data: Json): Json => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })
const inApps = (namespace: string): string => namespace.replace('/api/v1', '/apis/apps/v1')
const deployment = (spec: Json): Json => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' }, spec })
const base = {
  selector: { matchLabels: { app: 'web' } },
  template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'app', image: 'app:1' }] } },
}

export const apply = conformance('server-side apply', ({ api, claim }) => {
  claim('creates what is missing with 201 and merges with 200 (P1)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`

    const created = await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })
    const merged = await api.apply(path, configMap('a', { y: '2' }), { manager: 'two' })

    assert.deepEqual([created.code, merged.code], [201, 200])
    assert.deepEqual(merged.json.data, { x: '1', y: '2' })
  })

  claim('takes away what its manager alone owned and no longer applies (P1)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    await api.apply(path, configMap('a', { own: '1', shared: '1' }), { manager: 'one' })
    await api.apply(path, configMap('a', { shared: '1' }), { manager: 'two' })

    const { json } = await api.apply(path, configMap('a', {}), { manager: 'one' })

    assert.deepEqual(json.data, { shared: '1' })
  })

  claim('needs a field manager (P1, C11)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`

    const { code, json } = await api.patch('apply', path, configMap('a', {}))

    assert.equal(code, 422)
    assert.match(json.message, /fieldManager: Required value: is required for apply patch$/)
  })

  claim('refuses to change what another manager owns, and names it (P2)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    await api.apply(path, configMap('a', { x: '1', y: '1' }), { manager: 'one' })

    const { code, json } = await api.apply(path, configMap('a', { x: '2', y: '2' }), { manager: 'two' })

    assert.equal(code, 409)
    assert.equal(json.reason, 'Conflict')
    assert.equal(json.message, 'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y')
    assert.deepEqual(json.details.causes, [
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.x' },
      { reason: 'FieldManagerConflict', message: 'conflict with "one"', field: '.data.y' },
    ])
  })

  claim('names the version and time of an update that it conflicts with (P2)', async (t) => {
    const namespace = await api.namespace(t)
    await api.post(`${namespace}/configmaps?fieldManager=writer`, configMap('a', { x: '1' }))

    const { code, json } = await api.apply(`${namespace}/configmaps/a`, configMap('a', { x: '2' }), { manager: 'two' })

    assert.equal(code, 409)
    assert.match(json.message, /^Apply failed with 1 conflict: conflict with "writer" using v1( at \d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)?: \.data\.x$/)
  })

  claim('takes a field over by force, and shares it by the same value (P2)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })

    const shared = await api.apply(path, configMap('a', { x: '1' }), { manager: 'two' })
    const forced = await api.apply(path, configMap('a', { x: '2' }), { manager: 'three', force: true })

    assert.equal(shared.code, 200)
    assert.deepEqual(shared.json.metadata.managedFields.map(({ manager }: Json) => manager).toSorted(), ['one', 'two'])
    assert.deepEqual(forced.json.data, { x: '2' })
    assert.deepEqual(
      forced.json.metadata.managedFields.filter(({ fieldsV1 }: Json) => fieldsV1['f:data']?.['f:x'] !== undefined).map(({ manager }: Json) => manager),
      ['three'],
    )
  })

  claim('keeps one entry per manager and operation, in the encoding of FieldsV1 (P3, P4)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments/web`

    const { json } = await api.apply(path, deployment({ replicas: 2, ...base }), { manager: 'one' })
    const [{ time, ...entry }, ...others] = json.metadata.managedFields

    assert.deepEqual(others, [])
    assert.match(time, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/)
    assert.deepEqual(entry, {
      manager: 'one',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { 'f:app': {} } },
            'f:spec': { 'f:containers': { 'k:{"name":"app"}': { '.': {}, 'f:image': {}, 'f:name': {} } } },
          },
        },
      },
    })
  })

  claim('records what a creation sets, defaults included, and leaves out identity (P3, P4)', async (t) => {
    const namespace = await api.namespace(t)

    const created = await api.create(`${namespace}/services?fieldManager=me`, { metadata: { name: 's', labels: { a: 'b' } }, spec: { ports: [{ port: 80 }] } })
    const [entry] = created.metadata.managedFields

    assert.deepEqual([entry.manager, entry.operation, entry.apiVersion], ['me', 'Update', 'v1'])
    assert.deepEqual(entry.fieldsV1, {
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': {
        'f:internalTrafficPolicy': {},
        'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} } },
        'f:sessionAffinity': {},
        'f:type': {},
      },
    })
  })

  claim('leaves what admission and the server itself add to a pod without an owner (P3)', async (t) => {
    const namespace = await api.namespace(t)

    const created = await api.create(`${namespace}/pods?fieldManager=me`, {
      metadata: { name: 'p' },
      spec: { schedulingGates: [{ name: 'example.com/hold' }], containers: [{ name: 'app', image: 'app:1' }] },
    })

    assert.deepEqual(
      created.metadata.managedFields.map(({ manager, operation }: Json) => `${manager} ${operation}`),
      ['me Update'],
    )
    assert.deepEqual(Object.keys(created.metadata.managedFields[0].fieldsV1['f:spec']), [
      'f:containers',
      'f:dnsPolicy',
      'f:enableServiceLinks',
      'f:restartPolicy',
      'f:schedulerName',
      'f:schedulingGates',
      'f:securityContext',
      'f:terminationGracePeriodSeconds',
    ])
    assert.deepEqual(
      created.status.conditions.map(({ type, status, reason }: Json) => `${type} ${status} ${reason}`),
      ['PodScheduled False SchedulingGated'],
    )
  })

  claim('merges items of a list by their keys and removes those it no longer applies (P1, 7.3)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments/web`
    const containers = (...list: Json[]): Json => deployment({ ...base, template: { ...base.template, spec: { containers: list } } })
    await api.apply(path, containers({ name: 'app', image: 'app:1', env: [{ name: 'A', value: '1' }] }, { name: 'helper', image: 'helper:1' }), {
      manager: 'one',
    })
    await api.apply(path, containers({ name: 'app', env: [{ name: 'B', value: '2' }] }), { manager: 'two' })

    const { code, json } = await api.apply(path, containers({ name: 'app', image: 'app:2' }), { manager: 'one' })

    assert.equal(code, 200)
    assert.deepEqual(
      json.spec.template.spec.containers.map(({ name, image, env }: Json) => ({ name, image, env })),
      [{ name: 'app', image: 'app:2', env: [{ name: 'B', value: '2' }] }],
    )
  })

  claim('treats an atomic map as one value (7.3)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments/web`
    const selecting = (nodeSelector: Json): Json => deployment({ ...base, template: { ...base.template, spec: { ...base.template.spec, nodeSelector } } })
    await api.apply(path, selecting({ disk: 'ssd' }), { manager: 'one' })

    const { code, json } = await api.apply(path, selecting({ zone: 'a' }), { manager: 'two' })

    assert.equal(code, 409)
    assert.equal(json.details.causes[0].field, '.spec.template.spec.nodeSelector')
  })

  claim('needs kind, version and the name of the URL in the body (P5)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`

    const bare = await api.apply(path, { metadata: { name: 'a' } }, { manager: 'one' })
    const renamed = await api.apply(path, configMap('b', {}), { manager: 'one' })
    const managed = await api.apply(
      path,
      {
        ...configMap('a', {}),
        metadata: { name: 'a', managedFields: [{ manager: 'x', operation: 'Apply', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: {} }] },
      },
      { manager: 'one' },
    )

    assert.equal(bare.code, 400)
    assert.equal(renamed.code, 400)
    assert.deepEqual([managed.code, managed.json.message], [400, 'metadata.managedFields must be nil'])
  })

  claim('applies at a resourceVersion only when it is the current one (P5)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    const { json } = await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })
    await api.apply(path, configMap('a', { x: '2' }), { manager: 'one' })

    const stale = await api.apply(
      path,
      { ...configMap('a', { x: '3' }), metadata: { name: 'a', resourceVersion: json.metadata.resourceVersion } },
      { manager: 'one' },
    )

    assert.deepEqual([stale.code, stale.json.reason], [409, 'Conflict'])
  })

  claim('refuses a field that the schema does not have (P6)', async (t) => {
    const namespace = await api.namespace(t)

    const { code, json } = await api.apply(`${namespace}/configmaps/a`, { ...configMap('a', {}), foo: 1 }, { manager: 'one' })

    assert.equal(code, 500)
    assert.match(json.message, /^failed to create typed patch object \(.*\/a; \/v1, Kind=ConfigMap\): \.foo: field not declared in schema$/)
  })

  claim('refuses two items with the same key (P6)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments/web`
    const app = { name: 'app', image: 'app:1' }

    const { code, json } = await api.apply(path, deployment({ ...base, template: { ...base.template, spec: { containers: [app, app] } } }), { manager: 'one' })

    assert.equal(code, 500)
    assert.match(json.message, /\.spec\.template\.spec\.containers: duplicate entries for key \[name="app"\]$/)
  })

  claim('keeps ownership of a map that it applies empty (P7)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })

    const { json } = await api.apply(path, configMap('a', {}), { manager: 'one' })

    assert.deepEqual(json.metadata.managedFields[0].fieldsV1, { 'f:data': {} })
  })

  claim('owns no status on the object and no specification on its status (P8)', async (t) => {
    const path = `${inApps(await api.namespace(t))}/deployments/web`

    const main = await api.apply(path, { ...deployment(base), status: { replicas: 4 } }, { manager: 'one' })
    const status = await api.apply(`${path}/status`, { ...deployment({ replicas: 9 }), status: { replicas: 4 } }, { manager: 'two' })

    assert.equal(main.json.metadata.managedFields[0].fieldsV1['f:status'], undefined)
    assert.equal(main.json.status.replicas, undefined)
    assert.equal(status.code, 200)
    assert.equal(status.json.status.replicas, 4)
    assert.equal(status.json.spec.replicas, 1)
    const own = status.json.metadata.managedFields.find(({ manager }: Json) => manager === 'two')
    assert.deepEqual([own.subresource, own.fieldsV1], ['status', { 'f:status': { 'f:replicas': {} } }])
  })

  claim('writes nothing when nothing changes (P1, C5)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    const first = await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })

    const second = await api.apply(path, configMap('a', { x: '1' }), { manager: 'one' })

    assert.equal(second.json.metadata.resourceVersion, first.json.metadata.resourceVersion)
  })

  claim('moves ownership to whoever updates a field (P3)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`
    await api.apply(path, configMap('a', { x: '1', y: '1' }), { manager: 'one' })

    const { json } = await api.patch('merge', `${path}?fieldManager=editor`, { data: { x: '2' } })
    const owners = Object.fromEntries(
      json.metadata.managedFields.map(({ manager, operation, fieldsV1 }: Json) => [`${manager} ${operation}`, fieldsV1['f:data']]),
    )

    assert.deepEqual(owners, { 'one Apply': { 'f:y': {} }, 'editor Update': { 'f:x': {} } })
  })

  claim('shows what it would do with dryRun (P1, C9)', async (t) => {
    const path = `${await api.namespace(t)}/configmaps/a`

    const { code, json } = await api.apply(`${path}?dryRun=All`, configMap('a', { x: '1' }), { manager: 'one' })
    const gone = await api.get(path)

    assert.deepEqual([code, json.data, gone.code], [201, { x: '1' }, 404])
  })

  claim('applies to an event of the newer group that is there (P1)', async (t) => {
    const namespace = await api.namespace(t)
    const path = `${namespace}/events`.replace('/api/v1/', '/apis/events.k8s.io/v1/')
    const event = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'one' },
      eventTime: '2026-01-01T00:00:00.000001Z',
      reportingController: 'example.com/c',
      reportingInstance: 'c-1',
      action: 'Start',
      reason: 'Started',
      regarding: { apiVersion: 'v1', kind: 'Pod', namespace: namespace.slice(namespace.lastIndexOf('/') + 1), name: 'p' },
      type: 'Normal',
    }
    await api.create(path, event)

    const { code, json } = await api.apply(`${path}/one`, { ...event, metadata: { name: 'one', labels: { a: 'b' } } }, { manager: 'one' })

    assert.deepEqual([code, json.metadata?.labels], [200, { a: 'b' }], JSON.stringify(json))
  })
})
