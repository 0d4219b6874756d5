import { findCondition, timestamp, withCondition, withoutCondition } from '@gantry/controller'
import { labelSelectorFromSet } from '@gantry/apimachinery'
import { isPodAvailable, isPodReady } from '../pod-state.ts'
import type { Pod, ReplicaSet, ReplicaSetStatus } from '@gantry/kube-api'

/** The status that these active pods make. A failure to create or delete becomes the condition ReplicaFailure. Upstream: replica_set_utils.go calculateStatus. */
export function replicaSetStatus(
  replicaSet: ReplicaSet,
  world: {
    readonly pods: readonly Pod[]
    /** Pods of it that are on their way out. */
    readonly terminating: number
    readonly failure: { readonly reason: 'FailedCreate' | 'FailedDelete'; readonly message: string } | undefined
    readonly now: Date
  },
): ReplicaSetStatus {
  const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0
  const template = labelSelectorFromSet(replicaSet.spec.template?.metadata?.labels)
  let fullyLabeled = 0
  let ready = 0
  let available = 0
  for (const pod of world.pods) {
    if (template.matches(pod.metadata.labels)) fullyLabeled++
    if (!isPodReady(pod)) continue
    ready++
    if (isPodAvailable(pod, minReadySeconds, world.now)) available++
  }
  const old = replicaSet.status?.conditions
  let conditions = old ?? []
  const failed = findCondition(old, 'ReplicaFailure')
  if (world.failure !== undefined && failed === undefined) {
    conditions = [
      ...withCondition(old, { type: 'ReplicaFailure', status: 'True', reason: world.failure.reason, message: world.failure.message }, timestamp(world.now)),
    ]
  } else if (world.failure === undefined && failed !== undefined) conditions = [...withoutCondition(old, 'ReplicaFailure')]
  return {
    replicas: world.pods.length,
    ...(fullyLabeled === 0 ? {} : { fullyLabeledReplicas: fullyLabeled }),
    ...(ready === 0 ? {} : { readyReplicas: ready }),
    ...(available === 0 ? {} : { availableReplicas: available }),
    terminatingReplicas: world.terminating,
    ...(replicaSet.metadata.generation === undefined ? {} : { observedGeneration: replicaSet.metadata.generation }),
    ...(conditions.length === 0 ? {} : { conditions }),
  }
}
