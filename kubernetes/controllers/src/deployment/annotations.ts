import type { Deployment, ReplicaSet } from '@gantry/kube-api'
import { maxSurgeOf } from './rollout-limits.ts'

export const revisionAnnotation = 'deployment.kubernetes.io/revision'
export const revisionHistoryAnnotation = 'deployment.kubernetes.io/revision-history'
export const desiredReplicasAnnotation = 'deployment.kubernetes.io/desired-replicas'
export const maxReplicasAnnotation = 'deployment.kubernetes.io/max-replicas'

// Longest list of past revisions kept on a ReplicaSet.
const longestHistory = 2000

// What belongs to the Deployment alone, or is written by this controller.
const notCopied: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  'deprecated.deployment.rollback.revision-hash',
])

type Annotations = Readonly<Record<string, string>>

/** The revision of a Deployment or ReplicaSet; 0 when it has none. */
export function revisionOf(object: { readonly metadata: { readonly annotations?: Annotations } }): number {
  const revision = Number(object.metadata.annotations?.[revisionAnnotation] ?? 0)
  return Number.isSafeInteger(revision) ? revision : 0
}

export function desiredReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return intOf(replicaSet.metadata.annotations?.[desiredReplicasAnnotation])
}

export function maxReplicasOf(replicaSet: ReplicaSet): number | undefined {
  return intOf(replicaSet.metadata.annotations?.[maxReplicasAnnotation])
}

function intOf(text: string | undefined): number | undefined {
  const value = Number(text)
  return text === undefined || !Number.isSafeInteger(value) ? undefined : value
}

/** The replica counts that proportional scaling and kubectl read from each ReplicaSet. */
export function replicasAnnotations(deployment: Deployment): Annotations {
  const desired = deployment.spec.replicas ?? 1
  return { [desiredReplicasAnnotation]: String(desired), [maxReplicasAnnotation]: String(desired + maxSurgeOf(deployment)) }
}

/**
 * The annotations of the newest ReplicaSet: the Deployment's own (change-cause and whatever users write), and its revision. A ReplicaSet that is rolled back to gets a
 * new revision and keeps the old ones in its history. Upstream: deployment_util.go SetNewReplicaSetAnnotations.
 */
export function newReplicaSetAnnotations(deployment: Deployment, existing: Annotations | undefined, revision: number): Annotations {
  const annotations: Record<string, string> = { ...existing }
  for (const [name, value] of Object.entries(deployment.metadata.annotations ?? {})) if (!notCopied.has(name)) annotations[name] = value
  const oldText = existing?.[revisionAnnotation]
  const old = oldText === undefined || oldText === '' ? 0 : Number(oldText)
  if (!Number.isSafeInteger(old) || old >= revision) return annotations
  annotations[revisionAnnotation] = String(revision)
  if (oldText !== undefined) {
    const history = (existing?.[revisionHistoryAnnotation] ?? '').split(',').filter((one) => one !== '')
    history.push(oldText)
    while (history.join(',').length > longestHistory) history.shift()
    annotations[revisionHistoryAnnotation] = history.join(',')
  }
  return annotations
}
