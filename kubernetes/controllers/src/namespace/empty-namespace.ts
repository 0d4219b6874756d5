import { isReason, StatusError } from '@gantry/apimachinery'
import { discoverResources, resourcePath } from '@gantry/client'
import { readWholeBody } from '@gantry/runtime'
import type { Discovered, DiscoveredResource, KubeClient, KubeObject } from '@gantry/client'
import type { Pod } from '@gantry/kube-api'
import type { DeletionReport } from './deletion-conditions.ts'

export interface EmptyNamespaceDeps {
  readonly client: Pick<KubeClient, 'list' | 'delete' | 'request'>
}

export interface Emptied extends DeletionReport {
  /** Seconds that what is left may still take by itself; 0 when nothing is left. */
  readonly estimateSeconds: number
}

// For objects that wait for a finalizer of somebody else. Upstream: finalizerEstimateSeconds.
const finalizerEstimateSeconds = 15
const pageSize = 500
const maxAnswerBytes = 256 * 1024 * 1024

/**
 * Asks for the deletion of everything in a namespace: pods first, and the rest only when no pod is left, so that nothing a running pod needs goes before it.
 * Failures are part of the report. Upstream: namespaced_resources_deleter.go deleteAllContent.
 */
export async function emptyNamespace(deps: EmptyNamespaceDeps, namespace: string, signal: AbortSignal): Promise<Emptied> {
  let discovered: Discovered
  try {
    discovered = await discoverResources(deps.client, { signal })
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return { discoveryFailure: error.message, contentFailures: [], remaining: new Map(), finalizers: new Map(), estimateSeconds: 0 }
  }
  const { stale } = discovered
  const all = discovered.resources.filter((resource) => resource.namespaced && resource.preferred && resource.verbs.includes('delete'))
  const isPods = (resource: DiscoveredResource): boolean => resource.group === '' && resource.resource === 'pods'
  const tally = createTally()
  const empty = async (resource: DiscoveredResource): Promise<void> => {
    try {
      tally.add(resource, await leftOf(deps, { resource, namespace, signal }))
    } catch (error) {
      if (signal.aborted || !(error instanceof StatusError)) throw error
      tally.fail(error.message)
    }
  }
  for (const resource of all.filter(isPods)) await empty(resource)
  if (tally.isEmpty) for (const resource of all.filter((one) => !isPods(one))) await empty(resource)
  const discoveryFailure = stale.length === 0 ? undefined : `Discovery failed for some groups, ${stale.length} failing: ${stale.join(', ')}`
  return { discoveryFailure, ...tally.report() }
}

/** Deletes all objects of one resource and returns those that are still there. */
async function leftOf(
  deps: EmptyNamespaceDeps,
  where: { readonly resource: DiscoveredResource; readonly namespace: string; readonly signal: AbortSignal },
): Promise<readonly KubeObject[]> {
  const { resource, namespace, signal } = where
  const before = await listAll(deps, where)
  if (before.length === 0) return []
  if (resource.verbs.includes('deletecollection')) {
    const response = await deps.client.request({ method: 'DELETE', path: resourcePath(resource, { namespace }), signal })
    await readWholeBody(response, maxAnswerBytes)
    // A server may list a verb and refuse it; then object by object.
    if (response.status >= 300) await deleteEach(deps, before, where)
  } else await deleteEach(deps, before, where)
  return listAll(deps, where)
}

async function deleteEach(
  deps: EmptyNamespaceDeps,
  objects: readonly KubeObject[],
  { resource, namespace, signal }: Parameters<typeof leftOf>[1],
): Promise<void> {
  for (const { metadata } of objects) {
    try {
      await deps.client.delete(resource, { namespace, name: metadata.name ?? '' }, { propagationPolicy: 'Background', signal })
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }
}

async function listAll(deps: EmptyNamespaceDeps, { resource, namespace, signal }: Parameters<typeof leftOf>[1]): Promise<readonly KubeObject[]> {
  if (!resource.verbs.includes('list')) return []
  const items: KubeObject[] = []
  const isPods = resource.group === '' && resource.resource === 'pods'
  let next: string | undefined
  do {
    // Pods whole: how long they may take stands in their spec.
    const page = await deps.client.list<KubeObject>(resource, { namespace, limit: pageSize, continue: next, metadataOnly: isPods ? undefined : true, signal })
    items.push(...(page.items ?? []))
    next = page.metadata.continue
  } while (next !== undefined && next !== '')
  return items
}

function createTally() {
  const remaining = new Map<string, number>()
  const finalizers = new Map<string, number>()
  const contentFailures: string[] = []
  let estimateSeconds = 0
  return {
    get isEmpty() {
      return remaining.size === 0 && contentFailures.length === 0
    },
    fail: (message: string) => void contentFailures.push(message),
    add(resource: DiscoveredResource, left: readonly KubeObject[]): void {
      if (left.length === 0) return
      remaining.set(`${resource.resource}.${resource.group}`, left.length)
      let graceSeconds = 0
      let kept = false
      for (const object of left) {
        for (const finalizer of object.metadata.finalizers ?? []) {
          kept = true
          finalizers.set(finalizer, (finalizers.get(finalizer) ?? 0) + 1)
        }
        graceSeconds = Math.max(graceSeconds, object.metadata.deletionGracePeriodSeconds ?? graceOf(object))
      }
      const estimate = graceSeconds > 0 ? graceSeconds : kept ? finalizerEstimateSeconds : 0
      // Asked to go, with nothing to wait for, and still there.
      if (estimate === 0) contentFailures.push(`unexpected items still remain: ${left.length} of ${resource.resource}`)
      estimateSeconds = Math.max(estimateSeconds, estimate)
    },
    report: () => ({ remaining, finalizers, contentFailures, estimateSeconds }),
  }
}

function graceOf(object: KubeObject): number {
  return (object as Partial<Pod>).spec?.terminationGracePeriodSeconds ?? 0
}
