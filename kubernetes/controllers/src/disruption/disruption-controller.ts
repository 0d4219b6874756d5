import { isReason, labelSelectorFromObject } from '@gantry/apimachinery'
import {
  commitStatus,
  controllerOf,
  createController,
  findCondition,
  keyOf,
  namespaceIndex,
  objectKey,
  retryAfter,
  settled,
  timestamp,
  trigger,
  withCondition,
} from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Change, Outcome } from '@gantry/controller'
import type { Deployment, Pod, PodDisruptionBudget, PodDisruptionBudgetStatus, ReplicaSet } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { isPodReady } from '../pod-state.ts'

/** How long an evicted pod may take to start leaving before it counts again. Upstream: disruption.DeletionTimeout. */
const evictionConfirmedWithinMs = 2 * 60_000

/** Kinds beside ReplicaSets that keep a number of pods; they are asked for, as few clusters have budgets over them. */
const otherScales: Readonly<Record<string, ResourceRef>> = {
  ReplicationController: { group: '', version: 'v1', resource: 'replicationcontrollers', kind: 'ReplicationController', namespaced: true },
  StatefulSet: { group: 'apps', version: 'v1', resource: 'statefulsets', kind: 'StatefulSet', namespaced: true },
}

class NoScale extends Error {}

/**
 * Says for each PodDisruptionBudget how many pods may be evicted now: what evictions go by. Without it every eviction of a protected pod is refused.
 * Upstream: pkg/controller/disruption.
 */
export function createDisruptionController(deps: ControllerDeps): readonly Service[] {
  const { client, clock } = deps
  const budgets = deps.informers.of<PodDisruptionBudget>(resources.podDisruptionBudgets)
  const pods = deps.informers.of<Pod>(resources.pods)
  const replicaSets = deps.informers.of<ReplicaSet>(resources.replicaSets)
  const deployments = deps.informers.of<Deployment>(resources.deployments)

  function budgetsOf(pod: Pod): PodDisruptionBudget[] {
    return budgets.store.byIndex(namespaceIndex, pod.metadata.namespace ?? '').filter((budget) => selects(budget, pod))
  }

  function keysOfPodChange(change: Change<Pod>): readonly string[] {
    const keys = new Set(budgetsOf(change.object).map(keyOf))
    if (change.type === 'updated') for (const budget of budgetsOf(change.old)) keys.add(keyOf(budget))
    return [...keys]
  }

  /** Budgets over the pods of what has been scaled. */
  function keysOfScale({ object }: Change<ReplicaSet | Deployment>): readonly string[] {
    return budgets.store.byIndex(namespaceIndex, object.metadata.namespace ?? '').map(keyOf)
  }

  /** Replicas wanted by the controllers of these pods, each counted once. Throws NoScale for a controller of unknown size. */
  async function expectedScale(selected: readonly Pod[], signal: AbortSignal): Promise<number> {
    const scales = new Map<string, number>()
    for (const pod of selected) {
      const owner = controllerOf(pod)
      // A pod of its own has nobody who wants a number of it.
      if (owner === undefined || scales.has(owner.uid)) continue
      const { namespace = '' } = pod.metadata
      if (owner.kind !== 'ReplicaSet') {
        const resource = otherScales[owner.kind]
        scales.set(owner.uid, resource === undefined ? noScale(pod) : await replicasOf(resource, { namespace, name: owner.name }, signal))
        continue
      }
      const replicaSet = replicaSets.store.get(objectKey(namespace, owner.name)) ?? noScale(pod)
      const above = controllerOf(replicaSet)
      const deployment = above?.kind === 'Deployment' ? deployments.store.get(objectKey(namespace, above.name)) : undefined
      const scaled = deployment ?? replicaSet
      scales.set(scaled.metadata.uid ?? owner.uid, scaled.spec?.replicas ?? 0)
      // Its other ReplicaSets belong to the same scale.
      scales.set(owner.uid, scales.get(owner.uid) ?? 0)
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
  }

  async function replicasOf(resource: ResourceRef, key: { readonly namespace: string; readonly name: string }, signal: AbortSignal): Promise<number> {
    try {
      return (await client.get<KubeObject & { readonly spec?: { readonly replicas?: number } }>(resource, key, { signal })).spec?.replicas ?? 0
    } catch (error) {
      if (isReason(error, 'NotFound')) throw new NoScale(`${resource.kind} ${JSON.stringify(key.name)} is gone`)
      throw error
    }
  }

  async function demand(
    budget: PodDisruptionBudget,
    selected: readonly Pod[],
    signal: AbortSignal,
  ): Promise<{ readonly expectedPods: number; readonly desiredHealthy: number }> {
    const { minAvailable, maxUnavailable } = budget.spec ?? {}
    if (maxUnavailable !== undefined) {
      const expectedPods = await expectedScale(selected, signal)
      return { expectedPods, desiredHealthy: Math.max(0, expectedPods - shareOf(maxUnavailable, expectedPods)) }
    }
    if (typeof minAvailable === 'string') {
      const expectedPods = await expectedScale(selected, signal)
      return { expectedPods, desiredHealthy: shareOf(minAvailable, expectedPods) }
    }
    return { expectedPods: selected.length, desiredHealthy: minAvailable ?? 0 }
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const budget = budgets.store.get(key)
    if (budget === undefined || budget.metadata.deletionTimestamp !== undefined) return settled
    const selected = pods.store.byIndex(namespaceIndex, budget.metadata.namespace ?? '').filter((pod) => selects(budget, pod))
    const now = clock.now()
    let wanted: Awaited<ReturnType<typeof demand>> | NoScale
    try {
      wanted = await demand(budget, selected, signal)
    } catch (error) {
      if (!(error instanceof NoScale)) throw error
      wanted = error
    }
    let recheckMs: number | undefined
    await commitStatus(client, {
      resource: resources.podDisruptionBudgets,
      object: budget,
      signal,
      next: (current) => {
        if (wanted instanceof NoScale) return withStatus(current, failed(current, wanted.message, timestamp(now)))
        const disrupted = stillDisrupted(current, selected, now)
        recheckMs = disrupted.recheckMs
        return withStatus(current, computed(current, { ...wanted, disruptedPods: disrupted.pods, selected, now: timestamp(now) }))
      },
    })
    return recheckMs === undefined ? settled : retryAfter(recheckMs)
  }

  return [
    createController(deps, {
      name: 'disruption',
      triggers: [
        trigger(budgets, ({ object }) => [keyOf(object)]),
        trigger(pods, keysOfPodChange),
        trigger(replicaSets, keysOfScale),
        trigger(deployments, keysOfScale),
      ],
      reconcile,
    }),
  ]
}

function noScale(pod: Pod): never {
  throw new NoScale(`found no controllers for pod ${JSON.stringify(pod.metadata.name)}`)
}

function selects({ spec }: PodDisruptionBudget, { metadata }: Pod): boolean {
  return labelSelectorFromObject(spec?.selector).matches(metadata.labels ?? {})
}

/** A number, or a percentage of the whole, rounded up. */
function shareOf(value: number | string, whole: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * whole) / 100)
}

