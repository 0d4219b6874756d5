import type { BuiltinKind } from '../kind.ts'

/** The kinds of `flowcontrol.apiserver.k8s.io`. */
export const flowControlKinds: readonly BuiltinKind[] = []
