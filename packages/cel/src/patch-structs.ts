import { dynType, stringType } from './types.ts'
import type { ObjectField, ObjectType, Type } from './types.ts'

/** Fields of a type that has every one: those that are declared, and others of one type. */
class OpenFields extends Map<string, ObjectField> {
  readonly #others: Type

  constructor(declared: Readonly<Record<string, Type>>, others: Type) {
    super(Object.entries(declared).map(([name, type]) => [name, { type, json: name }]))
    this.#others = others
  }

  override get(name: string): ObjectField {
    return super.get(name) ?? { type: this.#others, json: name }
  }
}

/** What upstream's checker takes an undeclared field of a patch for: nothing can be given to it. */
const unnamed: Type = { kind: 'object', name: '', fields: new Map() }

const anyFields = new OpenFields({}, dynType)
const jsonPatch: ObjectType = {
  kind: 'object',
  name: 'JSONPatch',
  fields: new OpenFields({ op: stringType, path: stringType, from: stringType, value: dynType }, unnamed),
}

/**
 * What expressions that change objects may make: `JSONPatch{…}`, and `Object{…}` with its parts, which are called by their path, as in `Object.spec{…}`. Upstream: apiserver
 * pkg/cel/mutation.
 */
export function patchStructNamed(name: string): ObjectType | undefined {
  if (name === jsonPatch.name) return jsonPatch
  return name === 'Object' || name.startsWith('Object.') ? { kind: 'object', name, fields: anyFields } : undefined
}
