import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'wouter'
import type { ObjectRef } from '../api/kube-client.ts'
import type { ResourceType } from '../api/kube-object.ts'
import { useConsole } from '../console-context.tsx'
import type { Column, KindDefinition, ListDefinition, ObjectAction } from '../definitions.ts'
import { scopeQuery, useQueryState, useScope } from '../frame/scope.ts'
import { ClusterPick, NamespacePick } from '../frame/scope-pickers.tsx'
import { objectHref } from '../model/console-path.ts'
import type { ResourceRow, StatusLabel } from '../model/resource-row.ts'
import { filterRows, sortRows, type SortKey } from '../model/row-view.ts'
import { ageColumn, clusterColumn, nameColumn, namespaceColumn } from '../table/columns.tsx'
import { ColumnChoice, useHiddenColumns } from '../table/column-choice.tsx'
import { DataTable } from '../table/data-table.tsx'
import { Button } from '../ui/button.tsx'
import { Empty, Loading } from '../ui/empty.tsx'
import { CloseIcon, PlusIcon } from '../ui/icons.ts'
import { PageHeader } from '../frame/page-header.tsx'
import { ClusterFailures } from './cluster-failures.tsx'
import { RowMenu } from './row-menu.tsx'
import { SearchBox } from './search-box.tsx'
import { StatusChips } from './status-chips.tsx'
import { useResourceRows } from './use-resource-rows.ts'

export interface ResourceListProps {
  readonly title: string
  readonly kind: Pick<KindDefinition, 'icon'>
  readonly type: ResourceType
  /** Without it, the server's own table is shown. */
  readonly list: ListDefinition | undefined
  readonly actions: readonly ObjectAction[]
  /** The clusters that have this kind; while unknown, all are asked. */
  readonly servedBy?: readonly string[] | undefined
  /** Columns and state made of the server's table, for kinds without a definition. */
  readonly fromTable?: ((columns: Parameters<NonNullable<TableReader>>[0]) => ReturnType<NonNullable<TableReader>>) | undefined
}

type TableReader = (columns: ReturnType<typeof useResourceRows>['tableColumns']) => {
  readonly columns: readonly Column<ResourceRow>[]
  readonly status: ((row: ResourceRow) => StatusLabel) | undefined
}

