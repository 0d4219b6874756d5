import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  labelKeyProblems,
  portNumberProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { addressWarnings } from '../networking/addresses.ts'
import { validateAddress, validateEndpointAddress } from './ip-validation.ts'

export const endpoints: BuiltinKind = {
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  plural: 'endpoints',
  singular: 'endpoints',
  shortNames: ['ep'],
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.core.v1.Endpoints',
  groupPriority: 18000,
  allowUnconditionalUpdate: true,
  allowCreateOnUpdate: true,
  deprecationWarning: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
  columns: [nameCell, column<Endpoints>('Endpoints', ({ subsets }) => formatEndpoints(subsets), { description: 'Addresses with their ports.' }), ageCell],
  applyDefaults(object) {
    for (const subset of as<Endpoints>(object).subsets ?? []) for (const port of subset.ports ?? []) port.protocol ??= 'TCP'
  },
  warnings(object) {
    const { metadata, subsets = [] } = as<Endpoints>(object)
    if (metadata.labels?.[managedByLabel] === 'endpoint-controller') return []
    return subsets.flatMap((subset, i) =>
      (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
        (subset[list] ?? []).flatMap(({ ip }, j) => addressWarnings(`subsets[${i}].${list}[${j}].ip`, ip)),
      ),
    )
  },
  validate(object, old) {
    const { subsets = [] } = as<Endpoints>(object)
    const errors = subsets.flatMap((subset, index) => validateSubset(subset, `subsets[${index}]`))
    if (errors.length > 0 && old !== undefined && JSON.stringify(as<Endpoints>(old).subsets) === JSON.stringify(subsets)) return []
    return errors
  },
}

const managedByLabel = 'endpoints.kubernetes.io/managed-by'
const shownEndpoints = 3

/** The first three addresses, with how many more there are. */
export function formatEndpoints(subsets: readonly EndpointSubset[] | undefined): string {
  if ((subsets ?? []).length === 0) return '<none>'
  const all = (subsets ?? []).flatMap(({ addresses = [], ports = [] }) =>
    ports.length === 0
      ? addresses.map(({ ip }) => ip)
      : ports.flatMap(({ port }) => addresses.map(({ ip }) => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`))),
  )
  const text = all.slice(0, shownEndpoints).join(',')
  return all.length > shownEndpoints ? `${text} + ${all.length - shownEndpoints} more...` : text
}

function validateSubset({ addresses = [], notReadyAddresses = [], ports = [] }: EndpointSubset, path: string): FieldError[] {
  return [
    ...(addresses.length + notReadyAddresses.length === 0 ? [fieldRequired(path, 'must specify `addresses` or `notReadyAddresses`')] : []),
    ...addresses.flatMap((address, index) => validateSubsetAddress(address, `${path}.addresses[${index}]`)),
    ...notReadyAddresses.flatMap((address, index) => validateSubsetAddress(address, `${path}.notReadyAddresses[${index}]`)),
    ...ports.flatMap((port, index) => validatePort(port, `${path}.ports[${index}]`, ports.length > 1)),
  ]
}

function validateSubsetAddress({ ip, hostname = '', nodeName }: EndpointAddress, path: string): FieldError[] {
  return [
    ...validateAddress(ip, `${path}.ip`),
    ...(hostname === '' ? [] : dns1123LabelProblems(hostname).map((problem) => fieldInvalid(`${path}.hostname`, hostname, problem))),
    ...(nodeName === undefined ? [] : dns1123SubdomainProblems(nodeName).map((problem) => fieldInvalid(`${path}.nodeName`, nodeName, problem))),
    ...validateEndpointAddress(ip, `${path}.ip`),
  ]
}

function validatePort({ name = '', port, protocol = '', appProtocol }: EndpointPort, path: string, needsName: boolean): FieldError[] {
  const errors: FieldError[] = []
  if (name !== '') errors.push(...dns1123LabelProblems(name).map((problem) => fieldInvalid(`${path}.name`, name, problem)))
  else if (needsName) errors.push(fieldRequired(`${path}.name`, ''))
  errors.push(...portNumberProblems(port).map((problem) => fieldInvalid(`${path}.port`, port, problem)))
  if (protocol === '') errors.push(fieldRequired(`${path}.protocol`, ''))
  else if (!protocols.includes(protocol)) errors.push(fieldNotSupported(`${path}.protocol`, protocol, protocols))
  if (appProtocol !== undefined) errors.push(...labelKeyProblems(appProtocol).map((problem) => fieldInvalid(`${path}.appProtocol`, appProtocol, problem)))
  return errors
}

const protocols: readonly string[] = ['SCTP', 'TCP', 'UDP']
