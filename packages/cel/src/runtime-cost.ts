import { CelMap, isHost, sizeOf } from './values.ts'
import type { Value } from './values.ts'

/** Costs of the steps that are no calls. Upstream: cel-go common/cost.go. */
export const listCost = 10
export const mapCost = 30
export const structCost = 40

const perCharacter = 0.1
const perPatternCharacter = 0.25

/** Reckons a call once its result is known. */
export type CallCost = (args: readonly Value[], result: Value) => number

const one: CallCost = () => 1
const argument = (args: readonly Value[], index: number): number => sizeOf(args[index] ?? null)
const traverse: CallCost = (args) => Math.ceil(argument(args, 0) * perCharacter)
const traverseTwice: CallCost = (args) => Math.ceil(argument(args, 0) * 2 * perCharacter)
const shorter: CallCost = (args) => Math.ceil(Math.min(argument(args, 0), argument(args, 1)) * perCharacter)
const pattern: CallCost = (args) => Math.ceil((1 + argument(args, 0)) * perCharacter) * Math.ceil(argument(args, 1) * perPatternCharacter)
const everything: CallCost = (args) => traversal(args[0] ?? null)

function traversal(value: Value): number {
  if (typeof value === 'string') return Math.trunc(Buffer.byteLength(value) * perCharacter)
  if (value instanceof Uint8Array) return Math.trunc(value.length * perCharacter)
  if (Array.isArray(value)) return value.reduce((sum: number, item: Value) => sum + traversal(item), 0)
  if (value instanceof CelMap) return [...value.entries()].reduce((sum, [key, item]) => sum + traversal(key) + traversal(item), 0)
  return 1
}

/** Authorization checks are dear: two of them are all that one expression may have. */
export const checkCost = 350_000

const selector: CallCost = (args) => {
  const length = argument(args, 1)
  return listCost + Math.ceil(length * perCharacter) + Math.ceil(Math.ceil(length * 0.5) * (listCost + structCost))
}
const contains: CallCost = (args) => Math.ceil(argument(args, 0) * perCharacter) * Math.ceil(argument(args, 1) * perCharacter)
const cidrSize = (args: readonly Value[]): number => Math.ceil(argument(args, 0) * 2 * perCharacter)
const format: CallCost = (args) => {
  const [named] = args
  const patternSize = named !== undefined && isHost(named) && 'patternSize' in named && typeof named.patternSize === 'number' ? named.patternSize : 0
  return Math.ceil((1 + argument(args, 1)) * perCharacter) * Math.ceil(patternSize * perPatternCharacter)
}

/** By the name of the function; upstream: k8s.io/apiserver pkg/cel/library/cost.go. */
const byFunction: Readonly<Record<string, CallCost>> = {
  check: () => checkCost,
  fieldSelector: selector,
  labelSelector: selector,
  isSorted: everything,
  sum: everything,
  max: everything,
  min: everything,
  indexOf: everything,
  lastIndexOf: everything,
  url: traverse,
  lowerAscii: traverse,
  upperAscii: traverse,
  substring: traverse,
  trim: traverse,
  'jsonpatch.escapeKey': traverse,
  replace: traverseTwice,
  split: traverseTwice,
  join: (_, result) => Math.ceil(sizeOf(result) * 2 * perCharacter),
  find: pattern,
  findAll: pattern,
  cidr: traverse,
  isIP: traverse,
  isCIDR: traverse,
  'ip.isCanonical': traverseTwice,
  quantity: traverse,
  isQuantity: traverse,
  semver: traverse,
  isSemver: traverse,
  validate: format,
}

const outputSize: CallCost = (_, result) => 1 + listCost + sizeOf(result)
const flattened: CallCost = (args) => 1 + listCost + argument(args, 0) * (typeof args[1] === 'bigint' ? Number(args[1]) : 1)
const selfCompare =
  (index: number): CallCost =>
  (args) => {
    const list = args[index]
    const first: unknown = Array.isArray(list) ? list[0] : undefined
    const factor = typeof first === 'string' || first instanceof Uint8Array ? 2 + perCharacter : 2
    return 1 + listCost + Math.ceil(factor * argument(args, index) ** 2)
  }
const pairwise =
  (factor: number): CallCost =>
  (args) =>
    1 + argument(args, 0) * argument(args, 1) * factor

/** By overload, where a function has several; upstream: cel-go interpreter/runtimecost.go and ext/lists.go. */
const byOverload: Readonly<Record<string, CallCost>> = {
  string_to_ip: traverse,
  cidr_ip: one,
  cidr_contains_ip_string: (args) => cidrSize(args) + Math.ceil(argument(args, 1) * perCharacter),
  cidr_contains_ip_ip: cidrSize,
  cidr_contains_cidr_string: (args) => cidrSize(args) + traverse(args, null) + 1 + Math.ceil(argument(args, 1) * perCharacter),
  cidr_contains_cidr: (args) => cidrSize(args) + traverse(args, null) + 1,
  starts_with_string: traverse,
  ends_with_string: traverse,
  string_to_bytes: traverse,
  bytes_to_string: traverse,
  strings_quote: traverse,
  string_format: traverse,
  in_list: (args) => argument(args, 1),
  equals: shorter,
  not_equals: shorter,
  add_string: (args) => Math.ceil((argument(args, 0) + argument(args, 1)) * perCharacter),
  add_bytes: (args) => Math.ceil((argument(args, 0) + argument(args, 1)) * perCharacter),
  matches: pattern,
  matches_string: pattern,
  contains_string: contains,
  list_slice: outputSize,
  lists_range: outputSize,
  list_reverse: outputSize,
  list_flatten: flattened,
  list_flatten_int: flattened,
  list_distinct: selfCompare(0),
  list_sets_contains_list: pairwise(1),
  list_sets_intersects_list: pairwise(1),
  list_sets_equivalent_list: pairwise(2),
}
const orders = ['less', 'less_equals', 'greater', 'greater_equals'].flatMap((operator) => [`${operator}_string`, `${operator}_bytes`])

const byResult: ReadonlySet<string> = new Set(['list_join', 'list_join_string', 'list_slice', 'lists_range', 'list_reverse'])

/** What calls of an overload cost; `byResult`: known only when the call has been made. */
export function callCost(name: string, overload: string): { readonly of: CallCost; readonly byResult: boolean } {
  return { of: costOf(name, overload), byResult: byResult.has(overload) }
}

function costOf(name: string, overload: string): CallCost {
  const known = byOverload[overload] ?? byFunction[name]
  if (known !== undefined) return known
  if (orders.includes(overload)) return shorter
  if (overload.endsWith('_sort')) return selfCompare(0)
  if (overload.endsWith('_sortByAssociatedKeys')) return selfCompare(1)
  return one
}
