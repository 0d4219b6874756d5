import type { CallExpr, Constant, Expr, FoldExpr, ListExpr, MapExpr, SelectExpr, StructExpr } from './ast.ts'
import { BudgetExceeded } from './budget.ts'
import { typeIdentifiers } from './checker.ts'
import type { Checked, CheckEnvironment } from './checker.ts'
import { growing } from './library/standard.ts'
import { callCost, listCost, mapCost, structCost } from './runtime-cost.ts'
import {
  CelError,
  CelMap,
  equalValues,
  fromJson,
  isHost,
  isMapKey,
  makeObject,
  noSuchKey,
  ObjectView,
  Optional,
  Timestamp,
  Duration,
  toJson,
  typeNameOf,
  TypeValue,
  Uint,
} from './values.ts'
import type { Value } from './values.ts'
import { dynType, formatType } from './types.ts'
import type { Type } from './types.ts'

/** The state of one evaluation. */
export interface Frame {
  readonly slots: Value[]
  cost: number
  readonly limit: number
}

export type Step = (frame: Frame) => Value

const noSuchOverload = new CelError('no such overload')

/** Turns a checked expression into closures, which reckon what they cost as upstream's interpreter does. */
export function plan(checked: Checked, environment: CheckEnvironment): { readonly step: Step; readonly slots: number; readonly inputs: readonly string[] } {
  const planner = new Planner(checked, environment)
  const step = planner.plan(checked.expr)
  return { step, slots: planner.slots, inputs: planner.inputs }
}

function charge(frame: Frame, cost: number): void {
  frame.cost += cost
  if (frame.cost > frame.limit) throw new BudgetExceeded()
}

class Planner {
  readonly #checked: Checked
  readonly #environment: CheckEnvironment
  /** Variables that the expression uses, in the order of their slots. */
  readonly inputs: string[] = []
  #locals: ReadonlyMap<string, number> = new Map()
  slots = 0

  constructor(checked: Checked, environment: CheckEnvironment) {
    this.#checked = checked
    this.#environment = environment
    // Inputs come first, so that an evaluation can fill them in.
    for (const name of environment.variables.keys()) {
      this.inputs.push(name)
      this.slots++
    }
  }

  plan(expr: Expr): Step {
    switch (expr.kind) {
      case 'const': {
        const value = constantValue(expr.value)
        return () => value
      }
      case 'ident':
        return this.#ident(expr.name)
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

  #ident(name: string): Step {
    const plain = name.replace(/^\./, '')
    const local = plain === name ? this.#locals.get(name) : undefined
    const slot = local ?? this.inputs.indexOf(plain)
    if (slot >= 0) {
      return (frame) => {
        charge(frame, 1)
        return frame.slots[slot] ?? null
      }
    }
    const type = typeIdentifiers.get(plain) ?? this.#environment.structNamed(plain)
    const value = type === undefined ? new CelError(`undeclared reference to '${plain}'`) : new TypeValue(typeName(plain, type))
    return () => value
  }

  #select(expr: SelectExpr): Step {
    const qualified = this.#checked.names.get(expr.id)
    if (qualified !== undefined) return this.#ident(qualified)
    const operand = this.plan(expr.operand)
    const { field } = expr
    if (expr.test) return (frame) => presence(operand(frame), field)
    return (frame) => {
      const target = operand(frame)
      if (target instanceof CelError) return target
      charge(frame, 1)
      return selectField(target, field)
    }
  }

