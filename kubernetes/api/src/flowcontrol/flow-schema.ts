import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { FlowSchema, FlowcontrolSubject, NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { fixedSpecProblem } from './bootstrap.ts'

const defaultPrecedence = 1000
const maxPrecedence = 10_000
const distinguishers = ['ByNamespace', 'ByUser']
const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'proxy', 'update', 'watch']

export const flowSchema: BuiltinKind = {
  group: 'flowcontrol.apiserver.k8s.io',
  version: 'v1',
  kind: 'FlowSchema',
  plural: 'flowschemas',
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.flowcontrol.v1.FlowSchema',
  groupPriority: 16100,
  versionPriority: 21,
  hasStatus: true,
  statusKeeps: 'metadata',
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  tableOrder: (object) => as<FlowSchema>(object).spec?.matchingPrecedence ?? 0,
  columns: [
    nameCell,
    column<FlowSchema>('PriorityLevel', ({ spec }) => spec?.priorityLevelConfiguration.name ?? '', { description: 'The priority level of its requests.' }),
    column<FlowSchema>('MatchingPrecedence', ({ spec }) => spec?.matchingPrecedence ?? 0, { description: 'Its place among the schemas, lower first.' }),
    column<FlowSchema>('DistinguisherMethod', ({ spec }) => spec?.distinguisherMethod?.type ?? '<none>', { description: 'What makes one flow.' }),
    ageCell,
    column<FlowSchema>('MissingPL', ({ status }) => (status?.conditions ?? []).find(({ type }) => type === 'Dangling')?.status ?? '?', {
      description: 'Whether its priority level is missing.',
    }),
  ],
  applyDefaults(object) {
    const { spec } = as<FlowSchema>(object)
    if (spec !== undefined && (spec.matchingPrecedence ?? 0) === 0) spec.matchingPrecedence = defaultPrecedence
  },
  validate: (object) => [
    ...validateSpec(as<FlowSchema>(object)),
    ...fixedSpecProblem('FlowSchema', object),
    ...validateConditions(as<FlowSchema>(object).status?.conditions),
  ],
  validateStatusUpdate: (object) => validateConditions(as<FlowSchema>(object).status?.conditions),
}

/** Conditions have a type, each another one. */
export function validateConditions(conditions: readonly { readonly type?: string | undefined }[] | undefined): FieldError[] {
  const errors: FieldError[] = []
  const seen = new Set<string>()
  ;(conditions ?? []).forEach(({ type = '' }, i) => {
    const path = `status.conditions[${i}].type`
    if (seen.has(type)) errors.push(fieldDuplicate(path, type))
    seen.add(type)
    if (type === '') errors.push(fieldRequired(path))
  })
  return errors
}

function validateSpec({ metadata, spec }: FlowSchema): FieldError[] {
  const errors: FieldError[] = []
  const precedence = spec?.matchingPrecedence ?? 0
  const bad = (detail: string): void => void errors.push(fieldInvalid('spec.matchingPrecedence', precedence, detail))
  if (precedence <= 0) bad('must be a positive value')
  if (precedence > maxPrecedence) bad(`must not be greater than ${maxPrecedence}`)
  if (precedence === 1 && metadata.name !== 'exempt') bad("only the schema named 'exempt' may have matchingPrecedence 1")
  const method = spec?.distinguisherMethod
  // Upstream shows its internal type.
  if (method !== undefined && !distinguishers.includes(method.type)) {
    errors.push(fieldNotSupported('spec.distinguisherMethod.type', { Type: method.type }, distinguishers))
  }
  const level = spec?.priorityLevelConfiguration.name ?? ''
  const path = 'spec.priorityLevelConfiguration.name'
  if (level === '') errors.push(fieldRequired(path, 'must reference a priority level'))
  else errors.push(...dns1123SubdomainProblems(level).map((problem) => fieldInvalid(path, level, problem)))
  ;(spec?.rules ?? []).forEach((rule, i) => errors.push(...validateRule(rule, `spec.rules[${i}]`)))
  return errors
}

function validateRule(rule: PolicyRulesWithSubjects, path: string): FieldError[] {
  const subjects = rule.subjects ?? []
  const [resourceRules, nonResourceRules] = [rule.resourceRules ?? [], rule.nonResourceRules ?? []]
  return [
    ...(subjects.length === 0 ? [fieldRequired(`${path}.subjects`, 'subjects must contain at least one value')] : []),
    ...subjects.flatMap((subject, i) => validateSubject(subject, `${path}.subjects[${i}]`)),
    ...(resourceRules.length + nonResourceRules.length === 0
      ? [fieldRequired(path, 'at least one of resourceRules and nonResourceRules has to be non-empty')]
      : []),
    ...resourceRules.flatMap((given, i) => validateResourceRule(given, `${path}.resourceRules[${i}]`)),
    ...nonResourceRules.flatMap((given, i) => validateNonResourceRule(given, `${path}.nonResourceRules[${i}]`)),
  ]
}

