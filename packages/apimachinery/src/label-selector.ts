import { goQuote } from './go-quote.ts'
import { labelKeyProblems, labelValueProblems } from './label-syntax.ts'
import { StatusError } from './status.ts'

export type Labels = Readonly<Record<string, string>>

export type LabelOperator = 'in' | 'notin' | '=' | '==' | '!=' | 'gt' | 'lt' | 'exists' | '!'

/** One condition of a selector. `values` is sorted and free of duplicates when it was parsed from text. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: LabelOperator
  readonly values: readonly string[]
}

/** A compiled label selector: all requirements must hold. */
export interface LabelSelector {
  /** Sorted by key. */
  readonly requirements: readonly LabelRequirement[]
  /** No requirement: everything matches. */
  readonly matchesEverything: boolean
  readonly matchesNothing: boolean
  matches(labels: Labels | undefined): boolean
  /** The one value this selector asks of `key`, when it asks for exactly one: lets a list go through an index. */
  requiresExactMatch(key: string): string | undefined
  /** Text that parses to the same selector. */
  toString(): string
}

/** The LabelSelector of Kubernetes objects (`spec.selector`). */
export interface LabelSelectorObject {
  readonly matchLabels?: Labels | null | undefined
  readonly matchExpressions?:
    | readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] | null | undefined }[]
    | null
    | undefined
}

const symbolOf: Readonly<Record<LabelOperator, string>> = {
  in: ' in ',
  notin: ' notin ',
  '=': '=',
  '==': '==',
  '!=': '!=',
  gt: '>',
  lt: '<',
  exists: '',
  '!': '',
}

/** Parses a selector in URL form (`a=b,c in (d,e),!f`). Throws BadRequest with upstream's text. Upstream: apimachinery pkg/labels/selector.go. */
export function parseLabelSelector(text: string): LabelSelector {
  return labelSelectorOf(new Parser(text).parse())
}

/** A selector of checked requirements. */
export function labelSelectorOf(requirements: readonly LabelRequirement[]): LabelSelector {
  return new CompiledLabelSelector(requirements.toSorted(byKey))
}

/** Selects what carries all these labels; everything when there are none. The labels are not checked. */
export function labelSelectorFromSet(labels: Labels | undefined): LabelSelector {
  return labelSelectorOf(Object.entries(labels ?? {}).map(([key, value]) => ({ key, operator: '=', values: [value] })))
}

/** The selector of an object's LabelSelector: nothing when it is absent, everything when it is empty. Throws BadRequest. */
export function labelSelectorFromObject(selector: LabelSelectorObject | null | undefined): LabelSelector {
  if (selector === undefined || selector === null) return nothing
  const requirements: LabelRequirement[] = []
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) requirements.push(requirement(key, '=', [value]))
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const compiled = Object.hasOwn(operatorOfObject, operator) ? operatorOfObject[operator] : undefined
    if (compiled === undefined) throw badRequest(`${goQuote(operator)} is not a valid label selector operator`)
    requirements.push(requirement(key, compiled, values ?? []))
  }
  return labelSelectorOf(requirements)
}

const operatorOfObject: Readonly<Record<string, LabelOperator>> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' }

/** The text of an object's LabelSelector in tables: `<none>` for an absent or empty one. */
export function formatLabelSelectorObject(selector: LabelSelectorObject | null | undefined): string {
  const compiled = labelSelectorFromObject(selector)
  return compiled.requirements.length === 0 ? '<none>' : compiled.toString()
}

type Test = (labels: Labels) => boolean

class CompiledLabelSelector implements LabelSelector {
  readonly requirements: readonly LabelRequirement[]
  readonly #tests: readonly Test[]

  constructor(requirements: readonly LabelRequirement[]) {
    this.requirements = requirements
    this.#tests = requirements.map(compile)
  }

  get matchesEverything(): boolean {
    return this.requirements.length === 0
  }

  get matchesNothing(): boolean {
    return false
  }

