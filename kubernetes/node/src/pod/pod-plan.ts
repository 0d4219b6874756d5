import { isHostNetwork, isSidecar, restartPolicyOf } from './pod.ts'
import type { Container, Pod } from './pod.ts'
import { newestContainer } from './pod-runtime.ts'
import type { ContainerState, PodRuntime } from './pod-runtime.ts'

/** What the probes of one container have found so far. Absent: not known yet. */
export interface ProbeResults {
  readonly startup?: ProbeVerdict | undefined
  readonly readiness?: ProbeVerdict | undefined
  readonly liveness?: ProbeVerdict | undefined
}

export type ProbeVerdict = 'success' | 'failure'

export interface PlanInput {
  readonly pod: Pod
  readonly runtime: PodRuntime
  readonly probesOf: (containerId: string) => ProbeResults
  readonly hashOf: (container: Container) => string
}

/** What has to happen next, in this order: kill, sandbox, start. Upstream: kuberuntime_manager.go computePodActions. */
export interface PodPlan {
  /** Every container and the sandbox end first: the sandbox is broken, or nothing is left to run. */
  readonly killPod: boolean
  readonly sandbox: { readonly kind: 'create'; readonly attempt: number } | { readonly kind: 'keep'; readonly id: string } | { readonly kind: 'none' }
  readonly kill: readonly ContainerKill[]
  /** Ephemeral containers, init containers in their order, then the others. */
  readonly start: readonly ContainerStart[]
}

export interface ContainerKill {
  readonly container: ContainerState
  readonly message: string
  readonly because: 'livenessProbe' | 'startupProbe' | 'changed' | 'unknown'
}

export interface ContainerStart {
  readonly container: Container
  readonly init: boolean
}

/** Decides what brings a pod that is neither deleted nor finished nearer to its spec. The same input always gives the same plan, and a pod in order gets an empty one. */
export function nextActions(input: PlanInput): PodPlan {
  const { pod, runtime } = input
  const sandbox = sandboxWanted(pod, runtime)
  if (sandbox.kind === 'create') return planForNewSandbox(pod, runtime, sandbox.attempt)

  const initPlan = planInitContainers(input)
  if (initPlan.failed) return { killPod: true, sandbox: { kind: 'none' }, kill: [], start: [] }
  const keep = { kind: 'keep', id: sandbox.id } as const
  const looking = (pod.spec.ephemeralContainers ?? [])
    .filter(({ name }) => newestContainer(runtime, name) === undefined)
    .map((container) => ({ container, init: false }))
  if (!initPlan.initialized) return { killPod: false, sandbox: keep, kill: initPlan.kill, start: [...looking, ...initPlan.start] }

  const kill: ContainerKill[] = []
  const start: ContainerStart[] = []
  let kept = 0
  for (const container of pod.spec.containers) {
    const state = newestContainer(runtime, container.name)
    if (state?.state !== 'running') {
      if (!shouldRestart(container, pod, runtime)) continue
      start.push({ container, init: false })
      if (state?.state === 'unknown') kill.push(killUnknown(state))
      continue
    }
    const fault = faultOf(container, state, input)
    if (fault === undefined) {
      kept++
      continue
    }
    const restart = fault.because === 'changed' || restartPolicyOf(pod) !== 'Never'
    if (restart) start.push({ container, init: false })
    kill.push({ container: state, because: fault.because, message: restart ? `${fault.message}, will be restarted` : fault.message })
  }
  // A pod with nothing to keep and nothing to start is finished; its sidecars do not keep it alive.
  if (kept === 0 && start.length === 0) return { killPod: true, sandbox: { kind: 'none' }, kill: [], start: [] }
  return { killPod: false, sandbox: keep, kill: [...initPlan.kill, ...kill], start: [...looking, ...initPlan.start, ...start] }
}

/** Whether a container that is not running is to run (again). */
export function shouldRestart(container: Container, pod: Pod, runtime: PodRuntime): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false
  const state = newestContainer(runtime, container.name)
  if (state === undefined) return true
  if (state.state === 'running') return false
  if (pod.spec.ephemeralContainers?.includes(container)) return false
  if (state.state !== 'exited' || isSidecar(container)) return true
  const policy = restartPolicyOf(pod)
  if (policy === 'OnFailure') return state.exitCode !== 0
  return policy === 'Always'
}

/** Whether the pod has no sandbox it could start containers in. */
export function needsSandbox(pod: Pod, runtime: PodRuntime): boolean {
  return sandboxWanted(pod, runtime).kind === 'create'
}

