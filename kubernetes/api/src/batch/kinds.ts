import type { BuiltinKind } from '../kind.ts'

/** The kinds of `batch`. */
export const batchKinds: readonly BuiltinKind[] = []
