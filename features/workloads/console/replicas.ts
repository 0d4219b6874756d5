import type { Condition, KubeObject } from '@gantry/console-kit'
import type { ResourceRow, StatusLabel, Tone } from '@gantry/console-kit/model'

/** A workload that keeps a number of pods: Deployment or ReplicaSet, as far as the console looks at it. */
export interface ReplicatedWorkload extends KubeObject {
  readonly spec?: {
    readonly replicas?: number
    readonly paused?: boolean
    readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>>; readonly matchExpressions?: readonly MatchExpression[] }
    readonly strategy?: { readonly type?: string }
    readonly template?: { readonly spec?: { readonly containers?: readonly { readonly name: string; readonly image?: string }[] } }
  }
  readonly status?: {
    readonly observedGeneration?: number
    readonly replicas?: number
    readonly readyReplicas?: number
    readonly updatedReplicas?: number
    readonly availableReplicas?: number
    readonly conditions?: readonly Condition[]
  }
}

interface MatchExpression {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}

export type WorkloadState = 'Available' | 'Progressing' | 'Degraded' | 'Failed' | 'Paused' | 'ScaledToZero'

const tones: Readonly<Record<WorkloadState, Tone>> = {
  Available: 'ok',
  Progressing: 'progress',
  Degraded: 'warn',
  Failed: 'error',
  Paused: 'neutral',
  ScaledToZero: 'neutral',
}

/** A Deployment's state by the rules of `kubectl rollout status`: its conditions first, then the spec being observed, then the counts. */
export function deploymentState(deployment: ReplicatedWorkload): WorkloadState {
  const { spec, status, metadata } = deployment
  const desired = spec?.replicas ?? 1
  const conditions = new Map((status?.conditions ?? []).map((condition) => [condition.type, condition]))
  if (conditions.get('Progressing')?.reason === 'ProgressDeadlineExceeded') return 'Failed'
  if (conditions.get('ReplicaFailure')?.status === 'True') return 'Failed'
  if (spec?.paused === true) return 'Paused'
  if ((status?.observedGeneration ?? 0) < (metadata.generation ?? 0)) return 'Progressing'
  if ((status?.updatedReplicas ?? 0) < desired || (status?.replicas ?? 0) > (status?.updatedReplicas ?? 0)) return 'Progressing'
  if (desired === 0) return 'ScaledToZero'
  if ((status?.availableReplicas ?? 0) >= desired) return 'Available'
  return conditions.get('Progressing')?.reason === 'NewReplicaSetAvailable' ? 'Degraded' : 'Progressing'
}

export function replicaSetState(replicaSet: ReplicatedWorkload): WorkloadState {
  const desired = replicaSet.spec?.replicas ?? 1
  const status = replicaSet.status
  if (status?.conditions?.some((condition) => condition.type === 'ReplicaFailure' && condition.status === 'True') === true) return 'Failed'
  if ((status?.replicas ?? 0) !== desired) return 'Progressing'
  if (desired === 0) return 'ScaledToZero'
  return (status?.readyReplicas ?? 0) >= desired ? 'Available' : 'Progressing'
}

/** Why a workload is not well, in the server's words. */
export function workloadMessage(workload: ReplicatedWorkload): string | undefined {
  const bad = workload.status?.conditions?.find((condition) =>
    condition.type === 'ReplicaFailure' ? condition.status === 'True' : condition.status === 'False' || condition.reason === 'ProgressDeadlineExceeded',
  )
  return bad?.message ?? bad?.reason
}

export interface WorkloadRow extends ResourceRow {
  readonly state: WorkloadState
  readonly message: string | undefined
  readonly desired: number
  readonly current: number
  readonly ready: number
  readonly updated: number
  readonly available: number
  readonly images: string
}

export function workloadRow(stateOf: (workload: ReplicatedWorkload) => WorkloadState): (object: KubeObject, base: ResourceRow) => WorkloadRow {
  return (object, base) => {
    const workload = object as ReplicatedWorkload
    const { spec, status } = workload
    return {
      ...base,
      state: stateOf(workload),
      message: workloadMessage(workload),
      desired: spec?.replicas ?? 1,
      current: status?.replicas ?? 0,
      ready: status?.readyReplicas ?? 0,
      updated: status?.updatedReplicas ?? 0,
      available: status?.availableReplicas ?? 0,
      images: (spec?.template?.spec?.containers ?? []).map((container) => container.image ?? '').join(', '),
    }
  }
}

export function stateLabel(state: WorkloadState, message: string | undefined): StatusLabel {
  return { text: state, textKey: `workloads:state.${state}`, tone: tones[state], detail: message }
}

/** A label selector as a query takes it. Empty matches nothing here: a workload without a selector owns no pods. */
export function selectorText(selector: NonNullable<ReplicatedWorkload['spec']>['selector']): string {
  const labels = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`)
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values }) => {
    const list = `(${(values ?? []).join(',')})`
    switch (operator) {
      case 'In':
        return `${key} in ${list}`
      case 'NotIn':
        return `${key} notin ${list}`
      case 'Exists':
        return key
      default:
        return `!${key}`
    }
  })
  return [...labels, ...expressions].join(',')
}