/** A live table of one resource over the clusters and namespaces of the scope: search, state chips, sorting, selection, actions. */
export function ResourceList({ title: titleKey, type, list, actions, fromTable, kind, servedBy }: ResourceListProps) {
  const { t } = useTranslation('kit')
  const title = t(titleKey)
  const { fleet } = useConsole()
  const scope = useScope()
  const query = useQueryState()
  const servedByKey = servedBy?.join(',')
  const clusters = useMemo(() => {
    const known = servedByKey?.split(',')
    const wanted = scope.clusters.length > 0 ? scope.clusters : fleet.members.map((member) => member.name)
    return known === undefined ? wanted : wanted.filter((cluster) => known.includes(cluster))
  }, [scope.clusters, fleet.members, servedByKey])
  const isAll = scope.clusters.length === 0 && servedBy === undefined
  const live = useResourceRows(type, { clusters, isAll, namespace: type.namespaced && scope.namespaces.length === 1 ? scope.namespaces[0] : undefined }, list)

  const shape = useMemo(
    () => (list === undefined ? fromTable?.(live.tableColumns) : { columns: list.columns, status: list.status }),
    [list, fromTable, live.tableColumns],
  )
  const statusOf = shape?.status
  const columns = useMemo(
    () => withCommonColumns(shape?.columns ?? [], { isNamespaced: type.namespaced, hasClusters: clusters.length > 1, lead: list?.lead, last: list?.last }),
    [shape, type.namespaced, clusters.length, list],
  )
  const { hidden, setHidden } = useHiddenColumns(`${type.group}/${type.plural}`)
  const shownColumns = useMemo(() => columns.filter((column) => !hidden.has(column.id)), [columns, hidden])
  const sort = parseSort(query.get('sort') || (list?.defaultSort ?? ''), columns)
  const [text, setText] = useState(query.get('search'))
  const shownText = useDeferredValue(text)
  const statuses = query.get('status')
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())

  const view = useMemo(() => {
    const filtered = filterRows(live.rows, {
      namespaces: new Set(type.namespaced ? scope.namespaces : []),
      text: shownText,
      statuses: new Set(statuses === '' ? [] : statuses.split(',')),
      statusOf: statusOf === undefined ? undefined : (row) => statusOf(row).text,
      textOf: (row) => `${row.name} ${row.namespace} ${row.cluster} ${list?.searchText?.(row) ?? columns.map((column) => column.value(row) ?? '').join(' ')}`,
    })
    const column = columns.find((candidate) => candidate.id === sort.column) ?? nameColumn
    return { ...filtered, rows: sortRows(filtered.rows, column.value, sort.descending) }
  }, [live.rows, type.namespaced, scope.namespaces, shownText, statuses, statusOf, list, columns, sort.column, sort.descending])

  // Stable, so that a new event does not draw all rows again.
  const select = useCallback((key: string, isSelected: boolean) => setSelected((current) => toggled(current, key, isSelected)), [])
  const labels = useMemo(
    () => new Map(statusOf === undefined ? [] : live.rows.map((row) => statusOf(row)).map((status) => [status.text, status] as const)),
    [live.rows, statusOf],
  )
  const chosen = view.rows.filter((row) => selected.has(row.key))

  return (
    <div className="flex h-full min-h-0 flex-col">
      <PageHeader title={title} note={<Count shown={view.rows.length} total={view.total} arriving={live.arriving} isPolling={live.isPolling} />}>
        <ColumnChoice columns={columns} hidden={hidden} onChange={setHidden} />
        <Link
          href={`/create${scopeQuery(scope)}`}
          className="inline-flex h-8 items-center gap-1.5 rounded-md bg-accent px-3 text-sm font-medium text-on-accent hover:bg-accent-strong"
        >
          <PlusIcon aria-hidden className="size-4" />
          {t('list.create')}
        </Link>
      </PageHeader>
      <div className="flex flex-wrap items-center gap-2 px-4 pb-2 md:px-5">
        <ClusterPick picked={scope.clusters} onChange={(picked) => query.set({ cluster: picked.join(',') })} />
        {type.namespaced && <NamespacePick clusters={clusters} picked={scope.namespaces} onChange={(picked) => query.set({ namespace: picked.join(',') })} />}
        <SearchBox value={text} onChange={setText} onSettled={(value) => query.set({ search: value })} />
        {statusOf !== undefined && (
          <StatusChips
            counts={view.statusCounts}
            labels={labels}
            picked={statuses === '' ? [] : statuses.split(',')}
            onChange={(picked) => query.set({ status: picked.join(',') })}
          />
        )}
      </div>
      <ClusterFailures failures={live.failures} truncated={live.truncated} />
      <SelectionBar
        refs={chosen.map((row) => refOf(row, type))}
        actions={actions.filter((action) => action.isBulk === true)}
        onClear={() => setSelected(new Set())}
      />
      <div className="mx-0 flex min-h-0 flex-1 flex-col border-t border-line bg-panel md:mx-5 md:mb-4 md:rounded-lg md:border">
        <DataTable
          label={title}
          rows={view.rows}
          columns={shownColumns}
          hrefOf={(row) => objectHref(refOf(row, type))}
          sort={sort}
          onSort={(column) => query.set({ sort: nextSort(sort, column) })}
          selected={selected}
          onSelect={select}
          onSelectAll={(isSelected) => setSelected(new Set(isSelected ? view.rows.map((row) => row.key) : []))}
          rowMenu={useRowMenu(actions, type)}
          empty={
            live.isLoading && view.total === 0 ? (
              <Loading label={t('list.loading', { what: title })} />
            ) : (
              <Empty icon={kind.icon} title={view.total > 0 ? t('list.noMatch') : t('list.empty', { what: title })}>
                {view.total > 0 && (
                  <Button
                    look="quiet"
                    icon={CloseIcon}
                    onClick={() => {
                      setText('')
                      query.set({ search: '', status: '', namespace: '' })
                    }}
                  >
                    {t('list.clearFilters')}
                  </Button>
                )}
              </Empty>
            )
          }
        />
      </div>
    </div>
  )
}

