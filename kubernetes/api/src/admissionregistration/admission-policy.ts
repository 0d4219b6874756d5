import {
  dns1035LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import { mutatingExpressionProblems, validatingExpressionProblems } from '../admission/policies/expression-problems.ts'
import type { AuditAnnotation, MutatingAdmissionPolicy, Mutation, ParamKind, ValidatingAdmissionPolicy, Validation, Variable } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import {
  defaultMatchResources,
  failurePolicies,
  reinvocationPolicies,
  validateMatchConditions,
  validateMatchResources,
  validateMutatingOperations,
  staticNameWarnings,
} from './rules.ts'

type Policy = ValidatingAdmissionPolicy | MutatingAdmissionPolicy

const maxAuditAnnotations = 20
const maxValueExpressionBytes = 5 * 1024
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const patchTypes = ['ApplyConfiguration', 'JSONPatch']
const reservedWords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)

const common = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  categories: ['api-extensions'],
  namespaced: false,
  metaChecksOnUpdate: 'whole',
  takesAnyFinalizer: true,
  groupPriority: 16700,
  tracksGeneration: true,
  warnings: (object: ApiObject) => staticNameWarnings(object.metadata.name),
  statusWarnings: (object: ApiObject) => staticNameWarnings(object.metadata.name),
  applyDefaults(object: ApiObject) {
    const { spec } = as<Policy>(object)
    if (spec === undefined) return
    spec.failurePolicy ??= 'Fail'
    defaultMatchResources(spec.matchConstraints)
  },
} as const

const paramKindColumn = column<Policy>(
  'ParamKind',
  ({ spec }) => (spec?.paramKind === undefined ? '<unset>' : `${spec.paramKind.apiVersion ?? ''}/${spec.paramKind.kind ?? ''}`),
  { description: 'What its parameters are.' },
)

export const validatingAdmissionPolicy: BuiltinKind = {
  ...common,
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  type: 'io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy',
  hasStatus: true,
  statusKeeps: 'metadata',
  columns: [
    nameCell,
    column<ValidatingAdmissionPolicy>('Validations', ({ spec }) => (spec?.validations ?? []).length, {
      type: 'integer',
      description: 'How many expressions it checks.',
    }),
    paramKindColumn,
    ageCell,
  ],
  validate(object, old) {
    const { metadata, spec = {} } = as<ValidatingAdmissionPolicy>(object)
    const errors = validateCommon(as<Policy>(object), old === undefined ? undefined : as<Policy>(old))
    const [validations, annotations] = [spec.validations ?? [], spec.auditAnnotations ?? []]
    if (validations.length + annotations.length === 0) {
      const detail = 'validations or auditAnnotations must contain at least one item'
      return [...errors, fieldRequired('spec.validations', detail), fieldRequired('spec.auditAnnotations', detail)]
    }
    validations.forEach((validation, i) => errors.push(...validateValidation(validation, `spec.validations[${i}]`)))
    errors.push(...validateAuditAnnotations(annotations, metadata.name ?? ''))
    return [...errors, ...validatingExpressionProblems(spec, old === undefined ? undefined : as<ValidatingAdmissionPolicy>(old).spec)]
  },
  validateStatusUpdate(object) {
    const { status } = as<ValidatingAdmissionPolicy>(object)
    return (status?.typeChecking?.expressionWarnings ?? []).flatMap(({ fieldRef, warning }, i) => {
      const path = `status.typeChecking.expressionWarnings[${i}]`
      const errors = warning === '' ? [fieldRequired(`${path}.warning`)] : []
      return fieldRef.trim() === '' ? [...errors, fieldRequired(`${path}.fieldRef`)] : errors
    })
  },
}

