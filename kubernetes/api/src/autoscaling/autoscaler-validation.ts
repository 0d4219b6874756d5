import {
  compareQuantities,
  dns1123LabelProblems,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  parseQuantity,
  pathSegmentProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { validateContainerResourceName } from '../core/resource-names.ts'
import type {
  CrossVersionObjectReference,
  HPAScalingRules,
  HorizontalPodAutoscalerSpec,
  MetricIdentifier,
  MetricSpec,
  MetricTarget,
} from '../generated/types.ts'

const maxPeriodSeconds = 1800
const maxStabilizationWindowSeconds = 3600
const zero = parseQuantity('0')

/** Whether an apiVersion is looked at, and may lack its group. */
interface ReferenceRules {
  readonly anyApiVersion: boolean
  readonly emptyGroup: boolean
}

/**
 * Upstream: pkg/apis/autoscaling/validation. What was wrong in `old` and has not changed may stay: a target's apiVersion, and scaling to zero.
 */
export function validateAutoscaler(spec: HorizontalPodAutoscalerSpec, old: HorizontalPodAutoscalerSpec | undefined): FieldError[] {
  const errors: FieldError[] = []
  const lowest = old?.minReplicas === 0 ? 0 : 1
  const { minReplicas, scaleTargetRef: target } = spec
  const maxReplicas = spec.maxReplicas ?? 0
  if (minReplicas !== undefined && minReplicas < lowest)
    errors.push(fieldInvalid('spec.minReplicas', minReplicas, `must be greater than or equal to ${lowest}`))
  if (maxReplicas === 0) errors.push(fieldRequired('spec.maxReplicas', 'must be set and greater than 0'))
  else if (maxReplicas < 0) errors.push(fieldInvalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to 1'))
  if (minReplicas !== undefined && maxReplicas < minReplicas)
    errors.push(fieldInvalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'))
  const isSameTarget = old !== undefined && old.scaleTargetRef?.apiVersion === target?.apiVersion && old.scaleTargetRef?.kind === target?.kind
  errors.push(
    ...validateReference(target, 'spec.scaleTargetRef', { anyApiVersion: isSameTarget, emptyGroup: !isSameTarget && target?.kind === 'ReplicationController' }),
  )
  errors.push(...validateMetrics(spec, old))
  if (spec.behavior !== undefined) {
    errors.push(
      ...validateScalingRules(spec.behavior.scaleUp, 'spec.behavior.scaleUp'),
      ...validateScalingRules(spec.behavior.scaleDown, 'spec.behavior.scaleDown'),
    )
  }
  return errors
}

function validateReference(reference: CrossVersionObjectReference | undefined, path: string, rules: ReferenceRules): FieldError[] {
  const errors: FieldError[] = []
  for (const field of ['kind', 'name'] as const) {
    const value = reference?.[field] ?? ''
    if (value === '') errors.push(fieldRequired(`${path}.${field}`, ''))
    else for (const problem of pathSegmentProblems(value)) errors.push(fieldInvalid(`${path}.${field}`, value, problem))
  }
  const problem = rules.anyApiVersion ? undefined : apiVersionProblem(reference?.apiVersion ?? '', rules.emptyGroup)
  if (problem !== undefined) errors.push(fieldInvalid(`${path}.apiVersion`, reference?.apiVersion ?? '', problem))
  return errors
}

function apiVersionProblem(apiVersion: string, emptyGroup: boolean): string | undefined {
  const parts = apiVersion.split('/')
  if (parts.length > 2) return `unexpected GroupVersion string: ${apiVersion}`
  const group = parts.length === 2 ? parts[0] : ''
  return group === '' && !emptyGroup ? 'apiVersion must specify API group' : undefined
}

function validateMetrics(spec: HorizontalPodAutoscalerSpec, old: HorizontalPodAutoscalerSpec | undefined): FieldError[] {
  const wasInvalid = (old?.metrics ?? []).some(
    (metric) =>
      metric.type === 'Object' && metric.object !== undefined && apiVersionProblem(metric.object.describedObject.apiVersion ?? '', true) !== undefined,
  )
  const metrics = spec.metrics ?? []
  const errors = metrics.flatMap((metric, index) => validateMetric(metric, `spec.metrics[${index}]`, { anyApiVersion: wasInvalid, emptyGroup: true }))
  if (spec.minReplicas === 0 && !metrics.some(({ type }) => type === 'Object' || type === 'External'))
    errors.push(fieldForbidden('spec.metrics', 'must specify at least one Object or External metric to support scaling to zero replicas'))
  return errors
}

const sourceOfType: Readonly<Record<string, keyof MetricSpec>> = {
  ContainerResource: 'containerResource',
  External: 'external',
  Object: 'object',
  Pods: 'pods',
  Resource: 'resource',
}
const metricTypes = Object.keys(sourceOfType)

function validateMetric(metric: MetricSpec, path: string, rules: ReferenceRules): FieldError[] {
  const errors: FieldError[] = []
  const type = metric.type ?? ''
  const expected = sourceOfType[type]
  if (type === '') errors.push(fieldRequired(`${path}.type`, 'must specify a metric source type'))
  if (expected === undefined) errors.push(fieldNotSupported(`${path}.type`, type, metricTypes))
  const present = (['object', 'external', 'pods', 'resource', 'containerResource'] as const).filter((source) => metric[source] !== undefined)
  const [first] = present
  if (first !== undefined) errors.push(...validateSource(metric, first, { path: `${path}.${first}`, rules }))
  if (expected === undefined) errors.push(fieldNotSupported(`${path}.type`, type, metricTypes))
  else if (metric[expected] === undefined) errors.push(fieldRequired(`${path}.${expected}`, 'must populate information for the given metric source'))
  if (present.length !== 1)
    for (const source of present) if (source !== expected) errors.push(fieldForbidden(`${path}.${source}`, 'must populate the given metric source only'))
  return errors
}

function validateSource(
  metric: MetricSpec,
  source: 'object' | 'external' | 'pods' | 'resource' | 'containerResource',
  { path, rules }: { readonly path: string; readonly rules: ReferenceRules },
): FieldError[] {
  const { object, external, pods, resource, containerResource } = metric
  const at = `${path}.target`
  if (source === 'object' && object !== undefined) {
    const errors = [
      ...validateReference(object.describedObject, `${path}.describedObject`, rules),
      ...validateIdentifier(object.metric, `${path}.metric`),
      ...validateTarget(object.target, at),
    ]
    if (object.target?.value === undefined && object.target?.averageValue === undefined)
      errors.push(fieldRequired(`${at}.averageValue`, 'must set either a target value or averageValue'))
    return errors
  }
  if (source === 'external' && external !== undefined) {
    const errors = [...validateIdentifier(external.metric, `${path}.metric`), ...validateTarget(external.target, at)]
    const { value, averageValue } = external.target ?? {}
    if (value === undefined && averageValue === undefined)
      errors.push(fieldRequired(`${at}.averageValue`, 'must set either a target value for metric or a per-pod target'))
    if (value !== undefined && averageValue !== undefined)
      errors.push(fieldForbidden(`${at}.value`, 'may not set both a target value for metric and a per-pod target'))
    return errors
  }
  if (source === 'pods' && pods !== undefined) {
    const errors = [...validateIdentifier(pods.metric, `${path}.metric`), ...validateTarget(pods.target, at)]
    if (pods.target?.averageValue === undefined) errors.push(fieldRequired(`${at}.averageValue`, 'must specify a positive target averageValue'))
    return errors
  }
  const errors: FieldError[] = []
  const name = (resource ?? containerResource)?.name ?? ''
  if (name === '') errors.push(fieldRequired(`${path}.name`, 'must specify a resource name'))
  else if (source === 'containerResource') errors.push(...validateContainerResourceName(name, `${path}.name`))
  if (source === 'containerResource') {
    const container = containerResource?.container ?? ''
    if (container === '') errors.push(fieldRequired(`${path}.container`, 'must specify a container'))
    else for (const problem of dns1123LabelProblems(container)) errors.push(fieldInvalid(`${path}.container`, container, problem))
  }
  const target = (source === 'resource' ? resource : containerResource)?.target
  errors.push(...validateTarget(target, at))
  if (target?.averageUtilization === undefined && target?.averageValue === undefined)
    errors.push(fieldRequired(`${at}.averageUtilization`, 'must set either a target raw value or a target utilization'))
  if (target?.averageUtilization !== undefined && target.averageValue !== undefined)
    errors.push(fieldForbidden(`${at}.averageValue`, 'may not set both a target raw value and a target utilization'))
  return errors
}

const targetTypes = ['Utilization', 'Value', 'AverageValue']

function validateTarget(target: MetricTarget | undefined, path: string): FieldError[] {
  const errors: FieldError[] = []
  const type = target?.type ?? ''
  if (type === '') errors.push(fieldRequired(`${path}.type`, 'must specify a metric target type'))
  if (!targetTypes.includes(type)) errors.push(fieldInvalid(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue'))
  for (const field of ['value', 'averageValue'] as const) {
    const amount = target?.[field]
    if (amount !== undefined && compareQuantities(parseQuantity(amount), zero) <= 0) errors.push(fieldInvalid(`${path}.${field}`, amount, 'must be positive'))
  }
  const utilization = target?.averageUtilization
  if (utilization !== undefined && utilization < 1) errors.push(fieldInvalid(`${path}.averageUtilization`, utilization, 'must be greater than 0'))
  return errors
}

function validateIdentifier(metric: MetricIdentifier | undefined, path: string): FieldError[] {
  const name = metric?.name ?? ''
  if (name === '') return [fieldRequired(`${path}.name`, 'must specify a metric name')]
  return pathSegmentProblems(name).map((problem) => fieldInvalid(`${path}.name`, name, problem))
}

function validateScalingRules(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (rules === undefined) return []
  const errors: FieldError[] = []
  const window = rules.stabilizationWindowSeconds
  if (window !== undefined && window < 0) errors.push(fieldInvalid(`${path}.stabilizationWindowSeconds`, window, 'must be greater than or equal to zero'))
  if (window !== undefined && window > maxStabilizationWindowSeconds)
    errors.push(fieldInvalid(`${path}.stabilizationWindowSeconds`, window, `must be less than or equal to ${maxStabilizationWindowSeconds}`))
  if (rules.selectPolicy !== undefined && !['Disabled', 'Max', 'Min'].includes(rules.selectPolicy))
    errors.push(fieldNotSupported(`${path}.selectPolicy`, rules.selectPolicy, ['Disabled', 'Max', 'Min']))
  if ((rules.policies ?? []).length === 0) errors.push(fieldRequired(`${path}.policies`, 'must specify at least one Policy'))
  for (const [index, policy] of (rules.policies ?? []).entries()) {
    const at = `${path}.policies[${index}]`
    const type = policy.type ?? ''
    const [value, period] = [policy.value ?? 0, policy.periodSeconds ?? 0]
    if (type !== 'Pods' && type !== 'Percent') errors.push(fieldNotSupported(`${at}.type`, type, ['Percent', 'Pods']))
    if (value <= 0) errors.push(fieldInvalid(`${at}.value`, value, 'must be greater than zero'))
    if (period <= 0) errors.push(fieldInvalid(`${at}.periodSeconds`, period, 'must be greater than zero'))
    if (period > maxPeriodSeconds) errors.push(fieldInvalid(`${at}.periodSeconds`, period, `must be less than or equal to ${maxPeriodSeconds}`))
  }
  if (rules.tolerance !== undefined && compareQuantities(parseQuantity(rules.tolerance), zero) < 0)
    errors.push(fieldInvalid(`${path}.tolerance`, rules.tolerance, 'must be greater than or equal to 0'))
  return errors
}