/** Stable, so that rows are not drawn again when the table is. */
function useRowMenu(actions: readonly ObjectAction[], type: ResourceType): ((row: ResourceRow) => ReactNode) | undefined {
  const { t } = useTranslation('kit')
  return useCallback(
    (row: ResourceRow) => <RowMenu target={refOf(row, type)} actions={actions} label={t('table.actionsOf', { name: row.name })} />,
    [actions, type, t],
  )
}

function refOf(row: ResourceRow, type: ResourceType): ObjectRef {
  return { cluster: row.cluster, type, name: row.name, ...(row.namespace === '' ? {} : { namespace: row.namespace }) }
}

function Count({
  shown,
  total,
  arriving,
  isPolling,
}: {
  readonly shown: number
  readonly total: number
  readonly arriving: number
  readonly isPolling: boolean
}) {
  const { t, i18n } = useTranslation('kit')
  const number = new Intl.NumberFormat(i18n.language)
  const text = shown === total ? number.format(total) : t('list.shownOf', { shown: number.format(shown), total: number.format(total) })
  return (
    <span className="inline-flex items-center gap-2 text-sm text-muted tabular-nums">
      <span>{text}</span>
      {arriving > 0 && <span>{t('list.arriving', { rest: number.format(arriving) })}</span>}
      {isPolling && <span title={t('list.pollingWhy')}>{t('list.polling')}</span>}
    </span>
  )
}

function SelectionBar({
  refs,
  actions,
  onClear,
}: {
  readonly refs: readonly ObjectRef[]
  readonly actions: readonly ObjectAction[]
  readonly onClear: () => void
}) {
  const { t } = useTranslation('kit')
  const [open, setOpen] = useState<{ readonly action: ObjectAction; readonly targets: readonly ObjectRef[] }>()
  const bar = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      // A menu or dialog that was open has taken the key.
      if (event.key === 'Escape' && !event.defaultPrevented && bar.current !== null && open === undefined) onClear()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [onClear, open])
  const DialogOfAction = open?.action.dialog
  return (
    <>
      {refs.length > 0 && (
        <div
          ref={bar}
          role="toolbar"
          aria-label={t('list.selectionActions')}
          className="mx-4 mb-2 flex flex-wrap items-center gap-2 rounded-md bg-accent-soft px-3 py-1.5 text-sm text-accent-ink md:mx-5"
        >
          <span className="mr-2 font-medium">{t('list.selected', { count: refs.length })}</span>
          {actions.map((action) => (
            <Button key={action.id} icon={action.icon} onClick={() => setOpen({ action, targets: refs })} className="h-7">
              {t(action.title)}
            </Button>
          ))}
          <Button look="quiet" icon={CloseIcon} onClick={onClear} className="h-7">
            {t('list.clearSelection')}
          </Button>
        </div>
      )}
      {open !== undefined && DialogOfAction !== undefined && (
        <DialogOfAction
          targets={open.targets}
          onClose={(done) => {
            setOpen(undefined)
            if (done) onClear()
          }}
        />
      )}
    </>
  )
}

function withCommonColumns(
  own: readonly Column<ResourceRow>[],
  shown: {
    readonly isNamespaced: boolean
    readonly hasClusters: boolean
    readonly lead: Column<ResourceRow> | undefined
    readonly last: Column<ResourceRow> | undefined
  },
): readonly Column<ResourceRow>[] {
  return [
    shown.lead ?? nameColumn,
    ...(shown.hasClusters ? [clusterColumn] : []),
    ...(shown.isNamespaced ? [namespaceColumn] : []),
    ...own,
    shown.last ?? ageColumn,
  ]
}

function parseSort(text: string, columns: readonly Column<ResourceRow>[]): SortKey {
  const descending = text.startsWith('-')
  const column = descending ? text.slice(1) : text
  return columns.some((candidate) => candidate.id === column) ? { column, descending } : { column: columns[0]?.id ?? 'name', descending: false }
}

function nextSort(sort: SortKey, column: string): string {
  if (sort.column !== column) return column
  return sort.descending ? column : `-${column}`
}

function toggled(current: ReadonlySet<string>, key: string, isSelected: boolean): ReadonlySet<string> {
  const next = new Set(current)
  if (isSelected) next.add(key)
  else next.delete(key)
  return next
}