/** Evicted pods that have not started to leave, and when the first of them counts again. */
function stillDisrupted(
  budget: PodDisruptionBudget,
  selected: readonly Pod[],
  now: Date,
): { readonly pods: Record<string, string>; readonly recheckMs: number | undefined } {
  const present = new Map(selected.map((pod) => [pod.metadata.name, pod]))
  const kept: Record<string, string> = {}
  let recheckMs: number | undefined
  for (const [name, evictedAt] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = present.get(name)
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) continue
    const leftMs = Date.parse(evictedAt) + evictionConfirmedWithinMs - now.getTime()
    if (leftMs <= 0) continue
    kept[name] = evictedAt
    recheckMs = Math.min(recheckMs ?? leftMs, leftMs)
  }
  return { pods: kept, recheckMs }
}

interface Found {
  readonly expectedPods: number
  readonly desiredHealthy: number
  readonly disruptedPods: Record<string, string>
  readonly selected: readonly Pod[]
  readonly now: string
}

function computed(budget: PodDisruptionBudget, found: Found): PodDisruptionBudgetStatus {
  const { expectedPods, desiredHealthy, disruptedPods, selected, now } = found
  const currentHealthy = selected.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !((pod.metadata.name ?? '') in disruptedPods) && isPodReady(pod),
  ).length
  const disruptionsAllowed = expectedPods > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0
  const isAllowed = disruptionsAllowed > 0
  const { disruptedPods: _before, ...status } = budget.status ?? {}
  return {
    ...status,
    observedGeneration: budget.metadata.generation,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: conditionsOf(budget, { status: isAllowed ? 'True' : 'False', reason: isAllowed ? 'SufficientPods' : 'InsufficientPods', message: '', now }),
  }
}

/** Nobody may be evicted while it is not known how many pods there should be. */
function failed(budget: PodDisruptionBudget, message: string, now: string): PodDisruptionBudgetStatus {
  return {
    ...budget.status,
    observedGeneration: budget.metadata.generation,
    disruptionsAllowed: 0,
    conditions: conditionsOf(budget, { status: 'False', reason: 'SyncFailed', message, now }),
  }
}

function conditionsOf(
  budget: PodDisruptionBudget,
  next: { readonly status: string; readonly reason: string; readonly message: string; readonly now: string },
): NonNullable<PodDisruptionBudgetStatus['conditions']> {
  const { now, ...said } = next
  const old = findCondition(budget.status?.conditions, 'DisruptionAllowed')
  const { generation } = budget.metadata
  const conditions = withCondition(budget.status?.conditions, { ...old, type: 'DisruptionAllowed', lastTransitionTime: now, ...said }, now)
  return conditions.map((condition) => (condition.type === 'DisruptionAllowed' ? { ...condition, observedGeneration: generation } : condition))
}

function withStatus(budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus): PodDisruptionBudget {
  return { ...budget, status }
}
