import type { Constant, Expr, IdentExpr, MapEntryExpr } from './ast.ts'

/** What macros make nodes with. */
export interface NodeFactory {
  id(): number
  problem(at: number, message: string): void
  /** Whether `cel.bind` is a macro. */
  readonly bindings: boolean
}

interface MacroCall {
  readonly name: string
  readonly target: Expr | undefined
  readonly args: readonly Expr[]
  readonly at: number
}

/** Not a name that an expression can spell. */
const accumulator = '@result'
const unused = '#unused'

/** The expression that a macro stands for; undefined when the call is none. */
export function expandMacro(factory: NodeFactory, call: MacroCall): Expr | undefined {
  const { name, target, args } = call
  if (target === undefined) return name === 'has' && args.length === 1 ? new Expander(factory, call).has() : undefined
  if (factory.bindings && name === 'bind' && args.length === 3 && target.kind === 'ident' && target.name === 'cel')
    return new Expander(factory, call).bind(args)
  const macro = receiverMacros.get(`${name}/${args.length}`)
  return macro?.(new Expander(factory, call), target, args)
}

type Macro = (expander: Expander, target: Expr, args: readonly Expr[]) => Expr

const one = { variables: 1 } as const
const two = { variables: 2 } as const

const receiverMacros: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['all/2', (e, target, args) => e.all(target, args, one)],
  ['exists/2', (e, target, args) => e.exists(target, args, one)],
  ['exists_one/2', (e, target, args) => e.existsOne(target, args, one)],
  ['existsOne/2', (e, target, args) => e.existsOne(target, args, one)],
  ['map/2', (e, target, args) => e.map(target, args, one)],
  ['map/3', (e, target, args) => e.map(target, args, one)],
  ['filter/2', (e, target, args) => e.filter(target, args)],
  ['all/3', (e, target, args) => e.all(target, args, two)],
  ['exists/3', (e, target, args) => e.exists(target, args, two)],
  ['exists_one/3', (e, target, args) => e.existsOne(target, args, two)],
  ['existsOne/3', (e, target, args) => e.existsOne(target, args, two)],
  ['transformList/3', (e, target, args) => e.map(target, args, two)],
  ['transformList/4', (e, target, args) => e.map(target, args, two)],
  ['transformMap/3', (e, target, args) => e.transformMap(target, args, true)],
  ['transformMap/4', (e, target, args) => e.transformMap(target, args, true)],
  ['transformMapEntry/3', (e, target, args) => e.transformMap(target, args, false)],
  ['transformMapEntry/4', (e, target, args) => e.transformMap(target, args, false)],
  ['optMap/2', (e, target, args) => e.optionalMap(target, args, true)],
  ['optFlatMap/2', (e, target, args) => e.optionalMap(target, args, false)],
  ['sortBy/2', (e, target, args) => e.sortBy(target, args)],
])

interface Variables {
  readonly variables: 1 | 2
}

/** Names of the loop, and what of the arguments is left. */
interface Loop {
  readonly variable: string
  readonly second: string | undefined
  readonly rest: readonly Expr[]
}

class Expander {
  readonly #factory: NodeFactory
  readonly #call: MacroCall

  constructor(factory: NodeFactory, call: MacroCall) {
    this.#factory = factory
    this.#call = call
  }

