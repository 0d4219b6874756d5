import {
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  goQuote,
  labelKeyProblems,
  omittedValue,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { validateNotNegative } from '../apps/counts.ts'
import { compiledSelector, validateSelected } from '../apps/pod-template.ts'
import { goFields } from '../core/go-fields.ts'
import { validatePodTemplateSpec } from '../core/pod-template-validation.ts'
import type {
  Container,
  Job,
  JobSpec,
  PodFailurePolicyOnExitCodesRequirement,
  PodFailurePolicyRule,
  PodSpec,
  PodTemplateSpec,
  SuccessPolicyRule,
} from '../generated/types.ts'
import { countIndexes } from './index-intervals.ts'

// Upstream: pkg/apis/batch/validation/validation.go.

const maxIndexed = 100_000
const highCompletions = { completions: 100_000, parallelism: 10_000, failedIndexes: 10_000 } as const
const maxFailureRules = 20
const maxExitCodes = 255
const maxConditionPatterns = 20
const maxManagedByLength = 63
const maxSuccessRules = 20
const maxSucceededIndexesLength = 64 * 1024

const labels = {
  legacyUid: 'controller-uid',
  legacyName: 'job-name',
  uid: 'batch.kubernetes.io/controller-uid',
  name: 'batch.kubernetes.io/job-name',
} as const

/** The labels that a job's pods are known by. */
export function generatedLabels(name: string, uid: string): Record<string, string> {
  return { [labels.uid]: uid, [labels.name]: name, [labels.legacyUid]: uid, [labels.legacyName]: name }
}

export function isCondition({ status }: Job, type: string, is = 'True'): boolean {
  return (status?.conditions ?? []).some((condition) => condition.type === type && condition.status === is)
}

/** A selector that is not said to be written by hand has to be the generated one. Jobs from before the prefixed labels do without these. */
export function validateGeneratedSelector({ metadata, spec }: Job, old: Job | undefined): FieldError[] {
  if (spec === undefined || spec.manualSelector === true || spec.selector === undefined) return []
  const before = old?.spec?.template.metadata?.labels ?? {}
  const hasPrefixed = old === undefined || (labels.name in before && labels.uid in before)
  const [uid, name] = [metadata.uid ?? '', metadata.name ?? '']
  const errors: FieldError[] = uid === '' ? [fieldRequired('metadata.uid', '')] : []
  const { [labels.uid]: prefixedUid, [labels.name]: prefixedName, ...legacy } = generatedLabels(name, uid)
  const expected: Record<string, string> = hasPrefixed ? { ...legacy, [labels.uid]: prefixedUid ?? '', [labels.name]: prefixedName ?? '' } : legacy
  const given = spec.template.metadata?.labels ?? {}
  for (const [label, value] of Object.entries(expected)) {
    if (given[label] === undefined) errors.push(fieldRequired(`spec.template.metadata.labels[${label}]`, `must be '${value}'`))
    else if (given[label] !== value) errors.push(fieldInvalid(`spec.template.metadata.labels[${label}]`, given, `must be '${value}'`))
  }
  const selector = compiledSelector(spec.selector)
  if (selector !== undefined && !selector.matches(expected)) errors.push(fieldInvalid('spec.selector', spec.selector, '`selector` not auto-generated'))
  return errors
}

export function validateSelectedTemplate(spec: JobSpec): FieldError[] {
  const errors = spec.selector === undefined ? [fieldRequired('spec.selector', '')] : validateLabelSelector(spec.selector, 'spec.selector')
  const selector = compiledSelector(spec.selector)
  return selector === undefined ? errors : [...errors, ...validateSelected(selector, spec.template)]
}

/** What a job and a CronJob's template of one have to keep alike. */
export function validateJobSpec(spec: JobSpec, path: string): FieldError[] {
  const errors = validateNotNegative(
    spec,
    ['parallelism', 'completions', 'activeDeadlineSeconds', 'backoffLimit', 'ttlSecondsAfterFinished', 'backoffLimitPerIndex', 'maxFailedIndexes'],
    path,
  )
  if (spec.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined)
    errors.push(fieldRequired(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'))
  if (spec.managedBy !== undefined) {
    errors.push(...validatePrefixedPath(spec.managedBy, `${path}.managedBy`))
    if (spec.managedBy.length > maxManagedByLength) errors.push(fieldTooLong(`${path}.managedBy`, maxManagedByLength))
  }
  errors.push(...validateCompletionMode(spec, path))
  if (spec.podFailurePolicy !== undefined) errors.push(...validateFailurePolicy(spec, `${path}.podFailurePolicy`))
  if (spec.successPolicy !== undefined) {
    if (spec.completionMode !== 'Indexed') {
      const shown = {
        Rules: (spec.successPolicy.rules ?? []).map((rule) => ({
          SucceededIndexes: rule.succeededIndexes ?? null,
          SucceededCount: rule.succeededCount ?? null,
        })),
      }
      errors.push(fieldInvalid(`${path}.successPolicy`, shown, 'requires indexed completion mode'))
    } else errors.push(...validateSuccessPolicy(spec, `${path}.successPolicy`))
  }
  errors.push(...validateReplacementPolicy(spec, `${path}.podReplacementPolicy`), ...validatePodTemplateSpec(spec.template, `${path}.template`))
  const restart = spec.template.spec.restartPolicy ?? ''
  const at = `${path}.template.spec.restartPolicy`
  if (restart === '' || restart === 'Always') errors.push(fieldRequired(at, 'valid values: "OnFailure", "Never"'))
  else if (restart !== 'OnFailure' && restart !== 'Never') errors.push(fieldNotSupported(at, restart, ['OnFailure', 'Never']))
  else if (spec.podFailurePolicy !== undefined && restart !== 'Never')
    errors.push(fieldInvalid(at, restart, 'only "Never" is supported when podFailurePolicy is specified'))
  return errors
}

function validateCompletionMode(spec: JobSpec, path: string): FieldError[] {
  const { completionMode: mode, completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec
  const errors: FieldError[] = []
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed')
    errors.push(fieldNotSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']))
  if (mode === 'Indexed') {
    if (completions === undefined) errors.push(fieldRequired(`${path}.completions`, 'when completion mode is Indexed'))
    if (parallelism !== undefined && parallelism > maxIndexed)
      errors.push(fieldInvalid(`${path}.parallelism`, parallelism, `must be less than or equal to ${maxIndexed} when completion mode is Indexed`))
    if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions)
      errors.push(fieldInvalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'))
    if (maxFailedIndexes !== undefined && maxFailedIndexes > maxIndexed)
      errors.push(fieldInvalid(`${path}.maxFailedIndexes`, maxFailedIndexes, `must be less than or equal to ${maxIndexed}`))
    if (completions !== undefined && completions > highCompletions.completions && backoffLimitPerIndex !== undefined) {
      const when = `when completions are above ${highCompletions.completions} and used with backoff limit per index`
      if (maxFailedIndexes === undefined)
        errors.push(fieldRequired(`${path}.maxFailedIndexes`, `must be specified when completions is above ${highCompletions.completions}`))
      if (parallelism !== undefined && parallelism > highCompletions.parallelism)
        errors.push(fieldInvalid(`${path}.parallelism`, parallelism, `must be less than or equal to ${highCompletions.parallelism} ${when}`))
      if (maxFailedIndexes !== undefined && maxFailedIndexes > highCompletions.failedIndexes)
        errors.push(fieldInvalid(`${path}.maxFailedIndexes`, maxFailedIndexes, `must be less than or equal to ${highCompletions.failedIndexes} ${when}`))
    }
  }
  if (mode === undefined || mode === 'NonIndexed') {
    if (backoffLimitPerIndex !== undefined) errors.push(fieldInvalid(`${path}.backoffLimitPerIndex`, backoffLimitPerIndex, 'requires indexed completion mode'))
    if (maxFailedIndexes !== undefined) errors.push(fieldInvalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'requires indexed completion mode'))
  }
  return errors
}

/** `example.com/controller`. */
function validatePrefixedPath(text: string, path: string): FieldError[] {
  if (text === '') return [fieldRequired(path, '')]
  const slash = text.indexOf('/')
  const [host, rest] = slash < 0 ? [text, ''] : [text.slice(0, slash), text.slice(slash + 1)]
  if (slash < 0 || host === '' || rest === '') return [fieldInvalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
  const errors = dns1123SubdomainProblems(host).map((problem) => fieldInvalid(path, host, problem))
  if (errors.length > 0) return errors
  if (!/^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/.test(rest)) errors.push(fieldInvalid(path, rest, `Invalid path (regex used for validation is '${pathFormat}')`))
  return errors
}

const pathFormat = `[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+`

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore']

function validateFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? []
  const errors: FieldError[] = rules.length > maxFailureRules ? [fieldTooMany(`${path}.rules`, rules.length, maxFailureRules)] : []
  const { containers, initContainers } = spec.template.spec
  const names = new Set([...(containers ?? []), ...(initContainers ?? [])].map(({ name }) => name))
  rules.forEach((rule, index) => errors.push(...validateFailureRule(spec, rule, { path: `${path}.rules[${index}]`, names })))
  return errors
}

function validateFailureRule(spec: JobSpec, rule: PodFailurePolicyRule, at: { readonly path: string; readonly names: ReadonlySet<string> }): FieldError[] {
  const { path, names } = at
  const errors: FieldError[] = []
  const action = rule.action ?? ''
  if (action === '') errors.push(fieldRequired(`${path}.action`, validValues(actions)))
  else if (action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined) errors.push(fieldInvalid(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set'))
  } else if (!actions.includes(action)) errors.push(fieldNotSupported(`${path}.action`, action, actions))
  const conditions = rule.onPodConditions ?? []
  if (rule.onExitCodes !== undefined) errors.push(...validateExitCodes(rule.onExitCodes, `${path}.onExitCodes`, names))
  if (conditions.length > maxConditionPatterns) errors.push(fieldTooMany(`${path}.onPodConditions`, conditions.length, maxConditionPatterns))
  const statuses = ['False', 'True', 'Unknown']
  conditions.forEach((pattern, index) => {
    const on = `${path}.onPodConditions[${index}]`
    for (const problem of labelKeyProblems(pattern.type ?? '')) errors.push(fieldInvalid(`${on}.type`, pattern.type ?? '', problem))
    const status = pattern.status ?? ''
    if (status === '') errors.push(fieldRequired(`${on}.status`, validValues(statuses)))
    else if (!statuses.includes(status)) errors.push(fieldNotSupported(`${on}.status`, status, statuses))
  })
  if (rule.onExitCodes !== undefined && conditions.length > 0)
    errors.push(fieldInvalid(path, omittedValue, 'specifying both OnExitCodes and OnPodConditions is not supported'))
  if (rule.onExitCodes === undefined && conditions.length === 0)
    errors.push(fieldInvalid(path, omittedValue, 'specifying one of OnExitCodes and OnPodConditions is required'))
  return errors
}

function validValues(values: readonly string[]): string {
  return `valid values: [${values.map(goQuote).join(' ')}]`
}

function validateExitCodes(codes: PodFailurePolicyOnExitCodesRequirement, path: string, names: ReadonlySet<string>): FieldError[] {
  const errors: FieldError[] = []
  const operator = codes.operator ?? ''
  if (operator === '') errors.push(fieldRequired(`${path}.operator`, validValues(['In', 'NotIn'])))
  else if (operator !== 'In' && operator !== 'NotIn') errors.push(fieldNotSupported(`${path}.operator`, operator, ['In', 'NotIn']))
  if (codes.containerName !== undefined && !names.has(codes.containerName))
    errors.push(fieldInvalid(`${path}.containerName`, codes.containerName, 'must be one of the container or initContainer names in the pod template'))
  const values = codes.values ?? []
  if (values.length === 0) errors.push(fieldInvalid(`${path}.values`, codes.values ?? null, 'at least one value is required'))
  else if (values.length > maxExitCodes) errors.push(fieldTooMany(`${path}.values`, values.length, maxExitCodes))
  const seen = new Set<number>()
  values.forEach((value, index) => {
    if (operator === 'In' && value === 0) errors.push(fieldInvalid(`${path}.values[${index}]`, value, 'must not be 0 for the In operator'))
    if (seen.has(value)) errors.push(fieldDuplicate(`${path}.values[${index}]`, value))
    seen.add(value)
  })
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value)) errors.push(fieldInvalid(`${path}.values`, values, 'must be ordered'))
  return errors
}

function validateSuccessPolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.successPolicy?.rules ?? []
  const errors: FieldError[] = []
  if (rules.length === 0) errors.push(fieldRequired(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified'))
  if (rules.length > maxSuccessRules) errors.push(fieldTooMany(`${path}.rules`, rules.length, maxSuccessRules))
  rules.forEach((rule, index) => errors.push(...validateSuccessRule(rule, spec.completions ?? 0, `${path}.rules[${index}]`)))
  return errors
}

function validateSuccessRule({ succeededCount, succeededIndexes }: SuccessPolicyRule, completions: number, path: string): FieldError[] {
  if (succeededCount === undefined && succeededIndexes === undefined)
    return [fieldRequired(path, 'at least one of succeededCount or succeededIndexes must be specified')]
  const errors: FieldError[] = []
  let total = 0
  if (succeededIndexes !== undefined) {
    const at = `${path}.succeededIndexes`
    if (succeededIndexes.length > maxSucceededIndexesLength) errors.push(fieldTooLong(at, maxSucceededIndexesLength))
    const counted = countIndexes(succeededIndexes, completions)
    if (counted.problem === undefined) total = counted.total
    else errors.push(fieldInvalid(at, succeededIndexes, `error parsing succeededIndexes: ${counted.problem}`))
  }
  if (succeededCount === undefined) return errors
  const at = `${path}.succeededCount`
  errors.push(...validateNotNegative({ succeededCount }, ['succeededCount'], path))
  if (succeededCount > completions)
    errors.push(fieldInvalid(at, succeededCount, `must be less than or equal to ${completions} (the number of specified completions)`))
  if (succeededIndexes !== undefined && succeededCount > total)
    errors.push(fieldInvalid(at, succeededCount, `must be less than or equal to ${total} (the number of indexes in the specified succeededIndexes field)`))
  return errors
}

function validateReplacementPolicy({ podReplacementPolicy: policy, podFailurePolicy }: JobSpec, path: string): FieldError[] {
  if (policy === undefined) return []
  const supported = podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed']
  return supported.includes(policy) ? [] : [fieldNotSupported(path, policy, supported)]
}

/** Fields that upstream shows in its internal types. */
const internalTypes: Partial<Record<keyof JobSpec, string>> = { podFailurePolicy: 'PodFailurePolicy', successPolicy: 'SuccessPolicy' }

export function validateJobUpdate(next: Job, old: Job): FieldError[] {
  const [spec, before] = [next.spec, old.spec]
  if (spec === undefined || before === undefined) return []
  const errors = validateCompletionsUpdate(spec, before)
  const fixed = (field: keyof JobSpec): void => {
    if (JSON.stringify(spec[field]) === JSON.stringify(before[field])) return
    const [value, type] = [spec[field], internalTypes[field]]
    const shown = type !== undefined && typeof value === 'object' ? goFields(type, value) : (value ?? null)
    errors.push(fieldInvalid(`spec.${field}`, shown, fieldIsImmutable))
  }
  fixed('selector')
  errors.push(...validateTemplateUpdate(spec, old, before))
  for (const field of ['completionMode', 'podFailurePolicy', 'backoffLimitPerIndex', 'managedBy', 'successPolicy'] as const) fixed(field)
  return errors
}

/** Completions are fixed; those of an Indexed Job may be changed together with its parallelism. */
function validateCompletionsUpdate(spec: JobSpec, old: JobSpec): FieldError[] {
  if (spec.completions === old.completions) return []
  if (spec.completionMode !== 'Indexed') return [fieldInvalid('spec.completions', spec.completions ?? null, fieldIsImmutable)]
  if (spec.completions === undefined || spec.completions === spec.parallelism) return []
  return [fieldInvalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism')]
}

/** The template is fixed; while a job is suspended and nothing of it runs, where its pods go and what they ask for may change. */
function validateTemplateUpdate(spec: JobSpec, old: Job, before: JobSpec): FieldError[] {
  const isSuspended = before.suspend === true
  const isIdle = isSuspended && (old.status?.startTime === undefined || isCondition(old, 'Suspended')) && (old.status?.active ?? 0) === 0
  const comparable = (template: PodTemplateSpec): string => JSON.stringify(isIdle ? withoutMutableParts(template) : template)
  if (comparable(spec.template) === comparable(before.template)) return []
  return isIdle
    ? [fieldInvalid('spec.template.spec', goFields('PodSpec', spec.template.spec), fieldIsImmutable)]
    : [fieldInvalid('spec.template', templateText(spec.template), fieldIsImmutable)]
}

/** A template as upstream's messages show it. */
function templateText({ metadata, spec }: PodTemplateSpec): object {
  const { creationTimestamp, ...meta } = metadata ?? {}
  return { ...meta, ...((creationTimestamp ?? null) !== null && { creationTimestamp }), Spec: goFields('PodSpec', spec) }
}

function withoutMutableParts({ spec }: PodTemplateSpec): PodSpec {
  const sized = (containers: PodSpec['containers'] | undefined): Container[] => (containers ?? []).map((container) => ({ ...container, resources: undefined }))
  const { podAffinity, podAntiAffinity } = spec.affinity ?? {}
  return {
    ...spec,
    containers: sized(spec.containers),
    initContainers: sized(spec.initContainers),
    affinity: podAffinity === undefined && podAntiAffinity === undefined ? undefined : { podAffinity, podAntiAffinity },
    nodeSelector: undefined,
    tolerations: undefined,
    schedulingGates: undefined,
  }
}
