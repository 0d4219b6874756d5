import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInternal,
  fieldInvalid,
  fieldIsImmutable,
  fieldNotSupported,
  fieldRequired,
  fieldTooMany,
  labelKeyProblems,
  labelValueProblems,
  validateLabels,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { DiscoveryEndpointPort, Endpoint, EndpointHints, EndpointSlice } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { sortedText } from '../storage/storage-class.ts'
import { addressWarnings, parseAddress, validateAddress, validateLegacyAddress } from '../networking/addresses.ts'

const addressTypes = ['FQDN', 'IPv4', 'IPv6']
const protocols = ['SCTP', 'TCP', 'UDP']
const maxEndpoints = 1000
const maxAddresses = 100
const maxPorts = 20_000
const maxTopologyLabels = 16
const maxHints = 8
const maxShown = 3
const managedByLabel = 'endpointslice.kubernetes.io/managed-by'
const zoneLabel = 'topology.kubernetes.io/zone'
/** They copy what somebody else wrote and was warned of. */
const quietManagers: ReadonlySet<string | undefined> = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'])

export const endpointSlice: BuiltinKind = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
  metaChecksOnUpdate: 'whole',
  type: 'io.k8s.api.discovery.v1.EndpointSlice',
  groupPriority: 16200,
  allowUnconditionalUpdate: true,
  columns: [
    nameCell,
    column<EndpointSlice>('AddressType', ({ addressType }) => addressType, { description: 'What its addresses are.' }),
    column<EndpointSlice>('Ports', ({ ports }) => firstFew((ports ?? []).map(({ port, name }) => (port === undefined ? (name ?? '*') : String(port)))), {
      description: 'Ports of every endpoint.',
    }),
    column<EndpointSlice>('Endpoints', ({ endpoints }) => firstFew((endpoints ?? []).flatMap(({ addresses }) => addresses ?? [])), {
      description: 'Addresses of its endpoints.',
    }),
    ageCell,
  ],
  applyDefaults(object) {
    for (const port of as<EndpointSlice>(object).ports ?? []) {
      port.name ??= ''
      port.protocol ??= 'TCP'
    }
  },
  prepareForCreate(object) {
    const slice = as<EndpointSlice>(object)
    object.metadata.generation = 1
    for (const endpoint of slice.endpoints ?? []) delete endpoint.deprecatedTopology
    storeEmptyEndpoints(object)
  },
  // Labels count as content here: they say whose endpoints these are.
  prepareForUpdate(object, old) {
    const [next, before] = [as<EndpointSlice>(object), as<EndpointSlice>(old)]
    if (contentOf(next) !== contentOf(before)) object.metadata.generation = (old.metadata.generation ?? 0) + 1
    if (JSON.stringify(next.endpoints) !== JSON.stringify(before.endpoints)) for (const endpoint of next.endpoints ?? []) delete endpoint.deprecatedTopology
    storeEmptyEndpoints(object)
  },
  warnings(object, old) {
    const slice = as<EndpointSlice>(object)
    return [...(old === undefined && slice.addressType === 'FQDN' ? ['spec.addressType: FQDN endpoints are deprecated'] : []), ...addressesWarnings(slice)]
  },
  validate(object, old) {
    const slice = as<EndpointSlice>(object)
    const before = old === undefined ? undefined : as<EndpointSlice>(old)
    const type = slice.addressType
    const errors: FieldError[] = []
    if (type === '') errors.push(fieldRequired('addressType'))
    else if (!addressTypes.includes(type)) errors.push(fieldNotSupported('addressType', type, addressTypes))
    errors.push(...validatePorts(slice.ports ?? []))
    const unchanged = before !== undefined && JSON.stringify(before.endpoints) === JSON.stringify(slice.endpoints)
    if (!unchanged) errors.push(...validateEndpoints(slice.endpoints ?? [], type))
    return errors
  },
  validateUpdate(object, old) {
    const { addressType } = as<EndpointSlice>(object)
    return addressType === as<EndpointSlice>(old).addressType ? [] : [fieldInvalid('addressType', addressType, fieldIsImmutable)]
  },
}

/** Upstream's storage does not tell an empty list from none. */
function storeEmptyEndpoints(object: ApiObject): void {
  if ((as<EndpointSlice>(object).endpoints ?? []).length === 0) object['endpoints'] = null
}

function contentOf({ metadata, addressType, endpoints, ports }: EndpointSlice): string {
  return JSON.stringify([sortedText(metadata.labels), addressType, endpoints ?? [], ports ?? []])
}

function addressesWarnings({ metadata, endpoints }: EndpointSlice): string[] {
  if (quietManagers.has(metadata.labels?.[managedByLabel])) return []
  return (endpoints ?? []).flatMap((endpoint, i) =>
    (endpoint.addresses ?? []).flatMap((address, j) => addressWarnings(`endpoints[${i}].addresses[${j}]`, address)),
  )
}

function firstFew(texts: readonly string[]): string {
  const shown = texts.slice(0, maxShown).join(',')
  if (texts.length > maxShown) return `${shown} + ${texts.length - maxShown} more...`
  return shown === '' ? '<unset>' : shown
}

function validatePorts(ports: readonly DiscoveryEndpointPort[]): FieldError[] {
  if (ports.length > maxPorts) return [fieldTooMany('ports', ports.length, maxPorts)]
  const errors: FieldError[] = []
  const names = new Set<string>()
  ports.forEach(({ name = '', protocol, appProtocol }, i) => {
    const path = `ports[${i}]`
    if (name !== '') for (const problem of dns1123LabelProblems(name)) errors.push(fieldInvalid(`${path}.name`, name, problem))
    if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name))
    names.add(name)
    if (protocol === undefined) errors.push(fieldRequired(`${path}.protocol`))
    else if (!protocols.includes(protocol)) errors.push(fieldNotSupported(`${path}.protocol`, protocol, protocols))
    if (appProtocol !== undefined) for (const problem of labelKeyProblems(appProtocol)) errors.push(fieldInvalid(`${path}.appProtocol`, appProtocol, problem))
  })
  return errors
}