  #call(expr: CallExpr): Step {
    const [first, second, third] = expr.args
    switch (expr.name) {
      case '_&&_':
      case '_||_':
        if (first !== undefined && second !== undefined) return logical(this.plan(first), this.plan(second), expr.name === '_||_')
        break
      case '_?_:_':
        if (first !== undefined && second !== undefined && third !== undefined) return conditional(this.plan(first), this.plan(second), this.plan(third))
        break
      case '@not_strictly_false': {
        const operand = first === undefined ? undefined : this.plan(first)
        if (operand === undefined) break
        return (frame) => {
          const value = operand(frame)
          charge(frame, 1)
          return value !== false
        }
      }
      case '_?._':
        if (first !== undefined && second?.kind === 'const' && typeof second.value === 'string') return optionalSelect(this.plan(first), second.value)
        break
      case '@in':
        if (first !== undefined && second?.kind === 'list' && isConstantList(second)) return this.#memberOf(this.plan(first), second)
        break
    }
    return this.#invoke(expr)
  }

  /** Membership in a list that is written out costs nothing, as upstream makes a set of it. */
  #memberOf(value: Step, list: ListExpr): Step {
    const items = list.items.map((item) => (item.kind === 'const' ? constantValue(item.value) : null))
    return (frame) => {
      const wanted = value(frame)
      return wanted instanceof CelError ? wanted : items.some((item) => equalValues(item, wanted))
    }
  }

  #invoke(expr: CallExpr): Step {
    const overloads = this.#checked.overloads.get(expr.id) ?? []
    const name = this.#checked.names.get(expr.id) ?? expr.name.replace(/^\./, '')
    const given = expr.target === undefined || this.#checked.names.has(expr.id) ? expr.args : [expr.target, ...expr.args]
    const args = given.map((arg) => this.plan(arg))
    const candidates = overloads.map((overload) => ({ overload, guards: overload.params.map(guardOf), cost: callCost(name, overload.id) }))
    return (frame) => {
      const values: Value[] = []
      for (const arg of args) {
        const value = arg(frame)
        if (value instanceof CelError) return value
        values.push(value)
      }
      for (const { overload, guards, cost } of candidates) {
        if (!guards.every((guard, i) => guard(values[i] ?? null))) continue
        // Where the arguments tell what a call costs, it is not made beyond the budget.
        if (!cost.byResult) charge(frame, cost.of(values, null))
        const result = overload.call(...values)
        if (cost.byResult) charge(frame, cost.of(values, result))
        return result
      }
      charge(frame, 1)
      return noSuchOverload
    }
  }

  #list(expr: ListExpr): Step {
    const items = expr.items.map((item) => this.plan(item))
    const { optional } = expr
    const isConstant = isConstantList(expr)
    return (frame) => {
      const list: Value[] = []
      for (const [i, item] of items.entries()) {
        const value = item(frame)
        if (value instanceof CelError) return value
        if (!optional.has(i)) list.push(value)
        else if (!(value instanceof Optional)) return new CelError(`cannot initialize optional list element from non-optional value ${typeNameOf(value)}`)
        else if (value.value !== undefined) list.push(value.value)
      }
      if (!isConstant) charge(frame, listCost)
      return list
    }
  }

  #map(expr: MapExpr): Step {
    const entries = expr.entries.map(({ key, value, optional }) => ({ key: this.plan(key), value: this.plan(value), optional }))
    const isConstant = expr.entries.every(({ key, value }) => key.kind === 'const' && value.kind === 'const')
    return (frame) => {
      const map = new CelMap()
      for (const entry of entries) {
        const key = entry.key(frame)
        if (key instanceof CelError) return key
        const value = entry.value(frame)
        if (value instanceof CelError) return value
        if (!isMapKey(key)) return new CelError(`unsupported key type: ${typeNameOf(key)}`)
        if (!entry.optional) {
          map.add(key, value)
          continue
        }
        if (!(value instanceof Optional)) return new CelError(`cannot initialize optional entry '${toText(key)}' from non-optional value`)
        if (value.value !== undefined) map.add(key, value.value)
      }
      if (!isConstant) charge(frame, mapCost)
      return map
    }
  }

  #struct(expr: StructExpr): Step {
    const type = this.#environment.structNamed(expr.name.replace(/^\./, ''))
    const fields = expr.fields.map((field) => ({ ...field, step: this.plan(field.value) }))
    return (frame) => {
      if (type === undefined) return new CelError(`unknown type ${expr.name}`)
      const values = new Map<string, Value>()
      for (const field of fields) {
        const value = field.step(frame)
        if (value instanceof CelError) return value
        const given = field.optional && value instanceof Optional ? value.value : value
        if (given !== undefined) values.set(field.name, given)
      }
      charge(frame, structCost)
      return makeObject(type, values)
    }
  }

  #fold(expr: FoldExpr): Step {
    const range = this.plan(expr.range)
    const initial = this.plan(expr.initial)
    const outer = this.#locals
    const [accumulator, first, second] = [this.slots++, this.slots++, this.slots++]
    this.#locals = new Map(outer).set(expr.accumulator, accumulator)
    const result = this.plan(expr.result)
    this.#locals = new Map(this.#locals).set(expr.variable, first)
    if (expr.second !== undefined) this.#locals = new Map(this.#locals).set(expr.second, second)
    const condition = this.plan(expr.condition)
    const step = this.plan(expr.step)
    this.#locals = outer
    const grows = expr.initial.kind === 'list' && expr.initial.items.length === 0
    const isTwo = expr.second !== undefined
    return (frame) => {
      const over = range(frame)
      if (over instanceof CelError) return over
      if (!Array.isArray(over) && !(over instanceof CelMap)) return new CelError(`got '${typeNameOf(over)}', expected iterable type`)
      const start = initial(frame)
      if (grows && Array.isArray(start)) growing.add(start)
      const { slots } = frame
      slots[accumulator] = start
      for (const [key, value] of pairs(over, isTwo)) {
        slots[first] = key
        slots[second] = value
        if (condition(frame) === false) break
        slots[accumulator] = step(frame)
      }
      if (grows && Array.isArray(start)) growing.delete(start)
      return result(frame)
    }
  }
}

