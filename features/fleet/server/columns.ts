import { humanDuration, type TableColumnDefinition } from '@gantry/apimachinery'
import type { Row } from './row-table.ts'

/** The column that says where an object is; first in every table of the fleet. */
export const clusterColumn: TableColumnDefinition = {
  name: 'Cluster',
  type: 'string',
  format: '',
  description: 'The cluster that the object is in',
  priority: 0,
}

/** For an API that prints no tables. */
export const plainColumns: readonly TableColumnDefinition[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the object', priority: 0 },
  { name: 'Age', type: 'date', format: '', description: 'Time since the object was made', priority: 0 },
]

/** The columns of several clusters as one: those of the cluster that has most, then what others have beside. Clusters of other versions print other columns. */
export function unionOfColumns(columns: readonly (readonly TableColumnDefinition[])[]): readonly TableColumnDefinition[] {
  const [first, ...others] = columns.toSorted((a, b) => b.length - a.length)
  const union = [...(first ?? plainColumns)]
  const known = new Set(union.map(({ name }) => name))
  for (const column of others.flat()) {
    if (known.has(column.name)) continue
    known.add(column.name)
    union.push(column)
  }
  return union
}

/** Where each column of `wanted` stands among a cluster's own; -1 for one it has not. */
export function positionsOf(wanted: readonly TableColumnDefinition[], own: readonly TableColumnDefinition[]): readonly number[] {
  return wanted.map(({ name }) => own.findIndex((column) => column.name === name))
}

/** Stands for the name of the object, which its row holds already. */
export const nameCell = '""'

export function isNameColumn({ name, format }: TableColumnDefinition): boolean {
  return name === 'Name' && format === 'name'
}

export type CellClock = 'fixed' | 'age' | 'since' | 'ago' | 'running'

const sinceColumns: ReadonlySet<string> = new Set(['Last Seen', 'First Seen', 'Last Schedule'])

/** How a cell grows older: a member prints its times as they were when it printed them. */
export function cellClockOf({ name, type }: TableColumnDefinition): CellClock {
  if (name === 'Age') return 'age'
  if (type === 'date' || sinceColumns.has(name)) return 'since'
  if (name === 'Restarts') return 'ago'
  return name === 'Duration' ? 'running' : 'fixed'
}

const ago = /^(".*\()([0-9ydhms]+)( ago\)")$/

/** The JSON of a cell as of `nowMs`. `isRunning` says whether a duration still grows. */
export function cellAt(
  cell: string,
  clock: CellClock,
  row: Pick<Row, 'createdS' | 'receivedMs'>,
  { nowMs, isRunning }: { readonly nowMs: number; readonly isRunning: boolean },
): string {
  switch (clock) {
    case 'fixed':
      return cell
    case 'age':
      return Number.isNaN(row.createdS) ? cell : `"${humanDuration(nowMs - row.createdS * 1_000)}"`
    case 'since':
      return grownText(cell, nowMs - row.receivedMs)
    case 'running':
      return isRunning ? grownText(cell, nowMs - row.receivedMs) : cell
    case 'ago': {
      const parts = ago.exec(cell)
      if (parts === null) return cell
      const grown = grownText(`"${parts[2]}"`, nowMs - row.receivedMs)
      return `${parts[1]}${grown.slice(1, -1)}${parts[3]}`
    }
  }
}

const duration = /^"(?:(\d+)y)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?"$/
const secondsOfUnit = [365 * 86_400, 86_400, 3_600, 60, 1] as const

/** A printed duration after more time; what is none stays as it is. It is as exact as what was printed. */
function grownText(cell: string, byMs: number): string {
  const parts = duration.exec(cell)
  if (parts === null || cell === '""') return cell
  const seconds = secondsOfUnit.reduce((sum, unit, at) => sum + unit * Number(parts[at + 1] ?? 0), 0)
  return `"${humanDuration(seconds * 1_000 + Math.max(0, byMs))}"`
}