const subjectKinds = ['Group', 'ServiceAccount', 'User']
const subjectFields = [
  ['serviceAccount', 'ServiceAccount'],
  ['user', 'User'],
  ['group', 'Group'],
] as const

function validateSubject(subject: FlowcontrolSubject, path: string): FieldError[] {
  const own = subjectFields.find(([, kind]) => kind === subject.kind)
  if (own === undefined) return [fieldNotSupported(`${path}.kind`, subject.kind, subjectKinds)]
  const [field] = own
  const errors: FieldError[] = []
  if (subject[field] === undefined) errors.push(fieldRequired(`${path}.${field}`, `${field} is required when subject kind is '${subject.kind}'`))
  else if (field === 'serviceAccount') errors.push(...validateAccount(subject.serviceAccount ?? { namespace: '', name: '' }, `${path}.${field}`))
  else if (subject[field].name === '') errors.push(fieldRequired(`${path}.${field}.name`))
  for (const [other, kind] of subjectFields) {
    if (other !== field && subject[other] !== undefined) {
      errors.push(fieldForbidden(`${path}.${other}`, `${other} is forbidden when subject kind is not '${kind}'`))
    }
  }
  return errors
}

function validateAccount({ name, namespace }: { readonly name: string; readonly namespace: string }, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (name === '') errors.push(fieldRequired(`${path}.name`))
  else if (name !== '*') for (const problem of dns1123SubdomainProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
  if (namespace === '') errors.push(fieldRequired(`${path}.namespace`, 'must specify namespace for service account'))
  else for (const problem of dns1123LabelProblems(namespace)) errors.push(fieldInvalid(`${path}.namespace`, namespace, problem))
  return errors
}

function validateVerbs(given: readonly string[], path: string): FieldError[] {
  if (given.length === 0) return [fieldRequired(`${path}.verbs`, 'verbs must contain at least one value')]
  if (given.includes('*')) return given.length > 1 ? [fieldInvalid(`${path}.verbs`, given, "if '*' is present, must not specify other verbs")] : []
  return given.every((verb) => verbs.includes(verb)) ? [] : [fieldNotSupported(`${path}.verbs`, given, verbs)]
}

function validateResourceRule(rule: ResourcePolicyRule, path: string): FieldError[] {
  const errors = validateVerbs(rule.verbs ?? [], path)
  for (const [field, what, plural] of [
    ['apiGroups', 'api group', 'api groups'],
    ['resources', 'resource', 'resources'],
  ] as const) {
    const given = rule[field] ?? []
    if (given.length === 0) errors.push(fieldRequired(`${path}.${field}`, `resource rules must supply at least one ${what}`))
    else if (given.length > 1 && given.includes('*')) {
      errors.push(fieldInvalid(`${path}.${field}`, given, `if '*' is present, must not specify other ${plural}`))
    }
  }
  const namespaces = rule.namespaces ?? []
  if (namespaces.length === 0 && rule.clusterScope !== true) {
    errors.push(fieldRequired(`${path}.namespaces`, 'resource rules that are not cluster scoped must supply at least one namespace'))
  } else if (namespaces.includes('*')) {
    if (namespaces.length > 1) errors.push(fieldInvalid(`${path}.namespaces`, namespaces, "if '*' is present, must not specify other namespaces"))
  } else {
    namespaces.forEach((namespace, i) => {
      for (const problem of dns1123LabelProblems(namespace)) {
        errors.push(fieldInvalid(`${path}.namespaces[${i}]`, namespace, `each member of this list must be '*' or a DNS-1123 label; ${problem}`))
      }
    })
  }
  return errors
}

function validateNonResourceRule(rule: NonResourcePolicyRule, path: string): FieldError[] {
  const errors = validateVerbs(rule.verbs ?? [], path)
  const urls = rule.nonResourceURLs ?? []
  const field = `${path}.nonResourceURLs`
  if (urls.length === 0) errors.push(fieldRequired(field, 'nonResourceURLs must contain at least one value'))
  else if (urls.includes('*')) {
    if (urls.length > 1) errors.push(fieldInvalid(field, urls, "if '*' is present, must not specify other non-resource URLs"))
  } else {
    urls.forEach((url, i) => {
      const problem = urlProblem(url)
      if (problem !== undefined) errors.push(fieldInvalid(`${field}[${i}]`, url, problem))
    })
  }
  return errors
}

function urlProblem(url: string): string | undefined {
  if (url === '') return 'must not be empty'
  if (url === '/') return undefined
  if (!url.startsWith('/')) return 'must start with slash'
  if (url.includes(' ')) return 'must not contain white-space'
  if (url.includes('//')) return 'must not contain double slash'
  const wildcards = url.split('*').length - 1
  return wildcards > 1 || (wildcards === 1 && !url.endsWith('/*')) ? 'wildcard can only do suffix matching' : undefined
}
