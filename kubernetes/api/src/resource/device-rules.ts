import {
  dns1123LabelProblems,
  dns1123SubdomainProblems,
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  labelKeyProblems,
  labelValueProblems,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { DeviceSelector, DeviceTaint, DeviceToleration, OpaqueDeviceConfiguration } from '../generated/types.ts'
import { validateDriverName } from '../storage/csi-node.ts'
import { deviceSelectorProblems } from './device-selector.ts'

// Upstream: pkg/apis/resource/validation/validation.go; the limits are those of pkg/apis/resource/types.go.

export const maxRequests = 32
export const maxConfigurations = 32
export const maxSelectors = 32
const maxPoolNameBytes = 253
const maxExpressionBytes = 10 * 1024
const maxParametersBytes = 10 * 1024
const maxIdentifierBytes = 32
const maxBindingConditions = 4
const taintEffects = ['NoExecute', 'NoSchedule', 'None']

/** What all kinds of the group say of themselves. */
export const address = { group: 'resource.k8s.io', version: 'v1', groupPriority: 16200, versionPriority: 21 } as const

/** Each item on its own; too many of them are one error and are not looked at. */
export function validateSlice<T>(
  items: readonly T[] | null | undefined,
  path: string,
  rules: { readonly max: number; each(item: T, path: string): FieldError[] },
): FieldError[] {
  const given = items ?? []
  if (given.length > rules.max) return [fieldTooMany(path, given.length, rules.max)]
  return given.flatMap((item, i) => rules.each(item, `${path}[${i}]`))
}

/** As `validateSlice`, and no key twice. */
export function validateSet<T>(
  items: readonly T[] | null | undefined,
  path: string,
  rules: { readonly max: number; each(item: T, path: string): FieldError[]; keyOf(item: T): string },
): FieldError[] {
  const given = items ?? []
  const errors = validateSlice(given, path, rules)
  if (given.length > rules.max) return errors
  const seen = new Set<string>()
  given.forEach((item, i) => {
    const key = rules.keyOf(item)
    if (seen.has(key)) errors.push(fieldDuplicate(`${path}[${i}]`, key))
    seen.add(key)
  })
  return errors
}

export function validateLabelName(name: string, path: string): FieldError[] {
  return labelKeyProblems(name).map((problem) => fieldInvalid(path, name, problem))
}

export function validateDnsLabel(name: string, path: string): FieldError[] {
  return dns1123LabelProblems(name).map((problem) => fieldInvalid(path, name, problem))
}

export function validateSubdomain(name: string, path: string): FieldError[] {
  return dns1123SubdomainProblems(name).map((problem) => fieldInvalid(path, name, problem))
}

/** Subdomains separated by slashes. */
export function validatePoolName(name: string, path: string): FieldError[] {
  if (name === '') return [fieldRequired(path)]
  const errors = Buffer.byteLength(name) > maxPoolNameBytes ? [fieldTooLong(path, maxPoolNameBytes)] : []
  return [...errors, ...name.split('/').flatMap((part) => validateSubdomain(part, path))]
}

/** `identifier` or `domain/identifier`. */
export function validateQualifiedName(name: string, path: string): FieldError[] {
  const parts = name.split('/')
  const [first = '', second = ''] = parts
  if (parts.length === 1) return validateIdentifier(first, path)
  if (parts.length > 2) return []
  return [
    ...(first === '' ? [fieldInvalid(path, '', 'the domain must not be empty')] : validateDriverName(first, path)),
    ...(second === '' ? [fieldInvalid(path, '', 'the name must not be empty')] : validateIdentifier(second, path)),
  ]
}

export function validateFullyQualifiedName(name: string, path: string): FieldError[] {
  const errors = validateQualifiedName(name, path)
  return name.includes('/') ? errors : [...errors, fieldInvalid(path, name, 'a fully qualified name must be a domain and a name separated by a slash')]
}

function validateIdentifier(id: string, path: string): FieldError[] {
  const errors = Buffer.byteLength(id) > maxIdentifierBytes ? [fieldTooLong(path, maxIdentifierBytes)] : []
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(id)) {
    errors.push(
      fieldInvalid(
        path,
        id,
        "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')",
      ),
    )
  }
  return errors
}

