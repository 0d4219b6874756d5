import type { JsonObject } from './json-value.ts'
import type { MergeType } from './merge-type.ts'
import { shapeOf } from './object-diff.ts'
import { mergeObjects, validateConfiguration } from './object-merge.ts'
import { describePathElement, fieldElement } from './path-element.ts'

/** Lays a configuration over an object as server-side apply does, and records nobody as its owner. Throws an Error in upstream's words. Upstream: policy/mutating/patch/smd.go. */
export function applyConfiguration(live: JsonObject, config: JsonObject, type: MergeType): JsonObject {
  const problems = [...nullProblems(config, type, ''), ...validateConfiguration(config, type)]
  if (problems.length > 0) throw new Error(`failed to convert patch object to typed object: ${joined(problems)}`)
  const atomic = atomicPaths(config, type, '')
  if (atomic.length > 0) throw new Error(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomic.join(', ')}`)
  const unfit = validateConfiguration(live, type, { allowDuplicates: true })
  if (unfit.length > 0) throw new Error(`failed to convert original object to typed object: ${joined(unfit)}`)
  return mergeObjects(live, config, type)
}

function joined(problems: readonly string[]): string {
  return problems.length === 1 ? (problems[0] ?? '') : `errors:\n  ${problems.join('\n  ')}`
}

/** Nothing can be taken away so: upstream sees a constant of a type of its own where an expression says null. */
function nullProblems(value: unknown, type: MergeType, path: string): string[] {
  if (value === null) return [`${path}: ${nullProblem(type)}`]
  if (typeof value !== 'object') return []
  if (Array.isArray(value)) {
    const { list } = type
    return list === undefined ? [] : value.flatMap((item: unknown, i) => nullProblems(item, list.of, `${path}[${i}]`))
  }
  return Object.entries(value as JsonObject).flatMap(([name, item]) => {
    const field = type.map?.typeOf(name)
    return field === undefined ? [] : nullProblems(item, field, `${path}${describePathElement(fieldElement(name))}`)
  })
}

function nullProblem(type: MergeType): string {
  const shape = shapeOf(null, type)
  if (shape !== 'scalar') return `expected ${shape}, got &{NULL_VALUE}`
  if (type.scalar === 'numeric') return 'expected numeric (int or float), got structpb.NullValue'
  return type.scalar === 'string' ? 'expected string, got &value.valueUnstructured{Value:0}' : `expected ${type.scalar ?? 'scalar'}, got &{NULL_VALUE}`
}

/** What is merged as a whole or not at all cannot be changed in part: nobody could tell what an expression leaves out from what it takes away. */
function atomicPaths(value: unknown, type: MergeType, path: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  if (Array.isArray(value)) {
    const { list } = type
    if (list === undefined) return []
    return [...(list.atomic ? [path] : []), ...value.flatMap((item: unknown, i) => atomicPaths(item, list.of, `${path}[${i}]`))]
  }
  const { map } = type
  if (map === undefined) return []
  const below = Object.entries(value as JsonObject).flatMap(([name, item]) =>
    map.isDeclared(name) ? atomicPaths(item, map.typeOf(name) ?? {}, `${path}${describePathElement(fieldElement(name))}`) : [],
  )
  return [...(map.atomic ? [path] : []), ...below]
}
