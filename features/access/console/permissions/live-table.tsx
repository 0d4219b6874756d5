import {
  Button,
  DataTable,
  Empty,
  Loading,
  PageHeader,
  SearchBox,
  filterRows,
  sortRows,
  useQueryState,
  type ApiError,
  type Column,
  type ResourceRow,
} from '@gantry/console-kit'
import { BanIcon, CloseIcon, type Icon } from '@gantry/console-kit/icons'
import { useDeferredValue, useMemo, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { ListFailure } from './parts.tsx'

export interface LiveTableProps<Row extends ResourceRow> {
  readonly title: string
  readonly icon: Icon
  readonly isLoading: boolean
  readonly errors: readonly ApiError[]
  /** Before the search. */
  readonly rows: readonly Row[]
  /** Before the filters. */
  readonly total: number
  readonly columns: readonly Column<Row>[]
  readonly hrefOf: (row: Row) => string
  readonly textOf: (row: Row) => string
  readonly rowMenu?: ((row: Row) => ReactNode) | undefined
  readonly buttons?: ReactNode
  readonly filters?: ReactNode
  readonly onClear: () => void
  readonly emptyHelp: string
}

const isForbidden = ({ code }: ApiError): boolean => code === 403
const nothingSelected: ReadonlySet<string> = new Set()

/** A page with a live table: search and sorting live in the address. */
export function LiveTable<Row extends ResourceRow>(props: LiveTableProps<Row>) {
  const { title, rows, total, columns, textOf, errors, isLoading } = props
  const { t, i18n } = useTranslation('access')
  const query = useQueryState()
  const [text, setText] = useState(query.get('search'))
  const shownText = useDeferredValue(text)
  const asked = query.get('sort')
  const sort = useMemo(() => {
    const isDescending = asked.startsWith('-')
    const id = isDescending ? asked.slice(1) : asked
    const column = columns.find((one) => one.id === id)
    return { column: column?.id ?? columns[0]?.id ?? '', descending: column !== undefined && isDescending }
  }, [asked, columns])
  const shown = useMemo(() => {
    const filtered = filterRows(rows, { namespaces: new Set(), text: shownText, statuses: new Set(), statusOf: undefined, textOf }).rows
    const column = columns.find(({ id }) => id === sort.column)
    return column === undefined ? filtered : sortRows(filtered, column.value, sort.descending)
  }, [rows, shownText, textOf, columns, sort])
  const number = new Intl.NumberFormat(i18n.language)
  const count = shown.length === total ? number.format(total) : t('permissions.shownOf', { shown: number.format(shown.length), total: number.format(total) })
  // With nothing to show, the reason stands in its place.
  const above = total > 0 ? errors : errors.filter((error) => !isForbidden(error))
  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title={title} note={<span className="text-sm text-muted tabular-nums">{count}</span>}>
        {props.buttons}
      </PageHeader>
      <div className="flex flex-wrap items-center gap-2 px-4 pb-2 md:px-5">
        {props.filters}
        <SearchBox value={text} onChange={setText} onSettled={(value) => query.set({ search: value })} />
      </div>
      {above.length > 0 && (
        <div className="flex flex-col gap-2 px-4 pb-2 md:px-5">
          {above.map((error) => (
            <ListFailure key={error.message} error={error} what={title} />
          ))}
        </div>
      )}
      <div className="flex min-h-0 flex-1 flex-col border-t border-line bg-panel md:mx-5 md:mb-4 md:rounded-lg md:border">
        <DataTable
          label={title}
          rows={shown}
          columns={columns}
          hrefOf={props.hrefOf}
          sort={sort}
          onSort={(column) => query.set({ sort: sort.column === column && !sort.descending ? `-${column}` : column })}
          selected={nothingSelected}
          rowMenu={props.rowMenu}
          empty={
            isLoading ? (
              <Loading label={t('permissions.loading', { what: title })} />
            ) : total > 0 ? (
              <Empty icon={props.icon} title={t('permissions.noMatch')}>
                <Button
                  look="quiet"
                  icon={CloseIcon}
                  onClick={() => {
                    setText('')
                    props.onClear()
                  }}
                >
                  {t('permissions.clear')}
                </Button>
              </Empty>
            ) : (
              <Nothing {...props} />
            )
          }
        />
      </div>
    </div>
  )
}

function Nothing<Row extends ResourceRow>({ errors, title, icon, emptyHelp }: LiveTableProps<Row>) {
  const { t } = useTranslation('access')
  const forbidden = errors.find(isForbidden)
  if (forbidden !== undefined)
    return (
      <Empty icon={BanIcon} title={t('permissions.mayNotSee', { what: title })}>
        {forbidden.message}
      </Empty>
    )
  if (errors.length > 0) return undefined
  return (
    <Empty icon={icon} title={t('permissions.none', { what: title })}>
      {emptyHelp}
    </Empty>
  )
}
