import { compareQuantities, parseQuantity } from '@gantry/apimachinery'
import type { Pod } from '../generated/types.ts'

const counted = ['cpu', 'memory'] as const

/** Upstream: pkg/apis/core/v1/helper/qos. */
export function qosClassOf(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...(pod.spec.containers ?? []), ...(pod.spec.initContainers ?? [])]
  let any = false
  let guaranteed = true
  for (const { resources = {} } of containers) {
    for (const resource of counted) {
      const request = resources.requests?.[resource]
      const limit = resources.limits?.[resource]
      const hasRequest = request !== undefined && isPositive(request)
      const hasLimit = limit !== undefined && isPositive(limit)
      any ||= hasRequest || hasLimit
      guaranteed &&= hasLimit && (!hasRequest || compareQuantities(parseQuantity(request), parseQuantity(limit)) === 0)
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable'
}

function isPositive(amount: string): boolean {
  return compareQuantities(parseQuantity(amount), parseQuantity('0')) > 0
}
