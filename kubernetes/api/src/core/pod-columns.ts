import type { TableColumn } from '@gantry/apiserver'
import type { ContainerStatus, Pod } from '../generated/types.ts'
import { ageCell, ageOf, column, nameCell } from '../kind.ts'

// Upstream: pkg/printers/internalversion/printers.go printPod. The console shows the same words, so it uses `podStatus` too.

export const podColumns: readonly TableColumn[] = [
  nameCell,
  column<Pod>('Ready', (pod) => `${summaryOf(pod).ready}/${summaryOf(pod).total}`, { description: 'Ready containers of all containers.' }),
  column<Pod>('Status', (pod) => summaryOf(pod).status, { description: 'What the pod is doing, or why it is not.' }),
  column<Pod>('Restarts', restartsCell, { description: 'Container restarts, and when the last one was.' }),
  ageCell,
  column<Pod>('IP', (pod) => pod.status?.podIPs?.[0]?.ip || pod.status?.podIP || '<none>', { wide: true, description: 'Its address.' }),
  column<Pod>('Node', (pod) => pod.spec.nodeName || '<none>', { wide: true, description: 'The node that it runs on.' }),
  column<Pod>('Nominated Node', (pod) => pod.status?.nominatedNodeName || '<none>', { wide: true, description: 'The node where room is made for it.' }),
  column<Pod>('Readiness Gates', readinessGates, { wide: true, description: 'Conditions of others that it waits for to be ready.' }),
]

const completed = [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }]
const failed = [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }]

export function podRowConditions(pod: Pod): readonly unknown[] | undefined {
  return pod.status?.phase === 'Succeeded' ? completed : pod.status?.phase === 'Failed' ? failed : undefined
}

interface PodSummary {
  readonly status: string
  readonly ready: number
  readonly total: number
  readonly restarts: number
  readonly lastRestart: string | undefined
}

/** The cells that depend on container states, worked out together. */
export function summaryOf(pod: Pod): PodSummary {
  const { spec, status = {} } = pod
  const restartable = new Set((spec.initContainers ?? []).filter((container) => container.restartPolicy === 'Always').map((container) => container.name))
  let total = (spec.containers ?? []).length + restartable.size
  let reason = status.reason || status.phase || ''
  if ((status.conditions ?? []).some((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated')) reason = 'SchedulingGated'
  let ready = 0
  let restarts = 0
  let restartableRestarts = 0
  let lastRestart: string | undefined
  let lastRestartableRestart: string | undefined
  let initializing = false
  const init = status.initContainerStatuses ?? []
  for (const [index, container] of init.entries()) {
    restarts += container.restartCount
    lastRestart = later(lastRestart, container.lastState?.terminated?.finishedAt)
    if (restartable.has(container.name)) {
      restartableRestarts += container.restartCount
      lastRestartableRestart = later(lastRestartableRestart, container.lastState?.terminated?.finishedAt)
    }
    const { terminated, waiting } = container.state ?? {}
    if (terminated?.exitCode === 0) continue
    if (restartable.has(container.name) && container.started === true) {
      if (container.ready) ready++
      continue
    }
    initializing = true
    if (terminated !== undefined) reason = `Init:${terminated.reason || endOf(terminated)}`
    else if (waiting !== undefined && (waiting.reason ?? '') !== '' && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`
    else reason = `Init:${index}/${(spec.initContainers ?? []).length}`
    break
  }
  const isInitialized = !initializing || (status.conditions ?? []).some((condition) => condition.type === 'Initialized' && condition.status === 'True')
  if (isInitialized) {
    restarts = restartableRestarts
    lastRestart = lastRestartableRestart
    let hasRunning = false
    for (const container of (status.containerStatuses ?? []).toReversed()) {
      restarts += container.restartCount
      lastRestart = later(lastRestart, container.lastState?.terminated?.finishedAt)
      const { waiting, terminated, running } = container.state ?? {}
      if ((waiting?.reason ?? '') !== '') reason = waiting?.reason ?? ''
      else if (terminated !== undefined) reason = terminated.reason || endOf(terminated)
      else if (container.ready && running !== undefined) {
        hasRunning = true
        ready++
      }
    }
    if (reason === 'Completed' && hasRunning) {
      reason = (status.conditions ?? []).some((condition) => condition.type === 'Ready' && condition.status === 'True') ? 'Running' : 'NotReady'
    }
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') reason = 'Unknown'
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') reason = 'Terminating'
  }
  total = Math.max(total, 0)
  return { status: reason, ready, total, restarts, lastRestart }
}

function endOf(terminated: NonNullable<NonNullable<ContainerStatus['state']>['terminated']>): string {
  return (terminated.signal ?? 0) !== 0 ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`
}

function later(a: string | undefined, b: string | null | undefined): string | undefined {
  if (b === undefined || b === null) return a
  return a === undefined || b > a ? b : a
}

function restartsCell(pod: Pod, now: Date): string {
  const { restarts, lastRestart } = summaryOf(pod)
  return restarts > 0 && lastRestart !== undefined ? `${restarts} (${ageOf(lastRestart, now)} ago)` : String(restarts)
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? []
  if (gates.length === 0) return '<none>'
  const met = gates.filter((gate) =>
    (pod.status?.conditions ?? []).some((condition) => condition.type === gate.conditionType && condition.status === 'True'),
  ).length
  return `${met}/${gates.length}`
}
