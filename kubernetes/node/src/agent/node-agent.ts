import { StatusError } from '@gantry/apimachinery'
import type { NodeBackend } from '@gantry/kube-api'
import type { KubeClient } from '@gantry/client'
import type { Clock, Ids, Logger, Running, Service } from '@gantry/runtime'
import type { StreamDialer } from '../backend/stream-dialer.ts'
import type { RunCommand } from '../containerd/run-command.ts'
import type { ClusterDns } from '../pod/dns-config.ts'

export interface NodeAgentDeps {
  readonly client: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Speaks to the runtime's streaming server, for exec, attach and port-forward; left out, SPDY as upstream. */
  readonly dialer?: StreamDialer | undefined
  /** Runs programs of the machine: mount, ip, iptables, ctr. */
  readonly run?: RunCommand | undefined
}

export interface NodeAgentOptions {
  readonly nodeName: string
  /** Everything of the node stands below it: images, containers, volumes, logs. One agent at a time. */
  readonly dataDir: string
  /** IPv4 range of the pods: `10.42.0.0/24`. */
  readonly podCidr: string
  readonly criSocket?: string | undefined
  /** The address others reach this machine by; found by itself when it is left out. */
  readonly nodeIP?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly clusterDns?: ClusterDns | undefined
  readonly clusterDomain?: string | undefined
  /** Told as the version of the kubelet. */
  readonly kubernetesVersion?: string | undefined
  /** Left out, the agent brings its own and needs no registry for it. */
  readonly sandboxImage?: string | undefined
  /** Folder with one hosts.toml per registry, as containerd reads them. */
  readonly registryConfigDir?: string | undefined
  /** Stopping the agent ends its pods and takes everything off the machine but the data folder. Left out, pods run on and the next agent adopts them. */
  readonly removePodsOnStop?: boolean | undefined
}

export interface RunningNodeAgent extends Running {
  /** containerd's socket, for `ctr --address`. */
  readonly criSocket: string
  readonly nodeIP: string
}

export interface NodeAgent extends Service, NodeBackend {
  /** Resolves when the runtime runs and the node is registered. Rejects with one message that names what is missing. */
  start(options: { readonly signal: AbortSignal }): Promise<RunningNodeAgent>
}

/** The agent that runs a node's pods as real containers: the kubelet's part, over a containerd of its own. */
export function createNodeAgent(deps: NodeAgentDeps, options: NodeAgentOptions): NodeAgent {
  const log = deps.log.with({ node: options.nodeName })
  let backend: NodeBackend | undefined

  function ready(): NodeBackend {
    if (backend === undefined) throw new StatusError('ServiceUnavailable', `node ${options.nodeName} is not running`)
    return backend
  }

  return {
    name: `node agent ${options.nodeName}`,
    async start({ signal }) {
      // gRPC and what stands on it are loaded by the first start: asking whether containers can run does not pay for them.
      const { startAgent } = await import('./start-agent.ts')
      const agent = await startAgent({ ...deps, log }, options, signal)
      backend = agent.backend
      return {
        criSocket: agent.criSocket,
        nodeIP: agent.nodeIP,
        done: agent.done,
        async [Symbol.asyncDispose]() {
          backend = undefined
          await agent.dispose()
        },
      }
    },
    logs: async (target, logOptions) => ready().logs(target, logOptions),
    exec: async (target, execOptions, streams) => ready().exec(target, execOptions, streams),
    attach: async (target, attachOptions, streams) => ready().attach(target, attachOptions, streams),
    dial: async (target, port, dialSignal) => ready().dial(target, port, dialSignal),
  }
}
