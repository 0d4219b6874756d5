import { fieldInvalid, fieldNotSupported, fieldRequired, pathSegmentProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { PolicyRule, RoleRef, Subject } from '../generated/types.ts'

/** RBAC names may hold colons: anything that fits into one path segment. */
export const validateRbacName = (name: string): string[] => pathSegmentProblems(name)

export function validateRules(rules: readonly PolicyRule[] | undefined, isNamespaced: boolean): FieldError[] {
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

export function defaultBinding(binding: { roleRef?: RoleRef | undefined; subjects?: Subject[] | undefined }): void {
  const group = 'rbac.authorization.k8s.io'
  if (binding.roleRef !== undefined && (binding.roleRef.apiGroup ?? '') === '') binding.roleRef.apiGroup = group
  for (const subject of binding.subjects ?? [])
    if ((subject.apiGroup ?? '') === '' && (subject.kind === 'User' || subject.kind === 'Group')) subject.apiGroup = group
}

export function validateBinding(
  binding: { readonly roleRef?: RoleRef | undefined; readonly subjects?: readonly Subject[] | undefined },
  roleKinds: readonly string[],
): FieldError[] {
  const errors: FieldError[] = []
  const { roleRef } = binding
  if (roleRef?.apiGroup !== 'rbac.authorization.k8s.io')
    errors.push(fieldNotSupported('roleRef.apiGroup', roleRef?.apiGroup ?? '', ['rbac.authorization.k8s.io']))
  if (!roleKinds.includes(roleRef?.kind ?? '')) errors.push(fieldNotSupported('roleRef.kind', roleRef?.kind ?? '', roleKinds))
  if ((roleRef?.name ?? '') === '') errors.push(fieldRequired('roleRef.name', ''))
  ;(binding.subjects ?? []).forEach((subject, index) => {
    const path = `subjects[${index}]`
    if ((subject.name ?? '') === '') errors.push(fieldRequired(`${path}.name`, ''))
    if (subject.kind === 'ServiceAccount') {
      if ((subject.apiGroup ?? '') !== '') errors.push(fieldNotSupported(`${path}.apiGroup`, subject.apiGroup ?? '', ['']))
      if ((subject.namespace ?? '') === '') errors.push(fieldRequired(`${path}.namespace`, ''))
    } else if (subject.kind === 'User' || subject.kind === 'Group') {
      if (subject.apiGroup !== 'rbac.authorization.k8s.io')
        errors.push(fieldNotSupported(`${path}.apiGroup`, subject.apiGroup ?? '', ['rbac.authorization.k8s.io']))
    } else errors.push(fieldNotSupported(`${path}.kind`, subject.kind, ['ServiceAccount', 'User', 'Group']))
  })
  return errors
}

export function validateRoleRefUpdate(next: RoleRef | undefined, old: RoleRef | undefined): FieldError[] {
  return JSON.stringify(next) === JSON.stringify(old) ? [] : [fieldInvalid('roleRef', next, 'cannot change roleRef')]
}

export function subjectsOf(subjects: readonly Subject[] | undefined, kind: 'User' | 'Group' | 'ServiceAccount'): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map((subject) => (kind === 'ServiceAccount' ? `${subject.namespace}/${subject.name}` : subject.name))
    .join(', ')
}
