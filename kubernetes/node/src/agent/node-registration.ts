import { isReason } from '@gantry/apimachinery'
import { resources } from '@gantry/kube-api'
import type { KubeClient, KubeObject } from '@gantry/client'
import type { EventSubject } from '@gantry/controller'
import type { Clock, Logger } from '@gantry/runtime'
import type { NodeEvents } from './node-events.ts'
import { nodeLabelsOf, nodeObjectOf, nodeStatusOf } from './node-object.ts'
import type { NodeDescription, NodeObject, NodeObservation, NodeStatus } from './node-object.ts'

export interface NodeRegistration {
  /** Makes the Node exist with its labels and a first status. */
  register(signal: AbortSignal): Promise<void>
  /** Keeps status and lease until the signal aborts. */
  run(signal: AbortSignal): Promise<void>
  /** Looks at the node's state at once instead of at the next check. */
  check(): Promise<void>
}

interface LeaseObject extends KubeObject {
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string }
}

const leaseNamespace = 'kube-node-lease'
const leaseSeconds = 40
const renewEveryMs = 10_000
const checkEveryMs = 10_000
const reportEveryMs = 300_000
const retryMs = 1_000

/** Upstream: kubelet_node_status.go, component-helpers lease controller. */
export function createNodeRegistration(
  deps: {
    readonly client: KubeClient
    readonly clock: Clock
    readonly log: Logger
    readonly events: NodeEvents
    readonly observe: () => Promise<NodeObservation>
  },
  node: NodeDescription,
): NodeRegistration {
  const { client, clock, log, events } = deps
  let uid = ''
  let last: NodeStatus | undefined
  let reportedAtMs = 0

  const target = (): EventSubject => ({ apiVersion: 'v1', kind: 'Node', name: node.nodeName, uid: node.nodeName })

  async function ensureNode(): Promise<void> {
    try {
      const created = await client.create<NodeObject>(resources.nodes, nodeObjectOf(node))
      uid = created.metadata.uid ?? ''
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
      const body = { metadata: { labels: nodeLabelsOf(node) } }
      const existing = await client.patch<NodeObject>(resources.nodes, { name: node.nodeName }, { type: 'merge', body })
      uid = existing.metadata.uid ?? ''
      last = existing.status
    }
  }

  async function report(): Promise<void> {
    const seen = await deps.observe()
    const status = nodeStatusOf(node, seen, last)
    const due = seen.nowMs - reportedAtMs >= reportEveryMs
    if (!due && comparable(status) === comparable(last)) return
    const order = (status.conditions ?? []).map(({ type }) => ({ type }))
    const body = { status: { ...status, '$setElementOrder/conditions': order } }
    await client.patch(resources.nodes, { name: node.nodeName }, { type: 'strategic', body, subresource: 'status' })
    const wasReady = isReady(last)
    last = status
    reportedAtMs = seen.nowMs
    if (isReady(status) !== wasReady)
      events.normal(
        target(),
        isReady(status) ? 'NodeReady' : 'NodeNotReady',
        `Node ${node.nodeName} status is now: ${isReady(status) ? 'NodeReady' : 'NodeNotReady'}`,
      )
  }

  /** Reports, and registers again when somebody has deleted the Node. */
  async function reportOrRegister(): Promise<void> {
    try {
      await report()
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      last = undefined
      reportedAtMs = 0
      await ensureNode()
      await report()
    }
  }

  async function renewLease(): Promise<void> {
    const renewTime = `${clock.now().toISOString().slice(0, -1)}000Z`
    const spec = { holderIdentity: node.nodeName, leaseDurationSeconds: leaseSeconds, renewTime }
    const key = { namespace: leaseNamespace, name: node.nodeName }
    try {
      await client.patch<LeaseObject>(resources.leases, key, { type: 'merge', body: { spec } })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      const ownerReferences = uid === '' ? {} : { ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node.nodeName, uid }] }
      const lease: LeaseObject = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { ...key, ...ownerReferences }, spec }
      await client.create(resources.leases, lease)
    }
  }

  async function forEver(what: string, everyMs: number, loop: { readonly work: () => Promise<void>; readonly signal: AbortSignal }): Promise<void> {
    while (!loop.signal.aborted) {
      try {
        await loop.work()
      } catch (error) {
        if (!loop.signal.aborted) log.warn('the node could not tell the API of itself, trying again', { what, error })
      }
      await clock.sleep(everyMs, { signal: loop.signal }).catch(() => {})
    }
  }

  return {
    async register(signal) {
      for (;;) {
        try {
          await ensureNode()
          await reportOrRegister()
          events.normal(target(), 'Starting', 'Starting kubelet.')
          return
        } catch (error) {
          signal.throwIfAborted()
          log.warn('the node could not be registered, trying again', { error, retryMs })
          await clock.sleep(retryMs, { signal })
        }
      }
    },
    async run(signal) {
      await Promise.all([forEver('status', checkEveryMs, { work: reportOrRegister, signal }), forEver('lease', renewEveryMs, { work: renewLease, signal })])
    },
    check: reportOrRegister,
  }
}

function isReady(status: NodeStatus | undefined): boolean {
  return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false
}

/** What is worth a report of its own: everything but the heartbeat times. */
function comparable(status: NodeStatus | undefined): string {
  const conditions = status?.conditions?.map(({ type, status: value, reason, message }) => [type, value, reason, message])
  return JSON.stringify({ ...status, conditions })
}
