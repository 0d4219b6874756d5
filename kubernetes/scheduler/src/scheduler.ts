import { setImmediate as nextTurn } from 'node:timers/promises'
import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { createEventRecorder, findCondition, keyOf, runInBackground, subjectOf, timestamp } from '@gantry/controller'
import type { Change, Informers } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Node, Pod } from '@gantry/kube-api'
import type { Clock, Ids, Logger, Service } from '@gantry/runtime'
import { createFilter } from './filters.ts'
import type { Misfit } from './filters.ts'
import { NodeInfo } from './node-info.ts'
import { hasRequiredAntiAffinity, placementRules } from './pod-affinity.ts'
import { SchedulingQueue } from './scheduling-queue.ts'
import type { Waiting } from './scheduling-queue.ts'
import { bestNode } from './scores.ts'

export interface SchedulerDeps {
  readonly client: KubeClient
  /** Shared with the controllers; whoever wires starts it. */
  readonly informers: Informers
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

export const schedulerName = 'default-scheduler'

const maxBindings = 64
const flushEveryMs = 30_000
const yieldAfterMs = 3
const bindTimeoutMs = 30_000
// Upstream looks at all nodes up to 100, then at fewer the more there are (50 % down to 5 %).
const minFeasible = 100

/** Assigns pods that ask for `default-scheduler` to nodes: one pod at a time is decided, many are bound at once. Upstream: pkg/scheduler; kube-api-spec §18. */
export function createScheduler(deps: SchedulerDeps): Service {
  const pods = deps.informers.of<Pod>(resources.pods)
  const nodes = deps.informers.of<Node>(resources.nodes)
  return {
    name: 'scheduler',
    start({ signal }) {
      const recorder = createEventRecorder(deps, { component: schedulerName })
      const scheduler = new Scheduler(deps, (pod, content) => recorder.record(subjectOf(pod, resources.pods), content))
      return Promise.resolve(
        runInBackground(async (stopping) => {
          const recording = await recorder.start({ signal: stopping })
          const stops = [nodes.onChange((change) => scheduler.nodeChanged(change)), pods.onChange((change) => scheduler.podChanged(change))]
          try {
            await scheduler.run(stopping)
          } finally {
            for (const stop of stops) stop()
            await recording[Symbol.asyncDispose]()
          }
        }, signal),
      )
    },
  }
}

interface EventText {
  readonly type: 'Normal' | 'Warning'
  readonly reason: string
  readonly message: string
}

class Scheduler {
  readonly #deps: SchedulerDeps
  readonly #record: (pod: Pod, event: EventText) => void
  readonly #queue: SchedulingQueue
  readonly #nodes = new Map<string, NodeInfo>()
  /** The same nodes in a fixed order, for the round-robin start of the search. */
  #nodeList: NodeInfo[] = []
  #searchFrom = 0
  readonly #pending = new Map<string, Pod>()
  /** Node by pod key, for pods on nodes: bound ones, and ones whose binding is on its way. */
  readonly #placed = new Map<string, { readonly pod: Pod; readonly node: string; readonly isAssumed: boolean }>()
  #refusing = 0
  #bindings = 0
  #bindingDone: (() => void) | undefined

  constructor(deps: SchedulerDeps, record: (pod: Pod, event: EventText) => void) {
    this.#deps = deps
    this.#record = record
    this.#queue = new SchedulingQueue(deps.clock)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    let cancelFlush = (): void => {}
    const scheduleFlush = (): void => {
      cancelFlush = clock.schedule(() => {
        this.#queue.flushOld()
        scheduleFlush()
      }, flushEveryMs)
    }
    scheduleFlush()
    try {
      let sliceEnd = clock.monotonicMs() + yieldAfterMs
      while (!signal.aborted) {
        const waiting = this.#queue.take()
        if (waiting === undefined) {
          await this.#queue.ready(signal)
          sliceEnd = clock.monotonicMs() + yieldAfterMs
          continue
        }
        await this.#schedule(waiting, signal)
        if (clock.monotonicMs() < sliceEnd) continue
        await nextTurn()
        sliceEnd = clock.monotonicMs() + yieldAfterMs
      }
    } finally {
      cancelFlush()
      this.#queue.stop()
    }
  }

