import type { Constant, Expr, MapEntryExpr, StructField } from './ast.ts'
import { fitsInt, tokenize } from './lexer.ts'
import type { Token } from './lexer.ts'
import { expandMacro } from './macros.ts'
import type { NodeFactory } from './macros.ts'
import type { Issue } from './source.ts'

/** How deep an expression may be nested. */
export const maxDepth = 250
/** Code points in one expression: upstream's limit. */
export const maxExpressionLength = 100_000

const reserved: ReadonlySet<string> = new Set(
  'as break const continue else false for function if import in let loop package namespace null return true var void while'.split(' '),
)

const expectedAtStart = `{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}`

class SyntaxProblem extends Error {
  readonly at: number

  constructor(at: number, message: string) {
    super(message)
    this.at = at
  }
}

/** Reads an expression; the tree is undefined when it has issues. `source` is the expression as code points. */
export function parse(
  source: readonly string[],
  { bindings = false }: { readonly bindings?: boolean | undefined } = {},
): { readonly expr: Expr | undefined; readonly issues: readonly Issue[]; readonly macros: ReadonlySet<number> } {
  if (source.length > maxExpressionLength) {
    const message = `expression code point size exceeds limit: size: ${source.length}, limit ${maxExpressionLength}`
    return { expr: undefined, issues: [{ at: 0, message }], macros: new Set() }
  }
  const { tokens, issues } = tokenize(source)
  const parser = new Parser(tokens, [...issues], bindings)
  return parser.run()
}

const operatorNames: Readonly<Record<string, string>> = {
  '==': '_==_',
  '!=': '_!=_',
  '<': '_<_',
  '<=': '_<=_',
  '>': '_>_',
  '>=': '_>=_',
  in: '@in',
  '+': '_+_',
  '-': '_-_',
  '*': '_*_',
  '/': '_/_',
  '%': '_%_',
}

class Parser implements NodeFactory {
  readonly #tokens: readonly Token[]
  readonly #issues: Issue[]
  /** Nodes that a macro stands for. */
  readonly #macros = new Set<number>()
  readonly bindings: boolean
  #index = 0
  #depth = 0
  #ids = 0

  constructor(tokens: readonly Token[], issues: Issue[], bindings: boolean) {
    this.bindings = bindings
    this.#tokens = tokens
    this.#issues = issues
  }

  run(): { readonly expr: Expr | undefined; readonly issues: readonly Issue[]; readonly macros: ReadonlySet<number> } {
    try {
      const expr = this.#expression()
      const token = this.#peek()
      if (token.kind !== 'end') {
        this.#fail(token, `Syntax error: ${this.#tokens[this.#index + 1]?.kind === 'end' ? 'extraneous' : 'mismatched'} input '${token.text}' expecting <EOF>`)
      }
      return { expr: this.#issues.length === 0 ? expr : undefined, issues: this.#issues, macros: this.#macros }
    } catch (error) {
      if (!(error instanceof SyntaxProblem)) throw error
      return { expr: undefined, issues: [...this.#issues, { at: error.at, message: error.message }], macros: this.#macros }
    }
  }

  id(): number {
    return ++this.#ids
  }

  problem(at: number, message: string): void {
    this.#issues.push({ at, message })
  }

  #fail(token: Token, message: string): never {
    throw new SyntaxProblem(token.at, message)
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: 'end', text: '<EOF>', at: 0 }
  }

  #take(): Token {
    const token = this.#peek()
    if (token.kind !== 'end') this.#index++
    return token
  }