  has(): Expr {
    const arg = this.#call.args[0]
    if (arg?.kind === 'select' && !arg.test) return { ...arg, id: this.#factory.id(), at: this.#call.at, test: true }
    this.#factory.problem(arg?.at ?? this.#call.at, 'invalid argument to has() macro')
    return this.#constant(false)
  }

  all(target: Expr, args: readonly Expr[], variables: Variables): Expr {
    const { rest, ...loop } = this.#loop(args, variables)
    return this.#fold(target, loop, {
      initial: this.#constant(true),
      condition: this.#invoke('@not_strictly_false', this.#result()),
      step: this.#invoke('_&&_', this.#result(), ...rest),
    })
  }

  exists(target: Expr, args: readonly Expr[], variables: Variables): Expr {
    const { rest, ...loop } = this.#loop(args, variables)
    return this.#fold(target, loop, {
      initial: this.#constant(false),
      condition: this.#invoke('@not_strictly_false', this.#invoke('!_', this.#result())),
      step: this.#invoke('_||_', this.#result(), ...rest),
    })
  }

  existsOne(target: Expr, args: readonly Expr[], variables: Variables): Expr {
    const { rest, ...loop } = this.#loop(args, variables)
    return this.#fold(target, loop, {
      initial: this.#constant(0n),
      condition: this.#constant(true),
      step: this.#invoke('_?_:_', ...rest, this.#invoke('_+_', this.#result(), this.#constant(1n)), this.#result()),
      result: this.#invoke('_==_', this.#result(), this.#constant(1n)),
    })
  }

  map(target: Expr, args: readonly Expr[], variables: Variables): Expr {
    const { rest, ...loop } = this.#loop(args, variables)
    const transform = rest.at(-1)
    const add = this.#invoke('_+_', this.#result(), this.#list(transform === undefined ? [] : [transform]))
    return this.#fold(target, loop, { initial: this.#list([]), condition: this.#constant(true), step: this.#filtered(rest, add) })
  }

  filter(target: Expr, args: readonly Expr[]): Expr {
    const { rest, ...loop } = this.#loop(args, one)
    const add = this.#invoke('_+_', this.#result(), this.#list([this.#ident(loop.variable)]))
    const step = this.#invoke('_?_:_', ...rest, add, this.#result())
    return this.#fold(target, loop, { initial: this.#list([]), condition: this.#constant(true), step })
  }

  transformMap(target: Expr, args: readonly Expr[], byKey: boolean): Expr {
    const { rest, ...loop } = this.#loop(args, two)
    const transform = rest.at(-1)
    const values = transform === undefined ? [] : [transform]
    const insert = this.#invoke('cel.@mapInsert', this.#result(), ...(byKey ? [this.#ident(loop.variable)] : []), ...values)
    const initial: Expr = { kind: 'map', ...this.#node(), entries: [] satisfies MapEntryExpr[] }
    return this.#fold(target, loop, { initial, condition: this.#constant(true), step: this.#filtered(rest, insert) })
  }

  /** `optMap` wraps what comes out, `optFlatMap` expects an optional. */
  optionalMap(target: Expr, args: readonly Expr[], wrap: boolean): Expr {
    const [variable, body] = args
    const name = this.#simpleName(variable, `${this.#call.name}() variable name must be a simple identifier`)
    const inner = this.#bind(name, this.#method('value', target), body ?? target)
    const some = wrap ? this.#method('of', this.#ident('optional'), inner) : inner
    return this.#invoke('_?_:_', this.#method('hasValue', target), some, this.#method('none', this.#ident('optional')))
  }

  sortBy(target: Expr, args: readonly Expr[]): Expr {
    const input = '@__sortBy_input__'
    const keys = this.map(this.#ident(input), args, one)
    return this.#bind(input, target, this.#method('@sortByAssociatedKeys', this.#ident(input), keys))
  }

  /** With a filter before the transformation, what does not pass leaves the result as it is. */
  #filtered(rest: readonly Expr[], step: Expr): Expr {
    const [filter] = rest
    return rest.length < 2 || filter === undefined ? step : this.#invoke('_?_:_', filter, step, this.#result())
  }

  #loop(args: readonly Expr[], { variables }: Variables): Loop {
    const isQuantifier = variables === 2 || /^(?:all|exists)/.test(this.#call.name)
    const variable = this.#simpleName(args[0], isQuantifier ? 'argument must be a simple name' : 'argument is not an identifier')
    if (variables === 1) return { variable, second: undefined, rest: args.slice(1) }
    const second = this.#simpleName(args[1], 'argument must be a simple name')
    if (variable === second) this.#factory.problem(args[1]?.at ?? this.#call.at, `duplicate variable name: ${variable}`)
    return { variable, second, rest: args.slice(2) }
  }

  #simpleName(expr: Expr | undefined, problem: string): string {
    if (expr?.kind === 'ident' && !expr.name.startsWith('.')) return expr.name
    this.#factory.problem(expr?.at ?? this.#call.at, problem)
    return unused
  }

  #fold(
    range: Expr,
    loop: { readonly variable: string; readonly second: string | undefined },
    parts: { readonly initial: Expr; readonly condition: Expr; readonly step: Expr; readonly result?: Expr },
  ): Expr {
    return { kind: 'fold', ...this.#node(), range, ...loop, accumulator, ...parts, result: parts.result ?? this.#result() }
  }

  bind([name, value, body]: readonly Expr[]): Expr {
    if (name?.kind !== 'ident') this.#factory.problem(name?.at ?? this.#call.at, 'cel.bind() variable names must be simple identifiers')
    return this.#bind(name?.kind === 'ident' ? name.name : unused, value ?? this.#result(), body ?? this.#result())
  }

  /** Gives a value a name within a body: a loop over nothing. */
  #bind(name: string, value: Expr, body: Expr): Expr {
    return {
      kind: 'fold',
      ...this.#node(),
      range: this.#list([]),
      variable: unused,
      second: undefined,
      accumulator: name,
      initial: value,
      condition: this.#constant(false),
      step: this.#ident(name),
      result: body,
    }
  }

  #node(): { readonly id: number; readonly at: number } {
    return { id: this.#factory.id(), at: this.#call.at }
  }

  #constant(value: Constant): Expr {
    return { kind: 'const', ...this.#node(), value }
  }

  #ident(name: string): IdentExpr {
    return { kind: 'ident', ...this.#node(), name }
  }

  #result(): Expr {
    return this.#ident(accumulator)
  }

  #list(items: readonly Expr[]): Expr {
    return { kind: 'list', ...this.#node(), items, optional: new Set() }
  }

  #invoke(name: string, ...args: readonly Expr[]): Expr {
    return { kind: 'call', ...this.#node(), name, target: undefined, args }
  }

  #method(name: string, target: Expr, ...args: readonly Expr[]): Expr {
    return { kind: 'call', ...this.#node(), name, target, args }
  }
}
