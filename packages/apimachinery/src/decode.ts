import { canonicalBase64 } from './base64.ts'
import { goQuote } from './go-quote.ts'
import { canonicalDuration, canonicalMicroTime, canonicalTime } from './go-time.ts'
import { isJsonObject, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { formatStrictPath, maxStrictErrors } from './parse-json.ts'
import { canonicalQuantity } from './quantity.ts'
import type { Definitions, Field, ListSchema, MapSchema, ObjectSchema, Scalar, Schema } from './schema.ts'
import { StatusError } from './status.ts'
import { decodeStructural } from './structural-decode.ts'
import { objectMetaDefinition } from './structural-schema.ts'
import { compareUtf8 } from './utf8.ts'

export interface Decoded {
  /** A new object in the schema's field order, without what a Go struct would not write. Subtrees of free JSON are the input's own. */
  readonly object: Record<string, unknown>
  /** Paths as strict decoding prints them: `spec.containers[0].foo`. At most 100. */
  readonly unknownFields: readonly string[]
}

export interface Decoder {
  /**
   * Decodes as a Go struct would be decoded and encoded again: unknown fields go, nulls and empty `omitEmpty` values go, fields without
   * `omitEmpty` appear with their zero value, times, quantities and base64 become canonical. Throws a BadRequest with Go's words.
   * A custom resource (`schema.structural`) is pruned instead, its metadata alone is typed, and its keys are sorted.
   */
  decode(schema: ObjectSchema, value: unknown, options?: DecodeOptions): Decoded
}

export interface DecodeOptions {
  /** What a failure calls the object, as in `Pod in version "v1" cannot be handled as a Pod`. Default: its own kind and apiVersion. */
  readonly kind?: string | undefined
  readonly version?: string | undefined
  /** The value has been worked out (a strategic patch) and not read: a failure is told in the words of upstream's conversion of maps into structs, which name no field. */
  readonly isWorkedOut?: boolean | undefined
}

export function createDecoder(definitions: Definitions): Decoder {
  return new StructDecoder(definitions)
}

type DecodeValue = (value: unknown, context: Context) => unknown

/** How values of one schema are decoded. Built once per schema object. */
interface Plan {
  /** Takes anything but `undefined`; `null` gives the zero value. */
  readonly decode: DecodeValue
  /** The zero value as Go writes it. A new one for each call. */
  readonly zero: () => unknown
  /** Whether Go's omitempty leaves this (decoded, non-null) value out: never for structs, times and quantities. */
  readonly isEmpty: (value: unknown) => boolean
}

interface FieldPlan {
  readonly name: string
  readonly position: number
  readonly plain: 'string' | 'boolean' | undefined
  readonly plan: () => Plan
  readonly omitEmpty: boolean
  readonly omitZero: boolean
  readonly pointer: boolean
}

/** What one call carries: where it is, and what it found. */
class Context {
  /** Whole numbers that are too large lose their upper half, as in a conversion of Go, instead of being refused. */
  readonly wraps: boolean
  readonly path: (string | number)[] = []
  readonly unknown = new Set<string>()
  /** Scratch stack of the fields present in the objects being decoded. */
  readonly found: FieldPlan[] = []
  readonly values: unknown[] = []
  top = 0

  constructor(wraps = false) {
    this.wraps = wraps
  }

  addUnknown(key: string): void {
    if (this.unknown.size < maxStrictErrors) this.unknown.add(formatStrictPath([...this.path, key]))
  }
}

/** A value of the wrong JSON type, before it is known which Go field it stands in. */
class TypeMismatch extends Error {
  readonly value: unknown
  readonly goType: string

  constructor(value: unknown, goType: string) {
    super(describeJsonType(value, goType))
    this.value = value
    this.goType = goType
  }
}

function describeJsonType(value: unknown, goType: string): string {
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'boolean') return 'bool'
  // encoding/json names the digits only where it has tried to read them.
  if (typeof value === 'number') return goType.startsWith('int') || goType === 'float64' ? `number ${value}` : 'number'
  return value === null ? 'null' : typeof value
}

