import { fitsInt, fitsUint } from '../lexer.ts'
import type { Library } from '../overloads.ts'
import {
  CelError,
  CelMap,
  compareValues,
  describeKey,
  Duration,
  equalValues,
  isNumber,
  isTimestampInRange,
  joinLists,
  noSuchKey,
  Optional,
  parseDuration,
  parseTimestamp,
  textSize,
  Timestamp,
  typeNameOf,
  TypeValue,
  Uint,
} from '../values.ts'
import type { Value } from '../values.ts'
import { compileRegex } from './regex-cache.ts'
import { addTimeAccessors } from './time-accessors.ts'

const intOverflow = new CelError('integer overflow')
const uintOverflow = new CelError('unsigned integer overflow')

function int(value: bigint): Value {
  return fitsInt(value) ? value : intOverflow
}

function uint(value: bigint): Value {
  return fitsUint(value) ? new Uint(value) : uintOverflow
}

function duration(nanos: bigint): Value {
  return fitsInt(nanos) ? new Duration(nanos) : new CelError('duration overflow')
}

function timestamp(nanos: bigint, offsetMinutes = 0): Value {
  return isTimestampInRange(nanos) ? new Timestamp(nanos, offsetMinutes) : new CelError('timestamp overflow')
}

/** Lists that a running loop owns and may extend in place. */
export const growing = new WeakSet<readonly Value[]>()

/** The operators and functions of the language itself. `&&`, `||`, `?:` and the like are here for the checker: the evaluator has its own way with them. */
export function addStandard(library: Library): void {
  const never = (): Value => new CelError('no such overload')
  library
    .add('_?_:_', 'conditional', '(bool, A, A) -> A', never)
    .add('_&&_', 'logical_and', '(bool, bool) -> bool', never)
    .add('_||_', 'logical_or', '(bool, bool) -> bool', never)
    .add('@not_strictly_false', 'not_strictly_false', '(bool) -> bool', never)
    .add('!_', 'logical_not', '(bool) -> bool', (value: boolean) => !value)
    .add('_==_', 'equals', '(A, A) -> bool', (a: Value, b: Value) => equalValues(a, b))
    .add('_!=_', 'not_equals', '(A, A) -> bool', (a: Value, b: Value) => !equalValues(a, b))
    .add('type', 'type', '(A) -> type(A)', (value: Value) => new TypeValue(typeNameOf(value)))
    .add('dyn', 'to_dyn', '(A) -> dyn', (value: Value) => value)
  addArithmetic(library)
  addOrder(library)
  addCollections(library)
  addConversions(library)
  addStrings(library)
  addTimeAccessors(library)
}

