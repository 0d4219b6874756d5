import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  portNumberProblems,
  validateLabels,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Service, ServicePort, ServiceSpec } from '../generated/types.ts'
import { goFields } from './go-fields.ts'
import { validatePort } from './handler-validation.ts'
import { familyOf, isDualStack, validateAddress, validateEndpointAddress, validateNetwork } from './ip-validation.ts'

// Upstream: validateService and what it calls in pkg/apis/core/validation.

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']
const protocols = ['SCTP', 'TCP', 'UDP']
const affinities = ['ClientIP', 'None']
const families = ['IPv4', 'IPv6']
const familyPolicies = ['PreferDualStack', 'RequireDualStack', 'SingleStack']
const trafficPolicies = ['Cluster', 'Local']
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const maxAffinitySeconds = 86_400
const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges'
const topologyHints = 'service.kubernetes.io/topology-aware-hints'
const topologyMode = 'service.kubernetes.io/topology-mode'

export function isHeadless({ clusterIPs = [] }: ServiceSpec): boolean {
  return clusterIPs.length === 1 && clusterIPs[0] === 'None'
}

/** It can be reached from outside: by ports of nodes, by a load balancer or at addresses that somebody routes here. */
export function isExternallyAccessible({ type, externalIPs = [] }: ServiceSpec): boolean {
  return type === 'NodePort' || type === 'LoadBalancer' || (type === 'ClusterIP' && externalIPs.length > 0)
}

/** Load balancers ask a node at a port of its own whether it has an endpoint. */
export function needsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === 'LoadBalancer' && externalTrafficPolicy === 'Local'
}

export function validateService(service: Service, old: Service | undefined): FieldError[] {
  const spec = service.spec ?? {}
  const annotations = service.metadata.annotations ?? {}
  const ports = spec.ports ?? []
  const errors: FieldError[] = []
  const [hints, mode] = [annotations[topologyHints], annotations[topologyMode]]
  if (hints !== undefined && mode !== undefined && hints !== mode)
    errors.push(fieldInvalid(`metadata.annotations[${topologyMode}]`, mode, `must match annotations[${topologyHints}] when both are specified`))
  if (ports.length === 0 && !isHeadless(spec) && spec.type !== 'ExternalName') errors.push(fieldRequired('spec.ports', ''))
  errors.push(...validateType(spec))
  const names = new Set<string>()
  ports.forEach((port, index) => errors.push(...validateServicePort(port, `spec.ports[${index}]`, { needsName: ports.length > 1, names })))
  errors.push(
    ...validateLabels(spec.selector, 'spec.selector'),
    ...validateAffinity(spec),
    ...validateClusterIps(spec, old?.spec),
    ...(spec.externalIPs ?? []).flatMap((address, index) => {
      const problems = validateAddress(address, `spec.externalIPs[${index}]`, old?.spec?.externalIPs)
      return problems.length > 0 ? problems : validateEndpointAddress(address, `spec.externalIPs[${index}]`)
    }),
  )
  const { type = '' } = spec
  if (type === '') errors.push(fieldRequired('spec.type', ''))
  else if (!types.includes(type)) errors.push(fieldNotSupported('spec.type', type, types))
  errors.push(...validatePortsTogether(spec), ...validateLoadBalancer(spec, annotations, old), ...validateTraffic(spec))
  return errors
}

function validateType(spec: ServiceSpec): FieldError[] {
  if ((spec.type === 'LoadBalancer' || spec.type === 'NodePort') && isHeadless(spec))
    return [fieldInvalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)]
  if (spec.type !== 'ExternalName') return []
  const detail = 'may not be set for ExternalName services'
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  return [
    ...((spec.clusterIPs ?? []).length > 0 ? [fieldForbidden('spec.clusterIPs', detail)] : []),
    ...((spec.ipFamilies ?? []).length > 0 ? [fieldForbidden('spec.ipFamilies', detail)] : []),
    ...(spec.ipFamilyPolicy === undefined ? [] : [fieldForbidden('spec.ipFamilyPolicy', detail)]),
    ...(name === ''
      ? [fieldRequired('spec.externalName', '')]
      : dns1123SubdomainProblems(name).map((problem) => fieldInvalid('spec.externalName', name, problem))),
  ]
}