export const mutatingAdmissionPolicy: BuiltinKind = {
  ...common,
  kind: 'MutatingAdmissionPolicy',
  plural: 'mutatingadmissionpolicies',
  hashedVersion: 'v1beta1',
  type: 'io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy',
  columns: [
    nameCell,
    column<MutatingAdmissionPolicy>('Mutations', ({ spec }) => (spec?.mutations ?? []).length, { type: 'integer', description: 'How many changes it makes.' }),
    paramKindColumn,
    ageCell,
  ],
  validate(object, old) {
    const { spec = {} } = as<MutatingAdmissionPolicy>(object)
    const errors = validateCommon(as<Policy>(object), old === undefined ? undefined : as<Policy>(old), (match) =>
      validateMutatingOperations(match, 'spec.matchConstraints'),
    )
    const mutations = spec.mutations ?? []
    if (mutations.length === 0) errors.push(fieldRequired('spec.mutations', 'mutations must contain at least one item'))
    mutations.forEach((mutation, i) => errors.push(...validateMutation(mutation, `spec.mutations[${i}]`)))
    const again = spec.reinvocationPolicy ?? ''
    if (again === '') errors.push(fieldRequired('spec.reinvocationPolicy'))
    else if (!reinvocationPolicies.includes(again)) errors.push(fieldNotSupported('spec.reinvocationPolicy', again, reinvocationPolicies))
    return [...errors, ...mutatingExpressionProblems(spec, old === undefined ? undefined : as<MutatingAdmissionPolicy>(old).spec)]
  },
}

function validateCommon(
  { spec = {} }: Policy,
  old: Policy | undefined,
  validateMore: (match: NonNullable<Policy['spec']>['matchConstraints']) => FieldError[] = () => [],
): FieldError[] {
  const errors: FieldError[] = []
  const { failurePolicy, paramKind, matchConstraints } = spec
  if (failurePolicy === undefined) errors.push(fieldRequired('spec.failurePolicy'))
  else if (!failurePolicies.includes(failurePolicy)) errors.push(fieldNotSupported('spec.failurePolicy', failurePolicy, failurePolicies))
  if (paramKind !== undefined) errors.push(...validateParamKind(paramKind, 'spec.paramKind'))
  if (matchConstraints === undefined) errors.push(fieldRequired('spec.matchConstraints'))
  else {
    errors.push(...validateMatchResources(matchConstraints, 'spec.matchConstraints'))
    if ((matchConstraints.resourceRules ?? []).length === 0) errors.push(fieldRequired('spec.matchConstraints.resourceRules'))
    errors.push(...validateMore(matchConstraints))
  }
  const conditionsOf = (policy: Policy): string => JSON.stringify([policy.spec?.paramKind, policy.spec?.matchConditions])
  if (old === undefined || conditionsOf(old) !== conditionsOf({ spec } as Policy)) {
    errors.push(...validateMatchConditions(spec.matchConditions, 'spec.matchConditions'))
  }
  ;(spec.variables ?? []).forEach((variable, i) => errors.push(...validateVariable(variable, `spec.variables[${i}]`)))
  return errors
}

function validateParamKind({ apiVersion = '', kind = '' }: ParamKind, path: string): FieldError[] {
  const errors: FieldError[] = []
  const parts = apiVersion.split('/')
  if (apiVersion === '') errors.push(fieldRequired(`${path}.apiVersion`))
  else if (parts.length > 2) errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`))
  else {
    const [group, version] = parts.length === 2 ? [parts[0] ?? '', parts[1] ?? ''] : ['', apiVersion]
    const [inGroup, inVersion] = [group === '' ? [] : dns1123SubdomainProblems(group), dns1035LabelProblems(version)]
    if (inGroup.length > 0) errors.push(fieldInvalid(`${path}.apiVersion`, group, inGroup.join(',')))
    if (version === '') errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, 'version must be specified'))
    else if (inVersion.length > 0) errors.push(fieldInvalid(`${path}.apiVersion`, version, inVersion.join(',')))
  }
  const inKind = dns1035LabelProblems(kind.toLowerCase())
  if (kind === '') errors.push(fieldRequired(`${path}.kind`))
  else if (inKind.length > 0) errors.push(fieldInvalid(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${inKind.join(',')}`))
  return errors
}

