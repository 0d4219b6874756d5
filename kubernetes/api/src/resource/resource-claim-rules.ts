import { fieldInvalid, fieldNotSupported, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { DeviceClaim, DeviceConstraint, DeviceRequest, DeviceSubRequest, ExactDeviceRequest, ResourceClaimSpec } from '../generated/types.ts'
import {
  maxConfigurations,
  maxRequests,
  validateDnsLabel,
  validateFullyQualifiedName,
  validateOpaque,
  validateSelectors,
  validateSet,
  validateSlice,
  validateSubdomain,
  validateToleration,
} from './device-rules.ts'

const maxAlternatives = 8
const maxConstraints = 32
const badReference = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"

export function defaultClaimSpec(spec: ResourceClaimSpec | undefined): void {
  for (const request of spec?.devices?.requests ?? []) {
    for (const one of [...(request.exactly === undefined ? [] : [request.exactly]), ...(request.firstAvailable ?? [])]) {
      if ((one.allocationMode ?? '') === '') one.allocationMode = 'ExactCount'
      if (one.allocationMode === 'ExactCount' && (one.count ?? 0) === 0) one.count = 1
      for (const toleration of one.tolerations ?? []) toleration.operator ??= 'Equal'
    }
  }
}

export function validateClaimSpec({ devices = {} }: ResourceClaimSpec, path: string): FieldError[] {
  const at = `${path}.devices`
  const names = requestNames(devices)
  const reference = (name: string, where: string): FieldError[] => validateReference(name, where, names)
  return [
    ...validateSet(devices.requests, `${at}.requests`, { max: maxRequests, each: validateRequest, keyOf: ({ name }) => name }),
    ...validateSlice(devices.constraints, `${at}.constraints`, {
      max: maxConstraints,
      each: (constraint, where) => validateConstraint(constraint, where, reference),
    }),
    ...validateSlice(devices.config, `${at}.config`, {
      max: maxConfigurations,
      each: ({ requests, opaque }, where) => [
        ...validateSet(requests, `${where}.requests`, { max: maxRequests, each: reference, keyOf: (name) => name }),
        ...validateOpaque(opaque, `${where}.opaque`),
      ],
    }),
  ]
}

/** What configurations and results may refer to: requests, and alternatives as `request/alternative`. */
export function requestNames({ requests }: DeviceClaim): ReadonlySet<string> {
  return new Set((requests ?? []).flatMap(({ name, firstAvailable }) => [name, ...(firstAvailable ?? []).map((alternative) => `${name}/${alternative.name}`)]))
}

export function validateReference(name: string, path: string, names: ReadonlySet<string>): FieldError[] {
  const segments = name.split('/')
  if (segments.length > 2) return [fieldInvalid(path, name, badReference)]
  const errors = segments.flatMap((segment) => validateDnsLabel(segment, path))
  return names.has(name) ? errors : [...errors, fieldInvalid(path, name, badReference)]
}

function validateRequest({ name, exactly, firstAvailable = [] }: DeviceRequest, path: string): FieldError[] {
  const errors = validateDnsLabel(name, `${path}.name`)
  if (exactly === undefined && firstAvailable.length === 0) {
    return [...errors, fieldRequired(path, 'exactly one of `exactly` or `firstAvailable` is required')]
  }
  if (exactly !== undefined && firstAvailable.length > 0) {
    return [...errors, fieldInvalid(path, null, 'exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set')]
  }
  if (exactly !== undefined) return [...errors, ...validateOne(exactly, `${path}.exactly`)]
  return [
    ...errors,
    ...validateSet(firstAvailable, `${path}.firstAvailable`, {
      max: maxAlternatives,
      each: (alternative, at) => [...validateDnsLabel(alternative.name, `${at}.name`), ...validateOne(alternative, at)],
      keyOf: (alternative) => alternative.name,
    }),
  ]
}

function validateOne(request: ExactDeviceRequest | DeviceSubRequest, path: string): FieldError[] {
  const { deviceClassName, selectors, allocationMode = '', count = 0, tolerations = [] } = request
  const errors = deviceClassName === '' ? [fieldRequired(`${path}.deviceClassName`)] : validateSubdomain(deviceClassName, `${path}.deviceClassName`)
  errors.push(...validateSelectors(selectors, `${path}.selectors`))
  if (allocationMode === 'All') {
    if (count !== 0) errors.push(fieldInvalid(`${path}.count`, count, "must not be specified when allocationMode is 'All'"))
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) errors.push(fieldInvalid(`${path}.count`, count, 'must be greater than zero'))
  } else errors.push(fieldNotSupported(`${path}.allocationMode`, allocationMode, ['All', 'ExactCount']))
  tolerations.forEach((toleration, i) => errors.push(...validateToleration(toleration, `${path}.tolerations[${i}]`)))
  return errors
}

function validateConstraint(
  { requests, matchAttribute, distinctAttribute }: DeviceConstraint,
  path: string,
  reference: (name: string, path: string) => FieldError[],
): FieldError[] {
  const errors = validateSet(requests, `${path}.requests`, { max: maxRequests, each: reference, keyOf: (name) => name })
  if (matchAttribute !== undefined) return [...errors, ...validateFullyQualifiedName(matchAttribute, `${path}.matchAttribute`)]
  if (distinctAttribute !== undefined) return [...errors, ...validateFullyQualifiedName(distinctAttribute, `${path}.distinctAttribute`)]
  return [...errors, fieldRequired(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set')]
}
