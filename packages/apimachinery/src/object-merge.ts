import { FieldSetBuilder, isEmptyFieldSet, isMember, leaf } from './field-set.ts'
import type { FieldSet } from './field-set.ts'
import { goFormat, goTypeOf } from './go-format.ts'
import { ownValue, setOwn } from './json-value.ts'
import type { JsonObject } from './json-value.ts'
import { deducedType } from './merge-type.ts'
import type { MergeList, MergeMap, MergeScalar, MergeType } from './merge-type.ts'
import { asMap, elementOfItem, lenientElementOfItem, shapeOf } from './object-diff.ts'
import { describePathElement, fieldElement } from './path-element.ts'
import type { PathElement } from './path-element.ts'

/**
 * Lays a configuration over an object: its leaves win, nothing is removed, items of keyed lists are merged one by one (in the configuration's order where the
 * two disagree). Neither argument is changed; what stays is shared. Upstream: structured-merge-diff typed/merge.go.
 */
export function mergeObjects(live: JsonObject, config: JsonObject, type: MergeType): JsonObject {
  return mergeMaps(live, config, type.map ?? (deducedType.map as MergeMap))
}

function mergeValues(live: unknown, config: unknown, type: MergeType): unknown {
  if (config === undefined || config === live) return live
  if (live === undefined) return config
  const shape = shapeOf(config, type)
  if (shape === 'map' && type.map !== undefined) {
    const left = asMap(live)
    const right = asMap(config)
    if (type.map.atomic || (isEmpty(left) && isEmpty(right))) return config
    return mergeMaps(left ?? {}, right ?? {}, type.map)
  }
  if (shape === 'list' && type.list !== undefined) {
    const left = Array.isArray(live) ? (live as unknown[]) : []
    const right = Array.isArray(config) ? (config as unknown[]) : []
    if (type.list.atomic || left.length + right.length === 0) return config
    return mergeLists(left, right, type.list)
  }
  return config
}

function isEmpty(map: JsonObject | undefined): boolean {
  return map === undefined || Object.keys(map).length === 0
}

function mergeMaps(live: JsonObject, config: JsonObject, type: MergeMap): JsonObject {
  const merged = { ...live }
  for (const name of Object.keys(config)) {
    setOwn(merged, name, mergeValues(ownValue(live, name), config[name], type.typeOf(name) ?? deducedType))
  }
  return merged
}

/** Upstream's order: that of the live list while the configuration agrees with it; items both have follow the configuration. */
function mergeLists(live: readonly unknown[], config: readonly unknown[], type: MergeList): unknown[] {
  const left = elementsOf(live, type)
  const right = elementsOf(config, type)
  const inLeft = itemOf(left, live)
  const inRight = itemOf(right, config)
  const shared = right.filter((element) => inLeft.has(element))
  const merged: unknown[] = []
  const done = new Set<PathElement>()
  let nextShared = 0
  let l = 0
  let r = 0
  function take(element: PathElement): void {
    done.add(element)
    merged.push(mergeValues(inLeft.get(element), inRight.get(element), type.of))
    r++
  }
  while (l < left.length || r < right.length) {
    const mine = left[l]
    const other = right[r]
    if (mine !== undefined && other !== undefined) {
      if (mine === other) {
        take(mine)
        l++
        nextShared++
        continue
      }
      if (inRight.has(mine) && nextShared < shared.length && shared[nextShared] !== mine) {
        l++
        continue
      }
    }
    if (mine !== undefined) {
      if (!inRight.has(mine)) {
        merged.push(live[l])
        l++
        continue
      }
      if (done.has(mine)) l++
    }
    if (other !== undefined) {
      take(other)
      if (shared[nextShared] === other) nextShared++
    }
  }
  return merged
}

function elementsOf(list: readonly unknown[], type: MergeList): PathElement[] {
  return list.map((item, index) => elementOfItem(item, { type, index }))
}

/** The item of each element; `null` for duplicates, which are not merged with anything. */
function itemOf(elements: readonly PathElement[], list: readonly unknown[]): Map<PathElement, unknown> {
  const items = new Map<PathElement, unknown>()
  for (const [index, element] of elements.entries()) items.set(element, items.has(element) ? null : list[index])
  return items
}

/**
 * The object without the given fields and items. A container that loses everything becomes `null`. Upstream: typed/remove.go.
 */
export function removeFields(object: JsonObject, fields: FieldSet, type: MergeType): JsonObject {
  return isEmptyFieldSet(fields) ? object : (asMap(removeFrom(object, fields, type)) ?? {})
}

function removeFrom(value: unknown, fields: FieldSet, type: MergeType): unknown {
  const shape = shapeOf(value, type)
  if (shape === 'map' && type.map !== undefined) {
    const map = asMap(value)
    if (type.map.atomic || map === undefined) return null
    const kept: JsonObject = {}
    for (const name of Object.keys(map)) {
      const node = fields[fieldElement(name)]
      if (node === undefined) setOwn(kept, name, map[name])
      else if (!isMember(node)) setOwn(kept, name, removeFrom(map[name], node, type.map.typeOf(name) ?? deducedType))
    }
    return Object.keys(kept).length === 0 ? null : kept
  }
  if (shape === 'list' && type.list !== undefined) {
    if (type.list.atomic || !Array.isArray(value)) return null
    const kept: unknown[] = []
    for (const [index, item] of (value as unknown[]).entries()) {
      const node = fields[lenientElementOfItem(item, { type: type.list, index })]
      if (node === undefined) kept.push(item)
      else if (!isMember(node)) kept.push(removeFrom(item, node, type.list.of))
    }
    return kept.length === 0 ? null : kept
  }
  return value
}

