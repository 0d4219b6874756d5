import { addQuantities, compareQuantities, quantityOf, quantityToUnits } from '@gantry/apimachinery'
import { qosClassOf } from '../../core/qos-class.ts'
import type { PersistentVolumeClaim, Pod, ResourceQuota, ScopedResourceSelectorRequirement, Service } from '../../generated/types.ts'
import { storageClassOf } from '../default-storage-class.ts'
import { addAmounts, amountsOf, podTotal, raiseAmounts } from '../resource-amounts.ts'
import type { Amounts, ReadonlyAmounts } from '../resource-amounts.ts'

// Upstream: pkg/quota/v1/evaluator/core.

/** How the objects of one resource count against quotas. */
export interface QuotaEvaluator {
  /** Whether it measures the resource that a quota names so. */
  readonly measures: (name: string) => boolean
  /** What an object uses; `now` decides about pods that should be gone. */
  readonly usage: (object: unknown, now: Date) => ReadonlyAmounts
  readonly inScope: (requirement: ScopedResourceSelectorRequirement, object: unknown) => boolean
  /** What an object has to state because a quota measures it, such as `must specify cpu for: app`. */
  readonly unstated?: (measured: readonly string[], object: unknown) => string | undefined
  /** Whether this update of an object may change what it uses. Absent: updates never do. */
  readonly countsUpdate?: (subresource: string, object: unknown, old: unknown) => boolean
}

const one = quantityOf(1, 'DecimalSI')

/** The evaluator of a resource; every resource that is stored in a namespace can at least be counted. */
export function quotaEvaluatorOf(group: string, plural: string): QuotaEvaluator | undefined {
  const id = group === '' ? plural : `${plural}.${group}`
  if (ignored.has(id)) return undefined
  return evaluators.get(id) ?? counting(id)
}

const ignored: ReadonlySet<string> = new Set([
  'bindings',
  'componentstatuses',
  'tokenreviews.authentication.k8s.io',
  'selfsubjectreviews.authentication.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
  'selfsubjectaccessreviews.authorization.k8s.io',
  'localsubjectaccessreviews.authorization.k8s.io',
  'selfsubjectrulesreviews.authorization.k8s.io',
  'events',
  'events.events.k8s.io',
])

/** Resources that can be counted under their bare name too. */
const aliased: ReadonlySet<string> = new Set(['configmaps', 'resourcequotas', 'replicationcontrollers', 'secrets'])

function counting(id: string): QuotaEvaluator {
  const names = aliased.has(id) ? [`count/${id}`, id] : [`count/${id}`]
  return { measures: (name) => names.includes(name), usage: () => new Map(names.map((name) => [name, one])), inScope: () => false }
}

/** The scopes of a quota, as requirements that an object has to meet all. */
export function scopesOf({ spec }: ResourceQuota): readonly ScopedResourceSelectorRequirement[] {
  const exist = (spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: 'Exists' }))
  return [...exist, ...(spec?.scopeSelector?.matchExpressions ?? [])]
}

/** Whether a requirement on names holds for one of these names; for none where there is no name. */
function selects({ operator, values = [] }: ScopedResourceSelectorRequirement, names: readonly string[]): boolean {
  const holds = (name: string | undefined): boolean => {
    switch (operator) {
      case 'In':
        return name !== undefined && values.includes(name)
      case 'NotIn':
        return name === undefined || !values.includes(name)
      case 'DoesNotExist':
        return name === undefined
      case 'Exists':
      default:
        return name !== undefined
    }
  }
  return names.length === 0 ? holds(undefined) : names.some(holds)
}

// Pods.

const podResources: ReadonlySet<string> = new Set([
  'count/pods',
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
])
/** A quota on one of these makes every container state it. Upstream calls that a mistake that must not grow. */
const toBeStated: ReadonlySet<string> = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory'])
const deviceClass = 'deviceclass.resource.kubernetes.io/'

