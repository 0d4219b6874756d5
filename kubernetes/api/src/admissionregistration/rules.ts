import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  fieldTooMany,
  pathSegmentProblems,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { MatchCondition, MatchResources, NamedRuleWithOperations, RuleWithOperations } from '../generated/types.ts'

export const failurePolicies = ['Fail', 'Ignore']
export const matchPolicies = ['Equivalent', 'Exact']
export const reinvocationPolicies = ['IfNeeded', 'Never']
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const mutatingOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE']
const scopes = ['*', 'Cluster', 'Namespaced']
const maxMatchConditions = 64
const staticSuffix = '.static.k8s.io'

/** Names that are kept for configurations which come from files. */
export function staticNameWarnings(name: string): string[] {
  if (!name.endsWith(staticSuffix)) return []
  return [
    `metadata.name: names ending with ${JSON.stringify(staticSuffix)} are reserved for static manifest-based configurations and cannot be managed via the API`,
  ]
}

export function defaultRules(rules: readonly { scope?: string | undefined }[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*'
}

export function defaultMatchResources(match: MatchResources | undefined): void {
  if (match === undefined) return
  match.matchPolicy ??= 'Equivalent'
  match.namespaceSelector ??= {}
  match.objectSelector ??= {}
  defaultRules(match.resourceRules)
  defaultRules(match.excludeResourceRules)
}

export function validateRule(rule: RuleWithOperations, path: string): FieldError[] {
  const errors: FieldError[] = []
  const given = rule.operations ?? []
  if (given.length === 0) errors.push(fieldRequired(`${path}.operations`))
  if (given.length > 1 && given.includes('*')) errors.push(fieldInvalid(`${path}.operations`, given, "if '*' is present, must not specify other operations"))
  given.forEach((operation, i) => {
    if (!operations.includes(operation)) errors.push(fieldNotSupported(`${path}.operations[${i}]`, operation, operations))
  })
  for (const [field, what] of [
    ['apiGroups', 'API groups'],
    ['apiVersions', 'API versions'],
  ] as const) {
    const values = rule[field] ?? []
    if (values.length === 0) errors.push(fieldRequired(`${path}.${field}`))
    if (values.length > 1 && values.includes('*')) errors.push(fieldInvalid(`${path}.${field}`, values, `if '*' is present, must not specify other ${what}`))
  }
  ;(rule.apiVersions ?? []).forEach((version, i) => {
    if (version === '') errors.push(fieldRequired(`${path}.apiVersions[${i}]`))
  })
  errors.push(...validateResources(rule.resources ?? [], `${path}.resources`))
  if (rule.scope !== undefined && !scopes.includes(rule.scope)) errors.push(fieldNotSupported(`${path}.scope`, rule.scope, scopes))
  return errors
}

/** Wildcards must not overlap with what else is named. */
function validateResources(resources: readonly string[], path: string): FieldError[] {
  const errors = resources.length === 0 ? [fieldRequired(path)] : []
  const withAllSubresources = new Set<string>()
  const ofAllResources = new Set<string>()
  let hasPlain = false
  resources.forEach((resource, i) => {
    if (resource === '') return void errors.push(fieldRequired(`${path}[${i}]`))
    const slash = resource.indexOf('/')
    if (slash < 0) {
      hasPlain = resource !== '*'
      return
    }
    const [parent, subresource] = [resource.slice(0, slash), resource.slice(slash + 1)]
    if (withAllSubresources.has(parent)) errors.push(fieldInvalid(`${path}[${i}]`, resource, `if '${parent}/*' is present, must not specify ${resource}`))
    if (ofAllResources.has(subresource)) errors.push(fieldInvalid(`${path}[${i}]`, resource, `if '*/${subresource}' is present, must not specify ${resource}`))
    if (subresource === '*') withAllSubresources.add(parent)
    if (parent === '*') ofAllResources.add(subresource)
  })
  if (resources.length > 1 && resources.includes('*/*')) errors.push(fieldInvalid(path, resources, "if '*/*' is present, must not specify other resources"))
  if (resources.includes('*') && hasPlain) {
    errors.push(fieldInvalid(path, resources, "if '*' is present, must not specify other resources without subresources"))
  }
  return errors
}

function validateNamedRule(rule: NamedRuleWithOperations, path: string): FieldError[] {
  const names = rule.resourceNames ?? []
  const errors: FieldError[] = []
  names.forEach((name, i) => {
    const field = `${path}.resourceNames[${i}]`
    for (const problem of pathSegmentProblems(name)) errors.push(fieldInvalid(field, name, problem))
    if (names.indexOf(name) < i) errors.push(fieldDuplicate(field, name))
  })
  return [...errors, ...validateRule(rule, path)]
}

export function validateMatchResources(match: MatchResources | undefined, path: string): FieldError[] {
  if (match === undefined) return []
  const errors: FieldError[] = []
  const policy = match.matchPolicy
  if (policy === undefined) errors.push(fieldRequired(`${path}.matchPolicy`))
  else if (!matchPolicies.includes(policy)) errors.push(fieldNotSupported(`${path}.matchPolicy`, policy, matchPolicies))
  for (const field of ['namespaceSelector', 'objectSelector'] as const) {
    if (match[field] === undefined) errors.push(fieldRequired(`${path}.${field}`))
    else errors.push(...validateLabelSelector(match[field], `${path}.${field}`))
  }
  for (const field of ['resourceRules', 'excludeResourceRules'] as const) {
    ;(match[field] ?? []).forEach((rule, i) => errors.push(...validateNamedRule(rule, `${path}.${field}[${i}]`)))
  }
  return errors
}

/** Mutation has nothing to do with deletions. */
export function validateMutatingOperations(match: MatchResources | undefined, path: string): FieldError[] {
  return (match?.resourceRules ?? [])
    .flatMap((rule) => rule.operations ?? [])
    .filter((operation) => !mutatingOperations.includes(operation))
    .map((operation) => fieldNotSupported(`${path}.resourceRules.operations`, operation, mutatingOperations))
}

/** Names and presence; the expressions themselves are compiled by who evaluates them. */
export function validateMatchConditions(conditions: readonly MatchCondition[] | undefined, path: string): FieldError[] {
  const given = conditions ?? []
  const errors = given.length > maxMatchConditions ? [fieldTooMany(path, given.length, maxMatchConditions)] : []
  const seen = new Set<string>()
  given.forEach(({ name, expression }, i) => {
    if (expression.trim() === '') errors.push(fieldRequired(`${path}[${i}].expression`))
    if (name === '') return void errors.push(fieldRequired(`${path}[${i}].name`))
    for (const problem of labelKeyProblems(name)) errors.push(fieldInvalid(`${path}[${i}].name`, name, problem))
    if (seen.has(name)) errors.push(fieldDuplicate(`${path}[${i}].name`, name))
    seen.add(name)
  })
  return errors
}
