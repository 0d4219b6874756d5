import { utf8Length } from './utf8.ts'
import { formatYamlNumber, isPlainString } from './yaml-scalar.ts'

/**
 * A JSON value as YAML in the form of sigs.k8s.io/yaml: keys in go-yaml's natural order, sequences not indented, `"` around what would be read as
 * something else, `|` for text of several lines, long text folded at column 80. Upstream: go.yaml.in/yaml/v2 emitterc.go and encode.go.
 */
export function formatYaml(value: unknown): string {
  const writer = new YamlWriter()
  writer.node(value, 0, '')
  return writer.text()
}

const maxSimpleKeyBytes = 128

class YamlWriter {
  readonly #lines: string[] = []
  #line = ''

  text(): string {
    return this.#lines.join('')
  }

  /** Writes a value after `lead`, which is what already stands on the line: '' at a line's start, else `key:` or `-`. Ends with a line break. */
  node(value: unknown, indent: number, lead: '' | ' '): void {
    if (Array.isArray(value)) {
      if (value.length === 0) this.#endLine(`${lead}[]`)
      else this.#sequence(value, indent)
    } else if (typeof value === 'object' && value !== null) {
      const keys = Object.keys(value).filter((key) => (value as Record<string, unknown>)[key] !== undefined)
      if (keys.length === 0) this.#endLine(`${lead}{}`)
      else this.#mapping(value as Record<string, unknown>, { keys: keys.sort(compareKeys), indent })
    } else {
      this.#endLine(lead + formatScalar(value, { indent: indent + 2, column: this.#line.length + lead.length, mayFold: true }))
    }
  }

  #endLine(rest: string): void {
    this.#lines.push(`${this.#line}${rest}\n`)
    this.#line = ''
  }

  #mapping(object: Record<string, unknown>, { keys, indent }: { readonly keys: readonly string[]; readonly indent: number }): void {
    const margin = ' '.repeat(indent)
    for (const key of keys) {
      if (this.#line === '') this.#line = margin
      const value = object[key]
      const isComplex = isComplexKey(key)
      const label = formatString(key, { indent: indent + 2, column: indent + 2, mayFold: isComplex })
      if (isComplex) {
        this.#endLine(`? ${label}`)
        this.#line = `${margin}:`
      } else {
        this.#line += `${label}:`
      }
      if (!isNonEmptyCollection(value)) {
        this.node(value, indent, ' ')
        continue
      }
      this.#endLine('')
      this.node(value, Array.isArray(value) ? indent : indent + 2, '')
    }
  }

  #sequence(items: readonly unknown[], indent: number): void {
    const margin = ' '.repeat(indent)
    for (const item of items) {
      if (this.#line === '') this.#line = margin
      this.#line += '-'
      if (isNonEmptyCollection(item)) {
        this.#line += ' '
        this.node(item, indent + 2, '')
      } else {
        this.node(item, indent, ' ')
      }
    }
  }
}

function isNonEmptyCollection(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0
  if (typeof value !== 'object' || value === null) return false
  for (const key in value) if ((value as Record<string, unknown>)[key] !== undefined) return true
  return false
}

/** Where a scalar is written: the indent of its further lines, the column it starts at. */
interface Place {
  readonly indent: number
  readonly column: number
  readonly mayFold: boolean
}

function formatScalar(value: unknown, place: Place): string {
  if (typeof value === 'string') return formatString(value, place)
  if (typeof value === 'number') return formatYamlNumber(value)
  return value === true ? 'true' : value === false ? 'false' : 'null'
}

// Line breaks of YAML 1.1, and what go-yaml writes as it is.
const lineBreak = /[\n\r\u0085\u2028\u2029]/
const unprintable = /[^\n -~\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/
const blockIndicator = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:](?:[ \t]|$)|-(?:[ \t]|$))|:(?:[ \t]|$)|[ \t\n\r\u0085\u2028\u2029]#/

function isComplexKey(key: string): boolean {
  return lineBreak.test(key) || utf8Length(key) > maxSimpleKeyBytes
}

