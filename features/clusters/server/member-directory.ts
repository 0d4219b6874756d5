import { createClient, type HttpTransport, type HttpTransportOptions, type KubeClient } from '@gantry/client'
import { createMemberConnection, ObjectMirror, statusResponse, writeUpgradeAnswer, type ClusterTarget } from '@gantry/gateway'
import type { Clock, Handler, Ids, Logger, Running } from '@gantry/runtime'
import { createTunnelTransport } from '@gantry/gateway/tunnel'
import { clusterKind, hasAgent, impersonates, isHub, localClusterName, platformNamespace, type Cluster } from '../api/index.ts'
import { AgentConnections } from './agent/agent-connections.ts'
import { enrolmentKeys } from './agent/enrolment.ts'
import { Gateways, type PeeringOptions } from './gateways/gateways.ts'
import { hereOrThroughPeers, type MemberLane } from './gateways/peer-route.ts'
import { hubResources, type Secret } from './hub-resources.ts'
import { accessOf, type MemberAccess } from './member-credentials.ts'

export interface MemberDirectoryDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** The hub's own API. */
  readonly local: ClusterTarget | undefined
  /** Opens a connection to a member's API. */
  readonly openTransport: (options: HttpTransportOptions) => HttpTransport
  /** How this process and others on the same hub reach each other; undefined where there can be none. */
  readonly peering?: PeeringOptions | undefined
}

/** How one probe reaches a member: connections of its own, so that it never waits behind users. */
export interface ProbeConnection {
  readonly member: KubeClient
  readonly access: MemberAccess
  /** When the API server's certificate ends, once a connection has shown it. */
  readonly serverCertificate: () => Date | undefined
}

type Lanes = Readonly<Record<MemberLane['name'], HttpTransport>>

interface Member {
  readonly serverCertificate: () => Date | undefined
  readonly key: string
  readonly access: MemberAccess
  readonly users: HttpTransport
  readonly probes: HttpTransport
  /** Over the agent's connections to this process alone; only of a cluster with an agent. */
  readonly here: Lanes | undefined
  readonly target: ClusterTarget
  /** Never says who asks. */
  readonly own: Handler
}

// Connections, or streams of an agent's; a probe has five seconds for everything (cluster-prober).
const userLanes: MemberLane = { name: 'users', connections: 32, streams: 1_024, maxQueued: 256, headersTimeoutMs: 30_000 }
const probeLanes: MemberLane = { name: 'probes', connections: 4, streams: 1, maxQueued: 64, headersTimeoutMs: 5_000 }
const capacityEveryMs = 5 * 60_000
// A stranger's answer is held in memory by a probe: nothing it asks for is near this long.
const probeAnswerBytes = 16 << 20

/**
 * Every cluster the hub knows, and a connection to each that is asked for: opened on first use, replaced when the Cluster's address or the Secret's content
 * changes, closed when the Cluster goes.
 */
export class MemberDirectory {
  readonly clusters: ObjectMirror<Cluster>
  readonly agents: AgentConnections
  readonly #gateways: Gateways | undefined
  readonly #secrets: ObjectMirror<Secret>
  readonly #deps: MemberDirectoryDeps
  readonly #members = new Map<string, Member>()
  /** By uid of the Cluster. */
  readonly #capacityReadMs = new Map<string, number>()

