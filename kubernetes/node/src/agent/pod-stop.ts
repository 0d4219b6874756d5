import { checkHandler } from '../probes/handler-check.ts'
import { identityOf, isSidecar } from '../pod/pod.ts'
import type { Container, Pod } from '../pod/pod.ts'
import type { ContainerState } from '../pod/pod-runtime.ts'
import { isCriNotFound } from '../cri/cri-client.ts'
import { containerTarget } from './event-targets.ts'
import type { NodeContext } from './node-context.ts'

export interface KillOptions {
  readonly graceSeconds: number
  readonly message: string
  readonly signal: AbortSignal
  /** Containers whose preStop hook has been run, and those whose end has been announced: both happen once, however often the grace period is shortened. */
  readonly hooked: Set<string>
}

/** Upstream: kuberuntime_container.go minimumGracePeriodInSeconds. */
const minGraceSeconds = 2

/** Ends all running containers of a pod: the regular ones together, then the sidecars from the last to the first. What is left of the grace period is theirs. */
export async function killContainers(context: NodeContext, pod: Pod, options: Omit<KillOptions, 'message'>): Promise<void> {
  const { clock } = context
  const deadline = clock.monotonicMs() + options.graceSeconds * 1_000
  const left = (): number => Math.max(0, Math.ceil((deadline - clock.monotonicMs()) / 1_000))
  const running = context.cache.get(identityOf(pod).uid).containers.filter(({ state }) => state === 'running' || state === 'unknown')
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar).reverse()
  const sidecarNames = new Set(sidecars.map(({ name }) => name))
  const kill = (state: ContainerState): Promise<void> =>
    killContainer(context, pod, { ...options, state, graceSeconds: left(), message: `Stopping container ${state.name}` })
  await Promise.all(running.filter(({ name }) => !sidecarNames.has(name)).map(kill))
  for (const sidecar of sidecars) await Promise.all(running.filter(({ name }) => name === sidecar.name).map(kill))
}

/** Runs the preStop hook, sends the stop signal and kills when the grace period is over. Resolves when the container has ended. */
export async function killContainer(context: NodeContext, pod: Pod, options: KillOptions & { readonly state: ContainerState }): Promise<void> {
  const { clock, events, cri } = context
  const { state, signal, hooked } = options
  const container = containerNamed(pod, state.name)
  if (!hooked.has(killingKey(state.id))) {
    hooked.add(killingKey(state.id))
    events.normal(containerTarget(pod, state.name), 'Killing', options.message)
  }
  const startedMs = clock.monotonicMs()
  if (container?.lifecycle?.preStop !== undefined && options.graceSeconds > 0 && !hooked.has(state.id)) {
    hooked.add(state.id)
    await preStop(context, pod, { container, state, graceSeconds: options.graceSeconds, signal })
  }
  const usedSeconds = Math.floor((clock.monotonicMs() - startedMs) / 1_000)
  try {
    await cri.stopContainer(state.id, Math.max(options.graceSeconds - usedSeconds, minGraceSeconds), { signal })
  } catch (error) {
    if (!isCriNotFound(error)) throw error
  }
}

/** What stands in `hooked` once the end of a container has been announced. */
export function killingKey(id: string): string {
  return `killing ${id}`
}

async function preStop(
  context: NodeContext,
  pod: Pod,
  options: { readonly container: Container; readonly state: ContainerState; readonly graceSeconds: number; readonly signal: AbortSignal },
): Promise<void> {
  const { container, state, graceSeconds, signal } = options
  const handler = container.lifecycle?.preStop
  if (handler === undefined) return
  if (handler.sleep !== undefined) {
    await context.clock.sleep(Math.min(handler.sleep.seconds, graceSeconds) * 1_000, { signal })
    return
  }
  const podIP = context.cache.get(identityOf(pod).uid).sandboxes[0]?.ips[0] ?? context.hostIPs[0] ?? ''
  const outcome = await checkHandler(context, { container, containerId: state.id, podIP }, { handler, timeoutSeconds: graceSeconds })
  if (outcome.kind === 'success') return
  context.log.warn('a preStop hook has failed', { pod: pod.metadata.name, container: container.name, why: outcome.message })
  context.events.warning(containerTarget(pod, container.name), 'FailedPreStopHook', 'PreStopHook failed')
}

/** Stops the pod's sandboxes: their network goes away, and so does everything that still runs in them. */
export async function stopSandboxes(context: NodeContext, uid: string): Promise<void> {
  for (const sandbox of context.cache.get(uid).sandboxes) {
    try {
      await context.cri.stopPodSandbox(sandbox.id)
    } catch (error) {
      if (!isCriNotFound(error)) throw error
    }
  }
}

/** Takes away what the runtime still keeps of a pod that has ended. */
export async function removeFromRuntime(context: NodeContext, uid: string): Promise<void> {
  const runtime = await context.cache.refresh(uid)
  for (const sandbox of runtime.sandboxes) await context.cri.stopPodSandbox(sandbox.id)
  for (const container of runtime.containers) await context.cri.removeContainer(container.id)
  for (const sandbox of runtime.sandboxes) await context.cri.removePodSandbox(sandbox.id)
  await context.cache.refresh(uid)
}

function containerNamed(pod: Pod, name: string): Container | undefined {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].find((container) => container.name === name)
}
