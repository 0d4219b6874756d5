import { createPodSource } from './pod-source.ts'
import { describePod, identityOf } from '../pod/pod.ts'
import type { Pod, PodStatus } from '../pod/pod.ts'
import type { PodRuntime } from '../pod/pod-runtime.ts'
import { isCriNotFound } from '../cri/cri-client.ts'
import type { NodeContext } from './node-context.ts'
import { removeFromRuntime } from './pod-stop.ts'
import { PodWorker } from './pod-worker.ts'

export interface PodManager {
  /** Follows the node's pods and the runtime until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** What is known of one pod of this node. */
  find(uid: string): { readonly status: PodStatus; readonly runtime: PodRuntime; readonly pod: Pod } | undefined
  readonly workers: readonly PodWorker[]
  /** Whether all pods of the node have been seen once: before that, one that is not known may exist. */
  readonly synced: boolean
  /** Resolves when `synced` becomes true. */
  readonly listed: Promise<void>
  /** Lets go of all pods and leaves them running. */
  stop(): Promise<void>
}

/** Upstream: plegRelistPeriod. */
const relistEveryMs = 1_000
/** What an earlier agent started for pods that are gone by now is looked for this often. */
const orphansEveryMs = 10_000

/** One worker per pod of the node; each gets what the API and the runtime say of its pod. */
export function createPodManager(context: NodeContext, options: { readonly onRuntimeChange: () => Promise<void> }): PodManager {
  const { cache, clock, log } = context
  const workers = new Map<string, { readonly worker: PodWorker; readonly ended: Promise<void> }>()
  let stopping = false

  function see(pod: Pod): void {
    if (stopping) return
    const { uid } = identityOf(pod)
    const known = workers.get(uid)
    if (known !== undefined) {
      known.worker.update(pod)
      return
    }
    const worker = new PodWorker(context, pod)
    const ended = worker
      .run()
      .catch((error: unknown) => log.error('the worker of a pod has ended with an error', { pod: describePod(identityOf(pod)), error }))
      .finally(() => workers.delete(uid))
    workers.set(uid, { worker, ended })
  }

  const source = createPodSource(context, { nodeName: context.nodeName, onPod: see, onGone: (uid) => workers.get(uid)?.worker.gone() })

  async function follow(signal: AbortSignal): Promise<void> {
    let down = false
    while (!signal.aborted) {
      try {
        for (const uid of await cache.relist(signal)) workers.get(uid)?.worker.poke()
        if (down) await options.onRuntimeChange()
        down = false
      } catch (error) {
        if (signal.aborted) return
        if (!down) {
          log.warn('the container runtime does not answer', { error })
          await options.onRuntimeChange().catch((failed: unknown) => log.warn('the node could not tell the API of itself', { error: failed }))
        }
        down = true
      }
      await clock.sleep(relistEveryMs, { signal }).catch(() => {})
    }
  }

  async function removeOrphans(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(orphansEveryMs, { signal }).catch(() => {})
      if (signal.aborted || !source.synced) continue
      for (const uid of cache.uids()) {
        if (workers.has(uid)) continue
        try {
          log.info('removing containers of a pod that is gone', { uid })
          await removeFromRuntime(context, uid)
        } catch (error) {
          if (!isCriNotFound(error)) log.warn('containers of a pod that is gone could not be removed', { uid, error })
        }
      }
    }
  }

  return {
    async run(signal) {
      await Promise.all([source.run(signal), follow(signal), removeOrphans(signal)])
    },
    find(uid) {
      const worker = workers.get(uid)?.worker
      return worker === undefined ? undefined : { pod: worker.pod, status: worker.status, runtime: cache.get(uid) }
    },
    get workers() {
      return [...workers.values()].map(({ worker }) => worker)
    },
    get synced() {
      return source.synced
    },
    listed: source.listed,
    async stop() {
      stopping = true
      const all = [...workers.values()]
      for (const { worker } of all) worker.stop()
      await Promise.all(all.map(({ ended }) => ended))
    },
  }
}
