import type { BuiltinKind } from '../kind.ts'

/** The kinds of `node.k8s.io`. */
export const nodeKinds: readonly BuiltinKind[] = []
