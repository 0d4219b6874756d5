import type { AnySchema, Definitions, Field, ListSchema, MapSchema, ObjectSchema, RefSchema, Scalar, Schema } from './schema.ts'

/** The generated fact table of built-in types (`dump-types` writes it from the published Go types). */
export interface TypeTable {
  readonly kubernetesVersion: string
  readonly types: Readonly<Record<string, TypeFacts>>
  readonly kinds: readonly KindFacts[]
}

export interface TypeFacts {
  readonly mapType?: string | undefined
  /** Fields of which one is set, as `x-kubernetes-unions` says it. */
  readonly unions?: readonly unknown[] | undefined
  readonly description?: string | undefined
  readonly fields: readonly FieldFacts[]
}

export interface FieldFacts {
  readonly name: string
  readonly number?: number | undefined
  readonly within?: readonly number[] | undefined
  readonly omitEmpty?: boolean | undefined
  readonly omitZero?: boolean | undefined
  readonly pointer?: boolean | undefined
  readonly required?: boolean | undefined
  readonly type: TypeShape
  readonly listType?: string | undefined
  readonly listMapKeys?: readonly string[] | undefined
  readonly patchStrategy?: string | undefined
  readonly patchMergeKey?: string | undefined
  readonly mapType?: string | undefined
  readonly default?: unknown
  readonly enum?: readonly unknown[] | undefined
  readonly description?: string | undefined
}

export interface TypeShape {
  readonly k: string
  readonly of?: TypeShape | undefined
  readonly ref?: string | undefined
  readonly wrapped?: boolean | undefined
  readonly listType?: string | undefined
  readonly enum?: readonly unknown[] | undefined
}

export interface KindFacts {
  readonly group: string
  readonly version: string
  readonly kind: string
  /** Definition names. */
  readonly type: string
  readonly listType?: string | undefined
}

export interface BuiltinTypes {
  readonly definitions: Definitions
  readonly kinds: readonly KindFacts[]
  /** The schema of a kind, `undefined` when the table has none. */
  readonly schemaOf: (group: string, version: string, kind: string) => ObjectSchema | undefined
}

/** Schemas over the fact table; each type is converted when it is first asked for. Throws when the table holds a word this code does not know. */
export function definitionsFromTable(table: TypeTable): BuiltinTypes {
  const converted = new Map<string, ObjectSchema>()
  const kinds = new Map(table.kinds.map((facts) => [`${facts.group}/${facts.version}/${facts.kind}`, facts.type]))
  const definitions: Definitions = {
    get(name) {
      const known = converted.get(name)
      if (known !== undefined) return known
      const facts = Object.hasOwn(table.types, name) ? table.types[name] : undefined
      if (facts === undefined) return undefined
      const schema = objectOf(name, facts)
      converted.set(name, schema)
      return schema
    },
  }
  return {
    definitions,
    kinds: table.kinds,
    schemaOf(group, version, kind) {
      const type = kinds.get(`${group}/${version}/${kind}`)
      return type === undefined ? undefined : definitions.get(type)
    },
  }
}

function objectOf(name: string, facts: TypeFacts): ObjectSchema {
  return {
    kind: 'object',
    name,
    ...(facts.description === undefined ? {} : { description: facts.description }),
    mapType: mapTypeOf(facts.mapType, name),
    unions: facts.unions,
    fields: facts.fields.map((field) => fieldOf(name, field)),
  }
}

function fieldOf(owner: string, facts: FieldFacts): Field {
  return {
    name: facts.name,
    schema: withFieldFacts(schemaOf(facts.type, `${owner}.${facts.name}`), facts),
    required: facts.required,
    omitEmpty: facts.omitEmpty,
    omitZero: facts.omitZero,
    pointer: facts.pointer,
    number: facts.number,
    within: facts.within,
  }
}

/** What the table writes at the field belongs to its schema here. */
function withFieldFacts(schema: Schema, facts: FieldFacts): Schema {
  const common = {
    ...(facts.default === undefined ? {} : { default: facts.default }),
    ...(facts.enum === undefined ? {} : { enum: facts.enum }),
    ...(facts.description === undefined ? {} : { description: facts.description }),
  }
  switch (schema.kind) {
    case 'list':
      return {
        ...schema,
        ...common,
        listType: listTypeOf(facts.listType ?? schema.listType, facts.name),
        listMapKeys: facts.listMapKeys,
        patchStrategy: facts.patchStrategy,
        patchMergeKey: facts.patchMergeKey,
      }
    case 'map':
      return { ...schema, ...common, mapType: mapTypeOf(facts.mapType, facts.name) }
    case 'ref':
      return { ...schema, ...common, mapType: mapTypeOf(facts.mapType, facts.name), patchStrategy: facts.patchStrategy }
    case 'scalar':
    case 'object':
    case 'any':
      return { ...schema, ...common }
  }
}

const scalars: Readonly<Record<string, Scalar>> = {
  string: 'string',
  bool: 'bool',
  int32: 'int32',
  int64: 'int64',
  float64: 'number',
  bytes: 'bytes',
  Time: 'time',
  MicroTime: 'microTime',
  Duration: 'duration',
  Quantity: 'quantity',
  IntOrString: 'intOrString',
}

const anys: Readonly<Record<string, AnySchema['any']>> = {
  RawExtension: 'rawExtension',
  FieldsV1: 'fieldsV1',
  JSON: 'json',
  any: 'json',
  JSONSchemaPropsOrBool: 'jsonSchemaPropsOrBool',
  JSONSchemaPropsOrArray: 'jsonSchemaPropsOrArray',
  JSONSchemaPropsOrStringArray: 'jsonSchemaPropsOrStringArray',
}

function schemaOf(shape: TypeShape, where: string): Schema {
  const scalar = Object.hasOwn(scalars, shape.k) ? scalars[shape.k] : undefined
  if (scalar !== undefined) return { kind: 'scalar', scalar, ...(shape.enum === undefined ? {} : { enum: shape.enum }) }
  const any = Object.hasOwn(anys, shape.k) ? anys[shape.k] : undefined
  if (any !== undefined) return { kind: 'any', any }
  if (shape.k === 'ref' && shape.ref !== undefined) return { kind: 'ref', ref: shape.ref } satisfies RefSchema
  if (shape.of !== undefined) {
    const of = schemaOf(shape.of, where)
    if (shape.k === 'list') {
      return { kind: 'list', of, wrapped: shape.wrapped, listType: listTypeOf(shape.listType, where) } satisfies ListSchema
    }
    if (shape.k === 'map') return { kind: 'map', of } satisfies MapSchema
  }
  throw new Error(`the type table has the unknown type "${shape.k}" at ${where}`)
}

function listTypeOf(text: string | undefined, where: string): ListSchema['listType'] {
  if (text === undefined || text === 'atomic' || text === 'set' || text === 'map') return text
  throw new Error(`the type table has the unknown list type "${text}" at ${where}`)
}

function mapTypeOf(text: string | undefined, where: string): MapSchema['mapType'] {
  if (text === undefined || text === 'atomic' || text === 'granular') return text
  throw new Error(`the type table has the unknown map type "${text}" at ${where}`)
}