function addArithmetic(library: Library): void {
  library
    .add('_+_', 'add_bytes', '(bytes, bytes) -> bytes', (a: Uint8Array, b: Uint8Array) => new Uint8Array(Buffer.concat([a, b])))
    .add('_+_', 'add_double', '(double, double) -> double', (a: number, b: number) => a + b)
    .add('_+_', 'add_duration_duration', '(duration, duration) -> duration', (a: Duration, b: Duration) => duration(a.nanos + b.nanos))
    .add('_+_', 'add_duration_timestamp', '(duration, timestamp) -> timestamp', (a: Duration, b: Timestamp) => timestamp(a.nanos + b.nanos, b.offsetMinutes))
    .add('_+_', 'add_timestamp_duration', '(timestamp, duration) -> timestamp', (a: Timestamp, b: Duration) => timestamp(a.nanos + b.nanos, a.offsetMinutes))
    .add('_+_', 'add_int64', '(int, int) -> int', (a: bigint, b: bigint) => int(a + b))
    .add('_+_', 'add_list', '(list(A), list(A)) -> list(A)', (a: Value[], b: readonly Value[]) => {
      if (!growing.has(a)) return joinLists(a, b)
      for (const item of b) a.push(item)
      return a
    })
    .add('_+_', 'add_string', '(string, string) -> string', (a: string, b: string) => a + b)
    .add('_+_', 'add_uint64', '(uint, uint) -> uint', (a: Uint, b: Uint) => uint(a.value + b.value))
    .add('_/_', 'divide_double', '(double, double) -> double', (a: number, b: number) => a / b)
    .add('_/_', 'divide_int64', '(int, int) -> int', (a: bigint, b: bigint) => (b === 0n ? new CelError('division by zero') : int(a / b)))
    .add('_/_', 'divide_uint64', '(uint, uint) -> uint', (a: Uint, b: Uint) => (b.value === 0n ? new CelError('division by zero') : uint(a.value / b.value)))
    .add('_%_', 'modulo_int64', '(int, int) -> int', (a: bigint, b: bigint) => (b === 0n ? new CelError('modulus by zero') : int(a % b)))
    .add('_%_', 'modulo_uint64', '(uint, uint) -> uint', (a: Uint, b: Uint) => (b.value === 0n ? new CelError('modulus by zero') : uint(a.value % b.value)))
    .add('_*_', 'multiply_double', '(double, double) -> double', (a: number, b: number) => a * b)
    .add('_*_', 'multiply_int64', '(int, int) -> int', (a: bigint, b: bigint) => int(a * b))
    .add('_*_', 'multiply_uint64', '(uint, uint) -> uint', (a: Uint, b: Uint) => uint(a.value * b.value))
    .add('-_', 'negate_double', '(double) -> double', (a: number) => -a)
    .add('-_', 'negate_int64', '(int) -> int', (a: bigint) => int(-a))
    .add('_-_', 'subtract_double', '(double, double) -> double', (a: number, b: number) => a - b)
    .add('_-_', 'subtract_duration_duration', '(duration, duration) -> duration', (a: Duration, b: Duration) => duration(a.nanos - b.nanos))
    .add('_-_', 'subtract_int64', '(int, int) -> int', (a: bigint, b: bigint) => int(a - b))
    .add('_-_', 'subtract_timestamp_duration', '(timestamp, duration) -> timestamp', (a: Timestamp, b: Duration) =>
      timestamp(a.nanos - b.nanos, a.offsetMinutes),
    )
    .add('_-_', 'subtract_timestamp_timestamp', '(timestamp, timestamp) -> duration', (a: Timestamp, b: Timestamp) => duration(a.nanos - b.nanos))
    .add('_-_', 'subtract_uint64', '(uint, uint) -> uint', (a: Uint, b: Uint) => uint(a.value - b.value))
}

function addOrder(library: Library): void {
  const operators = [
    ['_<_', 'less', (order: number): boolean => order < 0],
    ['_<=_', 'less_equals', (order: number): boolean => order <= 0],
    ['_>_', 'greater', (order: number): boolean => order > 0],
    ['_>=_', 'greater_equals', (order: number): boolean => order >= 0],
  ] as const
  const pairs = [
    ['bool', 'bool', 'bool'],
    ['int64', 'int', 'int'],
    ['int64_double', 'int', 'double'],
    ['int64_uint64', 'int', 'uint'],
    ['uint64', 'uint', 'uint'],
    ['uint64_double', 'uint', 'double'],
    ['uint64_int64', 'uint', 'int'],
    ['double', 'double', 'double'],
    ['double_int64', 'double', 'int'],
    ['double_uint64', 'double', 'uint'],
    ['string', 'string', 'string'],
    ['bytes', 'bytes', 'bytes'],
    ['timestamp', 'timestamp', 'timestamp'],
    ['duration', 'duration', 'duration'],
  ] as const
  for (const [name, id, holds] of operators) {
    for (const [suffix, left, right] of pairs) {
      library.add(name, `${id}_${suffix}`, `(${left}, ${right}) -> bool`, (a: Value, b: Value) => {
        const order = compareValues(a, b)
        if (order !== undefined) return holds(order)
        return isNumber(a) && isNumber(b) ? new CelError('NaN values cannot be ordered') : new CelError('no such overload')
      })
    }
  }
}

