import type { BuiltinKind } from '../kind.ts'

/** The kinds of `scheduling.k8s.io`. */
export const schedulingKinds: readonly BuiltinKind[] = []