function* pairs(over: readonly Value[] | CelMap, isTwo: boolean): Generator<readonly [Value, Value]> {
  if (over instanceof CelMap) yield* over.entries()
  else for (let i = 0; i < over.length; i++) yield isTwo ? [BigInt(i), over[i] ?? null] : [over[i] ?? null, null]
}

function logical(left: Step, right: Step, decides: boolean): Step {
  return (frame) => {
    const first = left(frame)
    if (first === decides) return decides
    const second = right(frame)
    if (second === decides) return decides
    if (first instanceof CelError) return first
    if (second instanceof CelError) return second
    return typeof first === 'boolean' && typeof second === 'boolean' ? !decides : noSuchOverload
  }
}

function conditional(condition: Step, yes: Step, no: Step): Step {
  return (frame) => {
    const chosen = condition(frame)
    if (chosen instanceof CelError) return chosen
    if (typeof chosen !== 'boolean') return noSuchOverload
    return chosen ? yes(frame) : no(frame)
  }
}

function presence(target: Value, field: string): Value {
  if (target instanceof CelError) return target
  if (target instanceof ObjectView) return target.has(field)
  if (target instanceof CelMap) return target.has(field)
  if (target instanceof Optional) return target.value === undefined ? false : presence(target.value, field)
  return noSuchOverload
}

function selectField(target: Value, field: string): Value {
  if (target instanceof ObjectView) return target.get(field)
  if (target instanceof CelMap) return target.get(field) ?? noSuchKey(field)
  if (target instanceof Optional) return target.value === undefined ? target : selectOptional(target.value, field)
  return Array.isArray(target) ? new CelError("unsupported index type 'string' in list") : noSuchKey(field)
}

function selectOptional(target: Value, field: string): Value {
  if (target instanceof Optional) return target.value === undefined ? target : selectOptional(target.value, field)
  if (presence(target, field) !== true) return Optional.none
  const value = selectField(target, field)
  return value instanceof CelError ? value : new Optional(value)
}

function optionalSelect(operand: Step, field: string): Step {
  return (frame) => {
    const target = operand(frame)
    if (target instanceof CelError) return target
    charge(frame, 1)
    return selectOptional(target, field)
  }
}

function isConstantList(expr: ListExpr): boolean {
  return expr.optional.size === 0 && expr.items.every((item) => item.kind === 'const')
}

function constantValue(value: Constant): Value {
  return typeof value === 'object' && value !== null && 'uint' in value ? new Uint(value.uint) : value
}

function typeName(identifier: string, type: Type): string {
  return type.kind === 'list' || type.kind === 'map' || type.kind === 'type'
    ? type.kind
    : type.kind === 'opaque' || type.kind === 'object'
      ? type.name
      : identifier || formatType(type)
}

function toText(value: Value): string {
  return typeof value === 'string' ? value : String(toJson(value))
}

/** Whether a value can stand for a parameter. */
function guardOf(type: Type): (value: Value) => boolean {
  switch (type.kind) {
    case 'bool':
      return (value) => typeof value === 'boolean'
    case 'int':
      return (value) => typeof value === 'bigint'
    case 'uint':
      return (value) => value instanceof Uint
    case 'double':
      return (value) => typeof value === 'number'
    case 'string':
      return (value) => typeof value === 'string'
    case 'bytes':
      return (value) => value instanceof Uint8Array
    case 'null':
      return (value) => value === null
    case 'timestamp':
      return (value) => value instanceof Timestamp
    case 'duration':
      return (value) => value instanceof Duration
    case 'list': {
      const item = guardOf(type.of)
      // One item tells lists of one function from those of another; the rest is the function's own to check.
      return (value) => Array.isArray(value) && (value.length === 0 || item((value as readonly Value[])[0] ?? null))
    }
    case 'map':
      return (value) => value instanceof CelMap
    case 'object':
      return (value) => value instanceof ObjectView
    case 'opaque':
      if (type.name === 'optional_type') {
        const inner = guardOf(type.params[0] ?? dynType)
        return (value) => value instanceof Optional && (value.value === undefined || inner(value.value))
      }
      return (value) => isHost(value) && value.hostType === type.name
    case 'type':
      return (value) => value instanceof TypeValue
    case 'param':
    case 'dyn':
    case 'error':
      return () => true
  }
}

/** A variable's value: JSON under its type, or a value already. */
export function inputValue(json: unknown, type: Type): Value {
  return json instanceof CelError ||
    json instanceof ObjectView ||
    json instanceof Optional ||
    json instanceof CelMap ||
    json instanceof Timestamp ||
    json instanceof Duration ||
    (typeof json === 'object' && json !== null && 'hostType' in json)
    ? (json as Value)
    : fromJson(json, type)
}