function addCollections(library: Library): void {
  const listIndex = (list: readonly Value[], index: Value): Value => {
    const at = indexOf(index)
    if (at === undefined) return new CelError(`unsupported index type '${typeNameOf(index)}' in list`)
    return list[at] ?? (at in list ? null : new CelError(`index out of bounds: ${at}`))
  }
  const mapIndex = (map: CelMap, key: Value): Value => map.get(key) ?? noSuchKey(key)
  const inList = (value: Value, list: readonly Value[]): Value => list.some((item) => equalValues(item, value))
  library
    .add('_[_]', 'index_list', '(list(A), int) -> A', listIndex)
    .add('_[_]', 'index_map', '(map(A, B), A) -> B', mapIndex)
    .add('@in', 'in_list', '(A, list(A)) -> bool', inList)
    .add('@in', 'in_map', '(A, map(A, B)) -> bool', (key: Value, map: CelMap) => map.has(key))
    .add('size', 'size_bytes', '(bytes) -> int', (value: Uint8Array) => BigInt(value.length))
    .add('size', 'bytes_size', 'bytes.() -> int', (value: Uint8Array) => BigInt(value.length))
    .add('size', 'size_list', '(list(A)) -> int', (value: readonly Value[]) => BigInt(value.length))
    .add('size', 'list_size', 'list(A).() -> int', (value: readonly Value[]) => BigInt(value.length))
    .add('size', 'size_map', '(map(A, B)) -> int', (value: CelMap) => BigInt(value.size))
    .add('size', 'map_size', 'map(A, B).() -> int', (value: CelMap) => BigInt(value.size))
    .add('size', 'size_string', '(string) -> int', (value: string) => BigInt(textSize(value)))
    .add('size', 'string_size', 'string.() -> int', (value: string) => BigInt(textSize(value)))
    .add('cel.@mapInsert', '@mapInsert_map_key_value', '(map(K, V), K, V) -> map(K, V)', insert)
    .add('cel.@mapInsert', '@mapInsert_map_map', '(map(K, V), map(K, V)) -> map(K, V)', (map: CelMap, more: CelMap) => {
      for (const [key, value] of more.entries()) {
        const inserted = insert(map, key, value)
        if (inserted instanceof CelError) return inserted
      }
      return map
    })
}

/** The map belongs to the loop that makes it. */
function insert(map: CelMap, key: Value, value: Value): Value {
  if (map.has(key)) return new CelError(`insert failed: key ${describeKey(key)} already exists`)
  map.add(key, value)
  return map
}

/** A list index; undefined when the value is none. */
export function indexOf(value: Value): number | undefined {
  const number = value instanceof Uint ? value.value : value
  if (typeof number === 'bigint') return Number(number)
  return typeof number === 'number' && Number.isInteger(number) ? number : undefined
}

function conversionError(value: Value, to: string): CelError {
  return new CelError(`type conversion error from '${typeNameOf(value)}' to '${to}'`)
}

const trues: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True'])
const falses: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False'])
const second = 1_000_000_000n

