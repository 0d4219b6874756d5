import { formatFieldError, invalidError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { AdmissionPlugin, AdmissionRequest, ApiObject } from '@gantry/apiserver'
import { qualified, refusal } from '@gantry/apiserver'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { CronJob, Deployment, Namespace, ObjectMeta, Pod, PodSpec, PodTemplate, PodTemplateSpec } from '../../generated/types.ts'
import { as } from '../../kind.ts'
import { compareLevels, isSameLevel, policyOf, privilegedPolicy } from './pod-security-policy.ts'
import type { Policy } from './pod-security-policy.ts'
import { formatDetails, formatLevelVersion, formatReasons, violationsOf } from './pod-security-standards.ts'
import type { LevelVersion } from './pod-security-standards.ts'

export interface PodSecurityDeps {
  readonly namespaceOf: (name: string) => ApiObject | undefined
  readonly podsIn: (namespace: string) => Iterable<ApiObject>
}

// Upstream: pod-security-admission admission/admission.go.
const ignoredPodSubresources: ReadonlySet<string> = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status'])
const prefix = 'pod-security.kubernetes.io/'
const enforcedAnnotation = `${prefix}enforce-policy`
const mostPodsChecked = 3000
/** Pods that are checked before others get their turn. */
const podsAtOnce = 50

type Template = PodTemplateSpec | undefined

const fromSpec = (object: ApiObject): Template => as<Deployment>(object).spec?.template
const templates: Readonly<Record<string, (object: ApiObject) => Template>> = {
  podtemplates: (object) => as<PodTemplate>(object).template,
  replicationcontrollers: fromSpec,
  'replicasets.apps': fromSpec,
  'deployments.apps': fromSpec,
  'statefulsets.apps': fromSpec,
  'daemonsets.apps': fromSpec,
  'jobs.batch': fromSpec,
  'cronjobs.batch': (object) => as<CronJob>(object).spec?.jobTemplate?.spec?.template,
}

/** Pods keep to the Pod Security Standards that the labels of their namespace name; templates of pods that would not are warned about (M7). */
export function podSecurity(deps: PodSecurityDeps): AdmissionPlugin {
  return {
    name: 'PodSecurity',
    validate(request) {
      const { operation, object } = request
      if (object === undefined || (operation !== 'CREATE' && operation !== 'UPDATE')) return undefined
      const resource = qualified(request.definition)
      if (resource === 'namespaces') return validateNamespace(deps, request, object)
      if (resource === 'pods') validatePod(deps, request, object)
      else if (request.subresource === '') {
        const template = templates[resource]?.(object)
        if (template?.spec !== undefined) warnOfTemplate(deps, request, template)
      }
      return undefined
    },
  }
}

function policyFor(deps: PodSecurityDeps, namespace: string | undefined): ReturnType<typeof policyOf> {
  return policyOf(deps.namespaceOf(namespace ?? '')?.metadata.labels)
}

function validatePod(deps: PodSecurityDeps, request: AdmissionRequest, object: ApiObject): void {
  if (ignoredPodSubresources.has(request.subresource)) return
  const { policy, errors } = policyFor(deps, request.namespace)
  if (isFullyPrivileged(policy)) {
    request.context.annotate?.(enforcedAnnotation, formatLevelVersion(privilegedPolicy.enforce))
    return
  }
  const { spec, metadata } = as<Pod>(object)
  if (request.oldObject !== undefined && !changesImages(spec, as<Pod>(request.oldObject).spec)) return
  noteErrors(request, errors)
  request.context.annotate?.(enforcedAnnotation, formatLevelVersion(policy.enforce))
  const violations = violationsOf(policy.enforce, spec, metadata)
  auditAgainst(request, policy, { spec, metadata })
  if (violations.length > 0) {
    throw refusal(request, `violates PodSecurity ${JSON.stringify(formatLevelVersion(policy.enforce))}: ${formatDetails(violations)}`)
  }
  warn(request, policy, { spec, metadata })
}

function warnOfTemplate(deps: PodSecurityDeps, request: AdmissionRequest, template: PodTemplateSpec): void {
  const { policy, errors } = policyFor(deps, request.namespace)
  if (policy.warn.level === 'privileged' && policy.audit.level === 'privileged') return
  const pod = { spec: template.spec as PodSpec, metadata: template.metadata ?? {} }
  noteErrors(request, errors)
  auditAgainst(request, policy, pod)
  warn(request, policy, pod)
}

function isFullyPrivileged({ enforce, audit, warn: warned }: Policy): boolean {
  return enforce.level === 'privileged' && audit.level === 'privileged' && warned.level === 'privileged'
}

function noteErrors({ context }: AdmissionRequest, errors: readonly FieldError[]): void {
  if (errors.length > 0) context.annotate?.(`${prefix}error`, `Failed to parse policy: ${errors.map(formatFieldError).join(', ')}`)
}

interface CheckedPod {
  readonly spec: PodSpec
  readonly metadata: ObjectMeta
}

function wouldViolate(levelVersion: LevelVersion, { spec, metadata }: CheckedPod): string | undefined {
  const violations = violationsOf(levelVersion, spec, metadata)
  if (violations.length === 0) return undefined
  return `would violate PodSecurity ${JSON.stringify(formatLevelVersion(levelVersion))}: ${formatDetails(violations)}`
}

function auditAgainst({ context }: AdmissionRequest, { audit }: Policy, pod: CheckedPod): void {
  const text = context.annotate === undefined ? undefined : wouldViolate(audit, pod)
  if (text !== undefined) context.annotate?.(`${prefix}audit-violations`, text)
}

function warn(request: AdmissionRequest, policy: Policy, pod: CheckedPod): void {
  const text = wouldViolate(policy.warn, pod)
  if (text !== undefined) request.context.warn(text)
}

/** Of what may change in a pod only images matter, and ephemeral containers that are new. */
function changesImages(spec: PodSpec, old: PodSpec): boolean {
  const differ = (now: readonly { readonly image?: string | undefined }[], before: readonly { readonly image?: string | undefined }[]): boolean =>
    now.length !== before.length || now.some((container, index) => container.image !== before[index]?.image)
  if (differ(spec.containers ?? [], old.containers ?? []) || differ(spec.initContainers ?? [], old.initContainers ?? [])) return true
  const before = new Map((old.ephemeralContainers ?? []).map(({ name, image }) => [name, image]))
  return (spec.ephemeralContainers ?? []).some(({ name, image }) => !before.has(name) || before.get(name) !== image)
}

async function validateNamespace(deps: PodSecurityDeps, request: AdmissionRequest, object: ApiObject): Promise<void> {
  if (request.subresource !== '') return
  const { policy, errors } = policyOf(object.metadata.labels)
  if (request.oldObject === undefined) {
    if (errors.length > 0) throw invalidError(request.definition, object.metadata.name, errors)
    return
  }
  const old = policyOf(as<Namespace>(request.oldObject).metadata.labels)
  if (errors.length > 0 && JSON.stringify(errors) !== JSON.stringify(old.errors)) throw invalidError(request.definition, object.metadata.name, errors)
  const { enforce } = policy
  if (isSameLevel(enforce, old.policy.enforce) || enforce.level === 'privileged') return
  if (enforce.minor === old.policy.enforce.minor && compareLevels(enforce.level, old.policy.enforce.level) <= 0) return
  for (const warning of await warningsOfPods(deps, object.metadata.name, enforce)) request.context.warn(warning)
}

/** What the pods that are there would break of a new level: one line for all that break the same. */
async function warningsOfPods(deps: PodSecurityDeps, namespace: string, enforce: LevelVersion): Promise<string[]> {
  const { pods, count } = await podsToCheck(deps.podsIn(namespace))
  const broken = new Map<string, { name: string; count: number }>()
  for (const [index, { spec, metadata }] of pods.entries()) {
    if (index % podsAtOnce === podsAtOnce - 1) await nextTurn()
    const violations = violationsOf(enforce, spec, metadata)
    if (violations.length === 0) continue
    const reasons = formatReasons(violations)
    const name = metadata.name ?? ''
    const found = broken.get(reasons)
    if (found === undefined) broken.set(reasons, { name, count: 1 })
    else {
      found.count++
      if (name < found.name) found.name = name
    }
  }
  const warnings: string[] = []
  if (count > pods.length) warnings.push(`new PodSecurity enforce level only checked against the first ${pods.length} of ${count} existing pods`)
  if (broken.size > 0) {
    warnings.push(
      `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${JSON.stringify(formatLevelVersion(enforce))}`,
    )
  }
  const lines = [...broken].map(([reasons, { name, count: alike }]) => {
    const others = alike === 1 ? '' : alike === 2 ? ' (and 1 other pod)' : ` (and ${alike - 1} other pods)`
    return `${name}${others}: ${reasons}`
  })
  return [...warnings, ...lines.sort()]
}

/** As many pods as are checked, and how many there are. Pods of one owner are alike: the others come after the first of each. */
async function podsToCheck(objects: Iterable<ApiObject>): Promise<{ readonly pods: readonly Pod[]; readonly count: number }> {
  const seen = new Set<string>()
  const first: Pod[] = []
  const others: Pod[] = []
  let count = 0
  for (const object of objects) {
    if (++count % podsAtOnce === 0) await nextTurn()
    const owner = object.metadata.ownerReferences?.find((reference) => reference.controller === true)?.uid
    const isAnother = owner !== undefined && seen.has(owner)
    if (owner !== undefined) seen.add(owner)
    const list = isAnother ? others : first
    if (list.length < mostPodsChecked) list.push(as<Pod>(object))
  }
  return { pods: [...first, ...others].slice(0, mostPodsChecked), count }
}
