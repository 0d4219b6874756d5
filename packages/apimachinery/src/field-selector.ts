import { goQuote } from './go-quote.ts'
import { StatusError } from './status.ts'

export interface FieldRequirement {
  readonly field: string
  readonly operator: '=' | '!='
  readonly value: string
}

/** A compiled field selector: all requirements must hold. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[]
  readonly matchesEverything: boolean
  /** `get` answers the text of a field, `''` where it is absent. */
  matches(get: (field: string) => string): boolean
  /** The value this selector asks of `field`, when it asks for one: `metadata.name` turns a list into a single read. */
  requiresExactMatch(field: string): string | undefined
  toString(): string
}

/** Parses a selector in URL form (`status.phase!=Failed,spec.nodeName=a`). Throws BadRequest. Upstream: apimachinery pkg/fields/selector.go. */
export function parseFieldSelector(text: string): FieldSelector {
  const requirements: FieldRequirement[] = []
  for (const term of splitTerms(text).toSorted()) {
    if (term === '') continue
    const operator = /!=|==|=/.exec(term)
    if (operator === null) throw new StatusError('BadRequest', `invalid selector: '${text}'; can't understand '${term}'`)
    const field = term.slice(0, operator.index)
    const value = unescapeValue(term.slice(operator.index + operator[0].length))
    // Upstream keeps a term without field and value as "everything".
    if (field === '' && value === '') continue
    requirements.push({ field, operator: operator[0] === '!=' ? '!=' : '=', value })
  }
  return fieldSelectorOf(requirements)
}

export function fieldSelectorOf(requirements: readonly FieldRequirement[]): FieldSelector {
  return {
    requirements,
    matchesEverything: requirements.length === 0,
    matches(get) {
      for (const { field, operator, value } of requirements) {
        if ((get(field) === value) !== (operator === '=')) return false
      }
      return true
    },
    requiresExactMatch: (field) => requirements.find((candidate) => candidate.field === field && candidate.operator === '=')?.value,
    toString: () => requirements.map(({ field, operator, value }) => `${field}${operator}${escapeValue(value)}`).join(','),
  }
}

/** What a kind can be selected by. */
export interface SelectableFields {
  readonly fields: ReadonlySet<string>
  /** Old names of fields (`spec.host` of pods). */
  readonly aliases?: ReadonlyMap<string, string> | undefined
  /** Whether the kind lists its own fields: the two cases have different messages upstream. */
  readonly ownList: boolean
}

/** The selector with aliases resolved; throws BadRequest for a field that the kind cannot be selected by. */
export function restrictFieldSelector(selector: FieldSelector, selectable: SelectableFields): FieldSelector {
  return fieldSelectorOf(
    selector.requirements.map((requirement) => {
      const field = selectable.aliases?.get(requirement.field) ?? requirement.field
      if (selectable.fields.has(field)) return field === requirement.field ? requirement : { ...requirement, field }
      const message = selectable.ownList
        ? `field label not supported: ${field}`
        : `${goQuote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
      throw new StatusError('BadRequest', message)
    }),
  )
}

function splitTerms(text: string): string[] {
  const terms: string[] = []
  let start = 0
  let escaped = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (escaped) {
      escaped = false
    } else if (character === '\\') {
      escaped = true
    } else if (character === ',') {
      terms.push(text.slice(start, i))
      start = i + 1
    }
  }
  terms.push(text.slice(start))
  return terms
}

function escapeValue(value: string): string {
  return value.replace(/[\\,=]/g, '\\$&')
}

function unescapeValue(value: string): string {
  if (!/[\\,=]/.test(value)) return value
  let plain = ''
  let escaped = false
  for (const character of value) {
    if (escaped) {
      if (character !== '\\' && character !== ',' && character !== '=') {
        throw new StatusError('BadRequest', `invalid field selector: invalid escape sequence: \\${character}`)
      }
      plain += character
      escaped = false
    } else if (character === '\\') {
      escaped = true
    } else if (character === ',' || character === '=') {
      throw new StatusError('BadRequest', `invalid field selector: unescaped character in value: ${character.charCodeAt(0)}`)
    } else {
      plain += character
    }
  }
  if (escaped) throw new StatusError('BadRequest', 'invalid field selector: invalid escape sequence: \\')
  return plain
}
