import type { KubeObject } from '@gantry/console-kit'
import { timestampMs, toneOfWord, type ResourceRow, type StatusLabel, type Tone } from '@gantry/console-kit/model'

export interface ContainerSpec {
  readonly name: string
  readonly image?: string
  readonly restartPolicy?: string
  readonly ports?: readonly { readonly containerPort: number; readonly protocol?: string; readonly name?: string }[]
  readonly resources?: { readonly requests?: Readonly<Record<string, string>>; readonly limits?: Readonly<Record<string, string>> }
}

interface StateDetail {
  readonly reason?: string
  readonly message?: string
  readonly exitCode?: number
  readonly signal?: number
  readonly startedAt?: string
  readonly finishedAt?: string
}

export interface ContainerState {
  readonly waiting?: StateDetail
  readonly running?: StateDetail
  readonly terminated?: StateDetail
}

export interface ContainerStatus {
  readonly name: string
  readonly ready?: boolean
  readonly started?: boolean
  readonly restartCount?: number
  readonly image?: string
  readonly state?: ContainerState
  readonly lastState?: ContainerState
}

export interface Pod extends KubeObject {
  readonly spec?: {
    readonly nodeName?: string
    readonly containers?: readonly ContainerSpec[]
    readonly initContainers?: readonly ContainerSpec[]
    readonly ephemeralContainers?: readonly ContainerSpec[]
    readonly serviceAccountName?: string
    readonly priority?: number
  }
  readonly status?: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly podIP?: string
    readonly hostIP?: string
    readonly qosClass?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason?: string; readonly message?: string }[]
    readonly containerStatuses?: readonly ContainerStatus[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly ephemeralContainerStatuses?: readonly ContainerStatus[]
  }
}

/** What kubectl prints of a pod. */
export interface PodSummary {
  readonly ready: number
  readonly total: number
  readonly status: string
  readonly restarts: number
  readonly lastRestartMs: number | undefined
}

/**
 * READY, STATUS and RESTARTS exactly as `kubectl get pods` shows them. Upstream: kubernetes pkg/printers/internalversion/printers.go, printPod;
 * the order of its cases is the meaning.
 */
export function summarizePod(pod: Pod): PodSummary {
  const { spec, status } = pod
  const initSpecs = new Map((spec?.initContainers ?? []).map((container) => [container.name, container]))
  const isSidecar = (name: string): boolean => initSpecs.get(name)?.restartPolicy === 'Always'
  let total = spec?.containers?.length ?? 0
  for (const container of initSpecs.values()) if (container.restartPolicy === 'Always') total++

  let word = status?.reason !== undefined && status.reason !== '' ? status.reason : (status?.phase ?? 'Unknown')
  for (const condition of status?.conditions ?? []) {
    if (condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated') word = 'SchedulingGated'
  }

  let ready = 0
  let restarts = 0
  let sidecarRestarts = 0
  let lastRestartMs: number | undefined
  let lastSidecarRestartMs: number | undefined
  let isInitializing = false
  const initStatuses = status?.initContainerStatuses ?? []
  for (const [index, container] of initStatuses.entries()) {
    const finishedMs = timestampMs(container.lastState?.terminated?.finishedAt)
    restarts += container.restartCount ?? 0
    lastRestartMs = later(lastRestartMs, finishedMs)
    if (isSidecar(container.name)) {
      sidecarRestarts += container.restartCount ?? 0
      lastSidecarRestartMs = later(lastSidecarRestartMs, finishedMs)
    }
    const terminated = container.state?.terminated
    if (terminated !== undefined && terminated.exitCode === 0) continue
    if (isSidecar(container.name) && container.started === true) {
      if (container.ready === true) ready++
      continue
    }
    const waiting = container.state?.waiting
    if (terminated !== undefined) word = `Init:${terminationWord(terminated)}`
    else if (waiting?.reason !== undefined && waiting.reason !== '' && waiting.reason !== 'PodInitializing') word = `Init:${waiting.reason}`
    else word = `Init:${index}/${initSpecs.size}`
    isInitializing = true
    break
  }

  if (!isInitializing || isInitialized(pod)) {
    restarts = sidecarRestarts
    lastRestartMs = lastSidecarRestartMs
    let hasRunning = false
    for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
      restarts += container.restartCount ?? 0
      lastRestartMs = later(lastRestartMs, timestampMs(container.lastState?.terminated?.finishedAt))
      const { waiting, terminated, running } = container.state ?? {}
      if (waiting?.reason !== undefined && waiting.reason !== '') word = waiting.reason
      else if (terminated !== undefined) word = terminationWord(terminated)
      else if (container.ready === true && running !== undefined) {
        hasRunning = true
        ready++
      }
    }
    if (word === 'Completed' && hasRunning) word = hasReadyCondition(pod) ? 'Running' : 'NotReady'
  }

  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status?.reason === 'NodeLost') word = 'Unknown'
    else if (status?.phase !== 'Succeeded' && status?.phase !== 'Failed') word = 'Terminating'
  }
  return { ready, total, status: word, restarts, lastRestartMs }
}

function terminationWord(terminated: StateDetail): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason
  return terminated.signal !== undefined && terminated.signal !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode ?? 0}`
}

function isInitialized(pod: Pod): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Initialized' && condition.status === 'True') ?? false
}

function hasReadyCondition(pod: Pod): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
}

function later(left: number | undefined, right: number | undefined): number | undefined {
  if (left === undefined) return right
  return right === undefined ? left : Math.max(left, right)
}

/** The tone of a pod's status word; a running pod with unready containers is not well. */
export function podTone(summary: Pick<PodSummary, 'status' | 'ready' | 'total'>): Tone {
  const { status } = summary
  if (status === 'Running') return summary.ready === summary.total ? 'ok' : 'warn'
  if (status === 'Completed' || status === 'Succeeded') return 'neutral'
  if (/^Init:\d+\/\d+$/.test(status) || status === 'PodInitializing' || status === 'SchedulingGated') return 'progress'
  if (/^(Init:)?(ExitCode|Signal):/.test(status)) return 'error'
  return toneOfWord(status.replace(/^Init:/, ''))
}

export function podStatusLabel(pod: Pod): StatusLabel {
  const summary = summarizePod(pod)
  return { text: summary.status, tone: podTone(summary), detail: pod.status?.message }
}

export interface PodRow extends ResourceRow, PodSummary {
  readonly tone: Tone
  readonly node: string
  readonly ip: string
}

export function podRow(object: KubeObject, base: ResourceRow): PodRow {
  const pod = object as Pod
  const summary = summarizePod(pod)
  return { ...base, ...summary, tone: podTone(summary), node: pod.spec?.nodeName ?? '', ip: pod.status?.podIP ?? '' }
}
