import type { Taint, Toleration } from '@gantry/kube-api'

/** How long a pod may stay under these NoExecute taints: undefined for ever, 0 not at all. Each taint must be tolerated; the shortest patience counts. */
export function evictAfterMs(tolerations: readonly Toleration[] | undefined, taints: readonly Taint[]): number | undefined {
  let shortest: number | undefined
  for (const taint of taints) {
    const matching = (tolerations ?? []).filter((toleration) => toleratesTaint(toleration, taint))
    if (matching.length === 0) return 0
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue
      const ms = Math.max(0, tolerationSeconds) * 1000
      shortest = shortest === undefined ? ms : Math.min(shortest, ms)
    }
  }
  return shortest
}

function toleratesTaint(toleration: Toleration, taint: Taint): boolean {
  if ((toleration.effect ?? '') !== '' && toleration.effect !== taint.effect) return false
  if ((toleration.key ?? '') !== '' && toleration.key !== taint.key) return false
  return toleration.operator === 'Exists' || ((toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? ''))
}