  constructor(deps: MemberDirectoryDeps) {
    this.#deps = deps
    this.#gateways = deps.peering && new Gateways({ ...deps, reports: () => this.agents.reports() }, deps.peering)
    this.agents = new AgentConnections({ clock: deps.clock, log: deps.log, elsewhere: (name) => this.#gateways?.reportsOf(name) ?? [] })
    this.agents.onChange(() => this.#gateways?.announce())
    const mirrored = { client: deps.hub, clock: deps.clock, ids: deps.ids, log: deps.log }
    this.clusters = new ObjectMirror(mirrored, { resource: clusterKind.ref })
    this.#secrets = new ObjectMirror(mirrored, { resource: hubResources.secrets, namespace: platformNamespace })
    this.clusters.onChange(({ name, before, after }) => {
      if (after === undefined) this.#capacityReadMs.delete(before?.metadata.uid ?? '')
      if (after === undefined || this.#members.get(name)?.key !== this.#keyOf(after)) this.#drop(name)
      if (after === undefined) this.agents.drop(name, 'the cluster was removed from the platform')
    })
    this.#secrets.onChange(({ name, before, after }) => {
      if (JSON.stringify(before?.data) === JSON.stringify(after?.data)) return
      for (const cluster of this.clusters.values()) {
        if (cluster.spec.connection?.credentialsSecret.name !== name) continue
        const clusterName = cluster.metadata.name ?? ''
        if (!hasAgent(cluster)) this.#drop(clusterName)
        // Another credential of the same agent ends nothing; without an enrolment, or with another one, what the old one has opened ends now.
        else if (before !== undefined && before.data?.[enrolmentKeys.id] !== after?.data?.[enrolmentKeys.id]) {
          this.#drop(clusterName)
          this.agents.drop(clusterName, 'its enrolment has ended: there is another manifest, or its Secret is gone')
        }
      }
    })
  }

  async start(options: { readonly signal: AbortSignal }): Promise<Running> {
    const parts = [this.clusters, this.#secrets, ...(this.#gateways === undefined ? [] : [this.#gateways])]
    const running = await Promise.all(parts.map((part) => part.start(options)))
    return {
      done: Promise.all(running.map(({ done }) => done)).then(() => {}),
      [Symbol.asyncDispose]: async () => {
        await Promise.all(running.map((one) => one[Symbol.asyncDispose]()))
        for (const name of this.#members.keys()) this.#drop(name)
        this.agents.close()
      },
    }
  }

  /** For the gateway: undefined when the hub knows no such cluster; one that cannot be connected to answers why. */
  get(name: string): ClusterTarget | undefined {
    if (name === localClusterName && this.#deps.local !== undefined) return this.#deps.local
    const cluster = this.clusters.get(name)
    if (cluster === undefined || isHub(cluster)) return undefined
    const member = this.#member(name, cluster)
    return member instanceof Error ? unavailable(name, member) : member.target
  }

  /** For what the platform does there of its own, by its own rights. Undefined when the hub knows no such cluster, or it is the hub itself. */
  own(name: string): Handler | undefined {
    const cluster = this.clusters.get(name)
    if (cluster === undefined || isHub(cluster)) return undefined
    const member = this.#member(name, cluster)
    return member instanceof Error ? unavailable(name, member).handle : member.own
  }

  /** For other gateways: a cluster through its agent's connections to this process. Undefined when the hub has no such cluster with an agent. */
  here({ name, uid }: { readonly name: string; readonly uid: string }, lane: MemberLane['name']): HttpTransport | undefined {
    const cluster = this.clusters.get(name)
    if (cluster === undefined || cluster.metadata.uid !== uid || !hasAgent(cluster)) return undefined
    const member = this.#member(name, cluster)
    return member instanceof Error ? undefined : member.here?.[lane]
  }

  /** Called whenever an agent's connection to this process or to another gateway has come or gone. A listener must not throw. */
  onAgentChange(listener: (cluster: string) => void): () => void {
    const deaf = [this.agents.onChange(listener), this.#gateways?.onChange(listener)]
    return () => deaf.forEach((end) => end?.())
  }

  /** Whether the cluster judges callers by its own rules as well. */
  impersonates(name: string): boolean {
    const cluster = this.clusters.get(name)
    return cluster !== undefined && impersonates(cluster)
  }

  /** For the prober, and for what the platform does by itself. Throws a StatusError when Cluster and Secret do not make a connection. */
  probe(name: string): ProbeConnection | undefined {
    const cluster = this.clusters.get(name)
    if (cluster === undefined) return undefined
    const member = this.#member(name, cluster)
    if (member instanceof Error) throw member
    return {
      member: createClient({ handle: member.probes.handle }, { userAgent: 'gantry-probe', maxBodyBytes: probeAnswerBytes }),
      access: member.access,
      serverCertificate: member.serverCertificate,
    }
  }

  /** Takes over what an import has just written: the cluster answers before the watch brings it. */
  accept(cluster: Cluster, secret: Secret): void {
    this.#secrets.accept(secret)
    this.clusters.accept(cluster)
  }

  /** Cluster and Secret of a cluster with an agent. */
  findAgent(name: string): { readonly cluster: Cluster; readonly secret: Secret } | undefined {
    const cluster = this.clusters.get(name)
    const secret = cluster === undefined || !hasAgent(cluster) ? undefined : this.secretOf(cluster)
    return cluster === undefined || secret === undefined ? undefined : { cluster, secret }
  }

  secretOf(cluster: Cluster): Secret | undefined {
    return this.#secrets.get(cluster.spec.connection?.credentialsSecret.name ?? '')
  }

  /** Whether what its nodes have is to be read again: with the first look, and then every five minutes. */
  isCapacityDue(cluster: Cluster): boolean {
    const { uid = '' } = cluster.metadata
    const nowMs = this.#deps.clock.monotonicMs()
    const readMs = this.#capacityReadMs.get(uid)
    if (cluster.status?.capacity !== undefined && readMs !== undefined && nowMs - readMs < capacityEveryMs) return false
    this.#capacityReadMs.set(uid, nowMs)
    return true
  }

  acceptSecret(secret: Secret): void {
    this.#secrets.accept(secret)
  }

  #member(name: string, cluster: Cluster): Member | Error {
    const known = this.#members.get(name)
    if (known !== undefined) return known
    let access: MemberAccess
    try {
      access = accessOf(cluster, this.#secrets.get(cluster.spec.connection?.credentialsSecret.name ?? ''))
    } catch (error) {
      if (error instanceof Error) return error
      throw error
    }
    let serverCertificate: Date | undefined
    const onServerCertificate = (notAfter: Date): void => void (serverCertificate = notAfter)
    const { here, users, probes } = this.#openLanes(cluster, access, onServerCertificate)
    const asCallers = impersonates(cluster)
    const connection = createMemberConnection({ clock: this.#deps.clock, transport: users }, { name, impersonates: asCallers })
    const target: ClusterTarget = { kind: 'member', impersonates: asCallers, ...connection }
    const own = asCallers ? createMemberConnection({ clock: this.#deps.clock, transport: users }, { name }).handle : connection.handle
    const member: Member = { key: this.#keyOf(cluster), access, users, probes, here, target, own, serverCertificate: () => serverCertificate }
    this.#members.set(name, member)
    return member
  }

  #openLanes(cluster: Cluster, { transport }: MemberAccess, onServerCertificate: (notAfter: Date) => void): Lanes & Pick<Member, 'here'> {
    const { openTransport } = this.#deps
    const lanesOf = (open: (lane: MemberLane) => HttpTransport): Lanes => ({ users: open(userLanes), probes: open(probeLanes) })
    if (transport !== undefined) return { here: undefined, ...lanesOf((lane) => openTransport({ ...transport, ...lane, onServerCertificate })) }
    const here = lanesOf((lane) => this.#openTunnel(cluster, lane))
    return { here, ...lanesOf((lane) => this.#withPeers(here[lane.name], cluster, lane)) }
  }

  #withPeers(here: HttpTransport, cluster: Cluster, lane: MemberLane): HttpTransport {
    const { name = '', uid = '' } = cluster.metadata
    const route = this.#gateways?.routeTo({ name, uid }, lane)
    const tunnel = this.agents.tunnelOf(cluster)
    return route === undefined ? here : hereOrThroughPeers(here, () => tunnel.pick() !== undefined, route)
  }

  #openTunnel(cluster: Cluster, lane: MemberLane): HttpTransport {
    const { name = '' } = cluster.metadata
    const { agents, clusters } = this
    return createTunnelTransport(
      { clock: this.#deps.clock, tunnel: agents.tunnelOf(cluster) },
      { ...lane, subject: `cluster "${name}"`, absence: () => agents.absenceOf(clusters.get(name) ?? cluster) },
    )
  }

  #keyOf(cluster: Cluster): string {
    return JSON.stringify([cluster.metadata.uid, cluster.spec.connection])
  }

  #drop(name: string): void {
    const member = this.#members.get(name)
    if (member === undefined) return
    this.#members.delete(name)
    for (const transport of [member.users, member.probes]) {
      transport.close().catch((error: unknown) => this.#deps.log.warn('a connection to a member did not close', { cluster: name, error }))
    }
  }
}

function unavailable(name: string, error: Error): ClusterTarget {
  const response = statusResponse('ServiceUnavailable', `cluster "${name}" is unavailable: ${error.message}`)
  return { kind: 'member', handle: () => Promise.resolve(response), upgrade: (_request, socket) => writeUpgradeAnswer(socket, response) }
}
