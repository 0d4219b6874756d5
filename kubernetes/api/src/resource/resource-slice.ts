import {
  compareQuantities,
  dns1123SubdomainProblems,
  fieldForbidden,
  fieldInvalid,
  fieldIsImmutable,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  parseQuantity,
} from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { WriteContext } from '@gantry/apiserver'
import { formatTime } from '@gantry/apiserver'
import type { Counter, CounterSet, Device, DeviceAttribute, DeviceCapacity, ResourceSlice, ResourceSliceSpec } from '../generated/types.ts'
import { ageCell, as, column, nameCell } from '../kind.ts'
import type { BuiltinKind } from '../kind.ts'
import { validateDriverName } from '../storage/csi-node.ts'
import {
  address,
  validateBindingConditions,
  validateDnsLabel,
  validatePoolName,
  validateQualifiedName,
  validateSet,
  validateSlice,
  validateTaint,
} from './device-rules.ts'

const maxDevices = 128
/** Of devices with taints or counters. */
const maxAdvancedDevices = 64
const maxCounterSets = 8
const maxCounters = 32
const maxConsumptions = 2
const maxAttributesAndCapacities = 32
const maxAttributeBytes = 64
const maxTaints = 16
const semver =
  /^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$/

export const resourceSlice: BuiltinKind = {
  ...address,
  kind: 'ResourceSlice',
  plural: 'resourceslices',
  namespaced: false,
  type: 'io.k8s.api.resource.v1.ResourceSlice',
  tracksGeneration: true,
  allowUnconditionalUpdate: true,
  returnsDeletedObject: true,
  selectableFields: {
    'spec.nodeName': (object) => as<ResourceSlice>(object).spec.nodeName ?? '',
    'spec.driver': (object) => as<ResourceSlice>(object).spec.driver,
  },
  unselectableField: (field) => `field label not supported for resource.k8s.io/v1, Kind=ResourceSlice: ${field}`,
  columns: [
    nameCell,
    column<ResourceSlice>('Node', ({ spec }) => spec.nodeName ?? '', { description: 'The node that has the devices.' }),
    column<ResourceSlice>('Driver', ({ spec }) => spec.driver, { description: 'The driver of the devices.' }),
    column<ResourceSlice>('Pool', ({ spec }) => spec.pool.name, { description: 'The pool that the devices are part of.' }),
    ageCell,
  ],
  prepareForCreate: (object, context) => prepare(as<ResourceSlice>(object), context),
  prepareForUpdate: (object, _old, context) => prepare(as<ResourceSlice>(object), context),
  warnings(object) {
    const { driver } = as<ResourceSlice>(object).spec
    return driver === driver.toLowerCase() ? [] : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`]
  },
  validate: (object) => validateSpec(as<ResourceSlice>(object).spec),
  validateUpdate(object, old) {
    const [next, before] = [as<ResourceSlice>(object).spec, as<ResourceSlice>(old).spec]
    const errors: FieldError[] = []
    if (next.pool.name !== before.pool.name) errors.push(fieldInvalid('spec.pool.name', next.pool.name, fieldIsImmutable))
    if (next.driver !== before.driver) errors.push(fieldInvalid('spec.driver', next.driver, fieldIsImmutable))
    if (next.nodeName !== before.nodeName) errors.push(fieldInvalid('spec.nodeName', next.nodeName ?? null, fieldIsImmutable))
    return errors
  },
}

function prepare({ spec }: ResourceSlice, context: WriteContext): void {
  for (const device of spec.devices ?? []) {
    // These need DRANodeAllocatableResources and DRAListTypeAttributes, which are off by default.
    delete device.nodeAllocatableResourceMappings
    for (const attribute of Object.values(device.attributes ?? {})) for (const list of ['bools', 'ints', 'strings', 'versions'] as const) delete attribute[list]
  }
  for (const taint of (spec.devices ?? []).flatMap(({ taints }) => taints ?? [])) taint.timeAdded ??= formatTime(context.now)
}

/** Exactly one of these says where devices are. */
function nodeChoices(given: Pick<ResourceSliceSpec, 'nodeName' | 'nodeSelector' | 'allNodes' | 'perDeviceNodeSelection'>): string[] {
  const choices: string[] = []
  if ((given.nodeName ?? '') !== '') choices.push('`nodeName`')
  if (given.nodeSelector !== undefined) choices.push('`nodeSelector`')
  if (given.allNodes === true) choices.push('`allNodes`')
  if (given.perDeviceNodeSelection === true) choices.push('`perDeviceNodeSelection`')
  return choices
}

function validateSpec(spec: ResourceSliceSpec): FieldError[] {
  const errors = validateDriverName(spec.driver, 'spec.driver')
  const { pool, nodeName, nodeSelector } = spec
  errors.push(...validatePoolName(pool.name, 'spec.pool.name'))
  if (pool.resourceSliceCount <= 0) errors.push(fieldInvalid('spec.pool.resourceSliceCount', pool.resourceSliceCount, 'must be greater than zero'))
  if (pool.generation < 0) errors.push(fieldInvalid('spec.pool.generation', pool.generation, 'must be greater than or equal to zero'))
  if (nodeName === '') errors.push(fieldInvalid('spec.nodeName', nodeName, 'must be either unset or set to a non-empty string'))
  else if (nodeName !== undefined) errors.push(...dns1123SubdomainProblems(nodeName).map((problem) => fieldInvalid('spec.nodeName', nodeName, problem)))
  const terms = nodeSelector?.nodeSelectorTerms ?? []
  if (nodeSelector !== undefined && terms.length === 0)
    errors.push(fieldRequired('spec.nodeSelector.nodeSelectorTerms', 'must have at least one node selector term'))
  if (nodeSelector !== undefined && terms.length !== 1) {
    errors.push(fieldInvalid('spec.nodeSelector.nodeSelectorTerms', nodeSelector.nodeSelectorTerms, 'must have exactly one node selector term'))
  }
  for (const field of ['allNodes', 'perDeviceNodeSelection'] as const) {
    if (spec[field] === false) errors.push(fieldInvalid(`spec.${field}`, false, 'must be either unset or set to true'))
  }
  const choices = nodeChoices(spec)
  const oneOf = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required'
  if (choices.length === 0) errors.push(fieldRequired('spec', oneOf))
  else if (choices.length > 1) errors.push(fieldInvalid('spec', `{${choices.join(', ')}}`, `${oneOf}, but multiple fields are set`))
  if (spec.sharedCounters !== undefined && spec.devices !== undefined)
    errors.push(fieldInvalid('spec', '', 'only one of `sharedCounters` or `devices` is allowed'))
  const isAdvanced = (spec.devices ?? []).some(({ taints, consumesCounters }) => (taints ?? []).length + (consumesCounters ?? []).length > 0)
  errors.push(
    ...validateSet(spec.devices, 'spec.devices', {
      max: isAdvanced ? maxAdvancedDevices : maxDevices,
      each: (device, path) => validateDevice(device, path, spec.perDeviceNodeSelection === true),
      keyOf: ({ name }) => name,
    }),
    ...validateSet(spec.sharedCounters, 'spec.sharedCounters', { max: maxCounterSets, each: validateCounterSet, keyOf: ({ name }) => name }),
  )
  return errors
}

function validateCounterSet({ name, counters }: CounterSet, path: string): FieldError[] {
  return [...(name === '' ? [fieldRequired(`${path}.name`)] : validateDnsLabel(name, `${path}.name`)), ...validateCounters(counters, `${path}.counters`)]
}

function validateCounters(counters: Readonly<Record<string, Counter>> | null, path: string): FieldError[] {
  const names = Object.keys(counters ?? {})
  if (names.length === 0) return [fieldRequired(path)]
  if (names.length > maxCounters) return [fieldTooMany(path, names.length, maxCounters)]
  return names.flatMap((name) => validateDnsLabel(name, path))
}

function validateDevice(device: Device, path: string, choosesNode: boolean): FieldError[] {
  const errors = validateDnsLabel(device.name, `${path}.name`)
  const [attributes, capacities] = [Object.entries(device.attributes ?? {}), Object.entries(device.capacity ?? {})]
  const count = attributes.length + capacities.length
  if (count > maxAttributesAndCapacities) {
    errors.push(fieldInvalid(path, count, `the total number of attributes and capacities must not exceed ${maxAttributesAndCapacities}`))
  }
  for (const [name, attribute] of attributes) {
    errors.push(...validateQualifiedName(name, `${path}.attributes`), ...validateAttribute(attribute, `${path}.attributes[${name}]`))
  }
  for (const [name, capacity] of capacities) {
    errors.push(...validateQualifiedName(name, `${path}.capacity`))
    errors.push(...validateCapacity(capacity, `${path}.capacity[${name}]`, device.allowMultipleAllocations === true))
  }
  errors.push(
    ...validateSlice(device.taints, `${path}.taints`, { max: maxTaints, each: validateTaint }),
    ...validateSet(device.consumesCounters, `${path}.consumesCounters`, {
      max: maxConsumptions,
      each: ({ counterSet, counters }, at) => [
        ...(counterSet === '' ? [fieldRequired(`${at}.counterSet`)] : validateDnsLabel(counterSet, `${at}.counterSet`)),
        ...validateCounters(counters, `${at}.counters`),
      ],
      keyOf: ({ counterSet }) => counterSet,
    }),
    ...validateNodeChoice(device, path, choosesNode),
    ...validateBindingConditions(device, path),
  )
  return errors
}

function validateNodeChoice(device: Device, path: string, choosesNode: boolean): FieldError[] {
  const { nodeName, nodeSelector, allNodes } = device
  if (!choosesNode) {
    if (nodeName === undefined && nodeSelector === undefined && allNodes === undefined) return []
    const detail = '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
    return [fieldInvalid(path, null, detail)]
  }
  const errors: FieldError[] = []
  if (nodeName === '') errors.push(fieldInvalid(`${path}.nodeName`, nodeName, 'must not be empty'))
  else if (nodeName !== undefined) errors.push(...dns1123SubdomainProblems(nodeName).map((problem) => fieldInvalid(`${path}.nodeName`, nodeName, problem)))
  if (allNodes === false) errors.push(fieldInvalid(`${path}.allNodes`, false, 'must be either unset or set to true'))
  const choices = nodeChoices({ nodeName, nodeSelector, allNodes })
  const oneOf = 'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec'
  if (choices.length === 0) errors.push(fieldRequired(path, oneOf))
  else if (choices.length > 1) errors.push(fieldInvalid(path, `{${choices.join(', ')}}`, oneOf))
  return errors
}

function validateAttribute(attribute: DeviceAttribute, path: string): FieldError[] {
  const errors: FieldError[] = []
  const { string, version } = attribute
  if (string !== undefined && Buffer.byteLength(string) > maxAttributeBytes) errors.push(fieldTooLong(`${path}.string`, maxAttributeBytes))
  if (version !== undefined) {
    if (!semver.test(version)) errors.push(fieldInvalid(`${path}.version`, version, 'must be a string compatible with semver.org spec 2.0.0'))
    if (Buffer.byteLength(version) > maxAttributeBytes) errors.push(fieldTooLong(`${path}.version`, maxAttributeBytes))
  }
  const given = [attribute.bool, attribute.int, string, version].filter((value) => value !== undefined).length
  if (given !== 1) errors.push(fieldInvalid(path, given === 0 ? '' : internalShape(attribute), 'exactly one value must be specified'))
  return errors
}

/** As upstream's internal type shows it. */
function internalShape({ int, bool, string, version }: DeviceAttribute): object {
  const lists = { IntValues: null, BoolValues: null, StringValues: null, VersionValues: null }
  return { IntValue: int ?? null, BoolValue: bool ?? null, StringValue: string ?? null, VersionValue: version ?? null, ...lists }
}

function validateCapacity({ value, requestPolicy }: DeviceCapacity, path: string, isShared: boolean): FieldError[] {
  if (requestPolicy === undefined) return []
  const at = `${path}.requestPolicy`
  if (!isShared) return [fieldForbidden(at, 'allowMultipleAllocations must be true')]
  const { validValues = [], validRange } = requestPolicy
  const preset = requestPolicy.default ?? undefined
  if (validValues.length > 0 && validRange !== undefined) {
    return [fieldForbidden(at, 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time')]
  }
  if (validValues.length === 0 && validRange === undefined) return []
  if (preset === undefined) return [fieldRequired(`${at}.default`, `required when ${validRange === undefined ? 'validValues' : 'validRange'} is defined`)]
  const isOver = (amount: string, limit: string): boolean => compareQuantities(parseQuantity(amount), parseQuantity(limit)) > 0
  if (validRange !== undefined) {
    const { min, max } = validRange
    const errors: FieldError[] = []
    if (isOver(min, value)) errors.push(fieldInvalid(`${at}.validRange.min`, min, `min is larger than capacity value: ${value}`))
    if (isOver(min, preset)) errors.push(fieldInvalid(`${at}.validRange.min`, preset, `default is less than min: ${min}`))
    if (max === undefined) return errors
    if (isOver(min, max)) errors.push(fieldInvalid(`${at}.validRange.max`, min, `min is larger than max: ${max}`))
    if (isOver(max, value)) errors.push(fieldInvalid(`${at}.validRange.max`, max, `max is larger than capacity value: ${value}`))
    if (isOver(preset, max)) errors.push(fieldInvalid(`${at}.validRange.max`, preset, `default is more than max: ${max}`))
    return errors
  }
  const errors: FieldError[] = []
  validValues.forEach((option, i) => {
    const next = validValues[i + 1]
    if (next !== undefined && isOver(option, next)) errors.push(fieldInvalid(`${at}.validValues[${i + 1}]`, next, 'values must be sorted in ascending order'))
  })
  errors.push(
    ...validateSet(validValues, `${at}.validValues`, {
      max: 10,
      each: (option, where) => (isOver(option, value) ? [fieldInvalid(where, option, `option is larger than capacity value: ${value}`)] : []),
      keyOf: (option) => option,
    }),
  )
  if (!validValues.some((option) => compareQuantities(parseQuantity(option), parseQuantity(preset)) === 0)) {
    errors.push(fieldInvalid(`${at}.validValues`, preset, 'default value is not valid according to the requestPolicy'))
  }
  return errors
}
