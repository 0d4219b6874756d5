import { isReason, StatusError } from '@gantry/apimachinery'
import { createClient, type HttpTransport, type HttpTransportOptions, type KubeClient } from '@gantry/client'
import { deadline } from '@gantry/gateway'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { clusterKind, clusterNameProblem, impersonates, platformNamespace, type Cluster, type DirectCredentials } from '../api/index.ts'
import { statusAfter } from './cluster-status.ts'
import { hubResources, type Secret } from './hub-resources.ts'
import { accessOf, encoded, objectsOf, partsOf } from './member-credentials.ts'
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
export async function importCluster(deps: ImportDeps, request: DirectImport, options: { readonly signal: AbortSignal }): Promise<Cluster> {
  checkName(deps, request.name)
  const { cluster, secret } = objectsOf(request, partsOf(request), deps.ids.suffix(6))
  const probe = await probeOnce(deps, cluster, secret, options.signal)
  if (probe.failure !== undefined) throw refusal(request.name, probe.failure)
  checkDuplicate(deps, request.name, probe)
  return write(deps, { cluster, secret, probe, signal: options.signal })
}

export type DirectImport = { readonly name: string; readonly displayName?: string | undefined; readonly impersonate?: boolean | undefined } & DirectCredentials

/** Throws Invalid for what is no name of a cluster, AlreadyExists for one that is taken. */
export function checkName(deps: Pick<ImportDeps, 'clusters'>, name: string): void {
  const problem = clusterNameProblem(name)
  if (problem !== undefined) throw new StatusError('Invalid', problem, { details: { name, kind: clusterKind.kind, group: clusterKind.group } })
  for (const existing of deps.clusters()) if (existing.metadata.name === name) throw nameTaken(name)
}

/**
 * Another credential, and with it another address, CA or proxy where it comes with one, for a cluster that is there. It is tried before the old one is dropped: it has to lead to
 * the very same cluster. Throws as an import does; the old one then stays.
 */
export async function replaceCredentials(
  deps: ImportDeps,
  found: { readonly cluster: Cluster; readonly secret: Secret },
  request: DirectCredentials,
  options: { readonly signal: AbortSignal },
): Promise<Cluster> {
  const { name = '' } = found.cluster.metadata
  const { connection, data } = partsOf(request)
  const { credentialsSecret, identity } = found.cluster.spec.connection ?? {}
  if (credentialsSecret === undefined) throw new StatusError('Invalid', `cluster "${name}" has no credentials that could be replaced`)
  const cluster: Cluster = {
    ...found.cluster,
    spec: { ...found.cluster.spec, connection: { ...connection, ...(identity === undefined ? {} : { identity }), credentialsSecret } },
  }
  const secret: Secret = { ...found.secret, data: encoded(data) }
  const probe = await probeOnce(deps, cluster, secret, options.signal)
  if (probe.failure !== undefined) throw refusal(name, probe.failure, 'Invalid', 'these credentials cannot be taken for cluster')
  const known = found.cluster.status?.uid
  if (known !== undefined && probe.uid !== known) {
    throw new StatusError('Conflict', `these credentials are of another cluster than "${name}": its uid is ${probe.uid}, not ${known}`)
  }
  // From here on it runs to its end. Both objects are written with the version that was judged.
  const { namespace, name: secretName = '', resourceVersion } = found.secret.metadata
  const removed = Object.fromEntries(Object.keys(found.secret.data ?? {}).map((key) => [key, null]))
  const body = { metadata: { resourceVersion }, data: { ...removed, ...encoded(data) } }
  const written = await deps.hub.patch<Secret>(hubResources.secrets, { namespace, name: secretName }, { type: 'merge', body })
  const updated = await deps.hub.update<Cluster>(clusterKind.ref, cluster)
  const status = statusAfter(updated, probe, { now: deps.clock.now() })
  const ready = await deps.hub.patch<Cluster>(clusterKind.ref, { name }, { type: 'merge', body: { status }, subresource: 'status' })
  deps.accept(ready, written)
  deps.log.info('the credentials of a cluster were replaced', { cluster: name })
  return ready
}

async function probeOnce(deps: ImportDeps, cluster: Cluster, secret: Secret, signal: AbortSignal): Promise<ProbeResult> {
  const access = accessOf(cluster, secret)
  if (access.transport === undefined) throw new StatusError('Invalid', 'a cluster with an agent has no credentials of its own')
  let serverCertificate: Date | undefined
  const transport = deps.openTransport({ ...access.transport, headersTimeoutMs: 8_000, onServerCertificate: (notAfter) => void (serverCertificate = notAfter) })
  using limit = deadline(deps.clock, probeWithinMs, signal)
  try {
    const member = createClient({ handle: transport.handle }, { userAgent: 'gantry-import', maxBodyBytes: 16 << 20 })
    const { token, certificate } = access
    return await probeMember(
      { clock: deps.clock, member },
      { signal: limit.signal, token, certificate, serverCertificate: () => serverCertificate, impersonates: impersonates(cluster), readsCapacity: true },
    )
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

function refusal(name: string, failure: ProbeFailure, reason: 'Invalid' | 'Conflict' = 'Invalid', what?: string): StatusError {
  const subject = what === undefined ? `cluster "${name}" cannot be imported` : `${what} "${name}"`
  return new StatusError(reason, `${subject}: ${failure.message}`, {
    details: {
      name,
      kind: clusterKind.kind,
      group: clusterKind.group,
      causes: [{ reason: failure.reason, message: failure.message, field: failure.condition }],
    },
  })
}
