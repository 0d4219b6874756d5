import type { BuiltinKind } from '../kind.ts'
import { podDisruptionBudget } from './pod-disruption-budget.ts'

/** The kinds of `policy`. */
export const policyKinds: readonly BuiltinKind[] = [podDisruptionBudget]
