import { Tunnel } from '@gantry/gateway/tunnel'
import type { Clock, Logger } from '@gantry/runtime'
import { hasAgent, rfc3339, type Cluster, type ClusterStatus } from '../../api/index.ts'

interface Agent {
  readonly uid: string
  readonly tunnel: Tunnel
  version: string | undefined
}

/** The connections of all agents, by cluster. */
export class AgentConnections {
  readonly #deps: { readonly clock: Clock; readonly log: Logger }
  readonly #agents = new Map<string, Agent>()
  readonly #listeners = new Set<(cluster: string) => void>()

  constructor(deps: { readonly clock: Clock; readonly log: Logger }) {
    this.#deps = deps
  }

  /** Called whenever a connection has come or gone. */
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

  /** Why there is no connection, for people. */
  absenceOf(cluster: Cluster): string {
    const departure = this.#agents.get(cluster.metadata.name ?? '')?.tunnel.departure
    if (departure !== undefined) return `its agent is not connected; it left at ${rfc3339(departure.at)}: ${departure.why}`
    const lastSeen = cluster.status?.agent?.lastSeen
    const help = 'see the log of the agent, or run "gantry agent doctor" where it runs'
    if (lastSeen !== undefined) return `its agent is not connected; it was last seen at ${lastSeen}, before this platform started: ${help}`
    return `its agent has not connected yet: apply the manifest in the cluster; ${help}`
  }

  /** For the status; undefined for a cluster without an agent. */
  stateOf(cluster: Cluster): ClusterStatus['agent'] {
    if (!hasAgent(cluster)) return undefined
    const agent = this.#agents.get(cluster.metadata.name ?? '')
    const before = cluster.status?.agent
    const connections = agent?.tunnel.size ?? 0
    const seen = connections > 0 ? this.#deps.clock.now() : agent?.tunnel.departure?.at
    const version = agent?.version ?? before?.version
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
