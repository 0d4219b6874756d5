import { fieldDuplicate, fieldForbidden, fieldInternal, fieldInvalid, labelKeyProblems, labelValueProblems, parseJson, StatusError } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Node, Taint } from '../generated/types.ts'
import { validateTaintEffect } from './affinity-validation.ts'
import { parseNetwork } from '../networking/addresses.ts'
import { goFields } from './go-fields.ts'
import { isDualStack, validateNetwork } from './ip-validation.ts'
import { validateResourceAmount } from './resource-names.ts'

const taintsAnnotation = 'scheduler.alpha.kubernetes.io/taints'
const maxFeatureLength = 253
const featurePattern = /^[A-Z][a-zA-Z0-9]*(?:\/[a-zA-Z][a-zA-Z0-9]*)*$/

/** A node as it is about to be stored. Upstream: ValidateNode and what ValidateNodeUpdate repeats of it. */
export function validateNode(node: Node, { checksNetworks }: { readonly checksNetworks: boolean }): FieldError[] {
  const { metadata, spec, status } = node
  const networks = spec?.podCIDRs ?? []
  return [
    ...validateTaintsAnnotation(metadata.annotations?.[taintsAnnotation] ?? ''),
    ...validateTaints(spec?.taints ?? [], 'metadata.taints'),
    ...validateAmounts(status?.capacity, 'status.capacity'),
    ...validateAmounts(status?.allocatable, 'status.allocatable'),
    ...validateFeatures(status?.declaredFeatures ?? []),
    ...(checksNetworks ? validateNetworks(networks) : []),
  ]
}

function validateNetworks(networks: readonly string[]): FieldError[] {
  const errors = networks.flatMap((network, index) => validateNetwork(network, `spec.podCIDRs[${index}]`))
  const unreadable = networks.findIndex((network) => parseNetwork(network) === undefined)
  if (networks.length > 1 && unreadable >= 0) {
    const why = `invalid CIDR[${unreadable}]: <nil> (invalid CIDR address: ${networks[unreadable]})`
    errors.push(fieldInternal('spec.podCIDRs', `invalid PodCIDRs. failed to check with dual stack with error:${why}`))
  }
  if (networks.length > 1 && (!isDualStack(networks) || networks.length > 2))
    errors.push(fieldInvalid('spec.podCIDRs', networks, 'may specify no more than one CIDR for each IP family'))
  return errors
}

function validateTaintsAnnotation(text: string): FieldError[] {
  if (text === '') return []
  let taints: unknown
  try {
    taints = parseJson(Buffer.from(text)).value
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return [fieldInvalid('metadata.annotations', taintsAnnotation, error.message)]
  }
  if (!Array.isArray(taints)) return [fieldInvalid('metadata.annotations', taintsAnnotation, 'must be a list of taints')]
  return validateTaints(taints as Taint[], `metadata.annotations.${taintsAnnotation}`)
}

function validateTaints(taints: readonly Taint[], path: string): FieldError[] {
  const seen = new Set<string>()
  return taints.flatMap((taint, index) => {
    const at = `${path}[${index}]`
    const { key, value = '', effect } = taint
    const errors = labelKeyProblems(key).map((problem) => fieldInvalid(`${at}.key`, key, problem))
    const problems = labelValueProblems(value)
    if (problems.length > 0) errors.push(fieldInvalid(`${at}.value`, value, problems.join(';')))
    errors.push(...validateTaintEffect(effect, `${at}.effect`))
    const pair = `${effect}/${key}`
    if (seen.has(pair)) errors.push({ ...fieldDuplicate(at, goFields('Taint', taint)), detail: 'taints must be unique by key and effect pair' })
    seen.add(pair)
    return errors
  })
}

function validateAmounts(amounts: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  return Object.entries(amounts ?? {}).flatMap(([name, amount]) => validateResourceAmount(name, amount, `${path}.${name}`))
}

function validateFeatures(features: readonly string[]): FieldError[] {
  return features.flatMap((feature, index) => {
    const path = (at: number): string => `status.declaredFeatures[${at}]`
    const errors: FieldError[] = []
    const invalid = (problem: string): void =>
      void errors.push(fieldInvalid(path(index), feature, `invalid feature name ${JSON.stringify(feature)}: ${problem}`))
    if (feature.length > maxFeatureLength) invalid(`must be no more than ${maxFeatureLength} characters`)
    else if (!featurePattern.test(feature)) {
      invalid(
        "must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes",
      )
    }
    const next = features[index + 1]
    if (next === feature) errors.push(fieldDuplicate(path(index + 1), next))
    else if (next !== undefined && feature > next) errors.push(fieldInvalid(path(index + 1), next, 'list must be sorted alphabetically'))
    return errors
  })
}

/** What a node cannot change about itself. */
export function validateNodeUpdate(node: Node, { spec: old = {} }: Node): FieldError[] {
  const { spec: next = {}, status } = node
  // Upstream applies the rules of new nodes once more, and says everything twice.
  const errors: FieldError[] = validateNode(node, { checksNetworks: false })
  const seen = new Set<string>()
  ;(status?.addresses ?? []).forEach((address, index) => {
    const key = `${address.type}/${address.address}`
    if (seen.has(key)) errors.push(fieldDuplicate(`status.addresses[${index}]`, goFields('NodeAddress', address)))
    seen.add(key)
  })
  const [networks, before] = [next.podCIDRs ?? [], old.podCIDRs ?? []]
  if (before.length > 0) {
    const changes = before.length === networks.length ? before.filter((network, index) => network !== networks[index]).length : 1
    for (let change = 0; change < changes; change++) errors.push(fieldForbidden('spec.podCIDRs', 'node updates may not change podCIDR except from "" to valid'))
  }
  if ((old.providerID ?? '') !== '' && old.providerID !== next.providerID)
    errors.push(fieldForbidden('spec.providerID', 'node updates may not change providerID except from "" to valid'))
  if ((old.externalID ?? '') !== (next.externalID ?? '')) errors.push(fieldForbidden('spec.externalID', 'may not be updated'))
  return errors
}
