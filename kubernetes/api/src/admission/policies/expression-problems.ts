import { fieldInternal, fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { MatchCondition, MutatingAdmissionPolicySpec, ValidatingAdmissionPolicySpec } from '../../generated/types.ts'
import { compileMutatingPolicy, compileValidatingPolicy } from './compile-policy.ts'
import type { CompiledPolicy } from './compile-policy.ts'
import { compileConditions } from './match-conditions.ts'
import type { CompiledExpression } from './policy-expressions.ts'

type PolicySpec = ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec

/** What is wrong with the expressions of a policy, field by field; nothing for those of `old`, which have been accepted. */
export function validatingExpressionProblems(spec: ValidatingAdmissionPolicySpec, old: ValidatingAdmissionPolicySpec | undefined): FieldError[] {
  if (isUnchanged(spec, old)) return []
  const compiled = compileValidatingPolicy(spec)
  return [
    ...commonProblems(spec, compiled),
    ...compiled.validations.flatMap(({ check, message }, i) => [
      ...problem(`spec.validations[${i}].expression`, check),
      ...(message === undefined ? [] : problem(`spec.validations[${i}].messageExpression`, message)),
    ]),
    ...compiled.auditAnnotations.flatMap(({ value }, i) => problem(`spec.auditAnnotations[${i}].valueExpression`, value)),
  ]
}

/** The same for a policy that changes objects. */
export function mutatingExpressionProblems(spec: MutatingAdmissionPolicySpec, old: MutatingAdmissionPolicySpec | undefined): FieldError[] {
  if (isUnchanged(spec, old)) return []
  const compiled = compileMutatingPolicy({ ...spec, mutations: (spec.mutations ?? []).map(trimmed) })
  let next = 0
  return [
    ...commonProblems(spec, compiled),
    ...(spec.mutations ?? []).flatMap(({ patchType, applyConfiguration, jsonPatch }, i) => {
      const field = patchType === 'JSONPatch' ? 'jsonPatch' : 'applyConfiguration'
      const isCompiled = patchType === 'JSONPatch' ? jsonPatch !== undefined : patchType === 'ApplyConfiguration' && applyConfiguration !== undefined
      const mutation = isCompiled ? compiled.mutations[next++] : undefined
      return mutation === undefined ? [] : problem(`spec.mutations[${i}].${field}.expression`, mutation.patch)
    }),
  ]
}

type Mutation = NonNullable<MutatingAdmissionPolicySpec['mutations']>[number]

function trimmed(mutation: Mutation): Mutation {
  const { applyConfiguration, jsonPatch } = mutation
  return {
    ...mutation,
    ...(applyConfiguration === undefined ? {} : { applyConfiguration: { expression: (applyConfiguration.expression ?? '').trim() } }),
    ...(jsonPatch === undefined ? {} : { jsonPatch: { expression: (jsonPatch.expression ?? '').trim() } }),
  }
}

/** What is wrong with the conditions of a webhook. */
export function conditionProblems(conditions: readonly MatchCondition[] | undefined, path: string, hasParams = false): FieldError[] {
  const compiled = compileConditions(conditions ?? [], { hasParams, hasAuthorizer: true })
  return compiled.flatMap((one, i) => problem(`${path}[${i}].expression`, one))
}

function isUnchanged(spec: PolicySpec, old: PolicySpec | undefined): boolean {
  return old !== undefined && JSON.stringify(old) === JSON.stringify(spec)
}

/** Conditions are looked at without the variables, which they could use when they are evaluated. */
function commonProblems(spec: PolicySpec, { variables }: CompiledPolicy): FieldError[] {
  return [
    ...conditionProblems(spec.matchConditions, 'spec.matchConditions', spec.paramKind !== undefined),
    ...variables.flatMap((one, i) => problem(`spec.variables[${i}].expression`, one.compiled)),
  ]
}

/** An empty expression has been found missing already. */
function problem(path: string, { expression, error, isInternal }: CompiledExpression): FieldError[] {
  if (error === undefined || expression.trim() === '') return []
  return [isInternal === true ? fieldInternal(path, error) : fieldInvalid(path, expression, error)]
}
