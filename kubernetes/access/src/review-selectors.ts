import { fieldForbidden, fieldInvalid, fieldRequired, parseFieldSelector, parseLabelSelector, validateLabelSelector } from '@gantry/apimachinery'
import type { FieldError } from '@gantry/apimachinery'

interface Requirement {
  readonly key?: string
  readonly operator?: string
  readonly values?: readonly string[] | undefined
}

interface Selector {
  readonly rawSelector?: string
  readonly requirements?: readonly Requirement[] | undefined
}

/** The selectors of an access review: text, or requirements (Z9). */
export interface SelectorAttributes {
  readonly fieldSelector?: Selector | undefined
  readonly labelSelector?: Selector | undefined
}

/** Upstream: pkg/apis/authorization/validation. */
export function selectorProblems(attributes: SelectorAttributes, path: string): FieldError[] {
  return (['fieldSelector', 'labelSelector'] as const).flatMap((name) => {
    const selector = attributes[name]
    return selector === undefined || selector === null ? [] : problemsOf(selector, { path: `${path}.${name}`, isLabel: name === 'labelSelector' })
  })
}

function problemsOf({ rawSelector = '', requirements = [] }: Selector, { path, isLabel }: { readonly path: string; readonly isLabel: boolean }): FieldError[] {
  const errors: FieldError[] = []
  if (rawSelector !== '' && requirements.length > 0)
    errors.push(fieldInvalid(`${path}.rawSelector`, rawSelector, 'may not specified at the same time as requirements'))
  if (rawSelector === '' && requirements.length === 0)
    errors.push(fieldRequired(`${path}.requirements`, `when ${path} is specified, requirements or rawSelector is required`))
  if (isLabel) {
    const problems = validateLabelSelector(
      { matchExpressions: requirements.map(({ key = '', operator = '', values }) => ({ key, operator, values: [...(values ?? [])] })) },
      path,
    )
    // Operators that are not known yet may be asked about.
    return [
      ...errors,
      ...problems
        .filter(({ detail }) => detail !== 'not a valid selector operator')
        .map((problem) => ({ ...problem, field: problem.field.replace('.matchExpressions[', '.requirements[') })),
    ]
  }
  requirements.forEach(({ key = '', operator = '', values = [] }, index) => {
    const at = `${path}.requirements[${index}]`
    if (key === '') errors.push(fieldRequired(`${at}.key`, 'must be specified'))
    if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
      errors.push(fieldRequired(`${at}.values`, "must be specified when `operator` is 'In' or 'NotIn'"))
    if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
      errors.push(fieldForbidden(`${at}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
  })
  return errors
}

export interface ParsedSelectors {
  readonly fieldSelector: string | undefined
  readonly labelSelector: string | undefined
  readonly error: string | undefined
}

/** The selectors as text, as a request has them. What cannot be read is left out and said: without it a question asks for more, never for less. */
export function parseSelectors({ fieldSelector, labelSelector }: SelectorAttributes, path: string): ParsedSelectors {
  const fields = textOf(fieldSelector, fieldRequirement, (text) => void parseFieldSelector(text))
  const labels = textOf(labelSelector, labelRequirement, (text) => void parseLabelSelector(text))
  const errors = [
    fields.isBroken ? `${path}.fieldSelector ${fields.text === undefined ? '' : 'partially '}ignored due to parse error` : [],
    labels.isBroken ? `${path}.labelSelector ${labels.text === undefined ? '' : 'partially '}ignored due to parse error` : [],
  ].flat()
  return {
    fieldSelector: fields.text,
    labelSelector: labels.text,
    error: errors.length === 0 ? undefined : errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`,
  }
}

function textOf(
  selector: Selector | undefined,
  print: (requirement: Requirement) => string | undefined,
  check: (text: string) => void,
): { readonly text: string | undefined; readonly isBroken: boolean } {
  if (selector === undefined || selector === null) return { text: undefined, isBroken: false }
  const { rawSelector = '', requirements = [] } = selector
  if (rawSelector !== '') {
    try {
      check(rawSelector)
      return { text: rawSelector, isBroken: false }
    } catch {
      return { text: undefined, isBroken: true }
    }
  }
  const printed = requirements.map(print)
  const good = printed.filter((text) => text !== undefined)
  return { text: good.length === 0 ? undefined : good.join(','), isBroken: good.length < printed.length }
}

function fieldRequirement({ key = '', operator, values = [] }: Requirement): string | undefined {
  if (values.length !== 1) return undefined
  const value = (values[0] ?? '').replace(/[\\,=]/g, String.raw`\$&`)
  return operator === 'In' ? `${key}=${value}` : operator === 'NotIn' ? `${key}!=${value}` : undefined
}

function labelRequirement({ key = '', operator, values = [] }: Requirement): string | undefined {
  if (operator === 'Exists') return key
  if (operator === 'DoesNotExist') return `!${key}`
  if (operator === 'In') return `${key} in (${values.join(',')})`
  return operator === 'NotIn' ? `${key} notin (${values.join(',')})` : undefined
}