/** A value of the right JSON type with the wrong grammar: upstream's own text, without a field. */
class Malformed extends Error {}

class StructDecoder implements Decoder {
  readonly #definitions: Definitions
  readonly #plans = new WeakMap<Schema, Plan>()

  constructor(definitions: Definitions) {
    this.#definitions = definitions
  }

  decode(schema: ObjectSchema, value: unknown, options: DecodeOptions = {}): Decoded {
    const context = new Context(options.isWorkedOut)
    try {
      if (value === null) throw new TypeMismatch(value, goTypeOf(schema))
      const object = schema.structural === true ? this.#decodeStructural(schema, value, context) : (this.#planOf(schema).decode(value, context) as JsonObject)
      return { object, unknownFields: context.unknown.size === 0 ? none : [...context.unknown] }
    } catch (error) {
      if (!(error instanceof TypeMismatch) && !(error instanceof Malformed)) throw error
      if (options.isWorkedOut === true) {
        const at = this.#walk(schema, context.path).schema
        const text = error instanceof TypeMismatch ? describeConversion(at, error) : isBytes(at) ? `error decoding from json: ${error.message}` : error.message
        throw new StatusError('BadRequest', text, { cause: error })
      }
      const text = error instanceof TypeMismatch ? this.#describeMismatch(schema, context.path, error) : error.message
      throw new StatusError('BadRequest', `${describeTarget(schema, value, options)}: ${text}`, { cause: error })
    }
  }

