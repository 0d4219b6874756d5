import { isReason, StatusError } from '@gantry/apimachinery'
import { createClient, type HttpTransport, type HttpTransportOptions, type KubeClient } from '@gantry/client'
import { deadline } from '@gantry/gateway'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { clusterKind, clusterNameProblem, platformNamespace, type Cluster, type ImportRequest } from '../api/index.ts'
import { statusAfter } from './cluster-status.ts'
import { hubResources, type Secret } from './hub-resources.ts'
import { accessOf, objectsOf } from './member-credentials.ts'
import { probeMember, type ProbeFailure, type ProbeResult } from './probe-member.ts'

export interface ImportDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Clusters that exist, for names and duplicates. */
  readonly clusters: () => Iterable<Cluster>
  /** Told what has been written, before any watch brings it. */
  readonly accept: (cluster: Cluster, secret: Secret) => void
  /** Opens a connection to a member's API. */
  readonly openTransport: (options: HttpTransportOptions) => HttpTransport
}

const probeWithinMs = 15_000

/**
 * Registers a cluster: probes it first, writes nothing but a Secret and a Cluster into the hub, and nothing at all into the cluster. The Cluster it
 * returns is Ready. Throws a StatusError: `Invalid` with the probe's reason as cause, `AlreadyExists`, `Conflict` for a cluster that is there under another name.
 */
export async function importCluster(deps: ImportDeps, request: ImportRequest, options: { readonly signal: AbortSignal }): Promise<Cluster> {
  const problem = clusterNameProblem(request.name)
  if (problem !== undefined) throw new StatusError('Invalid', problem, { details: { name: request.name, kind: clusterKind.kind, group: clusterKind.group } })
  for (const existing of deps.clusters()) if (existing.metadata.name === request.name) throw nameTaken(request.name)
  const { cluster, secret } = objectsOf(request, deps.ids.suffix(6))
  const probe = await probeOnce(deps, cluster, secret, options.signal)
  if (probe.failure !== undefined) throw refusal(request.name, probe.failure)
  checkDuplicate(deps, request.name, probe)
  return write(deps, { cluster, secret, probe, signal: options.signal })
}

async function probeOnce(deps: ImportDeps, cluster: Cluster, secret: Secret, signal: AbortSignal): Promise<ProbeResult> {
  const access = accessOf(cluster, secret)
  const transport = deps.openTransport({ ...access.transport, headersTimeoutMs: 8_000 })
  using limit = deadline(deps.clock, probeWithinMs, signal)
  try {
    const member = createClient({ handle: transport.handle }, { userAgent: 'gantry-import' })
    return await probeMember({ clock: deps.clock, member }, { signal: limit.signal, token: access.token, certificate: access.certificate })
  } finally {
    await transport.close()
  }
}

function checkDuplicate(deps: ImportDeps, name: string, probe: ProbeResult): void {
  for (const existing of deps.clusters()) {
    if (probe.uid === undefined || existing.status?.uid !== probe.uid) continue
    const failure: ProbeFailure = {
      condition: 'Reachable',
      reason: 'DuplicateCluster',
      message: `it is the cluster "${existing.metadata.name}", which is imported already (uid ${probe.uid})`,
    }
    throw refusal(name, failure, 'Conflict')
  }
}

async function write(
  deps: ImportDeps,
  parts: { readonly cluster: Cluster; readonly secret: Secret; readonly probe: ProbeResult; readonly signal: AbortSignal },
): Promise<Cluster> {
  const { hub } = deps
  const { name = '' } = parts.cluster.metadata
  parts.signal.throwIfAborted()
  // From here on the caller's going away must not leave half an import: the rest is short and runs to its end.
  const secret = await hub.create(hubResources.secrets, parts.secret)
  let created: Cluster | undefined
  try {
    created = await hub.create(clusterKind.ref, parts.cluster)
    const status = statusAfter(created, parts.probe, { now: deps.clock.now() })
    // A patch: the prober may have looked at the new object already.
    const ready = await hub.patch<Cluster>(clusterKind.ref, { name }, { type: 'merge', body: { status }, subresource: 'status' })
    const owned = await giveOwner(hub, secret, created)
    deps.accept(ready, owned)
    deps.log.info('a cluster was imported', { cluster: name, kubernetesVersion: parts.probe.kubernetesVersion, uid: parts.probe.uid })
    return ready
  } catch (error) {
    await rollBack(deps, created, secret)
    throw created === undefined && isReason(error, 'AlreadyExists') ? nameTaken(name) : error
  }
}

/** The Secret belongs to the Cluster from now on: the hub's garbage collector removes it with it. */
function giveOwner(hub: KubeClient, secret: Secret, owner: Cluster): Promise<Secret> {
  const { name = '', namespace } = secret.metadata
  const reference = { apiVersion: clusterKind.apiVersion, kind: clusterKind.kind, name: owner.metadata.name ?? '', uid: owner.metadata.uid ?? '' }
  return hub.patch(hubResources.secrets, { name, namespace }, { type: 'merge', body: { metadata: { ownerReferences: [reference] } } })
}

async function rollBack(deps: ImportDeps, cluster: Cluster | undefined, secret: Secret): Promise<void> {
  const removals = [deps.hub.delete(hubResources.secrets, { namespace: platformNamespace, name: secret.metadata.name ?? '' })]
  if (cluster !== undefined) {
    removals.push(deps.hub.delete(clusterKind.ref, { name: cluster.metadata.name ?? '' }, { preconditions: { uid: cluster.metadata.uid ?? '' } }))
  }
  for (const outcome of await Promise.allSettled(removals)) {
    if (outcome.status === 'rejected' && !isReason(outcome.reason, 'NotFound')) {
      deps.log.error('an import could not be rolled back', { cluster: cluster?.metadata.name, error: outcome.reason })
    }
  }
}

function nameTaken(name: string): StatusError {
  return new StatusError('AlreadyExists', `a cluster named "${name}" exists already; choose another name`, {
    details: { name, kind: clusterKind.plural, group: clusterKind.group },
  })
}

function refusal(name: string, failure: ProbeFailure, reason: 'Invalid' | 'Conflict' = 'Invalid'): StatusError {
  return new StatusError(reason, `cluster "${name}" cannot be imported: ${failure.message}`, {
    details: {
      name,
      kind: clusterKind.kind,
      group: clusterKind.group,
      causes: [{ reason: failure.reason, message: failure.message, field: failure.condition }],
    },
  })
}
