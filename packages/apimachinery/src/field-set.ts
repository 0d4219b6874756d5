import { isJsonObject } from './json-value.ts'
import { comparePathElements, describePathElement, parsePathElement } from './path-element.ts'
import type { PathElement } from './path-element.ts'

/**
 * A set of paths, in the very form of FieldsV1: `{"f:metadata":{"f:labels":{".":{},"f:app":{}}}}`. A node stands for its own path when it has no children
 * or a child named `.`; the root never does, so `{}` is the empty set. Sets are values: canonical order, never changed, subtrees are shared.
 * Upstream: structured-merge-diff fieldpath/set.go.
 */
export interface FieldSet {
  readonly [element: PathElement]: FieldSet
}

/** A node without children: the path itself. */
export const leaf: FieldSet = Object.freeze({})
export const emptyFieldSet: FieldSet = leaf

export function isEmptyFieldSet(set: FieldSet): boolean {
  for (const _ in set) return false
  return true
}

/** Whether the node's own path belongs to the set. */
export function isMember(node: FieldSet): boolean {
  return '.' in node || isEmptyFieldSet(node)
}

/** Builds a node; its children must come in canonical order. `undefined` when nothing is in it. */
export class FieldSetBuilder {
  #node: Record<PathElement, FieldSet> | undefined
  readonly #member: boolean

  constructor(member: boolean) {
    this.#member = member
  }

  add(element: PathElement, child: FieldSet | undefined): void {
    if (child === undefined) return
    if (this.#node === undefined) this.#node = this.#member ? { '.': leaf } : {}
    this.#node[element] = child
  }

  finish(): FieldSet | undefined {
    return this.#node ?? (this.#member ? leaf : undefined)
  }
}

export function unionFieldSets(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptyFieldSet(b)) return a
  if (isEmptyFieldSet(a)) return b
  return unionOf(a, b, false)
}

function unionOf(a: FieldSet, b: FieldSet, member: boolean): FieldSet {
  const builder = new FieldSetBuilder(member)
  const left = childrenOf(a)
  const right = childrenOf(b)
  let i = 0
  let j = 0
  while (i < left.length || j < right.length) {
    const mine = left[i]
    const other = right[j]
    const order = mine === undefined ? 1 : other === undefined ? -1 : comparePathElements(mine, other)
    if (order < 0 && mine !== undefined) {
      builder.add(mine, a[mine])
      i++
    } else if (order > 0 && other !== undefined) {
      builder.add(other, b[other])
      j++
    } else if (mine !== undefined && other !== undefined) {
      builder.add(mine, unionNodes(a[mine] ?? leaf, b[other] ?? leaf))
      i++
      j++
    }
  }
  return builder.finish() ?? emptyFieldSet
}

function unionNodes(a: FieldSet, b: FieldSet): FieldSet {
  return a === b ? a : unionOf(a, b, isMember(a) || isMember(b))
}

/** The paths of `a` that are not in `b`; paths below or above those of `b` stay. */
export function subtractFieldSet(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptyFieldSet(a) || isEmptyFieldSet(b)) return a
  return differenceOf(a, b, { member: false, recursive: false }) ?? emptyFieldSet
}

/** The paths of `a` that are neither in `b` nor below one of `b`. */
export function subtractFieldSetRecursively(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptyFieldSet(a) || isEmptyFieldSet(b)) return a
  return differenceOf(a, b, { member: false, recursive: true }) ?? emptyFieldSet
}

function differenceOf(a: FieldSet, b: FieldSet, options: { readonly member: boolean; readonly recursive: boolean }): FieldSet | undefined {
  const builder = new FieldSetBuilder(options.member)
  for (const element in a) {
    if (element === '.') continue
    const mine = a[element] ?? leaf
    const other = b[element]
    if (other === undefined) builder.add(element, mine)
    else if (!options.recursive || !isMember(other)) {
      builder.add(element, differenceOf(mine, other, { member: isMember(mine) && !isMember(other), recursive: options.recursive }))
    }
  }
  return builder.finish()
}

export function intersectFieldSets(a: FieldSet, b: FieldSet): FieldSet {
  return intersectionOf(a, b, false) ?? emptyFieldSet
}

function intersectionOf(a: FieldSet, b: FieldSet, member: boolean): FieldSet | undefined {
  const builder = new FieldSetBuilder(member)
  for (const element in a) {
    const other = element === '.' ? undefined : b[element]
    if (other === undefined) continue
    const mine = a[element] ?? leaf
    builder.add(element, intersectionOf(mine, other, isMember(mine) && isMember(other)))
  }
  return builder.finish()
}

export function fieldSetHas(set: FieldSet, path: readonly PathElement[]): boolean {
  let node: FieldSet | undefined = set
  for (const element of path) {
    node = node?.[element]
    if (node === undefined) return false
  }
  return path.length > 0 && node !== undefined && isMember(node)
}

export function fieldSetOfPaths(paths: Iterable<readonly PathElement[]>): FieldSet {
  let set = emptyFieldSet
  for (const path of paths) {
    if (path.length === 0) continue
    let node: FieldSet = leaf
    for (const element of path.toReversed()) node = { [element]: node }
    set = unionFieldSets(set, node)
  }
  return set
}

/** All paths: those of a level first, then what lies below, as upstream walks. */
export function* pathsOf(set: FieldSet, prefix: readonly PathElement[] = []): Generator<readonly PathElement[], void> {
  for (const element in set) if (element !== '.' && isMember(set[element] ?? leaf)) yield [...prefix, element]
  for (const element in set) if (element !== '.') yield* pathsOf(set[element] ?? leaf, [...prefix, element])
}

/** `.spec.containers[name="web"].image` */
export function describePath(path: readonly PathElement[]): string {
  return path.map(describePathElement).join('')
}

/** FieldsV1 from outside, in canonical form. Unknown kinds of elements are dropped; throws for malformed ones. */
export function parseFieldSet(fields: unknown): FieldSet {
  if (fields === undefined || fields === null) return emptyFieldSet
  return parseNode(fields, { isRoot: true }) ?? emptyFieldSet
}

function parseNode(fields: unknown, options: { readonly isRoot: boolean }): FieldSet | undefined {
  if (fields === null) return leaf
  if (!isJsonObject(fields)) throw new Error('the fields of a manager must be objects')
  const children: (readonly [PathElement, FieldSet])[] = []
  for (const [key, value] of Object.entries(fields)) {
    if (key === '.') continue
    const element = parsePathElement(key)
    const child = element === undefined ? undefined : parseNode(value, { isRoot: false })
    if (element !== undefined && child !== undefined) children.push([element, child])
  }
  const isSelf = !options.isRoot && (children.length === 0 || Object.hasOwn(fields, '.'))
  const builder = new FieldSetBuilder(isSelf)
  for (const [element, child] of mergeSame(children)) builder.add(element, child)
  return builder.finish()
}

function mergeSame(children: readonly (readonly [PathElement, FieldSet])[]): (readonly [PathElement, FieldSet])[] {
  const merged: [PathElement, FieldSet][] = []
  for (const [element, child] of children.toSorted(([a], [b]) => comparePathElements(a, b))) {
    const last = merged.at(-1)
    if (last?.[0] === element) last[1] = unionNodes(last[1], child)
    else merged.push([element, child])
  }
  return merged
}

function childrenOf(node: FieldSet): PathElement[] {
  const elements = Object.keys(node)
  return elements[0] === '.' ? elements.slice(1) : elements
}
