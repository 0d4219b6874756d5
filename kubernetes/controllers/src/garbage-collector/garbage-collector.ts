import { isReason } from '@gantry/apimachinery'
import { apiVersionOf, discoverResources } from '@gantry/client'
import { createController, createEventRecorder, keyOf, retryAfter, runInBackground, settled, trigger } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import { MetadataWatches } from './metadata-watches.ts'
import { blockingDependents, foregroundFinalizer, orphanFinalizer, OwnerGraph } from './owner-graph.ts'
import type { DiscoveredResource, KubeObject, OwnerReference, ResourceRef } from '@gantry/client'
import type { Change, Controller, Outcome } from '@gantry/controller'
import type { CustomResourceDefinition } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import type { Due, GraphNode } from './owner-graph.ts'

const rediscoverEveryMs = 30_000
const unknownKindRetryMs = 30_000
const waitForSyncMs = 200
const maxAbsentRemembered = 1000
const crdsKey = 'discover'

/**
 * Deletes what its last owner has left behind, and completes foreground and orphaning deletions. Every decision is checked against the server by uid: the watches only say
 * where to look. Upstream: garbagecollector.go.
 */
export function createGarbageCollector(deps: ControllerDeps, options: { readonly workers?: number | undefined } = {}): readonly Service[] {
  const { client } = deps
  const log = deps.log.with({ controller: 'garbage-collector' })
  const recorder = createEventRecorder(deps, { component: 'garbage-collector-controller' })
  const graph = new OwnerGraph()
  const watches = new MetadataWatches({ ...deps, log, onChange: observe })
  const definitions = deps.informers.of<CustomResourceDefinition>(resources.customResourceDefinitions)
  const absent = new Set<string>()
  let served: readonly DiscoveredResource[] = []

  function observe(change: Change<KubeObject>, resource: ResourceRef): void {
    if (change.type === 'deleted') {
      const uid = change.object.metadata.uid ?? ''
      rememberAbsent(uid)
      arrange(graph.remove(uid))
    } else arrange(graph.put(change.object, resource))
  }

  function arrange({ examine, orphan, misplaced }: Due): void {
    for (const node of examine) controller.enqueue(node.identity.uid)
    if (orphan !== undefined) controller.enqueue(orphan.identity.uid)
    if (misplaced === undefined) return
    const { dependent, reference } = misplaced
    const { apiVersion, kind, namespace, name, uid } = dependent.identity
    recorder.record(
      { apiVersion, kind, name, uid, ...(namespace === '' ? {} : { namespace }) },
      {
        type: 'Warning',
        reason: 'OwnerRefInvalidNamespace',
        message: `ownerRef [${reference.apiVersion}/${reference.kind}, namespace: ${namespace}, name: ${reference.name}, uid: ${reference.uid}] does not exist in namespace ${JSON.stringify(namespace)}`,
      },
    )
  }

  function rememberAbsent(uid: string): void {
    absent.add(uid)
    if (absent.size <= maxAbsentRemembered) return
    for (const oldest of absent) {
      absent.delete(oldest)
      return
    }
  }

  function resourceOf(reference: { readonly apiVersion: string; readonly kind: string }): ResourceRef | undefined {
    return served.find((resource) => resource.kind === reference.kind && apiVersionOf(resource) === reference.apiVersion)
  }

  async function read(
    resource: ResourceRef,
    where: { readonly namespace: string; readonly name: string },
    signal: AbortSignal,
  ): Promise<KubeObject | undefined> {
    try {
      return await client.get(resource, { name: where.name, ...(resource.namespaced ? { namespace: where.namespace } : {}) }, { signal })
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  /** Returns the object as it then is; `undefined` when it is gone. */
  async function writeMetadata(
    resource: ResourceRef,
    object: KubeObject,
    change: { readonly metadata: object; readonly signal: AbortSignal },
  ): Promise<KubeObject | undefined> {
    const { name = '', namespace, uid, resourceVersion } = object.metadata
    try {
      return await client.patch(
        resource,
        { name, namespace },
        { type: 'merge', body: { metadata: { uid, resourceVersion, ...change.metadata } }, signal: change.signal },
      )
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  async function removeOwners(
    resource: ResourceRef,
    object: KubeObject,
    change: { readonly uids: ReadonlySet<string>; readonly signal: AbortSignal },
  ): Promise<void> {
    const ownerReferences = (object.metadata.ownerReferences ?? []).filter((reference) => !change.uids.has(reference.uid))
    await writeMetadata(resource, object, { metadata: { ownerReferences }, signal: change.signal })
  }

  async function removeFinalizer(
    resource: ResourceRef,
    object: KubeObject,
    change: { readonly finalizer: string; readonly signal: AbortSignal },
  ): Promise<void> {
    const before = object.metadata.finalizers ?? []
    if (!before.includes(change.finalizer)) return
    await writeMetadata(resource, object, { metadata: { finalizers: before.filter((one) => one !== change.finalizer) }, signal: change.signal })
  }

  async function remove(
    resource: ResourceRef,
    object: KubeObject,
    how: { readonly policy: 'Background' | 'Foreground' | 'Orphan'; readonly signal: AbortSignal },
  ): Promise<void> {
    const { name = '', namespace, uid = '', resourceVersion } = object.metadata
    log.debug('deleting an object without owners', { resource: resource.resource, object: keyOf(object), policy: how.policy })
    try {
      await client.delete(
        resource,
        { name, namespace },
        {
          propagationPolicy: how.policy,
          // The version too: an owner may have been added since.
          preconditions: { uid, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
          signal: how.signal,
        },
      )
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  type Standing = 'solid' | 'dangling' | 'waiting' | 'unknown' | 'invalid'

  /** Whether an owner lives, is gone, or waits for its dependents to be deleted. */
  async function standingOf(reference: OwnerReference, dependent: GraphNode, signal: AbortSignal): Promise<Standing> {
    if (absent.has(reference.uid)) return 'dangling'
    const resource = resourceOf(reference)
    if (resource === undefined) return 'unknown'
    // A cluster-scoped object cannot be owned by one in a namespace; upstream leaves both alone.
    if (resource.namespaced && dependent.identity.namespace === '') return 'invalid'
    const owner = await read(resource, { namespace: dependent.identity.namespace, name: reference.name }, signal)
    if (owner === undefined || owner.metadata.uid !== reference.uid) {
      // Not remembered for a misplaced reference: that owner exists, elsewhere.
      const known = graph.get(reference.uid)
      if (known === undefined || !known.observed) rememberAbsent(reference.uid)
      return 'dangling'
    }
    const waits = owner.metadata.deletionTimestamp !== undefined && (owner.metadata.finalizers ?? []).includes(foregroundFinalizer)
    return waits ? 'waiting' : 'solid'
  }

  /** Dependents first: an owner in foreground deletion goes when nothing blocks it any more. */
  async function finishForeground(
    node: GraphNode,
    found: { readonly resource: ResourceRef; readonly object: KubeObject },
    signal: AbortSignal,
  ): Promise<Outcome> {
    const blocking = blockingDependents(node)
    if (blocking.length === 0) {
      await removeFinalizer(found.resource, found.object, { finalizer: foregroundFinalizer, signal })
      return settled
    }
    for (const dependent of blocking) if (!dependent.deletingDependents) controller.enqueue(dependent.identity.uid)
    return settled
  }

  async function orphan(node: GraphNode, found: { readonly resource: ResourceRef; readonly object: KubeObject }, signal: AbortSignal): Promise<Outcome> {
    for (const dependent of node.dependents) {
      const { resource, namespace, name, uid } = dependent.identity
      if (resource === undefined) continue
      const latest = await read(resource, { namespace, name }, signal)
      if (latest === undefined || latest.metadata.uid !== uid) continue
      if (!(latest.metadata.ownerReferences ?? []).some((reference) => reference.uid === node.identity.uid)) continue
      await removeOwners(resource, latest, { uids: new Set([node.identity.uid]), signal })
    }
    await removeFinalizer(found.resource, found.object, { finalizer: orphanFinalizer, signal })
    return settled
  }

  async function examine(uid: string, signal: AbortSignal): Promise<Outcome> {
    if (!watches.ready) return retryAfter(waitForSyncMs)
    const node = graph.get(uid)
    if (node === undefined) return settled
    if (node.observed && node.deleting && !node.deletingDependents && !node.orphaning) return settled // on its way
    const resource = node.identity.resource ?? resourceOf(node.identity)
    // A kind that is not served: its objects cannot be judged, and a later discovery may know it.
    if (resource === undefined) return retryAfter(unknownKindRetryMs)
    const object = await read(resource, node.identity, signal)
    if (object === undefined || object.metadata.uid !== uid) {
      if (!node.observed && resource.namespaced && node.dependents.size > 0) return settleVirtual(node)
      rememberAbsent(uid)
      arrange(graph.remove(uid))
      return settled
    }
    if (node.orphaning) return orphan(node, { resource, object }, signal)
    if (node.deletingDependents) return finishForeground(node, { resource, object }, signal)

    const references = object.metadata.ownerReferences ?? []
    if (references.length === 0) return settled
    const standings = await Promise.all(references.map(async (reference) => ({ reference, standing: await standingOf(reference, node, signal) })))
    if (standings.some(({ standing }) => standing === 'invalid')) return settled
    if (standings.some(({ standing }) => standing === 'unknown')) return retryAfter(unknownKindRetryMs)
    const solid = standings.some(({ standing }) => standing === 'solid')
    const waiting = standings.some(({ standing }) => standing === 'waiting')
    if (solid) {
      const uids = new Set(standings.filter(({ standing }) => standing !== 'solid').map(({ reference }) => reference.uid))
      if (uids.size > 0) await removeOwners(resource, object, { uids, signal })
      return settled
    }
    if (waiting && node.dependents.size > 0) {
      // Two that wait for each other would wait for ever.
      const mayBeCircle = [...node.dependents].some((dependent) => dependent.deletingDependents)
      const ownerReferences = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }))
      const current = mayBeCircle ? await writeMetadata(resource, object, { metadata: { ownerReferences }, signal }) : object
      if (current !== undefined) await remove(resource, current, { policy: 'Foreground', signal })
      return settled
    }
    const finalizers = object.metadata.finalizers ?? []
    const policy = finalizers.includes(orphanFinalizer) ? 'Orphan' : finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background'
    await remove(resource, object, { policy, signal })
    return settled
  }

  /** An owner that nobody has seen is not where its dependents say: each of them is looked at on its own, and the guess is forgotten. */
  function settleVirtual(node: GraphNode): Outcome {
    arrange(graph.remove(node.identity.uid))
    return settled
  }

  async function discover(signal: AbortSignal): Promise<Outcome> {
    const found = await discoverResources(client, { signal })
    served = found.resources
    watches.follow(found.resources, found.stale)
    return retryAfter(rediscoverEveryMs)
  }

  const controller: Controller = createController(deps, {
    name: 'garbage-collector',
    workers: options.workers ?? 10,
    triggers: [trigger(definitions, () => [crdsKey])],
    reconcile: (key, { signal }) => (key === crdsKey ? discover(signal) : examine(key, signal)),
  })
  const watching: Service = {
    name: 'garbage-collector watches',
    start({ signal }) {
      controller.enqueue(crdsKey)
      return Promise.resolve(
        runInBackground(async (stopping) => {
          const stopped = Promise.withResolvers<void>()
          stopping.addEventListener('abort', () => stopped.resolve(), { once: true })
          if (!stopping.aborted) await stopped.promise
          await watches.stop()
        }, signal),
      )
    },
  }
  return [recorder, watching, controller]
}
