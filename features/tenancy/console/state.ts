import type { StatusLabel, Tone } from '@gantry/console-kit/model'
import type { Project, ProjectNamespace, Tenant } from '../api/index.ts'

type Stated = Tenant | Project | ProjectNamespace

/** Reasons of conditions that have words and a remedy of their own in `tenancy:reason` and `tenancy:remedy`. What is not among them is shown as the platform writes it. */
const tones = {
  ClusterNotAllowed: 'error',
  ClusterNotFound: 'error',
  ClusterRefuses: 'error',
  ClusterUnreachable: 'warn',
  Conflict: 'error',
  DoesNotFit: 'warn',
  HasNamespaces: 'progress',
  HasProjects: 'warn',
  HoldsWorkloads: 'warn',
  Locked: 'neutral',
  NamespaceTerminating: 'progress',
  NotInProject: 'error',
  NotInTenant: 'error',
  QuotaExceeded: 'error',
  Suspended: 'neutral',
  Waiting: 'warn',
} as const satisfies Readonly<Record<string, Tone>>

export type KnownReason = keyof typeof tones

const isKnown = (reason: string): reason is KnownReason => Object.hasOwn(tones, reason)

/** One word for a table, why in the platform's words. */
export function stateOf(object: Stated): StatusLabel {
  const { metadata, spec, status } = object
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  const detail = ready === undefined || ready.status === 'True' || ready.message === '' ? undefined : ready.message
  if (metadata.deletionTimestamp !== undefined) return own('Terminating', 'progress', detail)
  if (status !== undefined && 'phase' in status && status.phase === 'Moving') return own('Moving', 'progress', detail)
  if ('suspended' in spec && spec.suspended === true) return own('Suspended', 'neutral', detail)
  if ('locked' in spec && spec.locked === true) return own('Locked', 'neutral', detail)
  if (ready === undefined) return own('Pending', 'progress', undefined)
  if (ready.status !== 'True')
    return isKnown(ready.reason)
      ? { text: ready.reason, textKey: `tenancy:reason.${ready.reason}`, tone: tones[ready.reason], detail }
      : { text: ready.reason, tone: ready.status === 'Unknown' ? 'warn' : 'error', detail }
  const other = problemsOf(object).find(({ tone }) => tone !== 'progress')
  return other === undefined ? own('Ready', 'ok', undefined) : own('NeedsAttention', 'warn', other.message)
}

type OwnWord = 'Ready' | 'NeedsAttention' | 'Pending' | 'Terminating' | 'Moving' | 'Suspended' | 'Locked'

function own(word: OwnWord, tone: Tone, detail: string | undefined): StatusLabel {
  return { text: word, textKey: `tenancy:state.${word}`, tone, detail }
}

/** Something that is not as it should be. */
export interface Problem {
  readonly type: string
  /** Of `tenancy:reason` and `tenancy:remedy`; undefined: there are no words for it but the platform's. */
  readonly known: KnownReason | undefined
  readonly reason: string
  readonly tone: Tone
  /** Exactly what the platform says. */
  readonly message: string
}

/** What an object's conditions complain about, and a move that has failed. */
export function problemsOf({ status }: Stated): readonly Problem[] {
  const problems = (status?.conditions ?? [])
    .filter((condition) => condition.status !== 'True')
    .map(({ type, reason, message }): Problem => {
      const known = isKnown(reason) ? reason : undefined
      return { type, known, reason, tone: known === undefined ? 'error' : tones[known], message }
    })
  const move = status !== undefined && 'move' in status ? status.move : undefined
  return move?.phase === 'Failed'
    ? [...problems, { type: 'Move', known: undefined, reason: 'MoveFailed', tone: 'warn', message: move.message ?? '' }]
    : problems
}
