import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, loadKubeconfig, openHttpTransport } from '@gantry/client'
import type { KubeClient, KubeObject } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import { createNodeAgent, detectContainerd } from '@gantry/kube-node'
import type { NodeAgent, RunningNodeAgent } from '@gantry/kube-node'
import { importTestImages } from '@gantry/kube-node/testing'
import { createLogger, readWholeBody, systemClock, systemIds } from '@gantry/runtime'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { createMemoryStore } from '@gantry/storage'
import type { Container, Pod, PodSpec } from '../src/pod/pod.ts'

/** A local cluster in this process with one real node, for tests that need what only a real runtime does. */
export interface TestNode extends AsyncDisposable {
  readonly client: KubeClient
  readonly agent: NodeAgent
  readonly dataDir: string
  readonly running: RunningNodeAgent
  /** Ends the agent and starts another one over the same data; what happens in between is `meanwhile`. */
  restart(meanwhile?: () => Promise<void>): Promise<void>
  run(name: string, spec: Partial<PodSpec> & { readonly containers: readonly Container[] }): Promise<Pod>
  pod(name: string): Promise<Pod>
  /** Looks at a pod until it is as wanted. */
  until(name: string, what: string, wanted: (pod: Pod) => boolean, withinMs?: number): Promise<Pod>
  gone(name: string, withinMs?: number): Promise<void>
  logs(name: string, options?: Partial<Parameters<NodeAgent['logs']>[1]> & { readonly container?: string }): Promise<string>
  events(name: string): Promise<readonly string[]>
}

export const nodeName = 'node-1'
const lookEveryMs = 50
const namespace = 'default'

interface EventObject extends KubeObject {
  involvedObject?: { name?: string; fieldPath?: string }
  reason?: string
  message?: string
  type?: string
}

/**
 * The embedded API in this process; or a real one, where GANTRY_NODE_TEST_KUBECONFIG names the kubeconfig of one that is empty: the same tests hold against both.
 */
async function openApi(deps: { readonly clock: Clock; readonly ids: Ids; readonly log: Logger }): Promise<AsyncDisposable & { readonly client: KubeClient }> {
  const kubeconfig = process.env['GANTRY_NODE_TEST_KUBECONFIG']
  if (kubeconfig === undefined) {
    const { startLocalCluster } = await import('@gantry/kube-cluster')
    return startLocalCluster({ ...deps, store: createMemoryStore() })
  }
  const { transport } = loadKubeconfig(readFileSync(kubeconfig, 'utf8'), { readFile: (path) => readFileSync(path) })
  const http = openHttpTransport(transport)
  return { client: createClient({ handle: http.handle }), [Symbol.asyncDispose]: () => http.close() }
}

export async function startTestNode(): Promise<TestNode> {
  const found = await detectContainerd()
  assert.ok(found.available, `these tests need containers: ${JSON.stringify(found)}`)
  const log: Logger = createLogger(
    { clock: systemClock, write: (line) => process.stderr.write(line) },
    { level: process.env['LOG'] === undefined ? 'error' : 'debug' },
  )
  const dataDir = await mkdtemp(join(tmpdir(), 'gantry-node-'))
  const deps = { clock: systemClock, ids: systemIds, log }
  const api = await openApi(deps)
  const { client } = api
  // Timers of the product do not hold the process; a test that waits for containers must.
  // oxlint-disable-next-line no-restricted-globals -- the one timer that must hold the process
  const hold = setInterval(() => {}, 1_000)
  let agent: NodeAgent
  let running: RunningNodeAgent

  async function start(removePodsOnStop: boolean): Promise<void> {
    agent = createNodeAgent({ ...deps, client }, { nodeName, dataDir, podCidr: '10.142.0.0/24', removePodsOnStop })
    running = await agent.start({ signal: new AbortController().signal })
  }

  await start(false)
  await importTestImages({ ctrAddress: running!.criSocket })

  async function pod(name: string): Promise<Pod> {
    return client.get<Pod>(resources.pods, { namespace, name })
  }

  async function until(name: string, what: string, wanted: (pod: Pod) => boolean, withinMs = 20_000): Promise<Pod> {
    const deadline = performance.now() + withinMs
    for (;;) {
      const now = await pod(name)
      if (wanted(now)) return now
      if (performance.now() > deadline) {
        assert.fail(`${name} is not ${what} after ${withinMs} ms: ${JSON.stringify(now.status, undefined, 1)}\n${(await events(name)).join('\n')}`)
      }
      await systemClock.sleep(lookEveryMs)
    }
  }

  async function events(name: string): Promise<readonly string[]> {
    const { items } = await client.list<EventObject>(resources.events, { namespace })
    return items.filter((event) => event.involvedObject?.name === name).map((event) => `${event.type} ${event.reason} ${event.message}`)
  }

  return {
    client,
    dataDir,
    get agent() {
      return agent
    },
    get running() {
      return running
    },
    async restart(meanwhile) {
      await running[Symbol.asyncDispose]()
      await meanwhile?.()
      await start(false)
    },
    run(name, spec) {
      const whole: PodSpec = { nodeName, terminationGracePeriodSeconds: 2, enableServiceLinks: false, ...spec, containers: [...spec.containers] }
      const object: Pod = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace },
        spec: Object.assign({ automountServiceAccountToken: false }, whole),
      }
      return client.create<Pod>(resources.pods, object)
    },
    pod,
    until,
    async gone(name, withinMs = 20_000) {
      const deadline = performance.now() + withinMs
      for (;;) {
        const found = await pod(name).then(
          () => true,
          () => false,
        )
        if (!found) return
        assert.ok(performance.now() < deadline, `${name} is still there after ${withinMs} ms`)
        await systemClock.sleep(lookEveryMs)
      }
    },
    async logs(name, options = {}) {
      const object = await pod(name)
      const { container = object.spec.containers[0]?.name ?? '', ...rest } = options
      const target = { namespace, pod: name, uid: object.metadata.uid ?? '', container }
      const body = await agent.logs(target, { follow: false, previous: false, timestamps: false, ...rest })
      return (await readWholeBody({ status: 200, headers: {}, body })).toString('utf8')
    },
    events,
    async [Symbol.asyncDispose]() {
      // The agent that cleans up is one that has adopted what the others left.
      await running[Symbol.asyncDispose]()
      await start(true)
      await running[Symbol.asyncDispose]()
      await api[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
      clearInterval(hold)
    },
  }
}

/** A container of the test image that runs a shell script. */
export function shell(name: string, script: string, more: Partial<Container> = {}): Container {
  return { name, image: 'busybox:1.36', command: ['sh', '-c', script], ...more }
}

/** Sleeps until it is told to end, and then ends at once. */
export const waitForTerm = 'trap "exit 0" TERM; while :; do sleep 1 & wait $!; done'