function validateServicePort(port: ServicePort, path: string, context: { readonly needsName: boolean; readonly names: Set<string> }): FieldError[] {
  const { name = '', protocol = '', appProtocol } = port
  const number = port.port ?? 0
  const errors: FieldError[] = []
  if (name !== '') {
    errors.push(...dns1123LabelProblems(name).map((problem) => fieldInvalid(`${path}.name`, name, problem)))
    if (context.names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
    context.names.add(name)
  } else if (context.needsName) errors.push(fieldRequired(`${path}.name`, ''))
  errors.push(...portNumberProblems(number).map((problem) => fieldInvalid(`${path}.port`, number, problem)))
  if (protocol === '') errors.push(fieldRequired(`${path}.protocol`, ''))
  else if (!protocols.includes(protocol)) errors.push(fieldNotSupported(`${path}.protocol`, protocol, protocols))
  errors.push(...validatePort(port.targetPort, `${path}.targetPort`))
  if (appProtocol !== undefined) errors.push(...labelKeyProblems(appProtocol).map((problem) => fieldInvalid(`${path}.appProtocol`, appProtocol, problem)))
  return errors
}

function validateAffinity({ sessionAffinity = '', sessionAffinityConfig: config }: ServiceSpec): FieldError[] {
  if (sessionAffinity === '') return [fieldRequired('spec.sessionAffinity', '')]
  if (!affinities.includes(sessionAffinity)) return [fieldNotSupported('spec.sessionAffinity', sessionAffinity, affinities)]
  const path = 'spec.sessionAffinityConfig'
  if (sessionAffinity === 'None') return config === undefined ? [] : [fieldForbidden(path, 'must not be set when session affinity is None')]
  const missing = 'when session affinity type is ClientIP'
  if (config === undefined) return [fieldRequired(path, missing)]
  if (config.clientIP === undefined) return [fieldRequired(`${path}.clientIP`, missing)]
  const { timeoutSeconds: seconds } = config.clientIP
  if (seconds === undefined) return [fieldRequired(`${path}.clientIP.timeoutSeconds`, missing)]
  return seconds <= 0 || seconds > maxAffinitySeconds
    ? [fieldInvalid(`${path}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${maxAffinitySeconds}`)]
    : []
}

/** `clusterIP`, `clusterIPs` and the families have to agree. */
export function validateClusterIps(spec: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (spec.type === 'ExternalName') return []
  const { clusterIP = '', clusterIPs = [], ipFamilies = [], ipFamilyPolicy } = spec
  const path = 'spec.clusterIPs'
  const errors: FieldError[] = []
  if (clusterIP !== '') {
    if (clusterIPs.length === 0) errors.push(fieldRequired(path, ''))
    else if (clusterIPs[0] !== clusterIP) errors.push(fieldInvalid(path, clusterIPs, 'first value must match `clusterIP`'))
  } else if (clusterIPs.length > 0) errors.push(fieldInvalid(path, clusterIPs, 'must be empty when `clusterIP` is not specified'))
  ipFamilies.forEach((family, index) => {
    if (!families.includes(family)) errors.push(fieldNotSupported(`spec.ipFamilies[${index}]`, family, families))
    if (ipFamilies.indexOf(family) < index) errors.push(fieldDuplicate(`spec.ipFamilies[${index}]`, family))
  })
  if (ipFamilyPolicy !== undefined && !familyPolicies.includes(ipFamilyPolicy))
    errors.push(fieldNotSupported('spec.ipFamilyPolicy', ipFamilyPolicy, familyPolicies))
  let isBroken = false
  clusterIPs.forEach((address, index) => {
    if (index === 0 && address === 'None') {
      if (clusterIPs.length === 1) return
      isBroken = true
      errors.push(fieldInvalid(path, clusterIPs, "'None' must be the first and only value"))
      return
    }
    const problems = validateAddress(address, `${path}[${index}]`, old?.clusterIPs)
    isBroken ||= problems.length > 0
    errors.push(...problems)
  })
  if (clusterIPs.length > 2) errors.push(fieldInvalid(path, clusterIPs, 'may only hold up to 2 values'))
  if (isBroken) return errors
  if (clusterIPs.length > 1 && !isDualStack(clusterIPs)) errors.push(fieldInvalid(path, clusterIPs, 'may specify no more than one IP for each IP family'))
  if (isHeadless(spec)) return errors
  clusterIPs.forEach((address, index) => {
    const family = ipFamilies[index]
    if (family !== undefined && (family === 'IPv6') !== (familyOf(address) === 6) && families.includes(family))
      errors.push(fieldInvalid(`${path}[${index}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${index}]\``))
  })
  return errors
}

function validatePortsTogether({ type, ports = [] }: ServiceSpec): FieldError[] {
  const errors: FieldError[] = []
  if (type === 'ClusterIP') {
    ports.forEach(({ nodePort = 0 }, index) => {
      if (nodePort !== 0) errors.push(fieldForbidden(`spec.ports[${index}].nodePort`, "may not be used when `type` is 'ClusterIP'"))
    })
  }
  const onNodes = new Set<string>()
  ports.forEach(({ protocol, nodePort = 0 }, index) => {
    if (nodePort === 0) return
    const key = `${protocol}/${nodePort}`
    if (onNodes.has(key)) errors.push(fieldDuplicate(`spec.ports[${index}].nodePort`, nodePort))
    onNodes.add(key)
  })
  const seen = new Set<string>()
  ports.forEach(({ protocol = '', port }, index) => {
    const key = `${protocol}/${port}`
    if (seen.has(key)) errors.push(fieldDuplicate(`spec.ports[${index}]`, goFields('ServicePort', { protocol, port })))
    seen.add(key)
  })
  return errors
}

const onlyLoadBalancers = "may only be used when `type` is 'LoadBalancer'"

function validateLoadBalancer(spec: ServiceSpec, annotations: Readonly<Record<string, string>>, old: Service | undefined): FieldError[] {
  const isLoadBalancer = spec.type === 'LoadBalancer'
  const errors: FieldError[] = []
  const ranges = spec.loadBalancerSourceRanges ?? []
  const annotated = annotations[sourceRangesAnnotation]
  if (ranges.length > 0) {
    const path = 'spec.LoadBalancerSourceRanges'
    if (!isLoadBalancer) errors.push(fieldForbidden(path, onlyLoadBalancers))
    const existing = (old?.spec?.loadBalancerSourceRanges ?? []).map((range) => range.trim())
    ranges.forEach((range, index) => errors.push(...validateNetwork(range.trim(), `${path}[${index}]`, existing)))
  } else if (annotated !== undefined) {
    const path = `metadata.annotations[${sourceRangesAnnotation}]`
    if (!isLoadBalancer) errors.push(fieldForbidden(path, onlyLoadBalancers))
    if (old?.metadata.annotations?.[sourceRangesAnnotation] !== annotated && annotated.trim() !== '')
      errors.push(...annotated.split(',').flatMap((range) => validateNetwork(range.trim(), path)))
  }
  if (spec.allocateLoadBalancerNodePorts !== undefined && !isLoadBalancer) errors.push(fieldForbidden('spec.allocateLoadBalancerNodePorts', onlyLoadBalancers))
  if (spec.allocateLoadBalancerNodePorts === undefined && isLoadBalancer) errors.push(fieldRequired('allocateLoadBalancerNodePorts', ''))
  return [...errors, ...validateLoadBalancerClass(spec)]
}

function validateLoadBalancerClass({ type, loadBalancerClass: name }: ServiceSpec): FieldError[] {
  if (name === undefined) return []
  return type === 'LoadBalancer'
    ? labelKeyProblems(name).map((problem) => fieldInvalid('spec.loadBalancerClass', name, problem))
    : [fieldForbidden('spec.loadBalancerClass', onlyLoadBalancers)]
}

function validateTraffic(spec: ServiceSpec): FieldError[] {
  const { externalTrafficPolicy: external = '', internalTrafficPolicy: internal, healthCheckNodePort: port = 0, trafficDistribution } = spec
  const errors: FieldError[] = []
  if (!isExternallyAccessible(spec)) {
    if (external !== '') errors.push(fieldInvalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services'))
  } else if (external === '') errors.push(fieldRequired('spec.externalTrafficPolicy', ''))
  else if (!trafficPolicies.includes(external)) errors.push(fieldNotSupported('spec.externalTrafficPolicy', external, trafficPolicies))
  if (!needsHealthCheck(spec)) {
    if (port !== 0)
      errors.push(fieldInvalid('spec.healthCheckNodePort', port, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
  } else if (port === 0) errors.push(fieldRequired('spec.healthCheckNodePort', ''))
  else errors.push(...portNumberProblems(port).map((problem) => fieldInvalid('spec.healthCheckNodePort', port, problem)))
  if (internal === undefined) {
    if (types.includes(spec.type ?? '') && spec.type !== 'ExternalName') errors.push(fieldRequired('spec.internalTrafficPolicy', ''))
  } else if (!trafficPolicies.includes(internal)) errors.push(fieldNotSupported('spec.internalTrafficPolicy', internal, trafficPolicies))
  if (trafficDistribution !== undefined && !distributions.includes(trafficDistribution))
    errors.push(fieldNotSupported('spec.trafficDistribution', trafficDistribution, distributions))
  return errors
}

const onceSet = 'may not change once set'

/** What stays as it was given or assigned. */
export function validateServiceUpdate({ spec: next = {} }: Service, { spec: old = {} }: Service): FieldError[] {
  const errors: FieldError[] = []
  if (next.type !== 'ExternalName' && old.type !== 'ExternalName') {
    if (!isHeadless(next) || !isHeadless(old)) errors.push(...validateAddressChange(next, old))
    if (!isHeadless(next) && !isHeadless(old)) errors.push(...validateFamilyChange(next, old))
  }
  if (next.type === 'LoadBalancer' && old.type === 'LoadBalancer' && next.loadBalancerClass !== old.loadBalancerClass)
    errors.push(fieldInvalid('spec.loadBalancerClass', next.loadBalancerClass ?? null, onceSet))
  errors.push(...validateLoadBalancerClass(next))
  if (needsHealthCheck(next) && needsHealthCheck(old) && (next.healthCheckNodePort ?? 0) !== (old.healthCheckNodePort ?? 0))
    errors.push(fieldForbidden('spec.healthCheckNodePort', 'field is immutable'))
  return errors
}

function validateAddressChange({ clusterIPs: next = [], ipFamilyPolicy }: ServiceSpec, { clusterIPs: old = [] }: ServiceSpec): FieldError[] {
  const path = 'spec.clusterIPs'
  const firstChanged = old.length > 0 && next.length > 0 && next[0] !== old[0] ? [fieldInvalid(`${path}[0]`, next, onceSet)] : []
  if (old.length === next.length) return old.flatMap((address, index) => (address === next[index] ? [] : [fieldInvalid(`${path}[${index}]`, next, onceSet)]))
  if (old.length < next.length) return firstChanged
  return [
    ...(next.length === 0 ? [fieldInvalid(`${path}[0]`, null, 'primary clusterIP can not be unset')] : []),
    ...firstChanged,
    ...(next.length === 1 && ipFamilyPolicy !== 'SingleStack'
      ? [fieldInvalid('spec.ipFamilyPolicy', ipFamilyPolicy ?? null, "must be set to 'SingleStack' when releasing the secondary clusterIP")]
      : []),
  ]
}

function validateFamilyChange(spec: ServiceSpec, { ipFamilies: old = [] }: ServiceSpec): FieldError[] {
  const { ipFamilies: next = [], clusterIPs = [], ipFamilyPolicy } = spec
  const path = 'spec.ipFamilies[0]'
  const firstChanged = old.length > 0 && next.length > 0 && next[0] !== old[0] ? [fieldInvalid(path, clusterIPs, onceSet)] : []
  if (old.length === next.length) return old.flatMap((family, index) => (family === next[index] ? [] : [fieldInvalid(path, next, onceSet)]))
  if (old.length < next.length) return firstChanged
  return [
    ...(clusterIPs.length === 0 ? [fieldInvalid(path, next, 'primary ipFamily can not be unset')] : []),
    ...firstChanged,
    ...(next.length === 1 && ipFamilyPolicy !== 'SingleStack'
      ? [fieldInvalid('spec.ipFamilyPolicy', ipFamilyPolicy ?? null, "must be set to 'SingleStack' when releasing the secondary ipFamily")]
      : []),
  ]
}

const ipModes = ['Proxy', 'VIP']

export function validateServiceStatus({ spec, status }: Service, old: Service): FieldError[] {
  const path = 'status.loadBalancer.ingress'
  const ingress = status?.loadBalancer?.ingress ?? []
  if (spec?.type !== 'LoadBalancer') return ingress.length === 0 ? [] : [fieldForbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")]
  const existing = (old.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
  return ingress.flatMap(({ ip = '', ipMode, hostname = '' }, index) => {
    const at = `${path}[${index}]`
    const errors = ip === '' ? [] : validateAddress(ip, `${at}.ip`, existing)
    if (ipMode === undefined) {
      if (ip !== '') errors.push(fieldRequired(`${at}.ipMode`, 'must be specified when `ip` is set'))
    } else if (ip === '') errors.push(fieldForbidden(`${at}.ipMode`, 'may not be specified when `ip` is not set'))
    else if (!ipModes.includes(ipMode)) errors.push(fieldNotSupported(`${at}.ipMode`, ipMode, ipModes))
    if (hostname === '') return errors
    errors.push(...dns1123SubdomainProblems(hostname).map((problem) => fieldInvalid(`${at}.hostname`, hostname, problem)))
    if (familyOf(hostname) !== 0) errors.push(fieldInvalid(`${at}.hostname`, hostname, 'must be a DNS name, not an IP address'))
    return errors
  })
}
