import type { Constant } from './ast.ts'
import type { Issue } from './source.ts'

export type TokenKind = 'identifier' | 'escaped' | 'constant' | 'symbol' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** As written. */
  readonly text: string
  readonly at: number
  readonly value?: Constant
  /** A number whose value is out of range or text that is not well escaped. */
  readonly problem?: string
}

const symbols = ['==', '!=', '<=', '>=', '&&', '||', '[', ']', '{', '}', '(', ')', '.', ',', '-', '!', '?', ':', '+', '*', '/', '%', '<', '>', '='] as const
const symbolSet: ReadonlySet<string> = new Set(symbols)

const isLetter = (char: string | undefined): boolean => char !== undefined && /^[A-Za-z_]$/.test(char)
const isDigit = (char: string | undefined): boolean => char !== undefined && char >= '0' && char <= '9' && char.length === 1
const isHex = (char: string | undefined): boolean => char !== undefined && /^[0-9a-fA-F]$/.test(char)

const minInt = -(2n ** 63n)
const maxInt = 2n ** 63n - 1n
const maxUint = 2n ** 64n - 1n

/** Cuts an expression, given as code points, into tokens. What cannot be a token is an issue and left out. */
export function tokenize(source: readonly string[]): { readonly tokens: readonly Token[]; readonly issues: readonly Issue[] } {
  const lexer = new Lexer(source)
  return lexer.run()
}

class Lexer {
  readonly #source: readonly string[]
  readonly #tokens: Token[] = []
  readonly #issues: Issue[] = []
  #at = 0

  constructor(source: readonly string[]) {
    this.#source = source
  }

