import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { realSchema, realTypes } from '../test/real-types.ts'
import { createDecoder } from './decode.ts'
import type { JsonObject } from './json-value.ts'
import { decodeManagedFields, isSameButManagerTimes, updateManagedFields } from './managed-fields.ts'
import type { ManagedFieldsEntry, UpdateManagedFieldsInput } from './managed-fields.ts'
import type { ObjectSchema } from './schema.ts'
import { structuralSchemaOf } from './structural-schema.ts'
import type { JsonSchema } from './structural-schema.ts'

const { definitions } = realTypes
const decoder = createDecoder(definitions)
const noon = new Date('2026-01-01T12:00:00Z')
const later = new Date('2026-01-01T13:00:00Z')

function decoded(object: JsonObject): JsonObject {
  return decoder.decode(realSchema(String(object['apiVersion']), String(object['kind'])), object).object
}

function configMap(data: JsonObject, metadata: JsonObject = {}): JsonObject {
  return decoded({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'n', ...metadata }, data })
}

type Write = Partial<UpdateManagedFieldsInput> & Pick<UpdateManagedFieldsInput, 'live' | 'next' | 'manager'>

function update(write: Write): ManagedFieldsEntry[] {
  const apiVersion = String(write.next['apiVersion'])
  const schema = write.schema ?? realSchema(apiVersion, String(write.next['kind']))
  return updateManagedFields({ definitions, operation: 'Update', apiVersion, now: noon, ...write, schema })
}

/** The object as it would be stored. */
function stored(object: JsonObject, managedFields: readonly ManagedFieldsEntry[]): JsonObject {
  return { ...object, metadata: { ...(object['metadata'] as JsonObject), uid: 'u', managedFields } }
}

function created(object: JsonObject, manager = 'creator'): JsonObject {
  return stored(object, update({ live: undefined, next: object, manager }))
}

