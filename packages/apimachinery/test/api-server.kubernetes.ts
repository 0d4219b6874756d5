import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { applyPatch } from '../src/apply.ts'
import { createDecoder } from '../src/decode.ts'
import { parseFieldSelector } from '../src/field-selector.ts'
import type { FieldSet } from '../src/field-set.ts'
import type { JsonObject } from '../src/json-value.ts'
import { parseLabelSelector } from '../src/label-selector.ts'
import { updateManagedFields } from '../src/managed-fields.ts'
import type { ManagedFieldsEntry } from '../src/managed-fields.ts'
import { createProtobufCodec } from '../src/protobuf.ts'
import { canonicalQuantity } from '../src/quantity.ts'
import type { ObjectSchema } from '../src/schema.ts'
import { StatusError } from '../src/status.ts'
import { structuralSchemaOf } from '../src/structural-schema.ts'
import type { JsonSchema } from '../src/structural-schema.ts'
import { startRealApiServer } from './real-api-server.ts'
import type { Answer, RealApiServer } from './real-api-server.ts'
import { realSchema, realTypes } from './real-types.ts'

/** The same writes to a real kube-apiserver and to the functions of this package: what they answer must be the same. */

const { definitions } = realTypes
const decoder = createDecoder(definitions)
const codec = createProtobufCodec(definitions)
/** Asking whether a new kind is served takes a few milliseconds each, serving it at most some seconds. */
const maxTries = 5_000
const protobuf = 'application/vnd.kubernetes.protobuf'

let api: RealApiServer

interface Kind {
  readonly schema: ObjectSchema
  readonly apiVersion: string
  readonly kind: string
  readonly collection: string
  /** What the object's own endpoint and its status endpoint ignore. */
  readonly resetFields?: FieldSet
  readonly statusResetFields?: FieldSet
}

const namespace = `apimachinery-${process.pid}`
const configMaps: Kind = {
  schema: realSchema('v1', 'ConfigMap'),
  apiVersion: 'v1',
  kind: 'ConfigMap',
  collection: `/api/v1/namespaces/${namespace}/configmaps`,
}
const deployments: Kind = {
  schema: realSchema('apps/v1', 'Deployment'),
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  collection: `/apis/apps/v1/namespaces/${namespace}/deployments`,
  resetFields: { 'f:status': {} },
  statusResetFields: { 'f:metadata': { 'f:labels': {} }, 'f:spec': {} },
}
const ingresses: Kind = {
  schema: realSchema('networking.k8s.io/v1', 'Ingress'),
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  collection: `/apis/networking.k8s.io/v1/namespaces/${namespace}/ingresses`,
  resetFields: { 'f:status': {} },
}
const cronJobs: Kind = {
  schema: realSchema('batch/v1', 'CronJob'),
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  collection: `/apis/batch/v1/namespaces/${namespace}/cronjobs`,
  resetFields: { 'f:status': {} },
}

const widgetSchema: JsonSchema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: {
            type: 'object',
            required: ['port'],
            properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: { type: 'string' } },
          },
        },
        steps: { type: 'array', items: { type: 'object', properties: { run: { type: 'string' } } } },
        whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { a: { type: 'string' }, b: { type: 'string' } } },
        byName: { type: 'object', additionalProperties: { type: 'object', properties: { weight: { type: 'integer' } } } },
        any: { 'x-kubernetes-preserve-unknown-fields': true },
        limit: { 'x-kubernetes-int-or-string': true },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
} as JsonSchema

const widgets: Kind = {
  schema: structuralSchemaOf(widgetSchema, { definitions, group: 'test.gantry.dev', version: 'v1', kind: 'Widget' }),
  apiVersion: 'test.gantry.dev/v1',
  kind: 'Widget',
  collection: `/apis/test.gantry.dev/v1/namespaces/${namespace}/widgets`,
  resetFields: { 'f:status': {} },
}