  nodeChanged(change: Change<Node>): void {
    const name = change.object.metadata.name ?? ''
    if (change.type === 'deleted') this.#nodes.delete(name)
    else {
      const info = this.#nodes.get(name)
      if (info === undefined) {
        const added = new NodeInfo(change.object)
        for (const placed of this.#placed.values()) if (placed.node === name) added.addPod(placed.pod)
        this.#nodes.set(name, added)
      } else {
        const before = info.node
        info.setNode(change.object)
        if (!mayMakeRoom(before, change.object)) return
      }
    }
    if (change.type !== 'updated') this.#nodeList = [...this.#nodes.values()]
    this.#queue.moveAll()
  }

  podChanged(change: Change<Pod>): void {
    const pod = change.object
    const key = keyOf(pod)
    const isOver = change.type === 'deleted' || pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'
    if (isOver || (pod.spec.nodeName ?? '') !== '') {
      this.#pending.delete(key)
      this.#queue.remove(key)
    }
    if (isOver) {
      if (this.#remove(key)) this.#queue.moveAll()
      return
    }
    if ((pod.spec.nodeName ?? '') !== '') {
      this.#place(key, pod, { node: pod.spec.nodeName ?? '', isAssumed: false })
      return
    }
    if (pod.metadata.deletionTimestamp !== undefined || pod.spec.schedulerName !== schedulerName) return
    const before = this.#pending.get(key)
    this.#pending.set(key, pod)
    if (this.#placed.get(key)?.isAssumed === true) return
    // The scheduler's own note about a pod that does not fit is no reason to try it again.
    if (
      change.type === 'updated' &&
      before !== undefined &&
      JSON.stringify(before.spec) === JSON.stringify(pod.spec) &&
      JSON.stringify(before.metadata.labels) === JSON.stringify(pod.metadata.labels)
    )
      return
    this.#queue.add(key, pod.spec.priority ?? 0)
  }

  async #schedule(waiting: Waiting, signal: AbortSignal): Promise<void> {
    const pod = this.#pending.get(waiting.key)
    if (pod === undefined) return
    if ((pod.spec.schedulingGates ?? []).length > 0) {
      await this.#note(pod, { reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates' }, signal)
      return
    }
    const { node, message } = this.#choose(pod)
    if (node === undefined) {
      this.#queue.failed(waiting)
      this.#record(pod, { type: 'Warning', reason: 'FailedScheduling', message })
      await this.#note(pod, { reason: 'Unschedulable', message }, signal)
      return
    }
    this.#place(waiting.key, pod, { node: node.name, isAssumed: true })
    await this.#bindingSlot()
    void this.#bind(waiting, { pod, node: node.name }, signal)
  }

  /** The node to run on, or why there is none. */
  #choose(pod: Pod): { readonly node: NodeInfo | undefined; readonly message: string } {
    const all = this.#nodeList
    if (all.length === 0) return { node: undefined, message: 'no nodes available to schedule pods' }
    const enough = feasibleEnough(all.length)
    const rules = placementRules(pod, all, { othersRefuse: this.#refusing > 0 })
    const misfitOn = createFilter(pod, rules)
    const candidates: NodeInfo[] = []
    const misfits: Misfit[] = []
    let looked = 0
    for (; looked < all.length && candidates.length < enough; looked++) {
      const info = all[(this.#searchFrom + looked) % all.length]
      if (info === undefined) continue
      const misfit = misfitOn(info)
      if (misfit === undefined) candidates.push(info)
      else misfits.push(misfit)
    }
    this.#searchFrom = (this.#searchFrom + looked) % all.length
    return { node: bestNode(pod, candidates), message: candidates.length > 0 ? '' : describeMisfits(all.length, misfits) }
  }

  async #bind(waiting: Waiting, decision: { readonly pod: Pod; readonly node: string }, signal: AbortSignal): Promise<void> {
    const { pod, node } = decision
    const { name = '', namespace = '', uid } = pod.metadata
    try {
      const binding: KubeObject & { target: { kind: string; name: string } } = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) },
        target: { kind: 'Node', name: node },
      }
      await this.#deps.client.create(resources.pods, binding, { subresource: 'binding', signal: AbortSignal.any([signal, AbortSignal.timeout(bindTimeoutMs)]) })
      this.#record(pod, { type: 'Normal', reason: 'Scheduled', message: `Successfully assigned ${namespace}/${name} to ${node}` })
    } catch (error) {
      if (signal.aborted) return
      this.#remove(waiting.key)
      // Gone, or somebody else has bound it: its own event tells.
      if (isReason(error, 'NotFound') || isReason(error, 'Conflict')) return
      this.#deps.log.warn('a pod could not be bound', { pod: waiting.key, node, error })
      this.#record(pod, { type: 'Warning', reason: 'FailedScheduling', message: `binding rejected: ${error instanceof Error ? error.message : String(error)}` })
      this.#queue.failed(waiting)
      this.#queue.moveAll()
    } finally {
      this.#bindings--
      this.#bindingDone?.()
    }
  }

  async #bindingSlot(): Promise<void> {
    while (this.#bindings >= maxBindings) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#bindingDone = resolve
      await promise
    }
    this.#bindings++
  }

