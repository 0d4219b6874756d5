import type { CallExpr, Expr, FoldExpr, ListExpr, MapExpr, SelectExpr, StructExpr } from './ast.ts'
import type { FunctionDecl, Library, Overload } from './overloads.ts'
import type { Issue } from './source.ts'
import { mostGeneral, TypeUnifier } from './type-unifier.ts'
import {
  boolType,
  bytesType,
  doubleType,
  dynType,
  errorType,
  formatType,
  intType,
  listType,
  mapType,
  nullType,
  optionalOf,
  optionalType,
  sameType,
  stringType,
  uintType,
} from './types.ts'
import type { Type } from './types.ts'

/** What the checker has found out about an expression, by the ids of its nodes. */
export interface Checked {
  readonly expr: Expr
  readonly types: ReadonlyMap<number, Type>
  /** The ways in which a call may be meant. More than one where arguments are dynamic. */
  readonly overloads: ReadonlyMap<number, readonly Overload[]>
  /** Calls of a function with dots in its name, and variables with dots: the name as a whole. */
  readonly names: ReadonlyMap<number, string>
  readonly result: Type
  readonly issues: readonly Issue[]
}

export interface CheckEnvironment {
  readonly variables: ReadonlyMap<string, Type>
  readonly library: Library
  /** Object types that an expression can make by name: `Object.spec{…}`. */
  readonly structNamed: (name: string) => (Type & { readonly kind: 'object' }) | undefined
}

/** Types that an expression can name as values. */
export const typeIdentifiers: ReadonlyMap<string, Type> = new Map<string, Type>([
  ['bool', boolType],
  ['int', intType],
  ['uint', uintType],
  ['double', doubleType],
  ['string', stringType],
  ['bytes', bytesType],
  ['null_type', nullType],
  ['list', listType(dynType)],
  ['map', mapType(dynType, dynType)],
  ['type', { kind: 'type', of: undefined }],
  ['google.protobuf.Timestamp', { kind: 'timestamp' }],
  ['google.protobuf.Duration', { kind: 'duration' }],
  ['optional_type', { kind: 'opaque', name: 'optional_type', params: [dynType] }],
  ['net.IP', { kind: 'opaque', name: 'net.IP', params: [] }],
  ['net.CIDR', { kind: 'opaque', name: 'net.CIDR', params: [] }],
  ['kubernetes.Quantity', { kind: 'opaque', name: 'kubernetes.Quantity', params: [] }],
  ['kubernetes.Semver', { kind: 'opaque', name: 'kubernetes.Semver', params: [] }],
  ['kubernetes.URL', { kind: 'opaque', name: 'kubernetes.URL', params: [] }],
  ['kubernetes.NamedFormat', { kind: 'opaque', name: 'kubernetes.NamedFormat', params: [] }],
])

/** Gives every node of an expression a type and every call its meaning. Upstream: cel-go checker/checker.go. */
export function check(expr: Expr, environment: CheckEnvironment): Checked {
  const checker = new Checker(environment)
  return checker.run(expr)
}

class Checker {
  readonly #environment: CheckEnvironment
  readonly #types = new Map<number, Type>()
  readonly #overloads = new Map<number, readonly Overload[]>()
  readonly #names = new Map<number, string>()
  readonly #issues: Issue[] = []
  readonly #unifier = new TypeUnifier()
  readonly #scopes: Map<string, Type>[] = []

  constructor(environment: CheckEnvironment) {
    this.#environment = environment
  }

  run(expr: Expr): Checked {
    this.#check(expr)
    for (const [id, type] of this.#types) this.#types.set(id, this.#unifier.substitute(type, true))
    return {
      expr,
      types: this.#types,
      overloads: this.#overloads,
      names: this.#names,
      result: this.#types.get(expr.id) ?? errorType,
      issues: this.#issues,
    }
  }

  #problem(at: number, message: string): void {
    this.#issues.push({ at, message })
  }