function addConversions(library: Library): void {
  const same = (value: Value): Value => value
  library
    .add('bool', 'bool_to_bool', '(bool) -> bool', same)
    .add('bool', 'string_to_bool', '(string) -> bool', (text: string) => (trues.has(text) ? true : falses.has(text) ? false : conversionError(text, 'bool')))
    .add('bytes', 'bytes_to_bytes', '(bytes) -> bytes', same)
    .add('bytes', 'string_to_bytes', '(string) -> bytes', (text: string) => new Uint8Array(Buffer.from(text)))
    .add('double', 'double_to_double', '(double) -> double', same)
    .add('double', 'int64_to_double', '(int) -> double', (value: bigint) => Number(value))
    .add('double', 'string_to_double', '(string) -> double', parseDouble)
    .add('double', 'uint64_to_double', '(uint) -> double', (value: Uint) => Number(value.value))
    .add('duration', 'duration_to_duration', '(duration) -> duration', same)
    .add('duration', 'int64_to_duration', '(int) -> duration', (value: bigint) => new Duration(value))
    .add('duration', 'string_to_duration', '(string) -> duration', (text: string) => parseDuration(text) ?? conversionError(text, 'google.protobuf.Duration'))
    .add('int', 'int64_to_int64', '(int) -> int', same)
    .add('int', 'double_to_int64', '(double) -> int', (value: number) =>
      Number.isFinite(value) && Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : intOverflow,
    )
    .add('int', 'duration_to_int64', '(duration) -> int', (value: Duration) => value.nanos)
    .add('int', 'string_to_int64', '(string) -> int', (text: string) => {
      const value = /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined
      return value !== undefined && fitsInt(value) ? value : conversionError(text, 'int')
    })
    .add('int', 'timestamp_to_int64', '(timestamp) -> int', (value: Timestamp) => (value.nanos - (((value.nanos % second) + second) % second)) / second)
    .add('int', 'uint64_to_int64', '(uint) -> int', (value: Uint) => int(value.value))
    .add('string', 'string_to_string', '(string) -> string', same)
    .add('string', 'bool_to_string', '(bool) -> string', String)
    .add('string', 'bytes_to_string', '(bytes) -> string', (value: Uint8Array) => {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
      } catch {
        return new CelError('invalid UTF-8 in bytes, cannot convert to string')
      }
    })
    .add('string', 'double_to_string', '(double) -> string', formatDouble)
    .add('string', 'duration_to_string', '(duration) -> string', String)
    .add('string', 'int64_to_string', '(int) -> string', String)
    .add('string', 'timestamp_to_string', '(timestamp) -> string', String)
    .add('string', 'uint64_to_string', '(uint) -> string', (value: Uint) => value.value.toString())
    .add('timestamp', 'timestamp_to_timestamp', '(timestamp) -> timestamp', same)
    .add('timestamp', 'int64_to_timestamp', '(int) -> timestamp', (value: bigint) => timestamp(value * second))
    .add(
      'timestamp',
      'string_to_timestamp',
      '(string) -> timestamp',
      (text: string) => parseTimestamp(text) ?? conversionError(text, 'google.protobuf.Timestamp'),
    )
    .add('uint', 'uint64_to_uint64', '(uint) -> uint', same)
    .add('uint', 'double_to_uint64', '(double) -> uint', (value: number) =>
      value >= 0 && value < 2 ** 64 ? new Uint(BigInt(Math.trunc(value))) : uintOverflow,
    )
    .add('uint', 'int64_to_uint64', '(int) -> uint', (value: bigint) => uint(value))
    .add('uint', 'string_to_uint64', '(string) -> uint', (text: string) => {
      const value = /^\d+$/.test(text) ? BigInt(text) : undefined
      return value !== undefined && fitsUint(value) ? new Uint(value) : conversionError(text, 'uint')
    })
}