  /** The PodScheduled condition; written only when it says something new. */
  async #note(pod: Pod, why: { readonly reason: string; readonly message: string }, signal: AbortSignal): Promise<void> {
    const current = findCondition(pod.status?.conditions ?? [], 'PodScheduled')
    if (current?.status === 'False' && current.reason === why.reason && current.message === why.message) return
    const { name = '', namespace } = pod.metadata
    const now = timestamp(this.#deps.clock.now())
    const condition = {
      type: 'PodScheduled',
      ...(pod.metadata.generation !== undefined && { observedGeneration: pod.metadata.generation }),
      status: 'False',
      ...why,
      lastProbeTime: null,
      lastTransitionTime: current?.status === 'False' ? (current.lastTransitionTime ?? now) : now,
    }
    try {
      await this.#deps.client.patch(
        resources.pods,
        { namespace, name },
        { type: 'strategic', subresource: 'status', body: { status: { conditions: [condition] } }, signal },
      )
    } catch (error) {
      if (signal.aborted || isReason(error, 'NotFound') || isReason(error, 'Conflict')) return
      this.#deps.log.warn('why a pod is not scheduled could not be written', { pod: keyOf(pod), error })
    }
  }

  #place(key: string, pod: Pod, where: { readonly node: string; readonly isAssumed: boolean }): void {
    this.#remove(key)
    this.#placed.set(key, { pod, ...where })
    this.#nodes.get(where.node)?.addPod(pod)
    if (hasRequiredAntiAffinity(pod)) this.#refusing++
  }

  /** True when the pod was on a node. */
  #remove(key: string): boolean {
    const placed = this.#placed.get(key)
    if (placed === undefined) return false
    this.#placed.delete(key)
    this.#nodes.get(placed.node)?.removePod(placed.pod)
    if (hasRequiredAntiAffinity(placed.pod)) this.#refusing--
    return true
  }
}

/** Heartbeats change nodes all the time; only these changes can make a pod fit. */
function mayMakeRoom(before: Node, after: Node): boolean {
  return (
    JSON.stringify(before.spec) !== JSON.stringify(after.spec) ||
    JSON.stringify(before.metadata.labels) !== JSON.stringify(after.metadata.labels) ||
    JSON.stringify(before.status?.allocatable) !== JSON.stringify(after.status?.allocatable)
  )
}

export function feasibleEnough(nodes: number): number {
  if (nodes <= minFeasible) return nodes
  const percent = Math.max(5, 50 - Math.floor(nodes / 125))
  return Math.max(minFeasible, Math.floor((nodes * percent) / 100))
}

/** `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable. preemption: …`. Upstream: framework/types.go FitError. */
export function describeMisfits(nodes: number, misfits: readonly Misfit[]): string {
  const counts = new Map<string, number>()
  for (const { reasons } of misfits) for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
  const reasons = [...counts].map(([reason, count]) => `${count} ${reason}`).sort()
  const resolvable = misfits.filter((misfit) => misfit.isResolvable).length
  const preemption = [
    ...(resolvable > 0 ? [`${resolvable} No preemption victims found for incoming pod.`] : []),
    ...(misfits.length - resolvable > 0 ? [`${misfits.length - resolvable} Preemption is not helpful for scheduling.`] : []),
  ]
    .sort()
    .map((text, index, all) => (index < all.length - 1 ? text.replace(/\.$/, '') : text))
    .join(', ')
  return `0/${nodes} nodes are available: ${reasons.join(', ')}. preemption: 0/${nodes} nodes are available: ${preemption}`
}
