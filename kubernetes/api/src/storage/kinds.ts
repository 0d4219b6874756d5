import type { BuiltinKind } from '../kind.ts'

/** The kinds of `storage.k8s.io`. */
export const storageKinds: readonly BuiltinKind[] = []
