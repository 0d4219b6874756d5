import type { ListIdentity, ObjectType, Type } from './types.ts'

/**
 * A value at run time. int is a bigint, double a number, uint, bytes, times and everything else have classes of their own; a problem is a value too (`CelError`),
 * since `||` and `&&` look past it.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | Uint8Array
  | readonly Value[]
  | CelMap
  | ObjectView
  | Uint
  | Timestamp
  | Duration
  | Optional
  | TypeValue
  | HostValue
  | CelError

/** What went wrong in an expression; not thrown, but handed up. */
export class CelError {
  readonly message: string

  constructor(message: string) {
    this.message = message
  }
}

export class Uint {
  readonly value: bigint

  constructor(value: bigint) {
    this.value = value
  }
}

const nanosPerSecond = 1_000_000_000n

/** A point in time, in nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint
  /** The zone that it was written in: only its text shows it. */
  readonly offsetMinutes: number

  constructor(nanos: bigint, offsetMinutes = 0) {
    this.nanos = nanos
    this.offsetMinutes = offsetMinutes
  }

  toString(): string {
    const seconds = floorDiv(this.nanos, nanosPerSecond)
    const rest = this.nanos - seconds * nanosPerSecond
    const text = new globalThis.Date(Number(seconds) * 1000 + this.offsetMinutes * 60_000).toISOString().slice(0, 19)
    const minutes = Math.abs(this.offsetMinutes)
    const two = (part: number): string => String(part).padStart(2, '0')
    const zone = minutes === 0 ? 'Z' : `${this.offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
    return `${text}${fractionOf(rest)}${zone}`
  }
}

export class Duration {
  readonly nanos: bigint

  constructor(nanos: bigint) {
    this.nanos = nanos
  }

  toString(): string {
    const sign = this.nanos < 0n ? '-' : ''
    const nanos = this.nanos < 0n ? -this.nanos : this.nanos
    return `${sign}${nanos / nanosPerSecond}${fractionOf(nanos % nanosPerSecond)}s`
  }
}

function fractionOf(nanos: bigint): string {
  return nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`
}

export function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient
}

export class Optional {
  static readonly none = new Optional(undefined)
  readonly value: Value | undefined

  constructor(value: Value | undefined) {
    this.value = value
  }
}

/** A type as a value: what `type(x)` gives. */
export class TypeValue {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** An object that an expression can only hand to functions: quantities, addresses, a host's authorizer. */
export interface HostValue {
  /** The name of its opaque type. */
  readonly hostType: string
  /** Whether it equals another of its type. */
  equals(other: HostValue): boolean
  /** Its size for the reckoning of costs; absent: 1. */
  readonly size?: number
}

export function isHost(value: Value): value is HostValue {
  return typeof value === 'object' && value !== null && 'hostType' in value
}

type MapKey = string | bigint | boolean | number

/** Keys are strings, booleans or numbers; equal numbers of different types are the same key. */
export class CelMap {
  readonly #entries: Map<MapKey, { readonly key: Value; readonly value: Value }>

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    this.#entries = new Map()
    for (const [key, value] of entries) {
      const normal = normalKey(key)
      if (normal !== undefined) this.#entries.set(normal, { key, value })
    }
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Value): Value | undefined {
    const normal = normalKey(key)
    return normal === undefined ? undefined : this.#entries.get(normal)?.value
  }

  has(key: Value): boolean {
    const normal = normalKey(key)
    return normal !== undefined && this.#entries.has(normal)
  }

  /** Adds in place: only for maps that nobody else has seen yet. */
  add(key: Value, value: Value): void {
    const normal = normalKey(key)
    if (normal !== undefined) this.#entries.set(normal, { key, value })
  }

