/**
 * Types of the expression language. `maxElements` bounds the size of a value (code points, items, entries) where a schema says so: it only serves the estimate of
 * costs. `minSize` is the least number of bytes that a value takes as JSON.
 */
export type Type = SimpleType | ListType | MapType | ObjectType | OpaqueType | TypeType | ParamType

interface Sized {
  readonly maxElements?: number | undefined
  readonly minSize?: number | undefined
}

export interface SimpleType extends Sized {
  readonly kind: 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'null' | 'timestamp' | 'duration' | 'dyn' | 'error'
}

export interface ListType extends Sized {
  readonly kind: 'list'
  readonly of: Type
  /** Lists that a schema calls sets or maps are equal in any order, and joining them merges. */
  readonly identity?: ListIdentity | undefined
}

/** What tells the items of a list apart: all of an item, or the fields of its key. */
export type ListIdentity = 'item' | readonly string[]

export interface MapType extends Sized {
  readonly kind: 'map'
  readonly key: Type
  readonly of: Type
}

/** A struct with known fields. `json` is the field's name in the object, where the language spells it another way. */
export interface ObjectType extends Sized {
  readonly kind: 'object'
  readonly name: string
  readonly fields: ReadonlyMap<string, ObjectField>
}

export interface ObjectField {
  readonly type: Type
  readonly json: string
}

/** A type with a name and nothing to look into: `optional_type(A)`, quantities, hosts' own. */
export interface OpaqueType extends Sized {
  readonly kind: 'opaque'
  readonly name: string
  readonly params: readonly Type[]
}

export interface TypeType extends Sized {
  readonly kind: 'type'
  readonly of: Type | undefined
}

export interface ParamType extends Sized {
  readonly kind: 'param'
  readonly name: string
}

export const boolType: Type = { kind: 'bool', maxElements: 0, minSize: 4 }
export const intType: Type = { kind: 'int', maxElements: 0, minSize: 1 }
export const uintType: Type = { kind: 'uint', maxElements: 0, minSize: 1 }
export const doubleType: Type = { kind: 'double', maxElements: 0, minSize: 1 }
export const stringType: Type = { kind: 'string' }
export const bytesType: Type = { kind: 'bytes' }
export const nullType: Type = { kind: 'null', maxElements: 0, minSize: 4 }
export const timestampType: Type = { kind: 'timestamp' }
export const durationType: Type = { kind: 'duration' }
export const dynType: Type = { kind: 'dyn' }
export const errorType: Type = { kind: 'error' }

export function listType(of: Type, more: Sized & { readonly identity?: ListIdentity | undefined } = {}): Type {
  return { kind: 'list', of, ...more }
}

export function mapType(key: Type, of: Type, size: Sized = {}): Type {
  return { kind: 'map', key, of, ...size }
}

export function optionalType(of: Type): Type {
  return { kind: 'opaque', name: 'optional_type', params: [of] }
}

export function opaqueType(name: string): Type {
  return { kind: 'opaque', name, params: [] }
}

/** A struct type. Field names are those of the language; use `escapeName` for names of JSON. */
export function objectType(name: string, fields: Readonly<Record<string, Type>>): ObjectType {
  return { kind: 'object', name, fields: new Map(Object.entries(fields).map(([field, type]) => [escapeName(field) ?? field, { type, json: field }])) }
}

export function isOptional(type: Type): type is OpaqueType {
  return type.kind === 'opaque' && type.name === 'optional_type'
}

export function optionalOf(type: Type): Type | undefined {
  return isOptional(type) ? (type.params[0] ?? dynType) : undefined
}

export function formatType(type: Type): string {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (type.kind) {
    case 'error':
      return '!error!'
    case 'list':
      return `list(${formatType(type.of)})`
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.of)})`
    case 'object':
    case 'param':
      return type.name
    case 'opaque':
      return type.params.length === 0 ? type.name : `${type.name}(${type.params.map(formatType).join(', ')})`
    case 'type':
      return type.of === undefined ? 'type' : `type(${formatType(type.of)})`
    default:
      return type.kind
  }
}

export function sameType(a: Type, b: Type): boolean {
  if (a === b) return true
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- all other kinds are alike here
  switch (a.kind) {
    case 'list':
      return b.kind === 'list' && sameType(a.of, b.of)
    case 'map':
      return b.kind === 'map' && sameType(a.key, b.key) && sameType(a.of, b.of)
    case 'object':
    case 'param':
      return b.kind === a.kind && a.name === b.name
    case 'opaque':
      return (
        b.kind === 'opaque' &&
        a.name === b.name &&
        a.params.length === b.params.length &&
        a.params.every((param, i) => sameType(param, b.params[i] ?? errorType))
      )
    case 'type':
      return b.kind === 'type' && (a.of === undefined ? b.of === undefined : b.of !== undefined && sameType(a.of, b.of))
    default:
      return a.kind === b.kind
  }
}

const keywords: ReadonlySet<string> = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(' '),
)
/** Reserved words of the language that no field may be spelled with. */
const symbolEscapes: Readonly<Record<string, string>> = { '.': '__dot__', '-': '__dash__', '/': '__slash__' }

/** A property's name as an identifier of the language: `a-b` is `a__dash__b`, `in` is `__in__`. Undefined: it has none. */
export function escapeName(name: string): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_./-]*$/.test(name)) return undefined
  if (keywords.has(name)) return `__${name}__`
  return name.replaceAll(/__|[./-]/g, (part) => (part === '__' ? '__underscores__' : (symbolEscapes[part] ?? part)))
}

/** The property's name that an identifier stands for. */
export function unescapeName(name: string): string {
  const keyword = /^__([a-z]+)__$/.exec(name)?.[1]
  if (keyword !== undefined && keywords.has(keyword)) return keyword
  return name.replaceAll(/__(underscores|dot|dash|slash)__/g, (_, word: string) => ({ underscores: '__', dot: '.', dash: '-', slash: '/' })[word] ?? '')
}
