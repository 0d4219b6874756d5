import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, WriteContext } from '@gantry/apiserver'
import { formatTime } from '@gantry/apiserver'
import type { LabelSelector, Pod, PodAffinityTerm, PodSpec } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import type { NodeBackend } from '../node-backend.ts'
import type { DisruptionBudgets } from '../policy/eviction.ts'
import { podColumns, podRowConditions } from './pod-columns.ts'
import { defaultOwnPodSpec } from './pod-spec-defaults.ts'
import { podSubresources } from './pod-subresources.ts'
import { keepUnsaidStatus, validatePod, validatePodStatusUpdate, validatePodUpdate } from './pod-validation.ts'
import { qosClassOf } from './qos-class.ts'

/** `backendOf` finds the node agent that runs a pod; undefined when there is none. */
export function podKind(types: Definitions, backendOf: (nodeName: string) => NodeBackend | undefined, budgets: DisruptionBudgets): BuiltinKind {
  return {
    group: '',
    version: 'v1',
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    namespaced: true,
    type: 'io.k8s.api.core.v1.Pod',
    groupPriority: 18000,
    hasStatus: true,
    tracksGeneration: true,
    allowUnconditionalUpdate: true,
    returnsDeletedObject: true,
    columns: podColumns,
    rowConditions: (object) => podRowConditions(as<Pod>(object)),
    subresources: podSubresources(types, backendOf, budgets),
    selectableFields: {
      'spec.nodeName': (object) => as<Pod>(object).spec.nodeName ?? '',
      'spec.restartPolicy': (object) => as<Pod>(object).spec.restartPolicy ?? '',
      'spec.schedulerName': (object) => as<Pod>(object).spec.schedulerName ?? '',
      'spec.serviceAccountName': (object) => as<Pod>(object).spec.serviceAccountName ?? '',
      'spec.hostNetwork': (object) => String(as<Pod>(object).spec.hostNetwork ?? false),
      'status.phase': (object) => as<Pod>(object).status?.phase ?? '',
      'status.podIP': (object) => as<Pod>(object).status?.podIPs?.[0]?.ip ?? as<Pod>(object).status?.podIP ?? '',
      'status.podIPs': (object) => as<Pod>(object).status?.podIPs?.[0]?.ip ?? '',
      'status.nominatedNodeName': (object) => as<Pod>(object).status?.nominatedNodeName ?? '',
    },
    applyDefaults(object) {
      const pod = as<Pod>(object)
      if (pod.spec !== undefined) defaultOwnPodSpec(pod.spec)
    },
    prepareForCreate,
    prepareForStatusUpdate: (object, old) => keepUnsaidStatus(as<Pod>(object), as<Pod>(old)),
    validate: (object, old) => validatePod(as<Pod>(object), old === undefined),
    validateUpdate: (object, old) => validatePodUpdate(as<Pod>(object), as<Pod>(old)),
    validateStatusUpdate: (object, old) => validatePodStatusUpdate(as<Pod>(object), as<Pod>(old)),
    gracePeriodSeconds(object, requested) {
      const { spec, status, metadata } = as<Pod>(object)
      // Nothing runs: there is nothing to wait for (C16).
      if ((spec.nodeName ?? '') === '' || status?.phase === 'Succeeded' || status?.phase === 'Failed') return 0
      const seconds =
        requested ?? (metadata.deletionTimestamp === undefined ? (spec.terminationGracePeriodSeconds ?? 30) : (metadata.deletionGracePeriodSeconds ?? 0))
      return seconds < 0 ? 1 : seconds
    },
  }
}

const gated = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
} as const

function prepareForCreate(object: ApiObject, context: WriteContext): void {
  const pod = as<Pod>(object)
  const { spec } = pod
  pod.status = { phase: 'Pending', qosClass: qosClassOf(pod) }
  if (spec === undefined) return
  if ((spec.schedulingGates ?? []).length > 0) pod.status.conditions = [{ ...gated, lastTransitionTime: formatTime(context.now) }]
  if ((spec.affinity?.podAffinity ?? spec.affinity?.podAntiAffinity) !== undefined || spec.topologySpreadConstraints !== undefined)
    selectByOwnLabels(spec, pod.metadata.labels ?? {})
}

/** Selectors that name only keys get the pod's own values of these (matchLabelKeys, mismatchLabelKeys). */
function selectByOwnLabels(spec: PodSpec, labels: Readonly<Record<string, string>>): void {
  const add = (selector: LabelSelector | undefined, keys: readonly string[] | undefined, operator: 'In' | 'NotIn'): void => {
    if (selector === undefined) return
    for (const key of keys ?? []) {
      const value = Object.hasOwn(labels, key) ? labels[key] : undefined
      if (value !== undefined) selector.matchExpressions = [...(selector.matchExpressions ?? []), { key, operator, values: [value] }]
    }
  }
  const terms = [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].flatMap((affinity): (PodAffinityTerm | undefined)[] => [
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
  ])
  for (const term of terms) {
    add(term?.labelSelector, term?.matchLabelKeys, 'In')
    add(term?.labelSelector, term?.mismatchLabelKeys, 'NotIn')
  }
  for (const constraint of spec.topologySpreadConstraints ?? []) add(constraint.labelSelector, constraint.matchLabelKeys, 'In')
}