function sandboxWanted(pod: Pod, runtime: PodRuntime): { readonly kind: 'create'; readonly attempt: number } | { readonly kind: 'keep'; readonly id: string } {
  const newest = runtime.sandboxes[0]
  if (newest === undefined) return { kind: 'create', attempt: 0 }
  const ready = runtime.sandboxes.filter((sandbox) => sandbox.ready)
  const withoutNetwork = !isHostNetwork(pod) && newest.ips.length === 0
  if (!newest.ready || ready.length > 1 || withoutNetwork) return { kind: 'create', attempt: newest.attempt + 1 }
  return { kind: 'keep', id: newest.id }
}

function planForNewSandbox(pod: Pod, runtime: PodRuntime, attempt: number): PodPlan {
  const policy = restartPolicyOf(pod)
  const onlyKill: PodPlan = { killPod: true, sandbox: { kind: 'none' }, kill: [], start: [] }
  if (policy === 'Never' && attempt !== 0 && runtime.containers.length > 0) return onlyKill
  const wanted = pod.spec.containers.filter((container) => {
    const state = newestContainer(runtime, container.name)
    return !(policy === 'OnFailure' && state?.state === 'exited' && state.exitCode === 0)
  })
  if (wanted.length === 0 && pod.spec.containers.some((container) => newestContainer(runtime, container.name) !== undefined)) return onlyKill
  const firstInit = pod.spec.initContainers?.[0]
  const start = firstInit === undefined ? wanted.map((container) => ({ container, init: false })) : [{ container: firstInit, init: true }]
  return { killPod: true, sandbox: { kind: 'create', attempt }, kill: [], start }
}

interface InitPlan {
  /** An init container has failed for good. */
  readonly failed: boolean
  readonly initialized: boolean
  readonly kill: readonly ContainerKill[]
  readonly start: readonly ContainerStart[]
}

/**
 * Goes backwards through the init containers: old ones may already be gone from the runtime, so the last one that is known tells how far the pod has come.
 * Sidecars before it are kept running.
 */
function planInitContainers(input: PlanInput): InitPlan {
  const { pod, runtime } = input
  const containers = pod.spec.initContainers ?? []
  if (containers.length === 0) return { failed: false, initialized: true, kill: [], start: [] }
  const kill: ContainerKill[] = []
  const start: ContainerStart[] = []
  let initialized = pod.spec.containers.some((container) => {
    const state = newestContainer(runtime, container.name)?.state
    return state === 'created' || state === 'running'
  })
  // Whether the one behind the one in hand has been reached before.
  let reached = initialized
  for (const [index, container] of [...containers.entries()].reverse()) {
    const state = newestContainer(runtime, container.name)
    const sidecar = isSidecar(container)
    const again = { container, init: true }
    if (state === undefined) {
      if (reached && sidecar) start.push(again)
      continue
    }
    if (reached && !sidecar) continue
    const next = containers[index + 1]
    const done = (): void => {
      if (next === undefined) initialized = true
      else if (!reached) start.push({ container: next, init: true })
    }
    switch (state.state) {
      case 'created':
        start.push(again)
        break
      case 'running': {
        if (!sidecar) break
        const fault = faultOf(container, state, input)
        if (fault !== undefined) {
          kill.push({ container: state, because: fault.because, message: `Init ${lowerFirst(fault.message)}` })
          start.push(again)
          if (fault.because === 'startupProbe') break
        } else if (container.startupProbe !== undefined && input.probesOf(state.id).startup !== 'success') break
        done()
        break
      }
      case 'exited':
        if (sidecar) start.push(again)
        else if (state.exitCode === 0) done()
        else if (restartPolicyOf(pod) === 'Never') return { failed: true, initialized: false, kill: [], start: [] }
        else start.push(again)
        break
      case 'unknown':
        if (!sidecar && restartPolicyOf(pod) === 'Never') return { failed: true, initialized: false, kill: [], start: [] }
        kill.push(killUnknown(state))
        start.push(again)
        break
    }
    reached = true
  }
  const first = containers[0]
  if (!reached && first !== undefined) start.push({ container: first, init: true })
  return { failed: false, initialized, kill, start: start.reverse() }
}

function killUnknown(container: ContainerState): ContainerKill {
  return { container, because: 'unknown', message: 'Container is in "unknown" state, try killing it before restart' }
}

/** Why a running container must end. */
function faultOf(
  container: Container,
  state: ContainerState,
  input: PlanInput,
): { readonly because: ContainerKill['because']; readonly message: string } | undefined {
  if (state.hash !== '' && state.hash !== input.hashOf(container)) return { because: 'changed', message: `Container ${container.name} definition changed` }
  const probes = input.probesOf(state.id)
  if (probes.liveness === 'failure') return { because: 'livenessProbe', message: `Container ${container.name} failed liveness probe` }
  if (probes.startup === 'failure') return { because: 'startupProbe', message: `Container ${container.name} failed startup probe` }
  return undefined
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
