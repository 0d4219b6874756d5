import { dns1123SubdomainProblems, fieldForbidden, fieldInvalid, fieldIsImmutable, fieldRequired, labelKeyProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Container, ContainerStatus, NodeAffinity, NodeSelectorTerm, Pod, PodSpec } from '../generated/types.ts'
import { validateTolerations } from './affinity-validation.ts'
import { describeChange } from './changed-fields.ts'
import { validateImageText } from './container-validation.ts'
import { goFields } from './go-fields.ts'
import { isDualStack, validateAddress } from './ip-validation.ts'
import { appArmorOfContainer, mirrorAnnotation, validatePodAnnotations, validateProfileAnnotations } from './pod-annotations.ts'
import { validatePodSpec } from './pod-spec-validation.ts'
import { amountOf } from './quantities.ts'
import { qosClassOf } from './qos-class.ts'

// Rules of pods beyond their spec's, and what may change. Upstream: ValidatePodCreate, ValidatePodUpdate, ValidatePodStatusUpdate,
// ValidatePodEphemeralContainersUpdate and ValidatePodResize of pkg/apis/core/validation.

/** A pod as it is about to be stored, new or changed. */
export function validatePod(pod: Pod, isNew: boolean): FieldError[] {
  const { metadata } = pod
  const spec = pod.spec ?? { containers: [] }
  const annotations = metadata.annotations ?? {}
  const errors = [
    ...validatePodAnnotations(annotations, spec, 'metadata.annotations'),
    ...validatePodSpec(spec, 'spec', { podName: metadata.name ?? '', isMirror: annotations[mirrorAnnotation] !== undefined }),
  ]
  if ((spec.serviceAccountName ?? '') === '') {
    ;(spec.volumes ?? []).forEach((volume, v) => {
      ;(volume.projected?.sources ?? []).forEach((source, s) => {
        if (source.serviceAccountToken !== undefined) {
          errors.push(
            fieldForbidden(`spec.volumes[${v}].projected.sources[${s}].serviceAccountToken`, 'must not be specified when serviceAccountName is not set'),
          )
        }
      })
    })
  }
  for (const field of ['containers', 'initContainers'] as const)
    (spec[field] ?? []).forEach((container, index) => errors.push(...validateImageText(container, `spec.${field}[${index}]`)))
  if (!isNew) return errors
  if ((spec.ephemeralContainers ?? []).length > 0) errors.push(fieldForbidden('spec.ephemeralContainers', 'cannot be set on create'))
  if ((spec.nodeName ?? '') !== '' && (spec.schedulingGates ?? []).length > 0)
    errors.push(fieldForbidden('spec.nodeName', 'cannot be set until all schedulingGates have been cleared'))
  return [...errors, ...validateProfileAnnotations(annotations, spec, 'spec')]
}

const maxDeadlineSeconds = 2 ** 31 - 1
const mutableFields = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',')

/** What an ordinary update may change of a pod. */
export function validatePodUpdate(next: Pod, old: Pod): FieldError[] {
  const errors = validateAnnotationUpdate(next, old)
  for (const field of ['containers', 'initContainers'] as const) {
    const [now, before] = [next.spec[field] ?? [], old.spec[field] ?? []]
    if (now.length !== before.length) return [...errors, fieldForbidden(`spec.${field}`, 'pod updates may not add or remove containers')]
    now.forEach((container, index) => {
      if ((container.image ?? '') === '') errors.push(fieldRequired(`spec.${field}[${index}].image`, ''))
      errors.push(...validateImageText(container, `spec.${field}[${index}]`))
    })
  }
  const [deadline, deadlineBefore] = [next.spec.activeDeadlineSeconds, old.spec.activeDeadlineSeconds]
  if (deadline !== undefined) {
    if (deadline < 0 || deadline > maxDeadlineSeconds)
      return [...errors, fieldInvalid('spec.activeDeadlineSeconds', deadline, `must be between 0 and ${maxDeadlineSeconds}, inclusive`)]
    if (deadlineBefore !== undefined && deadlineBefore < deadline)
      return [...errors, fieldInvalid('spec.activeDeadlineSeconds', deadline, 'must be less than or equal to previous value')]
  } else if (deadlineBefore !== undefined) errors.push(fieldInvalid('spec.activeDeadlineSeconds', null, 'must not update from a positive integer to nil value'))
  errors.push(...validateTolerationUpdate(next.spec, old.spec), ...validateGateUpdate(next.spec, old.spec))
  return [...errors, ...validateFixedFields(next.spec, old.spec)]
}

