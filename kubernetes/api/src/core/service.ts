import { dns1123LabelProblems } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { Service, ServicePort, ServiceSpec } from '../generated/types.ts'
import { ageCell, as, column, formatLabels, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { addressWarnings, networkWarnings } from '../networking/addresses.ts'
import { serviceProxy } from './proxy/proxy.ts'
import type { ProxyDeps } from './proxy/proxy.ts'
import { ServiceAllocation } from './service-allocation.ts'
import type { ServiceAllocationOptions } from './service-allocation.ts'
import { isExternallyAccessible, needsHealthCheck, validateService, validateServiceStatus, validateServiceUpdate } from './service-validation.ts'

export function serviceKind(options: ServiceAllocationOptions & { readonly proxy: ProxyDeps }): BuiltinKind {
  const allocation = new ServiceAllocation(options)
  return {
    group: '',
    version: 'v1',
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    namespaced: true,
    type: 'io.k8s.api.core.v1.Service',
    groupPriority: 18000,
    hasStatus: true,
    allowUnconditionalUpdate: true,
    allowCreateOnUpdate: true,
    returnsDeletedObject: true,
    // A label that starts with a digit is a name too (RelaxedServiceNameValidation).
    validateName: dns1123LabelProblems,
    subresources: { proxy: serviceProxy(options.proxy) },
    selectableFields: {
      'spec.clusterIP': (object) => as<Service>(object).spec?.clusterIP ?? '',
      'spec.type': (object) => as<Service>(object).spec?.type ?? '',
    },
    columns: [
      nameCell,
      column<Service>('Type', (object) => object.spec?.type ?? '', { description: 'How it is reached.' }),
      column<Service>('Cluster-IP', (object) => object.spec?.clusterIP || '<none>', { description: 'Its address within the cluster.' }),
      column<Service>('External-IP', externalAddress, { description: 'Addresses from outside the cluster.' }),
      column<Service>('Port(s)', (object) => formatPorts(object.spec?.ports), { description: 'Ports, node ports and protocols.' }),
      ageCell,
      column<Service>('Selector', (object) => formatLabels(object.spec?.selector), { wide: true, description: 'Labels of the pods behind it.' }),
    ],
    applyDefaults,
    prepareForCreate(object) {
      object['status'] = { loadBalancer: {} }
      const { spec } = as<Service>(object)
      if (spec !== undefined && (spec.clusterIP ?? '') !== '' && (spec.clusterIPs ?? []).length === 0) spec.clusterIPs = [spec.clusterIP ?? '']
    },
    prepareForUpdate(object, old) {
      const [next, before] = [as<Service>(object), as<Service>(old)]
      if (next.spec === undefined || before.spec === undefined) return
      keepAllocated(next.spec, before.spec)
      alignAddresses(next.spec, before.spec)
      dropForType(next.spec, before.spec)
      if (next.spec.type !== 'LoadBalancer' && next.status !== undefined) next.status.loadBalancer = {}
    },
    warnings: (object) => warningsOf(as<Service>(object)),
    statusWarnings: (object) => statusWarningsOf(as<Service>(object)),
    validate: (object, old) => validateService(as<Service>(object), old === undefined ? undefined : as<Service>(old)),
    validateUpdate: (object, old) => validateServiceUpdate(as<Service>(object), as<Service>(old)),
    validateStatusUpdate: (object, old) => validateServiceStatus(as<Service>(object), as<Service>(old)),
    reserve: (object, old, context) => allocation.reserve(as<Service>(object), old === undefined ? undefined : as<Service>(old), context.dryRun),
    released: (object) => allocation.release(as<Service>(object)),
  }
}

/** Upstream: pkg/api/service/warnings.go. */
function warningsOf({ metadata, spec = {} }: Service): string[] {
  const { type, clusterIP = '', clusterIPs = [], externalIPs = [], loadBalancerIP = '', externalName = '', loadBalancerSourceRanges = [] } = spec
  const isHeadless = type === 'ClusterIP' && clusterIP === 'None'
  const isExternal = type === 'ExternalName'
  const warnings: string[] = []
  if (metadata.annotations?.[topologyHints] !== undefined)
    warnings.push(`annotation ${topologyHints} is deprecated, please use service.kubernetes.io/topology-mode instead`)
  if (clusterIP !== '' && clusterIP !== 'None') clusterIPs.forEach((address, i) => warnings.push(...addressWarnings(`spec.clusterIPs[${i}]`, address)))
  if (isHeadless) {
    if (loadBalancerIP !== '') warnings.push('spec.loadBalancerIP is ignored for headless services')
    if (externalIPs.length > 0) warnings.push('spec.externalIPs is ignored for headless services')
    if (spec.sessionAffinity !== 'None') warnings.push('spec.SessionAffinity is ignored for headless services')
  }
  externalIPs.forEach((address, i) => warnings.push(...addressWarnings(`spec.externalIPs[${i}]`, address)))
  if (externalIPs.length > 0 && !isHeadless && !isExternal) warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters')
  if (loadBalancerIP !== '') warnings.push(...addressWarnings('spec.loadBalancerIP', loadBalancerIP))
  loadBalancerSourceRanges.forEach((range, i) => warnings.push(...networkWarnings(`spec.loadBalancerSourceRanges[${i}]`, range)))
  if (isExternal && externalIPs.length > 0) warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"')
  if (!isExternal && externalName !== '') warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"')
  if (spec.trafficDistribution === 'PreferClose') warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
  return warnings
}

const topologyHints = 'service.kubernetes.io/topology-aware-hints'

function statusWarningsOf({ status }: Service): string[] {
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip = '' }, i) => (ip === '' ? [] : addressWarnings(`status.loadBalancer.ingress[${i}]`, ip)))
}

