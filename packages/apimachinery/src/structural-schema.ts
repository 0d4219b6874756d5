import type { Definitions, Field, ObjectSchema, Schema } from './schema.ts'

/** JSONSchemaProps of apiextensions.k8s.io/v1, as a CustomResourceDefinition carries it. */
export interface JsonSchema {
  readonly type?: string | undefined
  readonly format?: string | undefined
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly default?: unknown
  readonly nullable?: boolean | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly maximum?: number | undefined
  readonly exclusiveMaximum?: boolean | undefined
  readonly minimum?: number | undefined
  readonly exclusiveMinimum?: boolean | undefined
  readonly maxLength?: number | undefined
  readonly minLength?: number | undefined
  readonly pattern?: string | undefined
  readonly maxItems?: number | undefined
  readonly minItems?: number | undefined
  readonly uniqueItems?: boolean | undefined
  readonly multipleOf?: number | undefined
  readonly maxProperties?: number | undefined
  readonly minProperties?: number | undefined
  readonly required?: readonly string[] | undefined
  readonly items?: JsonSchema | readonly JsonSchema[] | undefined
  readonly allOf?: readonly JsonSchema[] | undefined
  readonly oneOf?: readonly JsonSchema[] | undefined
  readonly anyOf?: readonly JsonSchema[] | undefined
  readonly not?: JsonSchema | undefined
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined
  readonly additionalProperties?: JsonSchema | boolean | undefined
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean | undefined
  readonly 'x-kubernetes-embedded-resource'?: boolean | undefined
  readonly 'x-kubernetes-int-or-string'?: boolean | undefined
  readonly 'x-kubernetes-list-type'?: string | undefined
  readonly 'x-kubernetes-list-map-keys'?: readonly string[] | undefined
  readonly 'x-kubernetes-map-type'?: string | undefined
  readonly 'x-kubernetes-validations'?: readonly unknown[] | undefined
  readonly id?: string | undefined
  readonly $ref?: string | undefined
  readonly patternProperties?: unknown
  readonly dependencies?: unknown
  readonly additionalItems?: unknown
  readonly definitions?: unknown
}

/** The definition of every object's metadata. */
export const objectMetaDefinition = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

export interface CustomKind {
  readonly definitions: Definitions
  readonly group: string
  readonly version: string
  readonly kind: string
}

/**
 * The schema of a custom resource, from its `openAPIV3Schema` (which `structuralSchemaProblems` has found to be structural). Fields are alphabetical, as upstream
 * writes custom resources; `metadata` is that of every object.
 */
export function structuralSchemaOf(schema: JsonSchema, kind: CustomKind): ObjectSchema {
  const fields = fieldsOf(schema).filter((field) => !typeAndMeta.has(field.name))
  const string: Schema = { kind: 'scalar', scalar: 'string' }
  return {
    kind: 'object',
    name: `${kind.group.split('.').reverse().join('.')}.${kind.version}.${kind.kind}`,
    structural: true,
    ...commonOf(schema),
    mapType: mapTypeOf(schema),
    embeddedResource: true,
    fields: [
      ...fields,
      optional('apiVersion', { ...string, ...describe(schema.properties?.['apiVersion'], apiVersionDescription) }),
      optional('kind', { ...string, ...describe(schema.properties?.['kind'], kindDescription) }),
      optional('metadata', { kind: 'ref', ref: objectMetaDefinition, ...describe(schema.properties?.['metadata'], metadataDescription) }),
    ].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    additional: additionalOf(schema),
  }
}

export const typeAndMeta: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata'])

const apiVersionDescription = 'Group and version of the API that this object is written in.'
const kindDescription = 'What this object is; cannot change.'
const metadataDescription = 'Name, labels and everything else that all objects have.'

function describe(schema: JsonSchema | undefined, description: string): { description: string } {
  return { description: schema?.description ?? description }
}

function optional(name: string, schema: Schema): Field {
  return { name, schema, omitEmpty: true, pointer: true }
}

