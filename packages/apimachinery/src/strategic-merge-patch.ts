import { goFormat, goTypeOf, jsonKindOf } from './go-format.ts'
import { goQuote } from './go-quote.ts'
import { isJsonObject, ownValue, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import type { Definitions, Schema } from './schema.ts'
import { StatusError } from './status.ts'

const directiveKey = '$patch'
const retainKeysKey = '$retainKeys'
const deletePrefix = '$deleteFromPrimitiveList'
const orderPrefix = '$setElementOrder'

/**
 * Applies a strategic merge patch, driven by the merge keys and strategies of the schema; neither argument is changed. Throws upstream's errors: BadRequest
 * for malformed directives, 500 without a reason where upstream has none (a list item without its merge key). Upstream: apimachinery
 * pkg/util/strategicpatch.
 */
export function applyStrategicMergePatch(
  document: JsonObject,
  patch: unknown,
  types: { readonly schema: Schema; readonly definitions: Definitions },
): JsonObject {
  if (patch === null) return document
  if (!isJsonObject(patch)) {
    throw new StatusError('BadRequest', `json: cannot unmarshal ${jsonKindOf(patch)} into Go value of type map[string]interface {}`)
  }
  return new StrategicMerge(types.definitions).mergeMap(document, patch, types.schema)
}

/** What is known of the type a value has: `undefined` schema where a union of types says nothing. */
interface PatchMeta {
  readonly schema: Schema
  readonly strategy: string
  readonly mergeKey: string
}

class StrategicMerge {
  readonly #definitions: Definitions

  constructor(definitions: Definitions) {
    this.#definitions = definitions
  }

  mergeMap(document: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
    const directive = ownValue(patch, directiveKey)
    if (directive !== undefined) return followDirective(directive, patch)
    const original = { ...document }
    const rest = new Map(Object.entries(patch))
    retainKeys(original, rest)
    this.#mergeOrderedLists(original, rest, schema)
    for (const [patchKey, value] of rest) this.#mergeField(original, { patchKey, value }, schema)
    return original
  }

  #mergeField(original: JsonObject, change: { readonly patchKey: string; readonly value: unknown }, schema: Schema): void {
    const { patchKey, value } = change
    const isDeletion = patchKey.startsWith(deletePrefix)
    const key = isDeletion ? fieldOfDirective(patchKey, deletePrefix) || patchKey : patchKey
    if (value === null) {
      delete original[key]
      return
    }
    const current = ownValue(original, key)
    const bothMaps = isJsonObject(current) && isJsonObject(value)
    const bothLists = Array.isArray(current) && Array.isArray(value)
    if (bothMaps && !isDeletion) {
      const meta = this.#fieldMeta(schema, key)
      setOwn(original, key, meta.strategy === 'replace' ? value : this.mergeMap(current, value, meta.schema))
      return
    }
    if (bothLists) {
      const meta = this.#listMeta(schema, key)
      if (isDeletion || meta.strategy === 'merge') setOwn(original, key, this.#mergeList(current, value, { ...meta, isDeletion }))
      else setOwn(original, key, value)
      return
    }
    if (isDeletion) return
    const sameScalarType = current !== undefined && goTypeOf(current) === goTypeOf(value)
    const kept = withoutDirectives(sameScalarType ? value : withoutNulls(value))
    if (kept === removed) delete original[key]
    else setOwn(original, key, kept)
  }

  /** `$setElementOrder/<list>` together with the list it orders. Precedence: the directive, then the patch, then the live list. */
  #mergeOrderedLists(original: JsonObject, rest: Map<string, unknown>, schema: Schema): void {
    for (const [directive, order] of rest) {
      if (!directive.startsWith(orderPrefix)) continue
      rest.delete(directive)
      if (!Array.isArray(order)) throw wrongType('[]interface {}', order)
      const key = fieldOfDirective(directive, orderPrefix)
      const live = ownValue(original, key)
      const given = rest.get(key)
      if (live !== undefined && !Array.isArray(live)) throw wrongType('[]interface {}', live)
      if (rest.has(key) && !Array.isArray(given)) throw wrongType('[]interface {}', given)
      const liveList = live as unknown[] | undefined
      const givenList = given as unknown[] | undefined
      const meta = this.#listMeta(schema, key)
      checkOrder(givenList ?? [], order, meta.mergeKey)
      let merged: unknown[]
      if (givenList === undefined) {
        if (liveList === undefined) continue
        merged = liveList
      } else if (liveList === undefined) {
        merged = withoutDirectives(givenList) as unknown[]
      } else {
        merged = meta.strategy === 'merge' ? this.#mergeList(liveList, givenList, { ...meta, isDeletion: false }) : givenList
      }
      const { inside, outside } = partition(merged, order, meta.mergeKey)
      const kind = elementKind(liveList ?? [], givenList ?? [])
      if (kind === 'map' && meta.mergeKey === '') for (const item of [...inside, ...order, ...outside, ...(liveList ?? [])]) keyOf(item, '')
      setOwn(original, key, inOrder({ patched: inside, live: outside }, { patched: order, live: liveList ?? [] }, kind === 'map' ? meta.mergeKey : ''))
      rest.delete(key)
    }
  }

  #mergeList(original: readonly unknown[], patch: readonly unknown[], meta: PatchMeta & { readonly isDeletion: boolean }): unknown[] {
    if (original.length === 0 && patch.length === 0) return []
    const kind = elementKind(original, patch)
    if (kind !== 'map') {
      if (meta.isDeletion) {
        const doomed = new Set(patch)
        return original.filter((value) => !doomed.has(value))
      }
      const { inside, outside } = partition([...new Set([...original, ...patch])], patch, meta.mergeKey)
      return inOrder({ patched: inside, live: outside }, { patched: patch, live: original }, '')
    }
    if (meta.mergeKey === '') throw plainError(`cannot merge lists without merge key for ${goKindOf(this.#resolve(meta.schema))}`)
    const { live, items } = applyItemDirectives(original as JsonObject[], patch as JsonObject[], meta.mergeKey)
    const merged = this.#mergeItems(live, items, meta)
    const { inside, outside } = partition(merged, items, meta.mergeKey)
    return inOrder({ patched: inside, live: outside }, { patched: items, live }, meta.mergeKey)
  }

  #mergeItems(original: readonly JsonObject[], patch: readonly JsonObject[], meta: PatchMeta): unknown[] {
    const merged: unknown[] = [...original]
    const indexOf = positions(merged, meta.mergeKey)
    for (const item of patch) {
      const value = ownValue(item, meta.mergeKey)
      if (value === undefined) throw missingMergeKey(item, meta.mergeKey)
      const index = indexOf.get(value)
      if (index === undefined) {
        indexOf.set(value, merged.length)
        merged.push(item)
      } else {
        merged[index] = this.mergeMap(merged[index] as JsonObject, item, meta.schema)
      }
    }
    return merged
  }

  #fieldMeta(schema: Schema, key: string): PatchMeta {
    const parent = this.#resolve(schema)
    if (parent.kind !== 'object') throw plainError(`merging an object in json but data type is not struct, instead is: ${goKindOf(parent)}`)
    const field = parent.fields.find((candidate) => candidate.name === key)?.schema ?? parent.additional
    if (field === undefined) {
      const struct = parent.name?.slice(parent.name.lastIndexOf('.') + 1) ?? ''
      throw plainError(`unable to find api field in struct ${struct} for the json field ${goQuote(key)}`)
    }
    const strategies = field.kind === 'list' || field.kind === 'ref' ? (field.patchStrategy ?? '').split(',') : ['']
    const others = strategies.filter((strategy) => strategy !== 'retainKeys')
    if (others.length > 1) throw plainError(`unexpected patch strategy: [${strategies.join(' ')}]`)
    return { schema: field, strategy: others[0] ?? '', mergeKey: field.kind === 'list' ? (field.patchMergeKey ?? '') : '' }
  }

  #listMeta(schema: Schema, key: string): PatchMeta {
    const meta = this.#fieldMeta(schema, key)
    const list = this.#resolve(meta.schema)
    if (list.kind !== 'list') throw plainError('expected slice or array type, but got: struct')
    if (this.#resolve(list.of).kind === 'list') throw plainError('unexpected slice of slice')
    return { ...meta, schema: list.of }
  }

  #resolve(schema: Schema): Schema {
    return schema.kind === 'ref' ? (this.#definitions.get(schema.ref) ?? { kind: 'any', any: 'object' }) : schema
  }
}

