import { commitObject, controllerOf, createController, namespaceIndex, settled, trigger } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Change, Outcome } from '@gantry/controller'
import type { PersistentVolumeClaim, Pod } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { protectionBy } from './protection.ts'

const protection = protectionBy('kubernetes.io/pvc-protection')

/**
 * Lets a deleted claim go once no pod on a node names it, finished or not: the node may still have it mounted. Works by namespace, so that the pods of one are asked for once however many
 * claims go together. Upstream: pkg/controller/volume/pvcprotection.
 */
export function createPvcProtectionController(deps: ControllerDeps): readonly Service[] {
  const { client } = deps
  const claims = deps.informers.of<PersistentVolumeClaim>(resources.persistentVolumeClaims)
  const pods = deps.informers.of<Pod>(resources.pods)

  async function reconcile(namespace: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const all = claims.store.byIndex(namespaceIndex, namespace)
    const resource = resources.persistentVolumeClaims
    for (const object of all.filter(protection.isMissing)) {
      const next = (claim: PersistentVolumeClaim): PersistentVolumeClaim => (protection.isMissing(claim) ? protection.added(claim) : claim)
      await commitObject(client, { resource, object, next, signal })
    }
    const unused = unusedOf(all.filter(protection.holds), pods.store.byIndex(namespaceIndex, namespace))
    if (unused.length === 0) return settled
    // A pod that is about to run with the claim may not have come by yet: the server knows.
    const { items } = await client.list<Pod>(resources.pods, { namespace, signal })
    for (const object of unusedOf(unused, items)) await commitObject(client, { resource, object, next: protection.removed, signal })
    return settled
  }

  return [
    createController(deps, {
      name: 'pvc-protection',
      triggers: [
        trigger(claims, ({ object }) => (protection.holds(object) || protection.isMissing(object) ? [object.metadata.namespace ?? ''] : [])),
        trigger(pods, namespacesFreed),
      ],
      reconcile,
    }),
  ]
}

/** Claims may become free when a pod goes, gives its name to another one, or is done with those that it owns. */
function namespacesFreed(change: Change<Pod>): readonly string[] {
  const { object } = change
  const isAnother = change.type === 'updated' && change.old.metadata.uid !== object.metadata.uid
  if (change.type !== 'deleted' && !isAnother && !isShutDown(object)) return []
  const hasClaims = (isAnother ? [change.old, object] : [object]).some((pod) =>
    pod.spec.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral),
  )
  return hasClaims ? [object.metadata.namespace ?? ''] : []
}

function unusedOf(candidates: readonly PersistentVolumeClaim[], pods: readonly Pod[]): readonly PersistentVolumeClaim[] {
  if (candidates.length === 0) return []
  const used = new Set<string>()
  for (const pod of pods) {
    // Without a node nobody mounts anything, and a node does not start a pod whose claim is on its way out.
    if ((pod.spec.nodeName ?? '') === '') continue
    for (const { name, persistentVolumeClaim, ephemeral } of pod.spec.volumes ?? []) {
      if (persistentVolumeClaim !== undefined) used.add(persistentVolumeClaim.claimName)
      else if (ephemeral !== undefined && !isShutDown(pod)) used.add(ownedClaim(`${pod.metadata.name}-${name}`, pod.metadata.uid))
    }
  }
  return candidates.filter((claim) => {
    const { name = '' } = claim.metadata
    return !used.has(name) && !used.has(ownedClaim(name, controllerOf(claim)?.uid))
  })
}

/** A claim made for a pod is that pod's only: another claim of that name is not in use by it. No name of a claim has a slash. */
function ownedClaim(name: string, podUid: string | undefined): string {
  return `${name}/${podUid ?? ''}`
}

/** Its node is done with it, or it was removed by force: waiting longer could wait for a finalizer that waits for the claim. */
function isShutDown({ metadata }: Pod): boolean {
  return metadata.deletionTimestamp !== undefined && metadata.deletionGracePeriodSeconds === 0
}
