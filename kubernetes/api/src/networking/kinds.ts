import type { BuiltinKind } from '../kind.ts'

/** The kinds of `networking.k8s.io`. */
export const networkingKinds: readonly BuiltinKind[] = []
