import type { BuiltinKind } from '../kind.ts'
import { event } from './event.ts'

/** The kinds of `events.k8s.io`. */
export const eventsKinds: readonly BuiltinKind[] = [event]
