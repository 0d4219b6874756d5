import { hostname } from 'node:os'
import type { NodeRuntimeState } from '@gantry/clusters/server'
import type { LocalClusterOptions } from '@gantry/kube-cluster'
import type { MissingPart, StreamDialer } from '@gantry/kube-node'
import { startingAfter } from '@gantry/runtime'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { nodeKindLabel } from '@gantry/kube-node/simulated'
import { dialPortForward, dialRemoteCommand } from '@gantry/streams'
import type { PlatformConfig } from './config.ts'
import type { DataDir } from './data-dir.ts'
import { StartFailure } from './start-failure.ts'

/** What the local cluster's pods run on, decided before it starts. */
export interface NodeChoice {
  readonly localOptions: Pick<LocalClusterOptions, 'services' | 'simulatedNodes'>
  /** For the condition NodeRuntime of the local cluster. */
  readonly runtime: () => NodeRuntimeState
  /** One line for people. */
  readonly description: string
  readonly simulatedSelector: string
}

export interface NodeChoiceDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly data: DataDir
  /** Resolves once the platform answers. */
  readonly served: Promise<void>
}

const spdyDialer: StreamDialer = { command: dialRemoteCommand, port: dialPortForward }
const podCidr = '10.42.0.0/24'
const simulatedSelector = `${nodeKindLabel}=simulated`

/** Looks at the machine and decides. Throws StartFailure when containerd was asked for and cannot be had. */
export async function chooseNode(config: PlatformConfig, deps: NodeChoiceDeps): Promise<NodeChoice> {
  const { simulatedNodes: more } = config
  if (config.node === 'none') return simulated(more, { reason: 'NoNode', message: 'the platform was started with --node none' })
  if (config.node === 'simulated') {
    return simulated(Math.max(1, more), { reason: 'Simulated', message: 'pods are simulated, because the platform was started with --node simulated' })
  }
  // gRPC and the node agent take a fifth of the start: only a node with real containers pays for them.
  const { createNodeAgent, detectContainerd } = await import('@gantry/kube-node')
  const found = await detectContainerd()
  if (!found.available) {
    if (config.node === 'containerd') throw new StartFailure(`real containers cannot run here: ${inOneLine(found.missing)}`)
    return simulated(Math.max(1, more), { reason: 'Simulated', message: `pods are simulated, because ${inOneLine(found.missing)}` })
  }
  return {
    simulatedSelector,
    description: more === 0 ? 'containerd' : `containerd, and ${more} simulated`,
    runtime: () => ({ isReal: true, reason: 'Containerd', message: 'pods are real containers' }),
    localOptions: {
      simulatedNodes: simulatedNames(more),
      services(cluster) {
        const { clock, ids, log } = deps
        const name = nodeName()
        const agent = createNodeAgent({ client: cluster.client, clock, ids, log, dialer: spdyDialer }, { nodeName: name, dataDir: deps.data.node, podCidr })
        cluster.addNode(name, agent)
        return [startingAfter(deps.served, agent)]
      },
    },
  }
}

function simulated(count: number, why: { readonly reason: string; readonly message: string }): NodeChoice {
  return {
    simulatedSelector,
    description: count === 0 ? 'none' : count === 1 ? 'simulated' : `${count} simulated`,
    runtime: () => ({ isReal: false, ...why }),
    localOptions: { simulatedNodes: simulatedNames(count) },
  }
}

function simulatedNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, at) => `simulated-${at + 1}`)
}

function inOneLine(missing: readonly MissingPart[]): string {
  return missing.map(({ why, install }) => `${why} (${install})`).join('; ')
}

/** The machine's name as a node's: lower case, and nothing a DNS name cannot hold. */
function nodeName(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .replaceAll(/^[.-]+|[.-]+$/g, '')
  return name === '' ? 'local' : name.slice(0, 63)
}
