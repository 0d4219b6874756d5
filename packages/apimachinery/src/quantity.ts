import { StatusError } from './status.ts'

/** How a quantity was written, and so how it is written again. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

/** An exact number with its notation: `unscaled × 10^exponent`. */
export interface Quantity {
  readonly unscaled: bigint
  readonly exponent: number
  readonly format: QuantityFormat
  /** The text it was parsed from, where that is already what upstream writes back. */
  readonly text?: string | undefined
}

const errorFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const errorNumeric = 'unable to parse numeric part of quantity'
const errorSuffix = "unable to parse quantity's suffix"

const decimalExponentOfSuffix: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binaryExponentOfSuffix: Readonly<Record<string, number>> = { Ki: 10, Mi: 20, Gi: 30, Ti: 40, Pi: 50, Ei: 60 }
const decimalSuffixOfExponent: ReadonlyMap<number, string> = new Map(Object.entries(decimalExponentOfSuffix).map(([suffix, exponent]) => [exponent, suffix]))
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'] as const

const nanoExponent = -9
const maxInt64 = 9_223_372_036_854_775_807n
// Upstream takes any int32; a few bytes of text would then buy gigabytes of digits.
const maxExponent = 4096
/** Digits of a number that upstream keeps in an int64, and whose text it therefore keeps as written. */
const int64Digits = 18
const maxDigits = 1024

// Written so that no position is tried twice: a hostile text costs its length, not its square.
const grammar = /^([+-]?)(\d*)(?:\.(\d*))?([eEinumkKMGTP]+[-+]?\d*|[-+]\d*|)$/
const alreadyCanonical = /^[1-9]\d{0,2}(?:[numkMGTPE]|[KMGTPE]i)?$/

/**
 * Parses a quantity (`100m`, `1.5Gi`, `12e6`). Values finer than nano are rounded up. Throws BadRequest with upstream's text.
 * Upstream: apimachinery pkg/api/resource/quantity.go.
 */
export function parseQuantity(text: string): Quantity {
  const match = text === '' ? null : grammar.exec(text)
  if (match === null) throw new StatusError('BadRequest', errorFormat)
  const [, sign, whole = '', fraction = '', suffix = ''] = match
  if (whole.length + fraction.length > maxDigits) throw new StatusError('BadRequest', errorNumeric)
  const numerator = whole.replace(/^0+/, '') || '0'
  const digits = BigInt(numerator + fraction)
  const negative = sign === '-'
  const binary = Object.hasOwn(binaryExponentOfSuffix, suffix) ? binaryExponentOfSuffix[suffix] : undefined

  if (binary !== undefined) {
    // Upstream's int64 path keeps the text as written; its slow path does not.
    const fitsInt64 = fraction === '' && 15 - numerator.length - Math.trunc((binary * 3) / 10) - 1 >= 0
    const scaled = digits << BigInt(binary)
    if (fitsInt64) {
      const kept = (digits & 7n) !== 0n ? text : undefined
      return { unscaled: negative ? -scaled : scaled, exponent: 0, format: 'BinarySI', text: kept }
    }
    if (whole === '' && fraction === '') throw new StatusError('BadRequest', errorNumeric)
    let amount = roundUpTo(nanoExponent, scaled, -fraction.length)
    if (compareScaled(amount.unscaled, amount.exponent, maxInt64, 0) > 0) amount = { unscaled: maxInt64, exponent: 0 }
    const belowOne = amount.unscaled > 0n && compareScaled(amount.unscaled, amount.exponent, 1n, 0) < 0
    return { unscaled: negative ? -amount.unscaled : amount.unscaled, exponent: amount.exponent, format: belowOne ? 'DecimalSI' : 'BinarySI' }
  }

  const { exponent, format } = decimalSuffix(suffix)
  const shifted = numerator + fraction
  const scale = exponent - fraction.length
  const fitsInt64 = shifted.length <= int64Digits && scale >= nanoExponent
  const kept = fitsInt64 && scale % 3 === 0 && !shifted.endsWith('000') && shifted[0] !== '0' ? text : undefined
  const amount = roundUpTo(nanoExponent, digits, scale)
  return { unscaled: negative ? -amount.unscaled : amount.unscaled, exponent: amount.exponent, format, text: kept }
}

function decimalSuffix(suffix: string): { readonly exponent: number; readonly format: QuantityFormat } {
  if (Object.hasOwn(decimalExponentOfSuffix, suffix)) return { exponent: decimalExponentOfSuffix[suffix] ?? 0, format: 'DecimalSI' }
  const written = /^[eE]([+-]?\d+)$/.exec(suffix)
  const exponent = Number(written?.[1] ?? Number.NaN)
  if (written === null || Math.abs(exponent) > maxExponent) throw new StatusError('BadRequest', errorSuffix)
  return { exponent, format: 'DecimalExponent' }
}

