import type { Definitions } from '@gantry/apimachinery'
import type { ApiObject, WriteContext } from '@gantry/apiserver'
import { formatTime } from '@gantry/apiserver'
import type { Container, LabelSelector, Pod, PodAffinityTerm, PodSpec } from '../generated/types.ts'
import { as } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { addressWarnings } from '../networking/addresses.ts'
import type { DisruptionBudgets } from '../policy/eviction.ts'
import { takeAppArmorAnnotations } from './app-armor-annotations.ts'
import { podColumns, podRowConditions } from './pod-columns.ts'
import { defaultOwnPodSpec } from './pod-spec-defaults.ts'
import { podProxy } from './proxy/proxy.ts'
import type { ProxyDeps } from './proxy/proxy.ts'
import { podSubresources } from './pod-subresources.ts'
import { podWarnings } from './pod-warnings.ts'
import { keepUnsaidStatus, validateEphemeralUpdate, validatePod, validatePodResize, validatePodStatusUpdate, validatePodUpdate } from './pod-validation.ts'
import { qosClassOf } from './qos-class.ts'

export function podKind(types: Definitions, budgets: DisruptionBudgets, proxy: ProxyDeps): BuiltinKind {
  return {
    group: '',
    version: 'v1',
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    namespaced: true,
    metaChecksOnUpdate: 'both',
    type: 'io.k8s.api.core.v1.Pod',
    groupPriority: 18000,
    hasStatus: true,
    statusKeeps: ['ownerReferences'],
    tracksGeneration: true,
    allowUnconditionalUpdate: true,
    returnsDeletedObject: true,
    columns: podColumns,
    rowConditions: (object) => podRowConditions(as<Pod>(object)),
    subresources: { ...podSubresources(types, proxy, budgets), proxy: podProxy(proxy) },
    partSubresources: {
      ephemeralcontainers: {
        keepOthers(object, old) {
          const containers = as<Pod>(object).spec.ephemeralContainers
          keepSpec(object, old)
          const { spec } = as<Pod>(object)
          if (containers === undefined) delete spec.ephemeralContainers
          else spec.ephemeralContainers = containers
        },
        validateUpdate: (object, old) => validateEphemeralUpdate(as<Pod>(object), as<Pod>(old)),
      },
      resize: {
        keepOthers: (object, old) => keepAllButResources(object, old),
        validateUpdate: (object, old) => validatePodResize(as<Pod>(object), as<Pod>(old)),
      },
    },
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
      const { spec, status } = as<Pod>(object)
      if (spec !== undefined) defaultOwnPodSpec(spec)
      if (status !== undefined) alignAddresses(status)
    },
    prepareForCreate,
    // People do not write to pods that are there, and controllers do all the time.
    warnings: (object, old) => (old === undefined ? podWarnings(as<Pod>(object).metadata, as<Pod>(object).spec) : []),
    statusWarnings(object) {
      const { status } = as<Pod>(object)
      return (['podIPs', 'hostIPs'] as const).flatMap((list) => (status?.[list] ?? []).flatMap(({ ip }, i) => addressWarnings(`status.${list}[${i}].ip`, ip)))
    },
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

/** The pod as it was, its metadata too, but for who manages its fields. */
function keepSpec(object: ApiObject, old: ApiObject): void {
  const { managedFields } = object.metadata
  object.metadata = structuredClone(old.metadata)
  if (managedFields !== undefined) object.metadata.managedFields = managedFields
  object['spec'] = structuredClone(old['spec'])
}

/** Resources and resize policies are taken, container by container; where those do not match, validation says so. */
function keepAllButResources(object: ApiObject, old: ApiObject): void {
  const given = as<Pod>(object).spec
  const before = as<Pod>(old).spec
  const taken = (now: readonly Container[], kept: readonly Container[]): Container[] | undefined => {
    if (now.length === 0) return undefined
    if (now.some(({ name }, index) => kept[index]?.name !== name)) return [...now]
    return now.map(({ resources, resizePolicy }, index) => {
      const { resources: _resources, resizePolicy: _resizePolicy, ...rest } = kept[index] as Container
      return { ...rest, ...(resources === undefined ? {} : { resources }), ...(resizePolicy === undefined ? {} : { resizePolicy }) }
    })
  }
  if ((given.containers ?? []).length !== (before.containers ?? []).length || (given.initContainers ?? []).length !== (before.initContainers ?? []).length)
    return
  const [containers, initContainers] = [taken(given.containers ?? [], before.containers ?? []), taken(given.initContainers ?? [], before.initContainers ?? [])]
  keepSpec(object, old)
  const { spec } = as<Pod>(object)
  if (containers !== undefined) spec.containers = containers
  if (initContainers !== undefined) spec.initContainers = initContainers
  if (given.resources === undefined) delete spec.resources
  else spec.resources = given.resources
}

/** `podIP` is the first of `podIPs`; where they differ, whoever wrote it knew only the single one. */
function alignAddresses(status: NonNullable<Pod['status']>): void {
  const [first] = status.podIPs ?? []
  if ((status.podIP ?? '') !== '' && status.podIP !== first?.ip) status.podIPs = [{ ip: status.podIP ?? '' }]
  else if (first !== undefined) status.podIP = first.ip
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
  takeAppArmorAnnotations(pod, context)
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
