/** The shape all Kubernetes conditions share. */
export interface Condition {
  readonly type: string
  readonly status: string
  readonly reason?: string | undefined
  readonly message?: string | undefined
  readonly lastTransitionTime?: string | null | undefined
}

export function findCondition<C extends { readonly type: string }>(conditions: readonly C[] | null | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type)
}

/** Whether the condition is there with status `True`. */
export function isConditionTrue(conditions: readonly { readonly type: string; readonly status: string }[] | null | undefined, type: string): boolean {
  return findCondition(conditions, type)?.status === 'True'
}

/** The conditions with one put in; `lastTransitionTime` is `now` only when the status has changed. Returns the same list when nothing changed. */
export function withCondition<C extends Condition>(conditions: readonly C[] | null | undefined, condition: C, now: string): readonly C[] {
  const old = findCondition(conditions, condition.type)
  const next = { ...condition, lastTransitionTime: old?.status === condition.status ? (old.lastTransitionTime ?? now) : now }
  if (old === undefined) return [...(conditions ?? []), next]
  if (old.status === next.status && old.reason === next.reason && old.message === next.message) return conditions ?? []
  return (conditions ?? []).map((one) => (one === old ? { ...old, ...next } : one))
}

export function withoutCondition<C extends { readonly type: string }>(conditions: readonly C[] | null | undefined, type: string): readonly C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type)
}

/** Seconds since the epoch without fraction, as metav1.Time is written. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`
}

/** metav1.MicroTime. */
export function microTimestamp(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000Z`
}
