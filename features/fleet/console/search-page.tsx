import {
  ageColumn,
  Button,
  clusterColumn,
  DataTable,
  Empty,
  ErrorNotice,
  Loading,
  nameColumn,
  namespaceColumn,
  Notice,
  objectHref,
  PageHeader,
  SearchBox,
  sortRows,
  StatusText,
  timestampMs,
  toneOfWord,
  type Column,
  type ResourceRow,
} from '@gantry/console-kit'
import { SearchIcon } from '@gantry/console-kit/icons'
import { useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'wouter'
import { searchExamples, type ClusterState, type SearchItem } from '../api/index.ts'
import { useSearch } from './use-search.ts'

interface FoundRow extends ResourceRow {
  readonly item: SearchItem
}

const pageSize = 200
const mostRows = 1_000
const nothingSelected: ReadonlySet<string> = new Set()

const columns: readonly Column<FoundRow>[] = [
  nameColumn,
  { id: 'kind', title: 'fleet:kind', value: ({ item }) => item.kind, width: 110, grow: 0.6, priority: 2 },
  {
    id: 'status',
    title: 'fleet:status',
    value: ({ item }) => item.status,
    render: ({ item }) => (item.status === undefined ? undefined : <StatusText status={{ text: item.status, tone: toneOfWord(item.status) }} />),
    width: 130,
    grow: 0.8,
    priority: 2,
  },
  clusterColumn,
  namespaceColumn,
  ageColumn,
]

/** Any object of any cluster, by what one knows of it; live. The words stand in the address, so that a search can be passed on. */
export function SearchPage() {
  const { t } = useTranslation('fleet')
  const [parameters, setParameters] = useSearchParams()
  const asked = parameters.get('q') ?? ''
  const [typed, setTyped] = useState(asked)
  const [limit, setLimit] = useState(pageSize)
  const [sort, setSort] = useState({ column: '', descending: false })
  const { answer, error } = useSearch(asked, limit)
  const settle = useCallback(
    (text: string) => {
      setLimit(pageSize)
      setParameters(text.trim() === '' ? {} : { q: text }, { replace: true })
    },
    [setParameters],
  )
  const rows = useMemo(() => {
    const found = (answer?.items ?? []).map(rowOf)
    const column = columns.find(({ id }) => id === sort.column)
    return column === undefined ? found : sortRows(found, column.value, sort.descending)
  }, [answer, sort])
  const hasMore = answer?.continue !== undefined
  const isAsked = asked.trim() !== ''

  return (
    <div className="flex h-full flex-col">
      <PageHeader
        title={t('title')}
        note={answer !== undefined && <span className="text-sm text-muted">{t(hasMore ? 'countMore' : 'count', { count: rows.length })}</span>}
      />
      <div className="flex items-center gap-3 px-4 pb-3 md:px-5">
        <SearchBox value={typed} onChange={setTyped} onSettled={settle} placeholder={t('placeholder')} />
        {hasMore && limit < mostRows && <Button onClick={() => setLimit(mostRows)}>{t('more')}</Button>}
      </div>
      <div className="flex max-h-40 flex-col gap-1.5 overflow-auto px-4 pb-2 md:px-5">
        {error !== undefined && <ErrorNotice error={error} title={t('failed')} />}
        {answer?.clusters.map((cluster) => (
          <Missing key={cluster.name} cluster={cluster} />
        ))}
      </div>
      {!isAsked && (
        <Empty icon={SearchIcon} title={t('start')}>
          <p>{t('startHelp')}</p>
          <p className="mt-2 flex flex-wrap justify-center gap-2">
            {searchExamples.map((example) => (
              <Button
                key={example}
                look="quiet"
                onClick={() => {
                  setTyped(example)
                  settle(example)
                }}
              >
                {example}
              </Button>
            ))}
          </p>
        </Empty>
      )}
      {isAsked && answer === undefined && error === undefined && <Loading label={t('loading')} />}
      {isAsked && answer !== undefined && (
        <DataTable
          label={t('title')}
          rows={rows}
          columns={columns}
          hrefOf={({ item }) => objectHref({ ...item, type: { group: item.group, version: item.version, plural: item.resource } })}
          sort={sort}
          onSort={(column) => setSort((before) => ({ column, descending: before.column === column && !before.descending }))}
          selected={nothingSelected}
          empty={
            <Empty icon={SearchIcon} title={t('nothing')}>
              {t('nothingHelp')}
            </Empty>
          }
        />
      )}
    </div>
  )
}

function Missing({ cluster }: { readonly cluster: ClusterState }) {
  const { t } = useTranslation('fleet')
  const { name, phase, problem } = cluster
  if (phase === 'live' || phase === 'notServed') return undefined
  const title = phase === 'failed' ? t('missing', { cluster: name }) : phase === 'stale' ? t('stale', { cluster: name }) : t('partial', { cluster: name })
  return (
    <Notice tone="warn" title={title}>
      {problem}
    </Notice>
  )
}

function rowOf(item: SearchItem): FoundRow {
  const { cluster, namespace = '', name, group, resource, created } = item
  return {
    key: `${cluster}/${resource}.${group}/${namespace}/${name}`,
    cluster,
    namespace,
    name,
    uid: '',
    createdMs: timestampMs(created),
    isDeleting: false,
    item,
  }
}
