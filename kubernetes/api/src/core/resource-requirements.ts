import { dns1123LabelProblems, fieldDuplicate, fieldForbidden, fieldInvalid, fieldNotFound, fieldRequired } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { ResourceRequirements } from '../generated/types.ts'
import { amountOf, compareAmounts } from './quantities.ts'
import {
  hugePagesProblem,
  isHugePages,
  mayOvercommit,
  validateContainerResourceName,
  validatePodResourceName,
  validateResourceAmount,
} from './resource-names.ts'

export interface RequirementsContext {
  readonly path: string
  /** Names of `spec.resourceClaims`. */
  readonly claimNames: ReadonlySet<string>
  readonly ofPod?: boolean
}

/** What a container, or a pod as a whole, asks for and may use. Upstream: validateResourceRequirements. */
export function validateRequirements(requirements: ResourceRequirements | undefined, context: RequirementsContext): FieldError[] {
  const { limits, requests, claims } = requirements ?? {}
  if (limits === undefined && requests === undefined && claims === undefined) return []
  const { path } = context
  const validateName = context.ofPod === true ? validatePodResourceName : validateContainerResourceName
  const errors: FieldError[] = []
  const validateAmount = (name: string, amount: string, at: string): void => {
    errors.push(...validateName(name, at), ...validateResourceAmount(name, amount, at))
  }
  const validateHugePages = (name: string, amount: string, at: string): void => {
    const problem = isHugePages(name) ? hugePagesProblem(name, amount) : undefined
    if (problem !== undefined) errors.push(fieldInvalid(at, amount, problem))
  }
  for (const [name, amount] of Object.entries(limits ?? {})) {
    validateAmount(name, amount, `${path}.limits[${name}]`)
    validateHugePages(name, amount, `${path}.limits[${name}]`)
  }
  for (const [name, amount] of Object.entries(requests ?? {})) {
    validateAmount(name, amount, `${path}.requests[${name}]`)
    const limit = amountOf(limits, name)
    if (limit !== undefined) {
      const order = compareAmounts(amount, limit)
      if (order !== 0 && !mayOvercommit(name)) errors.push(fieldInvalid(`${path}.requests`, amount, `must be equal to ${name} limit of ${limit}`))
      else if (order > 0) errors.push(fieldInvalid(`${path}.requests`, amount, `must be less than or equal to ${name} limit of ${limit}`))
    } else if (!mayOvercommit(name)) errors.push(fieldRequired(`${path}.limits`, 'Limit must be set for non overcommitable resources'))
    validateHugePages(name, amount, `${path}.requests[${name}]`)
  }
  const names = [...Object.keys(limits ?? {}), ...Object.keys(requests ?? {})]
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) errors.push(fieldForbidden(path, 'HugePages require cpu or memory'))
  errors.push(...validateClaims(claims ?? [], context))
  return errors
}

function validateClaims(claims: NonNullable<ResourceRequirements['claims']>, { path, claimNames }: RequirementsContext): FieldError[] {
  const seen = new Set<string>()
  return claims.flatMap(({ name, request = '' }, index) => {
    const at = `${path}.claims[${index}]`
    if (name === '') return [fieldRequired(at, '')]
    const errors: FieldError[] = []
    if (seen.has(name)) errors.push(fieldDuplicate(at, name))
    else {
      const key = request === '' ? name : `${name}/${request}`
      if (request !== '') errors.push(...dns1123LabelProblems(request).map((problem) => fieldInvalid(`${at}.request`, request, problem)))
      if (seen.has(key)) errors.push(fieldDuplicate(at, key))
      else if (request === '') for (const other of seen) if (other.startsWith(`${name}/`)) errors.push(fieldDuplicate(at, name))
      seen.add(key)
    }
    if (!claimNames.has(name)) {
      const known = claimNames.size === 0 ? ' which is empty' : `: ${[...claimNames].sort().join(', ')}`
      errors.push({ ...fieldNotFound(at, name), detail: `must be one of the names in pod.spec.resourceClaims${known}` })
    }
    return errors
  })
}
