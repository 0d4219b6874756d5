import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.ts'
import type { Endpoint } from './connection.ts'

const atOnce = 32
const renewedAtOnce = 8
const renewEveryMs = 20_000
const readyWithinMs = 180_000
const pollMs = 500

/** Nodes that no kubelet runs on. */
export interface Nodes extends AsyncDisposable {
  readonly count: number
}

/**
 * Creates nodes that are ready and have room for 110 pods each, keeps them alive as kubelets do (a Lease of each is renewed in turn, all of them every 20 s), and resolves when
 * none has a taint. The taint that a new node gets is taken off here: with the client limits it ships with, the node controller of Kubernetes would take minutes for 5,000 of them, and that is not what is measured.
 * Nothing runs the pods that are bound to them. The same on both servers.
 */
export async function startNodes(endpoint: Endpoint, { count, namePrefix }: { readonly count: number; readonly namePrefix: string }): Promise<Nodes> {
  const connection = new Connection(endpoint)
  const names = Array.from({ length: count }, (_, at) => `${namePrefix}-${String(at).padStart(5, '0')}`)
  const stop = new AbortController()
  /** Those that are there by now. */
  const alive: string[] = []
  const renewing = renew(connection, { alive, everyMs: renewEveryMs / count }, stop.signal)
  renewing.catch(() => {}) // told when the nodes are given up
  const dispose = async (): Promise<void> => {
    stop.abort()
    await renewing
    connection.close()
  }
  try {
    await inLanes(names, async (name) => {
      await connection.post('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', leaseOf(name))
      await connection.post('/api/v1/nodes', nodeOf(name))
      await connection.send('PATCH', `/api/v1/nodes/${name}`, { text: '{"spec":{"taints":null}}', contentType: 'application/merge-patch+json' })
      alive.push(name)
    })
    await untilSchedulable(connection)
  } catch (error) {
    await dispose()
    throw error
  }
  return { count, [Symbol.asyncDispose]: dispose }
}

/** Evenly, as thousands of kubelets do; a few at once, since one after the other a busy server would not get through all of them before they count as dead. */
async function renew(
  connection: Connection,
  { alive, everyMs }: { readonly alive: readonly string[]; readonly everyMs: number },
  signal: AbortSignal,
): Promise<void> {
  let turn = 0
  let dueMs = performance.now()
  async function lane(): Promise<void> {
    while (!signal.aborted) {
      dueMs = Math.max(dueMs + everyMs, performance.now() - renewEveryMs)
      const waitMs = dueMs - performance.now()
      if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {}) // called off: the loop ends
      const name = alive[turn++ % Math.max(alive.length, 1)]
      if (signal.aborted || name === undefined) continue
      await connection.send('PATCH', `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`, {
        text: JSON.stringify({ spec: { renewTime: `${new Date().toISOString().slice(0, -1)}000Z` } }),
        contentType: 'application/merge-patch+json',
      })
    }
  }
  await Promise.all(Array.from({ length: renewedAtOnce }, lane))
}

async function untilSchedulable(connection: Connection): Promise<void> {
  const deadline = performance.now() + readyWithinMs
  for (;;) {
    const { items } = JSON.parse(await connection.send('GET', '/api/v1/nodes')) as {
      readonly items: readonly { readonly spec: { readonly taints?: readonly unknown[] } }[]
    }
    const tainted = items.filter(({ spec }) => (spec.taints ?? []).length > 0).length
    if (tainted === 0) return
    if (performance.now() > deadline) throw new Error(`${tainted} of ${items.length} nodes still have a taint after ${readyWithinMs / 1000} s`)
    await sleep(pollMs)
  }
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const item of rest) await work(item)
    }),
  )
}

function nodeOf(name: string): string {
  const now = `${new Date().toISOString().slice(0, 19)}Z`
  const resources = { cpu: '32', memory: '256Gi', pods: '110' }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' } },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [{ type: 'Ready', status: 'True', reason: 'Bench', message: 'no kubelet', lastHeartbeatTime: now, lastTransitionTime: now }],
    },
  })
}

function leaseOf(name: string): string {
  return JSON.stringify({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: `${new Date().toISOString().slice(0, -1)}000Z` },
  })
}
