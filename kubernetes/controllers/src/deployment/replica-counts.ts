import type { Deployment, ReplicaSet } from '@gantry/kube-api'
import { desiredReplicasOf, maxReplicasOf } from './annotations.ts'
import { isRollingUpdate, maxSurgeOf, maxUnavailableOf } from './rollout-limits.ts'

/** A ReplicaSet and the size it should get. */
export interface Resize {
  readonly replicaSet: ReplicaSet
  readonly replicas: number
}

export function replicasOf(replicaSet: ReplicaSet): number {
  return replicaSet.spec.replicas ?? 1
}

export function wantedOf(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1
}

export function sum(replicaSets: readonly ReplicaSet[], count: (replicaSet: ReplicaSet) => number | undefined): number {
  let total = 0
  for (const replicaSet of replicaSets) total += count(replicaSet) ?? 0
  return total
}

export function isActive(replicaSet: ReplicaSet): boolean {
  return replicasOf(replicaSet) > 0
}

export function byCreation(a: ReplicaSet, b: ReplicaSet): number {
  const left = a.metadata.creationTimestamp ?? ''
  const right = b.metadata.creationTimestamp ?? ''
  if (left !== right) return left < right ? -1 : 1
  return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1
}

/** How large the newest ReplicaSet may be now. Upstream: NewRSNewReplicas. */
export function newReplicaSetSize(deployment: Deployment, all: readonly ReplicaSet[], current: number): number {
  const wanted = wantedOf(deployment)
  if (!isRollingUpdate(deployment)) return wanted
  const room = wanted + maxSurgeOf(deployment) - sum(all, replicasOf)
  return room <= 0 ? current : current + Math.min(room, wanted - current)
}

/**
 * The next step down of the old ReplicaSets in a rolling update: first pods that are not available anyway, then as many as the available ones allow.
 * Upstream: rolling.go reconcileOldReplicaSets.
 */
export function shrinkOld(deployment: Deployment, newReplicaSet: ReplicaSet, old: readonly ReplicaSet[]): readonly Resize[] {
  const active = old.filter(isActive).toSorted(byCreation)
  if (active.length === 0) return []
  const minAvailable = wantedOf(deployment) - maxUnavailableOf(deployment)
  const unavailableNew = replicasOf(newReplicaSet) - (newReplicaSet.status?.availableReplicas ?? 0)
  const mostDown = sum([...active, newReplicaSet], replicasOf) - minAvailable - unavailableNew
  if (mostDown <= 0) return []

  const sizes = new Map(active.map((replicaSet) => [replicaSet, replicasOf(replicaSet)]))
  let down = 0
  for (const replicaSet of active) {
    if (down >= mostDown) break
    const size = replicasOf(replicaSet)
    const unhealthy = Math.min(mostDown - down, size - (replicaSet.status?.availableReplicas ?? 0))
    if (unhealthy <= 0) continue
    sizes.set(replicaSet, size - unhealthy)
    down += unhealthy
  }
  let spare = sum([...active, newReplicaSet], (replicaSet) => replicaSet.status?.availableReplicas) - minAvailable
  for (const replicaSet of active) {
    if (spare <= 0) break
    const size = sizes.get(replicaSet) ?? 0
    const step = Math.min(size, spare)
    sizes.set(replicaSet, size - step)
    spare -= step
  }
  return active
    .map((replicaSet) => ({ replicaSet, replicas: sizes.get(replicaSet) ?? 0 }))
    .filter((resize) => resize.replicas !== replicasOf(resize.replicaSet))
}

/**
 * What a change of `spec.replicas` means to each ReplicaSet: to the only active one all of it; to several, each its share, so that a rollout keeps its proportions.
 * Upstream: sync.go scale.
 */
export function scaleAll(deployment: Deployment, newReplicaSet: ReplicaSet | undefined, old: readonly ReplicaSet[]): readonly Resize[] {
  const wanted = wantedOf(deployment)
  const all = newReplicaSet === undefined ? old : [...old, newReplicaSet]
  const active = all.filter(isActive)
  const single = active.length === 0 ? (newReplicaSet ?? old.toSorted(byCreation).at(-1)) : active.length === 1 ? active[0] : undefined
  if (single !== undefined) return replicasOf(single) === wanted ? [] : [{ replicaSet: single, replicas: wanted }]
  if (isSaturated(deployment, newReplicaSet)) return old.filter(isActive).map((replicaSet) => ({ replicaSet, replicas: 0 }))
  if (!isRollingUpdate(deployment)) return []

  const allowed = wanted > 0 ? wanted + maxSurgeOf(deployment) : 0
  const toAdd = allowed - sum(active, replicasOf)
  // Growing prefers the newest of the largest, shrinking the oldest.
  const sorted = active.toSorted((a, b) => replicasOf(b) - replicasOf(a) || (toAdd > 0 ? byCreation(b, a) : byCreation(a, b)))
  let added = 0
  const sizes = sorted.map((replicaSet) => {
    const share = toAdd === 0 ? 0 : shareOf(replicaSet, deployment, { toAdd, added })
    added += share
    return replicasOf(replicaSet) + share
  })
  if (toAdd !== 0 && sizes[0] !== undefined) sizes[0] = Math.max(0, sizes[0] + toAdd - added)
  return sorted.map((replicaSet, index) => ({ replicaSet, replicas: sizes[index] ?? 0 }))
}

function shareOf(replicaSet: ReplicaSet, deployment: Deployment, progress: { readonly toAdd: number; readonly added: number }): number {
  const left = progress.toAdd - progress.added
  if (left === 0) return 0
  const size = replicasOf(replicaSet)
  const wanted = wantedOf(deployment)
  const before = maxReplicasOf(replicaSet) ?? deployment.status?.replicas ?? 0
  const fraction = wanted === 0 ? -size : before === 0 ? 0 : roundHalfAway((size * (wanted + maxSurgeOf(deployment))) / before) - size
  return progress.toAdd > 0 ? Math.min(fraction, left) : Math.max(fraction, left)
}

// Go's math.Round: half away from zero.
function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value))
}

function isSaturated(deployment: Deployment, replicaSet: ReplicaSet | undefined): boolean {
  const wanted = wantedOf(deployment)
  return (
    replicaSet !== undefined &&
    desiredReplicasOf(replicaSet) === wanted &&
    replicasOf(replicaSet) === wanted &&
    (replicaSet.status?.availableReplicas ?? 0) === wanted
  )
}

/** Whether `spec.replicas` has changed since the ReplicaSets were last sized. */
export function isScalingEvent(deployment: Deployment, all: readonly ReplicaSet[]): boolean {
  return all.some((replicaSet) => {
    const desired = desiredReplicasOf(replicaSet)
    return isActive(replicaSet) && desired !== undefined && desired !== wantedOf(deployment)
  })
}
