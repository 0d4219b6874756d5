import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, fieldTooLong, labelKeyProblems } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'
import type { Condition } from '../generated/types.ts'

// Upstream: apimachinery pkg/apis/meta/v1/validation ValidateConditions.

const statuses = ['False', 'True', 'Unknown']
const reasonPattern = /^[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?$/
const reasonProblem =
  "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or '_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or 'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is '[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?')"
const maxReasonBytes = 1024
const maxMessageBytes = 32 * 1024

/** metav1.Condition, the form of conditions that newer kinds share. */
export function validateConditions(conditions: readonly Condition[] | undefined, path: string): FieldError[] {
  const seen = new Set<string>()
  return (conditions ?? []).flatMap((condition, index) => {
    const at = `${path}[${index}]`
    const { type, status, observedGeneration = 0, lastTransitionTime, reason, message } = condition
    const errors: FieldError[] = seen.has(type) ? [fieldDuplicate(`${at}.type`, type)] : []
    seen.add(type)
    for (const problem of labelKeyProblems(type)) errors.push(fieldInvalid(`${at}.type`, type, problem))
    if (!statuses.includes(status)) errors.push(fieldNotSupported(`${at}.status`, status, statuses))
    if (observedGeneration < 0) errors.push(fieldInvalid(`${at}.observedGeneration`, observedGeneration, 'must be greater than or equal to zero'))
    if ((lastTransitionTime ?? '') === '') errors.push(fieldRequired(`${at}.lastTransitionTime`, ''))
    if (reason === '') errors.push(fieldRequired(`${at}.reason`, ''))
    else if (!reasonPattern.test(reason)) errors.push(fieldInvalid(`${at}.reason`, reason, reasonProblem))
    if (Buffer.byteLength(reason) > maxReasonBytes) errors.push(fieldTooLong(`${at}.reason`, maxReasonBytes))
    if (Buffer.byteLength(message) > maxMessageBytes) errors.push(fieldTooLong(`${at}.message`, maxMessageBytes))
    return errors
  })
}
