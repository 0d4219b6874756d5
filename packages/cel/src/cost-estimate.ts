import type { CallExpr, Expr, FoldExpr } from './ast.ts'
import type { Checked, CheckEnvironment } from './checker.ts'
import { checkCost, listCost, mapCost, structCost } from './runtime-cost.ts'
import { sameType } from './types.ts'
import type { Type } from './types.ts'

/** From and to; `unbounded` stands for everything that cannot be reckoned. */
export interface CostRange {
  readonly min: number
  readonly max: number
}

export const unbounded = 2 ** 64

const perCharacter = 0.1
const perPatternCharacter = 0.25
const maxFormatPattern = 128
const maxFormatSize = 64

const fixed = (cost: number): CostRange => ({ min: cost, max: cost })
const one = fixed(1)
const none = fixed(0)
const cap = (value: number): number => (value >= unbounded ? unbounded : value)
const plus = (...parts: readonly CostRange[]): CostRange => {
  let [min, max] = [0, 0]
  for (const part of parts) {
    min = cap(min + part.min)
    max = cap(max + part.max)
  }
  return { min, max }
}
const times = (a: CostRange, b: CostRange): CostRange => ({ min: multiply(a.min, b.min), max: multiply(a.max, b.max) })
const multiply = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : cap(a * b))
const scale = (range: CostRange, factor: number): CostRange => ({ min: cap(Math.ceil(range.min * factor)), max: cap(Math.ceil(range.max * factor)) })
const union = (a: CostRange, b: CostRange): CostRange => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) })
const unknown: CostRange = { min: 0, max: unbounded }

/** What an evaluation costs at least and at most, from the sizes in the types of its variables. Upstream: cel-go checker/cost.go and k8s.io/apiserver pkg/cel/library/cost.go. */
export function estimateCost(checked: Checked, environment: CheckEnvironment): CostRange {
  return new Estimator(checked, environment).cost(checked.expr)
}

type Path = readonly string[]

interface EntrySize {
  readonly container: 'list' | 'map'
  readonly key: CostRange
  readonly value: CostRange
}

interface Local {
  readonly path: Path
  readonly size: CostRange | undefined
  readonly entry: EntrySize | undefined
}

/** A node as the costs of functions see it. */
interface Operand {
  readonly expr: Expr | undefined
  readonly path: Path
  readonly type: Type
  readonly size: CostRange | undefined
}

interface CallEstimate {
  readonly cost: CostRange
  readonly size?: CostRange | undefined
}

class Estimator {
  readonly #checked: Checked
  readonly #environment: CheckEnvironment
  readonly #paths = new Map<number, Path>()
  readonly #sizes = new Map<number, CostRange>()
  readonly #entries = new Map<number, EntrySize>()
  readonly #locals = new Map<string, Local[]>()

  constructor(checked: Checked, environment: CheckEnvironment) {
    this.#checked = checked
    this.#environment = environment
  }