function followDirective(directive: unknown, patch: JsonObject): JsonObject {
  if (directive === 'delete') return {}
  if (directive !== 'replace')
    throw plainError(`unknown patch type: ${typeof directive === 'string' ? directive : goFormat(directive)} in map: ${goFormat(patch)}`)
  const replacement = { ...patch }
  delete replacement[directiveKey]
  return replacement
}

function retainKeys(original: JsonObject, rest: Map<string, unknown>): void {
  const list = rest.get(retainKeysKey)
  if (!rest.delete(retainKeysKey)) return
  if (!Array.isArray(list)) throw badRequest('invalid patch format of retainKeys')
  const retained = new Set<unknown>(list)
  for (const [key, value] of rest) {
    if (value === null || key.startsWith(deletePrefix) || key.startsWith(orderPrefix)) continue
    if (!retained.has(key)) throw badRequest('invalid patch format of retainKeys')
  }
  for (const key of Object.keys(original)) if (!retained.has(key)) delete original[key]
}

/** `$patch: delete` and `$patch: replace` as items of a list. */
function applyItemDirectives(
  original: readonly JsonObject[],
  patch: readonly JsonObject[],
  mergeKey: string,
): { readonly live: readonly JsonObject[]; readonly items: readonly JsonObject[] } {
  const items: JsonObject[] = []
  const doomed = new Set<unknown>()
  let replaces = false
  for (const item of patch) {
    const directive = ownValue(item, directiveKey)
    if (directive === undefined) {
      items.push(item)
    } else if (directive === 'delete') {
      const value = ownValue(item, mergeKey)
      if (value === undefined) throw missingMergeKey(item, mergeKey)
      doomed.add(value)
    } else if (directive === 'replace') {
      replaces = true
    } else if (directive === 'merge') {
      throw plainError('merging lists cannot yet be specified in the patch')
    } else {
      throw plainError(`unknown patch type: ${typeof directive === 'string' ? directive : goFormat(directive)} in map: ${goFormat(item)}`)
    }
  }
  if (replaces) return { live: items, items: [] }
  return { live: doomed.size === 0 ? original : original.filter((item) => !doomed.has(ownValue(item, mergeKey))), items }
}

