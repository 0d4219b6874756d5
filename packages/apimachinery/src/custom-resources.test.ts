import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { definitionsFromTable } from './builtin-types.ts'
import { validateCustomResource } from './custom-resource-validation.ts'
import { createDecoder } from './decode.ts'
import { formatFieldError } from './field-error.ts'
import { evaluateJsonPath } from './json-path.ts'
import { applySchemaDefaults } from './schema-defaults.ts'
import { structuralSchemaProblems } from './structural-problems.ts'
import { objectMetaDefinition, structuralSchemaOf } from './structural-schema.ts'
import type { JsonSchema } from './structural-schema.ts'

const { definitions } = definitionsFromTable({
  kubernetesVersion: 'v0.0.0',
  kinds: [],
  types: {
    [objectMetaDefinition]: {
      fields: [
        { name: 'name', omitEmpty: true, type: { k: 'string' } },
        { name: 'namespace', omitEmpty: true, type: { k: 'string' } },
        { name: 'creationTimestamp', omitEmpty: true, omitZero: true, type: { k: 'Time' } },
        { name: 'labels', omitEmpty: true, type: { k: 'map', of: { k: 'string' } } },
      ],
    },
  },
})
const decoder = createDecoder(definitions)

function schemaOf(spec: JsonSchema, more: JsonSchema = {}): ReturnType<typeof structuralSchemaOf> {
  const schema: JsonSchema = { type: 'object', properties: { spec, status: { type: 'object' } }, ...more }
  return structuralSchemaOf(schema, { definitions, group: 'example.com', version: 'v1', kind: 'Widget' })
}

function widget(spec: unknown): Record<string, unknown> {
  return { kind: 'Widget', apiVersion: 'example.com/v1', metadata: { name: 'w' }, spec }
}

function decoded(spec: JsonSchema, value: unknown): { spec: unknown; unknownFields: readonly string[] } {
  const { object, unknownFields } = decoder.decode(schemaOf(spec), widget(value))
  return { spec: object['spec'], unknownFields }
}

function problemsOf(spec: JsonSchema, value: unknown, old?: unknown): string[] {
  const before = old === undefined ? undefined : widget(old)
  return validateCustomResource(schemaOf(spec), widget(value), before).map(formatFieldError)
}

describe('decoding a custom resource', () => {
  it('prunes unknown fields at every level and names them', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        a: { type: 'object', properties: { b: { type: 'string' } } },
        list: { type: 'array', items: { type: 'object', properties: { x: { type: 'integer' } } } },
        map: { type: 'object', additionalProperties: { type: 'object', properties: { y: { type: 'string' } } } },
      },
    }
    const value = { zz: 1, a: { b: 'x', c: 1 }, list: [{ x: 1, q: 1 }, { x: 2 }], map: { k: { y: '1', n: {} } } }
    assert.deepEqual(decoded(schema, value), {
      spec: { a: { b: 'x' }, list: [{ x: 1 }, { x: 2 }], map: { k: { y: '1' } } },
      unknownFields: ['spec.a.c', 'spec.list[0].q', 'spec.map.k.n', 'spec.zz'],
    })
  })

  it('keeps unknown fields where the schema says so, but prunes the known ones below', () => {
    const schema: JsonSchema = {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { known: { type: 'object', properties: { a: { type: 'string' } } } },
    }
    assert.deepEqual(decoded(schema, { other: { deep: [1] }, known: { a: 'x', b: 1 } }), {
      spec: { known: { a: 'x' }, other: { deep: [1] } },
      unknownFields: ['spec.known.b'],
    })
  })

  it('writes alphabetical keys and types metadata', () => {
    const { object, unknownFields } = decoder.decode(schemaOf({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }), {
      spec: { b: 1, a: { d: 1, c: 2 } },
      metadata: { name: 'w', labels: { z: '1', a: '2' }, creationTimestamp: null, extra: 1 },
      kind: 'Widget',
      apiVersion: 'example.com/v1',
    })
    assert.equal(
      JSON.stringify(object),
      '{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"labels":{"a":"2","z":"1"},"name":"w"},"spec":{"a":{"c":2,"d":1},"b":1}}',
    )
    assert.deepEqual(unknownFields, ['metadata.extra'])
  })

  it('refuses metadata of a wrong type in the words of Go', () => {
    assert.throws(() => decoder.decode(schemaOf({ type: 'object' }), { ...widget({}), metadata: { labels: { a: 1 } } }), {
      message: 'Widget in version "v1" cannot be handled as a Widget: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string',
    })
  })

  it('drops a null that is neither allowed nor defaulted', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string', nullable: true }, c: { type: 'string', default: 'x' } },
    }
    const { object } = decoder.decode(schemaOf(schema), widget({ a: null, b: null, c: null }))
    assert.deepEqual(object['spec'], { b: null, c: null })
    applySchemaDefaults(schemaOf(schema), definitions, object)
    assert.deepEqual(object['spec'], { b: null, c: 'x' })
  })
})

