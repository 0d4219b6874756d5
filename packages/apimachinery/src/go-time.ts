import { goQuote } from './go-quote.ts'

const secondsLayout = '2006-01-02T15:04:05Z07:00'
const microsLayout = '2006-01-02T15:04:05.000000Z07:00'
const canonicalSeconds = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/
const daysInMonth = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * metav1.Time: RFC 3339 with any fraction and offset in, UTC whole seconds out; `null` for Go's zero time, which upstream writes as null.
 * Throws a plain Error with Go's words.
 */
export function canonicalTime(text: string): string | null {
  if (canonicalSeconds.test(text) && inRange(text) && text.charCodeAt(0) !== 0x30) return text
  const { epochSeconds } = parseTime(text, secondsLayout)
  return epochSeconds === goZeroSeconds ? null : formatSeconds(epochSeconds)
}

/** metav1.MicroTime: exactly six digits of fraction in, UTC microseconds out. */
export function canonicalMicroTime(text: string): string | null {
  const { epochSeconds, fraction } = parseTime(text, microsLayout)
  if (epochSeconds === goZeroSeconds && fraction === '.000000') return null
  return `${formatSeconds(epochSeconds).slice(0, -1)}${fraction}Z`
}

const goZeroSeconds = -62_135_596_800

function inRange(text: string): boolean {
  const month = twoDigits(text, 5)
  return (
    month >= 1 &&
    month <= 12 &&
    validDay(Number(text.slice(0, 4)), month, twoDigits(text, 8)) &&
    twoDigits(text, 11) < 24 &&
    twoDigits(text, 14) < 60 &&
    twoDigits(text, 17) < 60
  )
}

function twoDigits(text: string, at: number): number {
  return (text.charCodeAt(at) - 48) * 10 + text.charCodeAt(at + 1) - 48
}

function validDay(year: number, month: number, day: number): boolean {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0)
  return day >= 1 && day <= (month === 2 && !leap ? 28 : (daysInMonth[month - 1] ?? 0))
}

function formatSeconds(epochSeconds: number): string {
  return `${new Date(epochSeconds * 1000).toISOString().slice(0, 19)}Z`
}

/** time.Parse for the two layouts: element by element, so that the message names the one that fails. */
function parseTime(text: string, layout: string): { readonly epochSeconds: number; readonly fraction: string } {
  let rest = text
  let outOfRange: string | undefined
  function fail(element: string): never {
    throw new Error(`parsing time ${goQuote(text)} as ${goQuote(layout)}: cannot parse ${goQuote(rest)} as ${goQuote(element)}`)
  }
  function take(pattern: RegExp, element: string): string {
    const found = pattern.exec(rest)?.[0]
    if (found === undefined) fail(element)
    rest = rest.slice(found.length)
    return found
  }
  function number(pattern: RegExp, options: { readonly element: string; readonly name: string; readonly min: number; readonly max: number }): number {
    const value = Number(take(pattern, options.element))
    if (value < options.min || value > options.max) outOfRange ??= options.name
    return value
  }
  const year = number(/^\d{4}/, { element: '2006', name: 'year', min: 0, max: 9999 })
  take(/^-/, '-')
  const month = number(/^\d\d/, { element: '01', name: 'month', min: 1, max: 12 })
  take(/^-/, '-')
  const day = number(/^\d\d/, { element: '02', name: 'day', min: 0, max: 99 })
  take(/^T/, 'T')
  const hour = number(/^\d\d?/, { element: '15', name: 'hour', min: 0, max: 23 })
  take(/^:/, ':')
  const minute = number(/^\d\d/, { element: '04', name: 'minute', min: 0, max: 59 })
  take(/^:/, ':')
  const second = number(/^\d\d/, { element: '05', name: 'second', min: 0, max: 59 })
  const fraction = layout === microsLayout ? take(/^[.,]\d{6}/, '.000000') : take(/^(?:[.,]\d+)?/, '')
  const zone = take(/^(?:Z|[+-]\d\d:\d\d)/, 'Z07:00')
  if (rest !== '') throw new Error(`parsing time ${goQuote(text)}: extra text: ${goQuote(rest)}`)
  if (outOfRange === undefined && !validDay(year, month, day)) outOfRange = 'day'
  if (outOfRange !== undefined) throw new Error(`parsing time ${goQuote(text)}: ${outOfRange} out of range`)
  const local = new Date(0)
  local.setUTCFullYear(year, month - 1, day)
  local.setUTCHours(hour, minute, second)
  const offsetMinutes = zone === 'Z' ? 0 : (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) * (zone[0] === '-' ? -1 : 1)
  return { epochSeconds: local.getTime() / 1000 - offsetMinutes * 60, fraction: fraction.replace(',', '.') }
}

