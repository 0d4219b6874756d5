import { isHostNetwork, isSidecar, isTerminalPhase, restartPolicyOf } from './pod.ts'
import type { Container, ContainerStateValue, ContainerStatus, Pod, PodPhase, PodStatus, TerminatedState } from './pod.ts'
import { podConditionsOf } from './pod-conditions.ts'
import { newestContainer } from './pod-runtime.ts'
import type { ContainerState, PodRuntime } from './pod-runtime.ts'
import { needsSandbox, shouldRestart } from './pod-plan.ts'
import type { ProbeResults } from './pod-plan.ts'

type ContainerKind = 'init' | 'regular' | 'ephemeral'

export interface StatusInput {
  readonly pod: Pod
  readonly runtime: PodRuntime
  /** What the agent last wrote, or what the API holds: what cannot be seen any more is taken from it. */
  readonly previous: PodStatus
  /** Why a container is not started: the outcome of the last attempt. */
  readonly waitingOf: (containerName: string) => WaitingReason | undefined
  readonly probesOf: (containerId: string) => ProbeResults
  readonly hostIPs: readonly string[]
  readonly nowMs: number
  /** All containers have ended and none will be started again. */
  readonly finished: boolean
  /** Set when the agent itself ends the pod: eviction, deadline. */
  readonly failure?: { readonly reason: string; readonly message: string } | undefined
}

export interface WaitingReason {
  readonly reason: string
  readonly message: string
}

const lostWhileTerminating = 'The container could not be located when the pod was terminated'

/** The status of a pod as the API shows it. Upstream: kubelet_pods.go generateAPIPodStatus. */
export function podStatusOf(input: StatusInput): PodStatus {
  const { pod, previous, nowMs } = input
  const initContainerStatuses = containerStatusesOf(input, pod.spec.initContainers ?? [], 'init')
  const containerStatuses = containerStatusesOf(input, pod.spec.containers, 'regular')
  const ephemeralContainerStatuses = containerStatusesOf(input, pod.spec.ephemeralContainers ?? [], 'ephemeral')
  const seenPhase = phaseOf(input, [...initContainerStatuses, ...containerStatuses])
  // A terminal phase is never left again.
  const phase = isTerminalPhase(previous.phase) ? previous.phase : input.failure === undefined ? seenPhase : 'Failed'
  const failure = input.failure ?? (phase === previous.phase ? { reason: previous.reason ?? '', message: previous.message ?? '' } : undefined)
  const ips = podIPsOf(input)
  const hostIP = input.hostIPs[0]
  const status: PodStatus = {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: podConditionsOf({
      pod,
      previous,
      phase,
      nowMs,
      initContainerStatuses,
      containerStatuses,
      hasSandbox: !needsSandbox(pod, input.runtime),
    }),
    ...(failure?.message ? { message: failure.message } : {}),
    ...(failure?.reason ? { reason: failure.reason } : {}),
    ...(hostIP === undefined ? {} : { hostIP, hostIPs: input.hostIPs.map((ip) => ({ ip })) }),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: previous.startTime ?? wireTime(nowMs),
    ...(initContainerStatuses.length === 0 ? {} : { initContainerStatuses }),
    containerStatuses,
    ...(ephemeralContainerStatuses.length === 0 ? {} : { ephemeralContainerStatuses }),
    ...(previous.qosClass === undefined ? {} : { qosClass: previous.qosClass }),
  }
  return input.finished ? finishedStatusOf(status) : status
}

/** Seconds, as the API writes times. */
export function wireTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** What must hold of a pod that has ended: every container has ended too, and the phase is terminal. Upstream: status_manager.go TerminatePod. */
function finishedStatusOf(status: PodStatus): PodStatus {
  const ended = (container: ContainerStatus): ContainerStatus => {
    if (container.state?.terminated !== undefined) return container
    const reason = 'ContainerStatusUnknown'
    return { ...container, ready: false, started: false, state: { terminated: { exitCode: 137, reason, message: lostWhileTerminating } } }
  }
  return {
    ...status,
    phase: isTerminalPhase(status.phase) ? status.phase : 'Failed',
    ...(status.initContainerStatuses === undefined
      ? {}
      : {
          initContainerStatuses: status.initContainerStatuses.map((container) =>
            container.state?.waiting?.reason === 'PodInitializing' ? container : ended(container),
          ),
        }),
    containerStatuses: (status.containerStatuses ?? []).map(ended),
  }
}

