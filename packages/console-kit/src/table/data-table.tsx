import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from 'react'
import type { TFunction } from 'i18next'
import { useTranslation } from 'react-i18next'
import type { Column } from '../definitions.ts'
import type { ResourceRow } from '../model/resource-row.ts'
import type { SortKey } from '../model/row-view.ts'
import { ArrowDownIcon, ArrowUpIcon } from '../ui/icons.ts'
import { AppLink } from '../ui/app-link.tsx'
import { classNames } from '../ui/class-names.ts'
import { fitColumns, gridTracks } from './fit-columns.ts'

export interface DataTableProps<Row extends ResourceRow> {
  /** Its accessible name. */
  readonly label: string
  readonly rows: readonly Row[]
  /** The first column is the row's name and links to `hrefOf`. */
  readonly columns: readonly Column<Row>[]
  readonly hrefOf: (row: Row) => string
  readonly sort: SortKey
  readonly onSort: (column: string) => void
  readonly selected: ReadonlySet<string>
  /** Without it, rows cannot be selected. */
  readonly onSelect?: ((key: string, isSelected: boolean) => void) | undefined
  readonly onSelectAll?: ((isSelected: boolean) => void) | undefined
  readonly rowMenu?: ((row: Row) => ReactNode) | undefined
  /** Drawn below the header when there are no rows. */
  readonly empty: ReactNode
}

const rowPx = 34
const overscanRows = 10
const checkboxPx = 36
const menuPx = 40
const sidePaddingPx = 16
const narrowPx = 560