  #decodeStructural(schema: ObjectSchema, value: unknown, context: Context): JsonObject {
    if (!isJsonObject(value)) throw new TypeMismatch(value, 'map[string]interface {}')
    return decodeStructural(schema, value, {
      path: context.path,
      addUnknown: (key) => context.addUnknown(key),
      decodeMeta: (meta) => this.#decodeMeta(meta, context),
      failNotText: (key, found) => {
        throw new Malformed(`${formatStrictPath([...context.path, key])}: Invalid value: ${JSON.stringify(found)}: must be a string`)
      },
    })
  }

  /** Upstream decodes metadata apart from the object: messages start at ObjectMeta, unknown fields with their whole path. */
  #decodeMeta(value: unknown, outer: Context): unknown {
    const schema = this.#resolve({ kind: 'ref', ref: objectMetaDefinition })
    const context = new Context()
    try {
      const meta = this.#planOf(schema).decode(value, context)
      for (const path of context.unknown) outer.addUnknown(path)
      return meta
    } catch (error) {
      const why = error instanceof TypeMismatch ? this.#describeMismatch(schema, context.path, error) : error instanceof Malformed ? error.message : undefined
      if (why === undefined) throw error
      // That of an embedded resource is told with its place.
      const place = outer.path.length > 1 ? `${formatStrictPath(outer.path)}: Invalid value: ${JSON.stringify(value)}: ` : ''
      throw new Malformed(`${place}${why}`, { cause: error })
    }
  }

  #describeMismatch(root: Schema, path: readonly (string | number)[], mismatch: TypeMismatch): string {
    const { struct, fields } = this.#walk(root, path)
    const target = struct === '' ? 'Go value' : `Go struct field ${struct}.${fields.join('.')}`
    return `json: cannot unmarshal ${mismatch.message} into ${target} of type ${mismatch.goType}`
  }

  /** The schema at the end of a path, and the Go struct around it. */
  #walk(
    root: Schema,
    path: readonly (string | number)[],
  ): { readonly struct: string; readonly fields: readonly string[]; readonly schema: Schema | undefined } {
    let struct = ''
    const fields: string[] = []
    let at: Schema | undefined = root
    for (const step of path) {
      const schema: Schema | undefined = at === undefined ? undefined : this.#resolve(at)
      if (schema?.kind === 'object' && typeof step === 'string') {
        struct = schema.name?.split('.').at(-1) ?? ''
        fields.push(step)
        at = schema.fields.find((field) => field.name === step)?.schema ?? schema.additional
        if (at?.kind === 'any') at = schema
      } else if (schema?.kind === 'list' || schema?.kind === 'map') {
        at = schema.of
      }
    }
    return { struct, fields, schema: at === undefined ? undefined : this.#resolve(at) }
  }

  #resolve(schema: Schema): Schema {
    if (schema.kind !== 'ref') return schema
    const definition = this.#definitions.get(schema.ref)
    if (definition === undefined) throw new Error(`no definition named ${schema.ref}`)
    return definition
  }

  #planOf(given: Schema): Plan {
    const schema = this.#resolve(given)
    let plan = this.#plans.get(schema)
    if (plan === undefined) {
      plan = this.#compile(schema)
      this.#plans.set(schema, plan)
    }
    return plan
  }

  #compile(schema: Schema): Plan {
    switch (schema.kind) {
      case 'scalar':
        return scalarPlans[schema.scalar]
      case 'object':
        return this.#compileObject(schema)
      case 'map':
        return this.#compileMap(schema)
      case 'list':
        return this.#compileList(schema)
      case 'any':
        return anyPlan
      case 'ref':
        throw new Error(`the reference ${schema.ref} was not resolved`)
    }
  }

  #compileObject(schema: ObjectSchema): Plan {
    const fields = schema.fields.map((field, position) => this.#compileField(schema, { field, position }))
    const byName = new Map(fields.map((field) => [field.name, field]))
    let always: readonly FieldPlan[] | undefined
    const { additional, preserveUnknown = false } = schema
    const goType = goTypeOf(schema)

    const writeAbsent = (out: Record<string, unknown>, field: FieldPlan): void => {
      out[field.name] = field.pointer ? null : field.plan().zero()
    }
    const decode: DecodeValue = (value, context) => {
      if (value === null) return zero()
      if (typeof value !== 'object' || Array.isArray(value)) throw new TypeMismatch(value, goType)
      const input = value as Record<string, unknown>
      const { found, values, path } = context
      const base = context.top
      let top = base
      let last = -1
      let sorted = true
      let others: string[] | undefined
      for (const key in input) {
        const field = byName.get(key)
        if (field === undefined) {
          if (input[key] === undefined) continue
          if (additional === undefined && !preserveUnknown) context.addUnknown(key)
          else (others ??= []).push(key)
          continue
        }
        const item = input[key]
        if (item === null || item === undefined) continue
        if (field.position < last) sorted = false
        last = field.position
        found[top] = field
        values[top++] = item
      }
      if (!sorted) sortByPosition(context, base, top)
      context.top = top

      always ??= fields.filter((field) => isAlwaysWritten(field))
      const out: Record<string, unknown> = {}
      let nextAlways = 0
      const depth = path.length
      for (let i = base; i < top; i++) {
        const field = found[i] as FieldPlan
        while (nextAlways < always.length && (always[nextAlways] as FieldPlan).position < field.position) {
          writeAbsent(out, always[nextAlways++] as FieldPlan)
        }
        if (nextAlways < always.length && always[nextAlways] === field) nextAlways++
        const item = values[i]
        if (typeof item === field.plain) {
          if (item || field.pointer || !field.omitEmpty) out[field.name] = item
          continue
        }
        path[depth] = field.name
        const plan = field.plan()
        const decoded = plan.decode(item, context)
        if (field.pointer || !field.omitEmpty || !plan.isEmpty(decoded)) {
          if (decoded !== null || !field.omitZero) out[field.name] = decoded
        }
      }
      while (nextAlways < always.length) writeAbsent(out, always[nextAlways++] as FieldPlan)
      context.top = base
      path.length = depth
      if (others !== undefined) this.#decodeOthers({ schema, input, others }, out, context)
      return out
    }
    const zero = (): unknown => decode({}, new Context())
    return { decode, zero, isEmpty: never }
  }

  #decodeOthers(
    { schema, input, others }: { readonly schema: ObjectSchema; readonly input: Record<string, unknown>; readonly others: readonly string[] },
    out: Record<string, unknown>,
    context: Context,
  ): void {
    const plan = schema.additional === undefined ? undefined : this.#planOf(schema.additional)
    for (const key of others.toSorted(compareUtf8)) {
      context.path.push(key)
      setOwn(out, key, plan === undefined ? input[key] : plan.decode(input[key], context))
      context.path.pop()
    }
  }

  #compileField(owner: ObjectSchema, { field, position }: { readonly field: Field; readonly position: number }): FieldPlan {
    // Plans are made when first needed: definitions refer to themselves.
    let plan: Plan | undefined
    const { schema } = field
    const make = (): Plan => {
      // apiextensions' JSONSchemaPropsOr…: an object in there is another one of the type around it.
      if (schema.kind === 'any' && schema.any.startsWith('jsonSchemaPropsOr')) return selfOrOther(() => this.#planOf(owner), schema.any)
      return this.#planOf(schema)
    }
    const plain = schema.kind !== 'scalar' ? undefined : schema.scalar === 'string' ? 'string' : schema.scalar === 'bool' ? 'boolean' : undefined
    return {
      name: field.name,
      position,
      plain,
      plan: () => (plan ??= make()),
      omitEmpty: field.omitEmpty === true,
      omitZero: field.omitZero === true,
      pointer: field.pointer === true,
    }
  }

  #compileMap(schema: MapSchema): Plan {
    const isStringMap = schema.of.kind === 'scalar' && schema.of.scalar === 'string'
    const isBytesMap = schema.of.kind === 'scalar' && schema.of.scalar === 'bytes'
    const goType = goTypeOf(schema)
    let plan: Plan | undefined
    const decode: DecodeValue = (value, context) => {
      if (value === null) return null
      if (typeof value !== 'object' || Array.isArray(value)) throw new TypeMismatch(value, goType)
      const input = value as Record<string, unknown>
      const out: Record<string, unknown> = {}
      const of = (plan ??= this.#planOf(schema.of))
      const { path } = context
      const depth = path.length
      for (const key of keysInOrder(input)) {
        const item = input[key]
        if (item === undefined) continue
        if (isStringMap && typeof item === 'string') {
          setOwn(out, key, item)
        } else if (isBytesMap && item === null) {
          // Protobuf, in which upstream stores, knows no other nothing in a map than no bytes.
          setOwn(out, key, '')
        } else {
          path[depth] = key
          setOwn(out, key, of.decode(item, context))
        }
      }
      path.length = depth
      return out
    }
    return { decode, zero: zeroNull, isEmpty: hasNoKey }
  }

  #compileList(schema: ListSchema): Plan {
    const goType = goTypeOf(schema)
    let plan: Plan | undefined
    const decode: DecodeValue = (value, context) => {
      if (value === null) return null
      if (!Array.isArray(value)) throw new TypeMismatch(value, goType)
      const of = (plan ??= this.#planOf(schema.of))
      const { path } = context
      const depth = path.length
      const out: unknown[] = []
      for (let i = 0; i < value.length; i++) {
        path[depth] = i
        out.push(of.decode(value[i], context))
      }
      path.length = depth
      return out
    }
    return { decode, zero: zeroNull, isEmpty: (value) => value === null || (value as unknown[]).length === 0 }
  }
}