  *keys(): Generator<Value> {
    for (const { key } of this.#entries.values()) yield key
  }

  *entries(): Generator<readonly [Value, Value]> {
    for (const { key, value } of this.#entries.values()) yield [key, value]
  }
}

function normalKey(key: Value): MapKey | undefined {
  if (typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint') return key
  if (key instanceof Uint) return key.value
  if (typeof key === 'number') return Number.isInteger(key) ? BigInt(key) : key
  return undefined
}

export function isMapKey(key: Value): boolean {
  return typeof key === 'string' || typeof key === 'boolean' || typeof key === 'bigint' || key instanceof Uint
}

/** JSON under an object type: fields are turned into values when they are asked for. */
export class ObjectView {
  readonly type: Type & { readonly kind: 'object' }
  readonly json: Readonly<Record<string, unknown>>
  readonly #cache = new Map<string, Value>()

  constructor(json: Readonly<Record<string, unknown>>, type: Type & { readonly kind: 'object' }) {
    this.json = json
    this.type = type
  }

  has(name: string): boolean {
    const field = this.type.fields.get(name)
    return field !== undefined && Object.hasOwn(this.json, field.json) && this.json[field.json] !== undefined && this.json[field.json] !== null
  }

  get(name: string): Value {
    const cached = this.#cache.get(name)
    if (cached !== undefined) return cached
    const field = this.type.fields.get(name)
    if (field === undefined || !this.has(name)) return noSuchKey(name)
    const value = fromJson(this.json[field.json], field.type)
    this.#cache.set(name, value)
    return value
  }

  /** The fields that are there. */
  *names(): Generator<string> {
    for (const name of this.type.fields.keys()) if (this.has(name)) yield name
  }
}

/** An object that an expression has made. What it was made of stays as it is: who takes it may want to know the types of its parts. */
export class MadeObject extends ObjectView {
  readonly values: ReadonlyMap<string, Value>

  constructor(type: ObjectType, values: ReadonlyMap<string, Value>) {
    super(Object.fromEntries([...values].map(([name, value]) => [type.fields.get(name)?.json ?? name, toJson(value)])), type)
    this.values = values
  }

  override has(name: string): boolean {
    return this.values.has(name)
  }

  override get(name: string): Value {
    return this.values.get(name) ?? null
  }

  override *names(): Generator<string> {
    yield* this.values.keys()
  }
}

/** What a type says of its fields counts for values too whose types nobody knew before. */
export function makeObject(type: ObjectType, values: ReadonlyMap<string, Value>): Value {
  for (const [name, value] of values) {
    const wanted = type.fields.get(name)?.type.kind
    if (wanted === 'string' && typeof value !== 'string') return new CelError(`unexpected type ${goTypeOf(value)} for ${type.name}Type '${name}' field`)
  }
  return new MadeObject(type, values)
}

function goTypeOf(value: Value): string {
  if (typeof value === 'bigint') return 'int64'
  if (typeof value === 'number') return 'float64'
  if (typeof value === 'boolean') return 'bool'
  if (value instanceof Uint) return 'uint64'
  if (value instanceof Uint8Array) return '[]uint8'
  if (value instanceof Timestamp) return 'time.Time'
  if (value instanceof Duration) return 'time.Duration'
  return value === null ? 'structpb.NullValue' : typeNameOf(value)
}

export function noSuchKey(key: Value | string): CelError {
  return new CelError(`no such key: ${describeKey(key)}`)
}

export function describeKey(key: Value): string {
  if (key instanceof Uint) return key.value.toString()
  return typeof key === 'string' || typeof key === 'bigint' || typeof key === 'number' || typeof key === 'boolean' ? String(key) : typeNameOf(key)
}

/** JSON as a value of a type. What does not have the type is an error value, as upstream has it. */
export function fromJson(json: unknown, type: Type): Value {
  if (json === null || json === undefined) return null
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (type.kind) {
    case 'object':
      if (!isRecord(json)) return new CelError(`invalid data, expected a map for the provided schema with type=object`)
      return new ObjectView(json, type)
    case 'list':
      if (!Array.isArray(json)) return new CelError('invalid data, expected an array for the provided schema with type=array')
      return identified(
        json.map((item: unknown) => fromJson(item, type.of)),
        type.identity,
      )
    case 'map':
      if (!isRecord(json)) return new CelError('invalid data, expected a map for the provided schema with type=object')
      return new CelMap(Object.entries(json).map(([key, value]): [Value, Value] => [key, fromJson(value, type.of)]))
    case 'string':
      return typeof json === 'string' ? json : new CelError(`invalid data, got ${typeof json}, expected string`)
    case 'int':
      return typeof json === 'bigint' ? json : typeof json === 'number' && Number.isInteger(json) ? BigInt(json) : new CelError('invalid data, expected int')
    case 'uint':
      return typeof json === 'bigint'
        ? new Uint(json)
        : typeof json === 'number' && Number.isInteger(json)
          ? new Uint(BigInt(json))
          : new CelError('invalid data, expected uint')
    case 'double':
      return typeof json === 'number' || typeof json === 'bigint' ? Number(json) : new CelError('invalid data, expected double')
    case 'bool':
      return typeof json === 'boolean' ? json : new CelError('invalid data, expected bool')
    case 'bytes':
      return typeof json === 'string' ? new Uint8Array(Buffer.from(json, 'base64')) : new CelError('invalid data, expected string with format=byte')
    case 'timestamp': {
      const time = typeof json === 'string' ? (parseTimestamp(json) ?? parseTimestamp(`${json}T00:00:00Z`)) : undefined
      return time ?? new CelError('failed to parse timestamp')
    }
    case 'duration':
      return (typeof json === 'string' ? parseDuration(json) : undefined) ?? new CelError('failed to parse duration')
    default:
      return fromUntyped(json)
  }
}

/** A host value or a value already, or JSON whose type nobody knows: whole numbers are ints. */
export function fromUntyped(json: unknown): Value {
  if (json === null || json === undefined) return null
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (typeof json) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return json
    case 'number':
      return Number.isSafeInteger(json) ? BigInt(json) : json
    case 'object':
      break
    default:
      return new CelError(`unsupported value of type ${typeof json}`)
  }
  if (Array.isArray(json)) return json.map((item: unknown) => fromUntyped(item))
  if (isValueObject(json)) return json
  return new CelMap(Object.entries(json).map(([key, value]): [Value, Value] => [key, fromUntyped(value)]))
}

function isValueObject(json: object): json is CelMap | ObjectView | Uint | Timestamp | Duration | Optional | TypeValue | HostValue | CelError | Uint8Array {
  return (
    json instanceof CelMap ||
    json instanceof ObjectView ||
    json instanceof Uint ||
    json instanceof Timestamp ||
    json instanceof Duration ||
    json instanceof Optional ||
    json instanceof TypeValue ||
    json instanceof CelError ||
    json instanceof Uint8Array ||
    'hostType' in json
  )
}

function isRecord(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** A value as JSON-like data: objects, arrays, strings, numbers; int and uint are bigints. Times are text. */
export function toJson(value: Value): unknown {
  if (Array.isArray(value)) return value.map((item: Value) => toJson(item))
  if (value instanceof CelMap) return Object.fromEntries([...value.entries()].map(([key, item]) => [describeKey(key), toJson(item)]))
  if (value instanceof ObjectView) return value.json
  if (value instanceof Uint) return value.value
  if (value instanceof Timestamp || value instanceof Duration) return value.toString()
  if (value instanceof Optional) return value.value === undefined ? null : toJson(value.value)
  if (value instanceof TypeValue) return value.name
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value
}

export function typeNameOf(value: Value): string {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (typeof value) {
    case 'string':
      return 'string'
    case 'bigint':
      return 'int'
    case 'number':
      return 'double'
    case 'boolean':
      return 'bool'
    default:
      break
  }
  if (value === null) return 'null_type'
  if (Array.isArray(value)) return 'list'
  if (value instanceof CelMap) return 'map'
  if (value instanceof ObjectView) return value.type.name
  if (value instanceof Uint) return 'uint'
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp'
  if (value instanceof Duration) return 'google.protobuf.Duration'
  if (value instanceof Optional) return 'optional_type'
  if (value instanceof TypeValue) return 'type'
  if (value instanceof Uint8Array) return 'bytes'
  if (isHost(value)) return value.hostType
  return 'error'
}

export function isNumber(value: Value): value is bigint | number | Uint {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint
}

/** -1, 0 or 1; undefined when one of them is not a number that has an order (NaN). */
export function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): -1 | 0 | 1 | undefined {
  const left = a instanceof Uint ? a.value : a
  const right = b instanceof Uint ? b.value : b
  if (left < right) return -1
  if (left > right) return 1
  // Neither less nor greater: equal, unless one of them is not a number. Mixed comparisons of JavaScript are exact.
  return left >= right ? 0 : undefined
}

/** Order of two values of one ordered type; undefined when they have none. */
export function compareValues(a: Value, b: Value): -1 | 0 | 1 | undefined {
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b)
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return a === b ? 0 : a ? 1 : -1
  if ((a instanceof Timestamp && b instanceof Timestamp) || (a instanceof Duration && b instanceof Duration)) return compareNumbers(a.nanos, b.nanos)
  if (a instanceof Uint8Array && b instanceof Uint8Array) return signOf(Buffer.compare(a, b))
  return undefined
}

function signOf(value: number): -1 | 0 | 1 {
  return value < 0 ? -1 : value > 0 ? 1 : 0
}

/** By code points, as UTF-8 orders them: JavaScript's own order differs above the basic plane. */
export function compareText(a: string, b: string): -1 | 0 | 1 {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left === right) continue
    const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000
    if (isHigh(left) !== isHigh(right)) return isHigh(left) ? 1 : -1
    return left < right ? -1 : 1
  }
  return a.length < b.length ? -1 : 1
}