describe('defaulting', () => {
  it('fills absent fields, and within what it has filled', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        a: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 3 } } },
        c: { type: 'object', properties: { d: { type: 'integer', default: 4 } } },
        list: { type: 'array', items: { type: 'object', properties: { e: { type: 'string', default: 'x' } } } },
      },
    }
    const object = widget({ list: [{}, { e: 'y' }] })
    applySchemaDefaults(schemaOf(schema), definitions, object)
    assert.deepEqual(object['spec'], { a: { b: 3 }, list: [{ e: 'x' }, { e: 'y' }] })
  })

  it('gives each object its own copy of the default', () => {
    const schema = schemaOf({ type: 'object', properties: { a: { type: 'object', default: { x: 1 }, 'x-kubernetes-preserve-unknown-fields': true } } })
    const [first, second] = [widget({}), widget({})]
    applySchemaDefaults(schema, definitions, first)
    applySchemaDefaults(schema, definitions, second)
    assert.notEqual((first['spec'] as { a: object }).a, (second['spec'] as { a: object }).a)
  })
})

// The texts are those of a real API server (kube-api-spec X6, X8), compared with the published Go packages over thousands of random schemas.
describe('validateCustomResource', () => {
  it('reports types, limits, enums and required fields', () => {
    const schema: JsonSchema = {
      type: 'object',
      required: ['name'],
      properties: {
        name: { type: 'string' },
        replicas: { type: 'integer', minimum: 0, maximum: 10 },
        color: { type: 'string', enum: ['red', 'blue'] },
        code: { type: 'string', pattern: '^[a-z]+$', minLength: 2, maxLength: 4 },
        ratio: { type: 'number', exclusiveMaximum: true, maximum: 1, multipleOf: 0.5 },
      },
    }
    assert.deepEqual(problemsOf(schema, { replicas: -1, color: 'green', code: 'A1', ratio: 1 }), [
      'spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0',
      'spec.color: Unsupported value: "green": supported values: "red", "blue"',
      'spec.code: Invalid value: "A1": spec.code in body should match \'^[a-z]+$\'',
      'spec.ratio: Invalid value: 0: factor MultipleOf declared for spec.ratio must be positive: 0',
      'spec.ratio: Invalid value: 1: spec.ratio in body should be less than 1',
      'spec.name: Required value',
    ])
    assert.deepEqual(problemsOf(schema, { name: 1, color: 2, code: 'abcde' }), [
      'spec.name: Invalid value: "integer": spec.name in body must be of type string: "integer"',
      'spec.color: Invalid value: "integer": spec.color in body must be of type string: "integer"',
      'spec.color: Unsupported value: 2: supported values: "red", "blue"',
      'spec.code: Too long: may not be more than 4 bytes',
    ])
  })

  it('reports sizes and formats', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        list: { type: 'array', items: { type: 'string' }, maxItems: 1 },
        none: { type: 'array', items: { type: 'string' }, minItems: 1 },
        map: { type: 'object', additionalProperties: { type: 'string' }, maxProperties: 1 },
        day: { type: 'string', format: 'date' },
        free: { type: 'string', format: 'whatever' },
      },
    }
    assert.deepEqual(problemsOf(schema, { list: ['a', 'b'], none: [], map: { a: '1', b: '2' }, day: '2026-02-30', free: 'x' }), [
      'spec.list: Too many: 2: must have at most 1 item',
      'spec.none: Invalid value: 0: spec.none in body should have at least 1 items',
      'spec.map: Too many: 2: must have at most 1 item',
      'spec.day: Invalid value: "2026-02-30": spec.day in body must be of type date: "2026-02-30"',
    ])
  })

  it('reports alternatives with the errors of the nearest one', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: { a: { type: 'string' }, b: { type: 'string' } },
      oneOf: [{ required: ['a'] }, { required: ['b'] }],
    }
    assert.deepEqual(problemsOf(schema, { a: 'x' }), [])
    assert.deepEqual(problemsOf(schema, {}), [
      '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
      'spec.a: Required value',
    ])
    assert.deepEqual(problemsOf(schema, { a: 'x', b: 'y' }), [
      '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives',
    ])
    assert.deepEqual(problemsOf({ type: 'object', not: { required: ['a'] }, properties: { a: { type: 'string' } } }, { a: 'x' }), [
      '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
    ])
  })

  it('reports numbers outside of their type as upstream does, without a field', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        small: { type: 'integer', format: 'int32' },
        whole: { type: 'integer', minimum: 2.5 },
        ratio: { type: 'number', exclusiveMinimum: true, minimum: 0.5 },
      },
    }
    assert.deepEqual(problemsOf(schema, { small: 3_000_000_000, whole: 2, ratio: 0.5 }), [
      '<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.small',
      '<nil>: Invalid value: "": Minimum boundary value must be of type integer (default format) in spec.whole',
      'spec.whole: Invalid value: 2: spec.whole in body should be greater than or equal to 2.5',
      'spec.ratio: Invalid value: 0.5: spec.ratio in body should be greater than 0.5',
    ])
    assert.deepEqual(problemsOf({ type: 'object', properties: { n: { type: 'integer', multipleOf: 3 } } }, { n: 7 }), [
      'spec.n: Invalid value: 7: spec.n in body should be a multiple of 3',
    ])
  })

  it('reports allOf and anyOf', () => {
    const a: JsonSchema = { type: 'string', anyOf: [{ maxLength: 1 }, { pattern: '^b' }], allOf: [{ minLength: 3 }] }
    assert.deepEqual(problemsOf({ type: 'object', properties: { a } }, { a: 'bbb' }), [])
    assert.deepEqual(problemsOf({ type: 'object', properties: { a } }, { a: 'aa' }), [
      '<nil>: Invalid value: "": "spec.a" must validate at least one schema (anyOf)',
      'spec.a: Too long: may not be more than 1 byte',
      'spec.a: Invalid value: "aa": spec.a in body should be at least 3 chars long',
      '<nil>: Invalid value: "": "spec.a" must validate all the schemas (allOf). None validated',
    ])
  })

  it('refuses nulls, foreign keys and too few of them', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        a: { type: 'array', items: { type: 'string' } },
        b: { type: 'object', minProperties: 1 },
        c: { type: 'string', nullable: true, enum: ['x'] },
      },
    }
    assert.deepEqual(problemsOf(schema, { a: [null], b: {}, c: null }), [
      'spec.a[0]: Invalid value: "null": spec.a[0] in body must be of type string: "null"',
      'spec.b: Invalid value: 0: spec.b in body should have at least 1 properties',
      'spec.c: Unsupported value: null: supported values: "x"',
    ])
    assert.deepEqual(problemsOf({ type: 'object', additionalProperties: false }, { a: 1 }), [
      'spec: Invalid value: "a": spec.a in body is a forbidden property',
    ])
    assert.deepEqual(problemsOf({ type: 'object', properties: { a: { type: 'array', items: { type: 'integer' }, uniqueItems: true } } }, { a: [1, 1] }), [
      `spec.a: Invalid value: "": spec.a in body shouldn't contain duplicates`,
    ])
  })

  it('correlates items of lists that are maps when an object changes', () => {
    const list: JsonSchema = {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, v: { type: 'string', maxLength: 1 } }, required: ['name'] },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }
    const schema: JsonSchema = { type: 'object', properties: { list } }
    const old = {
      list: [
        { name: 'a', v: 'long' },
        { name: 'b', v: 'x' },
      ],
    }
    assert.deepEqual(
      problemsOf(
        schema,
        {
          list: [
            { name: 'b', v: 'y' },
            { name: 'a', v: 'long' },
          ],
        },
        old,
      ),
      [],
    )
    assert.deepEqual(
      problemsOf(
        schema,
        {
          list: [
            { name: 'b', v: 'long' },
            { name: 'a', v: 'long' },
          ],
        },
        old,
      ),
      ['spec.list[0].v: Too long: may not be more than 1 byte'],
    )
  })

  it('takes integers and strings where both are allowed', () => {
    const schema: JsonSchema = { type: 'object', properties: { port: { 'x-kubernetes-int-or-string': true } } }
    assert.deepEqual(problemsOf(schema, { port: 80 }), [])
    assert.deepEqual(problemsOf(schema, { port: 'http' }), [])
    assert.deepEqual(problemsOf(schema, { port: true }), ['spec.port: Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"'])
  })

  it('refuses duplicates in sets and maps', () => {
    const set: JsonSchema = { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' }
    const map: JsonSchema = {
      type: 'array',
      items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }
    const schema: JsonSchema = { type: 'object', properties: { set, map } }
    assert.deepEqual(problemsOf(schema, { set: ['a', 'b', 'a', 'a'], map: [{ name: 'x' }, { name: 'x' }] }), [
      'spec.set[2]: Duplicate value: "a"',
      'spec.map[1]: Duplicate value: {"name":"x"}',
    ])
  })

  it('checks embedded resources', () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: { template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true } },
    }
    assert.deepEqual(
      problemsOf(schema, { template: { apiVersion: 'a/b/c', metadata: { labels: { 'x y': '' } } } }).map((text) => text.slice(0, 60)),
      [
        'spec.template.apiVersion: Invalid value: "a/b/c": unexpected',
        'spec.template.kind: Required value',
        'spec.template.metadata.labels: Invalid value: "x y": name pa',
      ],
    )
  })

  it('says that rules were not checked when the object blocks them', () => {
    const schema: JsonSchema = { type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }], properties: { a: { type: 'string' } } }
    assert.deepEqual(
      problemsOf(schema, { a: 1 }).at(-1),
      '<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
    )
  })

  it('lets what was invalid before and has not changed pass', () => {
    const schema: JsonSchema = { type: 'object', properties: { a: { type: 'string', maxLength: 1 }, b: { type: 'string', maxLength: 1 } } }
    assert.deepEqual(problemsOf(schema, { a: 'long', b: 'x' }, { a: 'long', b: 'y' }), [])
    assert.deepEqual(problemsOf(schema, { a: 'longer', b: 'x' }, { a: 'long', b: 'y' }), ['spec.a: Too long: may not be more than 1 byte'])
  })

  it('reports no more errors than anyone would read', () => {
    const schema: JsonSchema = { type: 'object', properties: { a: { type: 'array', items: { type: 'string' } } } }
    assert.equal(problemsOf(schema, { a: Array<number>(20_000).fill(1) }).length, 1000)
  })

  it('stands hostile patterns and texts', () => {
    const schema: JsonSchema = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' } } }
    assert.equal(problemsOf(schema, { a: `${'a'.repeat(50_000)}!` }).length, 1)
  })
})