function isNative(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

function isPodLevel(name: string): boolean {
  return name === 'cpu' || name === 'memory' || name.startsWith('hugepages-')
}

const pods: QuotaEvaluator = {
  measures: (name) =>
    podResources.has(name) ||
    name.startsWith('hugepages-') ||
    name.startsWith('requests.hugepages-') ||
    (name.startsWith('requests.') && (!isNative(name) || name.startsWith(`requests.${deviceClass}`))),
  usage: (object, now) => podUsage(object as Pod, now),
  inScope: (requirement, object) => isPodInScope(requirement, object as Pod),
  unstated: (measured, object) => unstatedOf(measured, object as Pod),
  countsUpdate: (subresource, object, old) => subresource === 'resize' || (subresource === '' && isTerminating(object as Pod) !== isTerminating(old as Pod)),
}

/** A pod that is meant to end. */
function isTerminating({ spec }: Pod): boolean {
  return spec.activeDeadlineSeconds !== undefined && spec.activeDeadlineSeconds >= 0
}

function isPodInScope(requirement: ScopedResourceSelectorRequirement, pod: Pod): boolean {
  switch (requirement.scopeName) {
    case 'Terminating':
      return isTerminating(pod)
    case 'NotTerminating':
      return !isTerminating(pod)
    case 'BestEffort':
      return qosClassOf(pod) === 'BestEffort'
    case 'NotBestEffort':
      return qosClassOf(pod) !== 'BestEffort'
    case 'PriorityClass': {
      const { priorityClassName = '' } = pod.spec
      return selects(requirement, priorityClassName === '' ? [] : [priorityClassName])
    }
    case 'CrossNamespacePodAffinity':
      return hasCrossNamespaceAffinity(pod)
    case 'VolumeAttributesClass':
    default:
      return false
  }
}

function hasCrossNamespaceAffinity({ spec }: Pod): boolean {
  return [spec.affinity?.podAffinity, spec.affinity?.podAntiAffinity].some((affinity) =>
    [
      ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
      ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(({ podAffinityTerm }) => podAffinityTerm),
    ].some((term) => (term.namespaces ?? []).length > 0 || term.namespaceSelector !== undefined),
  )
}

/** Whether a pod still uses what it was given: it has not ended, and is not past the time at which it should have gone. */
function isCharged({ status, metadata }: Pod, now: Date): boolean {
  if (status?.phase === 'Failed' || status?.phase === 'Succeeded') return false
  const { deletionTimestamp, deletionGracePeriodSeconds } = metadata
  if (deletionTimestamp === undefined || deletionTimestamp === null || deletionGracePeriodSeconds === undefined) return true
  return now.getTime() <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000
}

/** Of pods that are not on their way out: for these, time changes nothing. */
const knownUsage = new WeakMap<Pod, Amounts>()

function podUsage(pod: Pod, now: Date): ReadonlyAmounts {
  if (pod.metadata.deletionTimestamp !== undefined) return computePodUsage(pod, now)
  let usage = knownUsage.get(pod)
  if (usage === undefined) knownUsage.set(pod, (usage = computePodUsage(pod, now)))
  return usage
}

function computePodUsage(pod: Pod, now: Date): Amounts {
  const usage: Amounts = new Map([['count/pods', one]])
  if (!isCharged(pod, now)) return usage
  const overhead = amountsOf(pod.spec.overhead)
  const requests = podTotal(pod, 'requests', { isPodLevel, effective: (name, stated) => effective(pod, name, { which: 'requests', stated }) })
  const limits = podTotal(pod, 'limits', { isPodLevel, effective: (name, stated) => effective(pod, name, { which: 'limits', stated }) })
  addAmounts(requests, overhead)
  for (const [name, amount] of overhead) {
    const limit = limits.get(name)
    if (limit !== undefined && limit.unscaled !== 0n) limits.set(name, addQuantities(limit, amount))
  }
  addAmounts(usage, computeUsage(requests, limits))
  return usage
}

/** While a container is resized, it counts with the most of what it is to have, was granted and has. */
function effective(
  { status }: Pod,
  containerName: string,
  { which, stated }: { readonly which: 'requests' | 'limits'; readonly stated: ReadonlyAmounts },
): ReadonlyAmounts {
  const found = [...(status?.containerStatuses ?? []), ...(status?.initContainerStatuses ?? [])].find(({ name }) => name === containerName)
  if (found?.resources === undefined) return stated
  const isInfeasible = status?.conditions?.some(({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible') === true
  const amounts = amountsOf(found.resources[which])
  if (which === 'requests') raiseAmounts(amounts, amountsOf(found.allocatedResources))
  if (!isInfeasible) raiseAmounts(amounts, stated)
  return amounts
}

/** Under the names that quotas have for it. */
function computeUsage(requests: ReadonlyAmounts, limits: ReadonlyAmounts): Amounts {
  const usage: Amounts = new Map([['pods', one]])
  for (const [name, amount] of requests) {
    if (name === 'cpu' || name === 'memory' || name === 'ephemeral-storage' || name.startsWith('hugepages-'))
      usage.set(name, amount).set(`requests.${name}`, amount)
    else if ((!isNative(name) && !name.startsWith('requests.')) || name.startsWith(deviceClass)) usage.set(`requests.${name}`, amount)
  }
  for (const name of ['cpu', 'memory', 'ephemeral-storage'] as const) {
    const limit = limits.get(name)
    if (limit !== undefined) usage.set(`limits.${name}`, limit)
  }
  return usage
}

function unstatedOf(measured: readonly string[], { spec }: Pod): string | undefined {
  const required = measured.filter((name) => toBeStated.has(name)).sort()
  if (required.length === 0) return undefined
  const ofPod = [...Object.keys(spec.resources?.requests ?? {}), ...Object.keys(spec.resources?.limits ?? {})]
  if (ofPod.some(isPodLevel)) return undefined
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ name, resources }) => ({
    name,
    stated: computeUsage(amountsOf(resources?.requests), amountsOf(resources?.limits)),
  }))
  const missing = required.flatMap((resource) => {
    const names = new Set(containers.filter(({ stated }) => !stated.has(resource)).map(({ name }) => name))
    return names.size === 0 ? [] : [`${resource} for: ${[...names].sort().join(',')}`]
  })
  return missing.length === 0 ? undefined : `must specify ${missing.join('; ')}`
}

// Services.

const serviceResources: ReadonlySet<string> = new Set(['count/services', 'services', 'services.nodeports', 'services.loadbalancers'])

const services: QuotaEvaluator = {
  measures: (name) => serviceResources.has(name),
  usage(object) {
    const { spec = {} } = object as Service
    const ports = spec.ports ?? []
    // Node ports have not been given out yet: what the service is going to get counts.
    const isGivenAll = spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
    const nodePorts = isGivenAll ? ports.length : spec.type === 'LoadBalancer' ? ports.filter(({ nodePort = 0 }) => nodePort !== 0).length : 0
    return new Map([
      ['count/services', one],
      ['services', one],
      ['services.nodeports', quantityOf(nodePorts, 'DecimalSI')],
      ['services.loadbalancers', quantityOf(spec.type === 'LoadBalancer' ? 1 : 0, 'DecimalSI')],
    ])
  },
  inScope: () => false,
  countsUpdate: (subresource) => subresource === '',
}

// Claims.

const claimResources = ['persistentvolumeclaims', 'requests.storage'] as const
const ofStorageClass = '.storageclass.storage.k8s.io/'

const claims: QuotaEvaluator = {
  measures: (name) =>
    name === 'count/persistentvolumeclaims' || claimResources.some((resource) => name === resource || name.endsWith(`${ofStorageClass}${resource}`)),
  usage(object) {
    const claim = object as PersistentVolumeClaim
    const usage: Amounts = new Map([
      ['persistentvolumeclaims', one],
      ['count/persistentvolumeclaims', one],
    ])
    const storage = claimedStorage(claim)
    if (storage !== undefined) usage.set('requests.storage', storage)
    const className = storageClassOf(claim)
    if (className !== '') {
      usage.set(`${className}${ofStorageClass}persistentvolumeclaims`, one)
      if (storage !== undefined) usage.set(`${className}${ofStorageClass}requests.storage`, storage)
    }
    return usage
  },
  inScope(requirement, object) {
    if (requirement.scopeName !== 'VolumeAttributesClass') return false
    const { spec, status } = object as PersistentVolumeClaim
    const names = [spec?.volumeAttributesClassName, status?.currentVolumeAttributesClassName, status?.modifyVolumeStatus?.targetVolumeAttributesClassName]
    return selects(
      requirement,
      names.filter((name): name is string => name !== undefined && name !== ''),
    )
  },
  countsUpdate: (subresource) => subresource === '' || subresource === 'status',
}

/** Whole bytes: what is asked for, or what has been allocated where that is more. */
function claimedStorage({ spec, status }: PersistentVolumeClaim): ReturnType<typeof quantityOf> | undefined {
  const asked = amountsOf(spec?.resources?.requests).get('storage')
  if (asked === undefined) return undefined
  const allocated = amountsOf(status?.allocatedResources).get('storage')
  const counted = allocated !== undefined && compareQuantities(allocated, asked) > 0 ? allocated : asked
  return counted.exponent >= 0 ? counted : quantityOf(quantityToUnits(counted), counted.format)
}

const evaluators: ReadonlyMap<string, QuotaEvaluator> = new Map<string, QuotaEvaluator>([
  ['pods', pods],
  ['services', services],
  ['persistentvolumeclaims', claims],
])
