import { createController, createEventRecorder, Expectations, keyOf, objectKey, settled, subjectOf, trigger } from '@gantry/controller'
import type { Outcome } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Endpoints, EndpointSlice, Service } from '@gantry/kube-api'
import type { Service as RuntimeService } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { managedByLabel, serviceNameLabel } from '../endpoint-slice/slice-plan.ts'
import { each, removeSlice } from '../endpoint-slice/slice-writes.ts'
import { mirrorControllerName, planMirrors } from './mirror-plan.ts'

const byMirrored = 'endpointslice/mirrored'
const skipLabel = 'endpointslice.kubernetes.io/skip-mirror'
const leaderAnnotation = 'control-plane.alpha.kubernetes.io/leader'

/** Copies the Endpoints that somebody keeps by hand for a service without a selector into EndpointSlices, which is what is read. Upstream: pkg/controller/endpointslicemirroring. */
export function createEndpointSliceMirroringController(deps: ControllerDeps): readonly RuntimeService[] {
  const { client } = deps
  const recorder = createEventRecorder(deps, { component: 'endpoint-slice-mirroring-controller' })
  const endpoints = deps.informers.of<Endpoints>(resources.endpoints)
  const services = deps.informers.of<Service>(resources.services)
  const slices = deps.informers.of<EndpointSlice>(resources.endpointSlices)
  slices.addIndex(byMirrored, mirroredKeys)
  const creations = new Expectations(deps)

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    // What was created comes back as a change, which makes this key due again.
    if (!creations.satisfied(key)) return settled
    const existing = slices.store.byIndex(byMirrored, key).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const mirrored = endpoints.store.get(key)
    if (mirrored === undefined) creations.forget(key)
    if (mirrored === undefined || !isMirrored(mirrored, services.store.get(key))) {
      for (const slice of existing) await removeSlice(client, slice, signal)
      return settled
    }
    const plan = planMirrors(mirrored, existing)
    if (plan.skippedAddresses > 0) {
      recorder.record(subjectOf(mirrored, resources.endpoints), {
        type: 'Warning',
        reason: 'TooManyAddressesToMirror',
        message: `A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. ${plan.skippedAddresses} addresses were skipped`,
      })
    }
    for (const slice of plan.update) await client.update(resources.endpointSlices, slice, { signal })
    for (const slice of plan.remove) await removeSlice(client, slice, signal)
    creations.expectCreations(key, plan.create.length)
    await each(
      plan.create,
      (slice) => client.create(resources.endpointSlices, slice, { signal }),
      () => creations.creationObserved(key),
    )
    return settled
  }

  return [
    createController(deps, {
      name: 'endpointslicemirroring',
      workers: 5,
      triggers: [
        trigger(endpoints, ({ object }) => [keyOf(object)]),
        trigger(services, ({ object }) => [keyOf(object)]),
        trigger(slices, (change) => {
          const keys = mirroredKeys(change.object)
          if (change.type === 'added') for (const key of keys) creations.creationObserved(key)
          return change.type === 'updated' ? [...keys, ...mirroredKeys(change.old)] : keys
        }),
      ],
      reconcile,
    }),
  ]
}

function isMirrored({ metadata }: Endpoints, service: Service | undefined): boolean {
  if (service === undefined || service.spec?.selector !== undefined) return false
  return metadata.labels?.[skipLabel] !== 'true' && metadata.annotations?.[leaderAnnotation] === undefined
}

/** The Endpoints that a slice of this controller is a copy of. */
function mirroredKeys({ metadata }: EndpointSlice): string[] {
  const { [serviceNameLabel]: name = '', [managedByLabel]: manager } = metadata.labels ?? {}
  return manager === mirrorControllerName && name !== '' ? [objectKey(metadata.namespace, name)] : []
}