  matches(labels: Labels | undefined): boolean {
    const given = labels ?? noLabels
    for (const test of this.#tests) if (!test(given)) return false
    return true
  }

  requiresExactMatch(key: string): string | undefined {
    const first = this.requirements.find((candidate) => candidate.key === key)
    if (first === undefined || first.values.length !== 1) return undefined
    return first.operator === '=' || first.operator === '==' || first.operator === 'in' ? first.values[0] : undefined
  }

  toString(): string {
    return this.requirements.map(format).join(',')
  }
}

const noLabels: Labels = {}

const nothing: LabelSelector = {
  requirements: [],
  matchesEverything: false,
  matchesNothing: true,
  matches: () => false,
  requiresExactMatch: () => undefined,
  toString: () => '',
}

// No own-property check is needed: nothing on Object.prototype is a string.
function compile({ key, operator, values }: LabelRequirement): Test {
  switch (operator) {
    case 'in':
    case '=':
    case '==': {
      if (values.length === 1) {
        const [only] = values
        return (labels) => labels[key] === only
      }
      const accepted = new Set(values)
      return (labels) => {
        const value = labels[key]
        return typeof value === 'string' && accepted.has(value)
      }
    }
    case 'notin':
    case '!=': {
      if (values.length === 1) {
        const [only] = values
        return (labels) => labels[key] !== only
      }
      const refused = new Set(values)
      return (labels) => {
        const value = labels[key]
        return typeof value !== 'string' || !refused.has(value)
      }
    }
    case 'exists':
      return (labels) => typeof labels[key] === 'string'
    case '!':
      return (labels) => typeof labels[key] !== 'string'
    case 'gt':
    case 'lt': {
      const bound = parseInt64(values[0])
      return (labels) => {
        const value = parseInt64(labels[key])
        if (value === undefined || bound === undefined) return false
        return operator === 'gt' ? value > bound : value < bound
      }
    }
  }
}

function parseInt64(text: unknown): bigint | undefined {
  if (typeof text !== 'string' || text.length > 24 || !/^[+-]?\d+$/.test(text)) return undefined
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text)
  return BigInt.asIntN(64, value) === value ? value : undefined
}

function format({ key, operator, values }: LabelRequirement): string {
  if (operator === 'exists') return key
  if (operator === '!') return `!${key}`
  const text = values.length > 1 ? values.toSorted().join(',') : (values[0] ?? '')
  return operator === 'in' || operator === 'notin' ? `${key}${symbolOf[operator]}(${text})` : `${key}${symbolOf[operator]}${text}`
}

/** A checked requirement; throws BadRequest with upstream's text (without a path, upstream prints `<nil>` for the key). */
function requirement(key: string, operator: LabelOperator, values: readonly string[]): LabelRequirement {
  const problems: string[] = []
  const keyProblems = labelKeyProblems(key)
  if (keyProblems.length > 0) problems.push(`key: Invalid value: ${goQuote(key)}: ${keyProblems.join('; ')}`)
  const list = (): string => (values.length === 0 ? 'null' : JSON.stringify(values))
  switch (operator) {
    case 'in':
    case 'notin':
      if (values.length === 0) problems.push(`values: Invalid value: ${list()}: for 'in', 'notin' operators, values set can't be empty`)
      break
    case '=':
    case '==':
    case '!=':
      if (values.length !== 1) problems.push(`values: Invalid value: ${list()}: exact-match compatibility requires one single value`)
      break
    case 'exists':
    case '!':
      if (values.length > 0) problems.push(`values: Invalid value: ${list()}: values set must be empty for exists and does not exist`)
      break
    case 'gt':
    case 'lt':
      if (values.length !== 1) problems.push(`values: Invalid value: ${list()}: for 'Gt', 'Lt' operators, exactly one value is required`)
      for (const [i, value] of values.entries()) {
        if (parseInt64(value) === undefined) {
          problems.push(`values[${i}]: Invalid value: ${goQuote(value)}: for 'Gt', 'Lt' operators, the value must be an integer`)
        }
      }
      break
  }
  for (const [i, value] of values.entries()) {
    const valueProblems = labelValueProblems(value)
    if (valueProblems.length > 0) problems.push(`values[${i}][${key}]: Invalid value: ${goQuote(value)}: ${valueProblems.join('; ')}`)
  }
  if (problems.length > 0) throw badRequest(problems.length === 1 ? (problems[0] ?? '') : `[${[...new Set(problems)].join(', ')}]`)
  return { key, operator, values }
}

type Token = 'end' | ')' | ',' | '!' | '==' | '=' | '>' | 'identifier' | 'in' | '<' | '!=' | 'notin' | '('

interface Item {
  readonly token: Token
  readonly literal: string
}

const symbols: ReadonlySet<string> = new Set([')', ',', '!', '==', '=', '>', '<', '!=', '('])
const endItem: Item = { token: 'end', literal: '' }
const maxItems = 100_000

function isSymbol(character: string): boolean {
  return '=!(),><'.includes(character)
}

function isSpace(character: string): boolean {
  return character === ' ' || character === '\t' || character === '\r' || character === '\n'
}

