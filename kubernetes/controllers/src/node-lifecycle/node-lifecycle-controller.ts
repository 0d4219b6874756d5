import { isReason } from '@gantry/apimachinery'
import { createController, createEventRecorder, findCondition, keyOf, retryAfter, settled, subjectOf, timestamp, trigger } from '@gantry/controller'
import type { Outcome } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Lease, Node, NodeCondition, Pod, Taint } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { evictAfterMs } from './toleration.ts'

// Upstream: pkg/controller/nodelifecycle; the grace period of Kubernetes 1.32 and later.
const gracePeriodMs = 50_000
const checkEveryMs = 5_000
const leaseNamespace = 'kube-node-lease'
const notReady = 'node.kubernetes.io/not-ready'
const unreachable = 'node.kubernetes.io/unreachable'
const unschedulable = 'node.kubernetes.io/unschedulable'
const byNode = 'by node'

/** Taints that follow a condition. */
const pressureTaints: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
  NetworkUnavailable: 'node.kubernetes.io/network-unavailable',
}

/**
 * Watches over nodes: one that keeps silent is Unknown, conditions become taints, and pods leave a node that is away for longer than they tolerate. Silence is measured by this process's own
 * clock from the last change it saw, so a node whose clock is wrong is not taken for dead.
 */
export function createNodeLifecycleController(deps: ControllerDeps): readonly Service[] {
  const { client, clock } = deps
  const nodes = deps.informers.of<Node>(resources.nodes)
  const leases = deps.informers.of<Lease>(resources.leases)
  const pods = deps.informers.of<Pod>(resources.pods)
  pods.addIndex(byNode, (pod) => ((pod.spec.nodeName ?? '') === '' ? [] : [pod.spec.nodeName ?? '']))
  const recorder = createEventRecorder(deps, { component: 'node-controller' })
  /** When a node was last heard of. */
  const heard = new Map<string, { readonly sign: string; readonly atMs: number }>()

  function listen(name: string): number {
    const lease = leases.store.get(`${leaseNamespace}/${name}`)
    const ready = findCondition(nodes.store.get(name)?.status?.conditions, 'Ready')
    // What this controller writes itself is no sign of life.
    const status = ready?.status === 'Unknown' ? '' : (ready?.lastHeartbeatTime ?? '')
    const sign = `${lease?.spec?.renewTime ?? ''} ${status}`
    const last = heard.get(name)
    if (last?.sign === sign) return last.atMs
    const atMs = clock.monotonicMs()
    heard.set(name, { sign, atMs })
    return atMs
  }

  async function reconcile(name: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const node = nodes.store.get(name)
    if (node === undefined) {
      heard.delete(name)
      return settled
    }
    const silentMs = clock.monotonicMs() - listen(name)
    if (silentMs > gracePeriodMs && findCondition(node.status?.conditions, 'Ready')?.status !== 'Unknown') {
      await markUnknown(node, signal)
      return retryAfter(checkEveryMs)
    }
    await syncTaints(node, signal)
    await syncPods(node, signal)
    return retryAfter(checkEveryMs)
  }

  async function markUnknown(node: Node, signal: AbortSignal): Promise<void> {
    const now = timestamp(clock.now())
    const types = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure']
    const changed: NodeCondition[] = types.map((type) => {
      const old = findCondition(node.status?.conditions, type)
      return {
        ...old,
        type,
        status: 'Unknown',
        reason: old === undefined ? 'NodeStatusNeverUpdated' : 'NodeStatusUnknown',
        message: old === undefined ? 'Kubelet never posted node status.' : 'Kubelet stopped posting node status.',
        lastTransitionTime: now,
        lastHeartbeatTime: old?.lastHeartbeatTime ?? now,
      }
    })
    await client.patch(
      resources.nodes,
      { name: node.metadata.name ?? '' },
      { type: 'strategic', subresource: 'status', body: { status: { conditions: changed } }, signal },
    )
    recorder.record(subjectOf(node, resources.nodes), {
      type: 'Normal',
      reason: 'NodeNotReady',
      message: `Node ${node.metadata.name} status is now: NodeNotReady`,
    })
  }

  /** Taints that the node's conditions ask for; those of others stay. */
  async function syncTaints(node: Node, signal: AbortSignal): Promise<void> {
    const wanted = wantedTaints(node, timestamp(clock.now()))
    const ours = new Set([notReady, unreachable, unschedulable, ...Object.values(pressureTaints)])
    const present = node.spec?.taints ?? []
    const next = [
      ...present.filter((taint) => !ours.has(taint.key) || wanted.some((other) => isSame(other, taint))),
      ...wanted.filter((taint) => !present.some((other) => isSame(other, taint))),
    ]
    if (next.length === present.length && next.every((taint, index) => taint === present[index])) return
    const body = { metadata: { resourceVersion: node.metadata.resourceVersion }, spec: { taints: next } }
    await client.patch(resources.nodes, { name: node.metadata.name ?? '' }, { type: 'merge', body, signal })
  }

  async function syncPods(node: Node, signal: AbortSignal): Promise<void> {
    const taints = (node.spec?.taints ?? []).filter((taint) => taint.effect === 'NoExecute')
    const isReady = findCondition(node.status?.conditions, 'Ready')?.status === 'True'
    if (taints.length === 0 && isReady) return
    for (const pod of pods.store.byIndex(byNode, node.metadata.name ?? '')) {
      if (!isReady) await markPodNotReady(pod, signal)
      if (taints.length > 0 && pod.metadata.deletionTimestamp === undefined) await evictWhenDue(pod, taints, signal)
    }
  }

  async function markPodNotReady(pod: Pod, signal: AbortSignal): Promise<void> {
    const ready = findCondition(pod.status?.conditions, 'Ready')
    if (ready?.status !== 'True') return
    const condition = { ...ready, status: 'False', lastTransitionTime: timestamp(clock.now()) }
    await tolerate(() =>
      client.patch(resources.pods, keyFor(pod), {
        type: 'strategic',
        subresource: 'status',
        body: { metadata: { uid: pod.metadata.uid }, status: { conditions: [condition] } },
        signal,
      }),
    )
    recorder.record(subjectOf(pod, resources.pods), { type: 'Warning', reason: 'NodeNotReady', message: 'Node is not ready' })
  }

  async function evictWhenDue(pod: Pod, taints: readonly Taint[], signal: AbortSignal): Promise<void> {
    const dueMs = evictAfterMs(pod.spec.tolerations, taints)
    if (dueMs === undefined) return
    const since = Math.min(...taints.map((taint) => Date.parse(taint.timeAdded ?? '')).filter((time) => !Number.isNaN(time)))
    if (clock.now().getTime() - (Number.isFinite(since) ? since : 0) < dueMs) return
    const disrupted = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'DeletionByTaintManager',
      message: 'Taint manager: deleting due to NoExecute taint',
      lastProbeTime: null,
      lastTransitionTime: timestamp(clock.now()),
    }
    await tolerate(() =>
      client.patch(resources.pods, keyFor(pod), {
        type: 'strategic',
        subresource: 'status',
        body: { metadata: { uid: pod.metadata.uid }, status: { conditions: [disrupted] } },
        signal,
      }),
    )
    recorder.record(subjectOf(pod, resources.pods), { type: 'Normal', reason: 'TaintManagerEviction', message: `Marking for deletion Pod ${keyOf(pod)}` })
    await tolerate(() => client.delete(resources.pods, keyFor(pod), { preconditions: { uid: pod.metadata.uid ?? '' }, signal }))
  }

  const controller = createController(deps, {
    name: 'node-lifecycle',
    workers: 4,
    triggers: [
      trigger(nodes, ({ object }) => [object.metadata.name ?? '']),
      { informer: leases, connect: () => () => {} },
      { informer: pods, connect: () => () => {} },
    ],
    reconcile,
  })
  return [recorder, controller]
}

