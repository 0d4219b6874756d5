import { setOwn } from './json-value.ts'
import type { Definitions, ObjectSchema, Schema } from './schema.ts'

/**
 * Fills absent fields of an object from the schema's defaults, in place, and within what it has filled; a null that is not allowed counts as absent. A default
 * inside an absent object does not make the object. Upstream: apiextensions-apiserver pkg/apiserver/schema/defaulting.
 */
export function applySchemaDefaults(schema: ObjectSchema, definitions: Definitions, object: unknown): void {
  new Defaulter(definitions).apply(schema, object)
}

class Defaulter {
  readonly #definitions: Definitions

  constructor(definitions: Definitions) {
    this.#definitions = definitions
  }

  apply(given: Schema, value: unknown): void {
    if (typeof value !== 'object' || value === null) return
    const schema = given.kind === 'ref' ? this.#definitions.get(given.ref) : given
    if (schema?.kind === 'object') {
      if (!Array.isArray(value)) this.#applyToObject(schema, value as Record<string, unknown>)
    } else if (schema?.kind === 'map') {
      if (!Array.isArray(value)) this.#applyToValues(schema.of, value as Record<string, unknown>)
    } else if (schema?.kind === 'list' && Array.isArray(value)) {
      for (const [i, item] of value.entries()) {
        const filled = orDefault(schema.of, item)
        value[i] = filled
        this.apply(schema.of, filled)
      }
    }
  }

  #applyToObject(schema: ObjectSchema, object: Record<string, unknown>): void {
    const known = new Set<string>()
    for (const field of schema.fields) {
      known.add(field.name)
      const isThere = Object.hasOwn(object, field.name)
      const value = isThere ? object[field.name] : undefined
      const filled = orDefault(field.schema, value)
      if (filled !== value) setOwn(object, field.name, filled)
      this.apply(field.schema, filled)
    }
    if (schema.additional === undefined) return
    for (const key of Object.keys(object)) if (!known.has(key)) this.#applyToValue(schema.additional, object, key)
  }

  #applyToValues(of: Schema, object: Record<string, unknown>): void {
    for (const key of Object.keys(object)) this.#applyToValue(of, object, key)
  }

  #applyToValue(of: Schema, object: Record<string, unknown>, key: string): void {
    const value = object[key]
    const filled = orDefault(of, value)
    if (filled !== value) setOwn(object, key, filled)
    this.apply(of, filled)
  }
}

function orDefault(schema: Schema, value: unknown): unknown {
  const isAbsent = value === undefined || (value === null && schema.nullable !== true)
  return isAbsent && schema.default !== undefined ? structuredClone(schema.default) : value
}
