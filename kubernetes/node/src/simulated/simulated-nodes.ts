import { isReason, StatusError } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import {
  createController,
  createEventRecorder,
  keyOf,
  microTimestamp,
  retryAfter,
  runInBackground,
  settled,
  splitKey,
  subjectOf,
  timestamp,
  trigger,
} from '@gantry/controller'
import type { Informers, Outcome } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Lease, Node, NodeBackend, Pod } from '@gantry/kube-api'
import type { Clock, Ids, Logger, Service } from '@gantry/runtime'
import { PodAddresses } from './pod-addresses.ts'
import { nextStage } from './stages.ts'

export interface SimulatedNodesDeps {
  readonly client: KubeClient
  /** Shared with the controllers; whoever wires starts it. */
  readonly informers: Informers
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

export interface SimulatedNodesOptions {
  readonly names: readonly string[]
  readonly kubernetesVersion: string
  readonly podCidr?: string
}

/** Marks nodes that are not there: the label is ours, the annotation is what other tools know. */
export const nodeKindLabel = 'node.gantry.dev/kind'
const simulatedAnnotation = 'kwok.x-k8s.io/node'

const leaseSeconds = 40
const renewEveryMs = 15_000
const createWorkers = 16
const podWorkers = 16
const capacity = { cpu: '32', memory: '256Gi', 'ephemeral-storage': '1Ti', pods: '110' }

/** Nodes without a machine: they register, keep their leases, and pods on them live as their stages say. The backend answers for them. */
export function createSimulatedNodes(deps: SimulatedNodesDeps, options: SimulatedNodesOptions): { readonly service: Service; readonly backend: NodeBackend } {
  const { client, clock } = deps
  const names = new Set(options.names)
  const addresses = new PodAddresses(options.podCidr ?? '10.64.0.0/12')
  const hostAddress = new Map(options.names.map((name, index) => [name, `10.127.${Math.floor(index / 250)}.${(index % 250) + 1}`]))
  const pods = deps.informers.of<Pod>(resources.pods)
  const recorder = createEventRecorder(deps, { component: 'simulated-node' })
  /** When a pod got into the state that its next stage waits for. */
  const since = new Map<string, { readonly stage: string; readonly atMs: number }>()

  const controller = createController(deps, {
    name: 'simulated-nodes',
    workers: podWorkers,
    triggers: [
      trigger(pods, (change) => {
        const { object } = change
        if (change.type === 'deleted') {
          addresses.release(object.metadata.uid ?? '')
          since.delete(keyOf(object))
          return []
        }
        return names.has(object.spec.nodeName ?? '') ? [keyOf(object)] : []
      }),
    ],
    reconcile: (key, { signal }) => advance(key, signal),
  })

  async function advance(key: string, signal: AbortSignal): Promise<Outcome> {
    const pod = pods.store.get(key)
    const stage = pod === undefined ? undefined : nextStage(pod)
    if (pod === undefined || stage === undefined) return settled
    const now = clock.monotonicMs()
    const known = since.get(key)
    const atMs = known?.stage === stage.name ? known.atMs : now
    if (known?.stage !== stage.name) since.set(key, { stage: stage.name, atMs })
    const left = atMs + stage.delayMs(pod) - now
    if (left > 0) return retryAfter(left)
    const { namespace, name } = splitKey(key)
    const { uid = '' } = pod.metadata
    try {
      if (stage.next.kind === 'delete') {
        await client.delete(resources.pods, { namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid }, signal })
        return settled
      }
      const status = stage.next.status(pod, { now: timestamp(clock.now()), podIP: addresses.of(uid), hostIP: hostAddress.get(pod.spec.nodeName ?? '') ?? '' })
      await client.patch(resources.pods, { namespace, name }, { type: 'merge', subresource: 'status', body: { metadata: { uid }, status }, signal })
      if (stage.name === 'pod-start') for (const container of pod.spec.containers ?? []) tellStarted(pod, container.name)
      return settled
    } catch (error) {
      if (isReason(error, 'NotFound') || isReason(error, 'Conflict')) return settled
      throw error
    }
  }

  function tellStarted(pod: Pod, container: string): void {
    const subject = { ...subjectOf(pod, resources.pods), fieldPath: `spec.containers{${container}}` }
    recorder.record(subject, { type: 'Normal', reason: 'Started', message: `Started simulated container ${container}` })
  }

