import { emptyFieldSet, FieldSetBuilder, leaf } from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { jsonEqual } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { deducedType } from './merge-type.ts'
import type { MergeList, MergeMap, MergeType } from './merge-type.ts'
import { comparePathElements, fieldElement, keyElement, valueElement } from './path-element.ts'
import type { PathElement } from './path-element.ts'

/** What differs between two objects of one type. A path stands in one of the sets only (in two where duplicate list items came or went). */
export interface ObjectDiff {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

/** Parts of a diff below one path; absent where there is nothing. */
interface Diff {
  readonly added?: FieldSet | undefined
  readonly modified?: FieldSet | undefined
  readonly removed?: FieldSet | undefined
}

/**
 * Compares two objects; what is the same object in both is not looked into. Throws KeylessItem when an item of a keyed list has no key.
 * Upstream: structured-merge-diff typed/compare.go.
 */
export function diffObjects(before: JsonObject, after: JsonObject, type: MergeType): ObjectDiff {
  const diff = before === after ? undefined : diffMaps(before, after, type.map ?? (deducedType.map as MergeMap))
  return { added: diff?.added ?? emptyFieldSet, modified: diff?.modified ?? emptyFieldSet, removed: diff?.removed ?? emptyFieldSet }
}

function diffValues(before: unknown, after: unknown, type: MergeType): Diff | undefined {
  if (before === after) return undefined
  if (before === undefined) return { added: wholeSet(after, type) }
  if (after === undefined) return { removed: wholeSet(before, type) }
  const shape = shapeOf(after, type)
  const shapeBefore = shapeOf(before, type)
  if (shapeBefore === shape) return diffShapes(before, after, { type, shape })
  return mergeDiffs(diffShapes(before, after, { type, shape: shapeBefore }), diffShapes(before, after, { type, shape }))
}

type Shape = 'map' | 'scalar' | 'list'

/** The shape a value is merged as: its own where the type has it, else the first that the type has. */
export function shapeOf(value: unknown, type: MergeType): Shape {
  if (typeof value === 'object' && value !== null) {
    if (Array.isArray(value)) {
      if (type.list !== undefined) return 'list'
    } else if (type.map !== undefined) return 'map'
  } else if (value !== null && type.scalar !== undefined) return 'scalar'
  if (type.map !== undefined) return 'map'
  return type.scalar === undefined ? 'list' : 'scalar'
}

function diffShapes(before: unknown, after: unknown, as: { readonly type: MergeType; readonly shape: Shape }): Diff | undefined {
  const { type, shape } = as
  if (shape === 'map' && type.map !== undefined) {
    const left = asMap(before)
    const right = asMap(after)
    if (!type.map.atomic && !(isEmptyMap(left) && isEmptyMap(right))) return diffMaps(left ?? noMap, right ?? noMap, type.map)
  } else if (shape === 'list' && type.list !== undefined) {
    const left = Array.isArray(before) ? (before as unknown[]) : noList
    const right = Array.isArray(after) ? (after as unknown[]) : noList
    if (!type.list.atomic && left.length + right.length > 0) return diffLists(left, right, type.list)
  }
  return jsonEqual(before, after) ? undefined : { modified: leaf }
}

const noMap: JsonObject = {}
const noList: readonly unknown[] = []

function diffMaps(before: JsonObject, after: JsonObject, type: MergeMap): Diff | undefined {
  let collected: DiffCollector | undefined
  if (!type.open) {
    for (const field of type.fields) {
      const left = own(before, field.name)
      const right = own(after, field.name)
      if (left === right) continue
      const diff = diffValues(left, right, field.type)
      if (diff !== undefined) (collected ??= new DiffCollector()).add(field.element, diff)
    }
    return collected?.finish()
  }
  for (const name of keysOfBoth(before, after)) {
    const diff = diffValues(own(before, name), own(after, name), type.typeOf(name) ?? deducedType)
    if (diff !== undefined) (collected ??= new DiffCollector()).add(fieldElement(name), diff)
  }
  return collected?.finish()
}

function diffLists(before: readonly unknown[], after: readonly unknown[], type: MergeList): Diff | undefined {
  // Most lists of most writes are the same: finding that out needs no keys.
  if (jsonEqual(before, after)) return undefined
  const left = itemsByElement(before, type)
  const right = itemsByElement(after, type)
  let collected: DiffCollector | undefined
  for (const element of sortedElements(left, right)) {
    const diff = diffItems(left.get(element) ?? noList, right.get(element) ?? noList, type.of)
    if (diff !== undefined) (collected ??= new DiffCollector()).add(element, diff)
  }
  return collected?.finish()
}

/** Items with one key: usually one on each side. Duplicates are compared as one value, upstream marks only the key. */
function diffItems(before: readonly unknown[], after: readonly unknown[], type: MergeType): Diff | undefined {
  if (before.length <= 1 && after.length <= 1) return diffValues(before[0], after[0], type)
  if (before.length >= 2 && after.length >= 2) return jsonEqual(before, after) ? undefined : { modified: leaf }
  if (before.length >= 2) return { removed: leaf, ...(after.length === 0 ? {} : { added: wholeSet(after[0], type) }) }
  return { added: leaf, ...(before.length === 0 ? {} : { removed: wholeSet(before[0], type) }) }
}

/** Children in canonical order, for each of the three sets. */
class DiffCollector {
  readonly #added = new FieldSetBuilder(false)
  readonly #modified = new FieldSetBuilder(false)
  readonly #removed = new FieldSetBuilder(false)

