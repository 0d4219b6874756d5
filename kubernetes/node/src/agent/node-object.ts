import type { KubeObject } from '@gantry/client'
import type { Image } from '../cri/messages.ts'
import type { MachineInfo, MachinePressure } from './machine-info.ts'

export interface NodeObject extends KubeObject {
  spec?: { podCIDR?: string; podCIDRs?: string[]; unschedulable?: boolean; taints?: unknown[] }
  status?: NodeStatus
}

export interface NodeStatus {
  capacity?: Record<string, string>
  allocatable?: Record<string, string>
  conditions?: NodeCondition[]
  addresses?: { type: string; address: string }[]
  daemonEndpoints?: { kubeletEndpoint: { Port: number } }
  nodeInfo?: Record<string, string>
  images?: { names: string[]; sizeBytes: number }[]
}

export interface NodeCondition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  lastHeartbeatTime?: string
  lastTransitionTime?: string
  reason?: string
  message?: string
}

export interface NodeDescription {
  readonly nodeName: string
  readonly podCidr: string
  readonly nodeIP: string
  readonly machine: MachineInfo
  readonly kubernetesVersion: string
  readonly labels: Readonly<Record<string, string>>
}

export interface NodeObservation {
  readonly pressure: MachinePressure
  readonly runtimeVersion: string
  readonly images: readonly Image[]
  /** Why the node cannot run pods now. */
  readonly problem: string | undefined
  readonly nowMs: number
}

/** Upstream's eviction thresholds: memory.available < 100Mi, nodefs.available < 10 %. */
const minAvailableMemoryBytes = 100 << 20
const minAvailableDiskFraction = 0.1
const maxImages = 50
const maxPods = '110'

/** The Node as it is registered. */
export function nodeObjectOf(node: NodeDescription): NodeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: node.nodeName,
      labels: nodeLabelsOf(node),
      annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
    },
    spec: { podCIDR: node.podCidr, podCIDRs: [node.podCidr] },
  }
}

export function nodeLabelsOf(node: NodeDescription): Record<string, string> {
  const { architecture } = node.machine
  return {
    ...node.labels,
    'beta.kubernetes.io/arch': architecture,
    'beta.kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture,
    'kubernetes.io/hostname': node.nodeName,
    'kubernetes.io/os': 'linux',
    'node.gantry.dev/kind': 'containerd',
  }
}

/** The Node's status as it is now; a condition keeps the time of its last change from `previous`. */
export function nodeStatusOf(node: NodeDescription, seen: NodeObservation, previous: NodeStatus | undefined): NodeStatus {
  const { machine, nodeIP, nodeName } = node
  const amounts = {
    cpu: String(machine.cpus),
    'ephemeral-storage': `${Math.floor(seen.pressure.diskBytes / 1024)}Ki`,
    'hugepages-1Gi': '0',
    'hugepages-2Mi': '0',
    memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`,
    pods: maxPods,
  }
  return {
    capacity: amounts,
    // Upstream keeps its hard eviction threshold back from what pods may ask for.
    allocatable: { ...amounts, memory: `${Math.floor((machine.memoryBytes - minAvailableMemoryBytes) / 1024)}Ki` },
    conditions: nodeConditionsOf(seen, previous?.conditions ?? []),
    addresses: [
      { type: 'InternalIP', address: nodeIP },
      { type: 'Hostname', address: nodeName },
    ],
    daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
    nodeInfo: {
      machineID: machine.machineID,
      systemUUID: machine.systemUUID,
      bootID: machine.bootID,
      kernelVersion: machine.kernelVersion,
      osImage: machine.osImage,
      containerRuntimeVersion: seen.runtimeVersion,
      kubeletVersion: node.kubernetesVersion,
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: machine.architecture,
    },
    images: seen.images
      .map((image) => ({ names: [...image.repoDigests, ...image.repoTags], sizeBytes: Number(image.size) }))
      .filter(({ names }) => names.length > 0)
      .sort((a, b) => b.sizeBytes - a.sizeBytes)
      .slice(0, maxImages),
  }
}

function nodeConditionsOf(seen: NodeObservation, previous: readonly NodeCondition[]): NodeCondition[] {
  const { pressure, problem } = seen
  const now = `${new Date(seen.nowMs).toISOString().slice(0, 19)}Z`
  const lowMemory = pressure.availableMemoryBytes < minAvailableMemoryBytes
  const lowDisk = pressure.availableDiskBytes < pressure.diskBytes * minAvailableDiskFraction
  const condition = (type: string, holds: boolean, [reason, message]: readonly [string, string]): NodeCondition => {
    const status = holds ? 'True' : 'False'
    const before = previous.find((other) => other.type === type)
    const lastTransitionTime = before?.status === status && before.lastTransitionTime !== undefined ? before.lastTransitionTime : now
    return { type, status, lastHeartbeatTime: now, lastTransitionTime, reason, message }
  }
  return [
    condition(
      'MemoryPressure',
      lowMemory,
      lowMemory
        ? ['KubeletHasInsufficientMemory', 'kubelet has insufficient memory available']
        : ['KubeletHasSufficientMemory', 'kubelet has sufficient memory available'],
    ),
    condition(
      'DiskPressure',
      lowDisk,
      lowDisk ? ['KubeletHasDiskPressure', 'kubelet has disk pressure'] : ['KubeletHasNoDiskPressure', 'kubelet has no disk pressure'],
    ),
    condition('PIDPressure', false, ['KubeletHasSufficientPID', 'kubelet has sufficient PID available']),
    condition('Ready', problem === undefined, problem === undefined ? ['KubeletReady', 'kubelet is posting ready status'] : ['KubeletNotReady', problem]),
  ]
}
