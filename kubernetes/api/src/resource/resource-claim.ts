import { fieldForbidden, fieldInvalid, fieldIsImmutable, fieldNotSupported, fieldRequired, fieldTooLong, fieldTooMany } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type {
  AllocatedDeviceStatus,
  AllocationResult,
  NetworkDeviceData,
  ResourceClaimConsumerReference,
  ResourceClaimStatus,
  ResourceResourceClaim,
} from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { formatAddress, parseNetwork } from '../networking/addresses.ts'
import { validateDriverName } from '../storage/csi-node.ts'
import {
  address,
  maxConfigurations,
  maxRequests,
  validateBindingConditions,
  validateDnsLabel,
  validateOpaque,
  validatePoolName,
  validateRaw,
  validateSet,
  validateSlice,
} from './device-rules.ts'
import { allocationShape, claimSpecShape, internalShape } from './internal-shape.ts'
import { defaultClaimSpec, requestNames, validateClaimSpec, validateReference } from './resource-claim-rules.ts'

const maxConsumers = 256
const maxResults = 32
const maxConditions = 8
const maxDataBytes = 10 * 1024
const maxInterfaceNameBytes = 256
const maxHardwareAddressBytes = 128
const maxAddresses = 16

export const resourceClaim: BuiltinKind = {
  ...address,
  kind: 'ResourceClaim',
  plural: 'resourceclaims',
  namespaced: true,
  metaChecksOnUpdate: 'both',
  type: 'io.k8s.api.resource.v1.ResourceClaim',
  hasStatus: true,
  statusKeeps: 'metadata',
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  columns: [nameCell, column<ResourceResourceClaim>('State', formatState, { description: 'Whether devices are allocated and in use.' }), ageCell],
  applyDefaults(object) {
    const { spec, status } = as<ResourceResourceClaim>(object)
    defaultClaimSpec(spec)
    for (const result of status?.allocation?.devices?.results ?? []) for (const toleration of result.tolerations ?? []) toleration.operator ??= 'Equal'
  },
  prepareForStatusUpdate(object, old) {
    const { status } = as<ResourceResourceClaim>(object)
    const before = as<ResourceResourceClaim>(old).status
    // Devices that have been given back report no more.
    if (status?.devices === undefined || before?.allocation === undefined) return
    const allocated = allocatedDevices(status)
    const gone = new Set([...allocatedDevices(before)].filter((id) => !allocated.has(id)))
    status.devices = status.devices.filter((device) => !gone.has(idOf(device)))
    if (status.devices.length === 0) delete status.devices
  },
  validate: (object, old) => (old === undefined ? validateClaimSpec(as<ResourceResourceClaim>(object).spec, 'spec') : []),
  validateUpdate(object, old) {
    if (JSON.stringify(object['spec']) === JSON.stringify(old['spec'])) return []
    return [fieldInvalid('spec', internalShape(claimSpecShape, as<ResourceResourceClaim>(object).spec), fieldIsImmutable)]
  },
  validateStatusUpdate: (object, old) => validateStatus(as<ResourceResourceClaim>(object), as<ResourceResourceClaim>(old)),
}

function formatState({ metadata, status }: ResourceResourceClaim): string {
  const isGoing = metadata.deletionTimestamp !== undefined && metadata.deletionTimestamp !== null
  const states = isGoing ? ['deleted'] : []
  if (status?.allocation !== undefined) states.push('allocated', ...((status.reservedFor ?? []).length > 0 ? ['reserved'] : []))
  else if (!isGoing) states.push('pending')
  return states.join(',')
}

interface DeviceId {
  readonly driver: string
  readonly pool: string
  readonly device: string
  readonly shareID?: string | undefined
}

function idOf({ driver, pool, device, shareID = '' }: DeviceId): string {
  return [driver, pool, device, shareID].join('/')
}

function allocatedDevices({ allocation }: ResourceClaimStatus): ReadonlySet<string> {
  return new Set((allocation?.devices?.results ?? []).map(idOf))
}

function validateStatus(claim: ResourceResourceClaim, old: ResourceResourceClaim): FieldError[] {
  const { status = {} } = claim
  const before = old.status ?? {}
  const allocated = allocatedDevices(status)
  const reserved = status.reservedFor ?? []
  const errors = [
    ...validateSet(reserved, 'status.reservedFor', { max: maxConsumers, each: validateConsumer, keyOf: ({ uid }) => uid }),
    ...validateSet(status.devices, 'status.devices', {
      max: Number.POSITIVE_INFINITY,
      each: (device, path) => validateDeviceStatus(device, path, allocated),
      keyOf: idOf,
    }),
  ]
  if (reserved.length > 0) {
    const known = new Set((before.reservedFor ?? []).map((consumer) => JSON.stringify(consumer)))
    const isGoing = claim.metadata.deletionTimestamp !== undefined && claim.metadata.deletionTimestamp !== null
    if (status.allocation === undefined) errors.push(fieldForbidden('status.reservedFor', 'may not be specified when `allocated` is not set'))
    else if (isGoing && reserved.some((consumer) => !known.has(JSON.stringify(consumer)))) {
      errors.push(fieldForbidden('status.reservedFor', 'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set'))
    }
  }
  if (status.allocation === undefined) return errors
  if (before.allocation === undefined) return [...errors, ...validateAllocation(status.allocation, requestNames(claim.spec.devices ?? {}))]
  if (JSON.stringify(status.allocation) !== JSON.stringify(before.allocation))
    errors.push(fieldInvalid('status.allocation', internalShape(allocationShape, status.allocation), fieldIsImmutable))
  return errors
}

