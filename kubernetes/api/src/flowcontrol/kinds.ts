import type { BuiltinKind } from '../kind.ts'
import { flowSchema } from './flow-schema.ts'
import { priorityLevelConfiguration } from './priority-level-configuration.ts'

/** The kinds of `flowcontrol.apiserver.k8s.io`. */
export const flowControlKinds: readonly BuiltinKind[] = [flowSchema, priorityLevelConfiguration]
