import { compareQuantities, addQuantities, parseQuantity } from '@gantry/apimachinery'
import type { Quantity } from '@gantry/apimachinery'
import type { Pod } from '../generated/types.ts'

const counted = ['cpu', 'memory'] as const

/** Upstream: pkg/apis/core/helper/qos. A pod that says what it needs as a whole is judged by that alone. */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const own = pod.spec.resources
  const holders = own === undefined ? [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])] : [{ resources: own }]
  const requests = new Map<string, Quantity>()
  const limits = new Map<string, Quantity>()
  let areAllLimited = true
  for (const { resources = {} } of holders) {
    for (const resource of counted) {
      count(requests, resource, resources.requests?.[resource])
      if (!count(limits, resource, resources.limits?.[resource]) && (own === undefined || Object.keys(own.limits ?? {}).length > 0)) areAllLimited = false
    }
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort'
  const isEqual = requests.size === limits.size && [...requests].every(([name, request]) => isSame(request, limits.get(name)))
  return areAllLimited && isEqual ? 'Guaranteed' : 'Burstable'
}

/** Whether there was something to count. */
function count(sums: Map<string, Quantity>, resource: string, amount: string | undefined): boolean {
  if (amount === undefined) return false
  const quantity = parseQuantity(amount)
  if (quantity.unscaled <= 0n) return false
  const before = sums.get(resource)
  sums.set(resource, before === undefined ? quantity : addQuantities(before, quantity))
  return true
}

function isSame(a: Quantity, b: Quantity | undefined): boolean {
  return b !== undefined && compareQuantities(a, b) === 0
}
