import type { ResourceRow } from './resource-row.ts'

export type SortValue = string | number | undefined

export interface SortKey {
  readonly column: string
  readonly descending: boolean
}

export interface RowFilter<Row> {
  readonly namespaces: ReadonlySet<string>
  /** Words that must all occur. */
  readonly text: string
  readonly statuses: ReadonlySet<string>
  readonly statusOf: ((row: Row) => string) | undefined
  readonly textOf: (row: Row) => string
}

/** Rows that pass every filter but the status one, and how many of them have each status. */
export function filterRows<Row extends ResourceRow>(
  rows: Iterable<Row>,
  filter: RowFilter<Row>,
): { readonly rows: Row[]; readonly statusCounts: ReadonlyMap<string, number>; readonly total: number } {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean)
  const kept: Row[] = []
  const statusCounts = new Map<string, number>()
  let total = 0
  for (const row of rows) {
    total++
    if (filter.namespaces.size > 0 && !filter.namespaces.has(row.namespace)) continue
    if (words.length > 0) {
      const text = filter.textOf(row).toLowerCase()
      if (!words.every((word) => text.includes(word))) continue
    }
    if (filter.statusOf !== undefined) {
      const status = filter.statusOf(row)
      statusCounts.set(status, (statusCounts.get(status) ?? 0) + 1)
      if (filter.statuses.size > 0 && !filter.statuses.has(status)) continue
    }
    kept.push(row)
  }
  return { rows: kept, statusCounts, total }
}

/** Sorts in place: by the value, then by name so that equal rows stand still. Rows without a value come last either way. */
export function sortRows<Row extends ResourceRow>(rows: Row[], value: (row: Row) => SortValue, descending: boolean): Row[] {
  const direction = descending ? -1 : 1
  return rows.sort((left, right) => {
    const a = value(left)
    const b = value(right)
    if (a !== b) {
      if (a === undefined) return 1
      if (b === undefined) return -1
      if (typeof a === 'number' && typeof b === 'number') return (a - b) * direction
      return (String(a) < String(b) ? -1 : 1) * direction
    }
    return compareIdentity(left, right)
  })
}

function compareIdentity(left: ResourceRow, right: ResourceRow): number {
  if (left.name !== right.name) return left.name < right.name ? -1 : 1
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0
}