export function equalValues(a: Value, b: Value): boolean {
  if (a === b) return typeof a !== 'number' || !Number.isNaN(a)
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b) === 0
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    const identity = identities.get(a) ?? identities.get(b)
    if (identity !== undefined) return equalUnordered(a, b, identity)
    return a.every((item: Value, i) => equalValues(item, (b as readonly Value[])[i] ?? null))
  }
  if (a instanceof CelMap) return b instanceof CelMap && equalMaps(a, b)
  if (a instanceof ObjectView) return b instanceof ObjectView && equalObjects(a, b)
  if (a instanceof Timestamp) return b instanceof Timestamp && a.nanos === b.nanos
  if (a instanceof Duration) return b instanceof Duration && a.nanos === b.nanos
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name
  if (a instanceof Optional) {
    if (!(b instanceof Optional)) return false
    return a.value === undefined || b.value === undefined ? a.value === b.value : equalValues(a.value, b.value)
  }
  if (isHost(a)) return isHost(b) && a.hostType === b.hostType && a.equals(b)
  return false
}

/** Lists whose schema says how items are told apart. */
const identities = new WeakMap<object, ListIdentity>()

function identified(list: Value[], identity: ListIdentity | undefined): Value[] {
  if (identity !== undefined) identities.set(list, identity)
  return list
}

