import type { JsonSchema } from '@gantry/apimachinery'
import { boolType, doubleType, escapeName, intType, listType, mapType } from './types.ts'
import type { ListIdentity, ObjectField, Type } from './types.ts'

/** Upstream's limit for a request, which bounds every estimate. */
export const maxRequestBytes = 3 * 1024 * 1024

const minStringSize = 2
const stringType = (maxElements: number, minSize = minStringSize): Type => ({ kind: 'string', maxElements, minSize })
const typeFields: readonly string[] = ['apiVersion', 'kind']

/**
 * The type of what a structural schema describes; undefined where rules cannot see it. `name`: the name of its type, those
 * of its parts begin with it. `isResource`: apiVersion, kind and metadata.{name,generateName} are always
 * there. Upstream: k8s.io/apiserver pkg/cel/common/schemas.go.
 */
export function typeOfSchema(schema: JsonSchema, isResource: boolean, name = 'selfType'): Type | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return { kind: 'dyn', maxElements: schema.maxLength === undefined ? maxRequestBytes - 2 : notNegative(schema.maxLength) * 4, minSize: 1 }
  }
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (isResource ? 'object' : schema.type) {
    case 'array': {
      const { items } = schema
      if (items === undefined || isArray(items)) return undefined
      const of = typeOfSchema(items, items['x-kubernetes-embedded-resource'] === true, `${name}.@idx`)
      if (of === undefined) return undefined
      return listType(of, {
        maxElements: schema.maxItems === undefined ? Math.floor((maxRequestBytes - 2) / (minSizeOf(of) + 1)) : notNegative(schema.maxItems),
        minSize: 2,
        identity: identityOf(schema),
      })
    }
    case 'object':
      return objectTypeOf(schema, isResource, name)
    case 'string':
      return textType(schema)
    case 'boolean':
      return boolType
    case 'number':
      return doubleType
    case 'integer':
      return intType
    default:
      return undefined
  }
}

function identityOf(schema: JsonSchema): ListIdentity | undefined {
  const type = schema['x-kubernetes-list-type']
  if (type === 'set') return 'item'
  return type === 'map' ? (schema['x-kubernetes-list-map-keys'] ?? []).map((key) => escapeName(key) ?? key) : undefined
}

function isArray(items: JsonSchema | readonly JsonSchema[]): items is readonly JsonSchema[] {
  return Array.isArray(items)
}

function notNegative(value: number): number {
  return Math.max(0, value)
}

function minSizeOf(type: Type): number {
  return type.minSize ?? 0
}

/** The least number of bytes that a value of a type takes. */
export function minSerializedSize(type: Type): number {
  return minSizeOf(type)
}

function objectTypeOf(schema: JsonSchema, isResource: boolean, name: string): Type | undefined {
  const { additionalProperties } = schema
  if (typeof additionalProperties === 'object') {
    const of = typeOfSchema(additionalProperties, additionalProperties['x-kubernetes-embedded-resource'] === true, `${name}.@elem`)
    if (of === undefined) return undefined
    const maxElements = schema.maxProperties === undefined ? Math.floor((maxRequestBytes - 2) / (minSizeOf(of) + 6)) : notNegative(schema.maxProperties)
    return mapType(stringType(Infinity), of, { maxElements, minSize: 2 })
  }
  const required = new Set(schema.required)
  const fields = new Map<string, ObjectField>()
  let minSize = 2
  for (const [field, property] of Object.entries(isResource ? withMeta(schema) : (schema.properties ?? {}))) {
    const type = typeOfSchema(property, property['x-kubernetes-embedded-resource'] === true, `${name}.${escapeName(field) ?? field}`)
    if (type === undefined) continue
    const escaped = escapeName(field)
    if (escaped !== undefined) fields.set(escaped, { type, json: field })
    if (required.has(field) && property.default === undefined) minSize += field.length + minSizeOf(type) + 4
  }
  return { kind: 'object', name, fields, maxElements: 0, minSize }
}

const text: JsonSchema = { type: 'string' }

function withMeta(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const properties: Record<string, JsonSchema> = { ...schema.properties }
  for (const name of typeFields) properties[name] = text
  properties['metadata'] = { type: 'object', properties: { name: text, generateName: text } }
  return properties
}

function textType(schema: JsonSchema): Type {
  const { maxLength } = schema
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (schema.format) {
    case 'byte':
      return { kind: 'bytes', maxElements: maxLength === undefined ? maxRequestBytes - 2 : notNegative(maxLength), minSize: minStringSize }
    case 'duration':
      return { kind: 'duration', maxElements: 32, minSize: 3 }
    case 'date':
      return { kind: 'timestamp', maxElements: 12, minSize: 12 }
    case 'date-time':
      return { kind: 'timestamp', maxElements: 32, minSize: 21 }
    default:
  }
  if (maxLength !== undefined) return stringType(notNegative(maxLength) * 4)
  const { enum: values = [] } = schema
  if (values.length === 0) return stringType(maxRequestBytes - 2)
  return stringType(values.reduce<number>((longest, value) => Math.max(longest, typeof value === 'string' ? Buffer.byteLength(value) : 0), 0))
}
