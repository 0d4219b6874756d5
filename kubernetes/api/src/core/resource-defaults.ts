import { canonicalQuantity, formatQuantity, parseQuantity, quantityOfMilli, quantityToMilli } from '@gantry/apimachinery'

/** Amounts finer than a thousandth are rounded up, as upstream's defaults do for every resource list. Changes the map. */
export function roundAmounts(amounts: Record<string, string> | undefined): void {
  if (amounts === undefined) return
  for (const [name, amount] of Object.entries(amounts)) {
    if (/[nu]$|\.|[eE]-/.test(amount)) amounts[name] = roundedToMilli(amount)
  }
}

function roundedToMilli(amount: string): string {
  const quantity = parseQuantity(amount)
  return quantity.exponent >= -3 ? canonicalQuantity(amount) : formatQuantity({ ...quantityOfMilli(quantityToMilli(quantity)), format: quantity.format })
}
