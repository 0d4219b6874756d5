import { isReason } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { platformNamespace, type Cluster } from '../api/index.ts'
import { hubResources, type Secret } from './hub-resources.ts'

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
    if (!isReason(error, 'NotFound')) throw error
  }
}