describe('structuralSchemaProblems', () => {
  const path = 'spec.validation.openAPIV3Schema'
  async function problems(schema: JsonSchema): Promise<string[]> {
    return (await structuralSchemaProblems(schema, path)).map(formatFieldError)
  }

  it('accepts a structural schema', async () => {
    assert.deepEqual(
      await problems({ type: 'object', properties: { spec: { type: 'object', properties: { a: { type: 'integer', minimum: 1, default: 2 } } } } }),
      [],
    )
  })

  it('wants a type everywhere', async () => {
    assert.deepEqual(await problems({ properties: { spec: { properties: { a: {} } }, list: { type: 'array', items: {} } } }), [
      `${path}.properties[list].items.type: Required value: must not be empty for specified array items`,
      `${path}.properties[spec].properties[a].type: Required value: must not be empty for specified object fields`,
      `${path}.properties[spec].type: Required value: must not be empty for specified object fields`,
      `${path}.type: Required value: must not be empty at the root`,
    ])
  })

  it('wants what is validated to be declared, and nothing structural within alternatives', async () => {
    assert.deepEqual(
      await problems({ type: 'object', properties: { spec: { type: 'object', anyOf: [{ type: 'object', properties: { a: { minimum: 1 } } }] } } }),
      [`${path}.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural`],
    )
    assert.deepEqual(await problems({ type: 'object', allOf: [{ properties: { a: { minimum: 1 } } }] }), [
      `${path}.properties[a]: Required value: because it is defined in ${path}.allOf[0].properties[a]`,
    ])
  })

  it('checks lists that are maps', async () => {
    const list: JsonSchema = {
      type: 'array',
      items: { type: 'object', properties: { a: { type: 'string' } } },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['a', 'b'],
    }
    assert.deepEqual(await problems({ type: 'object', properties: { list } }), [
      `${path}.properties[list].items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      `${path}.properties[list].x-kubernetes-list-map-keys: Invalid value: ["a","b"]: entries must all be names of item properties`,
    ])
  })

  it('checks defaults, patterns and forbidden keywords', async () => {
    const schema: JsonSchema = {
      type: 'object',
      properties: {
        a: { type: 'string', default: 1 },
        b: { type: 'string', pattern: '(' },
        c: { type: 'array', items: { type: 'string' }, uniqueItems: true },
      },
    }
    assert.deepEqual(await problems({ ...schema, properties: { a: { type: 'string', default: 1 } } }), [
      `${path}.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer"`,
    ])
    assert.deepEqual(await problems(schema), [
      `${path}.properties[b].pattern: Invalid value: "(": must be a valid regular expression, but isn't: error parsing regexp: missing closing ): \`(\``,
      `${path}.properties[c].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic`,
    ])
    assert.deepEqual(await problems({ type: 'object', properties: { a: { $ref: '#/x', type: 'string' } } }), [
      `${path}.properties[a].$ref: Forbidden: $ref is not supported`,
    ])
  })

  it('checks embedded resources and what goes with int-or-string', async () => {
    assert.deepEqual(
      await problems({
        type: 'object',
        properties: {
          a: { 'x-kubernetes-embedded-resource': true },
          b: { type: 'string', 'x-kubernetes-embedded-resource': true },
          c: { type: 'object', 'x-kubernetes-embedded-resource': true, additionalProperties: { type: 'string' } },
          d: { 'x-kubernetes-int-or-string': true, 'x-kubernetes-preserve-unknown-fields': true },
        },
      }),
      [
        `${path}.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
        `${path}.properties[a].type: Required value: must be object if x-kubernetes-embedded-resource is true`,
        `${path}.properties[b].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
        `${path}.properties[b].type: Invalid value: "string": must be object if x-kubernetes-embedded-resource is true`,
        `${path}.properties[c].additionalProperties: Forbidden: must not be used if x-kubernetes-embedded-resource is set`,
        `${path}.properties[c].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields`,
        `${path}.properties[d].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true`,
      ],
    )
  })

  it('keeps the root an object and its metadata its own', async () => {
    assert.deepEqual(await problems({ type: 'array', items: { type: 'string' } }), [`${path}.type: Invalid value: "array": must be object at the root`])
    assert.deepEqual(
      await problems({
        type: 'object',
        nullable: true,
        additionalProperties: { type: 'string' },
        properties: {
          kind: { type: 'integer' },
          metadata: { type: 'object', properties: { name: { type: 'string', pattern: 'a' }, labels: { type: 'object' } } },
        },
      }),
      [
        `${path}.nullable: Forbidden: nullable cannot be true at the root`,
        `${path}.additionalProperties: Forbidden: must not be used at the root`,
        `${path}.properties[kind].type: Invalid value: "integer": must be string`,
        `${path}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified`,
        `${path}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
      ],
    )
    assert.deepEqual(
      await problems({ type: 'object', properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 9 } } } } }),
      [],
    )
  })

  it('checks list and map types', async () => {
    assert.deepEqual(
      await problems({
        type: 'object',
        properties: {
          a: { type: 'object', 'x-kubernetes-list-type': 'set', 'x-kubernetes-map-type': 'odd' },
          b: { type: 'string', 'x-kubernetes-map-type': 'atomic' },
          c: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'set' },
          d: { type: 'array', items: { type: 'string', nullable: true }, 'x-kubernetes-list-type': 'odd', 'x-kubernetes-list-map-keys': ['x'] },
          e: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'map' },
          f: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-map-keys': ['x'] },
        },
      }),
      [
        `${path}.properties[a].x-kubernetes-map-type: Unsupported value: "odd": supported values: "atomic", "granular"`,
        `${path}.properties[a].type: Invalid value: "object": must be array if x-kubernetes-list-type is specified`,
        `${path}.properties[b].type: Invalid value: "string": must be object if x-kubernetes-map-type is specified`,
        `${path}.properties[c].items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with x-kubernetes-list-type=set`,
        `${path}.properties[d].x-kubernetes-list-type: Unsupported value: "odd": supported values: "atomic", "set", "map"`,
        `${path}.properties[d].x-kubernetes-list-type: Invalid value: "odd": must be map if x-kubernetes-list-map-keys is non-empty`,
        `${path}.properties[e].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map`,
        `${path}.properties[e].items.type: Invalid value: "string": must be object if parent array's x-kubernetes-list-type is map`,
        `${path}.properties[f].x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty`,
      ],
    )
  })

  it('checks what can be checked of rules without running them', async () => {
    const rules = [
      { rule: ' ' },
      { rule: 'a\nb' },
      { rule: 'a', message: ' ' },
      { rule: 'a', message: 'x\ny' },
      { rule: 'a', messageExpression: ' ', reason: 'Odd', fieldPath: ' ' },
      { rule: 'a', fieldPath: '.x\n.y' },
    ]
    const at = `${path}.x-kubernetes-validations`
    assert.deepEqual(await problems({ type: 'object', 'x-kubernetes-validations': rules }), [
      `${at}[0].rule: Required value: rule is not specified`,
      `${at}[1].message: Required value: message must be specified if rule contains line breaks`,
      `${at}[2].message: Invalid value: " ": must be non-empty if specified`,
      `${at}[3].message: Invalid value: "x\\ny": must not contain line breaks`,
      `${at}[4].messageExpression: Required value: messageExpression must be non-empty if specified`,
      `${at}[4].reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"`,
      `${at}[4].fieldPath: Invalid value: " ": must be non-empty if specified`,
      `${at}[5].fieldPath: Invalid value: ".x\\n.y": must not contain line breaks`,
    ])
  })

  it('refuses keywords that CustomResourceDefinitions do not have', async () => {
    assert.deepEqual(await problems({ type: 'object', properties: { a: { type: 'null' }, b: { type: 'odd' } } }), [
      `${path}.properties[a].type: Unsupported value: "null": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      `${path}.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative`,
      `${path}.properties[b].type: Unsupported value: "odd": supported values: "array", "boolean", "integer", "number", "object", "string"`,
    ])
    assert.deepEqual(await problems({ type: 'object', properties: { a: { type: 'array', items: [{ type: 'string' }] } } }), [
      `${path}.properties[a].items: Forbidden: items must be a schema object and not an array`,
    ])
    assert.deepEqual(await problems({ type: 'object', properties: { a: { type: 'string', patternProperties: {}, definitions: {} } } }), [
      `${path}.properties[a].patternProperties: Forbidden: patternProperties is not supported`,
      `${path}.properties[a].definitions: Forbidden: definitions is not supported`,
    ])
    assert.deepEqual(await problems({ type: 'object', properties: { metadata: { type: 'object', default: {} } } }), [
      `${path}.properties[metadata].default: Forbidden: must not be set in top-level metadata`,
    ])
  })
})

describe('evaluateJsonPath', () => {
  const object = {
    spec: {
      a: { b: 1 },
      'x.y': 'dotted',
      list: [
        { name: 'p', v: 1 },
        { name: 'q', v: 2 },
      ],
    },
    status: {
      conditions: [
        { type: 'Ready', status: 'True' },
        { type: 'Synced', status: 'False' },
      ],
    },
  }

  it('reads the paths that printer columns use', () => {
    const paths: [string, unknown[]][] = [
      ['.spec.a.b', [1]],
      ['spec.a.b', [1]],
      ['{.spec.a.b}', [1]],
      ['$.spec.a.b', [1]],
      [".spec['x.y']", ['dotted']],
      ['.spec.x\\.y', ['dotted']],
      ['.spec.list[0].name', ['p']],
      ['.spec.list[-1].name', ['q']],
      ['.spec.list[*].v', [1, 2]],
      ['.status.conditions[?(@.type=="Ready")].status', ['True']],
      [".status.conditions[?(@.type == 'Synced')].status", ['False']],
      ['.spec.list[?(@.v>1)].name', ['q']],
      ['.spec.missing.deep', []],
      ['.spec.list[9]', []],
      ['.', [object]],
    ]
    for (const [path, values] of paths) assert.deepEqual(evaluateJsonPath(path, object), values, path)
  })

  it('sees nothing of the prototype', () => {
    assert.deepEqual(evaluateJsonPath('.constructor.name', object), [])
  })

  it('refuses what it does not understand', () => {
    for (const path of ['.a b', '.a[', '.a..b', '.a[?(@.b=~"x")]', `.${'a'.repeat(2000)}`]) {
      assert.throws(() => evaluateJsonPath(path, object), { reason: 'BadRequest' }, path)
    }
  })
})