/** A table of any length: only the rows in view exist. Arrow keys (or j/k) move between rows, Enter opens, Space selects. */
export function DataTable<Row extends ResourceRow>(props: DataTableProps<Row>) {
  const { rows, columns, sort, onSort, selected, onSelect, onSelectAll, hrefOf, rowMenu } = props
  const { t } = useTranslation('kit')
  const scroller = useRef<HTMLDivElement>(null)
  const [widthPx, setWidthPx] = useState(1200)
  // oxlint-disable-next-line react/incompatible-library -- no React Compiler here; nothing of the virtualizer is handed to a memoized child
  const virtualizer = useVirtualizer({ count: rows.length, getScrollElement: () => scroller.current, estimateSize: () => rowPx, overscan: overscanRows })

  useEffect(() => {
    const element = scroller.current
    if (element === null) return undefined
    const observer = new ResizeObserver(([entry]) => entry !== undefined && setWidthPx(Math.round(entry.contentRect.width)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])

  const isSelectable = widthPx > narrowPx && onSelect !== undefined
  const extraPx = (isSelectable ? checkboxPx : 0) + (rowMenu === undefined ? 0 : menuPx) + sidePaddingPx
  const shown = useMemo(() => fitColumns(columns, widthPx - extraPx), [columns, widthPx, extraPx])
  const tracks = `${isSelectable ? `${checkboxPx}px ` : ''}${gridTracks(shown)}${rowMenu === undefined ? '' : ` ${menuPx}px`}`
  const isAllSelected = rows.length > 0 && rows.every((row) => selected.has(row.key))

  function onKeyDown(event: KeyboardEvent): void {
    const link = (event.target as HTMLElement).closest<HTMLElement>('[data-row-link]')
    if (link === null) return
    const index = Number(link.dataset['rowLink'])
    if (event.key === ' ') {
      event.preventDefault()
      const row = rows[index]
      if (row !== undefined) onSelect?.(row.key, !selected.has(row.key))
      return
    }
    const step = event.key === 'ArrowDown' || event.key === 'j' ? 1 : event.key === 'ArrowUp' || event.key === 'k' ? -1 : 0
    if (step === 0 || event.metaKey || event.ctrlKey || event.altKey) return
    event.preventDefault()
    const next = Math.max(0, Math.min(rows.length - 1, index + step))
    virtualizer.scrollToIndex(next)
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-row-link="${next}"]`)?.focus({ preventScroll: true }))
  }

  return (
    <div className="flex min-h-0 flex-1 flex-col">
      {/* oxlint-disable-next-line jsx-a11y/no-static-element-interactions -- keys of the links inside are handled once for all rows */}
      <div ref={scroller} onKeyDown={onKeyDown} className="relative min-h-0 flex-1 overflow-y-auto overflow-x-hidden [scrollbar-gutter:stable]">
        <div role="table" aria-label={props.label} aria-rowcount={rows.length + 1} aria-colcount={shown.length}>
          <div role="rowgroup" className="sticky top-0 z-10 border-b border-line bg-panel">
            <div role="row" aria-rowindex={1} className="grid h-8 items-center px-2 text-xs font-semibold text-muted" style={{ gridTemplateColumns: tracks }}>
              {isSelectable && (
                <span role="columnheader" className="flex items-center pl-1.5">
                  <input
                    type="checkbox"
                    aria-label={t('table.selectAll')}
                    checked={isAllSelected}
                    onChange={(event) => onSelectAll?.(event.target.checked)}
                    className="size-3.5 cursor-pointer accent-(--accent)"
                  />
                </span>
              )}
              {shown.map((column) => (
                <HeaderCell
                  key={column.id}
                  title={t(column.title)}
                  isEnd={column.align === 'end'}
                  sort={sort.column === column.id ? sort : undefined}
                  onSort={() => onSort(column.id)}
                />
              ))}
              {rowMenu !== undefined && (
                <span role="columnheader">
                  <span className="sr-only">{t('table.actions')}</span>
                </span>
              )}
            </div>
          </div>
          {rows.length > 0 && (
            <div role="rowgroup" className="relative" style={{ height: virtualizer.getTotalSize() }}>
              {virtualizer.getVirtualItems().map((item) => {
                const row = rows[item.index]
                return (
                  row !== undefined && (
                    <TableRow
                      key={row.key}
                      row={row}
                      index={item.index}
                      topPx={item.start}
                      columns={shown}
                      tracks={tracks}
                      href={hrefOf(row)}
                      isSelectable={isSelectable}
                      isSelected={selected.has(row.key)}
                      onSelect={onSelect}
                      rowMenu={rowMenu}
                      t={t}
                    />
                  )
                )
              })}
            </div>
          )}
        </div>
        {rows.length === 0 && props.empty}
      </div>
    </div>
  )
}

function HeaderCell({
  title,
  isEnd,
  sort,
  onSort,
}: {
  readonly title: string
  readonly isEnd: boolean
  readonly sort: SortKey | undefined
  readonly onSort: () => void
}) {
  const Arrow = sort?.descending === true ? ArrowDownIcon : ArrowUpIcon
  return (
    <span
      role="columnheader"
      aria-sort={sort === undefined ? 'none' : sort.descending ? 'descending' : 'ascending'}
      className={classNames('min-w-0 px-1.5', isEnd && 'text-right')}
    >
      <button type="button" onClick={onSort} className="inline-flex max-w-full cursor-pointer items-center gap-1 rounded hover:text-ink">
        <span className="truncate">{title}</span>
        {sort !== undefined && <Arrow aria-hidden className="size-3 shrink-0 text-accent-ink" />}
      </button>
    </span>
  )
}

interface TableRowProps<Row extends ResourceRow> {
  readonly row: Row
  readonly index: number
  readonly topPx: number
  readonly columns: readonly Column<Row>[]
  readonly tracks: string
  readonly href: string
  readonly isSelectable: boolean
  readonly isSelected: boolean
  readonly onSelect: ((key: string, isSelected: boolean) => void) | undefined
  readonly rowMenu: ((row: Row) => ReactNode) | undefined
  /** Handed down: a subscription to the language in every row would cost more than the row. */
  readonly t: TFunction<'kit'>
}

/** Drawn again only when its own row changed: an event in one pod must not draw the forty others. */
const TableRow = memo(function TableRow<Row extends ResourceRow>(props: TableRowProps<Row>) {
  const { row, columns, t } = props
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-selected={props.isSelected}
      className={classNames(
        'group absolute inset-x-0 top-0 grid items-center border-b border-line/60 px-2 text-sm hover:bg-hover',
        props.isSelected && 'bg-accent-soft/60',
        row.isDeleting && 'opacity-60',
      )}
      style={{ gridTemplateColumns: props.tracks, height: rowPx, transform: `translateY(${props.topPx}px)` }}
    >
      {props.isSelectable && (
        <span role="cell" className="flex items-center pl-1.5">
          <input
            type="checkbox"
            aria-label={t('table.select', { name: row.name })}
            checked={props.isSelected}
            onChange={(event) => props.onSelect?.(row.key, event.target.checked)}
            className="size-3.5 cursor-pointer accent-(--accent)"
          />
        </span>
      )}
      {columns.map((column, position) => (
        <span key={column.id} role="cell" className={classNames('min-w-0 truncate px-1.5', column.align === 'end' && 'text-right tabular-nums')}>
          {position === 0 ? (
            <AppLink
              href={props.href}
              data-row-link={props.index}
              className="block truncate font-medium text-ink hover:text-accent-ink hover:underline"
              title={row.name}
            >
              {cell(column, row)}
            </AppLink>
          ) : (
            cell(column, row)
          )}
        </span>
      ))}
      {props.rowMenu !== undefined && (
        <span role="cell" className="flex justify-end">
          {props.rowMenu(row)}
        </span>
      )}
    </div>
  )
}) as <Row extends ResourceRow>(props: TableRowProps<Row>) => ReactNode

function cell<Row>(column: Column<Row>, row: Row): ReactNode {
  if (column.render !== undefined) return column.render(row)
  const value = column.value(row)
  if (value === undefined || value === '') return <span className="text-faint">–</span>
  return <span title={typeof value === 'string' && value.length > 16 ? value : undefined}>{value}</span>
}
