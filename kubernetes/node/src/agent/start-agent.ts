import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeBackend } from '@gantry/kube-api'
import { aborted } from '@gantry/runtime'
import { spdyDialer } from '../backend/stream-dialer.ts'
import { createNodeBackend } from '../backend/node-backend.ts'
import { cleanMachine } from '../containerd/clean-machine.ts'
import { cgroupRootOf } from '../containerd/containerd-config.ts'
import { startContainerd } from '../containerd/containerd.ts'
import type { RunningContainerd } from '../containerd/containerd.ts'
import { detectContainerd } from '../containerd/detect-containerd.ts'
import { runCommand } from '../containerd/run-command.ts'
import type { RunCommand } from '../containerd/run-command.ts'
import { pauseImageReference } from '../images/pause-image.ts'
import { machineProbeIo } from '../probes/probe-io.ts'
import { createNodeEvents } from './node-events.ts'
import { createImagePuller } from './image-puller.ts'
import { findNodeIP, readMachineInfo, readPressure } from './machine-info.ts'
import type { NodeContext } from './node-context.ts'
import type { NodeObservation } from './node-object.ts'
import { createNodeRegistration } from './node-registration.ts'
import { createPodApi } from './pod-api.ts'
import { createPodManager } from './pod-manager.ts'
import type { PodManager } from './pod-manager.ts'
import { createRuntimeCache } from './runtime-cache.ts'
import { runHousekeeping } from './housekeeping.ts'
import type { NodeAgentDeps, NodeAgentOptions } from './node-agent-options.ts'

/** The kubelet's release this agent follows. */
const defaultKubernetesVersion = 'v1.36.3'
const defaultClusterDomain = 'cluster.local'
/** Longer without an answer, and the runtime counts as down. Upstream: PLEG relistThreshold is 3 min; a runtime of our own is expected back in seconds. */
const runtimeSilenceMs = 30_000
const stopRunningPodsMs = 8_000

export interface StartedAgent {
  readonly backend: NodeBackend
  readonly criSocket: string
  readonly nodeIP: string
  readonly done: Promise<void>
  dispose(): Promise<void>
}

