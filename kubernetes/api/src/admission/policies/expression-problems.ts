import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { MatchCondition, ValidatingAdmissionPolicySpec } from '../../generated/types.ts'
import { compileConditions } from './match-conditions.ts'
import type { CompiledExpression } from './policy-expressions.ts'
import { compilePolicy } from './policy-index.ts'

/** What is wrong with the expressions of a policy, field by field; nothing for those of `old`, which have been accepted. */
export function policyExpressionProblems(spec: ValidatingAdmissionPolicySpec, old: ValidatingAdmissionPolicySpec | undefined): FieldError[] {
  if (old !== undefined && JSON.stringify(old) === JSON.stringify(spec)) return []
  const compiled = compilePolicy(spec)
  return [
    ...compiled.conditions.flatMap((one, i) => problem(`spec.matchConditions[${i}].expression`, one)),
    ...compiled.variables.flatMap((one, i) => problem(`spec.variables[${i}].expression`, one.compiled)),
    ...compiled.validations.flatMap(({ check, message }, i) => [
      ...problem(`spec.validations[${i}].expression`, check),
      ...(message === undefined ? [] : problem(`spec.validations[${i}].messageExpression`, message)),
    ]),
    ...compiled.auditAnnotations.flatMap(({ value }, i) => problem(`spec.auditAnnotations[${i}].valueExpression`, value)),
  ]
}

/** What is wrong with the conditions of a webhook. */
export function conditionProblems(conditions: readonly MatchCondition[] | undefined, path: string): FieldError[] {
  const compiled = compileConditions(conditions ?? [], { hasParams: false, hasAuthorizer: true })
  return compiled.flatMap((one, i) => problem(`${path}[${i}].expression`, one))
}

/** An empty expression has been found missing already. */
function problem(path: string, { expression, error }: CompiledExpression): FieldError[] {
  return error === undefined || expression.trim() === '' ? [] : [fieldInvalid(path, expression, error)]
}
