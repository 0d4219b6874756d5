import { CelError, CelMap, compareText, Duration, ObjectView, Timestamp, toJson, typeNameOf, TypeValue, Uint } from '../values.ts'
import type { Value } from '../values.ts'
import { formatDouble } from './standard.ts'

const maxPrecision = 1000

/** `'%s has %d'.format([a, b])`; upstream: cel-go ext/formatting.go. */
export function formatText(text: string, args: readonly Value[]): Value {
  let result = ''
  let next = 0
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (char !== '%') {
      result += char
      continue
    }
    if (text[i + 1] === '%') {
      result += '%'
      i++
      continue
    }
    const clause = /^(?:\.(\d+))?([a-zA-Z])/.exec(text.slice(i + 1))
    if (clause === null) return new CelError(i + 1 >= text.length ? 'unexpected end of string' : `unrecognized formatting clause "${text[i + 1] ?? ''}"`)
    const [whole, precision, verb = ''] = clause
    if (next >= args.length) return new CelError(`index ${next} out of range`)
    const formatted = formatOne(verb, precision === undefined ? undefined : Math.min(Number(precision), maxPrecision), args[next++] ?? null)
    if (typeof formatted !== 'string') return formatted
    result += formatted
    i += whole.length
  }
  return result
}

function formatOne(verb: string, precision: number | undefined, value: Value): string | CelError {
  switch (verb) {
    case 's':
      return (
        plainText(value) ??
        new CelError(
          `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${typeNameOf(value)}`,
        )
      )
    case 'd':
      if (typeof value === 'bigint') return value.toString()
      if (value instanceof Uint) return value.value.toString()
      if (typeof value === 'number' && !Number.isFinite(value)) return special(value)
      return new CelError(`error during formatting: decimal clause can only be used on integers, was given ${typeNameOf(value)}`)
    case 'f':
    case 'e': {
      const number = typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : undefined
      if (number === undefined) {
        const name = verb === 'f' ? 'fixed-point' : 'scientific'
        return new CelError(`error during formatting: ${name} clause can only be used on doubles, was given ${typeNameOf(value)}`)
      }
      if (!Number.isFinite(number)) return special(number)
      const digits = Math.min(precision ?? 6, 100)
      return verb === 'f' ? number.toFixed(digits) : number.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2')
    }
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0'
      return (
        integerText(value, 2) ?? new CelError(`error during formatting: only integers and bools can be formatted as binary, was given ${typeNameOf(value)}`)
      )
    case 'o':
      return integerText(value, 8) ?? new CelError(`error during formatting: octal clause can only be used on integers, was given ${typeNameOf(value)}`)
    case 'x':
    case 'X': {
      const hex =
        typeof value === 'string'
          ? Buffer.from(value).toString('hex')
          : value instanceof Uint8Array
            ? Buffer.from(value).toString('hex')
            : integerText(value, 16)
      if (hex === undefined)
        return new CelError(`error during formatting: only integers, byte buffers, and strings can be formatted as hex, was given ${typeNameOf(value)}`)
      return verb === 'X' ? hex.toUpperCase() : hex
    }
    default:
      return new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`)
  }
}

function special(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity'
}

function integerText(value: Value, base: number): string | undefined {
  if (typeof value === 'bigint') return value.toString(base)
  return value instanceof Uint ? value.value.toString(base) : undefined
}

function plainText(value: Value): string | undefined {
  if (value === null) return 'null'
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? formatDouble(value) : special(value)
  if (value instanceof Uint) return value.value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (value instanceof Timestamp || value instanceof Duration) return value.toString()
  if (value instanceof TypeValue) return value.name
  if (Array.isArray(value)) {
    const items = value.map((item: Value) => plainText(item))
    return items.includes(undefined) ? undefined : `[${items.join(', ')}]`
  }
  if (value instanceof CelMap) {
    const entries = [...value.entries()].map(([key, item]) => [plainText(key) ?? '', plainText(item)] as const)
    if (entries.some(([, item]) => item === undefined)) return undefined
    return `{${entries
      .sort(([a], [b]) => compareText(a, b))
      .map(([key, item]) => `${key}: ${item}`)
      .join(', ')}}`
  }
  return value instanceof ObjectView ? JSON.stringify(toJson(value)) : undefined
}
