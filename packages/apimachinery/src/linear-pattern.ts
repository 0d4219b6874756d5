/**
 * Regular expressions of Kubernetes schemas: RE2's syntax (Go's package regexp), matched in time linear in the text. JavaScript's own engine backtracks, so one
 * pattern in a CustomResourceDefinition could stop the event loop. Only the question "does it match somewhere" is answered.
 */
export interface LinearPattern {
  /** Throws PatternTooExpensive past a fixed amount of work. */
  test(text: string): boolean
}

/** A pattern that is not valid; the message is Go's: "error parsing regexp: missing closing ): `(a`". */
export class PatternSyntaxError extends Error {
  constructor(problem: string, at?: string) {
    super(`error parsing regexp: ${problem}${at === undefined ? '' : `: \`${at}\``}`)
  }
}

export class PatternTooExpensive extends Error {}

const maxRepeat = 1000
const maxNodes = 10_000
const maxNesting = 500
/** Steps of one test over all texts that the schema language can bound; about a tenth of a second. */
const maxWork = 10_000_000
/** Nodes kept in the states of one pattern before they are forgotten: a few megabytes. */
const maxCachedNodes = 200_000
const maxCachedTransitions = 128

const cache = new Map<string, LinearPattern>()
const maxCachedPatterns = 500

/** Throws a PatternSyntaxError. Compiled patterns are kept. */
export function compilePattern(source: string): LinearPattern {
  const known = cache.get(source)
  if (known !== undefined) return known
  const program = new Program()
  program.finish(new PatternParser(source).parse())
  const pattern = new Matcher(program)
  if (cache.size >= maxCachedPatterns) cache.clear()
  cache.set(source, pattern)
  return pattern
}

type Assertion = 'textStart' | 'textEnd' | 'lineStart' | 'lineEnd' | 'wordBoundary' | 'noWordBoundary'
type CharTest = (code: number) => boolean

type Tree =
  | { readonly kind: 'empty' }
  | { readonly kind: 'char'; readonly test: CharTest }
  | { readonly kind: 'assert'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly Tree[] }
  | { readonly kind: 'choice'; readonly options: readonly Tree[] }
  | { readonly kind: 'repeat'; readonly of: Tree; readonly min: number; readonly max: number }

interface Flags {
  readonly ignoreCase: boolean
  readonly dotAll: boolean
  readonly multiLine: boolean
}

class PatternParser {
  readonly #source: string
  #at = 0
  #nesting = 0
  #flags: Flags = { ignoreCase: false, dotAll: false, multiLine: false }

  constructor(source: string) {
    this.#source = source
  }

  parse(): Tree {
    const tree = this.#choice()
    if (this.#at < this.#source.length) throw new PatternSyntaxError('unexpected )', this.#source)
    return tree
  }

  #peek(text: string): boolean {
    return this.#source.startsWith(text, this.#at)
  }

  #take(text: string): boolean {
    if (!this.#peek(text)) return false
    this.#at += text.length
    return true
  }

  #nextCode(): number {
    const code = this.#source.codePointAt(this.#at) ?? 0
    this.#at += code > 0xffff ? 2 : 1
    return code
  }

  #choice(): Tree {
    if (++this.#nesting > maxNesting) throw new PatternSyntaxError('expression nests too deeply', this.#source)
    const options = [this.#sequence()]
    while (this.#take('|')) options.push(this.#sequence())
    this.#nesting--
    return options.length === 1 ? (options[0] as Tree) : { kind: 'choice', options }
  }

  #sequence(): Tree {
    const parts: Tree[] = []
    while (this.#at < this.#source.length && !this.#peek('|') && !this.#peek(')')) {
      const start = this.#at
      const atom = this.#atom()
      parts.push(atom === undefined ? { kind: 'empty' } : this.#repeated(atom, start))
    }
    return parts.length === 1 ? (parts[0] as Tree) : { kind: 'sequence', parts }
  }

  #repeated(atom: Tree, start: number): Tree {
    let tree = atom
    let previous: string | undefined
    for (;;) {
      const from = this.#at
      const bounds = this.#repeatBounds()
      if (bounds === undefined) return tree
      this.#take('?')
      const operator = this.#source.slice(from, this.#at)
      if (previous !== undefined) throw new PatternSyntaxError('invalid nested repetition operator', previous + operator)
      if (atom.kind === 'empty' && this.#source[start] !== '(') throw new PatternSyntaxError('missing argument to repetition operator', operator)
      previous = operator
      tree = { kind: 'repeat', of: tree, ...bounds }
    }
  }

  #repeatBounds(): { readonly min: number; readonly max: number } | undefined {
    if (this.#take('*')) return { min: 0, max: Number.POSITIVE_INFINITY }
    if (this.#take('+')) return { min: 1, max: Number.POSITIVE_INFINITY }
    if (this.#take('?')) return { min: 0, max: 1 }
    const counted = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 40))
    if (counted === null) return undefined
    this.#at += counted[0].length
    const min = Number(counted[1])
    const max = counted[2] === undefined ? min : counted[3] === '' ? Number.POSITIVE_INFINITY : Number(counted[3])
    if (min > maxRepeat || (Number.isFinite(max) && max > maxRepeat) || min > max) throw new PatternSyntaxError('invalid repeat count', counted[0])
    return { min, max }
  }

  #atom(): Tree | undefined {
    if (this.#peek('(')) return this.#group()
    if (this.#peek('[')) return { kind: 'char', test: this.#class() }
    if (this.#take('.')) return { kind: 'char', test: this.#flags.dotAll ? () => true : (code) => code !== 0x0a }
    if (this.#take('^')) return { kind: 'assert', assertion: this.#flags.multiLine ? 'lineStart' : 'textStart' }
    if (this.#take('$')) return { kind: 'assert', assertion: this.#flags.multiLine ? 'lineEnd' : 'textEnd' }
    if (this.#peek('\\')) return this.#escape()
    const repeat = /^(?:[*+?]|\{\d+(?:,\d*)?\})/.exec(this.#source.slice(this.#at, this.#at + 40))
    if (repeat !== null) throw new PatternSyntaxError('missing argument to repetition operator', repeat[0])
    return this.#literal(this.#nextCode())
  }

  #literal(code: number): Tree {
    return { kind: 'char', test: this.#folded((other) => other === code) }
  }

  #folded(test: CharTest): CharTest {
    if (!this.#flags.ignoreCase) return test
    return (code) => {
      if (test(code)) return true
      const text = String.fromCodePoint(code)
      return test(text.toLowerCase().codePointAt(0) ?? 0) || test(text.toUpperCase().codePointAt(0) ?? 0)
    }
  }

  #group(): Tree | undefined {
    const start = this.#at
    this.#at++
    const before = this.#flags
    if (this.#take('?')) {
      const name = /^P?<([A-Za-z0-9_]+)>/.exec(this.#source.slice(this.#at))
      if (name === null) {
        const flags = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.#source.slice(this.#at))
        if (flags === null) throw new PatternSyntaxError('invalid or unsupported Perl syntax', this.#source.slice(start, this.#at + (this.#peek('<') ? 2 : 1)))
        this.#at += flags[0].length
        this.#flags = changedFlags(before, flags[1] ?? '', flags[2] ?? '')
        // `(?i)` holds for the rest of the group around it.
        if (flags[3] === ')') return undefined
      } else {
        this.#at += name[0].length
      }
    }
    const tree = this.#choice()
    if (!this.#take(')')) throw new PatternSyntaxError('missing closing )', this.#source)
    this.#flags = before
    return tree
  }

  #escape(): Tree {
    const assertion = assertionEscapes[this.#source.slice(this.#at, this.#at + 2)]
    if (assertion !== undefined) {
      this.#at += 2
      return { kind: 'assert', assertion }
    }
    if (this.#take('\\Q')) {
      const end = this.#source.indexOf('\\E', this.#at)
      const text = this.#source.slice(this.#at, end < 0 ? undefined : end)
      this.#at += text.length + (end < 0 ? 0 : 2)
      return { kind: 'sequence', parts: Array.from(text, (character) => this.#literal(character.codePointAt(0) ?? 0)) }
    }
    const set = this.#classEscape()
    return set === undefined ? this.#literal(this.#escapedCode()) : { kind: 'char', test: this.#folded(set) }
  }

  /** `\d`, `\pL`, `\p{Greek}` … */
  #classEscape(): CharTest | undefined {
    const perl = perlClasses[this.#source.slice(this.#at, this.#at + 2)]
    if (perl !== undefined) {
      this.#at += 2
      return perl
    }
    const property = /^\\([pP])(?:([A-Z])|\{(\^?)([A-Za-z_]+)\})/.exec(this.#source.slice(this.#at, this.#at + 60))
    if (property === null) return undefined
    this.#at += property[0].length
    const name = property[2] ?? property[4] ?? ''
    return propertyTest(name, (property[1] === 'P') !== (property[3] === '^'), property[0])
  }

  #escapedCode(): number {
    const start = this.#at
    this.#at++
    if (this.#at >= this.#source.length) throw new PatternSyntaxError('trailing backslash at end of expression', '')
    const hex = /^x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,6})\})/.exec(this.#source.slice(this.#at, this.#at + 10))
    if (hex !== null && Number.parseInt(hex[1] ?? hex[2] ?? '', 16) <= 0x10_ffff) {
      this.#at += hex[0].length
      return Number.parseInt(hex[1] ?? hex[2] ?? '', 16)
    }
    const octal = /^(?:0[0-7]{0,2}|[1-7][0-7]{1,2})/.exec(this.#source.slice(this.#at, this.#at + 3))
    if (octal !== null) {
      this.#at += octal[0].length
      return Number.parseInt(octal[0], 8)
    }
    const code = this.#nextCode()
    const control = controlEscapes[String.fromCodePoint(code)]
    if (control !== undefined) return control
    if (code < 0x80 && !/[A-Za-z0-9]/.test(String.fromCodePoint(code))) return code
    throw new PatternSyntaxError('invalid escape sequence', this.#source.slice(start, this.#at))
  }

  #class(): CharTest {
    const start = this.#at
    this.#at++
    const negated = this.#take('^')
    const tests: CharTest[] = []
    for (let first = true; ; first = false) {
      if (this.#at >= this.#source.length) throw new PatternSyntaxError('missing closing ]', this.#source.slice(start))
      if (!first && this.#take(']')) break
      const posix = /^\[:(\^?)([a-z]+):\]/.exec(this.#source.slice(this.#at, this.#at + 20))
      if (posix !== null) {
        const set = posixClasses[posix[2] ?? '']
        if (set === undefined) throw new PatternSyntaxError('invalid character class range', posix[0])
        this.#at += posix[0].length
        tests.push(posix[1] === '^' ? (code) => !set(code) : set)
        continue
      }
      tests.push(this.#classEscape() ?? this.#range())
    }
    const any = this.#folded((code) => tests.some((test) => test(code)))
    return negated ? (code) => !any(code) : any
  }

  #range(): CharTest {
    const start = this.#at
    const low = this.#classCode()
    if (!this.#peek('-') || this.#source[this.#at + 1] === ']' || this.#at + 1 >= this.#source.length) return (code) => code === low
    this.#at++
    const high = this.#classCode()
    if (high < low) throw new PatternSyntaxError('invalid character class range', this.#source.slice(start, this.#at))
    return (code) => code >= low && code <= high
  }

  #classCode(): number {
    return this.#peek('\\') ? this.#escapedCode() : this.#nextCode()
  }
}

function changedFlags(flags: Flags, on: string, off: string): Flags {
  const value = (letter: string, before: boolean): boolean => (on.includes(letter) ? true : off.includes(letter) ? false : before)
  return { ignoreCase: value('i', flags.ignoreCase), dotAll: value('s', flags.dotAll), multiLine: value('m', flags.multiLine) }
}

const assertionEscapes: Readonly<Record<string, Assertion>> = { '\\A': 'textStart', '\\z': 'textEnd', '\\b': 'wordBoundary', '\\B': 'noWordBoundary' }
const controlEscapes: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }

const isDigit: CharTest = (code) => code >= 48 && code <= 57
const isUpper: CharTest = (code) => code >= 65 && code <= 90
const isLower: CharTest = (code) => code >= 97 && code <= 122
const isWord: CharTest = (code) => isLower(code) || isUpper(code) || isDigit(code) || code === 0x5f
const isSpace: CharTest = (code) => code === 32 || code === 9 || code === 10 || code === 12 || code === 13

const perlClasses: Readonly<Record<string, CharTest>> = {
  '\\d': isDigit,
  '\\D': (code) => !isDigit(code),
  '\\w': isWord,
  '\\W': (code) => !isWord(code),
  '\\s': isSpace,
  '\\S': (code) => !isSpace(code),
}

const posixClasses: Readonly<Record<string, CharTest>> = {
  alnum: (code) => isLower(code) || isUpper(code) || isDigit(code),
  alpha: (code) => isLower(code) || isUpper(code),
  ascii: (code) => code < 0x80,
  blank: (code) => code === 9 || code === 32,
  cntrl: (code) => code < 32 || code === 127,
  digit: isDigit,
  graph: (code) => code > 32 && code < 127,
  lower: isLower,
  print: (code) => code >= 32 && code < 127,
  punct: (code) => code > 32 && code < 127 && !isLower(code) && !isUpper(code) && !isDigit(code),
  space: (code) => isSpace(code) || code === 11,
  upper: isUpper,
  word: isWord,
  xdigit: (code) => isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102),
}

function propertyTest(name: string, negated: boolean, source: string): CharTest {
  if (name === 'Any') return () => !negated
  for (const property of [name, `Script=${name}`]) {
    let pattern: RegExp
    try {
      pattern = new RegExp(`^\\p{${property}}$`, 'u')
    } catch {
      continue // not a property of this kind
    }
    return (code) => pattern.test(String.fromCodePoint(code)) !== negated
  }
  throw new PatternSyntaxError('invalid character class range', source)
}

type Node =
  | { readonly kind: 'char'; readonly test: CharTest; readonly next: number }
  | { readonly kind: 'assert'; readonly assertion: Assertion; readonly next: number }
  | { readonly kind: 'split'; readonly next: readonly number[] }
  | { readonly kind: 'match' }

/** A pattern as a nondeterministic automaton. Built from its end: every tree is given the node that follows it. */
class Program {
  readonly nodes: Node[] = [{ kind: 'match' }]
  start = 0

  finish(tree: Tree): void {
    this.start = this.#compile(tree, 0)
  }

  #add(node: Node): number {
    if (this.nodes.length >= maxNodes) throw new PatternSyntaxError('expression too large')
    return this.nodes.push(node) - 1
  }

  #compile(tree: Tree, next: number): number {
    switch (tree.kind) {
      case 'empty':
        return next
      case 'char':
        return this.#add({ kind: 'char', test: tree.test, next })
      case 'assert':
        return this.#add({ kind: 'assert', assertion: tree.assertion, next })
      case 'sequence':
        return tree.parts.reduceRight((after, part) => this.#compile(part, after), next)
      case 'choice':
        return this.#add({ kind: 'split', next: tree.options.map((option) => this.#compile(option, next)) })
      case 'repeat':
        return this.#repeat(tree, next)
    }
  }

  #repeat({ of, min, max }: { readonly of: Tree; readonly min: number; readonly max: number }, next: number): number {
    let entry = next
    if (Number.isFinite(max)) {
      for (let i = min; i < max; i++) entry = this.#add({ kind: 'split', next: [this.#compile(of, entry), next] })
    } else {
      const targets = [0, next]
      entry = this.#add({ kind: 'split', next: targets })
      targets[0] = this.#compile(of, entry)
    }
    for (let i = 0; i < min; i++) entry = this.#compile(of, entry)
    return entry
  }
}

/** What stands before a position, as far as assertions ask. */
type Before = 'nothing' | 'word' | 'newline' | 'other'

interface State {
  readonly nodes: readonly number[]
  readonly before: Before
  readonly transitions: Map<number, State | typeof matched>
  atEnd: boolean | undefined
}

const matched = Symbol('matched')
const endOfText = -1

/** Runs a program by making its deterministic states when they are first needed. */
class Matcher implements LinearPattern {
  readonly #program: Program
  readonly #states = new Map<string, State>()
  #cachedNodes = 0
  #work = 0
  #start: State | undefined

  constructor(program: Program) {
    this.#program = program
  }

  test(text: string): boolean {
    this.#work = 0
    let state = (this.#start ??= this.#state([this.#program.start], 'nothing'))
    for (let at = 0; at < text.length; at++) {
      const code = text.codePointAt(at) ?? 0
      if (code > 0xffff) at++
      if (++this.#work > maxWork) throw new PatternTooExpensive('the pattern is too expensive for this text')
      let next = state.transitions.get(code)
      if (next === undefined) {
        next = this.#step(state, code)
        if (state.transitions.size < maxCachedTransitions) state.transitions.set(code, next)
      }
      if (next === matched) return true
      state = next
    }
    return (state.atEnd ??= this.#reach(state, endOfText) === matched)
  }

  #state(nodes: readonly number[], before: Before): State {
    const key = `${before}:${nodes.join(',')}`
    const known = this.#states.get(key)
    if (known !== undefined) return known
    if (this.#cachedNodes + nodes.length > maxCachedNodes) {
      for (const state of this.#states.values()) state.transitions.clear()
      this.#states.clear()
      this.#start = undefined
      this.#cachedNodes = 0
    }
    const state: State = { nodes, before, transitions: new Map(), atEnd: undefined }
    this.#states.set(key, state)
    this.#cachedNodes += nodes.length + 1
    return state
  }

  /** A match may begin anywhere, so the start is among the nodes of every state. */
  #step(state: State, code: number): State | typeof matched {
    const reached = this.#reach(state, code)
    if (reached === matched) return matched
    const next = new Set<number>()
    for (const at of reached) {
      const node = this.#program.nodes[at] as Node
      if (node.kind === 'char' && node.test(code)) next.add(node.next)
    }
    next.add(this.#program.start)
    return this.#state(
      [...next].sort((a, b) => a - b),
      code === 0x0a ? 'newline' : isWord(code) ? 'word' : 'other',
    )
  }

  /** The character nodes that can be reached without reading, when `code` comes next. */
  #reach(state: State, code: number): number[] | typeof matched {
    const seen = new Set<number>(state.nodes)
    const open = [...state.nodes]
    const found: number[] = []
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (++this.#work > maxWork) throw new PatternTooExpensive('the pattern is too expensive for this text')
      const node = this.#program.nodes[at] as Node
      if (node.kind === 'match') return matched
      if (node.kind === 'char') {
        found.push(at)
        continue
      }
      const nexts = node.kind === 'split' ? node.next : holds(node.assertion, state.before, code) ? [node.next] : []
      for (const next of nexts) {
        if (seen.has(next)) continue
        seen.add(next)
        open.push(next)
      }
    }
    return found
  }
}

function holds(assertion: Assertion, before: Before, code: number): boolean {
  switch (assertion) {
    case 'textStart':
      return before === 'nothing'
    case 'textEnd':
      return code === endOfText
    case 'lineStart':
      return before === 'nothing' || before === 'newline'
    case 'lineEnd':
      return code === endOfText || code === 0x0a
    case 'wordBoundary':
      return (before === 'word') !== (code !== endOfText && isWord(code))
    case 'noWordBoundary':
      return (before === 'word') === (code !== endOfText && isWord(code))
  }
}
