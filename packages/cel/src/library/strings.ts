import { BudgetExceeded } from '../budget.ts'
import type { Library } from '../overloads.ts'
import { CelError, textSize } from '../values.ts'
import type { Value } from '../values.ts'
import { compileRegex } from './regex-cache.ts'
import { formatText } from './string-format.ts'

/** No text that an expression makes is longer; what would be ends the evaluation. */
const maxTextLength = 16 * 1024 * 1024

export function tooLarge(): never {
  throw new BudgetExceeded()
}

const outOfRange = (index: bigint): CelError => new CelError(`index out of range: ${index}`)

function charAt(text: string, index: bigint): Value {
  const points = Array.from(text)
  if (index < 0n || index > BigInt(points.length)) return outOfRange(index)
  return points[Number(index)] ?? ''
}

function indexOf(text: string, part: string, offset = 0n): Value {
  if (part === '') return offset
  if (offset < 0n) return outOfRange(offset)
  const points = Array.from(text)
  if (offset >= BigInt(points.length)) return -1n
  const skipped = points.slice(0, Number(offset)).join('').length
  const at = text.indexOf(part, skipped)
  return at < 0 ? -1n : BigInt(textSize(text.slice(0, at)))
}

function lastIndexOf(text: string, part: string, offset?: bigint): Value {
  const points = Array.from(text)
  if (part === '') return offset ?? BigInt(points.length)
  if (offset === undefined && text.length < part.length) return -1n
  const from = offset ?? BigInt(points.length - 1)
  if (from < 0n) return outOfRange(from)
  if (from >= BigInt(points.length)) return -1n
  const at = text.lastIndexOf(part, points.slice(0, Number(from)).join('').length)
  return at < 0 ? -1n : BigInt(textSize(text.slice(0, at)))
}

function substring(text: string, start: bigint, end?: bigint): Value {
  const points = Array.from(text)
  const length = BigInt(points.length)
  if (end !== undefined && start > end) return new CelError(`invalid substring range. start: ${start}, end: ${end}`)
  if (start < 0n || start > length) return outOfRange(start)
  if (end !== undefined && (end < 0n || end > length)) return outOfRange(end)
  return points.slice(Number(start), end === undefined ? undefined : Number(end)).join('')
}

function replace(text: string, part: string, by: string, limit = -1n): Value {
  if (limit === 0n) return text
  const pieces = part === '' ? ['', ...Array.from(text), ''] : text.split(part)
  // Go's Replace puts the text before every code point and at the end when there is nothing to look for.
  const gaps = pieces.length - 1
  const count = limit < 0n || limit > BigInt(gaps) ? gaps : Number(limit)
  if (text.length + count * by.length > maxTextLength) tooLarge()
  let result = pieces[0] ?? ''
  for (let i = 1; i < pieces.length; i++) result += (i <= count ? by : part) + (pieces[i] ?? '')
  return result
}

function split(text: string, separator: string, limit = -1n): Value {
  if (limit === 0n) return []
  const pieces = separator === '' ? Array.from(text) : text.split(separator)
  if (limit < 0n || BigInt(pieces.length) <= limit) return pieces
  const kept = pieces.slice(0, Number(limit) - 1)
  return [...kept, pieces.slice(Number(limit) - 1).join(separator)]
}

function join(list: readonly Value[], separator = ''): Value {
  const texts = list.filter((item) => typeof item === 'string')
  return texts.length === list.length ? texts.join(separator) : new CelError('join: invalid input: not a string')
}

const quoteEscapes: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
}

const asciiOnly = (text: string, change: (part: string) => string): string => text.replaceAll(/[A-Za-z]+/g, change)

/** Texts and regular expressions. */
export function addStringExtensions(library: Library): void {
  library
    .add('charAt', 'string_char_at_int', 'string.(int) -> string', charAt)
    .add('indexOf', 'string_index_of_string', 'string.(string) -> int', (text: string, part: string) => indexOf(text, part))
    .add('indexOf', 'string_index_of_string_int', 'string.(string, int) -> int', indexOf)
    .add('lastIndexOf', 'string_last_index_of_string', 'string.(string) -> int', (text: string, part: string) => lastIndexOf(text, part))
    .add('lastIndexOf', 'string_last_index_of_string_int', 'string.(string, int) -> int', lastIndexOf)
    .add('lowerAscii', 'string_lower_ascii', 'string.() -> string', (text: string) => asciiOnly(text, (part) => part.toLowerCase()))
    .add('upperAscii', 'string_upper_ascii', 'string.() -> string', (text: string) => asciiOnly(text, (part) => part.toUpperCase()))
    .add('replace', 'string_replace_string_string', 'string.(string, string) -> string', (text: string, part: string, by: string) => replace(text, part, by))
    .add('replace', 'string_replace_string_string_int', 'string.(string, string, int) -> string', replace)
    .add('split', 'string_split_string', 'string.(string) -> list(string)', (text: string, separator: string) => split(text, separator))
    .add('split', 'string_split_string_int', 'string.(string, int) -> list(string)', split)
    .add('substring', 'string_substring_int', 'string.(int) -> string', (text: string, start: bigint) => substring(text, start))
    .add('substring', 'string_substring_int_int', 'string.(int, int) -> string', substring)
    .add('trim', 'string_trim', 'string.() -> string', (text: string) => text.replaceAll(/^[\s\u0085]+|[\s\u0085]+$/gu, ''))
    .add('format', 'string_format', 'string.(list(dyn)) -> string', formatText)
    .add(
      'strings.quote',
      'strings_quote',
      '(string) -> string',
      (text: string) => `"${Array.from(text.toWellFormed(), (char) => quoteEscapes[char] ?? char).join('')}"`,
    )
    .add('join', 'list_join', 'list(string).() -> string', (list: readonly Value[]) => join(list))
    .add('join', 'list_join_string', 'list(string).(string) -> string', join)
    .add('find', 'string_find_string', 'string.(string) -> string', (text: string, pattern: string) => {
      const regex = compileRegex(pattern)
      return typeof regex === 'string' ? new CelError(`Illegal regex: ${regex}`) : (regex.find(text) ?? '')
    })
    .add('findAll', 'string_find_all_string', 'string.(string) -> list(string)', (text: string, pattern: string) => findAll(text, pattern))
    .add('findAll', 'string_find_all_string_int', 'string.(string, int) -> list(string)', findAll)
}

function findAll(text: string, pattern: string, limit = -1n): Value {
  const regex = compileRegex(pattern)
  return typeof regex === 'string' ? new CelError(`Illegal regex: ${regex}`) : regex.findAll(text, Number(limit))
}
