import { StatusError } from '@gantry/apimachinery'
import type { NodeBackend } from '@gantry/kube-api'
import type { Running, Service } from '@gantry/runtime'
import type { NodeAgentDeps, NodeAgentOptions } from './node-agent-options.ts'

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
