import { isPodReady, readySinceMs } from '../pod-state.ts'
import type { Pod } from '@gantry/kube-api'

export interface RankedPod {
  readonly pod: Pod
  /** Active pods of the same family on the same node: the more, the sooner one of them goes. */
  readonly rank: number
}

const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'
const weightOfPhase: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 }

/** Orders pods by who is deleted first. Upstream: controller.ActivePodsWithRanks. */
export function byDeletionOrder(now: Date): (a: RankedPod, b: RankedPod) => number {
  return (a, b) =>
    Number(isAssigned(a.pod)) - Number(isAssigned(b.pod)) ||
    phaseWeight(a.pod) - phaseWeight(b.pod) ||
    Number(isPodReady(a.pod)) - Number(isPodReady(b.pod)) ||
    costOf(a.pod) - costOf(b.pod) ||
    b.rank - a.rank ||
    byAge(readySinceMs(a.pod), readySinceMs(b.pod), { a, b, now }) ||
    restartsOf(b.pod) - restartsOf(a.pod) ||
    byAge(createdMs(a.pod), createdMs(b.pod), { a, b, now })
}

/** Younger first, but on a logarithmic scale: among pods of a similar age the choice should be arbitrary, and yet the same every time. */
function byAge(a: number | undefined, b: number | undefined, context: { readonly a: RankedPod; readonly b: RankedPod; readonly now: Date }): number {
  if (a === undefined || b === undefined || a === b) return 0
  const difference = logarithm(context.now.getTime() - a) - logarithm(context.now.getTime() - b)
  if (difference !== 0) return difference
  const left = context.a.pod.metadata.uid ?? ''
  const right = context.b.pod.metadata.uid ?? ''
  return left < right ? -1 : Number(left > right)
}

// Upstream takes the logarithm of nanoseconds.
function logarithm(ageMs: number): number {
  return ageMs <= 0 ? 0 : Math.floor(Math.log2(ageMs * 1e6))
}

function isAssigned(pod: Pod): boolean {
  return pod.spec.nodeName !== undefined && pod.spec.nodeName !== ''
}

function phaseWeight(pod: Pod): number {
  return weightOfPhase[pod.status?.phase ?? 'Pending'] ?? 0
}

function costOf(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[deletionCost] ?? 0)
  return Number.isInteger(cost) ? cost : 0
}

function restartsOf(pod: Pod): number {
  return Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount))
}

function createdMs(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0
}
