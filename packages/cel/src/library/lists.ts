import type { Library } from '../overloads.ts'
import { CelError, compareValues, Duration, equalValues, typeNameOf, Uint } from '../values.ts'
import type { Value } from '../values.ts'
import { tooLarge } from './strings.ts'

type List = readonly Value[]

const comparable = ['int', 'uint', 'double', 'bool', 'duration', 'timestamp', 'string', 'bytes'] as const

const noSuchOverload = new CelError('no such overload')

/** More items than any call may make within its budget. */
const maxItems = 1_000_000

function isSorted(list: List): Value {
  for (let i = 1; i < list.length; i++) {
    const order = compareValues(list[i - 1] ?? null, list[i] ?? null)
    if (order === undefined) return noSuchOverload
    if (order > 0) return false
  }
  return true
}

function extreme(name: 'min' | 'max', list: List): Value {
  let [best] = list
  if (best === undefined) return new CelError(`${name} called on empty list`)
  for (const item of list.slice(1)) {
    const order = compareValues(best, item)
    if (order === undefined) return noSuchOverload
    if (name === 'min' ? order > 0 : order < 0) best = item
  }
  return best
}

function flatten(list: List, depth: number): Value[] {
  const flat: Value[] = []
  for (const item of list) {
    if (Array.isArray(item) && depth > 0) flat.push(...flatten(item, depth - 1))
    else flat.push(item)
  }
  return flat
}

function slice(list: List, start: bigint, end: bigint): Value {
  if (start < 0n || end < 0n) return new CelError(`cannot slice(${start}, ${end}), negative indexes not supported`)
  if (start > end) return new CelError(`cannot slice(${start}, ${end}), start index must be less than or equal to end index`)
  if (BigInt(list.length) < end) return new CelError(`cannot slice(${start}, ${end}), list is length ${list.length}`)
  return list.slice(Number(start), Number(end))
}

function sortBy(list: List, keys: List): Value {
  if (list.length !== keys.length) {
    return new CelError(
      `@sortByAssociatedKeys() expected a list of the same size as the associated keys list, but got ${list.length} and ${keys.length} elements respectively`,
    )
  }
  const [first] = keys
  if (first === undefined) return list
  if (compareValues(first, first) === undefined) return new CelError('list elements must be comparable')
  if (keys.some((key) => typeNameOf(key) !== typeNameOf(first))) return new CelError('list elements must have the same type')
  return list
    .map((item, i) => ({ item, key: keys[i] ?? null }))
    .sort((a, b) => compareValues(a.key, b.key) ?? 0)
    .map(({ item }) => item)
}

function distinct(list: List): Value {
  const unique: Value[] = []
  for (const item of list) if (!unique.some((other) => equalValues(other, item))) unique.push(item)
  return unique
}

const includesAll = (list: List, items: List): boolean => items.every((item) => list.some((other) => equalValues(other, item)))

export function addLists(library: Library): void {
  for (const type of comparable) {
    library
      .add('isSorted', `list_${type}_is_sorted_bool`, `list(${type}).() -> bool`, isSorted)
      .add('max', `list_${type}_max_${type}`, `list(${type}).() -> ${type}`, (list: List) => extreme('max', list))
      .add('min', `list_${type}_min_${type}`, `list(${type}).() -> ${type}`, (list: List) => extreme('min', list))
      .add('sort', `list_${type}_sort`, `list(${type}).() -> list(${type})`, (list: List) => sortBy(list, list))
      .add('@sortByAssociatedKeys', `list_${type}_sortByAssociatedKeys`, `list(T).(list(${type})) -> list(T)`, sortBy)
  }
  addSums(library)
  library
    .add('indexOf', 'list_a_index_of_int', 'list(A).(A) -> int', (list: List, item: Value) => BigInt(list.findIndex((other) => equalValues(other, item))))
    .add('lastIndexOf', 'list_a_last_index_of_int', 'list(A).(A) -> int', (list: List, item: Value) =>
      BigInt(list.findLastIndex((other) => equalValues(other, item))),
    )
    .add('slice', 'list_slice', 'list(T).(int, int) -> list(T)', slice)
    .add('flatten', 'list_flatten', 'list(list(T)).() -> list(T)', (list: List) => flatten(list, 1))
    .add('flatten', 'list_flatten_int', 'list(dyn).(int) -> list(dyn)', (list: List, depth: bigint): Value =>
      depth < 0n ? new CelError('level must be non-negative') : flatten(list, Number(depth)),
    )
    .add('lists.range', 'lists_range', '(int) -> list(int)', (count: bigint): Value => {
      if (count > maxItems) tooLarge()
      return Array.from({ length: Math.max(0, Number(count)) }, (_, i) => BigInt(i))
    })
    .add('distinct', 'list_distinct', 'list(T).() -> list(T)', distinct)
    .add('reverse', 'list_reverse', 'list(T).() -> list(T)', (list: List) => list.toReversed())
    .add('sets.contains', 'list_sets_contains_list', '(list(T), list(T)) -> bool', includesAll)
    .add('sets.equivalent', 'list_sets_equivalent_list', '(list(T), list(T)) -> bool', (a: List, b: List) => includesAll(a, b) && includesAll(b, a))
    .add('sets.intersects', 'list_sets_intersects_list', '(list(T), list(T)) -> bool', (a: List, b: List) => a.some((item) => includesAll(b, [item])))
}

function addSums(library: Library): void {
  const inRange = (value: bigint, limit: bigint, make: (sum: bigint) => Value): Value =>
    value < limit && value >= -limit ? make(value) : new CelError('integer overflow')
  const bigints = (list: List, of: (item: Value) => bigint): bigint => list.reduce<bigint>((sum, item) => sum + of(item), 0n)
  library
    .add('sum', 'list_int_sum_int', 'list(int).() -> int', (list: readonly bigint[]) =>
      inRange(
        bigints(list, (item) => (typeof item === 'bigint' ? item : 0n)),
        2n ** 63n,
        (sum) => sum,
      ),
    )
    .add('sum', 'list_uint_sum_uint', 'list(uint).() -> uint', (list: List) =>
      inRange(
        bigints(list, (item) => (item instanceof Uint ? item.value : 0n)),
        2n ** 64n,
        (sum) => new Uint(sum),
      ),
    )
    .add('sum', 'list_double_sum_double', 'list(double).() -> double', (list: readonly number[]) => list.reduce((sum, item) => sum + item, 0))
    .add('sum', 'list_duration_sum_duration', 'list(duration).() -> duration', (list: List) =>
      inRange(
        bigints(list, (item) => (item instanceof Duration ? item.nanos : 0n)),
        2n ** 63n,
        (sum) => new Duration(sum),
      ),
    )
}
