import type { BuiltinKind } from '../kind.ts'

/** The kinds of `admissionregistration.k8s.io`. */
export const admissionRegistrationKinds: readonly BuiltinKind[] = []
