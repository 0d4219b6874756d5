import { isDeepStrictEqual } from 'node:util'
import { clusterConditionTypes, rfc3339, withConditions, type Cluster, type ClusterStatus, type Condition } from '../api/index.ts'
import type { ProbeFailure, ProbeResult } from './probe-member.ts'

/** Whether the local cluster's node runs real containers: the condition NodeRuntime. */
export interface NodeRuntimeState {
  readonly isReal: boolean
  readonly reason: string
  readonly message: string
}

// The order in which a probe finds things out: what comes after the first failure is unknown.
const order = ['Reachable', 'Authenticated', 'Authorized', 'VersionSupported'] as const

const fine: Readonly<Record<(typeof order)[number], { readonly reason: string; readonly message: string }>> = {
  Reachable: { reason: 'Reached', message: 'the API server answers' },
  Authenticated: { reason: 'CredentialAccepted', message: 'the cluster accepts the credential' },
  Authorized: { reason: 'Allowed', message: 'the credential may read what the platform shows' },
  VersionSupported: { reason: 'Supported', message: 'this version of Kubernetes is supported' },
}

/** The status after a probe. What it could not find out this time stays as it was last known. */
export function statusAfter(
  cluster: Pick<Cluster, 'status' | 'metadata'>,
  probe: ProbeResult,
  about: { readonly now: Date; readonly runtime?: NodeRuntimeState | undefined },
): ClusterStatus {
  const { failure } = probe
  const observedGeneration = cluster.metadata.generation ?? 1
  const set: Omit<Condition, 'lastTransitionTime'>[] = conditionsOf(failure).map((condition) => ({ ...condition, observedGeneration }))
  if (about.runtime !== undefined) {
    const { isReal, reason, message } = about.runtime
    set.push({ type: 'NodeRuntime', status: isReal ? 'True' : 'False', reason, message, observedGeneration })
  }
  const ready: Omit<Condition, 'lastTransitionTime'> =
    failure === undefined
      ? { type: 'Ready', status: 'True', reason: 'Ready', message: 'the cluster can be used' }
      : { type: 'Ready', status: 'False', reason: failure.reason, message: failure.message }
  const before = cluster.status
  return {
    ...before,
    conditions: withConditions(before?.conditions, [{ ...ready, observedGeneration }, ...set], about.now),
    ...(probe.kubernetesVersion === undefined ? {} : { kubernetesVersion: probe.kubernetesVersion }),
    ...(probe.uid === undefined ? {} : { uid: probe.uid }),
    ...(probe.nodes === undefined ? {} : { nodes: probe.nodes }),
    ...(probe.certificateExpires === undefined ? {} : { certificateExpires: probe.certificateExpires }),
    ...(failure === undefined ? { lastProbeTime: rfc3339(about.now) } : {}),
  }
}

function conditionsOf(failure: ProbeFailure | undefined): Omit<Condition, 'lastTransitionTime'>[] {
  const failedAt = failure === undefined ? order.length : order.indexOf(failure.condition)
  return order.map((type, at) => {
    if (at < failedAt) return { type, status: 'True', ...fine[type] }
    if (at === failedAt && failure !== undefined) return { type, status: 'False', reason: failure.reason, message: failure.message }
    return { type, status: 'Unknown', reason: 'NotChecked', message: `not checked, because the cluster is not ${order[failedAt]}` }
  })
}

/** Whether two states differ in more than the time of the probe: only then a write is worth it. */
export function differs(a: ClusterStatus | undefined, b: ClusterStatus): boolean {
  const comparable = (status: ClusterStatus | undefined): unknown => ({ ...status, lastProbeTime: undefined, conditions: plain(status) })
  // Not as text: the server has its own order of fields.
  return !isDeepStrictEqual(comparable(a), comparable(b))
}

function plain(status: ClusterStatus | undefined): unknown {
  const types: readonly string[] = ['Ready', ...clusterConditionTypes]
  return types.map((type) => {
    const found = status?.conditions?.find((condition) => condition.type === type)
    return found === undefined ? undefined : [found.status, found.reason, found.message, found.observedGeneration]
  })
}
