import type { Type } from './types.ts'
import { boolType, bytesType, doubleType, durationType, dynType, intType, nullType, stringType, timestampType, uintType } from './types.ts'
import type { Value } from './values.ts'

/** What one way to call a function takes and gives. */
export interface Overload {
  readonly id: string
  /** The first parameter is the receiver. */
  readonly isMember: boolean
  readonly params: readonly Type[]
  readonly result: Type
  /** Type parameters that occur in the signature. */
  readonly typeParams: readonly string[]
  /** Arguments are values of the parameters' types, never errors. */
  readonly call: (...args: readonly Value[]) => Value
}

export interface FunctionDecl {
  readonly name: string
  readonly overloads: readonly Overload[]
}

/** Functions by name. */
export class Library {
  readonly #functions = new Map<string, Overload[]>()

  /**
   * Adds one way to call `name`. The signature is such as `string.(string) -> bool` for a receiver, `(A, list(A)) -> bool` without; capital letters are type
   * parameters, unknown words opaque types.
   */
  add(name: string, id: string, signature: string, call: (...args: never[]) => Value): this {
    const overloads = this.#functions.get(name) ?? []
    this.#functions.set(name, [...overloads, { id, ...parseSignature(signature), call: call as (...args: readonly Value[]) => Value }])
    return this
  }

  get(name: string): FunctionDecl | undefined {
    const overloads = this.#functions.get(name)
    return overloads === undefined ? undefined : { name, overloads }
  }

  names(): IterableIterator<string> {
    return this.#functions.keys()
  }
}

const simpleTypes: Readonly<Record<string, Type>> = {
  bool: boolType,
  int: intType,
  uint: uintType,
  double: doubleType,
  string: stringType,
  bytes: bytesType,
  null: nullType,
  timestamp: timestampType,
  duration: durationType,
  dyn: dynType,
}

function parseSignature(signature: string): Pick<Overload, 'isMember' | 'params' | 'result' | 'typeParams'> {
  const tokens = signature.match(/[A-Za-z_][\w.]*\w|[A-Za-z_]|->|[().,]/g) ?? []
  let at = 0
  const typeParams = new Set<string>()
  const accept = (token: string): boolean => {
    if (tokens[at] !== token) return false
    at++
    return true
  }
  const expect = (token: string): void => {
    if (!accept(token)) throw new Error(`signature ${signature}: expected ${token}`)
  }
  const list = (): Type[] => {
    const types: Type[] = []
    expect('(')
    while (!accept(')')) {
      types.push(type())
      accept(',')
    }
    return types
  }
  const type = (): Type => {
    const name = tokens[at++] ?? ''
    const simple = simpleTypes[name]
    if (simple !== undefined) return simple
    if (/^[A-Z]$/.test(name)) {
      typeParams.add(name)
      return { kind: 'param', name }
    }
    const params = tokens[at] === '(' ? list() : []
    const [first, second] = params
    if (name === 'list' && first !== undefined) return { kind: 'list', of: first }
    if (name === 'map' && first !== undefined && second !== undefined) return { kind: 'map', key: first, of: second }
    if (name === 'type') return { kind: 'type', of: first }
    return { kind: 'opaque', name, params }
  }
  const receiver = tokens[at] === '(' ? [] : [type()]
  if (receiver.length > 0) expect('.')
  const params = list()
  expect('->')
  return { isMember: receiver.length > 0, params: [...receiver, ...params], result: type(), typeParams: [...typeParams] }
}