const none: readonly string[] = []

function isAlwaysWritten(field: FieldPlan): boolean {
  if (!field.omitEmpty && !field.omitZero) return true
  if (field.pointer || field.omitZero) return false
  return field.plan().isEmpty === never
}

function sortByPosition(context: Context, from: number, to: number): void {
  const { found, values } = context
  for (let i = from + 1; i < to; i++) {
    const field = found[i] as FieldPlan
    const value = values[i]
    let at = i
    for (; at > from && (found[at - 1] as FieldPlan).position > field.position; at--) {
      found[at] = found[at - 1] as FieldPlan
      values[at] = values[at - 1]
    }
    found[at] = field
    values[at] = value
  }
}

/** Go writes map keys sorted by their bytes. */
function keysInOrder(input: Record<string, unknown>): string[] {
  const keys = Object.keys(input)
  for (let i = 1; i < keys.length; i++) if ((keys[i - 1] as string) > (keys[i] as string)) return keys.sort(compareUtf8)
  return keys
}

const never = (): boolean => false
const zeroNull = (): unknown => null
const isFalsy = (value: unknown): boolean => value === '' || value === 0 || value === false
const isEmptyText = (value: unknown): boolean => value === '' || value === null

function hasNoKey(value: unknown): boolean {
  for (const _ in value as object) return false
  return true
}

