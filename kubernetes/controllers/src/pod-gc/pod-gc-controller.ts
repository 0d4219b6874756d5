import { isReason } from '@gantry/apimachinery'
import { createController, findCondition, keyOf, retryAfter, timestamp, withCondition } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Outcome } from '@gantry/controller'
import type { Node, Pod } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'

// Upstream: podgc.gcCheckPeriod, quarantineTime, and --terminated-pod-gc-threshold.
const sweepEveryMs = 20_000
const quarantineMs = 40_000
const defaultMostTerminated = 12_500
const sweepKey = 'sweep'

/** Removes pods that nobody else will: finished ones past a limit, those of nodes that are gone, and deleted ones that never had a node. Upstream: podgc/gc_controller.go. */
export function createPodGcController(deps: ControllerDeps, options: { readonly mostTerminated?: number | undefined } = {}): readonly Service[] {
  const mostTerminated = options.mostTerminated ?? defaultMostTerminated
  const { client, clock } = deps
  const pods = deps.informers.of<Pod>(resources.pods)
  const nodes = deps.informers.of<Node>(resources.nodes)
  /** Since when a node that has pods is missing: a node that is about to register is not gone. */
  const missingSince = new Map<string, number>()

  async function remove(pod: Pod, signal: AbortSignal): Promise<void> {
    const { name = '', namespace, uid = '' } = pod.metadata
    try {
      await client.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid }, signal })
    } catch (error) {
      // Gone, or another pod of that name.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }

  async function markLost(pod: Pod, signal: AbortSignal): Promise<void> {
    if (isFinished(pod) && findCondition(pod.status?.conditions, 'DisruptionTarget') !== undefined) return
    const conditions = withCondition(
      pod.status?.conditions,
      { type: 'DisruptionTarget', status: 'True', reason: 'DeletionByPodGC', message: 'PodGC: node no longer exists' },
      timestamp(clock.now()),
    )
    const phase = isFinished(pod) ? pod.status?.phase : 'Failed'
    try {
      await client.update(resources.pods, { ...pod, status: { ...pod.status, phase, conditions: [...conditions] } }, { subresource: 'status', signal })
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
    }
  }

  async function nodeIsGone(name: string, signal: AbortSignal): Promise<boolean> {
    try {
      await client.get(resources.nodes, { name }, { signal })
      return false
    } catch (error) {
      if (isReason(error, 'NotFound')) return true
      throw error
    }
  }

  /** Nodes that pods name and that have been missing for the whole quarantine, asked of the server once more. */
  async function goneNodes(named: ReadonlySet<string>, signal: AbortSignal): Promise<ReadonlySet<string>> {
    const now = clock.monotonicMs()
    for (const name of missingSince.keys()) if (!named.has(name) || nodes.store.get(name) !== undefined) missingSince.delete(name)
    const gone = new Set<string>()
    for (const name of named) {
      if (nodes.store.get(name) !== undefined) continue
      const since = missingSince.get(name) ?? now
      missingSince.set(name, since)
      if (now - since >= quarantineMs && (await nodeIsGone(name, signal))) gone.add(name)
    }
    return gone
  }

  async function sweep(signal: AbortSignal): Promise<Outcome> {
    const all = [...pods.store.values()]
    const finished = all.filter(isFinished).toSorted((a, b) => created(a) - created(b) || (keyOf(a) < keyOf(b) ? -1 : 1))
    for (const pod of finished.slice(0, Math.max(0, finished.length - mostTerminated))) await remove(pod, signal)

    for (const pod of all) if (pod.metadata.deletionTimestamp !== undefined && nodeOf(pod) === '') await remove(pod, signal)

    const gone = await goneNodes(new Set(all.map(nodeOf).filter((name) => name !== '')), signal)
    for (const pod of gone.size === 0 ? [] : all) {
      if (!gone.has(nodeOf(pod))) continue
      await markLost(pod, signal)
      await remove(pod, signal)
    }
    return retryAfter(sweepEveryMs)
  }

  const controller = createController(deps, {
    name: 'pod-gc',
    triggers: [
      { informer: pods, connect: () => () => {} },
      {
        informer: nodes,
        connect(enqueue) {
          enqueue(sweepKey)
          return () => {}
        },
      },
    ],
    reconcile: (_key, { signal }) => sweep(signal),
  })
  return [controller]
}

function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
}

function nodeOf(pod: Pod): string {
  return pod.spec.nodeName ?? ''
}

function created(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '') || 0
}
