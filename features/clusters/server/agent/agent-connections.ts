import { Tunnel } from '@gantry/gateway/tunnel'
import type { Clock, Logger } from '@gantry/runtime'
import { hasAgent, rfc3339, type Cluster, type ClusterStatus } from '../../api/index.ts'
import type { AgentReport } from '../gateways/gateway-lease.ts'

interface Agent {
  readonly uid: string
  readonly tunnel: Tunnel
  version: string | undefined
}

export interface AgentConnectionsDeps {
  readonly clock: Clock
  readonly log: Logger
  /** What other gateways on the hub know of a cluster's agent. */
  readonly elsewhere?: ((cluster: string) => readonly AgentReport[]) | undefined
}

/** The connections that agents have made to this process, by cluster, and what is known of those to others. */
export class AgentConnections {
  readonly #deps: AgentConnectionsDeps
  readonly #agents = new Map<string, Agent>()
  readonly #listeners = new Set<(cluster: string) => void>()

  constructor(deps: AgentConnectionsDeps) {
    this.#deps = deps
  }

  /** Called whenever a connection to this process has come or gone. */
  onChange(listener: (cluster: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tunnelOf(cluster: Cluster): Tunnel {
    return this.#agentOf(cluster).tunnel
  }

  /** What the agent says of itself when it connects. */
  introduce(cluster: Cluster, about: { readonly version: string | undefined }): void {
    this.#agentOf(cluster).version = about.version
  }

  /** What this process knows itself. */
  reports(): ReadonlyMap<string, AgentReport> {
    return new Map([...this.#agents].map(([name, { tunnel, version }]) => [name, { connections: tunnel.size, version, departure: tunnel.departure }]))
  }

  /** Why there is no connection, for people. */
  absenceOf(cluster: Cluster): string {
    const departure = latest(this.#reportsOf(cluster))
    if (departure !== undefined) return `its agent is not connected; it left at ${rfc3339(departure.at)}: ${departure.why}`
    const lastSeen = cluster.status?.agent?.lastSeen
    const help = 'see the log of the agent, or run "gantry agent doctor" where it runs'
    if (lastSeen !== undefined) return `its agent is not connected; it was last seen at ${lastSeen}: ${help}`
    return `its agent has not connected yet: apply the manifest in the cluster; ${help}`
  }

  /** For the status; undefined for a cluster without an agent. */
  stateOf(cluster: Cluster): ClusterStatus['agent'] {
    if (!hasAgent(cluster)) return undefined
    const reports = this.#reportsOf(cluster)
    const before = cluster.status?.agent
    const connections = reports.reduce((sum, report) => sum + report.connections, 0)
    const seen = connections > 0 ? this.#deps.clock.now() : latest(reports)?.at
    const version = reports.find((report) => report.version !== undefined)?.version ?? before?.version
    const lastSeen = seen === undefined ? before?.lastSeen : rfc3339(seen)
    return { connections, ...(version === undefined ? {} : { version }), ...(lastSeen === undefined ? {} : { lastSeen }) }
  }

  /** Ends the connections of a cluster; its agent is told why. */
  drop(name: string, why: string): void {
    const agent = this.#agents.get(name)
    if (agent === undefined) return
    this.#agents.delete(name)
    agent.tunnel.close(why)
  }

  close(): void {
    for (const name of this.#agents.keys()) this.drop(name, 'the platform is stopping')
  }

  /** Of those that know anything, the ones that it is connected to first. */
  #reportsOf(cluster: Cluster): readonly AgentReport[] {
    const { name = '', uid = '' } = cluster.metadata
    const agent = this.#agents.get(name)
    const own = agent === undefined || agent.uid !== uid ? [] : [{ connections: agent.tunnel.size, version: agent.version, departure: agent.tunnel.departure }]
    return [...own, ...(this.#deps.elsewhere?.(name) ?? [])].toSorted((a, b) => b.connections - a.connections)
  }

  #agentOf(cluster: Cluster): Agent {
    const { name = '', uid = '' } = cluster.metadata
    const known = this.#agents.get(name)
    if (known?.uid === uid) return known
    if (known !== undefined) this.drop(name, 'another cluster has taken the name')
    const onChange = (): void => {
      for (const listener of this.#listeners) listener(name)
    }
    const agent: Agent = { uid, version: undefined, tunnel: new Tunnel(this.#deps, { subject: `cluster "${name}"`, onChange }) }
    this.#agents.set(name, agent)
    return agent
  }
}

function latest(reports: readonly AgentReport[]): AgentReport['departure'] {
  return reports.reduce<AgentReport['departure']>(
    (last, { departure }) => (departure !== undefined && !(last !== undefined && last.at >= departure.at) ? departure : last),
    undefined,
  )
}
