import type { BuiltinKind } from '../kind.ts'
import { deployment } from './deployment.ts'
import { replicaSet } from './replica-set.ts'

/** The kinds of `apps`. */
export const appsKinds: readonly BuiltinKind[] = [deployment, replicaSet]
