import { formatGoFloat } from './go-float.ts'
import { goQuote } from './go-quote.ts'
import { StatusError } from './status.ts'
import type { StatusCause } from './status.ts'

/** Upstream: apimachinery pkg/util/validation/field/errors.go. */
export type FieldErrorType =
  | 'NotFound'
  | 'Required'
  | 'Duplicate'
  | 'Invalid'
  | 'NotSupported'
  | 'Forbidden'
  | 'TooLong'
  | 'TooShort'
  | 'TooMany'
  | 'TooFew'
  | 'TypeInvalid'
  | 'Internal'

/** One thing that is wrong with one field. */
export interface FieldError {
  readonly type: FieldErrorType
  /** `spec.containers[0].name`, `metadata.labels`, `data[key]`. */
  readonly field: string
  /** Shown by the types that show a value; `omittedValue` shows none. */
  readonly badValue: unknown
  readonly detail: string
}

/** Stands for a value that is left out of the message. */
export const omittedValue = Symbol('omitted')

const titles: Readonly<Record<FieldErrorType, string>> = {
  NotFound: 'Not found',
  Required: 'Required value',
  Duplicate: 'Duplicate value',
  Invalid: 'Invalid value',
  NotSupported: 'Unsupported value',
  Forbidden: 'Forbidden',
  TooLong: 'Too long',
  TooShort: 'Too short',
  TooMany: 'Too many',
  TooFew: 'Too few',
  TypeInvalid: 'Invalid value',
  Internal: 'Internal error',
}
const withoutValue: ReadonlySet<FieldErrorType> = new Set(['Required', 'Forbidden', 'TooLong', 'TooShort', 'Internal'])

export function fieldRequired(field: string, detail = ''): FieldError {
  return { type: 'Required', field, badValue: '', detail }
}

export function fieldInvalid(field: string, badValue: unknown, detail: string): FieldError {
  return { type: 'Invalid', field, badValue, detail }
}

export function fieldTypeInvalid(field: string, badValue: unknown, detail: string): FieldError {
  return { type: 'TypeInvalid', field, badValue, detail }
}

export function fieldNotSupported(field: string, badValue: unknown, supported: readonly string[]): FieldError {
  const detail = supported.length === 0 ? '' : `supported values: ${supported.map(goQuote).join(', ')}`
  return { type: 'NotSupported', field, badValue, detail }
}

export function fieldDuplicate(field: string, badValue: unknown): FieldError {
  return { type: 'Duplicate', field, badValue, detail: '' }
}

export function fieldNotFound(field: string, badValue: unknown): FieldError {
  return { type: 'NotFound', field, badValue, detail: '' }
}

export function fieldForbidden(field: string, detail: string): FieldError {
  return { type: 'Forbidden', field, badValue: '', detail }
}

/** Upstream counts bytes nearly everywhere; OpenAPI's maxLength counts characters. */
export function fieldTooLong(field: string, maxLength: number, unit: 'bytes' | 'characters' = 'bytes'): FieldError {
  return { type: 'TooLong', field, badValue: omittedValue, detail: `may not be more than ${maxLength} ${maxLength === 1 ? unit.slice(0, -1) : unit}` }
}

export function fieldTooMany(field: string, actual: number, max: number): FieldError {
  return { type: 'TooMany', field, badValue: actual, detail: `must have at most ${max} ${max === 1 ? 'item' : 'items'}` }
}

export function fieldInternal(field: string, detail: string): FieldError {
  return { type: 'Internal', field, badValue: '', detail }
}

/** Without the field: `Invalid value: "x": must be …`. */
export function fieldErrorBody(error: FieldError): string {
  const title = titles[error.type]
  const hasValue = !withoutValue.has(error.type) && error.badValue !== omittedValue
  const body = hasValue ? `${title}: ${formatValue(error.badValue)}` : title
  return error.detail === '' ? body : `${body}: ${error.detail}`
}

/** `spec.replicas: Invalid value: -1: must be greater than or equal to 0`. */
export function formatFieldError(error: FieldError): string {
  return `${error.field}: ${fieldErrorBody(error)}`
}

function formatValue(value: unknown): string {
  if (typeof value === 'string') return goQuote(value)
  if (typeof value === 'number' && !Number.isInteger(value)) return formatGoFloat(value)
  // encoding/json escapes what is special in HTML.
  return (JSON.stringify(value) ?? 'null').replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** What is invalid, as Status details name it. */
export interface QualifiedKind {
  readonly group: string
  readonly kind: string
}

/** The 422 answer: `Deployment.apps "web" is invalid: …` with one cause for each error. Upstream: NewInvalid in pkg/api/errors. */
export function invalidError({ group, kind }: QualifiedKind, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map(formatFieldError))]
  const text = texts.length > 1 ? `[${texts.join(', ')}]` : (texts[0] ?? '')
  const subject = `${group === '' ? kind : `${kind}.${group}`} ${goQuote(name)} is invalid`
  return new StatusError('Invalid', text === '' ? subject : `${subject}: ${text}`, {
    details: { ...(name === '' ? {} : { name }), ...(group === '' ? {} : { group }), ...(kind === '' ? {} : { kind }), ...causesOf(errors) },
  })
}

function causesOf(errors: readonly FieldError[]): { causes?: StatusCause[] } {
  if (errors.length === 0) return {}
  return {
    causes: errors.map((error) => ({
      reason: error.type === 'Internal' ? 'InternalError' : `FieldValue${error.type}`,
      message: fieldErrorBody(error),
      field: error.field,
    })),
  }
}
