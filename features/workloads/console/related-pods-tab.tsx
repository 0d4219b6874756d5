import {
  ageColumn,
  baseRow,
  DataTable,
  Empty,
  ErrorNotice,
  Loading,
  nameColumn,
  objectHref,
  objectSource,
  queryKey,
  sortRows,
  useLiveRows,
  useServices,
  type Column,
  type DetailProps,
  type ResourceQuery,
} from '@gantry/console-kit'
import { PodIcon } from '@gantry/console-kit/icons'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { PodRow } from './pod.ts'
import { podList } from './pod-list.tsx'
import { podType } from './resource-types.ts'
import { podsOf } from './pods-of.ts'

const nothing: ReadonlySet<string> = new Set()

/** The pods that belong to an object, live. */
export function RelatedPodsTab({ target, object }: DetailProps) {
  const { t } = useTranslation('workloads')
  const { api } = useServices()
  const wanted = podsOf(target, object)
  const [sort, setSort] = useState({ column: 'name', descending: false })
  const cluster = target.cluster ?? ''
  const query: ResourceQuery = { cluster, type: podType, ...wanted }
  const live = useLiveRows<PodRow>(
    wanted === undefined
      ? []
      : [
          {
            name: cluster,
            key: queryKey(query, 'rows'),
            source: () => objectSource<PodRow>(api, query, { project: (pod) => podList.project(pod, baseRow(cluster, pod)), keyOf: (row) => row.key }),
          },
        ],
  )
  const member = live.members.get(cluster)
  const columns: readonly Column<PodRow>[] = useMemo(() => [nameColumn, ...podList.columns, ageColumn], [])
  const rows = useMemo(() => {
    const column = columns.find((candidate) => candidate.id === sort.column) ?? nameColumn
    return sortRows([...(live.members.get(cluster)?.rows.values() ?? [])], column.value, sort.descending)
  }, [live, cluster, columns, sort])
  return (
    <div className="flex min-h-0 flex-1 flex-col bg-panel">
      {member?.error !== undefined && member.phase === 'error' && (
        <div className="px-4 py-3 md:px-5">
          <ErrorNotice error={member.error} />
        </div>
      )}
      <DataTable
        label={t('kind.pods')}
        rows={rows}
        columns={columns}
        hrefOf={(row) => objectHref({ cluster, type: podType, namespace: row.namespace, name: row.name })}
        sort={sort}
        onSort={(column) => setSort((current) => ({ column, descending: current.column === column && !current.descending }))}
        selected={nothing}
        empty={
          wanted !== undefined && (member === undefined || member.phase === 'loading') ? (
            <Loading label={t('related.loading')} />
          ) : (
            <Empty icon={PodIcon} title={t('related.none')} />
          )
        }
      />
    </div>
  )
}