/** The patch's items must be a subsequence of the order given. Deletions do not count. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (patch.length === 0 || order.length === 0) return
  const items =
    mergeKey === ''
      ? patch
      : patch.filter((item) => {
          if (!isJsonObject(item)) throw wrongType('map[string]interface {}', item)
          return ownValue(item, directiveKey) !== 'delete'
        })
  let matched = 0
  let position = 0
  while (matched < items.length && position < order.length) {
    const item = items[matched]
    if (isJsonObject(item) && Object.hasOwn(item, directiveKey)) {
      matched++
      continue
    }
    if (isSameItem(item, order[position], mergeKey)) matched++
    position++
  }
  if (matched < items.length && position >= order.length) {
    throw plainError(`The order in patch list:\n${goFormat(patch)}\n doesn't match ${orderPrefix} list:\n${goFormat(order)}\n`)
  }
}

function isSameItem(left: unknown, right: unknown, mergeKey: string): boolean {
  if (mergeKey === '') return left === right
  return keyOf(left, mergeKey) === keyOf(right, mergeKey)
}

function keyOf(item: unknown, mergeKey: string): unknown {
  if (!isJsonObject(item)) throw wrongType('map[string]interface {}', item)
  const value = ownValue(item, mergeKey)
  if (value === undefined) throw missingMergeKey(item, mergeKey)
  return value
}

function partition(list: readonly unknown[], by: readonly unknown[], mergeKey: string): { readonly inside: unknown[]; readonly outside: unknown[] } {
  const present = new Set<unknown>()
  for (const [position, item] of by.entries()) {
    if (mergeKey === '') present.add(item)
    else if (isJsonObject(item)) present.add(ownValue(item, mergeKey))
    else if (list.length > 0) throw plainError(`value for key ${position} is not a map`)
  }
  const inside: unknown[] = []
  const outside: unknown[] = []
  for (const item of list) (present.has(mergeKey === '' ? item : keyOf(item, mergeKey)) ? inside : outside).push(item)
  return { inside, outside }
}

interface TwoLists {
  readonly patched: readonly unknown[]
  readonly live: readonly unknown[]
}

/** Both halves in their own order, then interleaved by the live order; the patch's order wins. `mergeKey` is '' for scalars. */
function inOrder(items: TwoLists, order: TwoLists, mergeKey: string): unknown[] {
  const patched = sorted(items.patched, order.patched, mergeKey)
  const live = sorted(items.live, order.live, mergeKey)
  const positionOf = positions(order.live, mergeKey)
  const merged: unknown[] = []
  let next = 0
  for (const item of patched) {
    for (; next < live.length; next++) {
      const mine = positionOf.get(keyIn(live[next], mergeKey))
      const other = positionOf.get(keyIn(item, mergeKey))
      if (mine === undefined || other === undefined || mine >= other) break
      merged.push(live[next])
    }
    merged.push(item)
  }
  return [...merged, ...live.slice(next)]
}

