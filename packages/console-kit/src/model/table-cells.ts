import type { TableColumn } from '../api/kube-object.ts'
import type { ResourceRow } from './resource-row.ts'

/** A row of a kind without its own page: the server's printed cells. */
export interface TableResourceRow extends ResourceRow {
  readonly cells: readonly unknown[]
}

/** Columns the console draws itself, from metadata: the printed ones would stand still or say it twice. */
const drawnByConsole = new Set(['name', 'namespace', 'age', 'created at'])

/** The server's columns to show: not the wide ones, not those the console draws itself. */
export function printedColumns(columns: readonly TableColumn[]): readonly { readonly column: TableColumn; readonly index: number }[] {
  return columns
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => !drawnByConsole.has(column.name.toLowerCase()) && (column.priority ?? 0) === 0)
}

/** A cell as kubectl prints it. */
export function cellText(cell: unknown): string {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'string') return cell
  if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell)
  return JSON.stringify(cell)
}

/** The column whose words are states, if the kind prints one. */
export function statusColumnIndex(columns: readonly TableColumn[]): number | undefined {
  for (const name of ['status', 'phase', 'type']) {
    const index = columns.findIndex((column) => column.name.toLowerCase() === name && column.type === 'string')
    if (index >= 0) return index
  }
  return undefined
}
