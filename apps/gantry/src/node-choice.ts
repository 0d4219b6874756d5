import { hostname } from 'node:os'
import type { NodeRuntimeState } from '@gantry/clusters/server'
import type { LocalClusterOptions } from '@gantry/kube-cluster'
import { createNodeAgent, detectContainerd, type MissingPart, type StreamDialer } from '@gantry/kube-node'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { dialPortForward, dialRemoteCommand } from '@gantry/streams'
import type { PlatformConfig } from './config.ts'
import type { DataDir } from './data-dir.ts'
import { StartFailure } from './start-failure.ts'

/** What the local cluster's pods run on, decided before it starts. */
export interface NodeChoice {
  readonly localOptions: Pick<LocalClusterOptions, 'services'>
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
}

const spdyDialer: StreamDialer = { command: dialRemoteCommand, port: dialPortForward }
const podCidr = '10.42.0.0/24'
const simulatedSelector = 'gantry.dev/simulated=true'

/** Looks at the machine and decides. Throws StartFailure when containerd was asked for and cannot be had. */
export async function chooseNode(config: PlatformConfig, deps: NodeChoiceDeps): Promise<NodeChoice> {
  if (config.node === 'none') return without({ isReal: false, reason: 'NoNode', message: 'the platform was started with --node none' }, 'none')
  if (config.node === 'simulated')
    return without({ isReal: false, reason: 'Simulated', message: 'the platform was started with --node simulated' }, 'simulated')
  const found = await detectContainerd()
  if (!found.available) {
    if (config.node === 'containerd') throw new StartFailure(`real containers cannot run here: ${inOneLine(found.missing)}`)
    return without({ isReal: false, reason: 'Simulated', message: `pods are simulated, because ${inOneLine(found.missing)}` }, 'simulated')
  }
  return {
    simulatedSelector,
    description: 'containerd',
    runtime: () => ({ isReal: true, reason: 'Containerd', message: 'pods are real containers' }),
    localOptions: {
      services(cluster) {
        const { clock, ids, log } = deps
        const name = nodeName()
        const agent = createNodeAgent({ client: cluster.client, clock, ids, log, dialer: spdyDialer }, { nodeName: name, dataDir: deps.data.node, podCidr })
        cluster.addNode(name, agent)
        return [agent]
      },
    },
  }
}

function without(state: NodeRuntimeState, description: string): NodeChoice {
  return { simulatedSelector, description, runtime: () => state, localOptions: {} }
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
