import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import { withConditions, type Condition } from '@gantry/clusters/api'
import { commitObject, commitStatus } from '@gantry/controller'
import type { Clock } from '@gantry/runtime'
import { tenancyFinalizer } from '../api/index.ts'

export interface WriteDeps {
  readonly hub: KubeClient
  readonly clock: Clock
}

export type Finding = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>
type Options = { readonly signal: AbortSignal }
type StatusChange<T extends { status?: object }> = Partial<NonNullable<T['status']>>
type WithConditions = { conditions?: Condition[] | undefined }

/** The `Ready` condition. */
export function ready(status: 'True' | 'False' | 'Unknown', reason: string, message = ''): Finding {
  return { type: 'Ready', status, reason, message: message.slice(0, 30_000) }
}

/** Writes what was found and nothing when it stands there already. `set` may go by the status as it is by then. Returns the object as it now is; undefined when it is gone. */
export function writeStatus<T extends KubeObject & { status?: WithConditions }>(
  { hub, clock }: WriteDeps,
  resource: ResourceRef,
  {
    object,
    set,
    findings,
    signal,
  }: {
    readonly object: T
    readonly set: StatusChange<T> | ((current: Partial<NonNullable<T['status']>>) => StatusChange<T>)
    readonly findings: readonly Finding[]
  } & Options,
): Promise<T | undefined> {
  return commitStatus<T>(hub, {
    resource,
    object,
    signal,
    next(current) {
      const before = current.status?.conditions ?? []
      const news = findings.filter((finding) => {
        const old = before.find(({ type }) => type === finding.type)
        return old?.status !== finding.status || old.reason !== finding.reason || old.message !== finding.message
      })
      const conditions = news.length === 0 ? before : withConditions(before, news, clock.now())
      const change = typeof set === 'function' ? set(current.status ?? {}) : set
      return { ...current, status: withoutUndefined({ ...current.status, ...change, conditions }) }
    },
  })
}

/** Keeps the object from going before what belongs to it has been let go. */
export async function addFinalizer<T extends KubeObject>(
  hub: KubeClient,
  resource: ResourceRef,
  { object, signal }: { readonly object: T } & Options,
): Promise<T | undefined> {
  if (object.metadata.finalizers?.includes(tenancyFinalizer) === true) return object
  return commitObject<T>(hub, {
    resource,
    object,
    signal,
    next: (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: [...new Set([...(current.metadata.finalizers ?? []), tenancyFinalizer])] },
    }),
  })
}

export async function removeFinalizer<T extends KubeObject>(
  hub: KubeClient,
  resource: ResourceRef,
  { object, signal }: { readonly object: T } & Options,
): Promise<void> {
  await commitObject<T>(hub, {
    resource,
    object,
    signal,
    next: (current) => ({
      ...current,
      metadata: { ...current.metadata, finalizers: (current.metadata.finalizers ?? []).filter((one) => one !== tenancyFinalizer) },
    }),
  })
}

function withoutUndefined(status: object): object {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined))
}