  add(element: PathElement, diff: Diff): void {
    this.#added.add(element, diff.added)
    this.#modified.add(element, diff.modified)
    this.#removed.add(element, diff.removed)
  }

  finish(): Diff {
    return { added: this.#added.finish(), modified: this.#modified.finish(), removed: this.#removed.finish() }
  }
}

/** A value that changed its shape: what both readings find. A leaf in one wins over nothing in the other. */
function mergeDiffs(a: Diff | undefined, b: Diff | undefined): Diff | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return { added: b.added ?? a.added, modified: b.modified ?? a.modified, removed: b.removed ?? a.removed }
}

/** Every path of a value that came or went as a whole: containers count too. */
export function wholeSet(value: unknown, type: MergeType): FieldSet {
  const shape = shapeOf(value, type)
  if (shape === 'map' && type.map !== undefined && !type.map.atomic) {
    const map = asMap(value)
    if (map === undefined) return leaf
    const builder = new FieldSetBuilder(true)
    if (type.map.open) {
      for (const name of Object.keys(map).sort()) builder.add(fieldElement(name), wholeSet(map[name], type.map.typeOf(name) ?? deducedType))
    } else {
      for (const field of type.map.fields) {
        const child = own(map, field.name)
        if (child !== undefined) builder.add(field.element, wholeSet(child, field.type))
      }
    }
    return builder.finish() ?? leaf
  }
  if (shape === 'list' && type.list !== undefined && !type.list.atomic && Array.isArray(value)) {
    const { of } = type.list
    const builder = new FieldSetBuilder(true)
    const items = itemsByElement(value, type.list)
    for (const element of sortedElements(items)) {
      const same = items.get(element) ?? []
      builder.add(element, same.length === 1 ? wholeSet(same[0], of) : leaf)
    }
    return builder.finish() ?? leaf
  }
  return leaf
}

/**
 * What an applied configuration claims: its leaves and its list items, but no containers (save empty ones and the keys of maps).
 * Upstream: typed/tofieldset.go.
 */
export function fieldSetOf(object: JsonObject, type: MergeType): FieldSet {
  return claimOf(object, type) ?? emptyFieldSet
}

function claimOf(value: unknown, type: MergeType): FieldSet | undefined {
  const shape = shapeOf(value, type)
  if (shape === 'map' && type.map !== undefined) {
    if (type.map.atomic) return leaf
    const map = asMap(value)
    if (map === undefined) return undefined
    const builder = new FieldSetBuilder(false)
    for (const name of Object.keys(map).sort()) {
      const child = map[name]
      if (child === undefined) continue
      const claim = claimOf(child, type.map.typeOf(name) ?? deducedType)
      const isSelf = child === null || isEmptyMap(child) || !type.map.isDeclared(name)
      builder.add(fieldElement(name), isSelf ? asMember(claim) : claim)
    }
    return builder.finish()
  }
  if (shape === 'list' && type.list !== undefined && !type.list.atomic) {
    if (!Array.isArray(value)) return undefined
    const builder = new FieldSetBuilder(false)
    const items = itemsByElement(value, type.list, 'lenient')
    for (const element of sortedElements(items)) {
      const same = items.get(element) ?? []
      builder.add(element, same.length === 1 ? asMember(claimOf(same[0], type.list.of)) : leaf)
    }
    return builder.finish()
  }
  return leaf
}

function asMember(node: FieldSet | undefined): FieldSet {
  if (node === undefined || '.' in node) return node ?? leaf
  for (const _ in node) return { '.': leaf, ...node }
  return leaf
}

function keysOfBoth(before: JsonObject, after: JsonObject): readonly string[] {
  const keys = Object.keys(after)
  for (const key in before) if (own(after, key) === undefined) keys.push(key)
  return keys.sort()
}

/** The items of a keyed list or set, by what tells them apart, in the order of their first occurrence. */
function itemsByElement(list: readonly unknown[], type: MergeList, mode?: 'lenient'): Map<PathElement, unknown[]> {
  const items = new Map<PathElement, unknown[]>()
  for (const [index, item] of list.entries()) {
    const element = mode === 'lenient' ? lenientElementOfItem(item, { type, index }) : elementOfItem(item, { type, index })
    const same = items.get(element)
    if (same === undefined) items.set(element, [item])
    else same.push(item)
  }
  return items
}

/** An item of a keyed list or set that nothing tells apart from the others. */
export class KeylessItem extends Error {}

/** What tells an item apart; throws upstream's text when nothing does. Key fields that are absent take their default. */
export function elementOfItem(item: unknown, of: { readonly type: MergeList; readonly index: number }): PathElement {
  const fail = (problem: string): never => {
    throw new KeylessItem(`element ${of.index}: ${problem}`)
  }
  const { keys } = of.type
  if (keys.length === 0) {
    if (item === null) fail("associative list without keys has an element that's an explicit null")
    if (Array.isArray(item)) fail('not supported: associative list with lists as elements')
    if (typeof item === 'object') fail("associative list without keys has an element that's a map type")
    return valueElement(item)
  }
  if (item === null || item === undefined) fail('associative list with keys may not have a null element')
  if (typeof item !== 'object' || Array.isArray(item)) fail('associative list with keys may not have non-map elements')
  const fields: [string, unknown][] = []
  for (const { name, defaultValue } of keys) {
    const value = own(item as JsonObject, name) ?? defaultValue
    if (value !== undefined) fields.push([name, value])
  }
  if (fields.length === 0) {
    const names = keys.map(({ name }) => JSON.stringify(name)).join(' ')
    fail(`associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`)
  }
  return keyElement(fields)
}

/** The element of an item, or no element at all: a merge may leave items behind that have lost everything, their key too. */
export function lenientElementOfItem(item: unknown, of: { readonly type: MergeList; readonly index: number }): PathElement {
  return item === null ? noElement : elementOfItem(item, of)
}

const noElement: PathElement = ''

function sortedElements(items: ReadonlyMap<PathElement, unknown>, others?: ReadonlyMap<PathElement, unknown>): PathElement[] {
  const elements = [...items.keys()]
  if (others !== undefined) for (const element of others.keys()) if (!items.has(element)) elements.push(element)
  return elements.length > 1 ? elements.sort(comparePathElements) : elements
}

export function asMap(value: unknown): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined
}

function isEmptyMap(value: unknown): boolean {
  if (value === undefined) return true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  for (const _ in value) return false
  return true
}

const objectPrototype = Object.prototype

/** An own value; cheaper than hasOwn: JSON holds no functions, so what is inherited shows. */
function own(object: JsonObject, name: string): unknown {
  const value = object[name]
  return typeof value === 'function' || value === objectPrototype ? undefined : value
}
