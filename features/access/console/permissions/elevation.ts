import type { AskedElevation, ElevationPhase, ElevationRequest } from '../../api/index.ts'
import type { GrantScope } from './grant.ts'

export const elevationsPath = '/platform/v1/access/elevations'

/** Requests as a page shows them: each list with what concerns one soonest on top. */
export interface SortedElevations {
  /** Nobody has answered yet; the oldest first. */
  readonly waiting: readonly ElevationRequest[]
  /** The role is there; what ends first is first. */
  readonly running: readonly ElevationRequest[]
  /** The newest first. */
  readonly over: readonly ElevationRequest[]
}

export function sortElevations(items: readonly ElevationRequest[], nowMs: number): SortedElevations {
  const waiting: ElevationRequest[] = []
  const running: ElevationRequest[] = []
  const over: ElevationRequest[] = []
  for (const item of items) {
    const phase = phaseAt(item, nowMs)
    ;(phase === 'Pending' ? waiting : phase === 'Approved' ? running : over).push(item)
  }
  return {
    waiting: waiting.toSorted((left, right) => createdMs(left) - createdMs(right)),
    running: running.toSorted((left, right) => untilMs(left) - untilMs(right)),
    over: over.toSorted((left, right) => overMs(right) - overMs(left)),
  }
}

/** As the clock says: the platform writes down an end some time after it. */
export function phaseAt(request: ElevationRequest, nowMs: number): ElevationPhase {
  const phase = request.status?.phase ?? 'Pending'
  return phase === 'Approved' && untilMs(request) <= nowMs ? 'Ended' : phase
}

export const createdMs = ({ metadata }: ElevationRequest): number => Date.parse(metadata.creationTimestamp ?? '')
/** Of an approved one. */
export const untilMs = ({ status }: ElevationRequest): number => Date.parse(status?.until ?? '')
export const overMs = (request: ElevationRequest): number => Date.parse(request.status?.until ?? request.status?.decidedTime ?? '') || createdMs(request)

/** What may be done about a request: nobody decides about their own, and whoever sees another's may decide about it. */
export function choicesFor(request: ElevationRequest, user: string, nowMs: number): readonly ('approve' | 'deny' | 'withdraw' | 'end')[] {
  const phase = phaseAt(request, nowMs)
  const isOwn = request.spec.user === user
  if (phase === 'Pending') return isOwn ? ['withdraw'] : ['approve', 'deny']
  return phase === 'Approved' ? ['end'] : []
}

export function scopeOfElevation({ cluster, namespaces, scope }: Pick<ElevationRequest['spec'], 'cluster' | 'namespaces' | 'scope'>): GrantScope {
  if (scope !== undefined) {
    const { tenant, project } = scope
    return project === undefined ? { kind: 'tenant', tenant } : { kind: 'project', tenant, project }
  }
  if (cluster === undefined) return { kind: 'platform' }
  return namespaces === undefined ? { kind: 'cluster', cluster } : { kind: 'namespaces', cluster, namespaces }
}

export const durationChoices = [900, 3_600, 14_400, 28_800, 86_400] as const

/** A text of the catalogue and its count: whole hours where it is so, else minutes. */
export function durationText(seconds: number): readonly [key: 'elevations.hours' | 'elevations.minutes', values: { readonly count: number }] {
  return seconds % 3_600 === 0 ? ['elevations.hours', { count: seconds / 3_600 }] : ['elevations.minutes', { count: Math.round(seconds / 60) }]
}

/** What is asked of the platform. */
export function askedElevation(asked: {
  readonly role: string
  readonly scope: GrantScope
  readonly durationSeconds: number
  readonly reason: string
}): AskedElevation {
  const { role, scope, durationSeconds, reason } = asked
  return {
    role: role.trim(),
    ...(scope.kind === 'cluster' || scope.kind === 'namespaces' ? { cluster: scope.cluster } : {}),
    ...(scope.kind === 'namespaces' ? { namespaces: [...scope.namespaces] } : {}),
    ...(scope.kind === 'tenant' ? { scope: { tenant: scope.tenant } } : {}),
    ...(scope.kind === 'project' ? { scope: { tenant: scope.tenant, project: scope.project } } : {}),
    durationSeconds,
    reason: reason.trim(),
  }
}