function validateAnnotationUpdate({ metadata: { annotations: next = {} }, spec }: Pod, { metadata: { annotations: old = {} } }: Pod): FieldError[] {
  const errors: FieldError[] = []
  const isFixed = (key: string): boolean => key === mirrorAnnotation || key.startsWith(appArmorOfContainer)
  const what = (key: string): string => (key === mirrorAnnotation ? 'mirror pod annotation' : 'AppArmor annotations')
  for (const [key, value] of Object.entries(old))
    if (isFixed(key) && next[key] !== value) errors.push(fieldForbidden(`metadata.annotations[${key}]`, `may not remove or update ${what(key)}`))
  for (const key of Object.keys(next))
    if (isFixed(key) && old[key] === undefined) errors.push(fieldForbidden(`metadata.annotations[${key}]`, `may not add ${what(key)}`))
  // Upstream looks at them once more here, and says everything twice.
  return [...errors, ...validatePodAnnotations(next, spec, 'metadata.annotations')]
}

function validateTolerationUpdate({ tolerations: next = [] }: PodSpec, { tolerations: old = [] }: PodSpec): FieldError[] {
  const text = (toleration: NonNullable<PodSpec['tolerations']>[number]): string => JSON.stringify({ ...toleration, tolerationSeconds: undefined })
  const kept = new Set(next.map(text))
  return old.every((toleration) => kept.has(text(toleration)))
    ? validateTolerations(next, 'spec.tolerations')
    : [fieldForbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
}

function validateGateUpdate({ schedulingGates: next = [] }: PodSpec, { schedulingGates: old = [] }: PodSpec): FieldError[] {
  const known = new Set(old.map(({ name }) => name))
  return next.flatMap(({ name }, index) =>
    known.has(name) ? [] : [fieldForbidden(`spec.schedulingGates[${index}].name`, `only deletion is allowed, but found new scheduling gate '${name}'`)],
  )
}

function validateFixedFields(next: PodSpec, old: PodSpec): FieldError[] {
  if (JSON.stringify(next) === JSON.stringify(old)) return []
  const errors: FieldError[] = []
  const images = (containers: readonly Container[] | null | undefined, before: readonly Container[] | null | undefined): Container[] | undefined =>
    containers?.map((container, index) => withField(container, 'image', before?.[index]?.image))
  let allowed: PodSpec = { ...next, containers: images(next.containers, old.containers) ?? [] }
  allowed = withField(allowed, 'initContainers', images(next.initContainers, old.initContainers))
  for (const field of ['activeDeadlineSeconds', 'schedulingGates', 'tolerations'] as const) allowed = withField(allowed, field, old[field])
  if ((old.terminationGracePeriodSeconds ?? 0) < 0 && next.terminationGracePeriodSeconds === 1)
    allowed = withField(allowed, 'terminationGracePeriodSeconds', old.terminationGracePeriodSeconds)
  if ((old.schedulingGates ?? []).length > 0) {
    // Nobody has looked at the pod yet: where it may run can still be narrowed.
    const selector = next.nodeSelector ?? {}
    if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => selector[key] !== value))
      errors.push(fieldInvalid('spec.nodeSelector', next.nodeSelector ?? null, 'only additions to spec.nodeSelector are allowed (no mutations or deletions)'))
    allowed = withField(allowed, 'nodeSelector', old.nodeSelector)
    errors.push(...validateNodeAffinityUpdate(next.affinity?.nodeAffinity, old.affinity?.nodeAffinity))
    allowed = withNodeAffinity(allowed, old)
  }
  const change = describeChange('PodSpec', canonical(old), canonical(allowed))
  return change === undefined ? errors : [...errors, fieldForbidden('spec', `pod updates may not change fields other than ${mutableFields}\n${change}`)]
}

/** The same fields in the same order, so that texts can be compared. */
function canonical(spec: PodSpec): PodSpec {
  return Object.fromEntries(
    Object.entries(spec)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ) as unknown as PodSpec
}

function withField<T extends object, K extends keyof T>(value: T, field: K, content: T[K] | undefined): T {
  const copy = { ...value }
  if (content === undefined) delete copy[field]
  else copy[field] = content
  return copy
}