function podIPsOf(input: StatusInput): readonly string[] {
  if (isHostNetwork(input.pod)) return input.hostIPs
  const now = input.runtime.sandboxes.find((sandbox) => sandbox.ready)?.ips ?? []
  return now.length > 0 ? now : (input.previous.podIPs ?? []).map(({ ip }) => ip)
}

function containerStatusesOf(input: StatusInput, containers: readonly Container[], kind: ContainerKind): ContainerStatus[] {
  const statuses = containers.map((container) => containerStatusOf(input, container, kind))
  return kind !== 'regular' ? statuses : statuses.sort((a, b) => (a.name < b.name ? -1 : 1))
}

function containerStatusOf(input: StatusInput, container: Container, kind: ContainerKind): ContainerStatus {
  const { pod, runtime } = input
  const states = runtime.containers.filter((state) => state.name === container.name)
  const base = states[0] === undefined ? unseenStatusOf(input, container, kind) : seenStatusOf(states[0], states[1], previousOf(input, container))
  const waiting = shouldRestart(container, pod, runtime) && !isInitDone(states[0], kind, container) ? input.waitingOf(container.name) : undefined
  const state = waiting === undefined ? base.state : { waiting: { reason: waiting.reason, ...(waiting.message === '' ? {} : { message: waiting.message }) } }
  const lastState = waiting !== undefined && base.state?.terminated !== undefined ? { terminated: base.state.terminated } : base.lastState
  const { started, ready } = readinessOf(input, container, { kind, state, id: states[0]?.id ?? '' })
  const mounts = container.volumeMounts ?? []
  return {
    name: container.name,
    state: state ?? {},
    lastState: lastState ?? {},
    ready,
    restartCount: base.restartCount,
    image: base.image,
    imageID: base.imageID,
    ...(base.containerID === undefined ? {} : { containerID: base.containerID }),
    started,
    ...(mounts.length === 0
      ? {}
      : {
          volumeMounts: mounts.map(({ name, mountPath, readOnly }) => ({
            name,
            mountPath,
            ...(readOnly ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
          })),
        }),
  }
}

function isInitDone(state: ContainerState | undefined, kind: ContainerKind, container: Container): boolean {
  return kind === 'init' && !isSidecar(container) && state?.state === 'exited' && state.exitCode === 0
}

type BaseStatus = Pick<ContainerStatus, 'state' | 'lastState' | 'restartCount' | 'image' | 'imageID' | 'containerID'>

function previousOf(input: StatusInput, container: Container): ContainerStatus | undefined {
  const { previous } = input
  const all = [...(previous.containerStatuses ?? []), ...(previous.initContainerStatuses ?? []), ...(previous.ephemeralContainerStatuses ?? [])]
  return all.find((status) => status.name === container.name)
}

function seenStatusOf(newest: ContainerState, older: ContainerState | undefined, previous: ContainerStatus | undefined): BaseStatus {
  const lost = newest.state === 'unknown' && previous?.state?.running !== undefined
  const last = older === undefined ? (previous?.containerID === containerIdOf(newest) ? previous.lastState : previous?.lastState) : stateValueOf(older)
  return {
    state: lost ? { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message: lostWhileTerminating } } : stateValueOf(newest),
    ...(last === undefined ? {} : { lastState: last }),
    restartCount: lost ? previous.restartCount + 1 : newest.restartCount,
    image: newest.image,
    imageID: newest.imageRef,
    containerID: containerIdOf(newest),
  }
}

/** A container the runtime does not know: not made yet, or collected. */
function unseenStatusOf(input: StatusInput, container: Container, kind: ContainerKind): BaseStatus {
  const { pod, runtime } = input
  const previous = previousOf(input, container)
  if (previous?.state?.terminated !== undefined) return previous
  const reason = kind !== 'ephemeral' && (pod.spec.initContainers ?? []).length > 0 ? 'PodInitializing' : 'ContainerCreating'
  const fresh: BaseStatus = {
    state: { waiting: { reason } },
    ...(previous?.lastState === undefined ? {} : { lastState: previous.lastState }),
    restartCount: previous?.restartCount ?? 0,
    image: container.image ?? '',
    imageID: '',
  }
  const anyRegular = pod.spec.containers.some((regular) => newestContainer(runtime, regular.name) !== undefined)
  if (kind === 'init' && !isSidecar(container) && anyRegular) {
    const message = 'Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally'
    return { ...fresh, state: { terminated: { exitCode: 0, reason: 'Completed', message } } }
  }
  if (previous?.state?.running === undefined || previous.lastState?.terminated !== undefined) return fresh
  const message = 'The container could not be located when the pod was deleted.  The container used to be Running'
  return {
    ...fresh,
    lastState: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown', message } },
    restartCount: fresh.restartCount + (pod.metadata.deletionTimestamp === undefined ? 1 : 0),
  }
}