function parseDouble(text: string): Value {
  if (/^[+-]?(?:inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^nan$/i.test(text)) return Number.NaN
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : conversionError(text, 'double')
}

/** Go's %g in its shortest form: with an exponent below -4 and from 6 on. */
export function formatDouble(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (Object.is(value, -0)) return '-0'
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  if (power < -4 || power >= maxPlainExponent) return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
  return power < 0 ? value.toFixed(Math.max(0, digits.replace(/[-.]/g, '').length - 1 - power)) : value.toString()
}

const maxPlainExponent = 6

function addStrings(library: Library): void {
  const matches = (text: string, pattern: string): Value => {
    const regex = compileRegex(pattern)
    return typeof regex === 'string' ? new CelError(regex) : regex.test(text)
  }
  library
    .add('contains', 'contains_string', 'string.(string) -> bool', (text: string, part: string) => text.includes(part))
    .add('endsWith', 'ends_with_string', 'string.(string) -> bool', (text: string, part: string) => text.endsWith(part))
    .add('startsWith', 'starts_with_string', 'string.(string) -> bool', (text: string, part: string) => text.startsWith(part))
    .add('matches', 'matches', '(string, string) -> bool', matches)
    .add('matches', 'matches_string', 'string.(string) -> bool', matches)
}

/** Values that may or may not be there. */
export function addOptionals(library: Library): void {
  const missing = new CelError('optional.none() dereference')
  const valueOf = (optional: Optional): Value => optional.value ?? missing
  const select = (found: Value): Value => (found instanceof CelError ? Optional.none : new Optional(found))
  const listAt = (list: readonly Value[], index: Value): Value => {
    const at = indexOf(index)
    return at !== undefined && at in list ? new Optional(list[at] ?? null) : Optional.none
  }
  library
    .add('optional.of', 'optional_of', '(V) -> optional_type(V)', (value: Value) => new Optional(value))
    .add('optional.ofNonZeroValue', 'optional_ofNonZeroValue', '(V) -> optional_type(V)', (value: Value) =>
      isZero(value) ? Optional.none : new Optional(value),
    )
    .add('optional.none', 'optional_none', '() -> optional_type(V)', () => Optional.none)
    .add('value', 'optional_value', 'optional_type(V).() -> V', valueOf)
    .add('hasValue', 'optional_hasValue', 'optional_type(V).() -> bool', (optional: Optional) => optional.value !== undefined)
    .add('or', 'optional_or_optional', 'optional_type(V).(optional_type(V)) -> optional_type(V)', (a: Optional, b: Optional) => (a.value === undefined ? b : a))
    .add('orValue', 'optional_orValue_value', 'optional_type(V).(V) -> V', (a: Optional, b: Value) => a.value ?? b)
    .add('_[?_]', 'list_optindex_optional_int', '(list(V), int) -> optional_type(V)', listAt)
    .add('_[?_]', 'optional_list_optindex_optional_int', '(optional_type(list(V)), int) -> optional_type(V)', (optional: Optional, index: Value) =>
      Array.isArray(optional.value) ? listAt(optional.value, index) : Optional.none,
    )
    .add('_[?_]', 'map_optindex_optional_value', '(map(K, V), K) -> optional_type(V)', (map: CelMap, key: Value) => select(map.get(key) ?? missing))
    .add('_[?_]', 'optional_map_optindex_optional_value', '(optional_type(map(K, V)), K) -> optional_type(V)', (optional: Optional, key: Value) =>
      optional.value instanceof CelMap ? select(optional.value.get(key) ?? missing) : Optional.none,
    )
    .add('_[_]', 'optional_list_index_int', '(optional_type(list(V)), int) -> optional_type(V)', (optional: Optional, index: Value) =>
      Array.isArray(optional.value) ? listAt(optional.value, index) : Optional.none,
    )
    .add('_[_]', 'optional_map_index_value', '(optional_type(map(K, V)), K) -> optional_type(V)', (optional: Optional, key: Value) =>
      optional.value instanceof CelMap ? select(optional.value.get(key) ?? missing) : Optional.none,
    )
    .add('first', 'list_first', 'list(V).() -> optional_type(V)', (list: readonly Value[]) =>
      list.length === 0 ? Optional.none : new Optional(list[0] ?? null),
    )
    .add('last', 'list_last', 'list(V).() -> optional_type(V)', (list: readonly Value[]) =>
      list.length === 0 ? Optional.none : new Optional(list.at(-1) ?? null),
    )
    .add('optional.unwrap', 'optional_unwrap', '(list(optional_type(V))) -> list(V)', unwrap)
    .add('unwrapOpt', 'optional_unwrapOpt', 'list(optional_type(V)).() -> list(V)', unwrap)
}

function unwrap(list: readonly Value[]): Value {
  const values: Value[] = []
  for (const item of list) if (item instanceof Optional && item.value !== undefined) values.push(item.value)
  return values
}

function isZero(value: Value): boolean {
  if (value === null || value === false || value === 0n || value === 0 || value === '') return true
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length === 0
  if (value instanceof CelMap) return value.size === 0
  if (value instanceof Uint) return value.value === 0n
  if (value instanceof Duration) return value.nanos === 0n
  return value instanceof Optional && value.value === undefined
}
