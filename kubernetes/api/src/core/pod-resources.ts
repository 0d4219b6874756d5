import { addQuantities, compareQuantities, formatQuantity, parseQuantity } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import type { Container, PodSpec } from '../generated/types.ts'

type Amounts = Map<string, Quantity>

/** What all containers of a pod ask for at the worst moment of its life. Upstream: AggregateContainerRequests of component-helpers. */
export function aggregateRequests(spec: PodSpec): Record<string, string> {
  return aggregate(spec, 'requests')
}

export function aggregateLimits(spec: PodSpec): Record<string, string> {
  return aggregate(spec, 'limits')
}

function aggregate(spec: PodSpec, which: 'requests' | 'limits'): Record<string, string> {
  const total: Amounts = new Map()
  for (const container of spec.containers ?? []) add(total, amountsOf(container, which))
  // Init containers run one after the other, next to the sidecars that were started before.
  const sidecars: Amounts = new Map()
  const worst: Amounts = new Map()
  for (const container of spec.initContainers ?? []) {
    const own = amountsOf(container, which)
    if (container.restartPolicy === 'Always') {
      add(total, own)
      add(sidecars, own)
      raise(worst, sidecars)
    } else {
      add(own, sidecars)
      raise(worst, own)
    }
  }
  raise(total, worst)
  return Object.fromEntries([...total].map(([name, amount]) => [name, formatQuantity(amount)]))
}

function amountsOf(container: Container, which: 'requests' | 'limits'): Amounts {
  return new Map(Object.entries(container.resources?.[which] ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]))
}

function add(to: Amounts, amounts: Amounts): void {
  for (const [name, amount] of amounts) {
    const before = to.get(name)
    to.set(name, before === undefined ? amount : addQuantities(before, amount))
  }
}

function raise(to: Amounts, amounts: Amounts): void {
  for (const [name, amount] of amounts) {
    const before = to.get(name)
    if (before === undefined || compareQuantities(amount, before) > 0) to.set(name, amount)
  }
}