/** Whether two items stand for the same member of a set or map. */
function isSameMember(a: Value, b: Value, identity: ListIdentity): boolean {
  if (identity === 'item' || !(a instanceof ObjectView)) return equalValues(a, b)
  const other = b instanceof ObjectView || b instanceof CelMap ? b : undefined
  return other !== undefined && identity.every((key) => equalValues(a.has(key) ? a.get(key) : null, other.has(key) ? (other.get(key) ?? null) : null))
}

function equalUnordered(a: readonly Value[], b: readonly Value[], identity: ListIdentity): boolean {
  return a.every((item) => b.some((other) => isSameMember(item, other, identity) && equalValues(item, other)))
}

/** One list after another; what the first one's schema calls the same member is there once, as the second has it. */
export function joinLists(a: readonly Value[], b: readonly Value[]): Value[] {
  const identity = identities.get(a)
  if (identity === undefined) return [...a, ...b]
  const joined = [...a]
  for (const item of b) {
    const at = joined.findIndex((other) => isSameMember(other, item, identity))
    if (at < 0) joined.push(item)
    else joined[at] = item
  }
  return identified(joined, identity)
}

function equalMaps(a: CelMap, b: CelMap): boolean {
  if (a.size !== b.size) return false
  for (const [key, value] of a.entries()) {
    const other = b.get(key)
    if (other === undefined || !equalValues(value, other)) return false
  }
  return true
}

