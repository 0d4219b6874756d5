import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { conformance } from '../src/conformance.ts'
import type { Json } from '../src/json.ts'
import { uniqueName } from '../src/target.ts'
import type { Answer } from '../src/target.ts'

const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const text = { type: 'string' }

const schema: Json = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        items: { type: 'array', items: { type: 'object', properties: { name: text, mode: { ...text, default: 'slow' } } } },
        byName: { type: 'object', additionalProperties: { type: 'object', properties: { size: { type: 'integer', default: 3 } } } },
        open: {
          type: 'object',
          'x-kubernetes-preserve-unknown-fields': true,
          properties: { closed: { type: 'object', properties: { known: text } } },
        },
        template: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: { spec: { type: 'object', properties: { image: text } } } },
        anyTemplate: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
        whole: {
          type: 'object',
          default: {},
          properties: { level: { type: 'integer', default: 1 }, deep: { type: 'object', properties: { x: { ...text, default: 'y' } } } },
        },
        absent: { type: 'object', properties: { level: { type: 'integer', default: 1 } } },
        needed: { type: 'object', required: ['kind'], properties: { kind: { ...text, default: 'plain' } } },
        maybe: { ...text, nullable: true },
        maybeDefault: { ...text, nullable: true, default: 'd' },
        never: { ...text, default: 'd' },
        neverBare: text,
        tags: { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
        numbers: { type: 'array', items: { type: 'number' }, 'x-kubernetes-list-type': 'set' },
        pairs: {
          type: 'array',
          'x-kubernetes-list-type': 'set',
          items: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { a: text, b: text } },
        },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: { type: 'object', required: ['port'], properties: { port: { type: 'integer' }, protocol: { ...text, default: 'TCP' }, name: text } },
        },
        plain: { type: 'array', items: text },
        atomic: { type: 'object', 'x-kubernetes-map-type': 'atomic', additionalProperties: text },
        granular: { type: 'object', additionalProperties: text },
      },
    },
  },
}

interface Served {
  readonly path: string
  /** An object of the kind with this spec. */
  readonly object: (spec: Json, more?: Json) => Json
}