  cost(expr: Expr): CostRange {
    switch (expr.kind) {
      case 'const':
        return none
      case 'ident':
        this.#paths.set(expr.id, this.#local(expr.name)?.path ?? [expr.name])
        return one
      case 'select': {
        if (this.#checked.names.has(expr.id)) return one
        const operand = this.cost(expr.operand)
        if (expr.test) return operand
        const kind = this.#typeOf(expr.operand).kind
        this.#paths.set(expr.id, [...this.#pathOf(expr.operand), expr.field])
        return kind === 'map' || kind === 'object' || kind === 'param' ? plus(operand, one) : operand
      }
      case 'call':
        return this.#call(expr)
      case 'list': {
        let size: CostRange = { min: expr.items.length === 0 ? 0 : unbounded, max: 0 }
        const costs = expr.items.map((item) => {
          const cost = this.cost(item)
          size = union(size, this.#sizeOr(item))
          return cost
        })
        this.#entries.set(expr.id, { container: 'list', key: one, value: size })
        return plus(...costs, fixed(listCost))
      }
      case 'map': {
        const start = { min: expr.entries.length === 0 ? 0 : unbounded, max: 0 }
        let [key, value]: CostRange[] = [start, start]
        const costs = expr.entries.map((entry) => {
          const cost = plus(this.cost(entry.key), this.cost(entry.value))
          key = union(key ?? start, this.#sizeOr(entry.key))
          value = union(value ?? start, this.#sizeOr(entry.value))
          return cost
        })
        this.#entries.set(expr.id, { container: 'map', key: key ?? start, value: value ?? start })
        return plus(...costs, fixed(mapCost))
      }
      case 'struct':
        return plus(...expr.fields.map((field) => this.cost(field.value)), fixed(structCost))
      case 'fold':
        return isBind(expr) ? this.#bind(expr) : this.#fold(expr)
    }
  }

  #typeOf(expr: Expr): Type {
    return this.#checked.types.get(expr.id) ?? { kind: 'dyn' }
  }

  #local(name: string): Local | undefined {
    return this.#locals.get(name)?.at(-1)
  }

  #push(name: string, local: Local): void {
    const stack = this.#locals.get(name) ?? []
    stack.push(local)
    this.#locals.set(name, stack)
  }

  #pop(name: string): void {
    this.#locals.get(name)?.pop()
  }

