import { findCondition } from '@gantry/controller'
import type { Pod } from '@gantry/kube-api'

/** Neither finished nor on its way out. Upstream: controller.IsPodActive. */
export function isPodActive(pod: Pod): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed' && pod.metadata.deletionTimestamp === undefined
}

/** On its way out, and not finished. Upstream: controller.IsPodTerminating. */
export function isPodTerminating(pod: Pod): boolean {
  return pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed' && pod.metadata.deletionTimestamp !== undefined
}

export function isPodReady(pod: Pod): boolean {
  return findCondition(pod.status?.conditions, 'Ready')?.status === 'True'
}

/** Since when the pod is ready, in ms since the epoch; `undefined` when it is not. */
export function readySinceMs(pod: Pod): number | undefined {
  const condition = findCondition(pod.status?.conditions, 'Ready')
  if (condition?.status !== 'True') return undefined
  return typeof condition.lastTransitionTime === 'string' ? Date.parse(condition.lastTransitionTime) : 0
}

/** Ready for at least `minReadySeconds`. */
export function isPodAvailable(pod: Pod, minReadySeconds: number, now: Date): boolean {
  const since = readySinceMs(pod)
  return since !== undefined && (minReadySeconds === 0 || since + minReadySeconds * 1000 <= now.getTime())
}
