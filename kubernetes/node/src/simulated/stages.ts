import type { ContainerStatus, Pod, PodStatus } from '@gantry/kube-api'

/** What happens next to a pod on a simulated node. Life-cycles are data: a list of stages, the first that applies is taken (after kwok's idea). */
export interface Stage {
  readonly name: string
  applies(pod: Pod): boolean
  /** How long after the pod got into this state the stage happens. */
  delayMs(pod: Pod): number
  /** The next status, or that the pod goes. */
  readonly next: { readonly kind: 'status'; status(pod: Pod, world: StageWorld): PodStatus } | { readonly kind: 'delete' }
}

export interface StageWorld {
  /** RFC 3339, whole seconds. */
  readonly now: string
  readonly podIP: string
  readonly hostIP: string
}

/** Seconds that the containers of a pod with restartPolicy OnFailure or Never run before they complete; as an annotation of the pod. */
export const runSecondsAnnotation = 'simulated.gantry.dev/run-seconds'
/** The exit code they complete with. */
export const exitCodeAnnotation = 'simulated.gantry.dev/exit-code'

const startMs = 100
const defaultRunSeconds = 1
const longestStopMs = 1000

export const podStages: readonly Stage[] = [
  {
    name: 'pod-delete',
    applies: (pod) => pod.metadata.deletionTimestamp !== undefined,
    // A simulated container obeys SIGTERM at once.
    delayMs: (pod) => Math.min(longestStopMs, (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000) / 10,
    next: { kind: 'delete' },
  },
  {
    name: 'pod-start',
    applies: (pod) => (pod.status?.phase ?? 'Pending') === 'Pending' && (pod.status?.containerStatuses ?? []).length === 0,
    delayMs: () => startMs,
    next: { kind: 'status', status: running },
  },
  {
    name: 'pod-complete',
    applies: (pod) => pod.status?.phase === 'Running' && pod.spec.restartPolicy !== 'Always',
    delayMs: (pod) => 1000 * Number(pod.metadata.annotations?.[runSecondsAnnotation] ?? defaultRunSeconds),
    next: { kind: 'status', status: completed },
  },
]

export function nextStage(pod: Pod): Stage | undefined {
  return podStages.find((stage) => stage.applies(pod))
}

const conditionOrder = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'] as const

function conditions(pod: Pod, now: string, isReady: boolean): NonNullable<PodStatus['conditions']> {
  const because = isReady ? {} : { reason: 'PodCompleted' }
  return conditionOrder.map((type) => {
    const old = (pod.status?.conditions ?? []).find((condition) => condition.type === type)
    const isAboutReadiness = type === 'Ready' || type === 'ContainersReady'
    const status = isAboutReadiness && !isReady ? 'False' : 'True'
    if (old?.status === status) return old
    return { type, status, lastProbeTime: null, lastTransitionTime: now, ...(isAboutReadiness ? because : {}) }
  })
}

function running(pod: Pod, { now, podIP, hostIP }: StageWorld): PodStatus {
  const container = (name: string, image: string): ContainerStatus => ({
    name,
    image,
    imageID: '',
    containerID: `simulated://${pod.metadata.uid}/${name}`,
    ready: true,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: now } },
    lastState: {},
  })
  const finished = (name: string, image: string): ContainerStatus => ({
    ...container(name, image),
    started: false,
    state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } },
  })
  const init = pod.spec.initContainers ?? []
  return {
    ...pod.status,
    phase: 'Running',
    conditions: conditions(pod, now, true),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    podIP: pod.spec.hostNetwork === true ? hostIP : podIP,
    podIPs: [{ ip: pod.spec.hostNetwork === true ? hostIP : podIP }],
    startTime: now,
    ...(init.length === 0
      ? {}
      : {
          initContainerStatuses: init.map(({ name, image = '', restartPolicy }) =>
            restartPolicy === 'Always' ? container(name, image) : finished(name, image),
          ),
        }),
    containerStatuses: (pod.spec.containers ?? []).map(({ name, image = '' }) => container(name, image)),
  }
}

function completed(pod: Pod, { now }: StageWorld): PodStatus {
  const exitCode = Number(pod.metadata.annotations?.[exitCodeAnnotation] ?? 0)
  return {
    ...pod.status,
    phase: exitCode === 0 ? 'Succeeded' : 'Failed',
    conditions: conditions(pod, now, false),
    containerStatuses: (pod.status?.containerStatuses ?? []).map((status) => ({
      ...status,
      ready: false,
      started: false,
      state: {
        terminated: {
          exitCode,
          reason: exitCode === 0 ? 'Completed' : 'Error',
          startedAt: status.state?.running?.startedAt ?? now,
          finishedAt: now,
          containerID: status.containerID,
        },
      },
    })) as ContainerStatus[],
  }
}
