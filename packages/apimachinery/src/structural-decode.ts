import { isJsonObject, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { StatusError } from './status.ts'
import type { ObjectSchema, Schema } from './schema.ts'
import { compareUtf8 } from './utf8.ts'

/** What decoding a custom resource needs from the decoder around it. */
export interface StructuralContext {
  /** Where the value stands that is being decoded. */
  readonly path: (string | number)[]
  /** Reports the field `key` at the present path. */
  addUnknown(key: string): void
  /** Decodes an ObjectMeta as a Go struct at the present path; throws what is wrong with it. */
  decodeMeta(value: unknown): unknown
  /** Says that the value at the present path is not text where it must be. */
  failNotText(key: string, value: unknown): never
}

/**
 * Rebuilds a custom resource: unknown fields are pruned, nulls that are neither allowed nor to be defaulted go, metadata is typed, keys are alphabetical. Wrong types stay,
 * validation reports them. Upstream: apiextensions-apiserver unstructuredSchemaCoercer and pkg/apiserver/schema/{pruning,objectmeta,defaulting}.
 */
export function decodeStructural(schema: ObjectSchema, value: JsonObject, context: StructuralContext): JsonObject {
  const out = rebuildObject(schema, value, { context, keep: schema.preserveUnknown === true })
  if (Object.hasOwn(out, 'metadata')) return out
  return sortedObject([...Object.entries(out), ['metadata', context.decodeMeta({})]])
}

/** A value of a custom resource without what its schema does not know; for defaults. Metadata of embedded resources is left as it is. */
export function pruneStructural(schema: Schema, value: unknown): unknown {
  const context: StructuralContext = {
    path: [],
    addUnknown() {},
    decodeMeta: (meta) => meta,
    failNotText: () => {
      throw new StatusError('BadRequest', 'apiVersion and kind must be strings')
    },
  }
  return rebuild(schema, value, { context, keep: false })
}

interface Mode {
  readonly context: StructuralContext
  /** Unknown fields stay (x-kubernetes-preserve-unknown-fields). */
  readonly keep: boolean
}

function rebuild(schema: Schema | undefined, value: unknown, mode: Mode): unknown {
  if (typeof value !== 'object' || value === null) return value
  const keep = mode.keep || schema?.preserveUnknown === true
  if (Array.isArray(value)) {
    const of = schema?.kind === 'list' ? schema.of : undefined
    // Without a schema for the items, keeping keeps them whole.
    return inside(value, mode.context, (item) => (keep && of === undefined ? sorted(item) : rebuild(of, item, { ...mode, keep })))
  }
  return rebuildObject(schema, value as JsonObject, { ...mode, keep })
}

function inside(items: readonly unknown[], context: StructuralContext, decode: (item: unknown) => unknown): unknown[] {
  const depth = context.path.length
  const out = items.map((item, i) => {
    context.path[depth] = i
    return decode(item)
  })
  context.path.length = depth
  return out
}

function rebuildObject(schema: Schema | undefined, value: JsonObject, { context, keep }: Mode): JsonObject {
  const { path } = context
  const depth = path.length
  const isResource = schema?.kind === 'object' && schema.embeddedResource === true
  const out: JsonObject = {}
  for (const key of Object.keys(value).sort(compareUtf8)) {
    const item = value[key]
    if (item === undefined) continue
    path.length = depth
    if (isResource && (key === 'apiVersion' || key === 'kind')) {
      if (typeof item !== 'string') context.failNotText(key, item)
      setOwn(out, key, item)
      continue
    }
    const of = isResource && key === 'metadata' ? 'metadata' : schemaOfKey(schema, key)
    if (of === undefined && !keep) {
      if (depth > 0 || !isTypeOrMeta(key)) context.addUnknown(key)
      continue
    }
    path[depth] = key
    if (of === 'metadata') setOwn(out, key, sorted(context.decodeMeta(item)))
    else if (of === undefined) setOwn(out, key, sorted(item))
    else if (item !== null || of.nullable === true || of.default !== undefined || isUnknownValue(of))
      setOwn(out, key, rebuild(of, item, { context, keep: false }))
  }
  path.length = depth
  return out
}

function isTypeOrMeta(key: string): boolean {
  return key === 'apiVersion' || key === 'kind' || key === 'metadata'
}

/** `additionalProperties: true` says nothing about its values. */
function isUnknownValue(schema: Schema): boolean {
  return schema.kind === 'any' && schema.validations === undefined
}

const fieldsByName = new WeakMap<ObjectSchema, ReadonlyMap<string, Schema>>()

function schemaOfKey(schema: Schema | undefined, key: string): Schema | undefined {
  if (schema?.kind === 'map') return schema.of
  if (schema?.kind !== 'object') return undefined
  let fields = fieldsByName.get(schema)
  if (fields === undefined) {
    fields = new Map(schema.fields.map((field) => [field.name, field.schema]))
    fieldsByName.set(schema, fields)
  }
  return fields.get(key) ?? schema.additional
}

/** A copy with all keys in order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  return isJsonObject(value) ? sortedObject(Object.entries(value).map(([key, item]) => [key, sorted(item)])) : value
}

function sortedObject(entries: [string, unknown][]): JsonObject {
  const out: JsonObject = {}
  for (const [key, value] of entries.toSorted(([a], [b]) => compareUtf8(a, b))) setOwn(out, key, value)
  return out
}