function keyFor({ metadata }: Pod): { readonly namespace: string | undefined; readonly name: string } {
  return { namespace: metadata.namespace, name: metadata.name ?? '' }
}

function isSame(a: Taint, b: Taint): boolean {
  return a.key === b.key && a.effect === b.effect
}

function wantedTaints(node: Node, now: string): Taint[] {
  const conditions = node.status?.conditions
  const ready = findCondition(conditions, 'Ready')?.status ?? 'Unknown'
  const taints: Taint[] = []
  if (ready !== 'True') {
    const key = ready === 'False' ? notReady : unreachable
    // A node that has never reported is not ready, but there is nothing on it to move away.
    const hasReported = findCondition(conditions, 'Ready') !== undefined
    taints.push({ key: hasReported ? key : notReady, effect: 'NoSchedule', timeAdded: now })
    if (hasReported) taints.push({ key, effect: 'NoExecute', timeAdded: now })
  }
  if (node.spec?.unschedulable === true) taints.push({ key: unschedulable, effect: 'NoSchedule', timeAdded: now })
  for (const [type, key] of Object.entries(pressureTaints)) if (findCondition(conditions, type)?.status === 'True') taints.push({ key, effect: 'NoSchedule' })
  return taints
}

/** The pod has gone or changed meanwhile: the next round sees it as it is. */
async function tolerate(write: () => Promise<unknown>): Promise<void> {
  try {
    await write()
  } catch (error) {
    if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) throw error
  }
}
