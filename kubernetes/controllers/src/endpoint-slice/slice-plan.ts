import { jsonEqual } from '@gantry/apimachinery'
import { controllerReference } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { DiscoveryEndpointPort, Endpoint, EndpointSlice, Service } from '@gantry/kube-api'
import { endpointKey, portsKey } from './pod-endpoints.ts'
import type { AddressFamily, EndpointGroup } from './pod-endpoints.ts'

export const serviceNameLabel = 'kubernetes.io/service-name'
export const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
export const controllerName = 'endpointslice-controller.k8s.io'
const headlessLabel = 'service.kubernetes.io/headless'
const reservedLabels: ReadonlySet<string> = new Set([serviceNameLabel, managedByLabel, headlessLabel])

/** Upstream's --max-endpoints-per-slice. */
const maxEndpointsPerSlice = 100

export interface SlicePlan {
  readonly create: readonly EndpointSlice[]
  readonly update: readonly EndpointSlice[]
  readonly remove: readonly EndpointSlice[]
}

/**
 * What makes the slices of one family say what the pods offer, with few writes: endpoints stay where they are, new ones go where something is written anyway, then into the
 * fullest slice that has room. A service without endpoints has one empty slice. Upstream: k8s.io/endpointslice reconciler.go.
 */
export function planSlices(
  service: Service,
  existing: readonly EndpointSlice[],
  desired: { readonly family: AddressFamily; readonly groups: ReadonlyMap<string, EndpointGroup> },
): SlicePlan {
  const mine = existing.filter((slice) => isOwnedBy(slice, service))
  const plan = { create: [] as EndpointSlice[], update: [] as EndpointSlice[], remove: existing.filter((slice) => !mine.includes(slice)) }
  const byPorts = Map.groupBy(mine, ({ ports }) => portsKey(ports))
  for (const [key, group] of desired.groups) planGroup(plan, service, { family: desired.family, group, slices: byPorts.get(key) ?? [] })
  for (const [key, slices] of byPorts) if (!desired.groups.has(key)) plan.remove.push(...slices)

  const isEmpty = plan.create.length === 0 && plan.update.length === 0 && mine.every((slice) => plan.remove.includes(slice))
  if (isEmpty) {
    const placeholder = newSlice(service, desired.family, { ports: [], endpoints: [] })
    const same = plan.remove.find((slice) => isOwnedBy(slice, service) && hasContentOf(slice, placeholder))
    if (same === undefined) plan.create.push(placeholder)
    else plan.remove.splice(plan.remove.indexOf(same), 1)
  }
  return withReuse(plan, service)
}

function planGroup(
  plan: { readonly create: EndpointSlice[]; readonly update: EndpointSlice[]; readonly remove: EndpointSlice[] },
  service: Service,
  { family, group, slices }: { readonly family: AddressFamily; readonly group: EndpointGroup; readonly slices: readonly EndpointSlice[] },
): void {
  const labels = labelsOf(service)
  const left = new Map(group.endpoints)
  const changed: { readonly slice: EndpointSlice; readonly endpoints: Endpoint[] }[] = []
  const unchanged: { readonly slice: EndpointSlice; readonly endpoints: Endpoint[] }[] = []
  for (const slice of slices) {
    const before = slice.endpoints ?? []
    const kept: Endpoint[] = []
    for (const endpoint of before) {
      const key = endpointKey(endpoint)
      const wanted = left.get(key)
      if (wanted === undefined) continue
      left.delete(key)
      kept.push(wanted)
    }
    if (kept.length === 0) plan.remove.push(slice)
    else if (!jsonEqual(kept, before) || !jsonEqual(slice.metadata.labels, labels)) changed.push({ slice, endpoints: kept })
    else unchanged.push({ slice, endpoints: kept })
  }

  const rest = [...left.values()]
  changed.sort((a, b) => b.endpoints.length - a.endpoints.length)
  for (const { endpoints } of changed) endpoints.push(...rest.splice(0, maxEndpointsPerSlice - endpoints.length))
  while (rest.length > 0) {
    const room = rest.length < maxEndpointsPerSlice ? fullestWithRoom(unchanged, rest.length) : undefined
    if (room === undefined) plan.create.push(newSlice(service, family, { ports: group.ports, endpoints: rest.splice(0, maxEndpointsPerSlice) }))
    else {
      room.endpoints.push(...rest.splice(0))
      changed.push(room)
    }
  }
  for (const { slice, endpoints } of changed) plan.update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints })
}

function fullestWithRoom<T extends { readonly endpoints: readonly Endpoint[] }>(slices: readonly T[], count: number): T | undefined {
  const fitting = slices.filter(({ endpoints }) => endpoints.length + count <= maxEndpointsPerSlice)
  return fitting.sort((a, b) => b.endpoints.length - a.endpoints.length)[0]
}

/** A slice that goes becomes one that is to come, where it can. */
function withReuse(plan: SlicePlan, service: Service): SlicePlan {
  const [create, update, remove] = [[...plan.create], [...plan.update], [] as EndpointSlice[]]
  for (const slice of plan.remove) {
    const next = isOwnedBy(slice, service) ? create.pop() : undefined
    if (next === undefined) remove.push(slice)
    else update.push({ ...slice, metadata: { ...slice.metadata, labels: labelsOf(service) }, ports: next.ports, endpoints: next.endpoints })
  }
  return { create, update, remove }
}

function newSlice(
  service: Service,
  family: AddressFamily,
  { ports, endpoints }: { readonly ports: readonly DiscoveryEndpointPort[]; readonly endpoints: readonly Endpoint[] },
): EndpointSlice {
  const { name = '', namespace = '' } = service.metadata
  return {
    metadata: { generateName: `${name}-`, namespace, labels: labelsOf(service), ownerReferences: [controllerReference(service, resources.services)] },
    addressType: family,
    endpoints: [...endpoints],
    ports: [...ports],
  }
}

/** The labels of the service, and those that say whose the slice is. */
function labelsOf({ metadata, spec }: Service): Record<string, string> {
  const labels = Object.fromEntries(Object.entries(metadata.labels ?? {}).filter(([key]) => !reservedLabels.has(key)))
  const { clusterIP = '' } = spec ?? {}
  if (clusterIP === '' || clusterIP === 'None') labels[headlessLabel] = ''
  labels[serviceNameLabel] = metadata.name ?? ''
  labels[managedByLabel] = controllerName
  return labels
}

function hasContentOf(slice: EndpointSlice, other: EndpointSlice): boolean {
  return (
    (slice.endpoints ?? []).length === 0 &&
    portsKey(slice.ports) === portsKey(other.ports) &&
    jsonEqual(slice.metadata.labels, other.metadata.labels) &&
    jsonEqual(slice.metadata.ownerReferences, other.metadata.ownerReferences)
  )
}

function isOwnedBy({ metadata }: EndpointSlice, service: Service): boolean {
  return (metadata.ownerReferences ?? []).some(({ uid, kind, apiVersion }) => uid === service.metadata.uid && kind === 'Service' && apiVersion === 'v1')
}