/** Picks the style that go-yaml picks. */
function formatString(text: string, place: Place): string {
  const special = unprintable.test(text) || / [\n\r\u0085\u2028\u2029]/.test(text)
  if (text.includes('\n')) return special || text.endsWith(' ') ? doubleQuoted(text, place) : literalBlock(text, place.indent)
  if (special || lineBreak.test(text) || !isPlainString(text)) return doubleQuoted(text, place)
  if (/^ | $/.test(text) || blockIndicator.test(text)) {
    return `'${foldSpaces(text.replaceAll("'", "''"), { place, column: place.column + 1, isPlain: false })}'`
  }
  return foldSpaces(text, { place, column: place.column, isPlain: true })
}

const foldColumn = 80

/** Breaks the line at the first single space past column 80. The reader makes a space of the line break again. */
function foldSpaces(text: string, { place, column, isPlain }: { readonly place: Place; readonly column: number; readonly isPlain: boolean }): string {
  if (!place.mayFold || column + text.length <= foldColumn) return text
  let out = ''
  let at = column
  for (let i = 0; i < text.length; i++) {
    const isInside = isPlain || (i > 0 && i < text.length - 1)
    if (text[i] === ' ' && isInside && at > foldColumn && text[i - 1] !== ' ' && text[i + 1] !== ' ') {
      out += `\n${' '.repeat(place.indent)}`
      at = place.indent
    } else {
      out += text[i]
      at++
    }
  }
  return out
}

function literalBlock(text: string, indent: number): string {
  const indentHint = /^[ \n\r\u0085\u2028\u2029]/.test(text) ? '2' : ''
  const chompHint = !text.endsWith('\n') ? '-' : text === '\n' || lineBreak.test(text.at(-2) ?? '') ? '+' : ''
  const margin = ' '.repeat(indent)
  const lines = text.split('\n')
  if (text.endsWith('\n')) lines.pop()
  return `|${indentHint}${chompHint}\n${lines.map((line) => (line === '' ? '' : margin + line)).join('\n')}`
}

const escapes: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

function doubleQuoted(text: string, place: Place): string {
  let out = '"'
  let at = place.column + 1
  const characters = Array.from(text)
  for (const [i, character] of characters.entries()) {
    if (character === ' ' && place.mayFold && at > foldColumn && i > 0 && i < characters.length - 1 && characters[i - 1] !== ' ') {
      out += `\n${' '.repeat(place.indent)}${characters[i + 1] === ' ' ? '\\' : ''}`
      at = place.indent
      continue
    }
    const written = escapes[character] ?? (unprintable.test(character) ? escapeCode(character.codePointAt(0) ?? 0) : character)
    out += written
    at += written.length
  }
  return `${out}"`
}

function escapeCode(code: number): string {
  const [letter, width] = code <= 0xff ? ['x', 2] : code <= 0xffff ? ['u', 4] : ['U', 8]
  return `\\${letter}${code.toString(16).toUpperCase().padStart(Number(width), '0')}`
}

const letter = /\p{L}/u
const digit = /\d/

/** go-yaml's order of keys: runs of digits by their number, letters after everything else. Upstream: sorter.go. */
function compareKeys(left: string, right: string): number {
  const a = Array.from(left)
  const b = Array.from(right)
  for (let i = 0; i < a.length && i < b.length; i++) {
    const x = a[i] ?? ''
    const y = b[i] ?? ''
    if (x === y) continue
    const xIsLetter = letter.test(x)
    const yIsLetter = letter.test(y)
    if (xIsLetter && yIsLetter) return byCodePoint(x, y)
    if (xIsLetter || yIsLetter) return yIsLetter ? -1 : 1
    const floor = (x === '0' || y === '0') && followsNonZeroDigits(a, i) ? 1 : 0
    const xRun = digitRun(a, i, floor)
    const yRun = digitRun(b, i, floor)
    if (xRun.number !== yRun.number) return xRun.number - yRun.number
    if (xRun.end !== yRun.end) return xRun.end - yRun.end
    return byCodePoint(x, y)
  }
  return a.length - b.length
}

function byCodePoint(x: string, y: string): number {
  return (x.codePointAt(0) ?? 0) - (y.codePointAt(0) ?? 0)
}

function followsNonZeroDigits(characters: readonly string[], at: number): boolean {
  for (let j = at - 1; j >= 0 && digit.test(characters[j] ?? ''); j--) if (characters[j] !== '0') return true
  return false
}

function digitRun(characters: readonly string[], at: number, start: number): { readonly number: number; readonly end: number } {
  let number = start
  let end = at
  for (; end < characters.length && digit.test(characters[end] ?? ''); end++) number = number * 10 + Number(characters[end])
  return { number, end }
}