function equalObjects(a: ObjectView, b: ObjectView): boolean {
  if (a instanceof MadeObject !== b instanceof MadeObject || (a instanceof MadeObject && a.type.name !== b.type.name)) return false
  const names = [...a.names()]
  if (names.length !== [...b.names()].length) return false
  return names.every((name) => b.has(name) && equalValues(a.get(name), b.get(name)))
}

/** Code points of a text. */
export function textSize(text: string): number {
  let size = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0xd800 && unit < 0xdc00) size--
  }
  return size
}

/** The size that costs are reckoned with: 1 for what has none. */
export function sizeOf(value: Value): number {
  if (typeof value === 'string') return textSize(value)
  if (typeof value !== 'object' || value === null) return 1
  if (Array.isArray(value)) return value.length
  if (value instanceof Uint8Array) return value.length
  if (value instanceof CelMap) return value.size
  if (value instanceof Optional) return value.value === undefined ? 1 : sizeOf(value.value)
  return isHost(value) ? (value.size ?? 1) : 1
}

const minSeconds = -62_135_596_800n
const maxSeconds = 253_402_300_799n

export function isTimestampInRange(nanos: bigint): boolean {
  return nanos >= minSeconds * nanosPerSecond && nanos < (maxSeconds + 1n) * nanosPerSecond
}

/** RFC 3339; undefined when the text is none. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:[.,](\d+))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHour = '0', offsetMinute = '0'] = match
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(offsetHour) > 23 || Number(offsetMinute) > 59) return undefined
  const millis = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  if (Number.isNaN(millis) || new globalThis.Date(millis).getUTCDate() !== Number(day)) return undefined
  const offset = (Number(offsetHour) * 3600 + Number(offsetMinute) * 60) * (sign === '-' ? -1 : 1)
  const nanos = (BigInt(millis / 1000) - BigInt(offset)) * nanosPerSecond + BigInt(fraction.padEnd(9, '0').slice(0, 9))
  return isTimestampInRange(nanos) ? new Timestamp(nanos, offset / 60) : undefined
}

const unitNanos: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, μs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 }

/** Go's notation of durations, such as `1h30m` and `-1.5s`; undefined when the text is none. */
export function parseDuration(text: string): Duration | undefined {
  const sign = text.startsWith('-') ? -1n : 1n
  const body = text.replace(/^[+-]/, '')
  if (body === '0') return new Duration(0n)
  if (body === '' || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(body)) return undefined
  let nanos = 0n
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const scale = BigInt(unitNanos[unit] ?? 0)
    nanos += BigInt(whole === '' ? '0' : whole) * scale
    if (fraction !== '') nanos += (BigInt(fraction.slice(0, 18)) * scale) / 10n ** BigInt(Math.min(fraction.length, 18))
  }
  nanos *= sign
  return nanos > 2n ** 63n - 1n || nanos < -(2n ** 63n) ? undefined : new Duration(nanos)
}
