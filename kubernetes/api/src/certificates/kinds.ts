import type { BuiltinKind } from '../kind.ts'

/** The kinds of `certificates.k8s.io`. */
export const certificatesKinds: readonly BuiltinKind[] = []