/** The text the server stores and answers for a quantity given in JSON or YAML; throws BadRequest. */
export function canonicalQuantity(text: string): string {
  if (alreadyCanonical.test(text)) return text
  return formatQuantity(parseQuantity(text.trim()))
}

/** The canonical text: no fraction, the largest suffix that loses nothing, in the notation the quantity was written in. */
export function formatQuantity(quantity: Quantity): string {
  if (quantity.text !== undefined) return quantity.text
  if (quantity.unscaled === 0n) return '0'
  let format = quantity.format
  if (format === 'BinarySI') {
    const small = compareScaled(abs(quantity.unscaled), quantity.exponent, 1024n, 0) < 0
    const rounded = roundUpTo(0, quantity.unscaled, quantity.exponent)
    const exact = compareScaled(rounded.unscaled, rounded.exponent, quantity.unscaled, quantity.exponent) === 0
    if (!small && exact) return formatBinary(rounded.unscaled * 10n ** BigInt(rounded.exponent))
    format = 'DecimalSI'
  }
  let { unscaled, exponent } = quantity
  while (unscaled % 10n === 0n) {
    unscaled /= 10n
    exponent++
  }
  // Upstream drops the suffix past E and so changes the value; here E stays the largest.
  if (format === 'DecimalSI' && exponent > 18) {
    unscaled *= 10n ** BigInt(exponent - 18)
    exponent = 18
  }
  while (exponent % 3 !== 0) {
    unscaled *= 10n
    exponent--
  }
  if (format === 'DecimalExponent') return exponent === 0 ? `${unscaled}` : `${unscaled}e${exponent}`
  return `${unscaled}${decimalSuffixOfExponent.get(exponent) ?? ''}`
}

function formatBinary(value: bigint): string {
  let suffix = 0
  while (suffix < binarySuffixes.length - 1 && value % 1024n === 0n) {
    value /= 1024n
    suffix++
  }
  return `${value}${binarySuffixes[suffix]}`
}

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return compareScaled(a.unscaled, a.exponent, b.unscaled, b.exponent)
}

/** The sum, in the notation of `a` (of `b` where `a` is zero). */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  const exponent = Math.min(a.exponent, b.exponent)
  return { unscaled: atExponent(a, exponent) + atExponent(b, exponent), exponent, format: a.unscaled === 0n ? b.format : a.format }
}

/** The difference `a - b`, in the notation of `a` (of `b` where `a` is zero). */
export function subtractQuantities(a: Quantity, b: Quantity): Quantity {
  return addQuantities(a, { ...b, unscaled: -b.unscaled, text: undefined })
}

/** A whole number of units as a quantity. */
export function quantityOf(value: number | bigint, format: QuantityFormat): Quantity {
  return { unscaled: BigInt(value), exponent: 0, format }
}

/** Thousandths as a quantity: `quantityOfMilli(1500)` is `1500m`. */
export function quantityOfMilli(milli: number | bigint): Quantity {
  return { unscaled: BigInt(milli), exponent: -3, format: 'DecimalSI' }
}

/** The nearest double; infinite where it does not fit. */
export function quantityToNumber(quantity: Quantity): number {
  return Number(`${quantity.unscaled}e${quantity.exponent}`)
}

/** Whole units, rounded away from zero. Exact up to 2^53. */
export function quantityToUnits(quantity: Quantity): number {
  return Number(scaledTo(0, quantity))
}

/** Thousandths, rounded away from zero: what CPU is counted in. Exact up to 2^53. */
export function quantityToMilli(quantity: Quantity): number {
  return Number(scaledTo(-3, quantity))
}

function scaledTo(exponent: number, quantity: Quantity): bigint {
  return atExponent(roundUpTo(exponent, quantity.unscaled, quantity.exponent), exponent)
}

function atExponent(value: { readonly unscaled: bigint; readonly exponent: number }, exponent: number): bigint {
  return value.unscaled * 10n ** BigInt(value.exponent - exponent)
}

/** The value with no digit below `10^exponent`, rounded away from zero. */
function roundUpTo(exponent: number, unscaled: bigint, from: number): { readonly unscaled: bigint; readonly exponent: number } {
  if (from >= exponent) return { unscaled, exponent: from }
  const divisor = 10n ** BigInt(exponent - from)
  const quotient = unscaled / divisor
  if (unscaled % divisor === 0n) return { unscaled: quotient, exponent }
  return { unscaled: unscaled > 0n ? quotient + 1n : quotient - 1n, exponent }
}

function compareScaled(a: bigint, aExponent: number, b: bigint, bExponent: number): number {
  const exponent = Math.min(aExponent, bExponent)
  const left = a * 10n ** BigInt(aExponent - exponent)
  const right = b * 10n ** BigInt(bExponent - exponent)
  return left < right ? -1 : left > right ? 1 : 0
}

function abs(value: bigint): bigint {
  return value < 0n ? -value : value
}
