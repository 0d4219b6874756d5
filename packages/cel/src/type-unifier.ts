import { dynType, sameType } from './types.ts'
import type { Type } from './types.ts'

/** What type parameters stand for, as far as it is known. Upstream: cel-go checker/types.go. */
export class TypeUnifier {
  #bindings: ReadonlyMap<string, Type> = new Map()
  #count = 0

  fresh(): Type {
    return { kind: 'param', name: `_var${this.#count++}` }
  }

  /** Whether `from` can be used where `to` is wanted; remembers what that says about type parameters, and nothing when it cannot. */
  isAssignable(from: Type, to: Type): boolean {
    return this.areAssignable([from], [to])
  }

  areAssignable(from: readonly Type[], to: readonly Type[]): boolean {
    const bindings = new Map(this.#bindings)
    if (!listAssignable(bindings, from, to)) return false
    this.#bindings = bindings
    return true
  }

  /** A type with what its parameters stand for; with `toDyn` what nothing is known of is dyn. */
  substitute(type: Type, toDyn = false): Type {
    return substitute(this.#bindings, type, toDyn)
  }
}

type Bindings = Map<string, Type>

export function substitute(bindings: ReadonlyMap<string, Type>, type: Type, toDyn: boolean): Type {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (type.kind) {
    case 'param': {
      const bound = bindings.get(type.name)
      if (bound !== undefined) return substitute(bindings, bound, toDyn)
      return toDyn ? dynType : type
    }
    case 'list':
      return { ...type, of: substitute(bindings, type.of, toDyn) }
    case 'map':
      return { ...type, key: substitute(bindings, type.key, toDyn), of: substitute(bindings, type.of, toDyn) }
    case 'opaque':
      return type.params.length === 0 ? type : { ...type, params: type.params.map((param) => substitute(bindings, param, toDyn)) }
    case 'type':
      return type.of === undefined ? type : { ...type, of: substitute(bindings, type.of, toDyn) }
    default:
      return type
  }
}

function listAssignable(bindings: Bindings, from: readonly Type[], to: readonly Type[]): boolean {
  return from.length === to.length && from.every((type, i) => assignable(bindings, type, to[i] ?? dynType))
}

function assignable(bindings: Bindings, a: Type, b: Type): boolean {
  if (b.kind === 'param') {
    const { valid, isBound } = bind(bindings, a, b)
    if (valid) return true
    if (isBound) return false
  }
  if (a.kind === 'param') return bind(bindings, b, a).valid
  if (isWild(a) || isWild(b)) return true
  if (a.kind === 'null') return isNullable(b)
  if (b.kind === 'null') return isNullable(a)
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (a.kind) {
    case 'type':
      return b.kind === 'type'
    case 'list':
      return b.kind === 'list' && assignable(bindings, a.of, b.of)
    case 'map':
      return b.kind === 'map' && assignable(bindings, a.key, b.key) && assignable(bindings, a.of, b.of)
    case 'opaque':
      return b.kind === 'opaque' && a.name === b.name && listAssignable(bindings, a.params, b.params)
    default:
      return sameType(a, b)
  }
}

function isWild(type: Type): boolean {
  return type.kind === 'dyn' || type.kind === 'error'
}

function isNullable(type: Type): boolean {
  return type.kind === 'null' || type.kind === 'opaque' || type.kind === 'object' || type.kind === 'duration' || type.kind === 'timestamp'
}

function bind(bindings: Bindings, type: Type, param: Type & { readonly kind: 'param' }): { readonly valid: boolean; readonly isBound: boolean } {
  if (type.kind === 'param' && type.name === param.name) return { valid: true, isBound: true }
  const bound = bindings.get(param.name)
  if (bound !== undefined) {
    if (sameType(type, bound)) return { valid: true, isBound: true }
    if (!assignable(bindings, type, bound)) return { valid: false, isBound: true }
    const general = mostGeneral(type, bound)
    if (!occurs(bindings, param, general)) bindings.set(param.name, general)
    return { valid: true, isBound: true }
  }
  if (occurs(bindings, param, type)) return { valid: false, isBound: false }
  bindings.set(param.name, type)
  return { valid: true, isBound: false }
}

function occurs(bindings: Bindings, param: Type & { readonly kind: 'param' }, within: Type): boolean {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (within.kind) {
    case 'param': {
      if (within.name === param.name) return true
      const bound = bindings.get(within.name)
      return bound !== undefined && occurs(bindings, param, bound)
    }
    case 'list':
      return occurs(bindings, param, within.of)
    case 'map':
      return occurs(bindings, param, within.key) || occurs(bindings, param, within.of)
    case 'opaque':
      return within.params.some((inner) => occurs(bindings, param, inner))
    case 'type':
      return within.of !== undefined && occurs(bindings, param, within.of)
    default:
      return false
  }
}

/** The less specific of two types that can stand for each other. */
export function mostGeneral(a: Type, b: Type): Type {
  return isLessSpecific(a, b) ? a : b
}

function isLessSpecific(a: Type, b: Type): boolean {
  if (a.kind === 'dyn' || a.kind === 'param') return true
  if (b.kind === 'dyn' || b.kind === 'param') return false
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (a.kind) {
    case 'list':
      return b.kind === 'list' && isLessSpecific(a.of, b.of)
    case 'map':
      return b.kind === 'map' && isLessSpecific(a.key, b.key) && isLessSpecific(a.of, b.of)
    case 'opaque':
      return b.kind === 'opaque' && a.name === b.name && a.params.every((param, i) => isLessSpecific(param, b.params[i] ?? dynType))
    case 'type':
      return b.kind === 'type'
    default:
      return sameType(a, b)
  }
}
