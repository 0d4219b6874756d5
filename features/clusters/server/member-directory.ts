import { createClient, type HttpTransport, type HttpTransportOptions, type KubeClient } from '@gantry/client'
import { createMemberConnection, ObjectMirror, statusResponse, writeUpgradeAnswer, type ClusterTarget } from '@gantry/gateway'
import type { Clock, Handler, Ids, Logger, Running } from '@gantry/runtime'
import { createTunnelTransport } from '@gantry/gateway/tunnel'
import { clusterKind, hasAgent, impersonates, isHub, localClusterName, platformNamespace, type Cluster } from '../api/index.ts'
import { AgentConnections } from './agent/agent-connections.ts'
import { enrolmentKeys } from './agent/enrolment.ts'
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
}

/** How one probe reaches a member: connections of its own, so that it never waits behind users. */
export interface ProbeConnection {
  readonly member: KubeClient
  readonly access: MemberAccess
  /** When the API server's certificate ends, once a connection has shown it. */
  readonly serverCertificate: () => Date | undefined
}

interface Member {
  readonly serverCertificate: () => Date | undefined
  readonly key: string
  readonly access: MemberAccess
  readonly users: HttpTransport
  readonly probes: HttpTransport
  readonly target: ClusterTarget
  /** Never says who asks. */
  readonly own: Handler
}

// Connections, or streams of an agent's; a probe has five seconds for everything (cluster-prober).
const userLanes = { connections: 32, streams: 1_024, maxQueued: 256, headersTimeoutMs: 30_000 }
const probeLanes = { connections: 4, streams: 1, maxQueued: 64, headersTimeoutMs: 5_000 }
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
  readonly #secrets: ObjectMirror<Secret>
  readonly #deps: MemberDirectoryDeps
  readonly #members = new Map<string, Member>()
  /** By uid of the Cluster. */
  readonly #capacityReadMs = new Map<string, number>()

  constructor(deps: MemberDirectoryDeps) {
    this.#deps = deps
    this.agents = new AgentConnections(deps)
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
    const running = await Promise.all([this.clusters.start(options), this.#secrets.start(options)])
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
    const open = (lanes: typeof userLanes): HttpTransport =>
      access.transport === undefined ? this.#openTunnel(name, cluster, lanes) : this.#deps.openTransport({ ...access.transport, ...lanes, onServerCertificate })
    const users = open(userLanes)
    const probes = open(probeLanes)
    const asCallers = impersonates(cluster)
    const connection = createMemberConnection({ clock: this.#deps.clock, transport: users }, { name, impersonates: asCallers })
    const target: ClusterTarget = { kind: 'member', impersonates: asCallers, ...connection }
    const own = asCallers ? createMemberConnection({ clock: this.#deps.clock, transport: users }, { name }).handle : connection.handle
    const member: Member = { key: this.#keyOf(cluster), access, users, probes, target, own, serverCertificate: () => serverCertificate }
    this.#members.set(name, member)
    return member
  }

  #openTunnel(name: string, cluster: Cluster, lanes: typeof userLanes): HttpTransport {
    const { agents, clusters } = this
    return createTunnelTransport(
      { clock: this.#deps.clock, tunnel: agents.tunnelOf(cluster) },
      { ...lanes, subject: `cluster "${name}"`, absence: () => agents.absenceOf(clusters.get(name) ?? cluster) },
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
