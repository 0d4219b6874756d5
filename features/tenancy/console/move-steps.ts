import { scopeOf, type ProjectNamespace } from '../api/index.ts'
import { textOf } from './scope.ts'

type Move = NonNullable<NonNullable<ProjectNamespace['status']>['move']>

export interface MoveStep {
  /** Of `tenancy:move.step`. */
  readonly word: 'begun' | 'made' | 'taken'
  readonly state: 'done' | 'now' | 'todo'
}

const order = ['begun', 'made', 'taken'] as const
/** The step that is being taken in a phase. */
const current: Readonly<Partial<Record<string, (typeof order)[number]>>> = { Pending: 'made', NewCreated: 'taken' }

const over: ReadonlySet<string> = new Set(['Failed', 'Cancelled'])

/** Whether nothing else can be done to a namespace until its move has ended. */
export const isOnItsWay = (move: Move | undefined): boolean => move !== undefined && !over.has(move.phase)

/** How far a move is: none, where it is not on its way, or on its way back. When all is done the object that says so is gone: the namespace is then in the other project. */
export function moveSteps(move: Move | undefined): readonly MoveStep[] {
  const now = move === undefined ? undefined : current[move.phase]
  if (now === undefined) return []
  const at = order.indexOf(now)
  return order.map((word, index): MoveStep => ({ word, state: index < at ? 'done' : index === at ? 'now' : 'todo' }))
}

/** The project that a move goes to, as people write it. */
export function goalOf({ to }: Move): string {
  const scope = scopeOf(to)
  return scope === undefined ? to : textOf(scope)
}