const nanosecondsOf: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n, // U+00B5
  μs: 1000n, // U+03BC
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
}
const maxDuration = (1n << 63n) - 1n

/** Go's time.ParseDuration followed by String: `90m` is `1h30m0s`. Throws a plain Error with Go's words. */
export function canonicalDuration(text: string): string {
  return formatDuration(parseDuration(text))
}

/** Go's time.ParseDuration, in milliseconds with a fraction. Throws a plain Error with Go's words. */
export function durationMs(text: string): number {
  return Number(parseDuration(text)) / 1e6
}

/** Nanoseconds. */
function parseDuration(text: string): bigint {
  const negative = text.startsWith('-')
  let rest = negative || text.startsWith('+') ? text.slice(1) : text
  if (rest === '0') return 0n
  if (rest === '') throw new Error(`time: invalid duration ${goQuote(text)}`)
  let total = 0n
  while (rest !== '') {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest)
    const whole = number?.[1] ?? ''
    const fraction = number?.[2] ?? ''
    if (whole === '' && fraction === '') throw new Error(`time: invalid duration ${goQuote(text)}`)
    rest = rest.slice(number?.[0].length ?? 0)
    const unit = /^[^.\d]*/.exec(rest)?.[0] ?? ''
    if (unit === '') throw new Error(`time: missing unit in duration ${goQuote(text)}`)
    const scale = nanosecondsOf[unit]
    if (scale === undefined) throw new Error(`time: unknown unit ${goQuote(unit)} in duration ${goQuote(text)}`)
    rest = rest.slice(unit.length)
    total += BigInt(whole === '' ? '0' : whole) * scale
    const digits = fraction.slice(0, 18)
    if (digits !== '') total += (BigInt(digits) * scale) / 10n ** BigInt(digits.length)
    if (total > maxDuration + (negative ? 1n : 0n)) throw new Error(`time: invalid duration ${goQuote(text)}`)
  }
  return negative ? -total : total
}

function formatDuration(duration: bigint): string {
  if (duration === 0n) return '0s'
  const sign = duration < 0n ? '-' : ''
  const nanoseconds = duration < 0n ? -duration : duration
  if (nanoseconds < 1_000_000_000n) {
    const [unit, digits] = nanoseconds < 1000n ? ['ns', 0] : nanoseconds < 1_000_000n ? ['µs', 3] : ['ms', 6]
    return `${sign}${decimal(nanoseconds, Number(digits))}${unit}`
  }
  const minutes = nanoseconds / 60_000_000_000n
  const seconds = `${decimal(nanoseconds % 60_000_000_000n, 9)}s`
  if (minutes === 0n) return `${sign}${seconds}`
  const hours = minutes / 60n
  return `${sign}${hours === 0n ? '' : `${hours}h`}${minutes % 60n}m${seconds}`
}

function decimal(value: bigint, digits: number): string {
  const text = value.toString().padStart(digits + 1, '0')
  if (digits === 0) return text
  const fraction = text.slice(-digits).replace(/0+$/, '')
  return fraction === '' ? text.slice(0, -digits) : `${text.slice(0, -digits)}.${fraction}`
}
