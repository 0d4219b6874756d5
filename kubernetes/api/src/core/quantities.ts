import { compareQuantities, parseQuantity } from '@gantry/apimachinery'

// Comparisons of the canonical texts that decoded objects carry.

const zero = parseQuantity('0')

/** Negative, zero or positive, as `a` is less than, equal to or greater than `b`. */
export function compareAmounts(a: string, b: string): number {
  return a === b ? 0 : compareQuantities(parseQuantity(a), parseQuantity(b))
}

export function compareToZero(amount: string): number {
  return compareQuantities(parseQuantity(amount), zero)
}

/** The amount of a resource in a decoded map; names that every object inherits (`constructor`) are none. */
export function amountOf(amounts: Readonly<Record<string, string>> | undefined, name: string): string | undefined {
  return amounts !== undefined && Object.hasOwn(amounts, name) ? amounts[name] : undefined
}
