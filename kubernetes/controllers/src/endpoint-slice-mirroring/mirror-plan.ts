import { isIpv6, jsonEqual } from '@gantry/apimachinery'
import { controllerReference } from '@gantry/controller'
import { resources } from '@gantry/kube-api'
import type { DiscoveryEndpointPort, Endpoint, EndpointAddress, Endpoints, EndpointSlice } from '@gantry/kube-api'
import { endpointKey, portsKey } from '../endpoint-slice/pod-endpoints.ts'
import type { AddressFamily } from '../endpoint-slice/pod-endpoints.ts'
import { managedByLabel, serviceNameLabel } from '../endpoint-slice/slice-plan.ts'
import type { SlicePlan } from '../endpoint-slice/slice-plan.ts'

export const mirrorControllerName = 'endpointslicemirroring-controller.k8s.io'
/** What is not copied: it says something of the Endpoints alone. */
const ownAnnotations: ReadonlySet<string> = new Set(['endpoints.kubernetes.io/last-change-trigger-time', 'kubectl.kubernetes.io/last-applied-configuration'])
/** Upstream's --mirroring-max-endpoints-per-subset. */
const maxAddressesPerSubset = 1000

interface Mirror {
  readonly family: AddressFamily
  readonly ports: readonly DiscoveryEndpointPort[]
  readonly endpoints: Map<string, Endpoint>
}

/** What makes the slices copies of the Endpoints: one for each family and set of ports. A slice that would go becomes one that is to come. Upstream: reconciler.go. */
export function planMirrors(endpoints: Endpoints, existing: readonly EndpointSlice[]): SlicePlan & { readonly skippedAddresses: number } {
  const { mirrors, skippedAddresses } = mirrorsOf(endpoints)
  const byKey = Map.groupBy(existing, ({ addressType, ports }) => mirrorKey(addressType, ports))
  const create: EndpointSlice[] = []
  const update: EndpointSlice[] = []
  const remove = [...byKey].flatMap(([key, slices]) => (mirrors.has(key) ? slices.slice(1) : slices))
  for (const [key, mirror] of mirrors) {
    const wanted = sliceOf(endpoints, mirror)
    const [old] = byKey.get(key) ?? []
    if (old === undefined) create.push(wanted)
    else if (!isSame(old, wanted)) update.push(inPlaceOf(old, wanted))
  }
  const fresh = create.filter((slice) => {
    const index = remove.findIndex(({ addressType }) => addressType === slice.addressType)
    const old = remove[index]
    if (old === undefined) return true
    remove.splice(index, 1)
    update.push(inPlaceOf(old, slice))
    return false
  })
  return { create: fresh, update, remove, skippedAddresses }
}

function mirrorsOf({ subsets = [] }: Endpoints): { readonly mirrors: ReadonlyMap<string, Mirror>; readonly skippedAddresses: number } {
  const mirrors = new Map<string, Mirror>()
  let skippedAddresses = 0
  for (const { ports: given = [], addresses = [], notReadyAddresses = [] } of subsets) {
    const ports = given.map(({ name = '', port, protocol, appProtocol }) => ({ name, port, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }))
    const all = [...addresses.map((address) => ({ address, ready: true })), ...notReadyAddresses.map((address) => ({ address, ready: false }))]
    skippedAddresses += Math.max(0, all.length - maxAddressesPerSubset)
    for (const { address, ready } of all.slice(0, maxAddressesPerSubset)) {
      const family = isIpv6(address.ip) ? 'IPv6' : 'IPv4'
      const key = mirrorKey(family, ports)
      const mirror = mirrors.get(key) ?? { family, ports, endpoints: new Map<string, Endpoint>() }
      mirrors.set(key, mirror)
      const endpoint = endpointOf(address, ready)
      mirror.endpoints.set(endpointKey(endpoint), endpoint)
    }
  }
  return { mirrors, skippedAddresses }
}

function mirrorKey(family: string, ports: readonly DiscoveryEndpointPort[] | null | undefined): string {
  return `${family} ${portsKey(ports)}`
}

function endpointOf({ ip, hostname, nodeName, targetRef }: EndpointAddress, ready: boolean): Endpoint {
  return {
    addresses: [ip],
    conditions: { ready },
    ...(hostname === undefined ? {} : { hostname }),
    ...(targetRef === undefined ? {} : { targetRef }),
    ...(nodeName === undefined ? {} : { nodeName }),
  }
}

function sliceOf(endpoints: Endpoints, { family, ports, endpoints: mirrored }: Mirror): EndpointSlice {
  const { name = '', namespace = '', labels = {}, annotations = {} } = endpoints.metadata
  const copied = Object.fromEntries(Object.entries(annotations).filter(([key]) => !ownAnnotations.has(key)))
  return {
    metadata: {
      generateName: `${name}-`,
      namespace,
      labels: { ...labels, [serviceNameLabel]: name, [managedByLabel]: mirrorControllerName },
      ...(Object.keys(copied).length === 0 ? {} : { annotations: copied }),
      ownerReferences: [controllerReference(endpoints, resources.endpoints)],
    },
    addressType: family,
    endpoints: [...mirrored.values()],
    ports: [...ports],
  }
}

function isSame(slice: EndpointSlice, wanted: EndpointSlice): boolean {
  const inOrder = ({ endpoints }: EndpointSlice): Endpoint[] => (endpoints ?? []).toSorted((a, b) => (endpointKey(a) < endpointKey(b) ? -1 : 1))
  return (
    jsonEqual(inOrder(slice), inOrder(wanted)) &&
    jsonEqual(slice.metadata.labels, wanted.metadata.labels) &&
    jsonEqual(slice.metadata.annotations ?? {}, wanted.metadata.annotations ?? {}) &&
    jsonEqual(slice.metadata.ownerReferences, wanted.metadata.ownerReferences)
  )
}

function inPlaceOf({ metadata }: EndpointSlice, wanted: EndpointSlice): EndpointSlice {
  const { generateName: _asked, ...copied } = wanted.metadata
  const { annotations: _before, ...kept } = metadata
  return { ...wanted, metadata: { ...kept, ...copied } }
}
