import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { realSchema, realTypes } from '../test/real-types.ts'
import { applyPatch } from './apply.ts'
import type { ApplyPatchInput } from './apply.ts'
import { createDecoder } from './decode.ts'
import type { JsonObject } from './json-value.ts'
import { updateManagedFields } from './managed-fields.ts'
import type { ManagedFieldsEntry } from './managed-fields.ts'

const { definitions } = realTypes
const decoder = createDecoder(definitions)
const noon = new Date('2026-01-01T12:00:00Z')
const later = new Date('2026-01-01T13:00:00Z')
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

function configMap(data: JsonObject | undefined, metadata: JsonObject = {}): JsonObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'n', ...metadata }, ...(data === undefined ? {} : { data }) }
}

function pod(spec: JsonObject): JsonObject {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p', namespace: 'n' }, spec }
}

/** Applies and stores, as the API server does. */
function apply(live: JsonObject | undefined, patch: JsonObject, manager: string, options: Partial<ApplyPatchInput> = {}): JsonObject {
  const schema = realSchema(String(patch['apiVersion']), String(patch['kind']))
  const applied = applyPatch({
    live,
    patch,
    schema,
    definitions,
    apiVersion: String(patch['apiVersion']),
    kind: String(patch['kind']),
    manager,
    force: false,
    now: noon,
    ...options,
  })
  const { object } = decoder.decode(schema, applied.object)
  return { ...object, metadata: { ...(object['metadata'] as JsonObject), uid: 'u', managedFields: applied.managedFields } }
}

function update(live: JsonObject | undefined, next: JsonObject, manager: string): JsonObject {
  const schema = realSchema('v1', 'ConfigMap')
  const { object } = decoder.decode(schema, next)
  const managedFields = updateManagedFields({ live, next: object, schema, definitions, apiVersion: 'v1', manager, operation: 'Update', now: noon })
  return { ...object, metadata: { ...(object['metadata'] as JsonObject), uid: 'u', managedFields } }
}

function ownersOf(object: JsonObject): Record<string, unknown> {
  const entries = (object['metadata'] as JsonObject)['managedFields'] as readonly ManagedFieldsEntry[]
  return Object.fromEntries(entries.map(({ manager, operation, fieldsV1 }) => [`${manager} ${operation}`, fieldsV1]))
}

function firstContainer(object: JsonObject): unknown {
  return ((object['spec'] as JsonObject)['containers'] as unknown[])[0]
}