function withNodeAffinity(spec: PodSpec, { affinity: old }: PodSpec): PodSpec {
  const { nodeAffinity: _narrowed, ...others } = spec.affinity ?? {}
  const hadNone = old === undefined && Object.values(others).every((part) => part === undefined)
  if (hadNone) return withField(spec, 'affinity', undefined)
  const nodeAffinity = old?.nodeAffinity
  return { ...spec, affinity: nodeAffinity === undefined ? others : { nodeAffinity, ...others } }
}

function validateNodeAffinityUpdate(next: NodeAffinity | undefined, old: NodeAffinity | undefined): FieldError[] {
  const required = 'requiredDuringSchedulingIgnoredDuringExecution'
  if (old?.[required] === undefined) return []
  const path = `spec.affinity.nodeAffinity.${required}.nodeSelectorTerms`
  const [terms, before] = [next?.[required]?.nodeSelectorTerms ?? [], old[required].nodeSelectorTerms ?? []]
  const shown = (term: NodeSelectorTerm): unknown => goFields('NodeSelectorTerm', term)
  if (before.length > 0 && before.length !== terms.length) {
    const list = next?.[required] === undefined ? null : terms.map(shown)
    return [fieldInvalid(path, list, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed')]
  }
  return before.flatMap((term, index) => {
    const now = terms[index]
    return now !== undefined && hasOnlyAdditions(now, term)
      ? []
      : [fieldInvalid(`${path}[${index}]`, now === undefined ? null : shown(now), 'only additions are allowed (no mutations or deletions)')]
  })
}

function hasOnlyAdditions(next: NodeSelectorTerm, old: NodeSelectorTerm): boolean {
  const lists = [
    [next.matchExpressions ?? [], old.matchExpressions ?? []],
    [next.matchFields ?? [], old.matchFields ?? []],
  ] as const
  // An empty term matches nothing, and something added to it would.
  if (lists.every(([, before]) => before.length === 0)) return lists.every(([now]) => now.length === 0)
  return lists.every(([now, before]) => JSON.stringify(now.slice(0, before.length)) === JSON.stringify(before))
}

const systemConditions: ReadonlySet<string> = new Set(['PodScheduled', 'Ready', 'Initialized'])

/** What may be said of a pod's state. */
export function validatePodStatusUpdate(next: Pod, old: Pod): FieldError[] {
  const { status = {} } = next
  const before = old.status ?? {}
  const errors: FieldError[] = []
  ;(status.conditions ?? []).forEach(({ type, observedGeneration = 0 }, index) => {
    if (observedGeneration < 0)
      errors.push(fieldInvalid(`status.conditions[${index}].observedGeneration`, observedGeneration, 'must be a non-negative integer'))
    if (!systemConditions.has(type)) errors.push(...labelKeyProblems(type).map((problem) => fieldInvalid(`status.conditions[${index}].Type`, type, problem)))
  })
  const { nominatedNodeName: nominated = '', observedGeneration = 0 } = status
  if (nominated !== '' && nominated !== before.nominatedNodeName) {
    errors.push(...dns1123SubdomainProblems(nominated).map((problem) => fieldInvalid('status.nominatedNodeName', nominated, problem)))
    if ((old.spec.nodeName ?? '') !== '') errors.push(fieldForbidden('status.nominatedNodeName', 'may not be set on pods that are already bound to a node'))
  }
  if (observedGeneration < 0) errors.push(fieldInvalid('status.observedGeneration', observedGeneration, 'must be a non-negative integer'))
  if ((status.qosClass ?? '') !== (before.qosClass ?? '')) errors.push(fieldInvalid('status.qosClass', status.qosClass ?? '', fieldIsImmutable))
  errors.push(
    ...validateTransitions(status.containerStatuses, before.containerStatuses, 'status.containerStatuses', old.spec),
    ...validateTransitions(status.initContainerStatuses, before.initContainerStatuses, 'status.initContainerStatuses', old.spec),
    ...validateTransitions(status.ephemeralContainerStatuses, before.ephemeralContainerStatuses, 'status.ephemeralContainerStatuses', undefined),
    ...validateIps(status.podIPs, before.podIPs, 'status.podIPs'),
  )
  if ((status.hostIPs ?? []).length > 0 && (status.hostIP ?? '') !== status.hostIPs?.[0]?.ip)
    errors.push(fieldInvalid('status.hostIPs[0].ip', status.hostIPs?.[0]?.ip ?? '', 'must be equal to `hostIP`'))
  return [...errors, ...validateIps(status.hostIPs, before.hostIPs, 'status.hostIPs')]
}

/** What a client that reports a status leaves out is kept: it may not know of it. */
export function keepUnsaidStatus(next: Pod, old: Pod): void {
  const { status } = next
  if (status === undefined) return
  if ((status.qosClass ?? '') === '' && old.status?.qosClass !== undefined) status.qosClass = old.status.qosClass
  if ((status.observedGeneration ?? 0) === 0 && old.status?.observedGeneration !== undefined) status.observedGeneration = old.status.observedGeneration
  for (const condition of status.conditions ?? []) {
    const before = old.status?.conditions?.find(({ type }) => type === condition.type)
    if ((condition.observedGeneration ?? 0) === 0 && before?.observedGeneration !== undefined) condition.observedGeneration = before.observedGeneration
  }
}

/** A container that has ended stays so, unless its pod starts it again. `spec`: absent for containers that are never started again. */
function validateTransitions(
  next: readonly ContainerStatus[] | undefined,
  old: readonly ContainerStatus[] | undefined,
  path: string,
  spec: PodSpec | undefined,
): FieldError[] {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])]
  const restartsAll = containers.some(({ restartPolicyRules = [] }) => restartPolicyRules.some(({ action }) => action === 'RestartAllContainers'))
  if (spec !== undefined && restartsAll) return []
  return (old ?? []).flatMap(({ name, state }, index) => {
    const ended = state?.terminated
    const now = (next ?? []).find((status) => status.name === name)
    if (ended === undefined || now === undefined || now.state?.terminated !== undefined) return []
    const container = containers.find((candidate) => candidate.name === name)
    return spec !== undefined && container !== undefined && mayRestart(container, spec, ended.exitCode)
      ? []
      : [fieldForbidden(`${path}[${index}].state`, 'may not be transitioned to non-terminated state')]
  })
}

