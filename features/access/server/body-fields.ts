import { StatusError } from '@gantry/apimachinery'

type Body = Readonly<Record<string, unknown>>

/** A text of a body that was sent; undefined when it is absent or empty. Throws BadRequest for what is no text. */
export function textOf(body: Body, field: string): string | undefined {
  const value = body[field]
  if (value === undefined || value === null || value === '') return undefined
  if (typeof value !== 'string') throw new StatusError('BadRequest', `"${field}" must be text`)
  return value
}

/** An object of a body that was sent; empty when it is absent. Throws BadRequest for what is no object. */
export function objectOf(body: Body, field: string): Body {
  const value = body[field]
  if (value === undefined || value === null) return {}
  if (typeof value !== 'object' || Array.isArray(value)) throw new StatusError('BadRequest', `"${field}" must be an object`)
  return value as Body
}