/** The set with every declared field that something below belongs to: `f:spec` too, but not the keys of maps. Upstream: EnsureNamedFieldsAreMembers. */
export function withNamedFields(set: FieldSet, type: MergeType | undefined): FieldSet {
  return namedFieldsOf(set, { type, isMember: false }) ?? leaf
}

function namedFieldsOf(node: FieldSet, options: { readonly type: MergeType | undefined; readonly isMember: boolean }): FieldSet | undefined {
  const { type } = options
  const builder = new FieldSetBuilder(options.isMember)
  for (const element in node) {
    if (element === '.') continue
    const child = node[element] ?? leaf
    const name = element.startsWith('f:') ? element.slice(2) : undefined
    const isDeclared = name !== undefined && type?.map?.isDeclared(name) === true
    const childType = name === undefined ? (element.startsWith('k:') ? type?.list?.of : undefined) : type?.map?.typeOf(name)
    builder.add(element, namedFieldsOf(child, { type: childType, isMember: isDeclared || isMember(child) }))
  }
  return builder.finish()
}

/**
 * The set as it would be had it been recorded under today's schema: where a list or map has become atomic, what lay inside of it is owned as a whole.
 * The set itself when nothing differs. Upstream: typed/reconcile_schema.go.
 */
export function reconcileFieldSet(set: FieldSet, type: MergeType): FieldSet {
  return reconcileNode(set, { type, isRoot: true })
}

function reconcileNode(node: FieldSet, at: { readonly type: MergeType; readonly isRoot: boolean }): FieldSet {
  const { type } = at
  if (isEmptyFieldSet(node)) return node
  const container = type.map ?? (type.scalar === undefined ? type.list : undefined)
  if (container === undefined || type.map === deducedType.map) return node
  if (container.atomic) return at.isRoot ? node : leaf
  const changed: Record<PathElement, FieldSet> = {}
  for (const element in node) {
    if (element === '.') continue
    const child = node[element] ?? leaf
    const childType = type.map === undefined ? type.list?.of : type.map.typeOf(element.slice(2))
    const reconciled = childType === undefined ? child : reconcileNode(child, { type: childType, isRoot: false })
    if (reconciled !== child) changed[element] = reconciled
  }
  return isEmptyFieldSet(changed) ? node : { ...node, ...changed }
}

/** What is wrong with a configuration, as upstream prints it; empty when nothing is. Upstream: typed/validate.go. */
export function validateConfiguration(config: unknown, type: MergeType, options: { readonly allowDuplicates?: boolean } = {}): readonly string[] {
  const problems: { readonly path: string; readonly message: string }[] = []
  validateValue(config, type, (path, message) => {
    if (options.allowDuplicates !== true || !message.startsWith(duplicateEntries)) problems.push({ path, message })
  })
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`))
}

const duplicateEntries = 'duplicate entries for key'

type Report = (path: string, message: string) => void

function validateValue(value: unknown, type: MergeType, report: Report): void {
  switch (shapeOf(value, type)) {
    case 'scalar': {
      const problem = type.scalar === undefined || value === null ? undefined : scalarProblem(value, type.scalar)
      if (problem !== undefined) report('', problem)
      return
    }
    case 'map':
      if (value === null) return
      if (asMap(value) === undefined) return report('', `expected map, got &{${goFormat(value)}}`)
      return validateMap(value as JsonObject, type.map, report)
    case 'list':
      if (value === null) return
      if (!Array.isArray(value)) return report('', `expected list, got &{${goFormat(value)}}`)
      return validateList(value as unknown[], type.list, report)
  }
}

function validateMap(map: JsonObject, type: MergeMap | undefined, report: Report): void {
  for (const name of Object.keys(map)) {
    const fieldType = type?.typeOf(name)
    // Upstream stops at the first undeclared field of an object.
    if (fieldType === undefined) return report(`.${name}`, 'field not declared in schema')
    validateValue(map[name], fieldType, (path, message) => report(`.${name}${path}`, message))
  }
}

function validateList(list: readonly unknown[], type: MergeList | undefined, report: Report): void {
  const seen = new Set<PathElement>()
  for (const [index, item] of list.entries()) {
    let element: PathElement = `i:${index}`
    if (type?.atomic === false) {
      try {
        element = elementOfItem(item, { type, index })
      } catch (error) {
        return report('', error instanceof Error ? error.message : String(error))
      }
      if (seen.has(element)) report('', `${duplicateEntries} ${describePathElement(element)}`)
      seen.add(element)
    }
    validateValue(item, type?.of ?? deducedType, (path, message) => report(`${describePathElement(element)}${path}`, message))
  }
}

function scalarProblem(value: unknown, scalar: MergeScalar): string | undefined {
  switch (scalar) {
    case 'numeric':
      return typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goTypeOf(value)}`
    case 'string':
      return typeof value === 'string' ? undefined : `expected string, got &value.valueUnstructured{Value:${goSyntax(value)}}`
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goFormat(value)}}`
    case 'untyped':
      return typeof value === 'object' ? `expected any scalar, got &{${goFormat(value)}}` : undefined
  }
}

/** A JSON value as Go's `%#v` prints it. */
function goSyntax(value: unknown): string {
  if (value === null || value === undefined) return 'interface {}(nil)'
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSyntax).join(', ')}}`
  if (typeof value !== 'object') return JSON.stringify(value)
  const map = value as JsonObject
  return `map[string]interface {}{${Object.keys(map)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${goSyntax(map[key])}`)
    .join(', ')}}`
}
