import { goQuote } from '@gantry/apimachinery'
import { CelError, CelMap, compareText, Duration, Timestamp, typeNameOf, TypeValue, Uint } from '../values.ts'
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
      return plainText(value) ?? new CelError('no such overload')
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
      return verb === 'f' ? fixed(number, digits) : scientific(number)
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

/** Go rounds what is exactly in the middle to the even digit, JavaScript up. */
function roundHalfEven(value: number, digits: number): string {
  const rounded = value.toFixed(digits)
  if (Math.abs(value) >= 1e15) return rounded
  const [, fraction = ''] = value.toFixed(Math.min(100, digits + 60)).split('.')
  const tail = fraction.slice(digits)
  const last = Number(rounded.at(-1))
  if (!/^50*$/.test(tail) || last % 2 === 0) return rounded
  return `${rounded.slice(0, -1)}${last - 1}`
}

/** As English has it, in groups of thousands. */
function fixed(value: number, digits: number): string {
  const [whole = '', fraction] = roundHalfEven(value, digits).split('.')
  const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ',')
  return fraction === undefined ? grouped : `${grouped}.${fraction}`
}

/** Upstream takes the precision for a width here. */
const scientificDigits = 6
const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹'

/** `1.5×10⁰⁴`, the way of Go's golang.org/x/text/message. */
function scientific(value: number): string {
  const [mantissa = '', exponent = '0'] = value.toExponential(scientificDigits).split('e')
  const power = Array.from(Math.abs(Number(exponent)).toString().padStart(2, '0'), (digit) => superscripts[Number(digit)] ?? '').join('')
  return `${mantissa}×10${exponent.startsWith('-') ? '⁻' : ''}${power}`
}

/** A value on its own. Undefined: it has no text. */
function plainText(value: Value): string | undefined {
  if (value === null) return 'null'
  if (typeof value === 'string') return value
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return formatDouble(value)
  if (value instanceof Uint) return value.value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (value instanceof Timestamp || value instanceof Duration) return value.toString()
  if (value instanceof TypeValue) return value.name
  if (Array.isArray(value)) {
    const items = value.map((item: Value) => innerText(item))
    return items.includes(undefined) ? undefined : `[${items.join(', ')}]`
  }
  if (!(value instanceof CelMap)) return undefined
  const entries = [...value.entries()].map(([key, item]) => [innerText(key) ?? '', innerText(item)] as const)
  if (entries.some(([, item]) => item === undefined)) return undefined
  return `{${entries
    .sort(([a], [b]) => compareText(a, b))
    .map(([key, item]) => `${key}:${item}`)
    .join(', ')}}`
}

/** A value within a list or a map: text is quoted, doubles have six places. */
function innerText(value: Value): string | undefined {
  if (typeof value === 'string') return goQuote(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value.toFixed(6) : `"${special(value)}"`
  if (value instanceof Uint8Array) return `b${goQuote(Buffer.from(value).toString('utf8'))}`
  if (value instanceof Timestamp) return `timestamp("${value.toString()}")`
  if (value instanceof Duration) return `duration("${value.toString()}")`
  return plainText(value)
}