function applyDefaults(object: ApiObject): void {
  const { spec, status } = as<Service>(object)
  if (spec === undefined) return
  spec.type ??= 'ClusterIP'
  spec.sessionAffinity ??= 'None'
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig
  if (spec.sessionAffinity === 'ClientIP' && spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10_800 } }
  for (const port of spec.ports ?? []) {
    port.protocol ??= 'TCP'
    if (port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') port.targetPort = port.port
  }
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ??= 'Cluster'
  if (spec.type === 'NodePort' || spec.type === 'LoadBalancer' || spec.type === 'ClusterIP') spec.internalTrafficPolicy ??= 'Cluster'
  if (spec.type !== 'LoadBalancer') return
  spec.allocateLoadBalancerNodePorts ??= true
  for (const ingress of status?.loadBalancer?.ingress ?? []) if ((ingress.ip ?? '') !== '') ingress.ipMode ??= 'VIP'
}

/** An update that leaves out what the server has assigned keeps it (upstream: patchAllocatedValues). */
function keepAllocated(spec: ServiceSpec, before: ServiceSpec): void {
  if (spec.type !== 'ExternalName' && before.type !== 'ExternalName') {
    if ((spec.clusterIP ?? '') === '' && before.clusterIP !== undefined) spec.clusterIP = before.clusterIP
    if ((spec.clusterIPs ?? []).length === 0 && before.clusterIPs !== undefined) spec.clusterIPs = [...before.clusterIPs]
    if ((spec.ipFamilies ?? []).length === 0 && before.ipFamilies !== undefined) spec.ipFamilies = [...before.ipFamilies]
  }
  if (usesNodePorts(spec) && usesNodePorts(before)) {
    const asked = new Set((spec.ports ?? []).map(({ nodePort = 0 }) => nodePort))
    const byName = new Map((before.ports ?? []).map(({ name = '', nodePort = 0 }) => [name, nodePort]))
    for (const port of spec.ports ?? []) {
      const had = byName.get(port.name ?? '') ?? 0
      if ((port.nodePort ?? 0) === 0 && had !== 0 && !asked.has(had)) port.nodePort = had
    }
  }
  if (needsHealthCheck(spec) && needsHealthCheck(before) && (spec.healthCheckNodePort ?? 0) === 0 && before.healthCheckNodePort !== undefined)
    spec.healthCheckNodePort = before.healthCheckNodePort
}

/** A client that knows only `clusterIP` changes both (upstream: normalizeClusterIPs). */
function alignAddresses(spec: ServiceSpec, before: ServiceSpec): void {
  if (spec.clusterIP === before.clusterIP || !sameList(spec.clusterIPs, before.clusterIPs)) return
  if ((spec.clusterIP ?? '') === '') delete spec.clusterIPs
  else spec.clusterIPs = [spec.clusterIP ?? '']
}

function usesNodePorts({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === 'NodePort' || (type === 'LoadBalancer' && allocateLoadBalancerNodePorts !== false)
}

function hasNodePorts({ type }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer'
}

/** What the former type needed and the new one does not have goes, unless it was changed too (upstream: dropTypeDependentFields). */
function dropForType(spec: ServiceSpec, before: ServiceSpec): void {
  if (spec.type === 'ExternalName') delete spec.internalTrafficPolicy
  if (before.type !== 'ExternalName' && spec.type === 'ExternalName') {
    if (spec.clusterIP === before.clusterIP && sameList(spec.clusterIPs, before.clusterIPs)) {
      delete spec.clusterIP
      delete spec.clusterIPs
    }
    if (sameList(spec.ipFamilies, before.ipFamilies)) delete spec.ipFamilies
    if (spec.ipFamilyPolicy === before.ipFamilyPolicy) delete spec.ipFamilyPolicy
  }
  const had = new Set((before.ports ?? []).map(({ nodePort = 0 }) => nodePort))
  if (hasNodePorts(before) && !hasNodePorts(spec) && (spec.ports ?? []).every(({ nodePort = 0 }) => nodePort === 0 || had.has(nodePort)))
    for (const port of spec.ports ?? []) delete port.nodePort
  if (needsHealthCheck(before) && !needsHealthCheck(spec) && spec.healthCheckNodePort === before.healthCheckNodePort) delete spec.healthCheckNodePort
  if (before.type === 'LoadBalancer' && spec.type !== 'LoadBalancer') {
    if (spec.allocateLoadBalancerNodePorts === before.allocateLoadBalancerNodePorts) delete spec.allocateLoadBalancerNodePorts
    if (spec.loadBalancerClass === before.loadBalancerClass) delete spec.loadBalancerClass
  }
  if (isExternallyAccessible(before) && !isExternallyAccessible(spec) && spec.externalTrafficPolicy === before.externalTrafficPolicy)
    delete spec.externalTrafficPolicy
}

function sameList(a: readonly string[] = [], b: readonly string[] = []): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}

function externalAddress({ spec, status }: Service): string {
  if (spec?.type === 'ExternalName') return spec.externalName ?? ''
  const addresses = [...(spec?.externalIPs ?? [])]
  if (spec?.type !== 'LoadBalancer') return addresses.length === 0 ? '<none>' : addresses.join(',')
  addresses.unshift(...(status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip || ingress.hostname || ''))
  return addresses.length === 0 ? '<pending>' : addresses.join(',')
}

function formatPorts(ports: readonly ServicePort[] | undefined): string {
  if ((ports ?? []).length === 0) return '<none>'
  return (ports ?? [])
    .map((port) => ((port.nodePort ?? 0) === 0 ? `${port.port}/${port.protocol}` : `${port.port}:${port.nodePort}/${port.protocol}`))
    .join(',')
}
