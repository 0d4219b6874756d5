import { jsonEqual } from '@gantry/apimachinery'
import type { DiscoveryEndpointPort, Endpoint, Node, Pod, Service, ServicePort } from '@gantry/kube-api'
import { isPodReady } from '../pod-state.ts'

export type AddressFamily = 'IPv4' | 'IPv6'

const zoneLabel = 'topology.kubernetes.io/zone'

/** Endpoints that are reached at the same ports. */
export interface EndpointGroup {
  readonly ports: readonly DiscoveryEndpointPort[]
  /** By `endpointKey`. */
  readonly endpoints: Map<string, Endpoint>
}

/** The families that a service has addresses of. Upstream: getAddressTypesForService. */
export function familiesOf({ spec }: Service): readonly AddressFamily[] {
  const families = (spec?.ipFamilies ?? []).filter((family): family is AddressFamily => family === 'IPv4' || family === 'IPv6')
  if (families.length > 0) return families
  const { clusterIP = '' } = spec ?? {}
  if (clusterIP === '' || clusterIP === 'None') return ['IPv4', 'IPv6']
  return [clusterIP.includes(':') ? 'IPv6' : 'IPv4']
}

/** What the pods of a service offer in one family, by ports: a named port may be another number in each pod. Pods on nodes that are not there are left out. */
export function endpointGroups(
  service: Service,
  pods: readonly Pod[],
  world: { readonly family: AddressFamily; readonly nodeOf: (name: string) => Node | undefined },
): Map<string, EndpointGroup> {
  const groups = new Map<string, EndpointGroup>()
  for (const pod of pods) {
    if (!hasAddress(pod)) continue
    const ports = portsOf(service, pod)
    const key = portsKey(ports)
    const group = groups.get(key) ?? { ports, endpoints: new Map() }
    groups.set(key, group)
    const { nodeName = '' } = pod.spec
    const node = world.nodeOf(nodeName)
    if (node === undefined && service.spec?.publishNotReadyAddresses !== true) continue
    const endpoint = endpointOf(service, pod, { family: world.family, node })
    if ((endpoint.addresses ?? []).length > 0) group.endpoints.set(endpointKey(endpoint), endpoint)
  }
  return groups
}

/** One key for the same ports in any order. */
export function portsKey(ports: readonly DiscoveryEndpointPort[] | null | undefined): string {
  const texts = (ports ?? []).map(({ name = '', protocol, port, appProtocol }) => JSON.stringify([name, protocol, port, appProtocol]))
  return texts.sort().join()
}

/** What makes an endpoint the same one after a change. */
export function endpointKey({ addresses, hostname, targetRef }: Endpoint): string {
  return JSON.stringify([[...(addresses ?? [])].sort(), hostname, targetRef?.namespace, targetRef?.name])
}

/** Whether a pod was changed in a way that its services have to know. */
export function changesEndpoints(pod: Pod, old: Pod): boolean {
  return !jsonEqual(endpointFacts(pod), endpointFacts(old))
}

function endpointFacts(pod: Pod): unknown {
  const { metadata, spec, status } = pod
  return {
    uid: metadata.uid,
    labels: metadata.labels,
    terminating: metadata.deletionTimestamp !== undefined,
    node: spec.nodeName,
    hostname: spec.hostname,
    subdomain: spec.subdomain,
    addresses: [status?.podIP, ...(status?.podIPs ?? []).map(({ ip }) => ip)],
    terminal: isTerminal(pod),
    ready: isPodReady(pod),
  }
}

function isTerminal({ status }: Pod): boolean {
  return status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

function hasAddress(pod: Pod): boolean {
  return !isTerminal(pod) && ((pod.status?.podIP ?? '') !== '' || (pod.status?.podIPs ?? []).length > 0)
}

function endpointOf(service: Service, pod: Pod, world: { readonly family: AddressFamily; readonly node: Node | undefined }): Endpoint {
  const { metadata, spec, status } = pod
  const serving = isPodReady(pod)
  const terminating = metadata.deletionTimestamp !== undefined
  const zone = world.node?.metadata.labels?.[zoneLabel] ?? ''
  const ready = service.spec?.publishNotReadyAddresses === true || (serving && !terminating)
  return {
    addresses: (status?.podIPs ?? []).map(({ ip }) => ip).filter((ip) => ip.includes(':') === (world.family === 'IPv6')),
    conditions: { ready, serving, terminating },
    ...((spec.hostname ?? '') !== '' && spec.subdomain === service.metadata.name && { hostname: spec.hostname }),
    targetRef: { kind: 'Pod', namespace: metadata.namespace, name: metadata.name, uid: metadata.uid },
    ...((spec.nodeName ?? '') !== '' && { nodeName: spec.nodeName }),
    ...(zone !== '' && { zone }),
    ...(ready && hintsOf(service, { zone, nodeName: spec.nodeName ?? '' })),
  }
}

/** Who should prefer an endpoint, by the traffic distribution of its service. Upstream: k8s.io/endpointslice trafficdist. */
function hintsOf({ metadata, spec }: Service, { zone, nodeName }: { readonly zone: string; readonly nodeName: string }): Pick<Endpoint, 'hints'> {
  const { trafficDistribution = '' } = spec ?? {}
  // The older annotation counts before it, and what that hints at is not worked out here.
  const mode = metadata.annotations?.['service.kubernetes.io/topology-aware-hints'] ?? metadata.annotations?.['service.kubernetes.io/topology-mode'] ?? ''
  if (!closeDistributions.has(trafficDistribution) || /^[Aa]uto$/.test(mode)) return {}
  const hints = {
    ...(zone !== '' && { forZones: [{ name: zone }] }),
    ...(trafficDistribution === 'PreferSameNode' && nodeName !== '' && { forNodes: [{ name: nodeName }] }),
  }
  return Object.keys(hints).length === 0 ? {} : { hints }
}

const closeDistributions: ReadonlySet<string> = new Set(['PreferClose', 'PreferSameZone', 'PreferSameNode'])

function portsOf({ spec }: Service, pod: Pod): DiscoveryEndpointPort[] {
  return (spec?.ports ?? []).flatMap((port) => {
    const number = portNumber(port, pod)
    if (number === undefined) return []
    const { name = '', protocol = 'TCP', appProtocol } = port
    return [{ name, port: number, protocol, ...(appProtocol !== undefined && { appProtocol }) }]
  })
}

/** The number that a service's port has in a pod; undefined when no container has a port of that name. */
function portNumber({ targetPort, port, protocol = 'TCP' }: ServicePort, { spec }: Pod): number | undefined {
  const target = targetPort ?? port
  if (typeof target === 'number') return target
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always')
  for (const container of [...(spec.containers ?? []), ...sidecars]) {
    const found = (container.ports ?? []).find((candidate) => candidate.name === target && (candidate.protocol ?? 'TCP') === protocol)
    if (found !== undefined) return found.containerPort
  }
  return undefined
}
