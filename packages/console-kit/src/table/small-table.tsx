import type { ReactNode } from 'react'
import { classNames } from '../ui/class-names.ts'

export interface SmallTableProps<Row> {
  readonly label: string
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly columns: readonly {
    readonly title: string
    readonly cell: (row: Row) => ReactNode
    /** Leaves on a narrow screen. */
    readonly isWide?: boolean
    /** For screen readers only. */
    readonly isSilent?: boolean
  }[]
  readonly none: string
}

/** A table of a handful of rows. */
export function SmallTable<Row>({ label, rows, keyOf, columns, none }: SmallTableProps<Row>) {
  if (rows.length === 0) return <p className="px-4 py-3 text-sm text-muted">{none}</p>
  return (
    <table className="w-full text-sm" aria-label={label}>
      <thead>
        <tr className="border-b border-line">
          {columns.map(({ title, isWide, isSilent }) => (
            <th key={title} className={classNames('px-4 py-2 text-left text-xs font-semibold text-muted', isWide === true && 'hidden md:table-cell')}>
              {isSilent === true ? <span className="sr-only">{title}</span> : title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={keyOf(row)} className="border-b border-line/60 last:border-0 hover:bg-hover">
            {columns.map(({ title, cell, isWide, isSilent }) => (
              <td
                key={title}
                className={classNames('px-4 py-2 align-top break-words', isWide === true && 'hidden md:table-cell', isSilent === true && 'text-right')}
              >
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
