import { boolType } from '@gantry/cel'
import type { Activation, CompiledExpression, Scope } from './policy-expressions.ts'
import { compileExpression, OutOfBudget } from './policy-expressions.ts'

export type ConditionsOutcome = { readonly matches: boolean; readonly error?: undefined } | { readonly matches?: undefined; readonly error: string }

export function compileConditions(conditions: readonly { readonly expression: string }[], scope: Scope): readonly CompiledExpression[] {
  return conditions.map(({ expression }) => compileExpression(expression, scope, [boolType]))
}

/** One condition that does not hold settles it, whatever the others; without one, errors count by the failure policy. Upstream: webhook/matchconditions/matcher.go. */
export function conditionsHold(conditions: readonly CompiledExpression[], activation: Activation, failurePolicy: string | undefined): ConditionsOutcome {
  const errors: string[] = []
  try {
    for (const condition of conditions) {
      const result = activation.evaluate(condition)
      if (result.error !== undefined) errors.push(result.error)
      else if (result.value !== true) return { matches: false }
    }
  } catch (error) {
    if (!(error instanceof OutOfBudget)) throw error
    errors.splice(0, errors.length, error.message)
  }
  if (errors.length === 0) return { matches: true }
  if (failurePolicy === 'Ignore') return { matches: false }
  return { error: errors.length === 1 ? (errors[0] ?? '') : `[${errors.join(', ')}]` }
}
