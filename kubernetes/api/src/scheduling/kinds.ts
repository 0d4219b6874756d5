import type { BuiltinKind } from '../kind.ts'
import { priorityClass } from './priority-class.ts'

/** The kinds of `scheduling.k8s.io`. */
export const schedulingKinds: readonly BuiltinKind[] = [priorityClass]
