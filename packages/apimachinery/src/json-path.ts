import { StatusError } from './status.ts'

/** Longest accepted path. */
const maxPathLength = 1024
/** A path yields at most this many values: recursive descent is not supported, so only wildcards multiply. */
const maxResults = 10_000

/**
 * The JSONPath subset that printer columns, selectable fields, scale paths and `kubectl`'s simple paths use: `.spec.a.b`, `['a.b']`, `[0]`, `[-1]`, `[*]`,
 * `[?(@.type=="Ready")].status`, with or without a leading `$` or surrounding braces. Gives the values found, in order; nothing where a step is missing.
 * Throws a BadRequest for a path that is not of this form.
 */
export function evaluateJsonPath(path: string, value: unknown): unknown[] {
  return compileJsonPath(path)(value)
}

const compiled = new Map<string, (value: unknown) => unknown[]>()
const maxCompiled = 1000

/** As evaluateJsonPath, for paths that are used often. */
export function compileJsonPath(path: string): (value: unknown) => unknown[] {
  const known = compiled.get(path)
  if (known !== undefined) return known
  const steps = parsePath(path)
  const evaluate = (value: unknown): unknown[] => {
    let values = [value]
    for (const step of steps) {
      values = values.flatMap(step)
      if (values.length > maxResults) values.length = maxResults
    }
    return values
  }
  if (compiled.size >= maxCompiled) compiled.clear()
  compiled.set(path, evaluate)
  return evaluate
}

type Step = (value: unknown) => unknown[]

function parsePath(path: string): Step[] {
  const fail = (): never => {
    throw new StatusError('BadRequest', `${JSON.stringify(path)} is not a supported JSONPath`)
  }
  if (path.length > maxPathLength) fail()
  let rest = path.startsWith('{') && path.endsWith('}') ? path.slice(1, -1) : path
  if (rest.startsWith('$') || rest.startsWith('@')) rest = rest.slice(1)
  const steps: Step[] = []
  while (rest !== '') {
    const token = nextToken(rest) ?? fail()
    steps.push(token.step)
    rest = rest.slice(token.length)
    // A bare name may only stand at the very start.
    if (rest !== '' && rest[0] !== '.' && rest[0] !== '[') fail()
  }
  return steps
}

function nextToken(text: string): { readonly step: Step; readonly length: number } | undefined {
  const name = /^\.?((?:[^.[\]\\'"*\s]|\\.)+)/.exec(text)
  if (name !== null) return { step: fieldStep(name[1]?.replaceAll(/\\(.)/g, '$1') ?? ''), length: name[0].length }
  const wildcard = /^(?:\.\*|\[\*\])/.exec(text)
  if (wildcard !== null) return { step: everyValue, length: wildcard[0].length }
  const index = /^\[(-?\d+)\]/.exec(text)
  if (index !== null) return { step: indexStep(Number(index[1])), length: index[0].length }
  const slice = /^\[(-?\d*):(-?\d*)\]/.exec(text)
  if (slice !== null) return { step: sliceStep(slice[1] ?? '', slice[2] ?? ''), length: slice[0].length }
  const quoted = /^\.?\[(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/.exec(text)
  if (quoted !== null) return { step: fieldStep((quoted[1] ?? quoted[2] ?? '').replaceAll(/\\(.)/g, '$1')), length: quoted[0].length }
  const filter = /^\[\?\(\s*(@(?:\.[\w-]+|\['[^']*'\]|\[\d+\])*)\s*(?:(==|!=|<=|>=|<|>)\s*('[^']*'|"[^"]*"|-?\d+(?:\.\d+)?|true|false)\s*)?\)\]/.exec(text)
  if (filter !== null) return { step: filterStep({ path: filter[1] ?? '@', operator: filter[2], literal: filter[3] }), length: filter[0].length }
  // A lone dot at the end stands for the value itself.
  return text === '.' ? { step: (value) => [value], length: 1 } : undefined
}

function fieldStep(name: string): Step {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return []
    return [(value as Record<string, unknown>)[name]]
  }
}

const everyValue: Step = (value) => (Array.isArray(value) ? value : typeof value === 'object' && value !== null ? Object.values(value) : [])

function indexStep(index: number): Step {
  return (value) => {
    if (!Array.isArray(value)) return []
    const at = index < 0 ? value.length + index : index
    return at >= 0 && at < value.length ? [value[at]] : []
  }
}

function sliceStep(from: string, to: string): Step {
  return (value) => (Array.isArray(value) ? value.slice(from === '' ? 0 : Number(from), to === '' ? value.length : Number(to)) : [])
}

function filterStep(filter: { readonly path: string; readonly operator: string | undefined; readonly literal: string | undefined }): Step {
  const steps = parsePath(filter.path)
  const literal = filter.literal === undefined ? undefined : parseLiteral(filter.literal)
  return (value) =>
    everyValue(value).filter((item) => {
      const found = steps.reduce<unknown[]>((values, step) => values.flatMap(step), [item])
      if (filter.operator === undefined) return found.length > 0
      return found.some((candidate) => compare(candidate, filter.operator ?? '', literal))
    })
}

function parseLiteral(text: string): string | number | boolean {
  if (text === 'true' || text === 'false') return text === 'true'
  return /^['"]/.test(text) ? text.slice(1, -1) : Number(text)
}

function compare(left: unknown, operator: string, right: string | number | boolean | undefined): boolean {
  if (operator === '==') return left === right
  if (operator === '!=') return left !== right
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string') || right === undefined) return false
  switch (operator) {
    case '<':
      return left < right
    case '>':
      return left > right
    case '<=':
      return left <= right
    default:
      return left >= right
  }
}
