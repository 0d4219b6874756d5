import {
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  pathSegmentProblems,
  validateLabelSelector,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { LabelSelector, MutatingAdmissionPolicyBinding, ParamRef, ValidatingAdmissionPolicyBinding } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { defaultMatchResources, validateMatchResources, validateMutatingOperations, staticNameWarnings } from './rules.ts'

type Binding = MutatingAdmissionPolicyBinding | ValidatingAdmissionPolicyBinding

const actions = ['Audit', 'Deny', 'Warn']
const notFoundActions = ['Deny', 'Allow']

const common = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  categories: ['api-extensions'],
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  takesAnyFinalizer: true,
  groupPriority: 16700,
  tracksGeneration: true,
  columns: [
    nameCell,
    column<Binding>('PolicyName', ({ spec }) => spec?.policyName ?? '', { description: 'The policy.' }),
    column<Binding>('ParamRef', ({ spec }) => formatParamRef(spec?.paramRef), { description: 'The parameters it is used with.' }),
    ageCell,
  ],
  warnings: (object: ApiObject) => staticNameWarnings(object.metadata.name),
  applyDefaults: (object: ApiObject) => defaultMatchResources(as<Binding>(object).spec?.matchResources),
} as const

export const validatingAdmissionPolicyBinding: BuiltinKind = {
  ...common,
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  type: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding',
  validate(object) {
    const given = as<ValidatingAdmissionPolicyBinding>(object).spec?.validationActions ?? []
    const path = 'spec.validationActions'
    const errors = validateCommon(as<Binding>(object))
    given.forEach((action, i) => {
      if (!actions.includes(action)) errors.push(fieldNotSupported(`${path}[${i}]`, action, actions))
      if (given.indexOf(action) < i) errors.push(fieldDuplicate(`${path}[${i}]`, action))
    })
    if (given.includes('Deny') && given.includes('Warn')) {
      const detail = 'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'
      errors.push(fieldInvalid(path, given, detail))
    }
    if (given.length === 0) errors.push(fieldRequired(path, 'at least one validation action is required'))
    return errors
  },
}

export const mutatingAdmissionPolicyBinding: BuiltinKind = {
  ...common,
  kind: 'MutatingAdmissionPolicyBinding',
  plural: 'mutatingadmissionpolicybindings',
  hashedVersion: 'v1beta1',
  type: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding',
  validate: (object) => [
    ...validateCommon(as<Binding>(object)),
    ...validateMutatingOperations(as<Binding>(object).spec?.matchResources, 'spec.matchResources'),
  ],
}

function formatParamRef(ref: ParamRef | undefined): string {
  if (ref === undefined) return '<unset>'
  if ((ref.name ?? '') !== '') return `${ref.namespace || '*'}/${ref.name}`
  return ref.selector === undefined ? '<unset>' : goText(ref.selector)
}

/** Upstream shows the selector as Go prints it. */
function goText({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const labels = Object.entries(matchLabels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`)
  const expressions = matchExpressions.map(
    ({ key, operator, values = [] }) => `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${values.join(' ')}],},`,
  )
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join('')}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join('')}},}`
}

function validateCommon({ spec }: Binding): FieldError[] {
  const policy = spec?.policyName ?? ''
  const errors =
    policy === '' ? [fieldRequired('spec.policyName')] : dns1123SubdomainProblems(policy).map((problem) => fieldInvalid('spec.policyName', policy, problem))
  return [...errors, ...validateParamRef(spec?.paramRef, 'spec.paramRef'), ...validateMatchResources(spec?.matchResources, 'spec.matchResources')]
}

function validateParamRef(ref: ParamRef | undefined, path: string): FieldError[] {
  if (ref === undefined) return []
  const errors: FieldError[] = []
  const { name = '', selector, parameterNotFoundAction: action = '' } = ref
  const both = name !== '' && selector !== undefined
  for (const problem of pathSegmentProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
  if (both) errors.push(fieldForbidden(`${path}.name`, 'name and selector are mutually exclusive'))
  errors.push(...validateLabelSelector(selector, `${path}.selector`))
  if (both) errors.push(fieldForbidden(`${path}.selector`, 'name and selector are mutually exclusive'))
  if (name === '' && selector === undefined) errors.push(fieldRequired(path, 'one of name or selector must be specified'))
  if (action === '') errors.push(fieldRequired(`${path}.parameterNotFoundAction`))
  else if (!notFoundActions.includes(action)) errors.push(fieldNotSupported(`${path}.parameterNotFoundAction`, action, notFoundActions))
  return errors
}