  #pathOf(expr: Expr): Path {
    const local = expr.kind === 'ident' ? this.#local(expr.name) : undefined
    return local?.path ?? this.#paths.get(expr.id) ?? []
  }

  #sizeOr(expr: Expr): CostRange {
    return this.#size(expr) ?? unknown
  }

  #size(expr: Expr): CostRange | undefined {
    const computed = this.#sizes.get(expr.id)
    if (computed !== undefined) return computed
    const written = writtenSize(expr)
    if (written !== undefined) return written
    const type = this.#typeOf(expr)
    const declared = this.#declaredSize(this.#pathOf(expr))
    if (declared !== undefined) {
      this.#sizes.set(expr.id, declared)
      return declared
    }
    if (isScalar(type)) return one
    return expr.kind === 'ident' ? this.#local(expr.name)?.size : undefined
  }

  /** The size that the schema gives to what is at a path that starts with a variable. */
  #declaredSize(path: Path): CostRange | undefined {
    const [first, ...rest] = path
    if (first === undefined || isAccumulator(first)) return undefined
    // Upstream starts at the rule's own type whatever the variable is called.
    let type = this.#environment.variables.get(first) ?? this.#environment.variables.get('self')
    for (const step of rest) {
      if (type === undefined) return undefined
      if (step === '@items' || step === '@values') type = type.kind === 'list' || type.kind === 'map' ? type.of : undefined
      else if (step === '@keys') type = type.kind === 'map' ? type.key : undefined
      else type = type.kind === 'object' ? type.fields.get(step)?.type : undefined
    }
    if (type?.maxElements === undefined && type?.kind !== 'object') return undefined
    return { min: 0, max: type.maxElements ?? 0 }
  }

  #entry(expr: Expr): EntrySize | undefined {
    const computed = this.#entries.get(expr.id)
    if (computed !== undefined) return computed
    return expr.kind === 'ident' ? this.#local(expr.name)?.entry : undefined
  }

  #operand(expr: Expr): Operand {
    const path = this.#pathOf(expr)
    const [first] = path
    return { expr, path: first !== undefined && isAccumulator(first) ? [] : path, type: this.#typeOf(expr), size: this.#size(expr) }
  }

  #fold(expr: FoldExpr): CostRange {
    const range = this.cost(expr.range)
    const initial = this.cost(expr.initial)
    this.#push(expr.accumulator, { path: this.#pathOf(expr.initial), size: this.#size(expr.initial), entry: this.#entry(expr.initial) })
    this.#pushLoop(expr)
    const condition = this.cost(expr.condition)
    const step = this.cost(expr.step)
    this.#pop(expr.variable)
    if (expr.second !== undefined) this.#pop(expr.second)
    const result = this.cost(expr.result)
    this.#pop(expr.accumulator)
    const count = this.#sizeOr(expr.range)
    if (expr.initial.kind === 'const') {
      const size = this.#size(expr.initial)
      if (size !== undefined) this.#sizes.set(expr.id, size)
    } else if (expr.initial.kind === 'list' || expr.initial.kind === 'map') {
      this.#sizes.set(expr.id, count)
      const entry = this.#entry(expr.step)
      if (entry !== undefined) this.#entries.set(expr.id, entry)
    }
    return plus(range, initial, result, times(count, plus(step, condition)))
  }

  #pushLoop(expr: FoldExpr): void {
    const entry = this.#entry(expr.range)
    const container = entry?.container ?? this.#typeOf(expr.range).kind
    const path = this.#pathOf(expr.range)
    const isList = container === 'list'
    if (expr.second === undefined) {
      this.#push(expr.variable, { path: [...path, isList ? '@items' : '@keys'], size: isList ? entry?.value : entry?.key, entry: undefined })
      return
    }
    this.#push(expr.variable, { path: [...path, isList ? '@indices' : '@keys'], size: entry?.key, entry: undefined })
    this.#push(expr.second, { path: [...path, isList ? '@items' : '@values'], size: entry?.value, entry: undefined })
  }

  #bind(expr: FoldExpr): CostRange {
    const range = this.cost(expr.range)
    const initial = this.cost(expr.initial)
    this.#push(expr.accumulator, { path: this.#pathOf(expr.initial), size: this.#size(expr.initial), entry: this.#entry(expr.initial) })
    const result = this.cost(expr.result)
    this.#pop(expr.accumulator)
    this.#copySizes(expr, expr.result)
    return plus(range, initial, result)
  }

  #copySizes(to: Expr, from: Expr): void {
    const size = this.#size(from)
    if (size !== undefined) this.#sizes.set(to.id, size)
    const entry = this.#entry(from)
    if (entry !== undefined) this.#entries.set(to.id, entry)
  }

  #call(expr: CallExpr): CostRange {
    const [first] = expr.args
    if (expr.name === 'dyn' && first !== undefined) {
      const cost = plus(one, this.cost(first))
      this.#copySizes(expr, first)
      return cost
    }
    const isNamespaced = this.#checked.names.has(expr.id)
    const argCosts = expr.args.map((arg) => this.cost(arg))
    const args = expr.args.map((arg) => this.#operand(arg))
    const overloads = this.#checked.overloads.get(expr.id) ?? []
    if (overloads.length === 0) return expr.name === '_?._' ? plus(...argCosts, one) : none
    const receiver = isNamespaced ? undefined : expr.target
    const targetCost = receiver === undefined ? none : this.cost(receiver)
    const target = receiver === undefined ? undefined : this.#operand(receiver)
    let cost: CostRange | undefined
    let size: CostRange | undefined
    const name = this.#checked.names.get(expr.id) ?? expr.name
    for (const { id } of overloads) {
      const estimate = this.#function({ expr, name, overload: id, target, args, argCosts })
      cost = cost === undefined ? estimate.cost : union(cost, estimate.cost)
      if (estimate.size !== undefined) size = size === undefined ? estimate.size : union(size, estimate.size)
      if (first !== undefined && (id === 'index_list' || id === 'index_map')) {
        size = this.#entry(first)?.value ?? size
        this.#paths.set(expr.id, [...this.#pathOf(first), id === 'index_list' ? '@items' : '@values'])
      }
      size ??= this.#size(expr)
    }
    if (size !== undefined) this.#sizes.set(expr.id, size)
    return plus(targetCost, cost ?? none)
  }

  #function(call: Call): CallEstimate {
    const argSum = plus(...call.argCosts)
    const own = this.#kubernetes(call) ?? this.#lists(call)
    if (own !== undefined) return { ...own, cost: plus(own.cost, argSum) }
    return this.#language(call, argSum)
  }

  #sizeOfOperand(operand: Operand | undefined): CostRange {
    if (operand === undefined) return unknown
    return operand.size ?? this.#declaredSize(operand.path) ?? unknown
  }

  /** The functions of Kubernetes' own libraries and of the string library. */
  #kubernetes({ name, overload, target, args }: Call): CallEstimate | undefined {
    const [first, second] = args
    switch (name) {
      case 'check':
        return { cost: fixed(checkCost) }
      case 'fieldSelector':
      case 'labelSelector': {
        const length = this.#sizeOfOperand(first)
        return { cost: plus(fixed(listCost), scale(length, perCharacter), scale(scale(length, 0.5), listCost + structCost)) }
      }
      case 'isSorted':
      case 'sum':
      case 'max':
      case 'min':
      case 'indexOf':
      case 'lastIndexOf':
        return target === undefined ? undefined : { cost: this.#traversal(target) }
      case 'url':
      case 'jsonpatch.escapeKey': {
        const size = this.#sizeOfOperand(first)
        return { cost: scale(size, perCharacter), size }
      }
      case 'lowerAscii':
      case 'upperAscii':
      case 'substring':
      case 'trim': {
        const size = this.#sizeOfOperand(target)
        return { cost: scale(size, perCharacter), size }
      }
      case 'replace':
        return this.#replace(this.#sizeOfOperand(target), this.#sizeOfOperand(first), this.#sizeOfOperand(second))
      case 'split': {
        const size = this.#sizeOfOperand(target)
        const limit = second?.expr?.kind === 'const' && typeof second.expr.value === 'bigint' ? Number(BigInt.asUintN(64, second.expr.value)) : size.max
        return { cost: scale(size, 2 * perCharacter), size: { min: 0, max: limit } }
      }
      case 'join':
        return target === undefined ? undefined : this.#join(target, first)
      case 'find':
      case 'findAll': {
        const size = this.#sizeOfOperand(target)
        const cost = times(scale(plus(size, one), perCharacter), scale(this.#sizeOfOperand(first), perPatternCharacter))
        return { cost, size: { min: 0, max: size.max } }
      }
      case 'cidr':
      case 'isIP':
      case 'isCIDR':
      case 'quantity':
      case 'isQuantity':
      case 'semver':
      case 'isSemver':
        return { cost: scale(this.#sizeOfOperand(first), perCharacter) }
      case 'ip':
        return { cost: overload === 'cidr_ip' ? one : scale(this.#sizeOfOperand(first), perCharacter) }
      case 'ip.isCanonical':
        return { cost: scale(this.#sizeOfOperand(first), 2 * perCharacter) }
      case 'containsIP':
      case 'containsCIDR': {
        const size = { min: 4, max: 16 }
        const parts = [scale(plus(size, size), perCharacter)]
        if (name === 'containsCIDR') parts.push(scale(size, perCharacter), one)
        if (overload.endsWith('_string')) parts.push(scale(this.#sizeOfOperand(first), perCharacter))
        return { cost: plus(...parts) }
      }
      case 'validate':
        return { cost: scale(scale(this.#sizeOfOperand(first), perCharacter), maxFormatPattern * perPatternCharacter) }
      case '_==_':
        return first === undefined || second === undefined ? undefined : hostEquality(first.type, second.type)
      default:
        return undefined
    }
  }

  #itemsOf(list: Operand): Operand | undefined {
    const { type } = list
    const of = type.kind === 'list' ? type.of : type.kind === 'map' ? type.key : type.kind === 'opaque' ? type.params[0] : undefined
    return of === undefined ? undefined : { expr: undefined, path: list.path.length === 0 ? [] : [...list.path, '@items'], type: of, size: undefined }
  }

  #traversal(target: Operand): CostRange {
    const items = this.#itemsOf(target)
    if (items === undefined) return scale(this.#sizeOfOperand(target), perCharacter)
    const isText = items.type.kind === 'string' || items.type.kind === 'bytes'
    return times(this.#sizeOfOperand(target), isText ? plus(one, scale(this.#sizeOfOperand(items), perCharacter)) : one)
  }

  #join(target: Operand, separator: Operand | undefined): CallEstimate {
    const count = this.#sizeOfOperand(target)
    const items = this.#itemsOf(target)
    let size = items === undefined ? none : times(count, this.#sizeOfOperand(items))
    if (separator !== undefined) {
      const separators = { min: Math.max(0, count.min - 1), max: Math.max(0, count.max - 1) }
      size = plus(size, times(this.#sizeOfOperand(separator), separators))
    }
    return { cost: scale(size, perCharacter), size }
  }

  #replace(size: CostRange, part: CostRange, by: CostRange): CallEstimate {
    const [longest, keptLongest] = part.min === 0 ? [size.max + 1, size.max] : by.max <= part.min ? [0, size.max] : [Math.ceil(size.max / part.min), 0]
    const [shortest, keptShortest] = part.max === 0 ? [size.min + 1, size.min] : part.max <= by.min ? [0, size.min] : [Math.ceil(size.min / part.max), 0]
    const result = plus(times({ min: cap(shortest), max: cap(longest) }, by), { min: keptShortest, max: keptLongest })
    return { cost: scale(size, 2 * perCharacter), size: result }
  }

  /** The list and set libraries of the language. */
  #lists({ overload, target, args }: Call): CallEstimate | undefined {
    const [first, second] = args
    const size = this.#sizeOfOperand(target)
    const allocating = (factor: number, result: CostRange): CallEstimate => ({ cost: plus(scale(result, factor), one, fixed(listCost)), size: result })
    if (overload.endsWith('_sort')) return allocating(sortFactor(overload), times(size, size))
    if (overload.endsWith('_sortByAssociatedKeys')) {
      const keys = this.#sizeOfOperand(first)
      return allocating(sortFactor(overload), times(keys, keys))
    }
    switch (overload) {
      case 'list_slice':
        return allocating(1, fixed(Math.max(0, literalInt(second, size.max) - literalInt(first, 0))))
      case 'lists_range':
        return allocating(1, fixed(literalInt(first, unbounded)))
      case 'list_reverse':
        return allocating(1, size)
      case 'list_flatten':
        return allocating(1, size)
      case 'list_flatten_int':
        return allocating(literalInt(first, unbounded), size)
      case 'list_distinct':
        return allocating(2, times(size, size))
      case 'list_sets_contains_list':
      case 'list_sets_intersects_list':
      case 'list_sets_equivalent_list': {
        const pairs = times(this.#sizeOfOperand(first), this.#sizeOfOperand(second))
        return { cost: plus(scale(pairs, overload === 'list_sets_equivalent_list' ? 2 : 1), one) }
      }
      default:
        return undefined
    }
  }

  #language({ expr, overload, target, args, argCosts }: Call, argSum: CostRange): CallEstimate {
    const [first, second, third] = args
    const sizeOf = (operand: Operand | undefined): CostRange => operand?.size ?? unknown
    switch (overload) {
      case 'string_format':
        return { cost: plus(scale(sizeOf(target), perCharacter), argSum) }
      case 'string_to_bytes':
        return { cost: plus(scale(sizeOf(first), perCharacter), argSum), size: { min: sizeOf(first).min, max: cap(sizeOf(first).max * 4) } }
      case 'bytes_to_string':
        return { cost: plus(scale(sizeOf(first), perCharacter), argSum), size: { min: Math.floor(sizeOf(first).min / 4), max: sizeOf(first).max } }
      case 'strings_quote':
        return { cost: plus(scale(sizeOf(first), perCharacter), argSum), size: { min: sizeOf(first).min + 2, max: cap(sizeOf(first).max * 2 + 2) } }
      case 'starts_with_string':
      case 'ends_with_string':
        return { cost: plus(scale(sizeOf(first), perCharacter), argSum) }
      case 'in_list':
        return { cost: plus(sizeOf(second), argSum) }
      case 'matches_string':
        return { cost: plus(times(scale(plus(sizeOf(target), one), perCharacter), scale(sizeOf(first), perPatternCharacter)), argSum) }
      case 'contains_string':
        return { cost: plus(times(scale(sizeOf(target), perCharacter), scale(sizeOf(first), perCharacter)), argSum) }
      case 'logical_and':
      case 'logical_or': {
        const [left = none, right = none] = argCosts
        return { cost: { min: left.min, max: plus(left, right).max } }
      }
      case 'conditional': {
        const [condition = none, yes = none, no = none] = argCosts
        const entry = unionEntries(second?.expr && this.#entry(second.expr), third?.expr && this.#entry(third.expr))
        if (entry !== undefined) this.#entries.set(expr.id, entry)
        return { cost: plus(condition, union(yes, no)), size: union(sizeOf(second), sizeOf(third)) }
      }
      case 'add_string':
      case 'add_bytes':
      case 'add_list': {
        const size = plus(sizeOf(first), sizeOf(second))
        const entry = unionEntries(first?.expr && this.#entry(first.expr), second?.expr && this.#entry(second.expr))
        if (entry !== undefined) this.#entries.set(expr.id, entry)
        return { cost: plus(overload === 'add_list' ? one : scale(size, perCharacter), argSum), size }
      }
      default:
        if (!isComparison(overload)) return { cost: plus(one, argSum) }
    }
    const smallest = Math.min(sizeOf(first).max, sizeOf(second).max)
    return { cost: plus(scale({ min: smallest > 0 ? 1 : 0, max: smallest }, perCharacter), argSum) }
  }
}

interface Call {
  readonly expr: CallExpr
  readonly name: string
  readonly overload: string
  readonly target: Operand | undefined
  readonly args: readonly Operand[]
  readonly argCosts: readonly CostRange[]
}

function isComparison(overload: string): boolean {
  return overload === 'equals' || overload === 'not_equals' || /^(?:less|greater)(?:_equals)?_(?:string|bytes)$/.test(overload)
}

function hostEquality(a: Type, b: Type): CallEstimate | undefined {
  if (!sameType(a, b) || a.kind !== 'opaque') return undefined
  if (a.name === 'kubernetes.NamedFormat') return { cost: scale({ min: 1, max: maxFormatSize }, perCharacter) }
  if (a.name === 'optional_type') return undefined
  return { cost: one }
}

function unionEntries(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  return a === undefined || b === undefined ? undefined : { container: a.container, key: union(a.key, b.key), value: union(a.value, b.value) }
}

function sortFactor(overload: string): number {
  return overload.startsWith('list_string') || overload.startsWith('list_bytes') ? 2 + perCharacter : 2
}

function literalInt(operand: Operand | undefined, otherwise: number): number {
  return operand?.expr?.kind === 'const' && typeof operand.expr.value === 'bigint' ? Number(operand.expr.value) : otherwise
}

function isBind(expr: FoldExpr): boolean {
  return (
    expr.range.kind === 'list' &&
    expr.range.items.length === 0 &&
    expr.condition.kind === 'const' &&
    expr.condition.value === false &&
    expr.accumulator !== '@result'
  )
}

function isAccumulator(name: string): boolean {
  return name === '@result'
}

function writtenSize(expr: Expr): CostRange | undefined {
  if (expr.kind === 'list') return fixed(expr.items.length)
  if (expr.kind === 'map') return fixed(expr.entries.length)
  if (expr.kind !== 'const') return undefined
  if (typeof expr.value === 'string') return fixed(Array.from(expr.value).length)
  return fixed(expr.value instanceof Uint8Array ? expr.value.length : 1)
}

/** Of one size whatever its value. */
function isScalar(type: Type): boolean {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (type.kind) {
    case 'bool':
    case 'double':
    case 'duration':
    case 'int':
    case 'timestamp':
    case 'uint':
      return true
    case 'opaque': {
      const [of] = type.params
      return type.name === 'optional_type' && of !== undefined && isScalar(of)
    }
    default:
      return false
  }
}
