import { findCondition, timestamp, withoutCondition } from '@gantry/controller'
import { maxUnavailableOf } from './rollout-limits.ts'
import { replicasOf, sum, wantedOf } from './replica-counts.ts'
import type { Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet } from '@gantry/kube-api'

export const reasons = {
  available: 'MinimumReplicasAvailable',
  unavailable: 'MinimumReplicasUnavailable',
  created: 'NewReplicaSetCreated',
  found: 'FoundNewReplicaSet',
  updated: 'ReplicaSetUpdated',
  complete: 'NewReplicaSetAvailable',
  timedOut: 'ProgressDeadlineExceeded',
  createError: 'ReplicaSetCreateError',
  paused: 'DeploymentPaused',
  resumed: 'DeploymentResumed',
} as const

// "No deadline" in the API: the largest 32-bit integer.
const noDeadline = 2_147_483_647

export function hasProgressDeadline(deployment: Deployment): boolean {
  const { progressDeadlineSeconds } = deployment.spec
  return progressDeadlineSeconds !== undefined && progressDeadlineSeconds !== noDeadline
}

/** Puts a condition in. One with the same status and reason stays as it was, message and times included. Upstream: SetDeploymentCondition. */
export function setCondition(
  conditions: readonly DeploymentCondition[] | null | undefined,
  condition: Pick<DeploymentCondition, 'type' | 'status' | 'reason' | 'message'>,
  now: Date,
): DeploymentCondition[] {
  const old = findCondition(conditions, condition.type)
  if (old?.status === condition.status && old.reason === condition.reason) return [...(conditions ?? [])]
  const at = timestamp(now)
  const { type, status, reason, message } = condition
  return [
    ...withoutCondition(conditions, type),
    { type, status, lastUpdateTime: at, lastTransitionTime: old?.status === status ? (old.lastTransitionTime ?? at) : at, reason, message },
  ]
}

/** Counts and the condition Available; the other conditions stay. Upstream: sync.go calculateStatus. */
export function countedStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  world: { readonly newest: ReplicaSet | undefined; readonly now: Date },
): DeploymentStatus {
  const available = sum(all, (replicaSet) => replicaSet.status?.availableReplicas)
  const enough = available >= wantedOf(deployment) - maxUnavailableOf(deployment)
  const terminatingReplicas = terminatingOf(all)
  const status = compact({
    observedGeneration: deployment.metadata.generation,
    replicas: sum(all, (replicaSet) => replicaSet.status?.replicas),
    updatedReplicas: world.newest?.status?.replicas ?? 0,
    readyReplicas: sum(all, (replicaSet) => replicaSet.status?.readyReplicas),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, sum(all, replicasOf) - available),
    collisionCount: deployment.status?.collisionCount,
    conditions: setCondition(
      deployment.status?.conditions,
      enough
        ? { type: 'Available', status: 'True', reason: reasons.available, message: 'Deployment has minimum availability.' }
        : { type: 'Available', status: 'False', reason: reasons.unavailable, message: 'Deployment does not have minimum availability.' },
      world.now,
    ),
  })
  return terminatingReplicas === undefined ? status : { ...status, terminatingReplicas }
}

/** Undefined as long as a ReplicaSet that has been looked at does not say it. Upstream: GetTerminatingReplicaCountForReplicaSets. */
function terminatingOf(all: readonly ReplicaSet[]): number | undefined {
  let count = 0
  for (const { status } of all) {
    if (status?.terminatingReplicas !== undefined) count += status.terminatingReplicas
    else if ((status?.observedGeneration ?? 0) !== 0) return undefined
  }
  return count
}