describe('updateManagedFields', () => {
  it('records a created Deployment as a real cluster does', () => {
    const deployment = decoded({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80, protocol: 'TCP' }], resources: { limits: { cpu: '1' } } }],
            securityContext: {},
          },
        },
      },
    })

    assert.deepEqual(update({ live: undefined, next: deployment, manager: 'kubectl-create' }), [
      {
        manager: 'kubectl-create',
        operation: 'Update',
        apiVersion: 'apps/v1',
        time: '2026-01-01T12:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
          'f:spec': {
            'f:replicas': {},
            'f:selector': {},
            'f:strategy': { 'f:rollingUpdate': { '.': {}, 'f:maxSurge': {}, 'f:maxUnavailable': {} }, 'f:type': {} },
            'f:template': {
              'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} } },
              'f:spec': {
                'f:containers': {
                  'k:{"name":"nginx"}': {
                    '.': {},
                    'f:image': {},
                    'f:name': {},
                    'f:ports': { '.': {}, 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {}, 'f:protocol': {} } },
                    'f:resources': { '.': {}, 'f:limits': { '.': {}, 'f:cpu': {} } },
                  },
                },
                'f:securityContext': {},
              },
            },
          },
        },
      },
    ])
  })

  it('records every container of a created custom resource', () => {
    const schema: ObjectSchema = {
      kind: 'object',
      fields: [
        { name: 'apiVersion', schema: { kind: 'scalar', scalar: 'string' } },
        { name: 'kind', schema: { kind: 'scalar', scalar: 'string' } },
        { name: 'metadata', schema: { kind: 'ref', ref: 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta' } },
        { name: 'spec', schema: { kind: 'object', fields: [{ name: 'free', schema: { kind: 'any', any: 'object', preserveUnknown: true } }] } },
      ],
    }
    const next = { apiVersion: 'x.io/v1', kind: 'X', metadata: { name: 'x', labels: { a: 'b' } }, spec: { free: { b: [1], a: { c: 1 } } } }

    assert.deepEqual(update({ live: undefined, next, manager: 'm', schema })[0]?.fieldsV1, {
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': { '.': {}, 'f:free': { '.': {}, 'f:a': { '.': {}, 'f:c': {} }, 'f:b': {} } },
    })
  })

  it('moves a field to who changed it', () => {
    const live = created(configMap({ a: '1', b: '1' }))
    const entries = update({ live, next: configMap({ a: '2', b: '1' }), manager: 'editor', now: later })

    assert.deepEqual(
      entries.map(({ manager, time, fieldsV1 }) => [manager, time, fieldsV1]),
      [
        ['creator', '2026-01-01T12:00:00Z', { 'f:data': { '.': {}, 'f:b': {} } }],
        ['editor', '2026-01-01T13:00:00Z', { 'f:data': { 'f:a': {} } }],
      ],
    )
  })

  it('drops a field that is gone, and a manager that owns nothing', () => {
    const live = created(configMap({ a: '1' }, { labels: { x: 'y' } }))
    const withoutData = update({ live, next: configMap({}, { labels: { x: 'y' } }), manager: 'editor', now: later })

    assert.deepEqual(
      withoutData.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
      [['creator', { 'f:metadata': { 'f:labels': { '.': {}, 'f:x': {} } } }]],
    )
    assert.deepEqual(update({ live, next: configMap({}), manager: 'editor' }), [])
  })

  it('gives the entries back as they were when nothing changed', () => {
    const live = created(configMap({ a: '1' }))
    const next = stored(configMap({ a: '1' }), update({ live, next: configMap({ a: '1' }), manager: 'other', now: later }))

    assert.ok(isSameButManagerTimes(next, live))
    assert.equal(JSON.stringify(next), JSON.stringify(live))
  })

  it('keeps one entry for each manager, version and subresource', () => {
    const live = created(configMap({ a: '1' }), 'm')
    const again = update({ live, next: configMap({ a: '1', b: '1' }), manager: 'm', now: later })
    const onSubresource = update({ live, next: configMap({ a: '1', b: '1' }), manager: 'm', subresource: 'status', now: later })

    assert.deepEqual(
      again.map(({ manager, time, fieldsV1 }) => [manager, time, fieldsV1]),
      [['m', '2026-01-01T13:00:00Z', { 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} } }]],
    )
    assert.deepEqual(
      onSubresource.map(({ subresource, fieldsV1 }) => [subresource, fieldsV1]),
      [
        [undefined, { 'f:data': { '.': {}, 'f:a': {} } }],
        ['status', { 'f:data': { 'f:b': {} } }],
      ],
    )
  })

  it('never records what the server owns', () => {
    const metadata = { uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z', selfLink: '/x' }

    assert.deepEqual(update({ live: undefined, next: configMap({}, metadata), manager: 'm' }), [])
  })

  it('ignores reset fields', () => {
    const next = decoded({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, spec: { nodeName: 'a' }, status: { phase: 'Running' } })

    assert.deepEqual(update({ live: undefined, next, manager: 'm', resetFields: { 'f:status': {} } })[0]?.fieldsV1, { 'f:spec': { 'f:nodeName': {} } })
  })

  it('an empty list, or one empty entry, resets ownership', () => {
    const live = created(configMap({ a: '1' }))
    for (const managedFields of [[], [{}]]) {
      const next = { ...configMap({ a: '2' }), metadata: { name: 'c', namespace: 'n', managedFields } }
      assert.deepEqual(update({ live, next, manager: 'm' }), [])
    }
  })

  it('takes edited entries in canonical form, and ignores malformed ones', () => {
    const live = created(configMap({ a: '1' }))
    function entriesAfter(managedFields: unknown): ManagedFieldsEntry[] {
      return update({ live, next: { ...configMap({ a: '1' }), metadata: { name: 'c', namespace: 'n', managedFields } }, manager: 'm' })
    }
    const edited = { manager: 'x', operation: 'Update', apiVersion: 'v1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': { 'f:b': {}, 'f:a': {}, 'z:?': {} } } }

    assert.equal(JSON.stringify(entriesAfter([edited])[0]?.fieldsV1), '{"f:data":{"f:a":{},"f:b":{}}}')
    assert.deepEqual(entriesAfter([{ ...edited, operation: 'Steal' }]), (live['metadata'] as JsonObject)['managedFields'])
  })

  it('does not start to track an object that nobody tracked', () => {
    const live = { ...configMap({ a: '1' }), metadata: { name: 'c', namespace: 'n', uid: 'u' } }

    assert.deepEqual(update({ live, next: configMap({ a: '2' }), manager: 'm' }), [])
  })

  it('folds the oldest of more than ten Update managers into ancient-changes', () => {
    let live = created(configMap({ k0: '' }), 'm0')
    const data: JsonObject = { k0: '' }
    for (let i = 1; i <= 11; i++) {
      data[`k${i}`] = ''
      const next = configMap({ ...data })
      live = stored(next, update({ live, next, manager: `m${i}`, now: new Date(noon.getTime() + i * 60_000) }))
    }
    const managers = decodeManagedFields((live['metadata'] as JsonObject)['managedFields'])

    assert.equal(managers.length, 10)
    assert.deepEqual(managers.find(({ manager }) => manager === 'ancient-changes')?.set, { 'f:data': { '.': {}, 'f:k0': {}, 'f:k1': {}, 'f:k2': {} } })
  })

  it('drops managers of a version that is gone, and compares others in theirs', () => {
    const live = stored(configMap({ a: '1', b: '1' }), [
      { manager: 'old', operation: 'Update', apiVersion: 'v0', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': { 'f:a': {} } } },
      { manager: 'beta', operation: 'Update', apiVersion: 'v1beta1', fieldsType: 'FieldsV1', fieldsV1: { 'f:data': { 'f:a': {}, 'f:b': {} } } },
    ])
    const schema = realSchema('v1', 'ConfigMap')
    const entries = update({
      live,
      next: configMap({ a: '1', b: '2' }),
      manager: 'm',
      versions: (apiVersion) => (apiVersion === 'v1beta1' ? { schema, convert: (object) => object } : undefined),
    })

    assert.deepEqual(
      entries.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
      [
        ['beta', { 'f:data': { 'f:a': {} } }],
        ['m', { 'f:data': { 'f:b': {} } }],
      ],
    )
  })

  it('owns as a whole what a changed schema has made atomic', () => {
    const definition = (listType: string): ObjectSchema =>
      structuralSchemaOf(
        {
          type: 'object',
          properties: {
            spec: {
              type: 'object',
              properties: { tags: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': listType }, size: { type: 'integer' } },
            },
          },
        } as JsonSchema,
        { definitions, group: 'x.io', version: 'v1', kind: 'X' },
      )
    const object = (size: number): JsonObject => ({ apiVersion: 'x.io/v1', kind: 'X', metadata: { name: 'x' }, spec: { tags: ['a', 'b'], size } })
    const live = stored(object(1), update({ live: undefined, next: object(1), manager: 'm', schema: definition('set') }))
    const before = ((live['metadata'] as JsonObject)['managedFields'] as ManagedFieldsEntry[])[0]?.fieldsV1
    const after = update({ live, next: object(2), manager: 'm', schema: definition('atomic') })[0]?.fieldsV1

    assert.deepEqual(before, { 'f:spec': { '.': {}, 'f:size': {}, 'f:tags': { '.': {}, 'v:"a"': {}, 'v:"b"': {} } } })
    assert.deepEqual(after, { 'f:spec': { '.': {}, 'f:size': {}, 'f:tags': {} } })
  })

  it('orders keys as upstream: numbers before texts, by value', () => {
    const ports = [10, 9, 100].map((port) => ({ name: `p${port}`, port, protocol: 'TCP' }))
    const service = decoded({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' }, spec: { ports } })
    const spec = update({ live: undefined, next: service, manager: 'm' })[0]?.fieldsV1?.['f:spec']

    assert.deepEqual(Object.keys(spec?.['f:ports'] ?? {}), [
      '.',
      'k:{"port":9,"protocol":"TCP"}',
      'k:{"port":10,"protocol":"TCP"}',
      'k:{"port":100,"protocol":"TCP"}',
    ])
  })
})
