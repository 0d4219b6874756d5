import { fieldInvalid } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { IntOrString } from '../generated/types.ts'

// Counts of pods that may be given as a percentage. Upstream: pkg/apis/apps/validation ValidatePositiveIntOrPercent and its neighbours.

const percentFormat = '[0-9]+%'
const percentPattern = /^[0-9]+%$/
const notAPercent = `a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '${percentFormat}')`

/** Zero or more, or a percentage. */
export function validateIntOrPercent(value: IntOrString, path: string): FieldError[] {
  if (typeof value === 'string') return percentPattern.test(value) ? [] : [fieldInvalid(path, value, notAPercent)]
  return value < 0 ? [fieldInvalid(path, value, 'must be greater than or equal to 0')] : []
}

export function validateAtMost100Percent(value: IntOrString, path: string): FieldError[] {
  return typeof value === 'string' && percentPattern.test(value) && Number.parseInt(value, 10) > 100
    ? [fieldInvalid(path, value, 'must not be greater than 100%')]
    : []
}

/** The number before the percent sign, or the number; what is neither counts as 0. */
export function amountOf(value: IntOrString | undefined): number {
  if (typeof value === 'number') return value
  return value !== undefined && /^-?[0-9]+%?$/.test(value) ? Number.parseInt(value, 10) : 0
}