export const customResourceSchemas = conformance('schemas of custom resources', ({ api, claim }) => {
  const served = async (t: TestContext): Promise<Served> => {
    const group = `${uniqueName('s')}.example.com`
    const namespace = await api.namespace(t)
    const path = `${namespace.replace('/api/v1', `/apis/${group}/v1`)}/shapes`
    await api.createForTest(t, definitions, {
      metadata: { name: `shapes.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'shapes', kind: 'Shape' },
        versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    } as { metadata: { name: string } })
    await api.eventually(path, ({ code }) => code === 200)
    return { path, object: (spec, more = {}) => ({ apiVersion: `${group}/v1`, kind: 'Shape', metadata: { name: 'a' }, spec, ...more }) }
  }
  const causesOf = ({ code, json, text: body }: Answer): unknown => {
    assert.equal(code, 422, body)
    return json.details.causes.map(({ field, reason, message }: Json) => `${field} ${reason} ${message}`)
  }
  const warningsOf = ({ headers }: Answer): string[] =>
    [headers['warning'] ?? []]
      .flat()
      .flatMap((one) => one.split(/, (?=299 )/))
      .map((one) =>
        one
          .replace(/^299 - /, '')
          .replaceAll('\\"', '"')
          .slice(1, -1),
      )

  claim('prunes at every level, below lists and maps too, except where unknown fields are kept (X4)', async (t) => {
    const { path, object } = await served(t)

    const created = await api.post(
      path,
      object({
        items: [{ name: 'n', odd: 1 }],
        byName: { k: { size: 1, odd: 1 } },
        open: { odd: { deeper: [{ goes: 1 }] }, closed: { known: 'k', odd: 1 } },
        odd: 1,
      }),
    )

    assert.equal(created.code, 201, created.text)
    const { whole: _, maybeDefault: _1, never: _2, ...kept } = created.json.spec
    assert.deepEqual(kept, {
      byName: { k: { size: 1 } },
      items: [{ mode: 'slow', name: 'n' }],
      open: { closed: { known: 'k' }, odd: { deeper: [{ goes: 1 }] } },
    })
    assert.deepEqual(warningsOf(created), [
      'unknown field "spec.byName.k.odd"',
      'unknown field "spec.items[0].odd"',
      'unknown field "spec.odd"',
      'unknown field "spec.open.closed.odd"',
    ])
    for (const [type, body] of [
      ['merge', { spec: { items: [{ name: 'm', odd: 2 }] } }],
      ['json', [{ op: 'add', path: '/spec/items/0/odd', value: 1 }]],
    ] as const) {
      const patched = await api.patch(type, `${path}/a`, body)
      assert.deepEqual(Object.keys(patched.json.spec.items[0]), ['mode', 'name'])
      assert.deepEqual(warningsOf(patched), ['unknown field "spec.items[0].odd"'])
    }
    const put = await api.put(`${path}/a`, { ...(await api.read(`${path}/a`)), odd: 1 })
    assert.deepEqual([put.json.odd, warningsOf(put)], [undefined, ['unknown field "odd"']])
    const applied = await api.apply(`${path}/a`, object({ items: [{ name: 'n', odd: 1 }] }), { manager: 'm', force: true })
    assert.equal(applied.code, 500)
    assert.match(applied.json.message, /: \.spec\.items\[name="n"\]\.odd: field not declared in schema$|\.odd: field not declared in schema/)
  })

  claim('keeps the metadata of a custom resource typed (X4)', async (t) => {
    const { path, object } = await served(t)

    const odd = await api.post(path, object({}, { metadata: { name: 'a', odd: 1, labels: { a: 'b' } } }))
    const wrong = await api.post(path, object({}, { metadata: { name: 'b', labels: { a: 1 } } }))
    const list = await api.post(path, object({}, { metadata: { name: 'c', finalizers: 'x' } }))

    assert.deepEqual(
      [odd.code, odd.json.metadata.odd, odd.json.metadata.labels, warningsOf(odd)],
      [201, undefined, { a: 'b' }, ['unknown field "metadata.odd"']],
    )
    for (const { code, json } of [wrong, list]) assert.deepEqual([code, json.reason], [400, 'BadRequest'])
    assert.match(wrong.json.message, /cannot unmarshal number into Go struct field ObjectMeta\.labels of type string|json: cannot unmarshal number/)
  })

  claim('holds an embedded resource to what every object has (X4)', async (t) => {
    const { path, object } = await served(t)
    const template = (more: Json): Json => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' }, ...more })

    const kept = await api.post(
      path,
      object({
        template: template({ metadata: { name: 'p', labels: { a: 'b' }, odd: 1 }, spec: { image: 'i', odd: 1 }, odd: 1 }),
        anyTemplate: template({ anything: { goes: 1 }, metadata: { odd: 1, name: 'q' } }),
      }),
    )
    const nameless = await api.post(path, object({ template: { spec: {} } }))
    const bad = await api.post(path, object({ template: template({ apiVersion: 'a/b/c', kind: '-', metadata: { name: 'NO_', labels: { 'a b': 'c' } } }) }))
    const untyped = await api.post(path, object({ anyTemplate: template({ metadata: 'x' }) }))

    assert.equal(kept.code, 201, kept.text)
    assert.deepEqual(kept.json.spec.template, template({ metadata: { labels: { a: 'b' }, name: 'p' }, spec: { image: 'i' } }))
    assert.deepEqual(kept.json.spec.anyTemplate, template({ anything: { goes: 1 }, metadata: { name: 'q' } }))
    assert.deepEqual(causesOf(nameless), ['spec.template.apiVersion FieldValueRequired Required value', 'spec.template.kind FieldValueRequired Required value'])
    const found = (causesOf(bad) as string[]).map((one) => one.split(' ').slice(0, 2).join(' '))
    assert.deepEqual(found.sort(), [
      'spec.template.apiVersion FieldValueInvalid',
      'spec.template.kind FieldValueInvalid',
      'spec.template.metadata.labels FieldValueInvalid',
    ])
    assert.deepEqual([untyped.code, untyped.json.reason], [400, 'BadRequest'])
  })

  claim('fills in defaults below lists, maps and what has a default itself, not below what is absent (X5)', async (t) => {
    const { path, object } = await served(t)

    const { spec } = await api.create(path, object({ items: [{}, { mode: 'fast' }], byName: { a: {}, b: { size: 1 } }, whole: { deep: {} }, absent: {} }))
    const bare = await api.create(path, object({}, { metadata: { name: 'b' } }))
    const none = await api.create(path, { ...object({}), spec: undefined, metadata: { name: 'c' } })
    const patched = await api.patch('merge', `${path}/b`, { spec: { absent: {}, whole: null } })
    const put = await api.put(`${path}/a`, { ...(await api.read(`${path}/a`)), spec: { never: 'set' } })

    const always = { maybeDefault: 'd', never: 'd' }
    assert.deepEqual(spec, {
      ...always,
      absent: { level: 1 },
      byName: { a: { size: 3 }, b: { size: 1 } },
      items: [{ mode: 'slow' }, { mode: 'fast' }],
      whole: { deep: { x: 'y' }, level: 1 },
    })
    assert.deepEqual(bare.spec, { ...always, whole: { level: 1 } })
    assert.equal(none.spec, undefined)
    assert.deepEqual(patched.json.spec, { ...always, absent: { level: 1 }, whole: { level: 1 } })
    assert.deepEqual(put.json.spec, { maybeDefault: 'd', never: 'set', whole: { level: 1 } })
  })

  claim('fills in defaults before it validates, and in place of a null that may not be (X5)', async (t) => {
    const { path, object } = await served(t)

    const needed = await api.create(path, object({ needed: {} }))
    const nulls = await api.create(path, object({ maybe: null, maybeDefault: null, never: null, items: [{ mode: null }] }, { metadata: { name: 'b' } }))
    const bare = await api.create(path, object({ neverBare: null }, { metadata: { name: 'c' } }))

    assert.deepEqual(needed.spec.needed, { kind: 'plain' })
    assert.deepEqual(nulls.spec, { items: [{ mode: 'slow' }], maybe: null, maybeDefault: null, never: 'd', whole: { level: 1 } })
    assert.equal('neverBare' in bare.spec, false)
  })

  claim('takes a default only that the schema allows and keeps (X5)', async () => {
    const refused = async (properties: Json): Promise<unknown> => {
      const group = `${uniqueName('s')}.example.com`
      const answer = await api.post(`${definitions}?dryRun=All`, {
        metadata: { name: `shapes.${group}` },
        spec: {
          group,
          scope: 'Namespaced',
          names: { plural: 'shapes', kind: 'Shape' },
          versions: [
            { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } } },
          ],
        },
      })
      return causesOf(answer)
    }
    const at = 'spec.validation.openAPIV3Schema.properties[spec].properties[x].default'

    assert.deepEqual(await refused({ x: { ...text, default: 1 } }), [
      `${at} FieldValueTypeInvalid Invalid value: "integer":  in body must be of type string: "integer"`,
    ])
    assert.deepEqual(await refused({ x: { ...text, enum: ['a'], default: 'b' } }), [
      `${at} FieldValueNotSupported Unsupported value: "b": supported values: "a"`,
    ])
    assert.deepEqual(await refused({ x: { type: 'object', properties: { y: text }, default: { z: 1 } } }), [
      `${at} FieldValueInvalid Invalid value: {"z":1}: must not have unknown fields`,
    ])
  })

  claim('refuses duplicates by value in sets and by all keys in maps, after defaults (X8)', async (t) => {
    const { path, object } = await served(t)
    const refused = async (spec: Json): Promise<unknown> => causesOf(await api.post(path, object(spec)))

    assert.deepEqual(await refused({ tags: ['a', 'b', 'a', 'a'] }), ['spec.tags[2] FieldValueDuplicate Duplicate value: "a"'])
    assert.deepEqual(await refused({ numbers: [1, 1, 2] }), ['spec.numbers[1] FieldValueDuplicate Duplicate value: 1'])
    assert.deepEqual(await refused({ pairs: [{ a: '1', b: '2' }, { a: '1' }, { b: '2', a: '1' }] }), [
      'spec.pairs[2] FieldValueDuplicate Duplicate value: {"a":"1","b":"2"}',
    ])
    assert.deepEqual(await refused({ ports: [{ port: 1 }, { port: 1, protocol: 'UDP' }, { port: 1, protocol: 'TCP', name: 'x' }] }), [
      'spec.ports[2] FieldValueDuplicate Duplicate value: {"port":1,"protocol":"TCP"}',
    ])
    const { spec } = await api.create(
      path,
      object({ tags: ['b', 'a'], plain: ['a', 'a'], ports: [{ port: 1 }, { port: 1, protocol: 'UDP' }], pairs: [{ a: '1' }, { a: '1', b: '' }] }),
    )
    assert.deepEqual([spec.tags, spec.plain, spec.ports.length], [['b', 'a'], ['a', 'a'], 2])
  })

  claim('merges what is applied by the types of lists and maps (X8)', async (t) => {
    const { path, object } = await served(t)
    const spec = (by: string, port: number): Json => ({
      tags: [by],
      ports: [{ port, protocol: 'TCP', name: by }],
      granular: { [by]: '1' },
    })
    await api.apply(`${path}/a`, object({ ...spec('one', 1), atomic: { one: '1' }, plain: ['one'] }), { manager: 'one' })

    const both = await api.apply(`${path}/a`, object(spec('two', 2)), { manager: 'two' })
    const conflict = await api.apply(`${path}/a`, object({ atomic: { two: '1' }, plain: ['two'] }), { manager: 'two' })
    const taken = await api.apply(`${path}/a`, object({ atomic: { two: '1' }, plain: ['two'] }), { manager: 'two', force: true })

    assert.deepEqual(both.json.spec.tags, ['one', 'two'])
    assert.deepEqual(
      both.json.spec.ports.map(({ port }: Json) => port),
      [1, 2],
    )
    assert.deepEqual(both.json.spec.granular, { one: '1', two: '1' })
    assert.deepEqual(conflict.json.details.causes.map(({ field }: Json) => field).sort(), ['.spec.atomic', '.spec.plain'])
    const { spec: after, metadata } = taken.json
    assert.deepEqual([after.atomic, after.plain, after.tags, after.granular], [{ two: '1' }, ['two'], ['one'], { one: '1' }])
    const owned = metadata.managedFields.find(({ manager }: Json) => manager === 'two').fieldsV1['f:spec']
    assert.deepEqual(owned, { 'f:atomic': {}, 'f:plain': {} })
  })
})