function validateVariable({ name, expression }: Variable, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (name.trim() === '') errors.push(fieldRequired(`${path}.name`, 'name is not specified'))
  else if (!/^[_a-zA-Z][_a-zA-Z0-9]*$/.test(name) || reservedWords.has(name)) errors.push(fieldInvalid(`${path}.name`, name, 'must be a valid CEL identifier'))
  if (expression.trim() === '') errors.push(fieldRequired(`${path}.expression`, 'expression is not specified'))
  return errors
}

function validateValidation({ expression, message = '', messageExpression = '', reason }: Validation, path: string): FieldError[] {
  const errors = expression.trim() === '' ? [fieldRequired(`${path}.expression`, 'expression is not specified')] : []
  if (messageExpression !== '' && messageExpression.trim() === '') {
    errors.push(fieldInvalid(`${path}.messageExpression`, messageExpression, 'must be non-empty if specified'))
  }
  if (message !== '' && message.trim() === '') errors.push(fieldInvalid(`${path}.message`, message, 'must be non-empty if specified'))
  else if (/[\n\r]/.test(message.trim())) errors.push(fieldInvalid(`${path}.message`, message, 'must not contain line breaks'))
  if (reason !== undefined && !reasons.includes(reason)) errors.push(fieldNotSupported(`${path}.reason`, reason, reasons))
  return errors
}

function validateAuditAnnotations(annotations: readonly AuditAnnotation[], name: string): FieldError[] {
  const errors: FieldError[] = []
  if (annotations.length > maxAuditAnnotations) {
    // Upstream shows its internal type.
    const shown = annotations.map(({ key, valueExpression }) => ({ Key: key, ValueExpression: valueExpression }))
    errors.push(fieldInvalid('spec.auditAnnotations', shown, `must not have more than ${maxAuditAnnotations} auditAnnotations`))
  }
  const seen = new Set<string>()
  annotations.forEach(({ key, valueExpression }, i) => {
    const path = `spec.auditAnnotations[${i}]`
    if (name === '') errors.push(fieldInvalid(`${path}.key`, key, 'requires metadata.name be non-empty'))
    else for (const problem of labelKeyProblems(`${name}/${key}`)) errors.push(fieldInvalid(`${path}.key`, `${name}/${key}`, problem))
    const trimmed = valueExpression.trim()
    if (trimmed === '') errors.push(fieldRequired(`${path}.valueExpression`, 'valueExpression is not specified'))
    else if (Buffer.byteLength(trimmed) > maxValueExpressionBytes) {
      errors.push(fieldRequired(`${path}.valueExpression`, `must not exceed ${maxValueExpressionBytes} bytes in length`))
    }
    if (seen.has(key)) errors.push(fieldDuplicate(`${path}.key`, key))
    seen.add(key)
  })
  return errors
}

function validateMutation(mutation: Mutation, path: string): FieldError[] {
  const { patchType } = mutation
  if (patchType === '') return [fieldRequired(`${path}.patchType`)]
  if (!patchTypes.includes(patchType)) return [fieldNotSupported(`${path}.patchType`, patchType, patchTypes)]
  const [own, other] = patchType === 'JSONPatch' ? (['jsonPatch', 'applyConfiguration'] as const) : (['applyConfiguration', 'jsonPatch'] as const)
  const errors: FieldError[] = []
  const given = mutation[own]
  if (given === undefined) errors.push(fieldRequired(`${path}.${own}`, `must be specified when patchType is ${patchType}`))
  else if ((given.expression ?? '').trim() === '') errors.push(fieldRequired(`${path}.${own}.expression`))
  if (mutation[other] !== undefined) errors.push(fieldInvalid(`${path}.${other}`, `{${other}}`, `must not be specified when patchType is ${patchType}`))
  return errors
}