/** The status during a rollout: countedStatus plus Progressing and ReplicaFailure. Upstream: progress.go syncRolloutStatus. */
export function rolloutStatus(
  deployment: Deployment,
  all: readonly ReplicaSet[],
  world: { readonly newest: ReplicaSet | undefined; readonly now: Date },
): DeploymentStatus {
  const status = countedStatus(deployment, all, world)
  const { newest, now } = world
  let conditions: DeploymentCondition[] = status.conditions ?? []
  const current = findCondition(deployment.status?.conditions, 'Progressing')
  if (!hasProgressDeadline(deployment)) conditions = [...withoutCondition(conditions, 'Progressing')]
  else if (!((status.replicas ?? 0) === (status.updatedReplicas ?? 0) && current?.reason === reasons.complete)) {
    const subject = newest === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${newest.metadata.name}"`
    if (isComplete(deployment, status)) {
      conditions = setCondition(
        conditions,
        { type: 'Progressing', status: 'True', reason: reasons.complete, message: `${subject} has successfully progressed.` },
        now,
      )
    } else if (hasProgressed(deployment, status)) {
      const at = timestamp(now)
      conditions = [
        ...withoutCondition(conditions, 'Progressing'),
        {
          type: 'Progressing',
          status: 'True',
          lastUpdateTime: at,
          lastTransitionTime: current?.status === 'True' ? (current.lastTransitionTime ?? at) : at,
          reason: reasons.updated,
          message: `${subject} is progressing.`,
        },
      ]
    } else if (hasTimedOut(deployment, current, now)) {
      conditions = setCondition(
        conditions,
        { type: 'Progressing', status: 'False', reason: reasons.timedOut, message: `${subject} has timed out progressing.` },
        now,
      )
    }
  }
  const failure = failureOf(all, newest)
  conditions = failure === undefined ? [...withoutCondition(conditions, 'ReplicaFailure')] : setCondition(conditions, failure, now)
  const { conditions: _before, ...counts } = status
  return conditions.length === 0 ? counts : { ...counts, conditions }
}

/** All pods are of the newest template, available, and none is left over. */
export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const wanted = wantedOf(deployment)
  return (
    (status.updatedReplicas ?? 0) === wanted &&
    (status.replicas ?? 0) === wanted &&
    (status.availableReplicas ?? 0) === wanted &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  )
}

/** Milliseconds until the progress deadline has to be looked at again; `undefined` when it does not matter. Upstream: requeueStuckDeployment. */
export function progressCheckAfterMs(deployment: Deployment, status: DeploymentStatus, now: Date): number | undefined {
  const current = findCondition(status.conditions, 'Progressing')
  if (!hasProgressDeadline(deployment) || current === undefined) return undefined
  if (isComplete(deployment, status) || current.reason === reasons.timedOut || current.reason === reasons.complete) return undefined
  const sinceMs = Date.parse(current.lastUpdateTime ?? '') || now.getTime()
  return Math.max(0, sinceMs + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - now.getTime()) + 1000
}

function hasProgressed(deployment: Deployment, status: DeploymentStatus): boolean {
  const before = deployment.status ?? {}
  const oldBefore = (before.replicas ?? 0) - (before.updatedReplicas ?? 0)
  const oldNow = (status.replicas ?? 0) - (status.updatedReplicas ?? 0)
  return (
    (status.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    oldNow < oldBefore ||
    (status.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (status.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  )
}

function hasTimedOut(deployment: Deployment, current: DeploymentCondition | undefined, now: Date): boolean {
  if (current === undefined || current.reason === reasons.complete) return false
  if (current.reason === reasons.timedOut) return true
  const sinceMs = Date.parse(current.lastUpdateTime ?? '')
  return sinceMs + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 < now.getTime()
}

function failureOf(all: readonly ReplicaSet[], newest: ReplicaSet | undefined): DeploymentCondition | undefined {
  const ordered = newest === undefined ? all : [newest, ...all]
  for (const replicaSet of ordered) {
    const condition = findCondition(replicaSet.status?.conditions, 'ReplicaFailure')
    if (condition?.status === 'True') return { ...condition, lastUpdateTime: condition.lastTransitionTime }
  }
  return undefined
}

/** Without zeros and absent values, as the API writes it. */
function compact(status: DeploymentStatus): DeploymentStatus {
  const kept = Object.entries(status).filter(([, value]) => value !== undefined && value !== 0 && !(Array.isArray(value) && value.length === 0))
  return Object.fromEntries(kept) as DeploymentStatus
}
