import { StatusError } from '@gantry/apimachinery'
import type { NodeBackend } from '@gantry/kube-api'
import type { Running, Service } from '@gantry/runtime'
import type { NodeAgentDeps, NodeAgentOptions } from './node-agent-options.ts'

/** How long a request waits for a node that is starting. */
const startsWithinMs = 10_000

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
  const started = Promise.withResolvers<NodeBackend>()
  started.promise.catch(() => {}) // whoever waits for the start is told
  let hasStopped = false

  /** What comes while the node is still starting waits for it: a restart of the platform is over before its node is back. */
  async function ready(): Promise<NodeBackend> {
    const late = Promise.withResolvers<never>()
    const cancel = deps.clock.schedule(() => late.reject(new StatusError('ServiceUnavailable', `node ${options.nodeName} is still starting`)), startsWithinMs)
    try {
      const backend = await Promise.race([started.promise, late.promise])
      if (hasStopped) throw new StatusError('ServiceUnavailable', `node ${options.nodeName} is not running`)
      return backend
    } finally {
      cancel()
    }
  }

  return {
    name: `node agent ${options.nodeName}`,
    async start({ signal }) {
      // gRPC and what stands on it are loaded by the first start: asking whether containers can run does not pay for them.
      const { startAgent } = await import('./start-agent.ts')
      const agent = await startAgent({ ...deps, log }, options, signal).catch((error: unknown) => {
        started.reject(new StatusError('ServiceUnavailable', `node ${options.nodeName} could not start`))
        throw error
      })
      started.resolve(agent.backend)
      return {
        criSocket: agent.criSocket,
        nodeIP: agent.nodeIP,
        done: agent.done,
        async [Symbol.asyncDispose]() {
          hasStopped = true
          await agent.dispose()
        },
      }
    },
    logs: async (target, logOptions) => (await ready()).logs(target, logOptions),
    exec: async (target, execOptions, streams) => (await ready()).exec(target, execOptions, streams),
    attach: async (target, attachOptions, streams) => (await ready()).attach(target, attachOptions, streams),
    dial: async (target, port, dialSignal) => (await ready()).dial(target, port, dialSignal),
  }
}
