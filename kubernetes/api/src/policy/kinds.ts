import type { BuiltinKind } from '../kind.ts'

/** The kinds of `policy`. */
export const policyKinds: readonly BuiltinKind[] = []
