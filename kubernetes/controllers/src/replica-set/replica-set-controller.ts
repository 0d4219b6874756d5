import { isReason, jsonEqual, labelSelectorFromObject, StatusError } from '@gantry/apimachinery'
import {
  controllerOf,
  controllerReference,
  createController,
  createEventRecorder,
  Expectations,
  keyOf,
  namespaceIndex,
  objectKey,
  retryAfter,
  settled,
  subjectOf,
  trigger,
} from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { claim, orphansOf, ownership, ownershipIndex } from '../claim.ts'
import { isPodActive, isPodReady, isPodTerminating, readySinceMs } from '../pod-state.ts'
import { slowStart } from '../slow-start.ts'
import { byDeletionOrder } from './deletion-order.ts'
import { replicaSetStatus } from './replica-set-status.ts'
import type { Change, Outcome } from '@gantry/controller'
import type { Pod, ReplicaSet } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'

// Most pods that one reconcile creates or deletes. Upstream: replicaset.BurstReplicas.
const burstReplicas = 500

interface Failure {
  readonly reason: 'FailedCreate' | 'FailedDelete'
  readonly message: string
  readonly error: unknown
}

/** Keeps as many pods of a ReplicaSet as it wants. */
export function createReplicaSetController(deps: ControllerDeps, options: { readonly workers?: number | undefined } = {}): readonly Service[] {
  const { client, clock } = deps
  const replicaSets = deps.informers.of<ReplicaSet>(resources.replicaSets)
  const pods = deps.informers.of<Pod>(resources.pods)
  replicaSets.addIndex(ownership, ownershipIndex)
  pods.addIndex(ownership, ownershipIndex)
  const expectations = new Expectations({ clock })
  const recorder = createEventRecorder(deps, { component: 'replicaset-controller' })

  function ownerKey(pod: Pod): string | undefined {
    const controller = controllerOf(pod)
    if (controller?.kind !== 'ReplicaSet') return undefined
    const key = objectKey(pod.metadata.namespace, controller.name)
    return replicaSets.store.get(key)?.metadata.uid === controller.uid ? key : undefined
  }

  /** ReplicaSets that an orphan's labels may please. */
  function suitors(pod: Pod): string[] {
    return replicaSets.store
      .byIndex(namespaceIndex, pod.metadata.namespace ?? '')
      .filter((replicaSet) => labelSelectorFromObject(replicaSet.spec.selector).matches(pod.metadata.labels))
      .map(keyOf)
  }

  function keysOfPodChange(change: Change<Pod>): readonly string[] {
    const { object: pod } = change
    const key = ownerKey(pod)
    const leaving = change.type === 'deleted' || pod.metadata.deletionTimestamp !== undefined
    if (key !== undefined) {
      if (leaving) expectations.deletionObserved(key, pod.metadata.uid ?? '')
      else if (change.type === 'added') expectations.creationObserved(key)
    }
    const keys = key === undefined ? [] : [key]
    if (change.type === 'updated') {
      const before = ownerKey(change.old)
      if (before !== undefined && before !== key) keys.push(before)
      const labelsChanged = !jsonEqual(change.old.metadata.labels, pod.metadata.labels)
      const released = controllerOf(change.old) !== undefined
      if (controllerOf(pod) === undefined && !leaving && (labelsChanged || released)) keys.push(...suitors(pod))
      const minReadySeconds = key === undefined ? 0 : (replicaSets.store.get(key)?.spec.minReadySeconds ?? 0)
      // It counts as available only then; a second of grace for clocks that are not ours.
      if (key !== undefined && minReadySeconds > 0 && !isPodReady(change.old) && isPodReady(pod)) controller.enqueue(key, minReadySeconds * 1000 + 1000)
    } else if (change.type === 'added' && controllerOf(pod) === undefined && !leaving) keys.push(...suitors(pod))
    return keys
  }

  async function createPod(replicaSet: ReplicaSet, key: string, signal: AbortSignal): Promise<void> {
    const { template } = replicaSet.spec
    const { labels, annotations, finalizers } = template?.metadata ?? {}
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        generateName: `${replicaSet.metadata.name}-`,
        ...(replicaSet.metadata.namespace === undefined ? {} : { namespace: replicaSet.metadata.namespace }),
        ...(labels === undefined ? {} : { labels }),
        ...(annotations === undefined ? {} : { annotations }),
        ...(finalizers === undefined ? {} : { finalizers }),
        ownerReferences: [controllerReference(replicaSet, resources.replicaSets)],
      },
      spec: template?.spec ?? { containers: [] },
    }
    try {
      const created = await client.create(resources.pods, pod, { signal })
      recorder.record(subjectOf(replicaSet, resources.replicaSets), {
        type: 'Normal',
        reason: 'SuccessfulCreate',
        message: `Created pod: ${created.metadata.name}`,
      })
    } catch (error) {
      expectations.creationObserved(key) // it will not come
      if (isTerminatingNamespace(error)) return
      recorder.record(subjectOf(replicaSet, resources.replicaSets), {
        type: 'Warning',
        reason: 'FailedCreate',
        message: `Error creating: ${error instanceof Error ? error.message : String(error)}`,
      })
      throw error
    }
  }

  async function deletePod(replicaSet: ReplicaSet, pod: Pod, context: { readonly key: string; readonly signal: AbortSignal }): Promise<void> {
    const { name = '', namespace, uid = '' } = pod.metadata
    try {
      await client.delete(resources.pods, { namespace, name }, { preconditions: { uid }, signal: context.signal })
      recorder.record(subjectOf(replicaSet, resources.replicaSets), { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${name}` })
    } catch (error) {
      expectations.deletionObserved(context.key, uid)
      if (isReason(error, 'NotFound')) return
      recorder.record(subjectOf(replicaSet, resources.replicaSets), {
        type: 'Warning',
        reason: 'FailedDelete',
        message: `Error deleting: ${error instanceof Error ? error.message : String(error)}`,
      })
      throw error
    }
  }

  /** Pods per node of all ReplicaSets with the same owner: during a rollout the old and the new one share nodes. */
  function familyPerNode(replicaSet: ReplicaSet, own: readonly Pod[]): ReadonlyMap<string, number> {
    const owner = controllerOf(replicaSet)
    const family = owner === undefined ? [] : replicaSets.store.byIndex(ownership, owner.uid)
    const perNode = new Map<string, number>()
    const members = family.length === 0 ? own : family.flatMap((one) => pods.store.byIndex(ownership, one.metadata.uid ?? '').filter(isPodActive))
    for (const { spec } of members) if (spec.nodeName !== undefined) perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1)
    return perNode
  }

  async function manage(
    replicaSet: ReplicaSet,
    own: readonly Pod[],
    context: { readonly key: string; readonly signal: AbortSignal },
  ): Promise<Failure | undefined> {
    const { key, signal } = context
    const missing = (replicaSet.spec.replicas ?? 1) - own.length
    if (missing > 0) {
      const count = Math.min(missing, burstReplicas)
      expectations.expectCreations(key, count)
      let tried = 0
      const { error } = await slowStart(count, () => {
        tried++
        return createPod(replicaSet, key, signal)
      })
      // Those never tried will not come either; the failed ones have given their expectation back themselves.
      for (let i = tried; i < count; i++) expectations.creationObserved(key)
      return error === undefined ? undefined : { reason: 'FailedCreate', message: messageOf(error), error }
    }
    if (missing < 0) {
      const perNode = familyPerNode(replicaSet, own)
      const doomed = own
        .map((pod) => ({ pod, rank: perNode.get(pod.spec.nodeName ?? '') ?? 0 }))
        .toSorted(byDeletionOrder(clock.now()))
        .slice(0, Math.min(-missing, burstReplicas))
        .map(({ pod }) => pod)
      expectations.expectDeletions(
        key,
        doomed.map((pod) => pod.metadata.uid ?? ''),
      )
      const results = await Promise.allSettled(doomed.map((pod) => deletePod(replicaSet, pod, context)))
      const failed = results.find((result) => result.status === 'rejected')
      return failed === undefined ? undefined : { reason: 'FailedDelete', message: messageOf(failed.reason), error: failed.reason as unknown }
    }
    return undefined
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const replicaSet = replicaSets.store.get(key)
    if (replicaSet === undefined) {
      expectations.forget(key)
      return settled
    }
    const upToDate = expectations.satisfied(key)
    const controlled = pods.store.byIndex(ownership, replicaSet.metadata.uid ?? '')
    const candidates = [...controlled, ...pods.store.byIndex(ownership, orphansOf(replicaSet.metadata.namespace))].filter(isPodActive)
    const selector = labelSelectorFromObject(replicaSet.spec.selector)
    const terminating = controlled.filter((pod) => isPodTerminating(pod) && selector.matches(pod.metadata.labels)).length
    const own = await claim<Pod>(deps, {
      owner: replicaSet,
      ownerResource: resources.replicaSets,
      selector,
      resource: resources.pods,
      candidates,
      signal,
    })
    const failure = upToDate && replicaSet.metadata.deletionTimestamp === undefined ? await manage(replicaSet, own, { key, signal }) : undefined

    const now = clock.now()
    const status = replicaSetStatus(replicaSet, { pods: own, terminating, failure, now })
    if (!jsonEqual(status, replicaSet.status)) {
      try {
        await client.update(resources.replicaSets, { ...replicaSet, status }, { subresource: 'status', signal })
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error
      }
    }
    if (failure !== undefined) throw failure.error
    // The informer may miss nothing, but time makes pods available without any event.
    const minReadySeconds = replicaSet.spec.minReadySeconds ?? 0
    if (minReadySeconds > 0 && status.readyReplicas !== undefined && status.readyReplicas !== (status.availableReplicas ?? 0)) {
      const next = Math.min(...own.map((pod) => (readySinceMs(pod) ?? now.getTime()) + minReadySeconds * 1000 - now.getTime()).filter((ms) => ms > 0))
      if (Number.isFinite(next)) return retryAfter(next)
    }
    return settled
  }

  const controller = createController(deps, {
    name: 'replicaset',
    workers: options.workers ?? 5,
    triggers: [
      trigger(replicaSets, (change) => {
        if (change.type === 'deleted') expectations.forget(keyOf(change.object))
        return [keyOf(change.object)]
      }),
      trigger(pods, keysOfPodChange),
    ],
    reconcile,
  })
  return [recorder, controller]
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A namespace that is going away takes no new objects: nothing to complain about. */
export function isTerminatingNamespace(error: unknown): boolean {
  return error instanceof StatusError && error.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true
}