  #typeOf(expr: Expr): Type {
    return this.#types.get(expr.id) ?? errorType
  }

  #check(expr: Expr): Type {
    const type = this.#infer(expr)
    this.#types.set(expr.id, type)
    return type
  }

  #infer(expr: Expr): Type {
    switch (expr.kind) {
      case 'const':
        return constantType(expr.value)
      case 'ident':
        return this.#ident(expr)
      case 'select':
        return this.#select(expr)
      case 'call':
        return this.#call(expr)
      case 'list':
        return this.#list(expr)
      case 'map':
        return this.#map(expr)
      case 'struct':
        return this.#struct(expr)
      case 'fold':
        return this.#fold(expr)
    }
  }

  #lookup(name: string): Type | undefined {
    const plain = name.startsWith('.') ? name.slice(1) : name
    if (plain === name) {
      for (let i = this.#scopes.length - 1; i >= 0; i--) {
        const type = this.#scopes[i]?.get(name)
        if (type !== undefined) return type
      }
    }
    const declared = this.#environment.variables.get(plain)
    if (declared !== undefined) return declared
    const named = typeIdentifiers.get(plain) ?? this.#environment.structNamed(plain)
    return named === undefined ? undefined : { kind: 'type', of: named }
  }

  #ident(expr: Expr & { readonly kind: 'ident' }): Type {
    const type = this.#lookup(expr.name)
    if (type !== undefined) return type
    this.#problem(expr.at, `undeclared reference to '${expr.name.replace(/^\./, '')}' (in container '')`)
    return errorType
  }

  #select(expr: SelectExpr): Type {
    const qualified = qualifiedName(expr)
    if (qualified !== undefined && !this.#isLocal(qualified)) {
      const type = this.#lookup(qualified)
      if (type !== undefined) {
        this.#names.set(expr.id, qualified)
        return type
      }
    }
    const type = this.#selectField(expr, expr.operand, { field: expr.field, optional: false })
    return expr.test ? boolType : this.#unifier.substitute(type)
  }

  #isLocal(qualified: string): boolean {
    const first = qualified.split('.')[0] ?? ''
    return this.#scopes.some((scope) => scope.has(first))
  }

  #selectField(expr: Expr, operand: Expr, { field, optional }: { readonly field: string; readonly optional: boolean }): Type {
    const operandType = this.#unifier.substitute(this.#check(operand))
    const inner = optionalOf(operandType)
    const target = inner ?? operandType
    const result = this.#fieldType(expr, target, field)
    return inner !== undefined || optional ? optionalType(result) : result
  }

  #fieldType(expr: Expr, target: Type, field: string): Type {
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
    switch (target.kind) {
      case 'map':
        return target.of
      case 'object': {
        const found = target.fields.get(field)
        if (found !== undefined) return found.type
        this.#problem(expr.at, `undefined field '${field}'`)
        return errorType
      }
      case 'param':
        this.#unifier.isAssignable(dynType, target)
        return dynType
      case 'dyn':
      case 'error':
        return dynType
      case 'opaque':
        // Upstream takes Kubernetes' own types for structs, and then does not find them.
        if (target.name.startsWith('kubernetes.')) {
          this.#problem(expr.at, `unexpected failed resolution of '${target.name}'`)
          return errorType
        }
        this.#problem(expr.at, `type '${formatType(target)}' does not support field selection`)
        return dynType
      default:
        this.#problem(expr.at, `type '${formatType(target)}' does not support field selection`)
        return dynType
    }
  }

  #call(expr: CallExpr): Type {
    const { name, target, args } = expr
    const [first, second] = args
    if (name === '_?._' && first !== undefined && second?.kind === 'const' && typeof second.value === 'string') {
      return this.#unifier.substitute(this.#selectField(expr, first, { field: second.value, optional: true }))
    }
    for (const arg of args) this.#check(arg)
    const { library } = this.#environment
    if (target === undefined) {
      const plain = name.replace(/^\./, '')
      const declared = library.get(plain)
      if (declared !== undefined) return this.#resolve(expr, declared, undefined)
      this.#problem(expr.at, `undeclared reference to '${plain}' (in container '')`)
      return errorType
    }
    const prefix = qualifiedName(target)
    const namespaced = prefix === undefined ? undefined : library.get(`${prefix.replace(/^\./, '')}.${name}`)
    if (namespaced !== undefined) {
      this.#names.set(expr.id, namespaced.name)
      return this.#resolve(expr, namespaced, undefined)
    }
    this.#check(target)
    const declared = library.get(name)
    if (declared !== undefined) return this.#resolve(expr, declared, target)
    this.#problem(expr.at, `undeclared reference to '${name}' (in container '')`)
    return errorType
  }

  #resolve(expr: CallExpr, declared: FunctionDecl, target: Expr | undefined): Type {
    const given = target === undefined ? expr.args : [target, ...expr.args]
    const argTypes = given.map((arg) => this.#typeOf(arg))
    if (declared.name === '_&&_' || declared.name === '_||_') return this.#logical(expr, argTypes, declared)
    let result: Type | undefined
    const matching: Overload[] = []
    for (const overload of declared.overloads) {
      if (overload.isMember !== (target !== undefined)) continue
      const { params, result: resultType } = this.#instantiate(overload)
      if (!this.#unifier.areAssignable(argTypes, params)) continue
      matching.push(overload)
      const type = this.#unifier.substitute(resultType)
      if (result === undefined) result = type
      else if (result.kind !== 'dyn' && !sameType(type, result)) result = dynType
    }
    if (result === undefined) {
      const types = argTypes.map((type) => formatType(this.#unifier.substitute(type, true)))
      const [receiver = '', ...rest] = types
      const signature = target === undefined ? `(${types.join(', ')})` : `${receiver}.(${rest.join(', ')})`
      this.#problem(expr.at, `found no matching overload for '${declared.name}' applied to '${signature}'`)
      return errorType
    }
    this.#overloads.set(expr.id, matching)
    return result
  }

  #logical(expr: CallExpr, argTypes: readonly Type[], declared: FunctionDecl): Type {
    let isWrong = false
    for (const [i, type] of argTypes.entries()) {
      if (this.#unifier.isAssignable(type, boolType)) continue
      isWrong = true
      this.#problem(expr.args[i]?.at ?? expr.at, `expected type 'bool' but found '${formatType(this.#unifier.substitute(type))}'`)
    }
    if (isWrong) return errorType
    this.#overloads.set(expr.id, declared.overloads)
    return boolType
  }

  #instantiate(overload: Overload): { readonly params: readonly Type[]; readonly result: Type } {
    if (overload.typeParams.length === 0) return overload
    const fresh = new Map(overload.typeParams.map((name) => [name, this.#unifier.fresh()]))
    const place = (type: Type): Type => {
      // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
      switch (type.kind) {
        case 'param':
          return fresh.get(type.name) ?? type
        case 'list':
          return listType(place(type.of))
        case 'map':
          return mapType(place(type.key), place(type.of))
        case 'opaque':
          return { ...type, params: type.params.map(place) }
        case 'type':
          return type.of === undefined ? type : { kind: 'type', of: place(type.of) }
        default:
          return type
      }
    }
    return { params: overload.params.map(place), result: place(overload.result) }
  }

  #list(expr: ListExpr): Type {
    let type: Type | undefined
    for (const [i, item] of expr.items.entries()) type = this.#join(type, this.#entry(item, expr.optional.has(i)))
    return listType(type ?? this.#unifier.fresh())
  }

  /** The type of an item, out of its optional where it stands as `?item`. */
  #entry(item: Expr, optional: boolean): Type {
    const type = this.#check(item)
    if (!optional) return type
    const inner = optionalOf(type)
    if (inner === undefined && type.kind !== 'dyn') {
      this.#problem(item.at, `expected type '${formatType(optionalType(type))}' but found '${formatType(type)}'`)
    }
    return inner ?? type
  }

  #join(before: Type | undefined, type: Type): Type {
    if (before === undefined) return type
    if (this.#unifier.isAssignable(before, type)) return mostGeneral(before, type)
    // Mixed literals are for `literalIssues` to refuse, which knows where they are allowed.
    return dynType
  }

  #map(expr: MapExpr): Type {
    let key: Type | undefined
    let value: Type | undefined
    for (const entry of expr.entries) {
      key = this.#join(key, this.#check(entry.key))
      value = this.#join(value, this.#entry(entry.value, entry.optional))
    }
    return mapType(key ?? this.#unifier.fresh(), value ?? this.#unifier.fresh())
  }

  #struct(expr: StructExpr): Type {
    const name = expr.name.replace(/^\./, '')
    const named = this.#lookup(expr.name)
    const struct = this.#environment.structNamed(name)
    if (named === undefined) this.#problem(expr.at, `undeclared reference to '${name}' (in container '')`)
    else if (named.kind !== 'type') this.#problem(expr.at, `'${formatType(named)}' is not a type`)
    else if (struct === undefined) this.#problem(expr.at, `'${formatType(named.of ?? named)}' is not a message type`)
    if (struct === undefined) return errorType
    for (const field of expr.fields) {
      const given = this.#entry(field.value, field.optional)
      const wanted = struct.fields.get(field.name)?.type
      if (wanted === undefined) this.#problem(field.at, `undefined field '${field.name}'`)
      else if (!this.#unifier.isAssignable(wanted, given)) {
        this.#problem(field.at, `expected type of field '${field.name}' is '${formatType(wanted)}' but provided type is '${formatType(given)}'`)
      }
    }
    return struct
  }

  #fold(expr: FoldExpr): Type {
    const range = this.#unifier.substitute((this.#check(expr.range), this.#typeOf(expr.range)))
    const initial = this.#check(expr.initial)
    const [first, second] = this.#loopTypes(expr, range)
    this.#scopes.push(new Map([[expr.accumulator, initial]]))
    this.#scopes.push(
      new Map(
        expr.second === undefined
          ? [[expr.variable, first]]
          : [
              [expr.variable, first],
              [expr.second, second],
            ],
      ),
    )
    this.#check(expr.condition)
    this.#assert(expr.condition, boolType)
    this.#check(expr.step)
    this.#assert(expr.step, initial)
    this.#scopes.pop()
    const result = this.#check(expr.result)
    this.#scopes.pop()
    return this.#unifier.substitute(result)
  }

  #loopTypes(expr: FoldExpr, range: Type): readonly [Type, Type] {
    const isTwo = expr.second !== undefined
    // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
    switch (range.kind) {
      case 'list':
        return isTwo ? [intType, range.of] : [range.of, errorType]
      case 'map':
        return [range.key, range.of]
      case 'dyn':
      case 'error':
      case 'param':
        this.#unifier.isAssignable(dynType, range)
        return [dynType, dynType]
      default:
        this.#problem(expr.range.at, `expression of type '${formatType(range)}' cannot be range of a comprehension (must be list, map, or dynamic)`)
        return [errorType, errorType]
    }
  }

  #assert(expr: Expr, type: Type): void {
    const found = this.#typeOf(expr)
    if (!this.#unifier.isAssignable(type, found)) this.#problem(expr.at, `expected type '${formatType(type)}' but found '${formatType(found)}'`)
  }
}

function constantType(value: unknown): Type {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (typeof value) {
    case 'bigint':
      return intType
    case 'number':
      return doubleType
    case 'string':
      return stringType
    case 'boolean':
      return boolType
    default:
      if (value === null) return nullType
      return value instanceof Uint8Array ? bytesType : uintType
  }
}

/** `a.b.c` of nothing but names. */
export function qualifiedName(expr: Expr): string | undefined {
  if (expr.kind === 'ident') return expr.name
  if (expr.kind !== 'select' || expr.test) return undefined
  const operand = qualifiedName(expr.operand)
  return operand === undefined ? undefined : `${operand}.${expr.field}`
}
