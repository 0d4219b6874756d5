import { createController, Expectations, findCondition, keyOf, namespaceIndex, objectKey, settled, trigger } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { Change, Outcome } from '@gantry/controller'
import type { EndpointSlice, Node, Pod, Service } from '@gantry/kube-api'
import type { Service as RuntimeService } from '@gantry/runtime'
import type { ControllerDeps } from '../deps.ts'
import { changesEndpoints, endpointGroups, familiesOf } from './pod-endpoints.ts'
import { controllerName, managedByLabel, planSlices, serviceNameLabel } from './slice-plan.ts'
import { each, removeSlice } from './slice-writes.ts'

const byNode = 'endpointslice/node'
const byService = 'endpointslice/service'
const triggerTimeAnnotation = 'endpoints.kubernetes.io/last-change-trigger-time'

/** When what a service's endpoints come from was last changed, as of the last reconcile. */
interface TriggerTimes {
  readonly service: string
  readonly pods: ReadonlyMap<string, string>
}

/** Keeps the EndpointSlices of every service with a selector: which pods answer for it, and at which ports. Upstream: pkg/controller/endpointslice. */
export function createEndpointSliceController(deps: ControllerDeps): readonly RuntimeService[] {
  const { client } = deps
  const services = deps.informers.of<Service>(resources.services)
  const pods = deps.informers.of<Pod>(resources.pods)
  const nodes = deps.informers.of<Node>(resources.nodes)
  const slices = deps.informers.of<EndpointSlice>(resources.endpointSlices)
  pods.addIndex(byNode, ({ spec }) => [spec.nodeName ?? ''])
  slices.addIndex(byService, (slice) => {
    const key = serviceKey(slice)
    return key === undefined ? [] : [key]
  })
  const creations = new Expectations(deps)
  const deletions = new Expectations(deps)
  const triggerTimes = new Map<string, TriggerTimes>()

  function keysOfPod(pod: Pod): string[] {
    return services.store
      .byIndex(namespaceIndex, pod.metadata.namespace ?? '')
      .filter((service) => selects(service, pod))
      .map(keyOf)
  }

  function keysOfPodChange(change: Change<Pod>): Iterable<string> {
    if (change.type !== 'updated') return keysOfPod(change.object)
    if (!changesEndpoints(change.object, change.old)) return []
    return new Set([...keysOfPod(change.object), ...keysOfPod(change.old)])
  }

  /** Endpoints wait for their node, and say its zone. */
  function keysOfNodeChange(change: Change<Node>): Iterable<string> {
    if (change.type === 'updated' && zoneOf(change.object) === zoneOf(change.old)) return []
    return new Set(pods.store.byIndex(byNode, change.object.metadata.name ?? '').flatMap(keysOfPod))
  }

  function keysOfSliceChange(change: Change<EndpointSlice>): Iterable<string> {
    const key = serviceKey(change.object)
    if (key !== undefined && change.type === 'added') creations.creationObserved(key)
    if (key !== undefined && change.type === 'deleted') deletions.deletionObserved(key, change.object.metadata.uid ?? '')
    const before = change.type === 'updated' ? serviceKey(change.old) : undefined
    return [key, before].filter((one) => one !== undefined)
  }

  function forget(key: string): void {
    creations.forget(key)
    deletions.forget(key)
    triggerTimes.delete(key)
  }

  /** The earliest change since the last reconcile; undefined when nothing changed. Upstream: TriggerTimeTracker. */
  function changedAt(service: Service, selected: readonly Pod[]): string | undefined {
    const key = keyOf(service)
    const before = triggerTimes.get(key)
    const created = service.metadata.creationTimestamp ?? ''
    const times = new Map(selected.map((pod) => [pod.metadata.name ?? '', findCondition(pod.status?.conditions, 'Ready')?.lastTransitionTime ?? '']))
    triggerTimes.set(key, { service: created, pods: times })
    if (before === undefined) return created
    const changed = [...times].filter(([name, at]) => at > (before.pods.get(name) ?? '')).map(([, at]) => at)
    if (created > before.service) changed.push(created)
    return changed.sort()[0]
  }

  function withTriggerTime(slice: EndpointSlice, at: string | undefined): EndpointSlice {
    const { [triggerTimeAnnotation]: _before, ...annotations } = slice.metadata.annotations ?? {}
    return { ...slice, metadata: { ...slice.metadata, annotations: at === undefined ? annotations : { ...annotations, [triggerTimeAnnotation]: at } } }
  }

  async function reconcile(key: string, { signal }: { readonly signal: AbortSignal }): Promise<Outcome> {
    const service = services.store.get(key)
    if (service === undefined) {
      forget(key)
      return settled
    }
    // Those of a service without a selector are somebody else's business.
    if (service.spec?.type === 'ExternalName' || service.spec?.selector === undefined) return settled
    // What was written comes back as a change, which makes this key due again.
    if (!creations.satisfied(key) || !deletions.satisfied(key)) return settled

    const { namespace = '' } = service.metadata
    const selected = pods.store.byIndex(namespaceIndex, namespace).filter((pod) => selects(service, pod))
    const existing = slices.store.byIndex(byService, key).filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    const at = changedAt(service, selected)
    const families = familiesOf(service)
    const plans = families.map((family) => {
      const groups = endpointGroups(service, selected, { family, nodeOf: (name) => nodes.store.get(objectKey(undefined, name)) })
      return planSlices(
        service,
        existing.filter(({ addressType }) => addressType === family),
        { family, groups },
      )
    })
    const strangers = existing.filter(({ addressType }) => !families.some((family) => family === addressType))
    // The garbage collector takes the slices of a service that goes.
    const created = service.metadata.deletionTimestamp === undefined ? plans.flatMap(({ create }) => create) : []
    const removed = [...plans.flatMap(({ remove }) => remove), ...strangers]

    creations.expectCreations(key, created.length)
    deletions.expectDeletions(
      key,
      removed.map(({ metadata }) => metadata.uid ?? ''),
    )
    await each(
      created,
      (slice) => client.create(resources.endpointSlices, withTriggerTime(slice, at), { signal }),
      () => creations.creationObserved(key),
    )
    for (const slice of plans.flatMap(({ update }) => update)) await client.update(resources.endpointSlices, withTriggerTime(slice, at), { signal })
    await each(
      removed,
      (slice) => removeSlice(client, slice, signal),
      ({ metadata }) => deletions.deletionObserved(key, metadata.uid ?? ''),
    )
    return settled
  }

  return [
    createController(deps, {
      name: 'endpointslice',
      workers: 5,
      triggers: [
        trigger(services, ({ object }) => [keyOf(object)]),
        trigger(pods, keysOfPodChange),
        trigger(nodes, keysOfNodeChange),
        trigger(slices, keysOfSliceChange),
      ],
      reconcile,
    }),
  ]
}

function selects({ spec }: Service, { metadata }: Pod): boolean {
  const wanted = Object.entries(spec?.selector ?? {})
  return wanted.length > 0 && wanted.every(([key, value]) => metadata.labels?.[key] === value)
}

/** The service whose slice this is; undefined when another controller keeps it. */
function serviceKey({ metadata }: EndpointSlice): string | undefined {
  const { [serviceNameLabel]: name = '', [managedByLabel]: manager } = metadata.labels ?? {}
  return manager === controllerName && name !== '' ? objectKey(metadata.namespace, name) : undefined
}

function zoneOf({ metadata }: Node): string | undefined {
  return metadata.labels?.['topology.kubernetes.io/zone']
}
