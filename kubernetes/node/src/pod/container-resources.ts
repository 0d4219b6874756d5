import { parseQuantity, quantityToMilli, quantityToUnits } from '@gantry/apimachinery'
import type { LinuxContainerResources } from '../cri/messages.ts'
import type { Container, Pod, ResourceFieldSelector } from './pod.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/** What the node has to give, as bounds where a container names none. */
export interface NodeCapacity {
  readonly cpuMilli: number
  readonly memoryBytes: number
  readonly ephemeralStorageBytes: number
}

const cpuPeriodUs = 100_000
const minCpuQuotaUs = 1_000
const minCpuShares = 2
const maxCpuShares = 262_144

/** Upstream: kuberuntime_container_linux.go and pkg/kubelet/qos/policy.go. */
export function linuxResourcesOf(pod: Pod, container: Container, capacity: NodeCapacity): LinuxContainerResources {
  const { requests = {}, limits = {} } = container.resources ?? {}
  const cpuLimit = milliOf(limits['cpu'])
  const cpuRequest = milliOf(requests['cpu'] ?? limits['cpu'])
  const memoryLimit = unitsOf(limits['memory'])
  return {
    cpuShares: Math.min(Math.max(Math.floor((cpuRequest * 1024) / 1000), minCpuShares), maxCpuShares),
    ...(cpuLimit === 0 ? {} : { cpuPeriod: cpuPeriodUs, cpuQuota: Math.max(Math.floor((cpuLimit * cpuPeriodUs) / 1000), minCpuQuotaUs) }),
    ...(memoryLimit === 0 ? {} : { memoryLimitInBytes: memoryLimit }),
    oomScoreAdj: oomScoreAdjOf(pod, container, capacity),
  }
}

/** The pod's class: the API's word where it has one. */
export function qosClassOf(pod: Pod): QosClass {
  const given = pod.status?.qosClass
  if (given === 'Guaranteed' || given === 'Burstable' || given === 'BestEffort') return given
  const containers = [...(pod.spec.initContainers ?? []), ...pod.spec.containers]
  const all = containers.map(({ resources }) => ({ requests: resources?.requests ?? {}, limits: resources?.limits ?? {} }))
  const names = ['cpu', 'memory'] as const
  if (all.every(({ requests, limits }) => names.every((name) => requests[name] === undefined && limits[name] === undefined))) return 'BestEffort'
  const guaranteed = all.every(({ requests, limits }) =>
    names.every((name) => limits[name] !== undefined && milliOf(requests[name] ?? limits[name]) === milliOf(limits[name])),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function oomScoreAdjOf(pod: Pod, container: Container, capacity: NodeCapacity): number {
  const qos = qosClassOf(pod)
  if (qos === 'Guaranteed') return -997
  if (qos === 'BestEffort') return 1000
  const request = unitsOf(container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'])
  const score = 1000 - Math.floor((1000 * request) / capacity.memoryBytes)
  return Math.min(Math.max(score, 3), 999)
}

/** A container's own limit or request in units of the divisor, rounded up; the node's share where it names none. */
export function resourceFieldOf(pod: Pod, container: Container, selector: ResourceFieldSelector, capacity: NodeCapacity): string {
  const source = selector.containerName
    ? [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(({ name }) => name === selector.containerName)
    : container
  if (source === undefined) throw new Error(`container ${selector.containerName} not found`)
  const [side = '', ...rest] = selector.resource.split('.')
  const name = rest.join('.')
  const { requests = {}, limits = {} } = source.resources ?? {}
  if (side !== 'limits' && side !== 'requests') throw new Error(`unsupported container resource : ${selector.resource}`)
  const own = side === 'limits' ? limits[name] : (requests[name] ?? (name === 'cpu' || name === 'memory' ? limits[name] : undefined))
  const milli = own === undefined ? nodeShareMilli(name, side, capacity) : milliOf(own)
  const divisor = selector.divisor === undefined ? 1000 : milliOf(selector.divisor)
  return String(Math.ceil(milli / (divisor === 0 ? 1000 : divisor)))
}

function nodeShareMilli(name: string, side: 'limits' | 'requests', capacity: NodeCapacity): number {
  if (side === 'requests') return 0
  if (name === 'cpu') return capacity.cpuMilli
  if (name === 'memory') return capacity.memoryBytes * 1000
  if (name === 'ephemeral-storage') return capacity.ephemeralStorageBytes * 1000
  return 0
}

/** Bytes, or whole units, of a quantity; 0 when there is none. */
export function unitsOf(quantity: string | number | undefined): number {
  return quantity === undefined ? 0 : Number(quantityToUnits(parseQuantity(String(quantity))))
}

function milliOf(quantity: string | number | undefined): number {
  return quantity === undefined ? 0 : Number(quantityToMilli(parseQuantity(String(quantity))))
}