function mayRestart(container: Container, spec: PodSpec, exitCode: number): boolean {
  for (const { action, exitCodes } of container.restartPolicyRules ?? []) {
    const isListed = exitCodes?.values?.includes(exitCode) === true
    if (exitCodes !== undefined && (exitCodes.operator === 'In') === isListed && action === 'Restart') return true
  }
  const policy = container.restartPolicy ?? spec.restartPolicy
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0)
}

function validateIps(
  next: readonly { ip?: string | undefined }[] | undefined,
  old: readonly { ip?: string | undefined }[] | undefined,
  path: string,
): FieldError[] {
  const addresses = (next ?? []).map(({ ip = '' }) => ip)
  const existing = (old ?? []).map(({ ip = '' }) => ip)
  const errors = addresses.flatMap((address, index) => validateAddress(address, `${path}[${index}]`, existing))
  if (addresses.length > 1 && (!isDualStack(addresses) || addresses.length > 2))
    errors.push(
      fieldInvalid(
        path,
        addresses.map((IP) => ({ IP })),
        'may specify no more than one IP for each IP family',
      ),
    )
  return errors
}

/** Ephemeral containers are only ever added. */
export function validateEphemeralUpdate(next: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) return [fieldForbidden('[]', 'static pods do not support ephemeral containers')]
  const now = new Map((next.spec.ephemeralContainers ?? []).map((container) => [container.name, container]))
  const path = 'spec.ephemeralContainers'
  return (old.spec.ephemeralContainers ?? []).flatMap((container) => {
    const kept = now.get(container.name)
    if (kept === undefined) return [fieldForbidden(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`)]
    const change = describeChange('EphemeralContainer', container, kept)
    return change === undefined ? [] : [fieldForbidden(path, `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n${change}`)]
  })
}

type Requirements = NonNullable<Container['resources']>
const resizable = ['cpu', 'memory']

/** The resize endpoint changes CPU and memory of containers, and nothing that these decide for the pod's whole life. */
export function validatePodResize(next: Pod, old: Pod): FieldError[] {
  if (old.metadata.annotations?.[mirrorAnnotation] !== undefined) return [fieldForbidden('[]', 'static pods cannot be resized')]
  if (old.spec.os?.name === 'windows') return [fieldForbidden('[]', 'windows pods cannot be resized')]
  const errors: FieldError[] = []
  const qosClass = next.status?.qosClass ?? ''
  if ((old.status?.qosClass ?? qosClassOf(old)) !== qosClassOf(next))
    errors.push(fieldInvalid('spec', qosClass, 'Pod QOS Class may not change as a result of resizing'))
  const running = (old.status?.containerStatuses ?? []).find(({ state }) => state?.running !== undefined)
  if (running !== undefined && running.resources === undefined) errors.push(fieldForbidden('spec', 'Pod running on node without support for resize'))
  errors.push(...validatePodLevelResize(next.spec.resources, old.spec.resources))
  const order = [...validateOrder(next.spec, old.spec, 'containers'), ...validateOrder(next.spec, old.spec, 'initContainers')]
  if (order.length > 0) return [...errors, ...order]
  for (const field of ['initContainers', 'containers'] as const) {
    ;(old.spec[field] ?? []).forEach((before, index) => {
      const now = next.spec[field]?.[index]
      const path = `spec.${field}[${index}]`
      if (now === undefined) return
      if (lost(now.resources?.requests, before.resources?.requests))
        errors.push(fieldForbidden(`${path}.resources.requests`, 'resource requests cannot be removed'))
      if (lost(now.resources?.limits, before.resources?.limits)) errors.push(fieldForbidden(`${path}.resources.limits`, 'resource limits cannot be removed'))
      if (sameText(now, before)) return
      const isInit = field === 'initContainers'
      if (!sameText(withoutResizable(now), withoutResizable(before))) {
        errors.push(
          isInit
            ? fieldForbidden(path, 'only cpu and memory resources for init or sidecar containers are mutable')
            : fieldForbidden('spec', 'only cpu and memory resources are mutable'),
        )
      }
      if (isInit && now.restartPolicy !== 'Always') {
        for (const { restartPolicy } of now.resizePolicy ?? []) {
          if (restartPolicy === 'RestartContainer')
            errors.push(fieldForbidden(path, 'non-sidecar init containers with a resize policy of RestartContainer cannot be resized'))
        }
      }
    })
  }
  return errors
}

function validatePodLevelResize(next: Requirements | undefined, old: Requirements | undefined): FieldError[] {
  if (old !== undefined && next === undefined) return [fieldForbidden('spec.resources', 'pod-level resources cannot be removed')]
  if (next === undefined) return []
  const errors: FieldError[] = []
  if (lost(next.requests, old?.requests)) errors.push(fieldForbidden('spec.resources.requests', 'pod-level resource requests cannot be removed'))
  if (lost(next.limits, old?.limits)) errors.push(fieldForbidden('spec.resources.limits', 'pod-level resource limits cannot be removed'))
  if (!sameText(withoutAmounts(next), withoutAmounts(old))) errors.push(fieldForbidden('spec', 'only cpu and memory resources are mutable at pod-level'))
  return errors
}

function validateOrder(next: PodSpec, old: PodSpec, field: 'containers' | 'initContainers'): FieldError[] {
  const [now, before] = [next[field] ?? [], old[field] ?? []]
  if (now.length !== before.length) return [fieldForbidden(`spec.${field}`, `${field} may not be added or removed on resize`)]
  return before.flatMap(({ name }, index) =>
    now[index]?.name === name ? [] : [fieldForbidden(`spec.${field}[${index}].name`, `${field} may not be renamed or reordered on resize`)],
  )
}

function lost(next: Readonly<Record<string, string>> | undefined, old: Readonly<Record<string, string>> | undefined): boolean {
  return Object.keys(old ?? {}).some((name) => amountOf(next, name) === undefined)
}

function withoutAmounts(requirements: Requirements | undefined): unknown {
  const rest = (amounts: Readonly<Record<string, string>> | undefined): unknown =>
    Object.entries(amounts ?? {})
      .filter(([name]) => !resizable.includes(name))
      .sort(([a], [b]) => (a < b ? -1 : 1))
  return [rest(requirements?.requests), rest(requirements?.limits), requirements?.claims ?? []]
}

function withoutResizable(container: Container): unknown {
  return { ...container, resources: withoutAmounts(container.resources) }
}

function sameText(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
