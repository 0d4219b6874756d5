import { isJsonObject } from './json-value.ts'

/** A JSON value as Go's `%v` prints it (`map[a:1 b:[x y]]`): upstream's messages hold such text. */
export function goFormat(value: unknown): string {
  if (value === undefined || value === null) return '<nil>'
  if (Array.isArray(value)) return `[${value.map(goFormat).join(' ')}]`
  if (isJsonObject(value)) {
    const keys = Object.keys(value).filter((key) => value[key] !== undefined)
    return `map[${keys
      .toSorted()
      .map((key) => `${key}:${goFormat(value[key])}`)
      .join(' ')}]`
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** The Go type a JSON value is decoded into, as `%s` of reflect.Type prints it. */
export function goTypeOf(value: unknown): string {
  if (value === undefined || value === null) return '%!s(<nil>)'
  if (Array.isArray(value)) return '[]interface {}'
  if (typeof value === 'object') return 'map[string]interface {}'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'number') return Number.isInteger(value) ? 'int64' : 'float64'
  return 'string'
}

/** What encoding/json calls a JSON value in "cannot unmarshal X into Go value". */
export function jsonKindOf(value: unknown): string {
  if (value === undefined || value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value
}
