import { parseQuantity, quantityToMilli, quantityToUnits } from '@gantry/apimachinery'
import type { Container, Pod } from '@gantry/kube-api'

/** Amounts by resource name: cpu in millicores, everything else in whole units (bytes, devices). */
export type Amounts = ReadonlyMap<string, number>

// What a container without requests counts as when nodes are compared (never when they are filtered). Upstream: pkg/scheduler/util/pod_resources.go.
const assumedCpuMilli = 100
const assumedMemoryBytes = 200 * 1024 * 1024

export interface PodRequest {
  readonly amounts: Amounts
  /** For scoring: containers without requests count a little. */
  readonly scored: { readonly cpu: number; readonly memory: number }
}

const known = new WeakMap<Pod, PodRequest>()

/**
 * What a pod asks of its node: the sum of its containers and restartable init containers, or what one init container needs while it runs (with the restartable ones started before
 * it), whichever is more, plus overhead. Upstream: component-helpers resource/helpers.go.
 */
export function requestOf(pod: Pod): PodRequest {
  let request = known.get(pod)
  if (request === undefined) known.set(pod, (request = compute(pod)))
  return request
}

export function amountsOf(resources: Readonly<Record<string, string>> | undefined): Map<string, number> {
  return new Map(Object.entries(resources ?? {}).map(([name, text]) => [name, amountOf(name, text)]))
}

function amountOf(name: string, text: string): number {
  const quantity = parseQuantity(text)
  return name === 'cpu' ? quantityToMilli(quantity) : quantityToUnits(quantity)
}

function compute({ spec }: Pod): PodRequest {
  const total = new Map<string, number>()
  const scored = { cpu: 0, memory: 0 }
  for (const container of spec.containers ?? []) {
    const amounts = requestsOf(container)
    add(total, amounts)
    scored.cpu += amounts.get('cpu') ?? assumedCpuMilli
    scored.memory += amounts.get('memory') ?? assumedMemoryBytes
  }
  const restartable = new Map<string, number>()
  const peak = new Map<string, number>()
  for (const container of spec.initContainers ?? []) {
    const amounts = requestsOf(container)
    if (container.restartPolicy === 'Always') {
      add(total, amounts)
      add(restartable, amounts)
      max(peak, restartable)
      continue
    }
    const needed = new Map(restartable)
    add(needed, amounts)
    max(peak, needed)
  }
  max(total, peak)
  add(total, amountsOf(spec.overhead))
  return { amounts: total, scored: { cpu: Math.max(scored.cpu, total.get('cpu') ?? 0), memory: Math.max(scored.memory, total.get('memory') ?? 0) } }
}

function requestsOf(container: Container): Map<string, number> {
  return amountsOf(container.resources?.requests)
}

function add(into: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) into.set(name, (into.get(name) ?? 0) + amount)
}

function max(into: Map<string, number>, amounts: Amounts): void {
  for (const [name, amount] of amounts) into.set(name, Math.max(into.get(name) ?? 0, amount))
}
