import { addQuantities as add, compareQuantities, parseQuantity, quantityOf, quantityToNumber, subtractQuantities } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import { fitsInt } from '../lexer.ts'
import type { Library } from '../overloads.ts'
import { CelError } from '../values.ts'
import type { HostValue, Value } from '../values.ts'

const typeName = 'kubernetes.Quantity'

class QuantityValue implements HostValue {
  readonly hostType = typeName
  readonly quantity: Quantity

  constructor(quantity: Quantity) {
    this.quantity = quantity
  }

  equals(other: HostValue): boolean {
    return other instanceof QuantityValue && compareQuantities(this.quantity, other.quantity) === 0
  }
}

function parsed(text: string): QuantityValue | CelError {
  try {
    return new QuantityValue(parseQuantity(text))
  } catch (error) {
    return new CelError(error instanceof Error ? error.message : String(error))
  }
}

/** The whole number that a quantity is; undefined where it has a fraction or does not fit. */
function wholeOf({ unscaled, exponent }: Quantity): bigint | undefined {
  if (exponent > 20) return unscaled === 0n ? 0n : undefined
  const scale = 10n ** BigInt(Math.abs(exponent))
  if (exponent < 0 && unscaled % scale !== 0n) return undefined
  const whole = exponent < 0 ? unscaled / scale : unscaled * scale
  return fitsInt(whole) ? whole : undefined
}

export function addQuantities(library: Library): void {
  const q = typeName
  const compare = (a: QuantityValue, b: QuantityValue): number => Math.sign(compareQuantities(a.quantity, b.quantity))
  const ofInt = (value: bigint): Quantity => quantityOf(value, 'DecimalExponent')
  library
    .add('quantity', 'string_to_quantity', `(string) -> ${q}`, (text: string) => parsed(text))
    .add('isQuantity', 'is_quantity_string', '(string) -> bool', (text: string) => parsed(text) instanceof QuantityValue)
    .add('sign', 'quantity_sign', `(${q}) -> int`, ({ quantity }: QuantityValue) => (quantity.unscaled > 0n ? 1n : quantity.unscaled < 0n ? -1n : 0n))
    .add('isGreaterThan', 'quantity_is_greater_than', `${q}.(${q}) -> bool`, (a: QuantityValue, b: QuantityValue) => compare(a, b) > 0)
    .add('isLessThan', 'quantity_is_less_than', `${q}.(${q}) -> bool`, (a: QuantityValue, b: QuantityValue) => compare(a, b) < 0)
    .add('compareTo', 'quantity_compare_to', `${q}.(${q}) -> int`, (a: QuantityValue, b: QuantityValue) => BigInt(compare(a, b)))
    .add('asApproximateFloat', 'quantity_get_float', `${q}.() -> double`, ({ quantity }: QuantityValue) => quantityToNumber(quantity))
    .add('isInteger', 'quantity_is_integer', `${q}.() -> bool`, ({ quantity }: QuantityValue) => wholeOf(quantity) !== undefined)
    .add(
      'asInteger',
      'quantity_get_int',
      `${q}.() -> int`,
      ({ quantity }: QuantityValue): Value => wholeOf(quantity) ?? new CelError('cannot convert value to integer'),
    )
    .add('add', 'quantity_add', `${q}.(${q}) -> ${q}`, (a: QuantityValue, b: QuantityValue) => new QuantityValue(add(a.quantity, b.quantity)))
    .add('add', 'quantity_add_int', `${q}.(int) -> ${q}`, (a: QuantityValue, b: bigint) => new QuantityValue(add(a.quantity, ofInt(b))))
    .add('sub', 'quantity_sub', `${q}.(${q}) -> ${q}`, (a: QuantityValue, b: QuantityValue) => new QuantityValue(subtractQuantities(a.quantity, b.quantity)))
    .add('sub', 'quantity_sub_int', `${q}.(int) -> ${q}`, (a: QuantityValue, b: bigint) => new QuantityValue(subtractQuantities(a.quantity, ofInt(b))))
}