function sorted(list: readonly unknown[], order: readonly unknown[], mergeKey: string): unknown[] {
  if (mergeKey !== '') {
    for (const item of list) keyOf(item, mergeKey)
    for (const item of order) keyOf(item, mergeKey)
  }
  const positionOf = positions(order, mergeKey)
  const known: { readonly item: unknown; readonly position: number }[] = []
  const unknownFirst: unknown[] = []
  for (const item of list) {
    const position = positionOf.get(keyIn(item, mergeKey))
    if (position === undefined) unknownFirst.unshift(item)
    else known.push({ item, position })
  }
  return [...unknownFirst, ...known.sort((a, b) => a.position - b.position).map(({ item }) => item)]
}

/** First position of each key. */
function positions(list: readonly unknown[], mergeKey: string): Map<unknown, number> {
  const found = new Map<unknown, number>()
  for (const [position, item] of list.entries()) {
    const key = keyIn(item, mergeKey)
    if (!found.has(key)) found.set(key, position)
  }
  return found
}

function keyIn(item: unknown, mergeKey: string): unknown {
  if (mergeKey === '') return item
  return isJsonObject(item) ? ownValue(item, mergeKey) : undefined
}

function elementKind(...lists: readonly (readonly unknown[])[]): 'map' | 'scalar' {
  let type: string | undefined
  for (const list of lists) {
    for (const item of list) {
      if (Array.isArray(item) && type === undefined) {
        throw new StatusError('Invalid', 'the server rejected our request due to an error in our request', {
          details: {},
          cause: new Error('lists of lists are not supported'),
        })
      }
      const own = goTypeOf(item)
      if (type !== undefined && own !== type) throw plainError(`list element types are not identical: ${goFormat(lists)}`)
      type = own
    }
  }
  if (type === undefined) throw plainError('no elements in any of the given slices')
  return type === 'map[string]interface {}' ? 'map' : 'scalar'
}

const removed = Symbol('removed')

/** A patch value that is taken as it is: what carries a `$patch` in it goes. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDirectives).filter((item) => item !== removed)
  if (!isJsonObject(value)) return value
  if (Object.hasOwn(value, directiveKey)) return removed
  const kept: JsonObject = {}
  for (const [key, member] of Object.entries(value)) {
    const inner = withoutDirectives(member)
    if (inner !== removed) setOwn(kept, key, inner)
  }
  return kept
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls)
  if (!isJsonObject(value)) return value
  const kept: JsonObject = {}
  for (const [key, member] of Object.entries(value)) if (member !== null) setOwn(kept, key, withoutNulls(member))
  return kept
}

/** The list's name in `$setElementOrder/<list>`. */
function fieldOfDirective(directive: string, prefix: string): string {
  const slash = directive.indexOf('/')
  if (slash === -1 || directive.slice(0, slash) !== prefix) {
    throw badRequest(prefix === deletePrefix ? 'invalid patch format of primitive list' : 'invalid patch format of setElementOrder list')
  }
  return directive.slice(slash + 1)
}

function goKindOf(schema: Schema): string {
  switch (schema.kind) {
    case 'object':
    case 'any':
    case 'ref':
      return 'struct'
    case 'map':
      return 'map'
    case 'list':
      return 'slice'
    case 'scalar':
      return schema.scalar === 'number' ? 'float64' : schema.scalar
  }
}

function missingMergeKey(item: JsonObject, mergeKey: string): StatusError {
  return plainError(`map: ${goFormat(item)} does not contain declared merge key: ${mergeKey}`)
}

function wrongType(expected: string, actual: unknown): StatusError {
  return plainError(`expected a ${expected}, but received a ${goTypeOf(actual)}`)
}

function badRequest(message: string): StatusError {
  return new StatusError('BadRequest', message)
}

/** Upstream answers these as 500 without a reason. */
function plainError(message: string): StatusError {
  return new StatusError('', message, { code: 500 })
}
