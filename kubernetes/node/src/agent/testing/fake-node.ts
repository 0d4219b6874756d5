import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isReason } from '@gantry/apimachinery'
import type { KubeClient, KubeObject } from '@gantry/client'
import { resources } from '@gantry/kube-api'
import { startLocalCluster } from '@gantry/kube-cluster'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { createFakeCri } from '../../cri/testing/fake-cri.ts'
import type { FakeCri } from '../../cri/testing/fake-cri.ts'
import type { ContainerStatus, Pod, PodSpec } from '../../pod/pod.ts'
import type { ProbeIo } from '../../probes/probe-io.ts'
import { createImagePuller } from '../image-puller.ts'
import type { NodeContext } from '../node-context.ts'
import { createNodeEvents } from '../node-events.ts'
import { createPodApi } from '../pod-api.ts'
import { createPodManager } from '../pod-manager.ts'
import type { PodManager } from '../pod-manager.ts'
import { createRuntimeCache } from '../runtime-cache.ts'

/** A node whose API is real, whose runtime is made of memory and whose time stands still until it is moved. */
export interface FakeNode extends AsyncDisposable {
  readonly client: KubeClient
  readonly clock: FakeClock
  readonly cri: FakeCri
  readonly manager: PodManager
  readonly folder: string
  io: ProbeIo
  create(spec: Partial<PodSpec> & Pick<PodSpec, 'containers'>, name?: string): Promise<Pod>
  pod(name?: string): Promise<Pod | undefined>
  container(name?: string): Promise<ContainerStatus>
  /** Lets everything happen that can at this instant, until `wanted` holds. */
  until(what: string, wanted: () => boolean | Promise<boolean>): Promise<void>
  /** Moves time second by second until `wanted` holds. */
  pass(what: string, wanted: () => boolean | Promise<boolean>): Promise<void>
  events(): Promise<readonly string[]>
  /** Lets file work that is under way come to its end. */
  settle(): Promise<void>
}

const nodeName = 'n1'
const namespace = 'default'
/** File work takes time that no fake clock moves; a wait this long is a failed test. */
const maxWaitMs = 10_000
const maxSeconds = 300
/** A chain of file operations moves on by at least one with every one of ours: the pool takes them in turn. */
const settleRounds = 40

export async function startFakeNode(): Promise<FakeNode> {
  const clock = new FakeClock()
  const deps = { clock, ids: createFakeIds(), log: silentLogger }
  const cluster = await startLocalCluster({ ...deps, store: createMemoryStore() }, { controllers: false })
  const { client } = cluster
  const cri = createFakeCri({ clock })
  const folder = await mkdtemp(join(tmpdir(), 'gantry-fake-node-'))
  const folders = { pods: join(folder, 'pods'), podLogs: join(folder, 'logs'), containerLogs: join(folder, 'links') }
  for (const path of Object.values(folders)) await mkdir(path)
  const events = createNodeEvents({ ...deps, client }, nodeName)
  const refusing: ProbeIo = {
    http: () => Promise.resolve({ kind: 'failure', message: 'refused' }),
    tcp: () => Promise.resolve({ kind: 'failure', message: 'refused' }),
    grpc: () => Promise.resolve({ kind: 'failure', message: 'refused' }),
  }
  let io = refusing
  const context: NodeContext = {
    ...deps,
    client,
    cri,
    events,
    folders,
    nodeName,
    cache: createRuntimeCache({ cri, monotonicMs: () => clock.monotonicMs() }),
    images: createImagePuller({ ...deps, cri }),
    api: createPodApi({ ...deps, client }),
    io: { http: (check) => io.http(check), tcp: (check) => io.tcp(check), grpc: (check) => io.grpc(check) },
    run: () => Promise.reject(new Error('a fake node runs no programs')),
    hostIPs: ['192.0.2.1'],
    capacity: { cpuMilli: 2_000, memoryBytes: 2 ** 30, ephemeralStorageBytes: 2 ** 30 },
    sandboxImage: 'pause',
    cgroupRoot: undefined,
    clusterDns: undefined,
    clusterDomain: 'cluster.local',
  }
  const manager = createPodManager(context, { onRuntimeChange: () => Promise.resolve() })
  const stop = new AbortController()
  const running = manager.run(stop.signal)

  async function settle(): Promise<void> {
    for (let round = 0; round < settleRounds; round++) await stat(folder)
  }

  async function pod(name = 'web'): Promise<Pod | undefined> {
    try {
      return await client.get<Pod>(resources.pods, { namespace, name })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  return {
    client,
    clock,
    cri,
    manager,
    folder,
    get io() {
      return io
    },
    set io(next) {
      io = next
    },
    create(spec, name = 'web') {
      const object: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec: { nodeName, ...spec } }
      Object.assign(object.spec, { automountServiceAccountToken: false })
      return client.create<Pod>(resources.pods, object)
    },
    pod,
    async container(name = 'c') {
      const found = await pod()
      const all = [...(found?.status?.containerStatuses ?? []), ...(found?.status?.initContainerStatuses ?? [])]
      return all.find((status) => status.name === name) ?? { name, ready: false, restartCount: 0, image: '', imageID: '' }
    },
    async until(what, wanted) {
      const deadline = performance.now() + maxWaitMs
      while (performance.now() < deadline) {
        if (await wanted()) return
        await new Promise((resolve) => setImmediate(resolve))
      }
      assert.fail(`it does not come to this: ${what}. Calls: ${cri.calls.join(', ')}. ${JSON.stringify((await pod())?.status)}`)
    },
    settle,
    async pass(what, wanted) {
      for (let second = 0; second < maxSeconds; second++) {
        if (await wanted()) return
        await clock.advance(1_000)
        await settle()
      }
      assert.fail(`it does not come to this: ${what}. Calls: ${cri.calls.join(', ')}. ${JSON.stringify((await pod())?.status)}`)
    },
    async events() {
      await events.recorder.flush()
      const { items } = await client.list<KubeObject & { type?: string; reason?: string; message?: string; count?: number }>(resources.events, { namespace })
      return items.map((event) => `${event.type} ${event.reason} ${event.message}`)
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('the test has ended'))
      await manager.stop()
      await running
      await cluster[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
