/** The syntax tree that the parser makes, macros expanded. `id` is unique within an expression; `at` is the offset of the token that names the node, in code points. */
export type Expr = ConstExpr | IdentExpr | SelectExpr | CallExpr | ListExpr | MapExpr | StructExpr | FoldExpr

interface Node {
  readonly id: number
  readonly at: number
}

export interface ConstExpr extends Node {
  readonly kind: 'const'
  readonly value: Constant
}

/** int, double, string, bool and null are JavaScript's own; unsigned numbers and bytes are wrapped. */
export type Constant = bigint | number | string | boolean | null | Uint8Array | { readonly uint: bigint }

export interface IdentExpr extends Node {
  readonly kind: 'ident'
  readonly name: string
}

export interface SelectExpr extends Node {
  readonly kind: 'select'
  readonly operand: Expr
  readonly field: string
  /** `has(operand.field)`. */
  readonly test: boolean
}

export interface CallExpr extends Node {
  readonly kind: 'call'
  readonly name: string
  readonly target: Expr | undefined
  readonly args: readonly Expr[]
}

export interface ListExpr extends Node {
  readonly kind: 'list'
  readonly items: readonly Expr[]
  /** Indices of `?item`. */
  readonly optional: ReadonlySet<number>
}

export interface MapEntryExpr {
  readonly key: Expr
  readonly value: Expr
  readonly optional: boolean
}

export interface MapExpr extends Node {
  readonly kind: 'map'
  readonly entries: readonly MapEntryExpr[]
}

export interface StructField {
  readonly at: number
  readonly name: string
  readonly value: Expr
  readonly optional: boolean
}

export interface StructExpr extends Node {
  readonly kind: 'struct'
  readonly name: string
  readonly fields: readonly StructField[]
}

/** A comprehension: what `all`, `map` and the like expand to. */
export interface FoldExpr extends Node {
  readonly kind: 'fold'
  readonly range: Expr
  readonly variable: string
  readonly second: string | undefined
  readonly accumulator: string
  readonly initial: Expr
  readonly condition: Expr
  readonly step: Expr
  readonly result: Expr
}

/** A tree's nodes, each before what is in it. */
export function* nodes(expr: Expr): Generator<Expr> {
  yield expr
  switch (expr.kind) {
    case 'select':
      yield* nodes(expr.operand)
      break
    case 'call':
      if (expr.target !== undefined) yield* nodes(expr.target)
      for (const arg of expr.args) yield* nodes(arg)
      break
    case 'list':
      for (const item of expr.items) yield* nodes(item)
      break
    case 'map':
      for (const { key, value } of expr.entries) {
        yield* nodes(key)
        yield* nodes(value)
      }
      break
    case 'struct':
      for (const { value } of expr.fields) yield* nodes(value)
      break
    case 'fold':
      for (const part of [expr.range, expr.initial, expr.condition, expr.step, expr.result]) yield* nodes(part)
      break
    case 'const':
    case 'ident':
      break
  }
}
