import { unlessThere } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { clusterKind, localClusterName, type Cluster } from '../api/index.ts'

/** The Cluster object of the hub: made when it is missing, otherwise left as its owner wants it. */
export async function ensureLocalCluster(
  hub: KubeClient,
  { provider = 'Local', signal }: { readonly provider?: 'Local' | 'Hub' | undefined; readonly signal: AbortSignal },
): Promise<void> {
  const cluster: Cluster = {
    apiVersion: clusterKind.apiVersion,
    kind: clusterKind.kind,
    metadata: { name: localClusterName },
    spec: { provider, displayName: provider === 'Local' ? 'Local cluster' : 'Hub' },
  }
  await unlessThere(hub.create(clusterKind.ref, cluster, { signal }))
}
