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
  about: { readonly now: Date; readonly runtime?: NodeRuntimeState | undefined; readonly agent?: ClusterStatus['agent'] },
): ClusterStatus {
  const { failure } = probe
  const observedGeneration = cluster.metadata.generation ?? 1
  const set: Omit<Condition, 'lastTransitionTime'>[] = conditionsOf(failure).map((condition) => ({ ...condition, observedGeneration }))
  if (about.runtime !== undefined) {
    const { isReal, reason, message } = about.runtime
    set.push({ type: 'NodeRuntime', status: isReal ? 'True' : 'False', reason, message, observedGeneration })
  }
  const expiring = expiringCondition(probe, about.now)
  if (expiring !== undefined) set.push({ ...expiring, observedGeneration })
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
    ...(probe.capacity === undefined ? {} : { capacity: probe.capacity }),
    ...(about.agent === undefined ? {} : { agent: about.agent }),
    ...(probe.certificateExpires === undefined ? {} : { certificateExpires: probe.certificateExpires }),
    ...(probe.tokenExpires === undefined ? {} : { tokenExpires: probe.tokenExpires }),
    ...(probe.serverCertificateExpires === undefined ? {} : { serverCertificateExpires: probe.serverCertificateExpires }),
    ...(failure === undefined ? { lastProbeTime: rfc3339(about.now) } : {}),
  }
}

const day = 24 * 60 * 60_000
/** How long before its end something is warned of. */
const warnBeforeMs = { certificate: 30 * day, token: 7 * day }

/** What will run out soon, or has. Undefined when nothing is known to run out at all. */
function expiringCondition(probe: ProbeResult, now: Date): Omit<Condition, 'lastTransitionTime'> | undefined {
  const ends = [
    {
      what: "the platform's client certificate",
      time: probe.certificateExpires,
      warnMs: warnBeforeMs.certificate,
      mend: 'give a fresh one (gantry cluster credentials)',
    },
    { what: "the platform's token", time: probe.tokenExpires, warnMs: warnBeforeMs.token, mend: 'give a fresh one (gantry cluster credentials)' },
    { what: 'the certificate of the API server', time: probe.serverCertificateExpires, warnMs: warnBeforeMs.certificate, mend: 'renew it in the cluster' },
  ].filter(({ time }) => time !== undefined)
  if (ends.length === 0) return undefined
  const soon = ends.filter(({ time = '', warnMs }) => Date.parse(time) - now.getTime() < warnMs)
  const type = 'CertificatesCurrent'
  if (soon.length === 0) return { type, status: 'True', reason: 'Current', message: 'nothing that the connection needs runs out soon' }
  const isOver = soon.some(({ time = '' }) => Date.parse(time) <= now.getTime())
  const message = soon.map(({ what, time = '', mend }) => `${what} ${Date.parse(time) <= now.getTime() ? 'ended' : 'ends'} at ${time}: ${mend}`).join('; ')
  return { type, status: 'False', reason: isOver ? 'Expired' : 'ExpiresSoon', message }
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
  const comparable = (status: ClusterStatus | undefined): unknown => ({
    ...status,
    lastProbeTime: undefined,
    conditions: plain(status),
    agent: status?.agent && { ...status.agent, lastSeen: undefined },
  })
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