export function validateSelectors(selectors: readonly DeviceSelector[] | undefined, path: string): FieldError[] {
  return validateSlice(selectors, path, {
    max: maxSelectors,
    each({ cel }, at) {
      if (cel === undefined) return [fieldRequired(`${at}.cel`)]
      const field = `${at}.cel.expression`
      return Buffer.byteLength(cel.expression) > maxExpressionBytes ? [fieldTooLong(field, maxExpressionBytes)] : deviceSelectorProblems(cel.expression, field)
    },
  })
}

/** Settings for a driver: any JSON object. */
export function validateOpaque(opaque: OpaqueDeviceConfiguration | undefined, path: string): FieldError[] {
  if (opaque === undefined) return [fieldRequired(path)]
  return [...validateDriverName(opaque.driver, `${path}.driver`), ...validateRaw(opaque.parameters, `${path}.parameters`, maxParametersBytes)]
}

export function validateRaw(value: unknown, path: string, maxBytes: number): FieldError[] {
  if (value === undefined || value === null) return [fieldRequired(path)]
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) return [fieldTooLong(path, maxBytes)]
  return typeof value === 'object' && !Array.isArray(value) ? [] : [fieldInvalid(path, '<value omitted>', 'must be a valid JSON object')]
}

export function validateTaint({ key, value = '', effect }: DeviceTaint, path: string): FieldError[] {
  const errors = validateLabelName(key, `${path}.key`)
  errors.push(...labelValueProblems(value).map((problem) => fieldInvalid(`${path}.value`, value, problem)))
  if (effect === '') errors.push(fieldRequired(`${path}.effect`))
  else if (!taintEffects.includes(effect)) errors.push(fieldNotSupported(`${path}.effect`, effect, taintEffects))
  return errors
}

export function validateToleration({ key = '', operator = '', value = '', effect = '' }: DeviceToleration, path: string): FieldError[] {
  const errors = key === '' ? [] : validateLabelName(key, `${path}.key`)
  if (operator === 'Exists') {
    if (value !== '') errors.push(fieldInvalid(`${path}.value`, value, 'must be empty for operator `Exists`'))
  } else if (operator === 'Equal') errors.push(...labelValueProblems(value).map((problem) => fieldInvalid(`${path}.value`, value, problem)))
  else errors.push(operator === '' ? fieldRequired(`${path}.operator`) : fieldNotSupported(`${path}.operator`, operator, ['Equal', 'Exists']))
  if (effect !== '' && !taintEffects.includes(effect)) errors.push(fieldNotSupported(`${path}.effect`, effect, taintEffects))
  return errors
}

/** Conditions that a binding waits for, and those that call it off: both or neither. */
export function validateBindingConditions(
  {
    bindingConditions: waits = [],
    bindingFailureConditions: fails = [],
  }: { readonly bindingConditions?: string[] | undefined; readonly bindingFailureConditions?: string[] | undefined },
  path: string,
): FieldError[] {
  const [waitPath, failPath] = [`${path}.bindingConditions`, `${path}.bindingFailureConditions`]
  const errors = [
    ...validateSlice(waits, waitPath, { max: maxBindingConditions, each: validateLabelName }),
    ...validateSlice(fails, failPath, { max: maxBindingConditions, each: validateLabelName }),
  ]
  waits.forEach((condition, i) => {
    if (waits.indexOf(condition) < i) errors.push(fieldDuplicate(`${waitPath}[${i}]`, condition))
  })
  fails.forEach((condition, i) => {
    if (fails.indexOf(condition) < i) errors.push(fieldDuplicate(`${failPath}[${i}]`, condition))
    if (waits.includes(condition)) errors.push(fieldInvalid(`${failPath}[${i}]`, condition, 'bindingFailureConditions must not overlap with bindingConditions'))
  })
  if (waits.length === 0 && fails.length > 0) errors.push(fieldInvalid(waitPath, null, 'bindingConditions are required to use bindingFailureConditions'))
  if (fails.length === 0 && waits.length > 0) errors.push(fieldInvalid(failPath, null, 'bindingFailureConditions are required to use bindingConditions'))
  return errors
}
