import { objectHref, StatusText, TableLink, useNow, type Column, type ListDefinition } from '@gantry/console-kit'
import { humanDuration } from '@gantry/console-kit/model'
import { podRow, type PodRow } from './pod.ts'
import { nodeType } from './resource-types.ts'

const podStatus = (row: PodRow) => ({ text: row.status, tone: row.tone })

const podColumns: readonly Column<PodRow>[] = [
  {
    id: 'ready',
    title: 'workloads:column.ready',
    value: (row) => row.ready / Math.max(1, row.total),
    render: (row) => (
      <span className={row.ready < row.total && row.tone !== 'neutral' ? 'font-medium text-warn tabular-nums' : 'tabular-nums'}>
        {row.ready}/{row.total}
      </span>
    ),
    width: 58,
    priority: 5,
  },
  {
    id: 'status',
    title: 'kit:column.status',
    value: (row) => row.status,
    render: (row) => <StatusText status={podStatus(row)} />,
    width: 156,
    grow: 1,
    priority: 1,
  },
  { id: 'restarts', title: 'workloads:column.restarts', value: (row) => row.restarts, render: (row) => <Restarts row={row} />, width: 92, priority: 6 },
  {
    id: 'node',
    title: 'workloads:column.node',
    value: (row) => row.node,
    render: (row) =>
      row.node === '' ? (
        <span className="text-faint">–</span>
      ) : (
        <TableLink href={objectHref({ cluster: row.cluster, type: nodeType, name: row.node })}>{row.node}</TableLink>
      ),
    width: 116,
    grow: 1,
    priority: 7,
  },
  {
    id: 'ip',
    title: 'workloads:column.ip',
    value: (row) => row.ip,
    render: (row) => <span className="tabular-nums">{row.ip === '' ? '–' : row.ip}</span>,
    width: 118,
    priority: 8,
  },
]

function Restarts({ row }: { readonly row: PodRow }) {
  const now = useNow()
  return (
    <span className="tabular-nums">
      {row.restarts}
      {row.restarts > 0 && row.lastRestartMs !== undefined && <span className="text-muted"> ({humanDuration(now - row.lastRestartMs)})</span>}
    </span>
  )
}

export const podList: ListDefinition<PodRow> = {
  project: podRow,
  columns: podColumns,
  status: podStatus,
  searchText: (row) => `${row.status} ${row.node} ${row.ip}`,
}
