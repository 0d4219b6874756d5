import type { BuiltinKind } from '../kind.ts'

/** The kinds of `autoscaling`. */
export const autoscalingKinds: readonly BuiltinKind[] = []
