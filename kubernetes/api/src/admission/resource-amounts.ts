import { addQuantities, compareQuantities, parseQuantity } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import type { Container, Pod } from '../generated/types.ts'

/** Amounts by the name of their resource. */
export type Amounts = Map<string, Quantity>
export type ReadonlyAmounts = ReadonlyMap<string, Quantity>

export function amountsOf(list: Readonly<Record<string, string>> | undefined): Amounts {
  const amounts: Amounts = new Map()
  for (const name in list) amounts.set(name, parseQuantity(list[name] ?? '0'))
  return amounts
}

export function addAmounts(into: Amounts, more: ReadonlyAmounts): void {
  for (const [name, amount] of more) {
    const present = into.get(name)
    into.set(name, present === undefined ? amount : addQuantities(present, amount))
  }
}

/** Raises each amount to the one of `floor`. */
export function raiseAmounts(into: Amounts, floor: ReadonlyAmounts): void {
  for (const [name, amount] of floor) {
    const present = into.get(name)
    if (present === undefined || compareQuantities(amount, present) > 0) into.set(name, amount)
  }
}

export interface TotalOptions {
  /** Resources that the pod as a whole may state: these count instead of the sum over its containers. */
  readonly isPodLevel: (name: string) => boolean
  /** What a container counts with, where its spec does not decide alone. */
  readonly effective?: (containerName: string, stated: ReadonlyAmounts) => ReadonlyAmounts
}

/**
 * What the containers of a pod request or are limited to together: the sum of those that run at the same time, or what one init container needs while it runs beside the
 * restartable ones before it, whichever is more. Overhead is not in it. Upstream: component-helpers resource/helpers.go.
 */
export function podTotal({ spec }: Pod, which: 'requests' | 'limits', { isPodLevel, effective }: TotalOptions): Amounts {
  const total: Amounts = new Map()
  const amountsFor = (container: { readonly name: string; readonly resources?: Container['resources'] }): ReadonlyAmounts => {
    const stated = amountsOf(container.resources?.[which])
    return effective === undefined ? stated : effective(container.name, stated)
  }
  for (const container of spec.containers ?? []) addAmounts(total, amountsFor(container))
  const restartable: Amounts = new Map()
  const peak: Amounts = new Map()
  for (const container of spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      const amounts = amountsFor(container)
      addAmounts(total, amounts)
      addAmounts(restartable, amounts)
      raiseAmounts(peak, restartable)
      continue
    }
    const needed = amountsOf(container.resources?.[which])
    addAmounts(needed, restartable)
    raiseAmounts(peak, needed)
  }
  raiseAmounts(total, peak)
  for (const [name, amount] of amountsOf(spec.resources?.[which])) if (isPodLevel(name)) total.set(name, amount)
  return total
}