function validateEndpoints(endpoints: readonly Endpoint[], type: string): FieldError[] {
  if (endpoints.length > maxEndpoints) return [fieldTooMany('endpoints', endpoints.length, maxEndpoints)]
  return endpoints.flatMap((endpoint, i) => validateEndpoint(endpoint, `endpoints[${i}]`, type))
}

function validateEndpoint(endpoint: Endpoint, path: string, type: string): FieldError[] {
  const errors: FieldError[] = []
  const { nodeName, hostname, hints, deprecatedTopology = {} } = endpoint
  const addresses = endpoint.addresses ?? []
  if (addresses.length === 0) errors.push(fieldRequired(`${path}.addresses`, 'must contain at least 1 address'))
  else if (addresses.length > maxAddresses) errors.push(fieldTooMany(`${path}.addresses`, addresses.length, maxAddresses))
  addresses.forEach((address, i) => errors.push(...validateEndpointAddress(address, { list: `${path}.addresses`, path: `${path}.addresses[${i}]`, type })))
  if (nodeName !== undefined) for (const problem of dns1123SubdomainProblems(nodeName)) errors.push(fieldInvalid(`${path}.nodeName`, nodeName, problem))
  const topology = `${path}.deprecatedTopology`
  const labels = Object.keys(deprecatedTopology).length
  if (labels > maxTopologyLabels) errors.push(fieldTooMany(topology, labels, maxTopologyLabels))
  errors.push(...validateLabels(deprecatedTopology, topology))
  if (deprecatedTopology[zoneLabel] !== undefined) errors.push(fieldInternal(`${topology}[${zoneLabel}]`, 'reserved key was not removed in conversion'))
  if (hostname !== undefined) for (const problem of dns1123LabelProblems(hostname)) errors.push(fieldInvalid(`${path}.hostname`, hostname, problem))
  if (hints !== undefined) errors.push(...validateHints(hints, `${path}.hints`))
  return errors
}

function validateEndpointAddress(address: string, at: { readonly list: string; readonly path: string; readonly type: string }): FieldError[] {
  if (at.type === 'FQDN') return validateDomainName(address, at.path)
  if (at.type !== 'IPv4' && at.type !== 'IPv6') return []
  const errors = at.type === 'IPv4' ? validateLegacyAddress(at.path, address) : validateAddress(at.path, address)
  if (errors.length > 0) return errors
  const bytes = parseAddress(address)?.bytes ?? []
  if (bytes.length !== (at.type === 'IPv4' ? 4 : 16)) errors.push(fieldInvalid(at.list, address, `must be an ${at.type} address`))
  return [...errors, ...validateReachable(address, at.path)]
}

/** `web.example.com`, at least two segments; a dot at the end is fine. */
function validateDomainName(given: string, path: string): FieldError[] {
  if (given === '') return [fieldRequired(path)]
  const name = given.endsWith('.') ? given.slice(0, -1) : given
  const problems = dns1123SubdomainProblems(name)
  if (problems.length > 0) return [fieldInvalid(path, name, problems.join(','))]
  const labels = name.split('.')
  if (labels.length < 2) return [fieldInvalid(path, name, 'should be a domain with at least two segments separated by dots')]
  for (const label of labels) {
    const wrong = dns1123LabelProblems(label)
    if (wrong.length > 0) return [fieldInvalid(path, label, wrong.join(','))]
  }
  return []
}

/** Addresses that mean the machine itself, or nobody. */
export function validateReachable(text: string, path: string): FieldError[] {
  const bytes = parseAddress(text)?.bytes
  if (bytes === undefined) return [fieldInvalid(path, text, 'must be a valid IP address')]
  const [a = 0, b = 0, c = 0] = bytes
  const isIpv4 = bytes.length === 4
  const isZero = bytes.every((byte) => byte === 0)
  const isLoopback = isIpv4 ? a === 127 : bytes.slice(0, 15).every((byte) => byte === 0) && bytes[15] === 1
  const isLinkLocal = isIpv4 ? a === 169 && b === 254 : a === 0xfe && (b & 0xc0) === 0x80
  const isMulticast = isIpv4 ? a === 224 && b === 0 && c === 0 : a === 0xff && (b & 0x0f) === 0x02
  const errors: FieldError[] = []
  if (isZero) errors.push(fieldInvalid(path, text, `may not be unspecified (${text})`))
  if (isLoopback) errors.push(fieldInvalid(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)'))
  if (isLinkLocal) errors.push(fieldInvalid(path, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)'))
  if (isMulticast) errors.push(fieldInvalid(path, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)'))
  return errors
}

function validateHints({ forZones = [], forNodes = [] }: EndpointHints, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [field, hints, problemsOf] of [
    ['forZones', forZones, labelValueProblems],
    ['forNodes', forNodes, (name: string) => dns1123SubdomainProblems(name)],
  ] as const) {
    if (hints.length > maxHints) return [...errors, fieldTooMany(`${path}.${field}`, hints.length, maxHints)]
    const seen = new Set<string>()
    hints.forEach(({ name }, i) => {
      if (seen.has(name)) errors.push(fieldDuplicate(`${path}.${field}[${i}].name`, name))
      seen.add(name)
      for (const problem of problemsOf(name)) errors.push(fieldInvalid(`${path}.${field}[${i}].name`, name, problem))
    })
  }
  return errors
}
