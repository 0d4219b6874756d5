import { isReason } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import type { EndpointSlice } from '@gantry/kube-api'

/** Deletes this very slice; one that has gone already is as good. */
export async function removeSlice(client: KubeClient, { metadata: { name = '', namespace, uid } }: EndpointSlice, signal: AbortSignal): Promise<void> {
  try {
    await client.delete(resources.endpointSlices, { namespace, name }, { ...(uid !== undefined && { preconditions: { uid } }), signal })
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
  }
}

/** One after the other; what is not done because one failed is handed to `undone`, the failed one too. */
export async function each<T>(items: readonly T[], act: (item: T) => Promise<unknown>, undone: (item: T) => void): Promise<void> {
  for (const [index, item] of items.entries()) {
    try {
      await act(item)
    } catch (error) {
      for (const left of items.slice(index)) undone(left)
      throw error
    }
  }
}
