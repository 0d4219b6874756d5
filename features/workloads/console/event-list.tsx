import { Age, StatusText, type Column, type ListDefinition } from '@gantry/console-kit'
import type { StatusLabel } from '@gantry/console-kit/model'
import { eventRow, type EventRow } from './event.ts'

const eventStatus = (row: EventRow): StatusLabel => ({ text: row.type, tone: row.type === 'Warning' ? 'warn' : 'neutral' })

const columns: readonly Column<EventRow>[] = [
  { id: 'type', title: 'workloads:events.type', value: (row) => row.type, render: (row) => <StatusText status={eventStatus(row)} />, width: 100, priority: 2 },
  { id: 'object', title: 'workloads:events.object', value: (row) => `${row.involved.kind ?? ''}/${row.involved.name ?? ''}`, width: 170, grow: 1, priority: 5 },
  { id: 'message', title: 'workloads:events.message', value: (row) => row.message, width: 220, grow: 4, priority: 3 },
  { id: 'count', title: 'workloads:events.count', value: (row) => row.count, width: 72, align: 'end', priority: 7 },
]

/** Events say more by their reason than by their name, and are read newest first. */
export const eventList: ListDefinition<EventRow> = {
  project: eventRow,
  lead: { id: 'reason', title: 'workloads:events.reason', value: (row) => row.reason, width: 150, priority: 1 },
  columns,
  last: {
    id: 'last-seen',
    title: 'workloads:events.lastSeen',
    value: (row) => (row.lastSeenMs === undefined ? undefined : -row.lastSeenMs),
    render: (row) => <Age sinceMs={row.lastSeenMs} />,
    width: 92,
    align: 'end',
    priority: 2,
  },
  defaultSort: 'last-seen',
  status: eventStatus,
  searchText: (row) => `${row.reason} ${row.type} ${row.involved.kind ?? ''}/${row.involved.name ?? ''} ${row.message}`,
}
