import { fieldElement } from './path-element.ts'
import type { PathElement } from './path-element.ts'
import type { Definitions, Schema } from './schema.ts'

/**
 * What structured merge knows of a type: which shapes a value may have, and how each is merged. More than one shape only where the schema says little.
 * Upstream: structured-merge-diff schema/elements.go, kube-openapi pkg/schemaconv.
 */
export interface MergeType {
  readonly scalar?: MergeScalar | undefined
  readonly list?: MergeList | undefined
  readonly map?: MergeMap | undefined
}

export type MergeScalar = 'string' | 'numeric' | 'boolean' | 'untyped'

export interface MergeList {
  /** One value as a whole; otherwise items are told apart by their keys, or by their value when there are no keys (a set). */
  readonly atomic: boolean
  /** Sorted. */
  readonly keys: readonly { readonly name: string; readonly defaultValue: unknown }[]
  readonly of: MergeType
}

export interface MergeMap {
  readonly atomic: boolean
  /** Declared fields in alphabetical order, which is the canonical order of FieldsV1. */
  readonly fields: readonly MergeField[]
  /** Whether other keys than those of `fields` may stand in it. */
  readonly open: boolean
  isDeclared(name: string): boolean
  /** The type of a key; `undefined` when the schema does not declare it. */
  typeOf(name: string): MergeType | undefined
}

export interface MergeField {
  readonly name: string
  readonly element: PathElement
  readonly type: MergeType
}

class LazyField implements MergeField {
  readonly name: string
  readonly element: PathElement
  readonly #compile: () => MergeType
  #type: MergeType | undefined

  constructor(name: string, compileType: () => MergeType) {
    this.name = name
    this.element = fieldElement(name)
    this.#compile = compileType
  }

  get type(): MergeType {
    this.#type ??= this.#compile()
    return this.#type
  }
}

class LazyMap implements MergeMap {
  readonly atomic: boolean
  readonly fields: readonly MergeField[]
  readonly #byName: ReadonlyMap<string, MergeField>
  readonly #compileElement: (() => MergeType) | undefined
  #element: MergeType | undefined

  constructor(fields: readonly MergeField[], options: { readonly atomic: boolean; readonly element: (() => MergeType) | undefined }) {
    this.atomic = options.atomic
    this.fields = fields.toSorted((a, b) => (a.name < b.name ? -1 : 1))
    this.#byName = new Map(fields.map((field) => [field.name, field]))
    this.#compileElement = options.element
  }

  get open(): boolean {
    return this.#compileElement !== undefined
  }

  isDeclared(name: string): boolean {
    return this.#byName.has(name)
  }

  typeOf(name: string): MergeType | undefined {
    const field = this.#byName.get(name)
    if (field !== undefined) return field.type
    this.#element ??= this.#compileElement?.()
    return this.#element
  }
}

const noFields: readonly MergeField[] = []

/** Any value, taken as a whole. */
const untypedAtomic: MergeType = {
  scalar: 'untyped',
  list: {
    atomic: true,
    keys: [],
    get of() {
      return untypedAtomic
    },
  },
  map: new LazyMap(noFields, { atomic: true, element: () => untypedAtomic }),
}

/** Any value: objects are merged key by key, lists taken as a whole. For what no schema describes. */
export const deducedType: MergeType = {
  scalar: 'untyped',
  list: { atomic: true, keys: [], of: untypedAtomic },
  map: new LazyMap(noFields, { atomic: false, element: () => deducedType }),
}

const compiled = new WeakMap<Definitions, WeakMap<Schema, MergeType>>()

/** The merge type of a schema; compiled once for each schema and set of definitions. */
export function mergeTypeOf(schema: Schema, definitions: Definitions): MergeType {
  let types = compiled.get(definitions)
  if (types === undefined) {
    types = new WeakMap()
    compiled.set(definitions, types)
  }
  const known = types.get(schema)
  if (known !== undefined) return known
  const type = compile(schema, { definitions, preserves: false })
  types.set(schema, type)
  return type
}

interface CompileContext {
  readonly definitions: Definitions
  /** `x-kubernetes-preserve-unknown-fields` holds for everything inlined below it. */
  readonly preserves: boolean
}

function compile(schema: Schema, context: CompileContext): MergeType {
  const inner = schema.preserveUnknown === true ? { ...context, preserves: true } : context
  switch (schema.kind) {
    case 'scalar':
      return scalarType(schema.scalar, schema.format)
    case 'list':
      return { list: listType(schema, inner) }
    case 'map':
      return { map: new LazyMap(noFields, { atomic: schema.mapType === 'atomic', element: () => typeBelow(schema.of, inner) }) }
    case 'ref': {
      const target = context.definitions.get(schema.ref)
      if (target === undefined) return deducedType
      if (schema.mapType === undefined) return mergeTypeOf(target, context.definitions)
      return compile({ ...target, mapType: schema.mapType }, { ...context, preserves: false })
    }
    case 'object': {
      const fields = schema.fields.map((field) => new LazyField(field.name, () => typeBelow(field.schema, inner)))
      const { additional } = schema
      const isFree = inner.preserves || (schema.fields.length === 0 && additional === undefined)
      const element = additional !== undefined ? () => typeBelow(additional, inner) : isFree ? () => deducedType : undefined
      return { map: new LazyMap(fields, { atomic: schema.mapType === 'atomic', element }) }
    }
    case 'any':
      return anyType(schema.any)
  }
}

function typeBelow(schema: Schema, context: CompileContext): MergeType {
  return context.preserves ? compile(schema, context) : mergeTypeOf(schema, context.definitions)
}

function scalarType(scalar: string, format: string | undefined): MergeType {
  switch (scalar) {
    case 'string':
      return format === undefined || format === '' || format === 'byte' ? { scalar: 'string' } : { scalar: 'untyped' }
    case 'bytes':
    case 'duration':
      return { scalar: 'string' }
    case 'bool':
      return { scalar: 'boolean' }
    case 'int32':
    case 'int64':
    case 'number':
      return { scalar: 'numeric' }
    default:
      return { scalar: 'untyped' }
  }
}

function anyType(any: string): MergeType {
  switch (any) {
    case 'rawExtension':
      return untypedAtomic
    case 'fieldsV1':
    case 'object':
      return { map: deducedType.map }
    default:
      return deducedType
  }
}

function listType(schema: Extract<Schema, { kind: 'list' }>, context: CompileContext): MergeList {
  const keys = keysOf(schema)
  let of: MergeType | undefined
  let keyFields: MergeList['keys'] | undefined
  return {
    atomic: keys === undefined,
    get keys() {
      keyFields ??= (keys ?? []).toSorted().map((name) => ({ name, defaultValue: defaultOf(schema.of, name, context.definitions) }))
      return keyFields
    },
    get of() {
      of ??= typeBelow(schema.of, context)
      return of
    },
  }
}

/** `undefined` for atomic lists, no keys for sets. */
function keysOf(schema: Extract<Schema, { kind: 'list' }>): readonly string[] | undefined {
  if (schema.listType === 'map') return schema.listMapKeys ?? []
  if (schema.listType === 'set') return []
  if (schema.listType === 'atomic') return undefined
  const merges = schema.patchStrategy?.split(',').includes('merge') === true
  if (!merges) return undefined
  return schema.patchMergeKey === undefined ? [] : [schema.patchMergeKey]
}

function defaultOf(item: Schema, name: string, definitions: Definitions): unknown {
  const object = item.kind === 'ref' ? definitions.get(item.ref) : item
  if (object?.kind !== 'object') return undefined
  return object.fields.find((field) => field.name === name)?.schema.default
}
