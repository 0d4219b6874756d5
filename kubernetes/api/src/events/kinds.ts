import type { BuiltinKind } from '../kind.ts'

/** The kinds of `events.k8s.io`. */
export const eventsKinds: readonly BuiltinKind[] = []