/** A text with a grammar; `null` stands for Go's zero value. */
function textPlan(canonical: (text: string) => unknown, options: { readonly goType: string; readonly zero: unknown; readonly isEmpty: Plan['isEmpty'] }): Plan {
  return {
    decode: (value) => {
      if (value === null) return options.zero
      if (typeof value !== 'string') throw new TypeMismatch(value, options.goType)
      return orMalformed(canonical, value)
    },
    zero: () => options.zero,
    isEmpty: options.isEmpty,
  }
}

function orMalformed(canonical: (text: string) => unknown, text: string): unknown {
  try {
    return canonical(text)
  } catch (error) {
    throw new Malformed(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function integerPlan(goType: string, min: number, max: number): Plan {
  return {
    decode: (value) => {
      if (value === null) return 0
      if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw new TypeMismatch(value, goType)
      return value
    },
    zero: () => 0,
    isEmpty: isFalsy,
  }
}

const int32Plan = integerPlan('int32', -(2 ** 31), 2 ** 31 - 1)

/** Canonical forms of quantities seen lately: a cluster uses a few hundred of them. */
const canonicalQuantities = new Map<string, string>()
const maxCanonicalQuantities = 1000

function decodeQuantity(value: unknown): unknown {
  if (value === null) return '0'
  const text = typeof value === 'string' ? value.trim() : JSON.stringify(value)
  const known = canonicalQuantities.get(text)
  if (known !== undefined) return known
  const canonical = String(orMalformed(canonicalQuantity, text))
  if (canonicalQuantities.size >= maxCanonicalQuantities) canonicalQuantities.clear()
  if (text.length <= 64) canonicalQuantities.set(text, canonical)
  return canonical
}

const scalarPlans: Readonly<Record<Scalar, Plan>> = {
  string: textPlan((text) => text, { goType: 'string', zero: '', isEmpty: isFalsy }),
  bool: {
    decode: (value) => {
      if (value === null) return false
      if (typeof value !== 'boolean') throw new TypeMismatch(value, 'bool')
      return value
    },
    zero: () => false,
    isEmpty: isFalsy,
  },
  int32: { ...int32Plan, decode: (value, context) => int32Plan.decode(context.wraps && Number.isInteger(value) ? Number(value) | 0 : value, context) },
  int64: integerPlan('int64', -(2 ** 63), 2 ** 63),
  number: {
    decode: (value) => {
      if (value === null) return 0
      if (typeof value !== 'number') throw new TypeMismatch(value, 'float64')
      return value
    },
    zero: () => 0,
    isEmpty: isFalsy,
  },
  bytes: textPlan(canonicalBase64, { goType: '[]uint8', zero: null, isEmpty: isEmptyText }),
  time: textPlan(canonicalTime, { goType: 'string', zero: null, isEmpty: never }),
  microTime: textPlan(canonicalMicroTime, { goType: 'string', zero: null, isEmpty: never }),
  duration: textPlan(canonicalDuration, { goType: 'string', zero: '0s', isEmpty: never }),
  quantity: { decode: decodeQuantity, zero: () => '0', isEmpty: never },
  intOrString: { decode: (value, context) => (typeof value === 'string' ? value : int32Plan.decode(value, context)), zero: () => 0, isEmpty: never },
}

const anyPlan: Plan = { decode: (value) => value, zero: zeroNull, isEmpty: never }

type OrOther = 'jsonSchemaPropsOrBool' | 'jsonSchemaPropsOrArray' | 'jsonSchemaPropsOrStringArray' | (string & {})

function selfOrOther(self: () => Plan, other: OrOther): Plan {
  const decode: DecodeValue = (value, context) => {
    if (other === 'jsonSchemaPropsOrStringArray' && Array.isArray(value)) return value
    if (Array.isArray(value)) return other === 'jsonSchemaPropsOrArray' ? value.map((item) => self().decode(item, context)) : null
    if (typeof value === 'boolean') return other === 'jsonSchemaPropsOrBool' ? value : null
    if (typeof value === 'object' && value !== null) return self().decode(value, context)
    throw new Malformed(`json: cannot unmarshal ${describeJsonType(value, '')} into Go value of type ${goTypeOfOther(other)}`)
  }
  return { decode, zero: zeroNull, isEmpty: never }
}

function goTypeOfOther(other: OrOther): string {
  return `v1.${other.replace('jsonSchemaProps', 'JSONSchemaProps')}`
}

const goScalars: Readonly<Record<Scalar, string>> = {
  string: 'string',
  bool: 'bool',
  int32: 'int32',
  int64: 'int64',
  number: 'float64',
  bytes: '[]uint8',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  duration: 'v1.Duration',
  quantity: 'resource.Quantity',
  intOrString: 'intstr.IntOrString',
}

function isBytes(schema: Schema | undefined): boolean {
  return schema?.kind === 'scalar' && schema.scalar === 'bytes'
}

/** Upstream: apimachinery pkg/runtime/converter.go. Types that read themselves (times, IntOrString) say what they say of JSON text. */
function describeConversion(schema: Schema | undefined, { value, goType, message }: TypeMismatch): string {
  const kind = goKindOf(value)
  if (schema?.kind === 'object') return `cannot restore struct from: ${kind}`
  if (schema?.kind === 'map') return `cannot restore map from ${kind}`
  if (schema?.kind === 'list' || isBytes(schema)) return `cannot restore slice from ${kind}`
  if (schema?.kind !== 'scalar' || !plainScalars.has(schema.scalar)) return `json: cannot unmarshal ${message} into Go value of type ${goType}`
  const isConvertible = schema.scalar === 'string' ? kind === 'int64' : schema.scalar !== 'bool' && (kind === 'int64' || kind === 'float64')
  return isConvertible ? `cannot convert ${kind} to ${goType}` : `unrecognized type: ${goType}`
}

const plainScalars: ReadonlySet<Scalar> = new Set<Scalar>(['string', 'bool', 'int32', 'int64', 'number'])

function goKindOf(value: unknown): string {
  if (Array.isArray(value)) return 'slice'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return typeof value === 'string' ? 'string' : 'map'
}

/** The Go type of a schema, as encoding/json prints it: `[]v1.Container`. Named types of plain values are not known here. */
function goTypeOf(schema: Schema): string {
  switch (schema.kind) {
    case 'scalar':
      return goScalars[schema.scalar]
    case 'object':
      return schema.name === undefined ? 'struct' : schema.name.split('.').slice(-2).join('.')
    case 'ref':
      return schema.ref.split('.').slice(-2).join('.')
    case 'list':
      return `[]${goTypeOf(schema.of)}`
    case 'map':
      return `map[string]${goTypeOf(schema.of)}`
    case 'any':
      return 'interface {}'
  }
}

/** `Pod in version "v1" cannot be handled as a Pod`. Upstream: apiserver pkg/endpoints/handlers/rest.go, transformDecodeError. */
function describeTarget(schema: ObjectSchema, value: unknown, options: DecodeOptions): string {
  const name = schema.name?.split('.') ?? []
  const expected = options.kind ?? name.at(-1) ?? ''
  const object = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  const kind = typeof object['kind'] === 'string' && object['kind'] !== '' ? object['kind'] : expected
  const apiVersion = typeof object['apiVersion'] === 'string' ? object['apiVersion'].split('/').at(-1) : undefined
  const version = options.version ?? (apiVersion === undefined || apiVersion === '' ? (name.at(-2) ?? '') : apiVersion)
  return `${kind} in version ${goQuote(version)} cannot be handled as a ${expected}`
}
