import assert from 'node:assert/strict'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'

const scaleTargetRef = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' }
const cpu = (averageUtilization: number): Json => ({ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } })
const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } }
const carried = 'autoscaling.alpha.kubernetes.io'
/** An autoscaler `a` of at most 5 replicas that aims at 60 percent of CPU, as protobuf of autoscaling/v1. */
const autoscalerBytes =
  '6b3873000a290a0e6175746f7363616c696e672f76311217486f72697a6f6e74616c506f644175746f7363616c6572123b0a110a016112001a0022002a0032003800420012200a1a0a0a4465706c6f796d656e7412037765621a07617070732f76311805203c1a04180020001a002200'
const asTable = { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' } }

export const versions = conformance('versions', ({ api, claim }) => {
  const autoscalers = (namespace: string): { readonly v1: string; readonly v2: string } => ({
    v1: `${namespace.replace('/api/v1', '/apis/autoscaling/v1')}/horizontalpodautoscalers`,
    v2: `${namespace.replace('/api/v1', '/apis/autoscaling/v2')}/horizontalpodautoscalers`,
  })
  const events = (namespace: string): { readonly core: string; readonly events: string } => ({
    core: `${namespace}/events`,
    events: `${namespace.replace('/api/v1', '/apis/events.k8s.io/v1')}/events`,
  })
  const newEvent = (namespace: string): Json => ({
    metadata: { name: 'e' },
    eventTime: '2024-01-01T00:00:00.000000Z',
    type: 'Normal',
    reason: 'Started',
    action: 'Starting',
    reportingController: 'example.com/controller',
    reportingInstance: 'one',
    regarding: { kind: 'Pod', name: 'p', namespace: namespace.split('/').at(-1) },
    note: 'a note',
  })

  claim('prefers the newer version of a group and keeps both in one storage (D3)', async () => {
    const group = await api.read('/apis/autoscaling')
    const hashes = await Promise.all(['v1', 'v2'].map(async (version) => (await api.read(`/apis/autoscaling/${version}`)).resources[0].storageVersionHash))

    assert.deepEqual(
      group.versions.map(({ version }: Json) => version),
      ['v2', 'v1'],
    )
    assert.equal(hashes[0], hashes[1])
  })

  claim('carries what v1 has no fields for in annotations, and takes it from there (2)', async (t) => {
    const { v1, v2 } = autoscalers(await api.namespace(t))
    const behavior = { scaleDown: { stabilizationWindowSeconds: 10 } }
    await api.create(v2, { metadata: { name: 'a', annotations: { own: 'x' } }, spec: { scaleTargetRef, maxReplicas: 5, metrics: [cpu(50), memory], behavior } })

    const shown = await api.read(`${v1}/a`)
    const patched = await api.patch('merge', `${v1}/a`, { spec: { targetCPUUtilizationPercentage: 70 } })
    const stored = await api.read(`${v2}/a`)

    assert.deepEqual(shown.spec, { scaleTargetRef, minReplicas: 1, maxReplicas: 5, targetCPUUtilizationPercentage: 50 })
    assert.equal(shown.metadata.annotations[`${carried}/metrics`], '[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}]')
    assert.deepEqual(JSON.parse(shown.metadata.annotations[`${carried}/behavior`]).ScaleDown, {
      StabilizationWindowSeconds: 10,
      SelectPolicy: 'Max',
      Policies: [{ Type: 'Percent', Value: 100, PeriodSeconds: 15 }],
      Tolerance: null,
    })
    assert.equal(patched.code, 200, patched.text)
    assert.deepEqual(stored.metadata.annotations, { own: 'x' })
    assert.deepEqual(stored.spec.metrics, [memory, cpu(70)])
    assert.equal(stored.spec.behavior.scaleDown.stabilizationWindowSeconds, 10)
  })

  claim('writes a status in one version and shows it in the other (S1)', async (t) => {
    const { v1, v2 } = autoscalers(await api.namespace(t))
    await api.create(v1, { metadata: { name: 'a' }, spec: { scaleTargetRef, maxReplicas: 5 } })
    const currentMetrics = [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 40, averageValue: '5m' } } }]
    const conditions = [{ type: 'AbleToScale', status: 'True', reason: 'Ready', message: 'm' }]

    const written = await api.patch('merge', `${v2}/a/status`, { status: { currentReplicas: 3, desiredReplicas: 3, currentMetrics, conditions } })
    const shown = await api.read(`${v1}/a`)
    const own = await api.patch('merge', `${v1}/a`, { metadata: { annotations: { [`${carried}/conditions`]: '[]' } }, status: { currentReplicas: 9 } })

    assert.equal(written.code, 200, written.text)
    assert.deepEqual(shown.status, { currentReplicas: 3, desiredReplicas: 3, currentCPUUtilizationPercentage: 40 })
    assert.equal(
      shown.metadata.annotations[`${carried}/conditions`],
      '[{"type":"AbleToScale","status":"True","lastTransitionTime":null,"reason":"Ready","message":"m"}]',
    )
    assert.equal(own.json.status.currentReplicas, 3)
    assert.equal((await api.read(`${v2}/a`)).status.conditions[0].type, 'AbleToScale')
  })

  claim('lists, watches, selects and tabulates in each version (L12, L19, 9)', async (t) => {
    const { v1, v2 } = autoscalers(await api.namespace(t))
    const [old, latest] = [await api.watch(t, v1), await api.watch(t, v2)]
    await api.create(v1, { metadata: { name: 'a', labels: { x: 'y' } }, spec: { scaleTargetRef, maxReplicas: 5, targetCPUUtilizationPercentage: 60 } })

    const list = await api.read(`${v1}?labelSelector=x=y&fieldSelector=metadata.name=a`)
    const { json: table } = await api.get(v1, asTable)
    const events = [await old.next(), await latest.next()] as Json[]

    assert.deepEqual([list.kind, list.apiVersion, list.items.length], ['HorizontalPodAutoscalerList', 'autoscaling/v1', 1])
    assert.deepEqual([list.items[0].kind, list.items[0].spec.targetCPUUtilizationPercentage], [undefined, 60])
    assert.deepEqual(table.rows[0].cells.slice(0, 5), ['a', 'Deployment/web', 'cpu: <unknown>/60%', '1', 5])
    assert.deepEqual(
      events.map(({ type, object }) => [type, object.apiVersion]),
      [
        ['ADDED', 'autoscaling/v1'],
        ['ADDED', 'autoscaling/v2'],
      ],
    )
    assert.deepEqual(events[1].object.spec.metrics, [cpu(60)])
  })

  claim('keeps the version in which each manager wrote, and sees conflicts across versions (P9)', async (t) => {
    const { v1, v2 } = autoscalers(await api.namespace(t))
    const config = (apiVersion: string, spec: Json): Json => ({
      apiVersion,
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'a' },
      spec: { scaleTargetRef, ...spec },
    })

    const first = await api.apply(`${v1}/a`, config('autoscaling/v1', { maxReplicas: 5, targetCPUUtilizationPercentage: 50 }), { manager: 'one' })
    const conflict = await api.apply(`${v2}/a`, config('autoscaling/v2', { maxReplicas: 6 }), { manager: 'two' })
    const shared = await api.apply(`${v2}/a`, config('autoscaling/v2', { maxReplicas: 5 }), { manager: 'two' })

    assert.equal(first.code, 201, first.text)
    assert.deepEqual([conflict.code, conflict.json.message], [409, 'Apply failed with 1 conflict: conflict with "one": .spec.maxReplicas'])
    assert.deepEqual(shared.json.metadata.managedFields.map(({ manager, apiVersion }: Json) => `${manager} ${apiVersion}`).toSorted(), [
      'one autoscaling/v1',
      'two autoscaling/v2',
    ])
  })

  claim('speaks protobuf in each version (W8)', async (t) => {
    const { v1, v2 } = autoscalers(await api.namespace(t))
    const contentType = 'application/vnd.kubernetes.protobuf'

    const created = await api.post(v1, Buffer.from(autoscalerBytes, 'hex'), { contentType })
    const stored = await api.read(`${v2}/a`)
    const answers = await Promise.all([`${v1}/a`, v1].map((path) => api.get(path, { headers: { accept: contentType } })))

    assert.equal(created.code, 201, created.text)
    assert.deepEqual(stored.spec.metrics, [cpu(60)])
    for (const { code, text, headers } of answers) {
      assert.deepEqual([code, headers['content-type'], text.slice(0, 3)], [200, contentType, 'k8s'])
      assert.ok(text.includes('autoscaling/v1') && text.includes('Deployment'))
    }
  })

  claim('refuses a body of another version (W12)', async (t) => {
    const { v1 } = autoscalers(await api.namespace(t))

    const { code, json } = await api.post(v1, { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'a' }, spec: {} })

    assert.deepEqual([code, json.message], [400, 'the API version in the data (autoscaling/v2) does not match the expected API version (autoscaling/v1)'])
  })

  claim('shows an event in both of its groups (E1)', async (t) => {
    const namespace = await api.namespace(t)
    const paths = events(namespace)
    await api.create(paths.events, newEvent(namespace))

    const core = await api.read(`${paths.core}/e`)
    const series = await api.patch('merge', `${paths.events}/e`, { series: { count: 2, lastObservedTime: '2024-01-01T00:00:01.000000Z' } })
    const legacy = await api.patch('merge', `${paths.core}/e`, {
      source: { component: 'kubelet', host: 'n1' },
      count: 3,
      firstTimestamp: '2024-01-01T00:00:00Z',
    })
    const shown = await api.read(`${paths.events}/e`)
    const selected = await api.read(`${paths.events}?fieldSelector=regarding.name=p,reportingController=example.com/controller`)

    assert.deepEqual(
      [core.involvedObject.name, core.message, core.reportingComponent, core.reportingInstance, core.source, core.lastTimestamp],
      ['p', 'a note', 'example.com/controller', 'one', {}, null],
    )
    assert.deepEqual([series.code, legacy.code], [200, 200])
    assert.deepEqual(
      [shown.apiVersion, shown.note, shown.deprecatedSource, shown.deprecatedCount, shown.deprecatedFirstTimestamp, shown.series.count],
      ['events.k8s.io/v1', 'a note', { component: 'kubelet', host: 'n1' }, 3, '2024-01-01T00:00:00Z', 2],
    )
    assert.equal(selected.items.length, 1)
    assert.equal((await api.get(`${paths.events}?fieldSelector=involvedObject.name=p`)).json.message, 'field label not supported: involvedObject.name')
    assert.equal((await api.get(`${paths.events}/none`)).json.message, 'events.events.k8s.io "none" not found')
  })

  claim('asks more of an event that is written as events.k8s.io (E4)', async (t) => {
    const namespace = await api.namespace(t)
    const paths = events(namespace)
    await api.create(paths.events, newEvent(namespace))
    const causes = (answer: { readonly code: number; readonly json: Json; readonly text: string }): string[] => {
      assert.equal(answer.code, 422, answer.text)
      return answer.json.details.causes.map(({ field, message }: Json) => `${field}: ${message}`)
    }

    const empty = await api.post(paths.events, { metadata: { name: 'x' }, regarding: newEvent(namespace).regarding })
    const long = await api.post(paths.events, { ...newEvent(namespace), reason: 'r'.repeat(129), note: 'n'.repeat(1025), deprecatedCount: 1 })
    const changed = await api.patch('merge', `${paths.events}/e`, { note: 'other', series: { count: 1 } })
    const elsewhere = await api.post(paths.core, { metadata: { name: 'y' }, involvedObject: { namespace: 'elsewhere' } })
    const incomplete = await api.post(paths.core, {
      metadata: { name: 'y' },
      eventTime: '2024-01-01T00:00:00.000000Z',
      involvedObject: newEvent(namespace).regarding,
    })

    assert.deepEqual(causes(empty), ['eventTime: Required value', 'type: Invalid value: "": has invalid value: '])
    assert.deepEqual(causes(long), [
      'reason: Invalid value: "": can have at most 128 characters',
      'message: Invalid value: "": can have at most 1024 characters',
      'count: Invalid value: "": needs to be unset',
    ])
    assert.deepEqual(causes(changed), [
      'series.count: Invalid value: "": should be at least 2',
      'series.lastObservedTime: Required value',
      'message: Invalid value: "other": field is immutable',
    ])
    assert.deepEqual(causes(elsewhere), ['involvedObject.namespace: Invalid value: "elsewhere": does not match event.namespace'])
    assert.ok(causes(incomplete).includes('reportingComponent: Required value'))
  })

  claim('creates an event by PUT in either group (C7)', async (t) => {
    const namespace = await api.namespace(t)
    const paths = events(namespace)

    const put = await api.put(`${paths.events}/e`, newEvent(namespace))

    assert.deepEqual([put.code, (await api.read(`${paths.core}/e`)).metadata.uid], [201, put.json.metadata.uid])
  })
})
