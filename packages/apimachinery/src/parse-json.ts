import { goQuote } from './go-quote.ts'
import { StatusError } from './status.ts'

/** Deeper nesting is refused: what walks the value afterwards recurses. Upstream allows 10,000. */
export const maxJsonDepth = 2000

/** Upstream reports no more than this many strict decoding errors. */
export const maxStrictErrors = 100

export interface ParsedText {
  readonly value: unknown
  /** Paths as strict decoding prints them: `spec.containers[0].name`. At most 100, empty unless asked for. */
  readonly duplicates: readonly string[]
}

export interface ParseOptions {
  /** Look for keys that occur twice in one object (`fieldValidation` Strict and Warn). The last one wins either way. */
  readonly duplicates?: boolean | undefined
}

/**
 * JSON text to a value. Throws a BadRequest with Go's words (`invalid character '}' looking for beginning of value`).
 * Integers past 2^53 lose precision: no field of Kubernetes carries one.
 */
export function parseJson(bytes: Buffer, options: ParseOptions = {}): ParsedText {
  const wantDuplicates = options.duplicates === true
  const keys = wantDuplicates || bytes.length > maxJsonDepth ? countKeys(bytes) : -1
  const text = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new StatusError('BadRequest', describeSyntaxError(text) ?? String(error), { cause: error })
  }
  // A key that is written but not there has been overwritten by a later one. Counting both costs a fifth of parsing.
  return { value, duplicates: wantDuplicates && keys !== countKeysOf(value) ? findDuplicateKeys(text) : [] }
}

const quote = 0x22
const backslash = 0x5c

/** Counts the keys as written (colons outside of strings) and refuses deep nesting. Says nothing about the syntax. */
function countKeys(bytes: Buffer): number {
  const end = bytes.length
  let keys = 0
  let depth = 0
  for (let i = 0; i < end; i++) {
    const byte = bytes[i]
    if (byte === quote) {
      for (i++; i < end && bytes[i] !== quote; i++) if (bytes[i] === backslash) i++
    } else if (byte === 0x3a) {
      keys++
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxJsonDepth) throw new StatusError('BadRequest', 'exceeded max depth')
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--
    }
  }
  return keys
}

function countKeysOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let keys = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') keys += countKeysOf(item)
    return keys
  }
  const object = value as Record<string, unknown>
  for (const key in object) {
    keys++
    const item = object[key]
    if (typeof item === 'object') keys += countKeysOf(item)
  }
  return keys
}

function findDuplicateKeys(text: string): string[] {
  const found = new Set<string>()
  new JsonScanner(text, (path) => {
    if (found.size < maxStrictErrors) found.add(path)
  }).scan()
  return [...found]
}

/** What encoding/json says about this text, `undefined` when it finds nothing wrong. */
function describeSyntaxError(text: string): string | undefined {
  try {
    new JsonScanner(text, () => {}).scan()
    return undefined
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error.message
    throw error
  }
}

class JsonSyntaxError extends Error {}

const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' }

/** The slow way through a JSON text: knows where each key stands, and Go's words for each mistake. Nesting is bounded by countKeys. */
class JsonScanner {
  readonly #text: string
  readonly #onDuplicate: (path: string) => void
  readonly #path: (string | number)[] = []
  #at = 0

  constructor(text: string, onDuplicate: (path: string) => void) {
    this.#text = text
    this.#onDuplicate = onDuplicate
  }

  scan(): void {
    this.#value()
    this.#skipSpace()
    if (this.#at < this.#text.length) this.#fail('after top-level value')
  }

  #value(): void {
    this.#skipSpace()
    const character = this.#text[this.#at]
    if (character === '{') return this.#object()
    if (character === '[') return this.#array()
    if (character === '"') {
      this.#string()
      return
    }
    if (character !== undefined && character in literals) return this.#literal(literals[character] ?? '')
    if (character === '-' || isDigit(character)) return this.#number()
    this.#fail('looking for beginning of value')
  }

  #object(): void {
    this.#at++
    this.#skipSpace()
    if (this.#take('}')) return
    const seen = new Set<string>()
    for (;;) {
      this.#skipSpace()
      if (this.#text[this.#at] !== '"') this.#fail('looking for beginning of object key string')
      const key = this.#string()
      if (seen.has(key)) this.#onDuplicate(formatStrictPath([...this.#path, key]))
      seen.add(key)
      this.#skipSpace()
      if (!this.#take(':')) this.#fail('after object key')
      this.#path.push(key)
      this.#value()
      this.#path.pop()
      this.#skipSpace()
      if (this.#take('}')) return
      if (!this.#take(',')) this.#fail('after object key:value pair')
    }
  }

  #array(): void {
    this.#at++
    this.#skipSpace()
    if (this.#take(']')) return
    for (let index = 0; ; index++) {
      this.#path.push(index)
      this.#value()
      this.#path.pop()
      this.#skipSpace()
      if (this.#take(']')) return
      if (!this.#take(',')) this.#fail('after array element')
    }
  }

  #string(): string {
    const start = this.#at++
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code === quote) {
        this.#at++
        return JSON.parse(this.#text.slice(start, this.#at)) as string
      }
      if (code === backslash) this.#escape()
      else if (code >= 0x20) this.#at++
      else this.#fail('in string literal')
    }
  }

  #escape(): void {
    this.#at++
    const character = this.#text[this.#at]
    if (character === undefined || !'bfnrt\\/"u'.includes(character)) this.#fail('in string escape code')
    this.#at++
    if (character !== 'u') return
    for (let digit = 0; digit < 4; digit++, this.#at++) {
      if (!/[0-9a-f]/i.test(this.#text[this.#at] ?? '')) this.#fail('in \\u hexadecimal character escape')
    }
  }

  #literal(word: string): void {
    this.#at++
    for (const expected of word.slice(1)) if (!this.#take(expected)) this.#fail(`in literal ${word} (expecting '${expected}')`)
  }

  #number(): void {
    this.#take('-')
    if (!this.#take('0')) this.#digits('in numeric literal')
    if (this.#take('.')) this.#digits('after decimal point in numeric literal')
    if (this.#take('e') || this.#take('E')) {
      if (!this.#take('+')) this.#take('-')
      this.#digits('in exponent of numeric literal')
    }
  }

  #digits(context: string): void {
    if (!isDigit(this.#text[this.#at])) this.#fail(context)
    while (isDigit(this.#text[this.#at])) this.#at++
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #fail(context: string): never {
    if (this.#at >= this.#text.length) throw new JsonSyntaxError('unexpected end of JSON input')
    const code = this.#text.codePointAt(this.#at) ?? 0
    const firstByte = new TextEncoder().encode(String.fromCodePoint(code))[0] ?? 0
    throw new JsonSyntaxError(`invalid character ${quoteByte(firstByte)} ${context}`)
  }
}

/** Go's quoteChar: one byte between single quotes. */
function quoteByte(byte: number): string {
  if (byte === quote) return `'"'`
  if (byte === 0x27) return `'\\''`
  return `'${goQuote(String.fromCharCode(byte)).slice(1, -1)}'`
}

function isDigit(character: string | undefined): boolean {
  return character !== undefined && character >= '0' && character <= '9'
}

/** A path in the form of strict decoding errors: `spec.containers[0].name`. */
export function formatStrictPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`
  return text
}
