import { dns1123SubdomainProblems, fieldInvalid, fieldNotSupported, fieldRequired, pathSegmentProblems, validateLabelSelector } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { AggregationRule, PolicyRule, RoleRef, Subject } from '../generated/types.ts'

/** RBAC names may hold colons: anything that fits into one path segment. */
export const validateRbacName = (name: string): string[] => pathSegmentProblems(name)

export function validateRules(rules: readonly PolicyRule[] | null | undefined, isNamespaced: boolean): FieldError[] {
  const errors: FieldError[] = []
  ;(rules ?? []).forEach((rule, index) => {
    const path = `rules[${index}]`
    if ((rule.verbs ?? []).length === 0) errors.push(fieldRequired(`${path}.verbs`, 'verbs must contain at least one value'))
    if ((rule.nonResourceURLs ?? []).length > 0) {
      if (isNamespaced) errors.push(fieldInvalid(`${path}.nonResourceURLs`, rule.nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
      if ((rule.apiGroups ?? []).length + (rule.resources ?? []).length + (rule.resourceNames ?? []).length > 0) {
        errors.push(fieldInvalid(`${path}.nonResourceURLs`, rule.nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'))
      }
      return
    }
    if ((rule.apiGroups ?? []).length === 0) errors.push(fieldRequired(`${path}.apiGroups`, 'resource rules must supply at least one api group'))
    if ((rule.resources ?? []).length === 0) errors.push(fieldRequired(`${path}.resources`, 'resource rules must supply at least one resource'))
  })
  return errors
}

export function validateAggregation(rule: AggregationRule | undefined): FieldError[] {
  if (rule === undefined) return []
  const path = 'aggregationRule.clusterRoleSelectors'
  const selectors = rule.clusterRoleSelectors ?? []
  if (selectors.length === 0) return [fieldRequired(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')]
  return selectors.flatMap((selector, i) => {
    const errors = validateLabelSelector(selector, `${path}[${i}]`)
    return errors.length === 0 ? [] : [...errors, fieldInvalid(`${path}[${i}]`, null, 'invalid label selector.')]
  })
}

export function defaultBinding(binding: { roleRef?: RoleRef | undefined; subjects?: Subject[] | undefined }): void {
  const group = 'rbac.authorization.k8s.io'
  if (binding.roleRef !== undefined && (binding.roleRef.apiGroup ?? '') === '') binding.roleRef.apiGroup = group
  for (const subject of binding.subjects ?? [])
    if ((subject.apiGroup ?? '') === '' && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = group
}

/** A binding in a namespace may name a Role, and its accounts are of that namespace unless they say otherwise. */
export function validateBinding(
  binding: { readonly roleRef?: RoleRef | undefined; readonly subjects?: readonly Subject[] | undefined },
  { namespaced }: { readonly namespaced: boolean },
): FieldError[] {
  const roleKinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  const errors: FieldError[] = []
  const { roleRef } = binding
  if (roleRef?.apiGroup !== 'rbac.authorization.k8s.io')
    errors.push(fieldNotSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', ['rbac.authorization.k8s.io']))
  if (!roleKinds.includes(roleRef?.kind ?? '')) errors.push(fieldNotSupported('roleRef.kind', roleRef?.kind ?? '', roleKinds))
  const name = roleRef?.name ?? ''
  if (name === '') errors.push(fieldRequired('roleRef.name', ''))
  else for (const problem of validateRbacName(name)) errors.push(fieldInvalid('roleRef.name', name, problem))
  ;(binding.subjects ?? []).forEach((subject, index) => {
    const path = `subjects[${index}]`
    if ((subject.name ?? '') === '') errors.push(fieldRequired(`${path}.name`, ''))
    if (subject.kind === 'ServiceAccount') {
      if (subject.name !== '') for (const problem of dns1123SubdomainProblems(subject.name)) errors.push(fieldInvalid(`${path}.name`, subject.name, problem))
      if ((subject.apiGroup ?? '') !== '') errors.push(fieldNotSupported(`${path}.apiGroup`, subject.apiGroup ?? '', ['']))
      if (!namespaced && (subject.namespace ?? '') === '') errors.push(fieldRequired(`${path}.namespace`, ''))
    } else if (subject.kind === 'User' || subject.kind === 'Group') {
      if (subject.apiGroup !== 'rbac.authorization.k8s.io')
        errors.push(fieldNotSupported(`${path}.apiGroup`, subject.apiGroup ?? '', ['rbac.authorization.k8s.io']))
    } else errors.push(fieldNotSupported(`${path}.kind`, subject.kind, ['ServiceAccount', 'User', 'Group']))
  })
  return errors
}

export function validateRoleRefUpdate(next: RoleRef | undefined, old: RoleRef | undefined): FieldError[] {
  if (JSON.stringify(next) === JSON.stringify(old)) return []
  // Upstream shows its internal type.
  return [fieldInvalid('roleRef', { APIGroup: next?.apiGroup ?? '', Kind: next?.kind ?? '', Name: next?.name ?? '' }, 'cannot change roleRef')]
}

export function subjectsOf(subjects: readonly Subject[] | undefined, kind: 'User' | 'Group' | 'ServiceAccount'): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(', ')
}