  #is(text: string): boolean {
    const token = this.#peek()
    return token.kind === 'symbol' ? token.text === text : text === 'in' && token.kind === 'identifier' && token.text === 'in'
  }

  #accept(text: string): Token | undefined {
    return this.#is(text) ? this.#take() : undefined
  }

  #expect(text: string): Token {
    const token = this.#accept(text)
    if (token !== undefined) return token
    const found = this.#peek()
    return this.#fail(found, `Syntax error: ${this.#misfit(text, found)}`)
  }

  /** Upstream's reader drops a token that is too many or adds one that is missing, where the rest fits then, and says so. */
  #misfit(wanted: string, found: Token): string {
    if (wanted === ']' || wanted === '}') return `mismatched input '${found.text}' expecting {'${wanted}', ','}`
    if (wanted !== ')') return `mismatched input '${found.text}' expecting '${wanted}'`
    const next = this.#tokens[this.#index + 1]
    if (found.kind !== 'end' && next?.kind === 'symbol' && next.text === wanted) return `extraneous input '${found.text}' expecting '${wanted}'`
    const follows = found.kind === 'end' || (found.kind === 'symbol' && !'([{!'.includes(found.text))
    return follows ? `missing '${wanted}' at '${found.text}'` : `mismatched input '${found.text}' expecting '${wanted}'`
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > maxDepth) this.#fail(this.#peek(), `expression recursion limit exceeded: ${maxDepth}`)
    const result = read()
    this.#depth--
    return result
  }

  #expression(): Expr {
    return this.#deeper(() => {
      const condition = this.#or()
      const mark = this.#accept('?')
      if (mark === undefined) return condition
      const yes = this.#or()
      this.#expect(':')
      const no = this.#expression()
      return this.#call(mark, '_?_:_', [condition, yes, no])
    })
  }

  #call(token: Token, name: string, args: readonly Expr[]): Expr {
    return { kind: 'call', id: this.id(), at: token.at, name, target: undefined, args }
  }

  #or(): Expr {
    return this.#logic('||', '_||_', () => this.#and())
  }

  #and(): Expr {
    return this.#logic('&&', '_&&_', () => this.#relation())
  }

  /** A chain of one operator becomes a balanced tree: long chains are not deep. */
  #logic(symbol: string, name: string, read: () => Expr): Expr {
    const terms = [read()]
    const tokens: Token[] = []
    for (let token = this.#accept(symbol); token !== undefined; token = this.#accept(symbol)) {
      tokens.push(token)
      terms.push(read())
    }
    const balance = (from: number, to: number): Expr => {
      const only = terms[from]
      if (from === to && only !== undefined) return only
      const middle = Math.floor((from + to) / 2)
      return this.#call(tokens[middle] ?? this.#peek(), name, [balance(from, middle), balance(middle + 1, to)])
    }
    return balance(0, terms.length - 1)
  }

  #relation(): Expr {
    return this.#binary(['==', '!=', '<=', '>=', '<', '>', 'in'], () => this.#sum())
  }

  #sum(): Expr {
    return this.#binary(['+', '-'], () => this.#product())
  }

  #product(): Expr {
    return this.#binary(['*', '/', '%'], () => this.#unary())
  }

  #binary(symbols: readonly string[], read: () => Expr): Expr {
    let left = read()
    let operators = 0
    for (;;) {
      const token = this.#peek()
      if (!symbols.some((symbol) => this.#is(symbol))) break
      this.#take()
      if (++operators + this.#depth > maxDepth) this.#fail(token, `expression recursion limit exceeded: ${maxDepth}`)
      left = this.#call(token, operatorNames[token.text] ?? token.text, [left, read()])
    }
    return left
  }

  #unary(): Expr {
    const first = this.#peek()
    if (!this.#is('!') && !this.#is('-')) return this.#member()
    const symbol = first.text
    let count = 0
    while (this.#is(symbol)) {
      // The sign next to a number is part of it.
      if (symbol === '-' && this.#isNegativeNumber()) break
      this.#take()
      count++
    }
    const operand = this.#member()
    return count % 2 === 0 ? operand : this.#call(first, symbol === '!' ? '!_' : '-_', [operand])
  }

  #isNegativeNumber(): boolean {
    const next = this.#tokens[this.#index + 1]
    return this.#is('-') && next?.kind === 'constant' && (typeof next.value === 'bigint' || typeof next.value === 'number' || next.problem !== undefined)
  }

  #member(): Expr {
    let expr = this.#primary()
    let steps = 0
    for (;;) {
      if (++steps + this.#depth > maxDepth) this.#fail(this.#peek(), `expression recursion limit exceeded: ${maxDepth}`)
      const dot = this.#accept('.')
      if (dot !== undefined) {
        expr = this.#afterDot(expr, dot)
        continue
      }
      const open = this.#accept('[')
      if (open === undefined) return expr
      const optional = this.#accept('?') !== undefined
      const index = this.#expression()
      this.#expect(']')
      expr = this.#call(open, optional ? '_[?_]' : '_[_]', [expr, index])
    }
  }

  #afterDot(operand: Expr, dot: Token): Expr {
    const optional = this.#accept('?') !== undefined
    const name = this.#take()
    if (name.kind !== 'identifier' && name.kind !== 'escaped') {
      const text = name.text
      this.#fail(
        name,
        name.kind === 'end' ? `Syntax error: mismatched input '<EOF>' expecting IDENTIFIER` : `Syntax error: no viable alternative at input '.${text}'`,
      )
    }
    const open = name.kind === 'identifier' && !optional ? this.#accept('(') : undefined
    if (open !== undefined) {
      const args = this.#arguments()
      return this.#expand(open, { name: name.text, target: operand, args })
    }
    const field = name.kind === 'escaped' ? name.text.slice(1, -1) : name.text
    if (name.kind === 'escaped') this.problem(name.at, "unsupported syntax: '`'")
    if (!optional) return { kind: 'select', id: this.id(), at: dot.at, operand, field, test: false }
    return this.#call(dot, '_?._', [operand, { kind: 'const', id: this.id(), at: name.at, value: field }])
  }

  #arguments(): Expr[] {
    const args: Expr[] = []
    if (this.#accept(')') !== undefined) return args
    do args.push(this.#expression())
    while (this.#accept(',') !== undefined)
    this.#expect(')')
    return args
  }

  #expand(open: Token, call: { readonly name: string; readonly target: Expr | undefined; readonly args: readonly Expr[] }): Expr {
    const expanded = expandMacro(this, { ...call, at: open.at })
    if (expanded === undefined) return { kind: 'call', id: this.id(), at: open.at, ...call }
    this.#macros.add(expanded.id)
    return expanded
  }

  #primary(): Expr {
    const token = this.#take()
    switch (token.kind) {
      case 'constant':
        return this.#constant(token, false)
      case 'identifier':
        return this.#identifier(token, '')
      case 'symbol':
        if (token.text === '(') {
          const inner = this.#expression()
          this.#expect(')')
          return inner
        }
        if (token.text === '[') return this.#list(token)
        if (token.text === '{') return this.#map(token)
        if (token.text === '-' && this.#peek().kind === 'constant') return this.#constant(this.#take(), true)
        if (token.text === '.' && this.#peek().kind === 'identifier') return this.#identifier(this.#take(), '.')
        break
      case 'escaped':
      case 'end':
        break
    }
    const problem = token.kind === 'end' ? 'mismatched' : token.kind === 'symbol' && this.#closesSoon() ? 'extraneous' : 'mismatched'
    return this.#fail(token, `Syntax error: ${problem} input '${token.text}' expecting ${expectedAtStart}`)
  }

  /** Upstream's reader skips one token that is too many when what follows fits. */
  #closesSoon(): boolean {
    const next = this.#peek()
    return next.kind === 'constant' || next.kind === 'identifier'
  }

  #constant(token: Token, negative: boolean): Expr {
    const value = token.value
    const node = { id: this.id(), at: negative ? token.at - 1 : token.at }
    if (value === undefined) {
      this.problem(node.at, token.problem ?? 'invalid literal')
      return { kind: 'const', ...node, value: null }
    }
    const signed: Constant = negative && (typeof value === 'bigint' || typeof value === 'number') ? -value : value
    if (typeof signed === 'bigint' && !fitsInt(signed)) this.problem(node.at, 'invalid int literal')
    return { kind: 'const', ...node, value: signed }
  }

  #identifier(token: Token, prefix: string): Expr {
    const { text } = token
    if (prefix === '') {
      if (text === 'true' || text === 'false') return { kind: 'const', id: this.id(), at: token.at, value: text === 'true' }
      if (text === 'null') return { kind: 'const', id: this.id(), at: token.at, value: null }
    }
    if (text === 'in') this.#fail(token, `Syntax error: mismatched input 'in' expecting ${expectedAtStart}`)
    if (reserved.has(text)) this.problem(token.at, `reserved identifier: ${text}`)
    const open = this.#accept('(')
    if (open !== undefined) return this.#expand(open, { name: `${prefix}${text}`, target: undefined, args: this.#arguments() })
    const message = this.#messageName(text, prefix)
    if (message !== undefined) return this.#struct(message)
    return { kind: 'ident', id: this.id(), at: token.at, name: `${prefix}${text}` }
  }

  /** `a.b.C{`: looks ahead, and takes the tokens only when it is one. */
  #messageName(first: string, prefix: string): string | undefined {
    let index = this.#index
    let name = `${prefix}${first}`
    for (;;) {
      const token = this.#tokens[index]
      if (token?.kind !== 'symbol') return undefined
      if (token.text === '{') {
        this.#index = index
        return name
      }
      const next = this.#tokens[index + 1]
      if (token.text !== '.' || next?.kind !== 'identifier') return undefined
      name += `.${next.text}`
      index += 2
    }
  }

  #struct(name: string): Expr {
    const open = this.#expect('{')
    const fields: StructField[] = []
    while (!this.#is('}')) {
      const optional = this.#accept('?') !== undefined
      const field = this.#take()
      if (field.kind !== 'identifier' && field.kind !== 'escaped') this.#fail(field, `Syntax error: mismatched input '${field.text}' expecting IDENTIFIER`)
      const colon = this.#expect(':')
      fields.push({ at: colon.at, name: field.text, value: this.#expression(), optional })
      if (this.#accept(',') === undefined) break
    }
    this.#expect('}')
    return { kind: 'struct', id: this.id(), at: open.at, name, fields }
  }

  #list(open: Token): Expr {
    const items: Expr[] = []
    const optional = new Set<number>()
    while (!this.#is(']')) {
      if (this.#accept('?') !== undefined) optional.add(items.length)
      items.push(this.#expression())
      if (this.#accept(',') === undefined) break
    }
    this.#expect(']')
    return { kind: 'list', id: this.id(), at: open.at, items, optional }
  }

  #map(open: Token): Expr {
    const entries: MapEntryExpr[] = []
    while (!this.#is('}')) {
      const optional = this.#accept('?') !== undefined
      const key = this.#expression()
      this.#expect(':')
      entries.push({ key, value: this.#expression(), optional })
      if (this.#accept(',') === undefined) break
    }
    this.#expect('}')
    return { kind: 'map', id: this.id(), at: open.at, entries }
  }
}