function containerIdOf(state: ContainerState): string {
  return `containerd://${state.id}`
}

function stateValueOf(state: ContainerState): ContainerStateValue {
  switch (state.state) {
    case 'running':
      return { running: { startedAt: wireTime(state.startedAtMs) } }
    case 'exited':
      return { terminated: terminatedStateOf(state) }
    case 'created':
    case 'unknown':
      return { waiting: {} }
  }
}

function terminatedStateOf(state: ContainerState): TerminatedState {
  return {
    exitCode: state.exitCode,
    ...(state.reason === '' ? {} : { reason: state.reason }),
    ...(state.message === '' ? {} : { message: state.message }),
    startedAt: state.startedAtMs === 0 ? null : wireTime(state.startedAtMs),
    finishedAt: state.finishedAtMs === 0 ? null : wireTime(state.finishedAtMs),
    containerID: containerIdOf(state),
  }
}

/** Upstream: prober_manager.go UpdatePodStatus. */
function readinessOf(
  input: StatusInput,
  container: Container,
  now: { readonly kind: ContainerKind; readonly state: ContainerStateValue | undefined; readonly id: string },
): { readonly started: boolean; readonly ready: boolean } {
  const running = now.state?.running !== undefined
  if (now.kind === 'ephemeral') return { started: running, ready: false }
  if (now.kind === 'init' && !isSidecar(container)) return { started: running, ready: now.state?.terminated?.exitCode === 0 }
  const probes = input.probesOf(now.id)
  const started = running && (container.startupProbe === undefined || probes.startup === 'success')
  return { started, ready: started && (container.readinessProbe === undefined || probes.readiness === 'success') }
}

/** Upstream: kubelet_pods.go getPhase. */
function phaseOf(input: StatusInput, statuses: readonly ContainerStatus[]): PodPhase {
  const { pod, finished } = input
  const policy = restartPolicyOf(pod)
  const statusOf = (container: Container): ContainerStatus | undefined => statuses.find((status) => status.name === container.name)
  const inits = pod.spec.initContainers ?? []
  const ran = (status: ContainerStatus | undefined): TerminatedState | undefined => status?.state?.terminated ?? waitedAfter(status)

  const plainInits = inits.filter((container) => !isSidecar(container)).map(statusOf)
  if (policy === 'Never' && plainInits.some((status) => (ran(status)?.exitCode ?? 0) !== 0)) return 'Failed'
  if (plainInits.some((status) => ran(status) === undefined)) return 'Pending'

  const sidecars = inits.filter(isSidecar).map(statusOf)
  const initializedBefore = pod.spec.containers.some((container) => {
    const state = newestContainer(input.runtime, container.name)?.state
    return state === 'running' || state === 'exited'
  })
  const sidecarPending = sidecars.some((status) => (status?.state?.running === undefined ? ran(status) === undefined : status.started !== true))
  const sidecarWaiting = sidecars.some((status) => status?.state?.waiting !== undefined && ran(status) === undefined)
  if ((sidecarPending && !initializedBefore) || sidecarWaiting) return 'Pending'

  const regular = pod.spec.containers.map(statusOf)
  if (regular.some((status) => status?.state?.waiting !== undefined && ran(status) === undefined)) return 'Pending'
  const running = [...regular, ...sidecars].some((status) => status?.state?.running !== undefined)
  if (running) return 'Running'
  const succeeded = regular.every((status) => status?.state?.terminated?.exitCode === 0)
  if (finished) return succeeded ? 'Succeeded' : 'Failed'
  if (policy === 'Always') return 'Running'
  if (succeeded) return 'Succeeded'
  return policy === 'Never' ? 'Failed' : 'Running'
}

/** How the previous run of a container that waits now has ended. */
function waitedAfter(status: ContainerStatus | undefined): TerminatedState | undefined {
  return status?.state?.waiting === undefined ? undefined : status.lastState?.terminated
}
