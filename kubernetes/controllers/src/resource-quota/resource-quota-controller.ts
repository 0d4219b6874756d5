import { setImmediate as nextTurn } from 'node:timers/promises'
import { discoverResources } from '@gantry/client'
import { createController, keyOf, namespaceIndex, retryAfter, settled } from '@gantry/controller'
import { isSameAmounts, measuredResources, QuotaUsage, resources, usesAnother } from '@gantry/kube-api'
import type { KubeObject, ResourceRef } from '@gantry/client'
import type { Change, Informer, Outcome } from '@gantry/controller'
import type { ResourceQuota } from '@gantry/kube-api'
import { aborted } from '@gantry/runtime'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'

// Upstream: --resource-quota-sync-period.
const resyncMs = 300_000
/** A charge for an object that was on its way while the others were counted is missing from the sum: counted once more. */
const recountMs = 2_000
/** How soon a resource that is not served may be: a quota may be there before the definition of what it counts. */
const rediscoverMs = 30_000
/** What goes together is counted together: every count goes through all objects of the namespace. */
const collectMs = 100
const objectsAtOnce = 100

const known: Readonly<Record<string, ResourceRef>> = {
  pods: resources.pods,
  services: resources.services,
  persistentvolumeclaims: resources.persistentVolumeClaims,
}

/**
 * Tells in the status of each quota what it allows and what is used. Admission adds to that when something is created; this counts anew when a quota is new, when something is
 * gone or uses less, and every few minutes. Upstream: resourcequota/resource_quota_controller.go.
 */
export function createResourceQuotaController(deps: ControllerDeps): readonly Service[] {
  const { client, clock } = deps
  const quotas = deps.informers.of<ResourceQuota>(resources.resourceQuotas)
  /** Of what quotas measure, since the first of them did. */
  const informers = new Map<string, Informer<KubeObject>>()

  function changed(id: string, change: Change<KubeObject>): void {
    // What comes, admission has charged.
    if (change.type === 'added') return
    for (const quota of quotas.store.byIndex(namespaceIndex, change.object.metadata.namespace ?? '')) {
      if (!measuredResources(quota).includes(id)) continue
      if (change.type === 'deleted' || usesAnother(quota, { id, object: change.object, old: change.old, now: clock.now() }))
        controller.enqueue(keyOf(quota), collectMs)
    }
  }

  /** Undefined for what is not served, or cannot be listed and watched. */
  async function informerOf(id: string, signal: AbortSignal): Promise<Informer<KubeObject> | undefined> {
    let informer = informers.get(id)
    if (informer === undefined) {
      const resource = known[id] ?? (await discover(id, signal))
      if (resource === undefined) return undefined
      informer = informers.get(id) ?? deps.informers.of<KubeObject>(resource, known[id] === undefined ? { metadataOnly: true } : {})
      if (!informers.has(id)) {
        informers.set(id, informer)
        informer.onChange((change) => changed(id, change))
      }
    }
    await Promise.race([informer.synced, aborted(signal)])
    return informer
  }

  async function discover(id: string, signal: AbortSignal): Promise<ResourceRef | undefined> {
    const discovered = await discoverResources(client, { signal })
    return discovered.resources.find(
      ({ group, resource, namespaced, preferred, verbs }) =>
        preferred && namespaced && verbs.includes('list') && verbs.includes('watch') && (group === '' ? resource : `${resource}.${group}`) === id,
    )
  }

  async function count(quota: ResourceQuota, signal: AbortSignal): Promise<{ readonly used: Record<string, string>; readonly isComplete: boolean }> {
    const usage = new QuotaUsage(quota, clock.now())
    let isComplete = true
    for (const id of measuredResources(quota)) {
      const informer = await informerOf(id, signal)
      if (informer === undefined) {
        isComplete = false
        continue
      }
      usage.begin(id)
      for (const [index, object] of informer.store.byIndex(namespaceIndex, quota.metadata.namespace ?? '').entries()) {
        if (index % objectsAtOnce === objectsAtOnce - 1) await nextTurn()
        usage.add(id, object)
      }
    }
    return { used: usage.total(), isComplete }
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const quota = quotas.store.get(key)
    if (quota === undefined || quota.metadata.deletionTimestamp !== undefined) return settled
    const hard = quota.spec?.hard ?? {}
    const { used, isComplete } = await count(quota, signal)
    if (isSameAmounts(quota.status?.hard, hard) && isSameAmounts(quota.status?.used, used)) return retryAfter(isComplete ? resyncMs : rediscoverMs)
    await client.update<ResourceQuota>(resources.resourceQuotas, { ...quota, status: { hard: { ...hard }, used } }, { subresource: 'status', signal })
    return retryAfter(recountMs)
  }

  const controller = createController(deps, {
    name: 'resource-quota',
    triggers: [
      {
        informer: quotas,
        connect: (enqueue) =>
          quotas.onChange((change) => {
            if (change.type === 'deleted' || (change.type === 'updated' && isSameAmounts(change.object.spec?.hard, change.old.spec?.hard))) return
            enqueue(keyOf(change.object))
          }),
      },
    ],
    reconcile,
  })
  return [controller]
}