  run(): { readonly tokens: readonly Token[]; readonly issues: readonly Issue[] } {
    while (this.#at < this.#source.length) this.#next()
    this.#tokens.push({ kind: 'end', text: '<EOF>', at: this.#source.length })
    return { tokens: this.#tokens, issues: this.#issues }
  }

  #char(offset = 0): string | undefined {
    return this.#source[this.#at + offset]
  }

  #next(): void {
    const char = this.#char() ?? ''
    if (char === ' ' || char === '\t' || char === '\n' || char === '\r' || char === '\f') {
      this.#at++
      return
    }
    if (char === '/' && this.#char(1) === '/') {
      while (this.#at < this.#source.length && this.#char() !== '\n') this.#at++
      return
    }
    if (isDigit(char) || (char === '.' && isDigit(this.#char(1)))) return this.#number()
    const prefix = this.#quotePrefix()
    if (prefix !== undefined) return this.#quoted(prefix)
    if (isLetter(char)) return this.#identifier()
    if (char === '`') return this.#escaped()
    const two = char + (this.#char(1) ?? '')
    const symbol = symbolSet.has(two) ? two : symbolSet.has(char) ? char : undefined
    if (symbol === undefined || symbol === '=') {
      this.#issues.push({ at: this.#at, message: `Syntax error: token recognition error at: '${symbol === '=' ? this.#twoChars() : char}'` })
      this.#at++
      return
    }
    this.#push('symbol', this.#at, this.#at + symbol.length)
  }

  /** The lexer upstream reads one character further before it gives up on `=`. */
  #twoChars(): string {
    return `=${this.#char(1) ?? ''}`
  }

  #push(kind: TokenKind, start: number, end: number, more: Pick<Token, 'value' | 'problem'> = {}): void {
    this.#tokens.push({ kind, text: this.#source.slice(start, end).join(''), at: start, ...more })
    this.#at = end
  }

  #identifier(): void {
    const start = this.#at
    let end = start
    while (isLetter(this.#source[end]) || isDigit(this.#source[end])) end++
    this.#push('identifier', start, end)
  }

  #escaped(): void {
    const start = this.#at
    let end = start + 1
    while (end < this.#source.length && /^[A-Za-z0-9_./ -]$/.test(this.#source[end] ?? '')) end++
    if (this.#source[end] !== '`' || end === start + 1) {
      this.#issues.push({ at: start, message: `Syntax error: token recognition error at: '\`'` })
      this.#at++
      return
    }
    this.#push('escaped', start, end + 1)
  }

  #number(): void {
    const start = this.#at
    let end = start
    if (this.#char() === '0' && (this.#char(1) === 'x' || this.#char(1) === 'X') && isHex(this.#char(2))) {
      end += 2
      while (isHex(this.#source[end])) end++
      return this.#integer(start, end)
    }
    while (isDigit(this.#source[end])) end++
    let isDouble = false
    if (this.#source[end] === '.' && isDigit(this.#source[end + 1])) {
      isDouble = true
      end++
      while (isDigit(this.#source[end])) end++
    }
    if (this.#source[end] === 'e' || this.#source[end] === 'E') {
      const sign = this.#source[end + 1] === '+' || this.#source[end + 1] === '-' ? 1 : 0
      if (isDigit(this.#source[end + 1 + sign])) {
        isDouble = true
        end += 1 + sign
        while (isDigit(this.#source[end])) end++
      }
    }
    if (!isDouble) return this.#integer(start, end)
    const value = Number(this.#source.slice(start, end).join(''))
    this.#push('constant', start, end, Number.isFinite(value) ? { value } : { problem: 'invalid double literal' })
  }

  /** The sign of a negative number is joined to it by the parser, which checks the range. */
  #integer(start: number, end: number): void {
    const value = BigInt(this.#source.slice(start, end).join(''))
    const suffix = this.#source[end]
    if (suffix === 'u' || suffix === 'U') {
      this.#push('constant', start, end + 1, value > maxUint ? { problem: 'invalid uint literal' } : { value: { uint: value } })
      return
    }
    this.#push('constant', start, end, value > -minInt ? { problem: 'invalid int literal' } : { value })
  }

  #quotePrefix(): { readonly length: number; readonly raw: boolean; readonly bytes: boolean } | undefined {
    let [raw, bytes, length] = [false, false, 0]
    for (; length < 2; length++) {
      const char = this.#char(length)?.toLowerCase()
      if (char === 'r' && !raw) raw = true
      else if (char === 'b' && !bytes && !raw) bytes = true
      else break
    }
    const quote = this.#char(length)
    return quote === '"' || quote === "'" ? { length, raw, bytes } : undefined
  }

  #quoted({ length, raw, bytes }: { readonly length: number; readonly raw: boolean; readonly bytes: boolean }): void {
    const start = this.#at
    const quote = this.#char(length) ?? ''
    const triple = this.#char(length + 1) === quote && this.#char(length + 2) === quote
    const open = start + length + (triple ? 3 : 1)
    let end = open
    const closes = (at: number): boolean => this.#source[at] === quote && (!triple || (this.#source[at + 1] === quote && this.#source[at + 2] === quote))
    while (end < this.#source.length && !closes(end)) {
      if (!triple && (this.#source[end] === '\n' || this.#source[end] === '\r')) break
      end += !raw && this.#source[end] === '\\' ? 2 : 1
    }
    if (!closes(end)) {
      const text = this.#source.slice(start, Math.min(end + 1, this.#source.length)).join('')
      this.#issues.push({ at: start, message: `Syntax error: token recognition error at: '${text}'` })
      this.#at = Math.max(end, start + 1)
      return
    }
    const body = this.#source.slice(open, end)
    const after = end + (triple ? 3 : 1)
    try {
      const value = bytes ? unescapeBytes(body, raw) : unescapeText(body, raw)
      this.#push('constant', start, after, { value })
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      this.#push('constant', start, after, { problem: error.message })
    }
  }
}

const simpleEscapes: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11, '\\': 92, "'": 39, '"': 34, '`': 96, '?': 63 }

/** The units that a quoted text stands for: code points, or numbers of bytes where an escape names one. */
function* unescape(body: readonly string[], raw: boolean): Generator<{ readonly code: number; readonly isByte: boolean }> {
  for (let i = 0; i < body.length; i++) {
    const char = body[i] ?? ''
    // A carriage return is never part of a text.
    if (char === '\r') {
      yield { code: 10, isByte: false }
      if (body[i + 1] === '\n') i++
      continue
    }
    if (raw || char !== '\\') {
      yield { code: char.codePointAt(0) ?? 0, isByte: false }
      continue
    }
    const next = body[++i] ?? ''
    const simple = simpleEscapes[next]
    if (simple !== undefined) {
      yield { code: simple, isByte: false }
      continue
    }
    const [digits, base] =
      next === 'x' || next === 'X' ? [2, 16] : next === 'u' ? [4, 16] : next === 'U' ? [8, 16] : next >= '0' && next <= '3' ? [3, 8] : [0, 0]
    if (digits === 0) throw new RangeError('unable to unescape string')
    const from = base === 8 ? i : i + 1
    const text = body.slice(from, from + digits).join('')
    if (text.length < digits || !(base === 8 ? /^[0-7]+$/ : /^[0-9a-fA-F]+$/).test(text)) throw new RangeError('unable to unescape string')
    const code = Number.parseInt(text, base)
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new RangeError('invalid unicode code point')
    i = from + digits - 1
    yield { code, isByte: digits < 4 }
  }
}

function unescapeText(body: readonly string[], raw: boolean): string {
  let text = ''
  for (const { code } of unescape(body, raw)) text += String.fromCodePoint(code)
  return text
}

function unescapeBytes(body: readonly string[], raw: boolean): Uint8Array {
  const parts: Buffer[] = []
  for (const { code, isByte } of unescape(body, raw)) parts.push(isByte ? Buffer.from([code]) : Buffer.from(String.fromCodePoint(code)))
  return new Uint8Array(Buffer.concat(parts))
}

export function fitsInt(value: bigint): boolean {
  return value >= minInt && value <= maxInt
}

export function fitsUint(value: bigint): boolean {
  return value >= 0n && value <= maxUint
}
