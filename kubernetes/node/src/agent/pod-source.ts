import { isReason } from '@gantry/apimachinery'
import { resources } from '@gantry/kube-api'
import type { KubeClient } from '@gantry/client'
import type { Clock, Logger } from '@gantry/runtime'
import type { Pod } from '../pod/pod.ts'

export interface PodSource {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Whether a whole list has been seen: before that, a pod that is not known may still exist. */
  readonly synced: boolean
  /** Resolves when `synced` becomes true. */
  readonly listed: Promise<void>
}

const minRetryMs = 250
const maxRetryMs = 30_000

/** Follows the pods bound to one node. `onGone` is called for a pod that is not in the API any more. */
export function createPodSource(
  deps: { readonly client: KubeClient; readonly clock: Clock; readonly log: Logger },
  options: { readonly nodeName: string; readonly onPod: (pod: Pod) => void; readonly onGone: (uid: string) => void },
): PodSource {
  const fieldSelector = `spec.nodeName=${options.nodeName}`
  const known = new Set<string>()
  let synced = false
  const firstList = Promise.withResolvers<void>()

  function see(pod: Pod): void {
    known.add(pod.metadata.uid ?? '')
    options.onPod(pod)
  }

  function lose(uid: string): void {
    if (known.delete(uid)) options.onGone(uid)
  }

  async function listAll(signal: AbortSignal): Promise<string> {
    const { items, metadata } = await deps.client.list<Pod>(resources.pods, { fieldSelector, signal })
    const listed = new Set(items.map((pod) => pod.metadata.uid ?? ''))
    for (const pod of items) see(pod)
    for (const uid of known) if (!listed.has(uid)) lose(uid)
    synced = true
    firstList.resolve()
    return metadata.resourceVersion
  }

  /** Watches until the server ends it; gives the revision to go on from. */
  async function watchFrom(resourceVersion: string, signal: AbortSignal): Promise<string> {
    let revision = resourceVersion
    for await (const event of deps.client.watch<Pod>(resources.pods, { fieldSelector, resourceVersion, allowBookmarks: true, signal })) {
      revision = event.object.metadata.resourceVersion ?? revision
      if (event.type === 'BOOKMARK') continue
      if (event.type === 'DELETED') lose(event.object.metadata.uid ?? '')
      else see(event.object)
    }
    return revision
  }

  return {
    get synced() {
      return synced
    },
    listed: firstList.promise,
    async run(signal) {
      let retryMs = minRetryMs
      let revision: string | undefined
      while (!signal.aborted) {
        try {
          revision ??= await listAll(signal)
          const startedMs = deps.clock.monotonicMs()
          revision = await watchFrom(revision, signal)
          // A server that ends every watch at once must not be asked in a tight loop.
          if (deps.clock.monotonicMs() - startedMs < 1_000) await pause(retryMs, signal)
          retryMs = minRetryMs
        } catch (error) {
          if (signal.aborted) return
          revision = undefined
          if (!isReason(error, 'Expired') && !isReason(error, 'Gone'))
            deps.log.warn('the pods of this node cannot be followed, trying again', { error, retryMs })
          await pause(retryMs, signal)
          retryMs = Math.min(2 * retryMs, maxRetryMs)
        }
      }
    },
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    await deps.clock.sleep(ms, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
  }
}
