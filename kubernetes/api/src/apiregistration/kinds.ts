import type { BuiltinKind } from '../kind.ts'

/** The kinds of `apiregistration.k8s.io`. */
export const apiRegistrationKinds: readonly BuiltinKind[] = []
