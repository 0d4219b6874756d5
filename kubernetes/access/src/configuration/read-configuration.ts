import { createDecoder, formatFieldError, goQuote, isJsonObject, parseYaml } from '@gantry/apimachinery'
import type { FieldError, ObjectSchema, Schema } from '@gantry/apimachinery'

const group = 'apiserver.config.k8s.io'
/** What these files hold is the same in all of them. */
const versions = ['v1', 'v1beta1', 'v1alpha1'].map((version) => `${group}/${version}`)
const longestFileBytes = 1 << 20

export const text: Schema = { kind: 'scalar', scalar: 'string' }
export const flag: Schema = { kind: 'scalar', scalar: 'bool' }
export const duration: Schema = { kind: 'scalar', scalar: 'duration' }

export function listOf(of: Schema): Schema {
  return { kind: 'list', of }
}

/**
 * A struct, under the name that messages have for it, whose empty fields are as good as absent ones, but for those that are named: there an empty value says something. Structs in it are always
 * there.
 */
export function structOf(name: string, fields: Readonly<Record<string, Schema>>, kept: readonly string[] = []): ObjectSchema {
  return {
    kind: 'object',
    name,
    fields: Object.entries(fields).map(([field, schema]) => ({ name: field, schema, omitEmpty: true, pointer: kept.includes(field) })),
  }
}

/** One YAML or JSON document of the kind, decoded strictly. Throws an Error that names the field, in upstream's words: apimachinery pkg/runtime/serializer/json. */
export function readConfiguration(content: string, kind: string, schema: ObjectSchema): Record<string, unknown> {
  const { object, strict } = decodeConfiguration(content, { kind, versions, schema })
  if (strict.length > 0) throw new Error(`strict decoding error: ${strict.join(', ')}`)
  return object
}

/** One YAML or JSON document of the kind in one of the versions, the first of which is recommended, and what a strict reader would refuse. Throws an Error that says what is no such document. */
export function decodeConfiguration(
  content: string,
  wanted: { readonly kind: string; readonly versions: readonly string[]; readonly schema: ObjectSchema },
): { readonly object: Record<string, unknown>; readonly strict: readonly string[] } {
  const { kind, schema } = wanted
  if (Buffer.byteLength(content) > longestFileBytes) throw new Error(`it is longer than ${longestFileBytes} bytes`)
  if (content.trim() === '') throw new Error('empty config data')
  const { value, duplicates } = parseYaml(content)
  if (!isJsonObject(value)) throw new Error(`expected ${kind}, got no object`)
  const { apiVersion, kind: given } = value
  if (given !== kind || typeof apiVersion !== 'string' || !wanted.versions.includes(apiVersion))
    throw new Error(`expected ${kind} of ${wanted.versions[0]}, got ${JSON.stringify(given)} of ${JSON.stringify(apiVersion)}`)
  const { object, unknownFields } = createDecoder({ get: () => undefined }).decode(
    { ...schema, fields: [{ name: 'apiVersion', schema: text }, { name: 'kind', schema: text }, ...schema.fields] },
    value,
  )
  return { object, strict: [...duplicates, ...unknownFields.map((path) => `unknown field ${goQuote(path)}`)] }
}

/** Throws an Error that tells all of them, as upstream's aggregates do: the same message once. */
export function throwIfAny(problems: readonly FieldError[]): void {
  const messages = [...new Set(problems.map(formatFieldError))]
  if (messages.length > 0) throw new Error(messages.length === 1 ? messages[0] : `[${messages.join(', ')}]`)
}