  async function register(name: string, signal: AbortSignal): Promise<void> {
    const node = nodeObject(name, { address: hostAddress.get(name) ?? '', version: options.kubernetesVersion, now: timestamp(clock.now()) })
    try {
      await client.create(resources.nodes, node, { signal })
    } catch (error) {
      if (!isReason(error, 'AlreadyExists')) throw error
      await client.patch(resources.nodes, { name }, { type: 'merge', subresource: 'status', body: { status: node.status }, signal })
    }
  }

  async function renew(name: string, signal: AbortSignal): Promise<void> {
    const renewTime = microTimestamp(clock.now())
    const lease: Lease & KubeObject = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime },
    }
    try {
      await client.patch(resources.leases, { namespace: 'kube-node-lease', name }, { type: 'merge', body: { spec: { renewTime } }, signal })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      await client.create(resources.leases, lease, { signal })
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    await forEach(options.names, createWorkers, (name) => register(name, signal))
    while (!signal.aborted) {
      // One after the other through the interval, so that a thousand renewals are no burst.
      await forEach(options.names, 1, async (name) => {
        try {
          await renew(name, signal)
        } catch (error) {
          if (!signal.aborted) deps.log.warn('the lease of a simulated node could not be renewed', { node: name, error })
        }
      })
      await clock.sleep(renewEveryMs, { signal }).catch(() => {}) // aborted: the loop ends
    }
  }

  const service: Service = {
    name: 'simulated-nodes',
    async start({ signal }) {
      const recording = await recorder.start({ signal })
      const moving = await controller.start({ signal })
      const registering = runInBackground(run, signal)
      const done = Promise.race([moving.done, registering.done])
      return {
        done,
        async [Symbol.asyncDispose]() {
          await registering[Symbol.asyncDispose]()
          await moving[Symbol.asyncDispose]()
          await recording[Symbol.asyncDispose]()
        },
      }
    },
  }
  return { service, backend: simulatedBackend }
}

async function forEach(names: readonly string[], workers: number, work: (name: string) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    for (let name = names[next++]; name !== undefined; name = names[next++]) await work(name)
  }
  await Promise.all(Array.from({ length: Math.min(workers, names.length) }, worker))
}

function nodeObject(name: string, facts: { readonly address: string; readonly version: string; readonly now: string }): Node & KubeObject {
  const condition = (type: string, status: string, reason: string, message: string): NonNullable<NonNullable<Node['status']>['conditions']>[number] => ({
    type,
    status,
    reason,
    message,
    lastHeartbeatTime: facts.now,
    lastTransitionTime: facts.now,
  })
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: { [nodeKindLabel]: 'simulated', 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': 'amd64' },
      annotations: { [simulatedAnnotation]: 'fake' },
    },
    spec: {},
    status: {
      capacity,
      allocatable: capacity,
      conditions: [
        condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory', 'a simulated node has memory'),
        condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure', 'a simulated node has disk'),
        condition('PIDPressure', 'False', 'KubeletHasSufficientPID', 'a simulated node has process ids'),
        condition('Ready', 'True', 'KubeletReady', 'the simulated node is ready'),
      ],
      addresses: [
        { type: 'InternalIP', address: facts.address },
        { type: 'Hostname', address: name },
      ],
      nodeInfo: {
        architecture: 'amd64',
        bootID: '',
        containerRuntimeVersion: 'simulated://0.1.0',
        kernelVersion: 'simulated',
        kubeProxyVersion: '',
        kubeletVersion: facts.version,
        machineID: '',
        operatingSystem: 'linux',
        osImage: 'simulated',
        systemUUID: '',
      },
    },
  }
}

/** Nothing runs on a simulated node: what can be said is said, what needs a container is refused with the reason. */
const simulatedBackend: NodeBackend = {
  logs({ container, pod }) {
    const line = `This node is simulated: container ${container} of pod ${pod} does not run, so it has written nothing.\n`
    return Promise.resolve(async (sink) => void sink.write(line))
  },
  exec: () => Promise.reject(nothingRuns('run a command in')),
  attach: () => Promise.reject(nothingRuns('attach to')),
  dial: () => Promise.reject(nothingRuns('connect to')),
}

function nothingRuns(what: string): StatusError {
  return new StatusError('BadRequest', `the node is simulated: there is no container to ${what}`)
}
