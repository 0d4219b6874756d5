import { StatusError } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import type { Clock } from '@gantry/runtime'
import { impersonates, isHub, localClusterName, type Cluster, type ClusterStatus } from '../api/index.ts'
import { statusAfter, type NodeRuntimeState } from './cluster-status.ts'
import type { MemberDirectory } from './member-directory.ts'
import { probeMember, type ProbeResult } from './probe-member.ts'

export interface ClusterProbeDeps {
  readonly directory: MemberDirectory
  readonly clock: Clock
  /** The hub, and what is known of the nodes of an embedded one. */
  readonly local?:
    | { readonly client: KubeClient; readonly runtime?: (() => NodeRuntimeState) | undefined; readonly simulatedNodes?: string | undefined }
    | undefined
}

/** The status of a Cluster as a look at it shows it now. Never throws for what is wrong with the cluster: the status says it. */
export async function probeCluster(deps: ClusterProbeDeps, cluster: Cluster, options: { readonly signal: AbortSignal }): Promise<ClusterStatus> {
  const name = cluster.metadata.name ?? ''
  const now = (): Date => deps.clock.now()
  if (isHub(cluster)) {
    if (deps.local === undefined || name !== localClusterName) {
      return statusAfter(
        cluster,
        failed('CredentialsMissing', `provider ${cluster.spec.provider} is only for the platform's own cluster "${localClusterName}"`),
        { now: now() },
      )
    }
    const probe = await probeMember(
      { clock: deps.clock, member: deps.local.client },
      {
        ...options,
        simulatedNodes: deps.local.simulatedNodes,
        readsCapacity: deps.directory.isCapacityDue(cluster),
      },
    )
    return statusAfter(cluster, probe, { now: now(), runtime: deps.local.runtime?.() })
  }
  const probe = await probeImported(deps, cluster, options.signal)
  return statusAfter(cluster, probe, { now: now(), agent: deps.directory.agents.stateOf(cluster) })
}

async function probeImported(deps: ClusterProbeDeps, cluster: Cluster, signal: AbortSignal): Promise<ProbeResult> {
  const name = cluster.metadata.name ?? ''
  let connection: ReturnType<MemberDirectory['probe']>
  try {
    connection = deps.directory.probe(name)
  } catch (error) {
    if (error instanceof StatusError) return failed('CredentialsMissing', error.message)
    throw error
  }
  if (connection === undefined) return failed('CredentialsMissing', 'the cluster has gone')
  const { access, member, serverCertificate } = connection
  const probe = await probeMember(
    { clock: deps.clock, member },
    {
      signal,
      token: access.token,
      certificate: access.certificate,
      serverCertificate,
      impersonates: impersonates(cluster),
      readsCapacity: deps.directory.isCapacityDue(cluster),
    },
  )
  const twin = probe.failure === undefined ? olderTwin(deps.directory, cluster, probe.uid) : undefined
  if (twin === undefined) return probe
  return { ...probe, ...failed('DuplicateCluster', `it is the cluster "${twin}", which is here already (uid ${probe.uid}); remove one of the two`) }
}

/** Of two Clusters that are the same one, the older stays usable. */
function olderTwin(directory: MemberDirectory, cluster: Cluster, uid: string | undefined): string | undefined {
  if (uid === undefined) return undefined
  const rank = (one: Cluster): string => `${isHub(one) ? '' : (one.metadata.creationTimestamp ?? '')} ${one.metadata.name ?? ''}`
  for (const other of directory.clusters.values()) {
    if (other.metadata.name !== cluster.metadata.name && other.status?.uid === uid && rank(other) < rank(cluster)) return other.metadata.name
  }
  return undefined
}

function failed(reason: 'CredentialsMissing' | 'DuplicateCluster', message: string): ProbeResult {
  return { failure: { condition: 'Reachable', reason, message } }
}