function validateConsumer(consumer: ResourceClaimConsumerReference, path: string): FieldError[] {
  return (['resource', 'name', 'uid'] as const).filter((field) => consumer[field] === '').map((field) => fieldRequired(`${path}.${field}`))
}

function validateAllocation({ devices = {} }: AllocationResult, names: ReadonlySet<string>): FieldError[] {
  const path = 'status.allocation.devices'
  return [
    ...validateSlice(devices.results, `${path}.results`, {
      max: maxResults,
      each: (result, at) => [
        ...validateReference(result.request, `${at}.request`, names),
        ...validateDriverName(result.driver, `${at}.driver`),
        ...validatePoolName(result.pool, `${at}.pool`),
        ...validateDnsLabel(result.device, `${at}.device`),
        ...validateBindingConditions(result, at),
        ...validateUid(result.shareID, `${at}.shareID`),
      ],
    }),
    ...validateSlice(devices.config, `${path}.config`, {
      max: 2 * maxConfigurations,
      each: ({ source, requests, opaque }, at) => [
        ...validateSource(source, `${at}.source`),
        ...validateSet(requests, `${at}.requests`, { max: maxRequests, each: (name, where) => validateReference(name, where, names), keyOf: (name) => name }),
        ...validateOpaque(opaque, `${at}.opaque`),
      ],
    }),
  ]
}

function validateSource(source: string, path: string): FieldError[] {
  if (source === '') return [fieldRequired(path)]
  return ['FromClaim', 'FromClass'].includes(source) ? [] : [fieldNotSupported(path, source, ['FromClaim', 'FromClass'])]
}

function validateUid(uid: string | undefined, path: string): FieldError[] {
  if (uid === undefined || /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/.test(uid)) return []
  if (uid.length !== 36) return [fieldInvalid(path, uid, `error validating uid: invalid UUID length: ${uid.length}`)]
  return [
    /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(uid)
      ? fieldInvalid(path, uid, 'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters')
      : fieldInvalid(path, uid, 'error validating uid: invalid UUID format'),
  ]
}

function validateDeviceStatus(device: AllocatedDeviceStatus, path: string, allocated: ReadonlySet<string>): FieldError[] {
  const errors = [
    ...validateDriverName(device.driver, `${path}.driver`),
    ...validatePoolName(device.pool, `${path}.pool`),
    ...validateDnsLabel(device.device, `${path}.device`),
    ...validateUid(device.shareID, `${path}.shareID`),
  ]
  if (!allocated.has(idOf(device))) {
    // Upstream shows its internal type.
    const shown = { Driver: device.driver, Pool: device.pool, Device: device.device, ShareID: device.shareID ?? '' }
    errors.push(fieldInvalid(path, shown, 'must be an allocated device in the claim'))
  }
  const conditions = device.conditions ?? []
  if (conditions.length > maxConditions) errors.push(fieldTooMany(`${path}.conditions`, conditions.length, maxConditions))
  if (device.data !== undefined && device.data !== null) errors.push(...validateRaw(device.data, `${path}.data`, maxDataBytes))
  return [...errors, ...validateNetworkData(device.networkData, `${path}.networkData`)]
}

function validateNetworkData(data: NetworkDeviceData | undefined, path: string): FieldError[] {
  if (data === undefined) return []
  const errors: FieldError[] = []
  if (Buffer.byteLength(data.interfaceName ?? '') > maxInterfaceNameBytes) errors.push(fieldTooLong(`${path}.interfaceName`, maxInterfaceNameBytes))
  if (Buffer.byteLength(data.hardwareAddress ?? '') > maxHardwareAddressBytes) errors.push(fieldTooLong(`${path}.hardwareAddress`, maxHardwareAddressBytes))
  return [...errors, ...validateSet(data.ips, `${path}.ips`, { max: maxAddresses, each: validateInterfaceAddress, keyOf: (ip) => ip })]
}

/** `10.9.8.7/24`: the address of an interface with the network that it is in. */
function validateInterfaceAddress(text: string, path: string): FieldError[] {
  const network = parseNetwork(text)
  if (network === undefined) return [fieldInvalid(path, text, 'must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)')]
  const canonical = `${formatAddress(network.address.bytes)}/${network.prefixLength}`
  return canonical === text ? [] : [fieldInvalid(path, text, `must be in canonical form (${JSON.stringify(canonical)})`)]
}
