import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  labelValueProblems,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinityTerm,
  PodAntiAffinity,
  Toleration,
  TopologySpreadConstraint,
} from '../generated/types.ts'

// Where a pod wants to run. Upstream: pkg/apis/core/validation.

export function validateAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  if (affinity === undefined) return []
  const errors: FieldError[] = []
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity
  if (nodeAffinity !== undefined) {
    const at = `${path}.nodeAffinity`
    const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution: preferred = [] } = nodeAffinity
    if (required !== undefined) errors.push(...validateNodeSelector(required, `${at}.requiredDuringSchedulingIgnoredDuringExecution`))
    preferred.forEach((term, index) => {
      const place = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
      errors.push(...validateWeight(term.weight, place), ...validateTerm(term.preference ?? {}, `${place}.preference`, false))
    })
  }
  if (podAffinity !== undefined) errors.push(...validatePodAffinity(podAffinity, `${path}.podAffinity`))
  if (podAntiAffinity !== undefined) errors.push(...validatePodAffinity(podAntiAffinity, `${path}.podAntiAffinity`))
  return errors
}

function validateWeight(weight: number | undefined, path: string): FieldError[] {
  const value = weight ?? 0
  return value <= 0 || value > 100 ? [fieldInvalid(`${path}.weight`, value, 'must be in the range 1-100')] : []
}

export function validateNodeSelector({ nodeSelectorTerms }: NodeSelector, path: string): FieldError[] {
  // A required list that is absent is null.
  if (nodeSelectorTerms === null || nodeSelectorTerms === undefined || nodeSelectorTerms.length === 0)
    return [fieldRequired(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')]
  return nodeSelectorTerms.flatMap((term, index) => validateTerm(term, `${path}.nodeSelectorTerms[${index}]`, true))
}

/** `checksValues`: label values of preferences are not looked at. */
function validateTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, path: string, checksValues: boolean): FieldError[] {
  return [
    ...matchExpressions.flatMap((requirement, index) => validateRequirement(requirement, `${path}.matchExpressions[${index}]`, checksValues)),
    ...matchFields.flatMap((requirement, index) => validateFieldRequirement(requirement, `${path}.matchFields[${index}]`)),
  ]
}

const badOperator = 'not a valid selector operator'

function validateRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string, checksValues: boolean): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0) errors.push(fieldRequired(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0) errors.push(fieldForbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  } else if (operator === 'Gt' || operator === 'Lt') {
    if (values.length !== 1) errors.push(fieldRequired(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
  } else errors.push(fieldInvalid(`${path}.operator`, operator, badOperator))
  errors.push(...labelKeyProblems(key).map((problem) => fieldInvalid(`${path}.key`, key, problem)))
  if (checksValues) {
    values.forEach((value, index) => errors.push(...labelValueProblems(value).map((problem) => fieldInvalid(`${path}.values[${index}]`, value, problem))))
  }
  return errors
}

function validateFieldRequirement({ key, operator, values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length !== 1) errors.push(fieldRequired(`${path}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
  } else errors.push(fieldInvalid(`${path}.operator`, operator, badOperator))
  if (key !== 'metadata.name') errors.push(fieldInvalid(`${path}.key`, key, 'not a valid field selector key'))
  else {
    values.forEach((value, index) => errors.push(...dns1123SubdomainProblems(value).map((problem) => fieldInvalid(`${path}.values[${index}]`, value, problem))))
  }
  return errors
}

function validatePodAffinity(affinity: PodAntiAffinity, path: string): FieldError[] {
  const { requiredDuringSchedulingIgnoredDuringExecution: required = [], preferredDuringSchedulingIgnoredDuringExecution: preferred = [] } = affinity
  return [
    ...required.flatMap((term, index) => validatePodTerm(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${index}]`)),
    ...preferred.flatMap((term, index) => {
      const at = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${index}]`
      return [...validateWeight(term.weight, at), ...validatePodTerm(term.podAffinityTerm ?? { topologyKey: '' }, `${at}.podAffinityTerm`)]
    }),
  ]
}

function validatePodTerm(term: PodAffinityTerm, path: string): FieldError[] {
  const { topologyKey } = term
  return [
    ...validateLabelSelector(term.labelSelector, `${path}.labelSelector`),
    ...validateLabelSelector(term.namespaceSelector, `${path}.namespaceSelector`),
    ...(term.namespaces ?? []).flatMap((name) => dns1123LabelProblems(name).map((problem) => fieldInvalid(`${path}.namespace`, name, problem))),
    ...validateKeysOfPod(term, path),
    ...(topologyKey === '' ? [fieldRequired(`${path}.topologyKey`, 'can not be empty')] : []),
    ...labelKeyProblems(topologyKey).map((problem) => fieldInvalid(`${path}.topologyKey`, topologyKey, problem)),
  ]
}

interface KeysOfPod {
  readonly matchLabelKeys?: readonly string[] | undefined
  readonly mismatchLabelKeys?: readonly string[] | undefined
  readonly labelSelector?: LabelSelector | undefined
}

/** Keys whose values come from the pod's own labels. The strategy has added them to the selector by now, so one that stands there twice was there before. */
function validateKeysOfPod({ matchLabelKeys = [], mismatchLabelKeys = [], labelSelector }: KeysOfPod, path: string): FieldError[] {
  const errors = [
    ...validateKeys(matchLabelKeys, labelSelector, `${path}.matchLabelKeys`),
    ...validateKeys(mismatchLabelKeys, labelSelector, `${path}.mismatchLabelKeys`),
  ]
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}))
  for (const { key } of labelSelector?.matchExpressions ?? []) {
    const index = matchLabelKeys.lastIndexOf(key)
    if (index >= 0 && seen.has(key)) errors.push(fieldInvalid(`${path}[${index}]`, key, 'exists in both matchLabelKeys and labelSelector'))
    seen.add(key)
  }
  matchLabelKeys.forEach((key, index) => {
    if (mismatchLabelKeys.includes(key))
      errors.push(fieldInvalid(`${path}.matchLabelKeys[${index}]`, key, 'exists in both matchLabelKeys and mismatchLabelKeys'))
  })
  return errors
}

function validateKeys(keys: readonly string[], labelSelector: LabelSelector | undefined, path: string): FieldError[] {
  if (keys.length === 0) return []
  if (labelSelector === undefined) return [fieldForbidden(path, 'must not be specified when labelSelector is not set')]
  return keys.flatMap((key, index) => labelKeyProblems(key).map((problem) => fieldInvalid(`${path}[${index}]`, key, problem)))
}

const actions = ['DoNotSchedule', 'ScheduleAnyway']
const inclusionPolicies = ['Honor', 'Ignore']

export function validateTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  return constraints.flatMap((constraint, index) => {
    const at = `${path}[${index}]`
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint
    const errors: FieldError[] = []
    if (maxSkew <= 0) errors.push(fieldInvalid(`${at}.maxSkew`, maxSkew, 'must be greater than zero'))
    if (topologyKey === '') errors.push(fieldRequired(`${at}.topologyKey`, 'can not be empty'))
    if (!actions.includes(whenUnsatisfiable)) errors.push(fieldNotSupported(`${at}.whenUnsatisfiable`, whenUnsatisfiable, actions))
    const isRepeated = constraints
      .slice(index + 1)
      .some((other) => (other.topologyKey ?? '') === topologyKey && (other.whenUnsatisfiable ?? '') === whenUnsatisfiable)
    if (isRepeated) errors.push(fieldDuplicate(`${at}.{topologyKey, whenUnsatisfiable}`, `{${topologyKey}, ${whenUnsatisfiable}}`))
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(fieldInvalid(`${at}.minDomains`, minDomains, 'must be greater than zero'))
      if (whenUnsatisfiable !== 'DoNotSchedule')
        errors.push(fieldInvalid(`${at}.minDomains`, minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`))
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const) {
      const policy = constraint[field]
      if (policy !== undefined && !inclusionPolicies.includes(policy)) errors.push(fieldNotSupported(`${at}.${field}`, policy, inclusionPolicies))
    }
    return [
      ...errors,
      ...validateKeysOfPod({ matchLabelKeys: constraint.matchLabelKeys, labelSelector: constraint.labelSelector }, at),
      ...validateLabelSelector(constraint.labelSelector, `${at}.labelSelector`),
    ]
  })
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute']

