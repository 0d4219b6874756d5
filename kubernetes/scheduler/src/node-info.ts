import { controllerOf } from '@gantry/controller'
import type { Node, Pod } from '@gantry/kube-api'
import { amountsOf, requestOf } from './pod-request.ts'
import type { Amounts } from './pod-request.ts'

/** What the scheduler knows of a node: its capacity, and what the pods on it have taken. Kept up to date pod by pod. */
export class NodeInfo {
  readonly name: string
  node: Node
  allocatable: Amounts
  maxPods: number
  readonly requested = new Map<string, number>()
  readonly scored = { cpu: 0, memory: 0 }
  readonly pods = new Map<string, Pod>()
  /** How many of the pods a controller has here, by its uid. */
  readonly podsOf = new Map<string, number>()
  /** `protocol ip port`, with the number of pods that use it. */
  readonly hostPorts = new Map<string, number>()

  constructor(node: Node) {
    this.name = node.metadata.name ?? ''
    this.node = node
    this.allocatable = new Map()
    this.maxPods = 0
    this.setNode(node)
  }

  setNode(node: Node): void {
    this.node = node
    this.allocatable = amountsOf(node.status?.allocatable)
    this.maxPods = this.allocatable.get('pods') ?? 0
  }

  addPod(pod: Pod): void {
    this.#account(pod, 1)
    this.pods.set(podKey(pod), pod)
  }

  removePod(pod: Pod): void {
    const counted = this.pods.get(podKey(pod))
    if (counted === undefined) return
    this.#account(counted, -1)
    this.pods.delete(podKey(pod))
  }

  #account(pod: Pod, sign: 1 | -1): void {
    const { amounts, scored } = requestOf(pod)
    for (const [name, amount] of amounts) this.requested.set(name, (this.requested.get(name) ?? 0) + sign * amount)
    this.scored.cpu += sign * scored.cpu
    this.scored.memory += sign * scored.memory
    for (const port of hostPortsOf(pod)) count(this.hostPorts, port.key, sign)
    const owner = controllerOf(pod)?.uid
    if (owner !== undefined) count(this.podsOf, owner, sign)
  }
}

function count(counts: Map<string, number>, key: string, change: 1 | -1): void {
  const now = (counts.get(key) ?? 0) + change
  if (now > 0) counts.set(key, now)
  else counts.delete(key)
}

export function podKey({ metadata }: Pod): string {
  return metadata.uid ?? `${metadata.namespace}/${metadata.name}`
}

export interface HostPort {
  readonly key: string
  readonly protocol: string
  readonly ip: string
  readonly port: number
}

const anyAddress = '0.0.0.0'

export function hostPortsOf({ spec }: Pod): HostPort[] {
  return (spec.containers ?? []).flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort = 0, hostIP, protocol = 'TCP' }) => {
      if (hostPort === 0) return []
      const ip = hostIP === undefined || hostIP === '' ? anyAddress : hostIP
      return [{ key: `${protocol} ${ip} ${hostPort}`, protocol, ip, port: hostPort }]
    }),
  )
}

/** Whether a port is taken on a node: the same port on any address clashes with every address. */
export function clashes(info: NodeInfo, wanted: HostPort): boolean {
  if (info.hostPorts.size === 0) return false
  if (wanted.ip !== anyAddress) return info.hostPorts.has(wanted.key) || info.hostPorts.has(`${wanted.protocol} ${anyAddress} ${wanted.port}`)
  for (const key of info.hostPorts.keys()) {
    const [protocol, , port] = key.split(' ')
    if (protocol === wanted.protocol && port === String(wanted.port)) return true
  }
  return false
}
