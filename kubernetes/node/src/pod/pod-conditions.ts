import { isSidecar } from './pod.ts'
import type { Container, ContainerStatus, Pod, PodCondition, PodPhase, PodStatus } from './pod.ts'

export interface ConditionsInput {
  readonly pod: Pod
  readonly previous: PodStatus
  readonly phase: PodPhase
  readonly nowMs: number
  readonly initContainerStatuses: readonly ContainerStatus[]
  readonly containerStatuses: readonly ContainerStatus[]
  readonly hasSandbox: boolean
}

/** The conditions the agent owns, in upstream's order. */
export const agentConditions = ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'] as const

type Verdict = Pick<PodCondition, 'status' | 'reason' | 'message'>

/** All conditions of a pod: those of others as they are, then the agent's own. Upstream: pkg/kubelet/status/generate.go. */
export function podConditionsOf(input: ConditionsInput): PodCondition[] {
  const { pod } = input
  const own: ReadonlySet<string> = new Set(agentConditions)
  const foreign = (pod.status?.conditions ?? []).filter((condition) => !own.has(condition.type))
  const containersReady = containersReadyOf(input)
  const verdicts: Readonly<Record<(typeof agentConditions)[number], Verdict>> = {
    PodReadyToStartContainers: { status: input.hasSandbox ? 'True' : 'False' },
    Initialized: initializedOf(input),
    Ready: containersReady.status === 'True' ? gatesOf(pod, foreign) : containersReady,
    ContainersReady: containersReady,
    PodScheduled: { status: 'True' },
  }
  return [...foreign, ...agentConditions.map((type) => conditionOf(type, verdicts[type], input))]
}

function conditionOf(type: string, verdict: Verdict, input: ConditionsInput): PodCondition {
  const before = [...(input.previous.conditions ?? []), ...(input.pod.status?.conditions ?? [])].find((condition) => condition.type === type)
  const now = `${new Date(input.nowMs).toISOString().slice(0, 19)}Z`
  const { generation } = input.pod.metadata
  return {
    type,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    status: verdict.status,
    lastProbeTime: null,
    lastTransitionTime: before?.status === verdict.status ? (before.lastTransitionTime ?? now) : now,
    ...(verdict.reason === undefined ? {} : { reason: verdict.reason }),
    ...(verdict.message === undefined ? {} : { message: verdict.message }),
  }
}

function containersReadyOf(input: ConditionsInput): Verdict {
  if (input.phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' }
  if (input.phase === 'Failed') return { status: 'False', reason: 'PodFailed' }
  const sidecars = (input.pod.spec.initContainers ?? []).filter(isSidecar)
  const unready = [
    ...namesOf(sidecars, input.initContainerStatuses, (status) => !status.ready),
    ...namesOf(input.pod.spec.containers, input.containerStatuses, (status) => !status.ready),
  ]
  if (unready.length === 0) return { status: 'True' }
  return { status: 'False', reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
}

function initializedOf(input: ConditionsInput): Verdict {
  if (input.phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' }
  const anyStarted = input.containerStatuses.some(
    ({ state, lastState }) => state?.running !== undefined || state?.terminated !== undefined || lastState?.terminated !== undefined,
  )
  if (anyStarted) return { status: 'True' }
  const inits = input.pod.spec.initContainers ?? []
  const sidecars = new Set(inits.filter(isSidecar).map((container) => container.name))
  const incomplete = namesOf(inits, input.initContainerStatuses, (status) => (sidecars.has(status.name) ? status.started !== true : !status.ready))
  if (incomplete.length === 0) return { status: 'True' }
  return { status: 'False', reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${incomplete.join(' ')}]` }
}

function gatesOf(pod: Pod, conditions: readonly PodCondition[]): Verdict {
  const problems: string[] = []
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = conditions.find(({ type }) => type === conditionType)
    if (condition === undefined) problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`)
    else if (condition.status !== 'True') problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`)
  }
  return problems.length === 0 ? { status: 'True' } : { status: 'False', reason: 'ReadinessGatesNotReady', message: problems.join(', ') }
}

function namesOf(containers: readonly Container[], statuses: readonly ContainerStatus[], wanted: (status: ContainerStatus) => boolean): string[] {
  return containers
    .map((container) => statuses.find((status) => status.name === container.name))
    .filter((status) => status !== undefined)
    .filter(wanted)
    .map((status) => status.name)
}
