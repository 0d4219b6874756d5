import { isReason, jsonEqual, StatusError } from '@gantry/apimachinery'
import { createController, keyOf, retryAfter, settled, timestamp, trigger } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { deletionConditions } from './deletion-conditions.ts'
import { emptyNamespace } from './empty-namespace.ts'
import type { Outcome } from '@gantry/controller'
import type { Namespace, Pod } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'

const ourFinalizer = 'kubernetes'
// Upstream waits half of the estimate; a namespace that is empty sooner should be gone sooner.
const longestWaitMs = 3000

/** Empties namespaces that are being deleted, then lets them go. */
export function createNamespaceController(deps: ControllerDeps, options: { readonly workers?: number | undefined } = {}): readonly Service[] {
  const { client, clock } = deps
  const namespaces = deps.informers.of<Namespace>(resources.namespaces)
  const pods = deps.informers.of<Pod>(resources.pods)

  /** The last pod to go is what most deletions wait for. */
  function keysOfPod(pod: Pod): readonly string[] {
    const name = pod.metadata.namespace ?? ''
    return namespaces.store.get(name)?.metadata.deletionTimestamp === undefined ? [] : [name]
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    if (namespaces.store.get(key)?.metadata.deletionTimestamp === undefined) return settled
    // The newest, not the cached one: others may be finalizing it too.
    let namespace = await find(key, signal)
    if (namespace?.metadata.deletionTimestamp === undefined || !(namespace.spec?.finalizers ?? []).includes(ourFinalizer)) return settled

    const emptied = await emptyNamespace(deps, key, signal)
    const conditions = deletionConditions(namespace.status?.conditions, emptied, timestamp(clock.now()))
    const status = { ...namespace.status, phase: 'Terminating', conditions: [...conditions] }
    if (!jsonEqual(status, namespace.status)) {
      namespace = await client.update(resources.namespaces, { ...namespace, status }, { subresource: 'status', signal })
    }
    if (emptied.remaining.size > 0 && emptied.contentFailures.length === 0 && emptied.discoveryFailure === undefined) {
      return retryAfter(Math.min(longestWaitMs, (emptied.estimateSeconds / 2 + 1) * 1000))
    }
    const failure = emptied.discoveryFailure ?? emptied.contentFailures[0]
    if (failure !== undefined) throw new StatusError('InternalError', `namespace "${key}" cannot be emptied: ${failure}`)

    const finalizers = (namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== ourFinalizer)
    try {
      await client.update(resources.namespaces, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: 'finalize', signal })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
    return settled
  }

  async function find(name: string, signal: AbortSignal): Promise<Namespace | undefined> {
    try {
      return await client.get<Namespace>(resources.namespaces, { name }, { signal })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  return [
    createController(deps, {
      name: 'namespace',
      workers: options.workers ?? 5,
      // A namespace may hold ten thousand objects.
      reconcileTimeoutMs: 300_000,
      triggers: [
        trigger(namespaces, (change) => [keyOf(change.object)]),
        trigger(pods, (change) => (change.type === 'deleted' ? keysOfPod(change.object) : [])),
      ],
      reconcile,
    }),
  ]
}
