import type { BuiltinKind } from '../kind.ts'

/** The kinds of `discovery.k8s.io`. */
export const discoveryKinds: readonly BuiltinKind[] = []