describe('applyPatch', () => {
  it('creates what is not there, owned by its manager', () => {
    const object = apply(undefined, configMap({ a: '1' }, { labels: { x: 'y' } }), 'a')

    assert.deepEqual(object['data'], { a: '1' })
    assert.deepEqual((object['metadata'] as JsonObject)['managedFields'], [
      {
        manager: 'a',
        operation: 'Apply',
        apiVersion: 'v1',
        time: '2026-01-01T12:00:00Z',
        fieldsType: 'FieldsV1',
        fieldsV1: { 'f:data': { 'f:a': {} }, 'f:metadata': { 'f:labels': { 'f:x': {} } } },
      },
    ])
  })

  it('removes what this manager no longer applies, and leaves the rest', () => {
    const first = apply(undefined, configMap({ mine: '1', also: '1' }), 'a')
    const other = apply(first, configMap({ theirs: '1' }), 'b')
    const object = apply(other, configMap({ mine: '2' }), 'a', { now: later })

    assert.deepEqual(object['data'], { mine: '2', theirs: '1' })
    assert.deepEqual(ownersOf(object), { 'a Apply': { 'f:data': { 'f:mine': {} } }, 'b Apply': { 'f:data': { 'f:theirs': {} } } })
  })

  it('shares a field that two managers apply alike, until the last one leaves it', () => {
    const first = apply(undefined, configMap({ k: '1' }), 'a')
    const shared = apply(first, configMap({ k: '1' }), 'b')
    const left = apply(shared, configMap(undefined), 'a')

    assert.deepEqual(ownersOf(shared), { 'a Apply': { 'f:data': { 'f:k': {} } }, 'b Apply': { 'f:data': { 'f:k': {} } } })
    assert.deepEqual(left['data'], { k: '1' })
    assert.equal(apply(left, configMap(undefined), 'b')['data'], undefined)
  })

  it('refuses to change what another manager owns, with one cause for each field', () => {
    const live = apply(update(undefined, configMap({ a: '1', b: '1' }), 'editor'), configMap({ c: '1' }), 'x')

    assert.throws(() => apply(live, configMap({ a: '2' }), 'y'), {
      reason: 'Conflict',
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.a',
      details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "editor" using v1', field: '.data.a' }] },
    })
    assert.throws(() => apply(live, configMap({ a: '2', b: '2', c: '2' }), 'y'), {
      message: 'Apply failed with 3 conflicts: conflicts with "editor" using v1:\n- .data.a\n- .data.b\nconflicts with "x":\n- .data.c',
      details: {
        causes: [
          { reason: 'FieldManagerConflict', message: 'conflict with "editor" using v1', field: '.data.a' },
          { reason: 'FieldManagerConflict', message: 'conflict with "editor" using v1', field: '.data.b' },
          { reason: 'FieldManagerConflict', message: 'conflict with "x"', field: '.data.c' },
        ],
      },
    })
  })

  it('takes a field by force', () => {
    const live = apply(undefined, configMap({ k: '1', other: '1' }), 'a')
    const object = apply(live, configMap({ k: '2' }), 'b', { force: true })

    assert.deepEqual(object['data'], { k: '2', other: '1' })
    assert.deepEqual(ownersOf(object), { 'a Apply': { 'f:data': { 'f:other': {} } }, 'b Apply': { 'f:data': { 'f:k': {} } } })
  })

  it('merges containers by name and ports by number and protocol, TCP when it is not said', () => {
    const live = apply(undefined, pod({ containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }] }] }), 'a')
    const object = apply(live, pod({ containers: [{ name: 'c', ports: [{ containerPort: 80, protocol: 'TCP', name: 'http' }] }] }), 'b')

    assert.deepEqual(firstContainer(object), { name: 'c', image: 'i', ports: [{ name: 'http', containerPort: 80, protocol: 'TCP' }], resources: {} })
    assert.deepEqual(ownersOf(object)['a Apply'], {
      'f:spec': {
        'f:containers': {
          'k:{"name":"c"}': {
            '.': {},
            'f:image': {},
            'f:name': {},
            'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } },
          },
        },
      },
    })
  })

  it('removes a list item that only this manager applied', () => {
    const live = apply(undefined, pod({ containers: [{ name: 'a' }, { name: 'b' }] }), 'm')
    const object = apply(live, pod({ containers: [{ name: 'b' }] }), 'm')

    assert.deepEqual((object['spec'] as JsonObject)['containers'], [{ name: 'b', resources: {} }])
  })

  it('owns sets by value and atomic lists as a whole', () => {
    const object = apply(undefined, { ...pod({ tolerations: [{ key: 'a' }] }), metadata: { name: 'p', namespace: 'n', finalizers: ['x/b', 'x/a'] } }, 'm')

    assert.deepEqual(ownersOf(object)['m Apply'], { 'f:metadata': { 'f:finalizers': { 'v:"x/a"': {}, 'v:"x/b"': {} } }, 'f:spec': { 'f:tolerations': {} } })
  })

  it('keeps owning a map that is applied empty', () => {
    const object = apply(apply(undefined, configMap({ a: '1' }), 'm'), configMap({}), 'm')

    assert.equal(object['data'], undefined)
    assert.deepEqual(ownersOf(object), { 'm Apply': { 'f:data': {} } })
  })

  it('does not move the time when it changes nothing', () => {
    const live = apply(undefined, configMap({ a: '1' }), 'm')

    assert.deepEqual(apply(live, configMap({ a: '1' }), 'm', { now: later }), live)
  })

  it('does not own what the endpoint resets', () => {
    const patch = { ...pod({ nodeName: 'a' }), status: { phase: 'Running' } }
    const object = apply(undefined, patch, 'm', { resetFields: { 'f:status': {} } })

    assert.deepEqual(ownersOf(object), { 'm Apply': { 'f:spec': { 'f:nodeName': {} } } })
  })

  it('credits what was there before the first apply', () => {
    const untracked = { ...configMap({ a: '1' }), metadata: { name: 'c', namespace: 'n', uid: 'u' } }

    assert.deepEqual(ownersOf(apply(untracked, configMap({ b: '1' }), 'm')), {
      'before-first-apply Update': { 'f:data': { '.': {}, 'f:a': {} } },
      'm Apply': { 'f:data': { 'f:b': {} } },
    })
  })

  it('lets kubectl take over what its client-side apply had set, and keeps the annotation in step', () => {
    const text = JSON.stringify(configMap({ a: '1' }))
    const live = update(undefined, configMap({ a: '1' }, { annotations: { [lastApplied]: text } }), 'kubectl-client-side-apply')
    const object = apply(live, configMap({ a: '2' }), 'kubectl')

    assert.deepEqual(object['data'], { a: '2' })
    assert.equal(
      ((object['metadata'] as JsonObject)['annotations'] as JsonObject)[lastApplied],
      '{"apiVersion":"v1","data":{"a":"2"},"kind":"ConfigMap","metadata":{"name":"c","namespace":"n"}}\n',
    )
    assert.throws(() => apply(live, configMap({ a: '2' }), 'someone'), { reason: 'Conflict' })
  })

  const refused: readonly (readonly [what: string, patch: JsonObject, expected: object])[] = [
    [
      'an undeclared field',
      { ...configMap({}), foo: 1 },
      { code: 500, message: 'failed to create typed patch object (n/c; /v1, Kind=ConfigMap): .foo: field not declared in schema' },
    ],
    [
      'two items with one key',
      pod({ containers: [{ name: 'c' }, { name: 'c' }] }),
      { code: 500, message: 'failed to create typed patch object (n/p; /v1, Kind=Pod): .spec.containers: duplicate entries for key [name="c"]' },
    ],
    [
      'a value of the wrong type',
      pod({ nodeName: 1, containers: 'x' }),
      {
        code: 500,
        message:
          'failed to create typed patch object (n/p; /v1, Kind=Pod): errors:\n  .spec.nodeName: expected string, got &value.valueUnstructured{Value:1}\n  .spec.containers: expected list, got &{x}',
      },
    ],
    ['managedFields', configMap({}, { managedFields: [] }), { reason: 'BadRequest', message: 'metadata.managedFields must be nil' }],
  ]
  for (const [what, patch, expected] of refused) {
    it(`refuses ${what} with upstream's text`, () => {
      assert.throws(() => apply(undefined, patch, 'm'), expected)
    })
  }

  it('refuses another kind than the endpoint serves', () => {
    assert.throws(() => apply(undefined, configMap({}), 'm', { kind: 'Secret' }), { reason: 'BadRequest', message: 'invalid object type: /v1, Kind=ConfigMap' })
  })
})