describe('a real API server and the functions of this package', () => {
  before(async () => {
    api = await startRealApiServer()
    await expectStatus(201, api.call('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } }))
    const crd = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.test.gantry.dev' },
      spec: {
        group: 'test.gantry.dev',
        scope: 'Namespaced',
        names: { kind: 'Widget', plural: 'widgets', singular: 'widget', listKind: 'WidgetList' },
        versions: [{ name: 'v1', served: true, storage: true, subresources: { status: {} }, schema: { openAPIV3Schema: widgetSchema } }],
      },
    }
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const answer = await api.call('POST', path, { body: crd })
    assert.ok(answer.status === 201 || answer.status === 409, answer.bytes.toString())
    let tries = 0
    while ((await api.call('GET', widgets.collection)).status !== 200) assert.ok(tries++ < maxTries, 'the widgets are not served')
  })

  after(async () => {
    await api.call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.test.gantry.dev')
    await api.call('DELETE', `/api/v1/namespaces/${namespace}`)
    await api[Symbol.asyncDispose]()
  })

  async function expectStatus(status: number, call: Promise<Answer>): Promise<Answer> {
    const answer = await call
    assert.equal(answer.status, status, answer.bytes.toString())
    return answer
  }

  type Step =
    | { readonly do: 'create'; readonly as: string; readonly object: JsonObject }
    | { readonly do: 'put'; readonly as: string; readonly change: (live: JsonObject) => JsonObject; readonly subresource?: string }
    | { readonly do: 'merge'; readonly as: string; readonly patch: JsonObject; readonly subresource?: string }
    | { readonly do: 'apply'; readonly as: string; readonly object: JsonObject; readonly force?: boolean }

  /** Walks through the steps on the real server and checks each answer against what our functions make of the same write. */
  async function walk(kind: Kind, name: string, steps: readonly Step[]): Promise<void> {
    let live: JsonObject | undefined
    for (const [index, step] of steps.entries()) {
      const answer = await send(kind, name, { step, live })
      const what = `step ${index + 1}: ${step.do} as ${step.as}`
      const isRefused = answer.status >= 400
      const ours = step.do === 'apply' ? applied(kind, name, { step, live }) : isRefused ? undefined : updated(kind, { step, live, next: answer.body })
      if (isRefused) {
        assert.ok(ours instanceof StatusError, `${what}: the server refused, we did not: ${answer.bytes.toString()}`)
        assert.equal(ours.message, answer.body['message'], what)
        assert.equal(ours.code, answer.status, what)
        assert.deepEqual(ours.details?.causes, (answer.body['details'] as JsonObject | undefined)?.['causes'], what)
        continue
      }
      assert.ok(!(ours instanceof StatusError), `${what}: we refused, the server did not: ${ours instanceof StatusError ? ours.message : ''}`)
      assert.deepEqual(timeless(ours?.managedFields), timeless(managedFieldsOf(answer.body)), what)
      if (ours?.object !== undefined) assertHolds(ours.object, answer.body, what)
      live = answer.body
    }
  }

  function send(kind: Kind, name: string, { step, live }: { readonly step: Step; readonly live: JsonObject | undefined }): Promise<Answer> {
    const path = `${kind.collection}/${name}`
    const query = `fieldManager=${step.as}`
    switch (step.do) {
      case 'create':
        return api.call('POST', `${kind.collection}?${query}`, { body: named(kind, name, step.object) })
      case 'put':
        return api.call('PUT', `${path}${suffix(step)}?${query}`, { body: step.change(structuredClone(live ?? {})) })
      case 'merge':
        return api.call('PATCH', `${path}${suffix(step)}?${query}`, { body: step.patch, contentType: 'application/merge-patch+json' })
      case 'apply':
        return api.call('PATCH', `${path}?${query}&force=${String(step.force === true)}`, {
          body: named(kind, name, step.object),
          contentType: 'application/apply-patch+yaml',
        })
    }
  }

  function suffix(step: { readonly subresource?: string }): string {
    return step.subresource === undefined ? '' : `/${step.subresource}`
  }

  function named(kind: Kind, name: string, object: JsonObject): JsonObject {
    return { apiVersion: kind.apiVersion, kind: kind.kind, ...object, metadata: { ...(object['metadata'] as JsonObject | undefined), name, namespace } }
  }

  interface Outcome {
    readonly managedFields: readonly ManagedFieldsEntry[]
    readonly object?: JsonObject
  }

  function updated(
    kind: Kind,
    write: { readonly step: Exclude<Step, { do: 'apply' }>; readonly live: JsonObject | undefined; readonly next: JsonObject },
  ): Outcome {
    const { step, live, next } = write
    const subresource = step.do === 'create' ? undefined : step.subresource
    const sent = step.do === 'put' ? managedFieldsOf(step.change(structuredClone(live ?? {}))) : managedFieldsOf(live)
    const managedFields = updateManagedFields({
      live,
      next: { ...next, metadata: { ...(next['metadata'] as JsonObject), managedFields: sent } },
      schema: kind.schema,
      definitions,
      apiVersion: kind.apiVersion,
      manager: step.as,
      operation: 'Update',
      subresource,
      resetFields: subresource === undefined ? kind.resetFields : kind.statusResetFields,
      now: new Date(),
    })
    return { managedFields }
  }

  function applied(
    kind: Kind,
    name: string,
    write: { readonly step: Extract<Step, { do: 'apply' }>; readonly live: JsonObject | undefined },
  ): Outcome | StatusError {
    try {
      const { object, managedFields } = applyPatch({
        live: write.live,
        patch: named(kind, name, write.step.object),
        schema: kind.schema,
        definitions,
        apiVersion: kind.apiVersion,
        kind: kind.kind,
        manager: write.step.as,
        force: write.step.force === true,
        resetFields: kind.resetFields,
        now: new Date(),
      })
      // What the endpoint resets, the server takes from the stored object: that is not the business of an apply.
      const { status: _status, ...rest } = decoder.decode(kind.schema, object).object
      return { managedFields, object: rest }
    } catch (error) {
      if (error instanceof StatusError) return error
      throw error
    }
  }

  function managedFieldsOf(object: JsonObject | undefined): readonly ManagedFieldsEntry[] | undefined {
    return (object?.['metadata'] as JsonObject | undefined)?.['managedFields'] as readonly ManagedFieldsEntry[] | undefined
  }

  /** Entries without their times (whether there is one counts), in an order that does not depend on them. */
  function timeless(entries: readonly ManagedFieldsEntry[] | undefined): unknown {
    return (entries ?? [])
      .map(({ manager, operation, subresource, ...rest }) =>
        JSON.stringify({ manager, operation, subresource, ...rest, time: rest.time === undefined ? 'none' : 'some' }),
      )
      .toSorted()
      .map((text) => JSON.parse(text) as unknown)
  }

  /** Everything in `ours` is in `theirs`, and theirs has nothing beyond it but defaults in places we know nothing of. */
  function assertHolds(ours: unknown, theirs: unknown, what: string): void {
    if (Array.isArray(ours)) {
      assert.ok(Array.isArray(theirs) && theirs.length === ours.length, `${what}: ${JSON.stringify(ours)} is not ${JSON.stringify(theirs)}`)
      for (const [index, item] of ours.entries()) assertHolds(item, theirs[index], `${what}[${index}]`)
      return
    }
    if (typeof ours !== 'object' || ours === null) {
      if (ours !== null) assert.deepEqual(theirs, ours, what)
      return
    }
    assert.ok(typeof theirs === 'object' && theirs !== null && !Array.isArray(theirs), `${what}: ${JSON.stringify(ours)} is not ${JSON.stringify(theirs)}`)
    for (const [key, value] of Object.entries(ours)) {
      if (!serverFields.has(key)) assertHolds(value, (theirs as JsonObject)[key], `${what}.${key}`)
    }
    const data = (ours as JsonObject)['data']
    if (data !== undefined) assert.deepEqual((theirs as JsonObject)['data'], data, what)
  }

  const serverFields: ReadonlySet<string> = new Set(['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp'])

  const web = (image: string, more: JsonObject = {}): JsonObject => ({
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image, ...more }] } },
    },
  })

  describe('field management, step by step with a real API server', () => {
    it('a ConfigMap through every verb', async () => {
      await walk(configMaps, 'verbs', [
        { do: 'create', as: 'creator', object: { data: { a: '1', b: '1' }, metadata: { labels: { x: 'y' }, annotations: { n: 'o' } } } },
        { do: 'merge', as: 'patcher', patch: { data: { a: '2', c: '3' } } },
        { do: 'merge', as: 'patcher', patch: { data: { a: '2' } } },
        { do: 'put', as: 'putter', change: (live) => ({ ...live, data: { a: '2', b: '9' } }) },
        { do: 'apply', as: 'applier', object: { data: { a: '5' } } },
        { do: 'apply', as: 'applier', object: { data: { a: '2', d: '4' } } },
        { do: 'apply', as: 'applier', object: { data: { a: '5', b: '5' } }, force: true },
        { do: 'apply', as: 'other', object: { data: { a: '5' }, metadata: { finalizers: ['test.gantry.dev/f'] } } },
        { do: 'apply', as: 'applier', object: {} },
        { do: 'apply', as: 'other', object: { data: {} } },
        { do: 'merge', as: 'patcher', patch: { metadata: { finalizers: null, labels: { x: null } } } },
        { do: 'put', as: 'resetter', change: (live) => ({ ...live, metadata: { ...(live['metadata'] as JsonObject), managedFields: [{}] } }) },
        { do: 'apply', as: 'late', object: { data: { z: '1' } } },
      ])
    })

    it('a Deployment with containers, ports, probes and a status', async () => {
      await walk(deployments, 'web', [
        {
          do: 'apply',
          as: 'a',
          object: web('web:1', {
            ports: [{ containerPort: 80 }],
            env: [
              { name: 'A', value: '1' },
              { name: 'B', value: '2' },
            ],
          }),
        },
        { do: 'apply', as: 'b', object: web('web:1', { ports: [{ containerPort: 80, protocol: 'UDP' }] }) },
        { do: 'apply', as: 'b', object: web('web:2') },
        { do: 'apply', as: 'a', object: web('web:1', { env: [{ name: 'B', value: '3' }], resources: { limits: { cpu: '1000m' } } }) },
        { do: 'merge', as: 'scaler', patch: { spec: { replicas: 3 } } },
        { do: 'apply', as: 'a', object: { spec: { ...(web('web:1')['spec'] as JsonObject), replicas: 5 } } },
        {
          do: 'put',
          as: 'status-writer',
          subresource: 'status',
          change: (live) => ({ ...live, status: { replicas: 3, observedGeneration: 1, conditions: [{ type: 'Available', status: 'True' }] } }),
        },
        { do: 'merge', as: 'status-writer', subresource: 'status', patch: { status: { conditions: [{ type: 'Available', status: 'False' }] } } },
        { do: 'put', as: 'editor', change: (live) => ({ ...live, metadata: { ...(live['metadata'] as JsonObject), annotations: { e: 'f' } } }) },
        {
          do: 'apply',
          as: 'c',
          object: { spec: { template: { spec: { tolerations: [{ key: 'k', operator: 'Exists' }], volumes: [{ name: 'v', emptyDir: {} }] } } } },
        },
        { do: 'apply', as: 'c', object: { status: { replicas: 9 }, spec: { template: { spec: { volumes: [{ name: 'v', emptyDir: {} }] } } } } },
      ])
    })

    it('an Ingress and a CronJob, created by hand and then applied', async () => {
      const backend = (port: number): JsonObject => ({ service: { name: 's', port: { number: port } } })
      await walk(ingresses, 'edge', [
        { do: 'create', as: 'creator', object: { spec: { defaultBackend: backend(80), rules: [{ host: 'a.example' }] } } },
        { do: 'apply', as: 'applier', object: { spec: { tls: [{ hosts: ['a.example'] }] } } },
        { do: 'apply', as: 'applier', object: { spec: { defaultBackend: backend(81) } } },
        { do: 'apply', as: 'applier', object: { spec: { defaultBackend: backend(81) } }, force: true },
      ])
      const job = { template: { spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } } }
      await walk(cronJobs, 'nightly', [
        { do: 'create', as: 'creator', object: { spec: { schedule: '0 0 * * *', jobTemplate: { spec: job } } } },
        { do: 'apply', as: 'applier', object: { spec: { schedule: '0 0 * * *', suspend: true } } },
        { do: 'apply', as: 'applier', object: { spec: { schedule: '0 0 * * *' } } },
        { do: 'apply', as: 'applier', object: { spec: { schedule: '0 1 * * *' } } },
      ])
    })

    it('a custom resource with sets, keyed lists, atomic and free parts', async () => {
      await walk(widgets, 'w', [
        { do: 'create', as: 'creator', object: { spec: { size: 1, free: { a: { b: 1 }, c: [1, { d: 2 }] }, steps: [{ run: 'x' }] } } },
        { do: 'apply', as: 'a', object: { spec: { tags: ['y', 'x'], ports: [{ port: 80 }, { port: 9, protocol: 'UDP', name: 'n' }], whole: { a: '1' } } } },
        {
          do: 'apply',
          as: 'b',
          object: { spec: { tags: ['z', 'x'], ports: [{ port: 80, protocol: 'TCP', name: 'http' }], byName: { one: { weight: 1 }, two: {} } } },
        },
        { do: 'apply', as: 'b', object: { spec: { whole: { b: '2' } } } },
        { do: 'apply', as: 'a', object: { spec: { tags: ['x'], ports: [{ port: 80 }], free: { a: { e: 3 } }, any: { k: ['v'] }, limit: '5%' } } },
        { do: 'apply', as: 'a', object: { spec: { any: 7, limit: 5 } } },
        { do: 'merge', as: 'patcher', patch: { spec: { free: { c: null }, any: { k: 'text' } } } },
        { do: 'put', as: 'status-writer', subresource: 'status', change: (live) => ({ ...live, status: { ready: true } }) },
        { do: 'apply', as: 'b', object: { spec: {} } },
      ])
    })

    it('a custom resource whose list becomes atomic while objects live', async () => {
      const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.test.gantry.dev'
      const object = { spec: { tags: ['a', 'b'], whole: { a: '1' } } }
      const first = await expectStatus(
        201,
        api.call('PATCH', `${widgets.collection}/changing?fieldManager=a`, {
          body: named(widgets, 'changing', object),
          contentType: 'application/apply-patch+yaml',
        }),
      )
      const atomic = structuredClone(widgetSchema) as { properties: { spec: { properties: { tags: JsonObject } } } }
      atomic.properties.spec.properties.tags['x-kubernetes-list-type'] = 'atomic'
      const patch = [{ op: 'replace', path: '/spec/versions/0/schema/openAPIV3Schema', value: atomic }]
      await expectStatus(200, api.call('PATCH', path, { body: Buffer.from(JSON.stringify(patch)), contentType: 'application/json-patch+json' }))
      const schema = structuralSchemaOf(atomic as JsonSchema, { definitions, group: 'test.gantry.dev', version: 'v1', kind: 'Widget' })
      let answer = first
      for (let tries = 0; !JSON.stringify(managedFieldsOf(answer.body)).includes('"f:tags":{}'); tries++) {
        assert.ok(tries < maxTries, 'the changed schema is not served')
        answer = await api.call('PATCH', `${widgets.collection}/changing?fieldManager=b`, {
          body: { spec: { size: tries } },
          contentType: 'application/merge-patch+json',
        })
      }

      const ours = updated({ ...widgets, schema }, { step: { do: 'merge', as: 'b', patch: {} }, live: first.body, next: answer.body })

      assert.deepEqual(timeless(ours.managedFields), timeless(managedFieldsOf(answer.body)))
    })

    it('refuses what does not fit in the same words', async () => {
      const twice = web('web:1')
      ;((twice['spec'] as JsonObject)['template'] as JsonObject)['spec'] = { containers: [{ name: 'c' }, { name: 'c' }] }
      await walk(deployments, 'refused', [
        { do: 'apply', as: 'm', object: { foo: 1 } },
        { do: 'apply', as: 'm', object: twice },
        { do: 'apply', as: 'm', object: { spec: { replicas: 'many' } } },
        { do: 'apply', as: 'm', object: { spec: { paused: 'no' } } },
        { do: 'apply', as: 'm', object: { spec: { minReadySeconds: [1] } } },
        { do: 'apply', as: 'm', object: { spec: { selector: 'x' } } },
        { do: 'apply', as: 'm', object: { metadata: { managedFields: [] } } },
      ])
    })
  })

  describe('protobuf, with a real API server', () => {
    const lists = [
      '/api/v1/namespaces',
      '/api/v1/services',
      '/api/v1/configmaps',
      '/apis/rbac.authorization.k8s.io/v1/clusterroles',
      '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
      '/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas',
      '/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations',
      '/apis/apiregistration.k8s.io/v1/apiservices',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      '/apis/scheduling.k8s.io/v1/priorityclasses',
      '/apis/coordination.k8s.io/v1/leases',
      '/apis/discovery.k8s.io/v1/endpointslices',
      '/apis/apps/v1/deployments',
      '/apis/batch/v1/cronjobs',
    ]
    for (const path of lists) {
      it(`reads ${path} as its JSON says`, async () => {
        const [asJson, asProtobuf] = [await api.call('GET', path), await api.call('GET', path, { accept: protobuf })]
        const { apiVersion, kind, raw } = codec.decodeEnvelope(asProtobuf.bytes)
        const schema = listOf(realSchema(apiVersion, kind.slice(0, -'List'.length)))
        const decoded = decoder.decode(schema, codec.decode(schema, raw)).object

        assert.equal(kind, asJson.body['kind'])
        assert.deepEqual(decoded['items'], asJson.body['items'])
        assert.deepEqual(codec.encode(schema, decoder.decode(schema, asJson.body).object).toString('hex'), raw.toString('hex'))
      })
    }

    it('writes bodies that the server takes', async () => {
      const object = decoder.decode(
        deployments.schema,
        named(deployments, 'by-protobuf', web('web:1', { resources: { limits: { cpu: '0.5' } }, ports: [{ containerPort: 80 }] })),
      ).object
      const body = codec.encodeEnvelope(deployments.apiVersion, deployments.kind, codec.encode(deployments.schema, object))
      const answer = await expectStatus(201, api.call('POST', deployments.collection, { body, contentType: protobuf }))

      assertHolds(object, answer.body, 'the answer')
    })

    it('reads the frames of a watch', async () => {
      const answer = await api.call('GET', '/api/v1/namespaces?watch=true&timeoutSeconds=1', { accept: `${protobuf};stream=watch` })
      const length = 4 + answer.bytes.readUInt32BE(0)
      const { type, envelope } = codec.decodeWatchFrame(answer.bytes.subarray(0, length))

      assert.equal(type, 'ADDED')
      assert.equal(codec.decodeEnvelope(envelope).kind, 'Namespace')
    })
  })

  describe('selectors and quantities, with a real API server', () => {
    const labelSelectors = [
      'a=b',
      'a in (x, y),!z',
      'a>5',
      'a=b c',
      'a,,b',
      '=b',
      'a in b',
      'a in (b',
      '-a=b',
      'a>x',
      'a=-b',
      'a(',
      'a=b/c',
      'x/y/z=1',
      'A_/b',
      '!',
    ]
    for (const text of labelSelectors) {
      it(`answers the label selector ${JSON.stringify(text)} in the same words`, async () => {
        const answer = await api.call('GET', `${configMaps.collection}?labelSelector=${encodeURIComponent(text)}`)
        assert.equal(
          messageOf(() => parseLabelSelector(text)),
          answer.status === 200 ? undefined : answer.body['message'],
        )
      })
    }

    const fieldSelectors = ['metadata.name=x', 'metadata.name!=x,metadata.namespace==y', 'x', 'metadata.name=a\\b', 'metadata.name=a=b', 'metadata.name=a\\']
    for (const text of fieldSelectors) {
      it(`answers the field selector ${JSON.stringify(text)} in the same words`, async () => {
        const answer = await api.call('GET', `${configMaps.collection}?fieldSelector=${encodeURIComponent(text)}`)
        assert.equal(
          messageOf(() => parseFieldSelector(text)),
          answer.status === 200 ? undefined : answer.body['message'],
        )
      })
    }

    it('keeps quantities as the server keeps them', async () => {
      const texts = ['0', '1000m', '0.5', '1.5Gi', '1024Mi', '1e3', '12E6', '100000', '1.500', '2Ti', '123456789']
      const containers = texts.map((text, index) => ({ name: `c${index}`, image: 'i', resources: { requests: { cpu: text } } }))
      const deployment = web('web:1')
      const template = (deployment['spec'] as JsonObject)['template'] as JsonObject
      const object = named(deployments, 'quantities', {
        spec: { ...(deployment['spec'] as JsonObject), template: { ...template, spec: { containers } } },
      })
      const answer = await expectStatus(201, api.call('POST', `${deployments.collection}?dryRun=All`, { body: object }))
      const kept = ((answer.body['spec'] as JsonObject)['template'] as { spec: { containers: typeof containers } }).spec.containers

      assert.deepEqual(
        kept.map(({ resources }) => resources.requests.cpu),
        texts.map(canonicalQuantity),
      )
    })
  })

  /** The list type of a kind: the type table has only what is stored. */
  function listOf(item: ObjectSchema): ObjectSchema {
    return {
      kind: 'object',
      fields: [
        { name: 'kind', schema: { kind: 'scalar', scalar: 'string' }, omitEmpty: true },
        { name: 'apiVersion', schema: { kind: 'scalar', scalar: 'string' }, omitEmpty: true },
        { name: 'metadata', schema: { kind: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta' }, omitEmpty: true, number: 1 },
        { name: 'items', schema: { kind: 'list', of: item }, number: 2 },
      ],
    }
  }

  function messageOf(parse: () => unknown): string | undefined {
    try {
      parse()
      return undefined
    } catch (error) {
      return (error as Error).message
    }
  }
})
