import type { Column } from '../definitions.ts'
import type { ResourceRow } from '../model/resource-row.ts'
import { Age } from '../ui/age.tsx'
import { TableLink } from './table-link.tsx'

/** The columns every kind has. */
export const nameColumn: Column<ResourceRow> = { id: 'name', title: 'kit:column.name', value: (row) => row.name, width: 160, grow: 3, priority: 1 }

export const namespaceColumn: Column<ResourceRow> = {
  id: 'namespace',
  title: 'kit:column.namespace',
  value: (row) => row.namespace,
  width: 108,
  grow: 0.6,
  priority: 4,
}

export const clusterColumn: Column<ResourceRow> = {
  id: 'cluster',
  title: 'kit:column.cluster',
  value: (row) => row.cluster,
  render: (row) => <TableLink href={`/clusters/${encodeURIComponent(row.cluster)}`}>{row.cluster}</TableLink>,
  width: 88,
  grow: 0.7,
  priority: 3,
}

/** Sorted by age, so ascending is youngest first. */
export const ageColumn: Column<ResourceRow> = {
  id: 'age',
  title: 'kit:column.age',
  value: (row) => (row.createdMs === undefined ? undefined : -row.createdMs),
  render: (row) => <Age sinceMs={row.createdMs} />,
  width: 64,
  align: 'end',
  priority: 2,
}
