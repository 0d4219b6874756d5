import type { KubeObject, ResourceRef } from '@gantry/client'
import { platformNamespace } from '../../api/index.ts'

/** What one gateway knows of a cluster's agent. */
export interface AgentReport {
  /** Connections of the agent to this gateway. */
  readonly connections: number
  /** As the agent says. */
  readonly version?: string | undefined
  /** When, and why, the last of its connections to this gateway went that has gone. */
  readonly departure?: { readonly at: Date; readonly why: string } | undefined
}

/** Another gateway on the same hub, as it says of itself. */
export interface PeerGateway {
  /** Of its Lease. */
  readonly name: string
  /** `host:port`, where the others reach its port. */
  readonly address: string
  readonly agents: ReadonlyMap<string, AgentReport>
}

export interface GatewayLease extends KubeObject {
  spec?: { holderIdentity?: string; leaseDurationSeconds?: number; renewTime?: string }
}

export const gatewayLeases: ResourceRef = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true }
/** On the Lease of every gateway. */
export const gatewayLabel = 'fleet.gantry.dev/gateway'
const addressAnnotation = 'fleet.gantry.dev/address'
const agentsAnnotation = 'fleet.gantry.dev/agents'

/** How long the others take a gateway for alive that does not renew its Lease. */
export const leaseDurationMs = 15_000
// An API takes 256 KiB of annotations together.
const annotationBytes = 200 << 10
const longestWhy = 160
const addressPattern = /^(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?):\d{1,5}$/

type Written = readonly [cluster: string, connections: number, version: string | null, departedAt?: string, why?: string]

export interface LeaseContent {
  readonly name: string
  readonly identity: string
  readonly address: string
  readonly agents: ReadonlyMap<string, AgentReport>
  readonly now: Date
}

/** The Lease by which the others find a gateway. `left` counts the clusters that did not fit: connected ones go first. */
export function leaseOf({ name, identity, address, agents, now }: LeaseContent): { readonly lease: GatewayLease; readonly left: number } {
  const written: Written[] = [...agents]
    .toSorted(([, a], [, b]) => b.connections - a.connections)
    .map(([cluster, { connections, version = null, departure }]) =>
      departure === undefined
        ? [cluster, connections, version]
        : [cluster, connections, version, departure.at.toISOString(), departure.why.slice(0, longestWhy)],
    )
  const lines: string[] = []
  let bytes = 2
  for (const one of written) {
    const line = JSON.stringify(one)
    bytes += Buffer.byteLength(line) + 1
    if (bytes > annotationBytes) break
    lines.push(line)
  }
  const lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace: platformNamespace,
      labels: { 'app.kubernetes.io/managed-by': 'gantry', [gatewayLabel]: 'true' },
      annotations: { [addressAnnotation]: address, [agentsAnnotation]: `[${lines.join(',')}]` },
    },
    spec: { holderIdentity: identity, leaseDurationSeconds: leaseDurationMs / 1_000, renewTime: now.toISOString().replace('Z', '000Z') },
  }
  return { lease, left: written.length - lines.length }
}

/** What a Lease says of its gateway; undefined for one that is not as we write them. */
export function peerOf(lease: GatewayLease): PeerGateway | undefined {
  const { name = '', annotations } = lease.metadata
  const address = annotations?.[addressAnnotation]
  if (address === undefined || !addressPattern.test(address)) return undefined
  let written: unknown
  try {
    written = JSON.parse(annotations?.[agentsAnnotation] ?? '[]')
  } catch {
    return undefined
  }
  if (!Array.isArray(written)) return undefined
  const agents = new Map<string, AgentReport>()
  for (const one of written as readonly unknown[]) {
    if (!Array.isArray(one)) return undefined
    const [cluster, connections, version, at, why] = one as readonly unknown[]
    if (typeof cluster !== 'string' || typeof connections !== 'number') return undefined
    const when = new Date(typeof at === 'string' ? at : Number.NaN)
    agents.set(cluster, {
      connections,
      version: typeof version === 'string' ? version : undefined,
      departure: Number.isNaN(when.getTime()) ? undefined : { at: when, why: typeof why === 'string' ? why : '' },
    })
  }
  return { name, address, agents }
}
