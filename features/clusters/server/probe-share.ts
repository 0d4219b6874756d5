import type { Clock } from '@gantry/runtime'
import { hasAgent, type Cluster, type ClusterStatus } from '../api/index.ts'

export interface ProbeShareDeps {
  readonly clock: Clock
  /** Whether this process does what only one of several may do, and whether there can be others at all. */
  readonly leadership: { readonly isLeading: boolean; readonly isAlone: boolean }
  readonly agents: { stateOf(cluster: Cluster): ClusterStatus['agent'] }
}

// Twice as long as a status without news stays unconfirmed: whoever has said that the agent is connected has gone.
const forgottenAfterMs = 10 * 60_000

/** Which of several platform processes on a hub looks at a cluster: the one that its agent has dialled, and at all others the one that leads. */
export class ProbeShare {
  readonly #deps: ProbeShareDeps
  /** Names of clusters whose agents are, or were at the last look, connected here. */
  readonly #held = new Set<string>()

  constructor(deps: ProbeShareDeps) {
    this.#deps = deps
  }

  /** To be asked before each look. */
  isOurs(cluster: Cluster): boolean {
    const { clock, leadership, agents } = this.#deps
    if (!hasAgent(cluster)) return leadership.isLeading
    const { name = '' } = cluster.metadata
    if ((agents.stateOf(cluster)?.connections ?? 0) > 0) {
      this.#held.add(name)
      return true
    }
    // That an agent has left is said by the one that it was connected to.
    if (this.#held.delete(name)) return true
    if (!leadership.isLeading || leadership.isAlone) return leadership.isLeading
    const confirmedMs = Date.parse(cluster.status?.lastProbeTime ?? '') || 0
    const isElsewhere = (cluster.status?.agent?.connections ?? 0) > 0 && clock.now().getTime() - confirmedMs < forgottenAfterMs
    return !isElsewhere
  }
}
