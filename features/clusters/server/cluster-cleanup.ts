import { isReason } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { platformNamespace, type Cluster } from '../api/index.ts'
import { hubResources, type Secret } from './hub-resources.ts'
import { clusterLabel } from './member-credentials.ts'

/** Longer than any import takes. */
const abandonedAfterMs = 10 * 60_000

/**
 * Removes Secrets of imports that never came to their Cluster, because the process died in between. Those that have had one carry its owner reference, and the hub's
 * garbage collector looks after them.
 */
export async function removeAbandonedCredentials(hub: KubeClient, options: { readonly now: Date; readonly signal: AbortSignal }): Promise<void> {
  const { signal } = options
  const { items } = await hub.list<Secret>(hubResources.secrets, { namespace: platformNamespace, labelSelector: clusterLabel, signal })
  for (const { metadata } of items) {
    const isYoung = options.now.getTime() - Date.parse(metadata.creationTimestamp ?? '') < abandonedAfterMs
    if (isYoung || (metadata.ownerReferences ?? []).length > 0) continue
    try {
      await hub.delete(
        hubResources.secrets,
        { namespace: platformNamespace, name: metadata.name ?? '' },
        { signal, preconditions: { uid: metadata.uid ?? '' } },
      )
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }
}

/**
 * Removes the Secret of a Cluster that is gone, if it was made for it. The hub's garbage collector does the same by the owner reference; a credential does
 * not wait for it.
 */
export async function removeCredentials(hub: KubeClient, cluster: Cluster, options: { readonly signal: AbortSignal }): Promise<void> {
  const reference = cluster.spec.connection?.credentialsSecret
  if (reference === undefined || reference.namespace !== platformNamespace) return
  try {
    const secret = await hub.get<Secret>(hubResources.secrets, reference, options)
    const owned = secret.metadata.ownerReferences?.some(({ uid }) => uid === cluster.metadata.uid) === true
    if (!owned) return
    await hub.delete(hubResources.secrets, reference, { ...options, preconditions: { uid: secret.metadata.uid ?? '' } })
  } catch (error) {
    // Another platform process has removed it, or somebody has made another one of that name.
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
  }
}