function tokenize(text: string): Item[] {
  const items: Item[] = []
  // Upstream's lexer takes a zero byte for the end of the text.
  const zero = text.indexOf('\0')
  const end = zero === -1 ? text.length : zero
  let position = 0
  while (position < end) {
    if (items.length >= maxItems) throw badRequest(`the selector has more than ${maxItems} tokens`)
    const character = text.charAt(position)
    if (isSpace(character)) {
      position++
      continue
    }
    if (!isSymbol(character)) {
      const start = position
      while (position < end && !isSymbol(text.charAt(position)) && !isSpace(text.charAt(position))) position++
      const literal = text.slice(start, position)
      items.push({ token: literal === 'in' || literal === 'notin' ? literal : 'identifier', literal })
      continue
    }
    const two = text.slice(position, Math.min(position + 2, end))
    const literal = two.length === 2 && symbols.has(two) ? two : character
    items.push({ token: literal as Token, literal })
    position += literal.length
  }
  items.push(endItem)
  return items
}

class Parser {
  readonly #items: readonly Item[]
  #position = 0

  constructor(text: string) {
    this.#items = tokenize(text)
  }

  parse(): readonly LabelRequirement[] {
    const requirements: LabelRequirement[] = []
    for (;;) {
      const { token, literal } = this.#peekValue()
      if (token === 'end') return requirements
      if (token !== 'identifier' && token !== '!') throw badRequest(`found '${literal}', expected: !, identifier, or 'end of string'`)
      try {
        requirements.push(this.#requirement())
      } catch (error) {
        if (error instanceof StatusError) throw badRequest(`unable to parse requirement: ${error.message}`)
        throw error
      }
      const next = this.#takeValue()
      if (next.token === 'end') return requirements
      if (next.token !== ',') throw badRequest(`found '${next.literal}', expected: ',' or 'end of string'`)
      const following = this.#peekValue()
      if (following.token !== 'identifier' && following.token !== '!') {
        throw badRequest(`found '${following.literal}', expected: identifier after ','`)
      }
    }
  }

  #requirement(): LabelRequirement {
    let item = this.#takeValue()
    const negated = item.token === '!'
    if (negated) item = this.#takeValue()
    if (item.token !== 'identifier') throw badRequest(`found '${item.literal}', expected: identifier`)
    const key = item.literal
    const problems = labelKeyProblems(key)
    if (problems.length > 0) throw badRequest(`<nil>: Invalid value: ${goQuote(key)}: ${problems.join('; ')}`)
    const next = this.#peekValue().token
    if (negated) return requirement(key, '!', [])
    if (next === 'end' || next === ',') return requirement(key, 'exists', [])
    const operator = this.#operator()
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()]
    return requirement(key, operator, [...new Set(values)].toSorted())
  }

  #operator(): LabelOperator {
    const { token, literal } = this.#take()
    if (token === '>') return 'gt'
    if (token === '<') return 'lt'
    if (token === 'in' || token === 'notin' || token === '=' || token === '==' || token === '!=') return token
    throw badRequest(`found '${literal}', expected: in, notin, =, ==, !=, gt, lt`)
  }

  #values(): readonly string[] {
    const open = this.#takeValue()
    if (open.token !== '(') throw badRequest(`found '${open.literal}' expected: '('`)
    const first = this.#peekValue()
    if (first.token === ')') {
      this.#takeValue()
      return ['']
    }
    if (first.token !== 'identifier' && first.token !== ',') throw badRequest(`found '${first.literal}', expected: ',', ')' or identifier`)
    const values = this.#identifiers()
    if (this.#takeValue().token !== ')') throw badRequest(`found '${first.literal}', expected: ')'`)
    return values
  }

  #identifiers(): readonly string[] {
    const values: string[] = []
    for (;;) {
      const { token, literal } = this.#takeValue()
      const next = this.#peekValue()
      if (token === 'identifier') {
        values.push(literal)
        if (next.token === ',') continue
        if (next.token === ')') return values
        throw badRequest(`found '${next.literal}', expected: ',' or ')'`)
      }
      if (token !== ',') throw badRequest(`found '${literal}', expected: ',', or identifier`)
      if (values.length === 0 || next.token === ',') values.push('')
      if (next.token === ')') {
        values.push('')
        return values
      }
    }
  }

  #exactValue(): string {
    const next = this.#peekValue()
    if (next.token === 'end' || next.token === ',') return ''
    const { token, literal } = this.#takeValue()
    if (token === 'identifier') return literal
    throw badRequest(`found '${literal}', expected: identifier`)
  }

  #take(): Item {
    return this.#items[this.#position++] ?? endItem
  }

  /** The next token where a value may stand: there `in` and `notin` are ordinary words. */
  #takeValue(): Item {
    return asValue(this.#take())
  }

  #peekValue(): Item {
    return asValue(this.#items[this.#position] ?? endItem)
  }
}

function asValue(item: Item): Item {
  return item.token === 'in' || item.token === 'notin' ? { token: 'identifier', literal: item.literal } : item
}

function byKey(a: LabelRequirement, b: LabelRequirement): number {
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0
}

function badRequest(message: string): StatusError {
  return new StatusError('BadRequest', message)
}
