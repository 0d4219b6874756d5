import { goQuote } from './go-quote.ts'
import { isJsonObject } from './json-value.ts'
import { compareUtf8 } from './utf8.ts'

/**
 * One step of a managed path in its serialized form: `f:<field>`, `k:{"name":"web"}` (item of a keyed list), `v:"x"` (item of a set), `i:0`.
 * Upstream: structured-merge-diff fieldpath/serialize-pe.go.
 */
export type PathElement = string

export function keyElement(fields: readonly (readonly [name: string, value: unknown])[]): PathElement {
  let text = 'k:{'
  for (const [name, value] of fields) text += `${text.length === 3 ? '' : ','}${goJson(name)}:${goJson(value)}`
  return `${text}}`
}

export function valueElement(value: unknown): PathElement {
  return `v:${goJson(value)}`
}

/** Entries of each of the two caches below; both start over when they are full. */
const maxCached = 8192
const fieldElements = new Map<string, PathElement>()
const parsedContents = new Map<PathElement, unknown>()

/** `f:<name>`. Cached: the text becomes a property name at once, and making a new one each time is what would cost. */
export function fieldElement(name: string): PathElement {
  const known = fieldElements.get(name)
  if (known !== undefined) return known
  if (fieldElements.size >= maxCached) fieldElements.clear()
  const element = `f:${name}`
  fieldElements.set(name, element)
  return element
}

/** The JSON in a key or value element, for comparing. Cached: the same few names are sorted with every write. */
function contentOf(element: PathElement): unknown {
  const known = parsedContents.get(element)
  if (known !== undefined) return known
  if (parsedContents.size >= maxCached) parsedContents.clear()
  const content: unknown = JSON.parse(element.slice(2))
  const parsed = element.startsWith('k:') ? Object.entries(content as object) : content
  parsedContents.set(element, parsed)
  return parsed
}

/** Canonical form of an element that a client has sent; `undefined` for a kind that nobody knows (it is dropped). Throws for a malformed one. */
export function parsePathElement(text: string): PathElement | undefined {
  if (text.length < 2) throw new Error('key must be 2 characters long:')
  if (text[1] !== ':') throw new Error(`missing colon: ${text}`)
  const content = text.slice(2)
  switch (text.charAt(0)) {
    case 'f':
      return text
    case 'v':
      return valueElement(JSON.parse(content))
    case 'k': {
      const fields: unknown = JSON.parse(content)
      if (!isJsonObject(fields)) throw new Error(`expect an object in path element ${text}`)
      return keyElement(Object.entries(fields).toSorted(([a], [b]) => compareUtf8(a, b)))
    }
    case 'i':
      if (!/^[+-]?\d{1,15}$/.test(content)) throw new Error(`strconv.Atoi: parsing ${goQuote(content)}: invalid syntax`)
      return `i:${Number(content)}`
    default:
      return undefined
  }
}

const rank: Readonly<Record<string, number>> = { f: 0, k: 1, v: 2, i: 3 }

/** The canonical order: fields, keys, values, indices, each in its own order. */
export function comparePathElements(a: PathElement, b: PathElement): number {
  if (a === b) return 0
  const kind = a.charCodeAt(0)
  if (kind !== b.charCodeAt(0)) return (rank[a.charAt(0)] ?? 4) - (rank[b.charAt(0)] ?? 4)
  if (kind === 0x66) return compareUtf8(a, b)
  if (kind === 0x69) return Number(a.slice(2)) - Number(b.slice(2))
  if (kind === 0x76) return compareValues(contentOf(a), contentOf(b))
  const leftFields = contentOf(a) as [string, unknown][]
  const rightFields = contentOf(b) as [string, unknown][]
  for (let i = 0; i < leftFields.length && i < rightFields.length; i++) {
    const [leftName, leftValue] = leftFields[i] ?? ['', undefined]
    const [rightName, rightValue] = rightFields[i] ?? ['', undefined]
    const order = compareUtf8(leftName, rightName) || compareValues(leftValue, rightValue)
    if (order !== 0) return order
  }
  return leftFields.length - rightFields.length
}

/** The element as messages print it: `.name`, `[name="web"]`, `[="x"]`, `[0]`. */
export function describePathElement(element: PathElement): string {
  const content = element.slice(2)
  switch (element.charAt(0)) {
    case 'f':
      return `.${content}`
    case 'k':
      return `[${Object.entries(JSON.parse(content) as object)
        .map(([name, value]) => `${name}=${describeValue(value)}`)
        .join(',')}]`
    case 'v':
      return `[=${describeValue(JSON.parse(content))}]`
    default:
      return `[${content}]`
  }
}

function describeValue(value: unknown): string {
  return typeof value === 'string' ? goQuote(value) : JSON.stringify(value)
}

/** Numbers before texts before booleans before the rest. */
function compareValues(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return compareUtf8(a, b)
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b)
  const order = valueRank(a) - valueRank(b)
  return order === 0 ? compareUtf8(JSON.stringify(a), JSON.stringify(b)) : order
}

function valueRank(value: unknown): number {
  if (typeof value === 'number') return 0
  if (typeof value === 'string') return 1
  if (typeof value === 'boolean') return 2
  if (Array.isArray(value)) return 3
  return value === null ? 5 : 4
}

const plainText = /^[\w\-./: ]*$/
const needsEscape = /[<>&\u2028\u2029]/

/** JSON as encoding/json writes it: with `<`, `>` and `&` escaped. */
export function goJson(value: unknown): string {
  if (typeof value === 'string' && plainText.test(value)) return `"${value}"`
  const text = JSON.stringify(value)
  if (!needsEscape.test(text)) return text
  return text.replace(/[<>&\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
