import { fieldInvalid, fieldNotSupported, labelKeyProblems, parseQuantity, quantityToUnits } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import { compareToZero } from './quantities.ts'

// Which names of resources are known, and where each may stand. Upstream: pkg/apis/core/helper/helpers.go and validation.go.

const containerResources: ReadonlySet<string> = new Set(['cpu', 'memory', 'ephemeral-storage'])

const countedObjects = [
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'services.nodeports',
  'services.loadbalancers',
] as const
const integerResources: ReadonlySet<string> = new Set(countedObjects)

const quotaResources: ReadonlySet<string> = new Set([
  ...containerResources,
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  ...countedObjects,
])

const standardResources: ReadonlySet<string> = new Set([...quotaResources, 'storage'])
const hugePages = 'hugepages-'
const quotaHugePages = 'requests.hugepages-'

export function isHugePages(name: string): boolean {
  return name.startsWith(hugePages)
}

function isQuotaHugePages(name: string): boolean {
  return name.startsWith(hugePages) || name.startsWith(quotaHugePages)
}

/** `cpu`, or anything of kubernetes.io. */
export function isNativeResource(name: string): boolean {
  return !name.includes('/') || name.includes('kubernetes.io/')
}

/** `example.com/gpu`. */
export function isExtendedResource(name: string): boolean {
  return !isNativeResource(name) && !name.startsWith('requests.') && labelKeyProblems(`requests.${name}`).length === 0
}

/** Whether requests may be less than limits. */
export function mayOvercommit(name: string): boolean {
  return isNativeResource(name) && !isHugePages(name)
}

function isInteger(name: string): boolean {
  return integerResources.has(name) || isExtendedResource(name)
}

export function isStandardQuotaResource(name: string): boolean {
  return quotaResources.has(name) || isQuotaHugePages(name)
}

export function validateResourceName(name: string, path: string): FieldError[] {
  // The everyday names need no further look.
  if (containerResources.has(name)) return []
  const errors = labelKeyProblems(name).map((problem) => fieldInvalid(path, name, problem))
  if (errors.length === 0 && !name.includes('/') && !standardResources.has(name) && !isQuotaHugePages(name)) {
    errors.push(fieldInvalid(path, name, 'must be a standard resource type or fully qualified'))
  }
  return errors
}

export function validateContainerResourceName(name: string, path: string): FieldError[] {
  if (containerResources.has(name)) return []
  const errors = validateResourceName(name, path)
  if (!name.includes('/')) {
    if (!isHugePages(name)) errors.push(fieldInvalid(path, name, 'must be a standard resource for containers'))
  } else if (!isNativeResource(name) && !isExtendedResource(name)) errors.push(fieldInvalid(path, name, "doesn't follow extended resource name standard"))
  return errors
}

const podResources: ReadonlySet<string> = new Set(['cpu', 'memory'])

export function validatePodResourceName(name: string, path: string): FieldError[] {
  const errors = validateResourceName(name, path)
  if (errors.length === 0 && !podResources.has(name) && !isHugePages(name)) errors.push(fieldNotSupported(path, name, ['cpu', 'hugepages-', 'memory']))
  return errors
}

export function validateQuotaResourceName(name: string, path: string): FieldError[] {
  const errors = validateResourceName(name, path)
  if (!name.includes('/') && !isStandardQuotaResource(name)) errors.push(fieldInvalid(path, name, 'must be a standard resource for quota'))
  return errors
}

/** The amount of a resource: not negative, and whole where it counts things. */
export function validateResourceAmount(name: string, amount: string, path: string): FieldError[] {
  const errors: FieldError[] = []
  if (compareToZero(amount) < 0) errors.push(fieldInvalid(path, amount, 'must be greater than or equal to 0'))
  if (isInteger(name) && !isWhole(amount)) errors.push(fieldInvalid(path, amount, 'must be an integer'))
  return errors
}

function isWhole(amount: string): boolean {
  const { unscaled, exponent } = parseQuantity(amount)
  return exponent >= 0 || unscaled % 10n ** BigInt(-exponent) === 0n
}

/** What is wrong with an amount of huge pages: it is no multiple of their size. */
export function hugePagesProblem(name: string, amount: string): string | undefined {
  const size = sizeOf(name)
  const isMultiple = size !== undefined && size > 0 && quantityToUnits(parseQuantity(amount)) % size === 0
  return isMultiple ? undefined : `${amount} is not positive integer multiple of ${name}`
}

function sizeOf(name: string): number | undefined {
  const text = name.slice(hugePages.length)
  if (!/^\d+(?:\.\d+)?[numkMGTPE]?i?$/.test(text)) return undefined
  return isWhole(text) ? quantityToUnits(parseQuantity(text)) : undefined
}
