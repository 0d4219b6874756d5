import type { Container, ContainerStatus, PodSandbox, PodSandboxStatus } from '../cri/messages.ts'

/** What the container runtime holds for one pod. Newest first, in both lists. */
export interface PodRuntime {
  readonly sandboxes: readonly SandboxState[]
  readonly containers: readonly ContainerState[]
}

export const emptyRuntime: PodRuntime = { sandboxes: [], containers: [] }

export interface SandboxState {
  readonly id: string
  readonly attempt: number
  readonly ready: boolean
  readonly createdAtMs: number
  /** Empty for a pod in the host's network. */
  readonly ips: readonly string[]
}

export interface ContainerState {
  readonly id: string
  readonly name: string
  /** How many times a container of this name had been started before. */
  readonly restartCount: number
  readonly sandboxId: string
  readonly state: 'created' | 'running' | 'exited' | 'unknown'
  readonly createdAtMs: number
  /** 0 while it has not happened. */
  readonly startedAtMs: number
  readonly finishedAtMs: number
  readonly exitCode: number
  readonly reason: string
  readonly message: string
  readonly image: string
  readonly imageRef: string
  /** Of the container's definition when it was made: another value means the pod has been changed. */
  readonly hash: string
  readonly logPath: string
}

/** Labels and annotations by which the agent finds its own again; the names are upstream's, so that other tools read them too. */
export const runtimeLabels = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const

export const runtimeAnnotations = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  terminationMessageFile: 'node.gantry.dev/termination-message-file',
  podGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  preStop: 'io.kubernetes.container.preStopHandler',
} as const

const stateNames = { CONTAINER_CREATED: 'created', CONTAINER_RUNNING: 'running', CONTAINER_EXITED: 'exited', CONTAINER_UNKNOWN: 'unknown' } as const

export function sandboxStateOf(sandbox: PodSandbox, status: PodSandboxStatus | undefined): SandboxState {
  const network = status?.network ?? undefined
  const ips = network === undefined || network.ip === '' ? [] : [network.ip, ...network.additionalIps.map((address) => address.ip)]
  const { id, state, metadata, createdAt } = sandbox
  return { id, attempt: metadata.attempt, ready: (status?.state ?? state) === 'SANDBOX_READY', createdAtMs: millisecondsOf(createdAt), ips }
}

/** `message` is the termination message, where one was found. */
export function containerStateOf(container: Container, status: ContainerStatus, message: string): ContainerState {
  return {
    id: status.id,
    name: status.metadata.name,
    restartCount: Number(status.annotations[runtimeAnnotations.restartCount] ?? status.metadata.attempt),
    sandboxId: container.podSandboxId,
    state: stateNames[status.state],
    createdAtMs: millisecondsOf(status.createdAt),
    startedAtMs: millisecondsOf(status.startedAt),
    finishedAtMs: millisecondsOf(status.finishedAt),
    exitCode: status.exitCode,
    reason: status.reason,
    message,
    image: status.image?.image ?? '',
    imageRef: status.imageRef,
    hash: status.annotations[runtimeAnnotations.hash] ?? '',
    logPath: status.logPath,
  }
}

/** The newest container of a name. */
export function newestContainer(runtime: PodRuntime, name: string): ContainerState | undefined {
  return runtime.containers.find((container) => container.name === name)
}

/** The sandbox to work with: the newest, when it is ready. */
export function readySandbox(runtime: PodRuntime): SandboxState | undefined {
  const newest = runtime.sandboxes[0]
  return newest?.ready ? newest : undefined
}

/** Nanoseconds as decimal text to milliseconds; the text is longer than a double is exact. */
function millisecondsOf(nanoseconds: string): number {
  return nanoseconds.length <= 6 ? 0 : Number(nanoseconds.slice(0, -6))
}
