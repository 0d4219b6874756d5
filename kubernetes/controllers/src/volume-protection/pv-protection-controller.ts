import { commitObject, createController, keyOf, settled, trigger } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Outcome } from '@gantry/controller'
import type { PersistentVolume } from '@gantry/kube-api'
import type { Service } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { protectionBy } from './protection.ts'

const protection = protectionBy('kubernetes.io/pv-protection')

/** Lets a deleted volume go once no claim is bound to it. Upstream: pkg/controller/volume/pvprotection. */
export function createPvProtectionController(deps: ControllerDeps): readonly Service[] {
  const volumes = deps.informers.of<PersistentVolume>(resources.persistentVolumes)

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const object = volumes.store.get(key)
    if (object === undefined) return settled
    const next = (volume: PersistentVolume): PersistentVolume => {
      if (protection.holds(volume) && volume.status?.phase !== 'Bound') return protection.removed(volume)
      return protection.isMissing(volume) ? protection.added(volume) : volume
    }
    await commitObject(deps.client, { resource: resources.persistentVolumes, object, next, signal })
    return settled
  }

  return [createController(deps, { name: 'pv-protection', triggers: [trigger(volumes, ({ object }) => [keyOf(object)])], reconcile })]
}