/** Starts the runtime, registers the node, learns which pods are its own and begins to work. Rejects with one message that names what is missing, and leaves nothing running then. */
export async function startAgent(deps: NodeAgentDeps, options: NodeAgentOptions, signal: AbortSignal): Promise<StartedAgent> {
  const { clock, log } = deps
  const run = deps.run ?? runCommand
  const found = await detectContainerd()
  if (!found.available) throw new Error(`containers cannot run here: ${found.missing.map(({ why, install }) => `${why} (${install})`).join('; ')}`)
  const nodeIP = options.nodeIP ?? (await findNodeIP())
  if (nodeIP === undefined) throw new Error('this machine has no address but loopback: configure nodeIP')

  const containerd = await startContainerd(
    { clock, log, run },
    {
      found,
      dataDir: options.dataDir,
      podCidr: options.podCidr,
      criSocket: options.criSocket,
      sandboxImage: options.sandboxImage,
      registryConfigDir: options.registryConfigDir,
    },
  )
  const stop = new AbortController()
  const onAbort = (): void => stop.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const loops: Promise<void>[] = []
  let manager: PodManager | undefined

  async function dispose(): Promise<void> {
    signal.removeEventListener('abort', onAbort)
    stop.abort(new Error('the node agent is stopping'))
    await Promise.allSettled(loops)
    await manager?.stop()
    if (options.removePodsOnStop) await removeEverything({ ...deps, run }, containerd, options.dataDir)
    else await containerd[Symbol.asyncDispose]()
  }

  try {
    const context = await openContext({ ...deps, run }, { ...options, nodeIP }, containerd)
    const machine = await readMachineInfo()
    const { runtimeName, runtimeVersion } = await containerd.cri.version()
    const registration = createNodeRegistration(
      { client: deps.client, clock, log, events: context.events, observe: () => observe(context, options.dataDir, `${runtimeName}://${runtimeVersion}`) },
      {
        nodeName: options.nodeName,
        podCidr: containerd.podCidr,
        nodeIP,
        machine,
        kubernetesVersion: options.kubernetesVersion ?? defaultKubernetesVersion,
        labels: options.labels ?? {},
      },
    )
    const pods = createPodManager(context, { onRuntimeChange: () => registration.check() })
    manager = pods
    await context.cache.relist(stop.signal)
    await registration.register(stop.signal)
    const recording = await context.events.recorder.start({ signal: stop.signal })
    loops.push(recording.done, pods.run(stop.signal), registration.run(stop.signal), runHousekeeping(context, pods, stop.signal))
    // Whoever asks for a pod's log or a command in it before that would hear that the pod is not here.
    await Promise.race([pods.listed, aborted(stop.signal)])
    const backend = createNodeBackend({ clock, log, cri: containerd.cri, dialer: deps.dialer ?? spdyDialer, podOf: (uid) => pods.find(uid) })
    return { backend, criSocket: containerd.paths.socket, nodeIP, done: containerd.done, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function openContext(
  deps: NodeAgentDeps & { readonly run: RunCommand },
  options: NodeAgentOptions & { readonly nodeIP: string },
  containerd: RunningContainerd,
): Promise<NodeContext> {
  const { client, clock, ids, log, run } = deps
  const { cri } = containerd
  const folders = {
    pods: join(options.dataDir, 'pods'),
    podLogs: join(options.dataDir, 'logs', 'pods'),
    containerLogs: join(options.dataDir, 'logs', 'containers'),
  }
  for (const folder of Object.values(folders)) await mkdir(folder, { recursive: true, mode: 0o755 })
  const machine = await readMachineInfo()
  const pressure = await readPressure(options.dataDir)
  return {
    client,
    clock,
    ids,
    log,
    run,
    cri,
    cache: createRuntimeCache({ cri, monotonicMs: () => clock.monotonicMs() }),
    images: createImagePuller({ cri, clock, log }),
    events: createNodeEvents({ client, clock, ids, log }, options.nodeName),
    api: createPodApi({ client, clock, log }),
    io: machineProbeIo,
    nodeName: options.nodeName,
    hostIPs: [options.nodeIP],
    capacity: { cpuMilli: machine.cpus * 1_000, memoryBytes: machine.memoryBytes, ephemeralStorageBytes: pressure.diskBytes },
    folders,
    sandboxImage: options.sandboxImage ?? pauseImageReference,
    cgroupRoot: cgroupRootOf(options.dataDir),
    clusterDns: options.clusterDns,
    clusterDomain: options.clusterDomain ?? defaultClusterDomain,
  }
}

async function observe(context: NodeContext, dataDir: string, runtimeVersion: string): Promise<NodeObservation> {
  const silentMs = context.cache.ageMs
  const problem = silentMs > runtimeSilenceMs ? 'container runtime is down' : await runtimeProblem(context)
  return {
    pressure: await readPressure(dataDir),
    runtimeVersion,
    images: await context.cri.listImages().catch(() => []),
    problem,
    nowMs: context.clock.now().getTime(),
  }
}

async function runtimeProblem(context: NodeContext): Promise<string | undefined> {
  try {
    const broken = (await context.cri.conditions()).filter(({ status }) => !status)
    return broken.length === 0
      ? undefined
      : broken.map(({ type, reason, message }) => `container runtime condition not satisfied: ${type}: ${reason} ${message}`).join('; ')
  } catch (error) {
    return `container runtime is down: ${error instanceof Error ? error.message : String(error)}`
  }
}

/** Leaves the machine as it was before the node, apart from the data folder. */
async function removeEverything(deps: NodeAgentDeps & { readonly run: RunCommand }, containerd: RunningContainerd, dataDir: string): Promise<void> {
  const { cri } = containerd
  try {
    const sandboxes = await cri.listPodSandboxes()
    const removals = sandboxes.map(async ({ id }) => {
      await cri.stopPodSandbox(id)
      await cri.removePodSandbox(id)
    })
    const late = deps.clock.sleep(stopRunningPodsMs).then(() => deps.log.warn('pods could not be removed in time', { stopRunningPodsMs }))
    await Promise.race([Promise.all(removals), late])
  } catch (error) {
    deps.log.warn('a pod could not be removed', { error })
  } finally {
    await containerd[Symbol.asyncDispose]()
  }
  await cleanMachine(deps, dataDir)
}