function fieldsOf(schema: JsonSchema): Field[] {
  const required = new Set(schema.required)
  return Object.entries(schema.properties ?? {})
    .map(([name, property]) => ({ ...optional(name, structuralNodeOf(property)), ...(required.has(name) ? { required: true } : {}) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

/** `additionalProperties: true` keeps values, but nothing inside of them is known. */
function additionalOf(schema: JsonSchema): Schema | undefined {
  const { additionalProperties } = schema
  if (additionalProperties === undefined || additionalProperties === false) return undefined
  return additionalProperties === true ? { kind: 'any', any: 'json' } : structuralNodeOf(additionalProperties)
}

function commonOf(schema: JsonSchema): object {
  return {
    ...(schema.description === undefined ? {} : { description: schema.description }),
    ...(schema.default === undefined || schema.default === null ? {} : { default: schema.default }),
    ...(schema.nullable === true ? { nullable: true } : {}),
    ...(schema.enum === undefined ? {} : { enum: schema.enum }),
    ...(schema['x-kubernetes-preserve-unknown-fields'] === true ? { preserveUnknown: true } : {}),
    validations: schema,
  }
}

/** The schema of one node below the root. */
export function structuralNodeOf(schema: JsonSchema): Schema {
  const common = commonOf(schema)
  if (schema['x-kubernetes-int-or-string'] === true && schema.type !== 'object') return { kind: 'scalar', scalar: 'intOrString', ...common }
  switch (schema.type ?? '') {
    case 'string':
      return { kind: 'scalar', scalar: 'string', ...(schema.format === undefined ? {} : { format: schema.format }), ...common }
    case 'integer':
      return {
        kind: 'scalar',
        scalar: schema.format === 'int32' ? 'int32' : 'int64',
        ...(schema.format === undefined ? {} : { format: schema.format }),
        ...common,
      }
    case 'number':
      return { kind: 'scalar', scalar: 'number', ...(schema.format === undefined ? {} : { format: schema.format }), ...common }
    case 'boolean':
      return { kind: 'scalar', scalar: 'bool', ...common }
    case 'array': {
      const { items } = schema
      const of: Schema = items === undefined || isList(items) ? { kind: 'any', any: 'json' } : structuralNodeOf(items)
      return { kind: 'list', of, listType: listTypeOf(schema), listMapKeys: schema['x-kubernetes-list-map-keys'], ...common }
    }
    case 'object':
      return objectOf(schema, common)
    default:
      return { kind: 'any', any: 'json', ...common }
  }
}

function isList(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items)
}

function objectOf(schema: JsonSchema, common: object): Schema {
  const additional = additionalOf(schema)
  const mapType = mapTypeOf(schema)
  if (additional !== undefined && Object.keys(schema.properties ?? {}).length === 0) return { kind: 'map', of: additional, mapType, ...common }
  const embedded = schema['x-kubernetes-embedded-resource'] === true
  const fields = fieldsOf(schema)
  if (embedded) {
    for (const name of typeAndMeta) {
      const at = fields.findIndex((field) => field.name === name)
      if (at >= 0 && name !== 'metadata') continue
      const field = optional(name, name === 'metadata' ? { kind: 'ref', ref: objectMetaDefinition } : { kind: 'scalar', scalar: 'string' })
      fields.splice(at < 0 ? fields.length : at, at < 0 ? 0 : 1, field)
    }
    fields.sort((a, b) => (a.name < b.name ? -1 : 1))
  }
  return { kind: 'object', fields, mapType, additional, ...(embedded ? { embeddedResource: true } : {}), ...common }
}

function listTypeOf(schema: JsonSchema): 'atomic' | 'set' | 'map' | undefined {
  const type = schema['x-kubernetes-list-type']
  return type === 'atomic' || type === 'set' || type === 'map' ? type : undefined
}

function mapTypeOf(schema: JsonSchema): 'atomic' | 'granular' | undefined {
  const type = schema['x-kubernetes-map-type']
  return type === 'atomic' || type === 'granular' ? type : undefined
}