/** The effect of a taint, or of a toleration that names one. */
export function validateTaintEffect(effect: string, path: string): FieldError[] {
  if (effect === '') return [fieldRequired(path, '')]
  return taintEffects.includes(effect) ? [] : [fieldNotSupported(path, effect, taintEffects)]
}

export function validateTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  return tolerations.flatMap(({ key = '', operator = '', value = '', effect = '', tolerationSeconds }, index) => {
    const at = `${path}[${index}]`
    const errors: FieldError[] = key === '' ? [] : labelKeyProblems(key).map((problem) => fieldInvalid(`${at}.key`, key, problem))
    if (key === '' && operator !== 'Exists')
      errors.push(fieldInvalid(`${at}.operator`, operator, 'operator must be Exists when `key` is empty, which means "match all values and all keys"'))
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      errors.push(fieldInvalid(`${at}.effect`, effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
    if (operator === 'Equal' || operator === '') {
      const problems = labelValueProblems(value)
      if (problems.length > 0) errors.push(fieldInvalid(`${at}.operator`, value, problems.join(';')))
    } else if (operator === 'Exists') {
      if (value !== '') errors.push(fieldInvalid(`${at}.operator`, value, "value must be empty when `operator` is 'Exists'"))
    } else
      errors.push(fieldNotSupported(`${at}.operator`, operator, operator === 'Lt' || operator === 'Gt' ? ['Equal', 'Exists', 'Lt', 'Gt'] : ['Equal', 'Exists']))
    if (effect !== '') errors.push(...validateTaintEffect(effect, `${at}.effect`))
    return errors
  })
}
