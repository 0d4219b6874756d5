import { useMemo } from 'react'
import { useParams } from 'wouter'
import { useConsole, useKind } from '../console-context.tsx'
import type { Column } from '../definitions.ts'
import type { TableColumn } from '../api/kube-object.ts'
import { useScope } from '../frame/scope.ts'
import { placesOf } from '../live/places.ts'
import { useServedByAll } from '../live/use-served.ts'
import { listTarget } from '../model/console-path.ts'
import type { ResourceRow, StatusLabel } from '../model/resource-row.ts'
import type { SortValue } from '../model/row-view.ts'
import { cellText, printedColumns, statusColumnIndex, type TableResourceRow } from '../model/table-cells.ts'
import { toneOfWord } from '../model/tone.ts'
import { CustomKindIcon } from '../ui/icons.ts'
import { StatusText } from '../ui/status.tsx'
import { deleteAction } from './delete-dialog.tsx'
import { ResourceList } from './resource-list.tsx'

/** The list page of any resource: the server's own columns, live. */
export function GenericList() {
  const params = useParams() as { readonly group: string; readonly version: string; readonly plural: string }
  const routed = useMemo(() => listTarget(params), [params])
  const { fleet } = useConsole()
  const scope = useScope()
  const kind = useKind(routed)
  const clusters = useMemo(() => (scope.clusters.length > 0 ? scope.clusters : fleet.members.map((member) => member.name)), [scope.clusters, fleet.members])
  const { resources, failures } = useServedByAll(useMemo(() => placesOf({ clusters }).map(({ cluster }) => cluster), [clusters]))
  const served = resources.find((resource) => resource.group === routed.group && resource.plural === routed.plural)
  const type = useMemo(
    () => ({ ...routed, kind: kind?.type.kind ?? served?.kind ?? routed.plural, namespaced: kind?.type.namespaced ?? served?.namespaced ?? true }),
    [routed, kind, served?.kind, served?.namespaced],
  )
  // A cluster that does not say what it serves is asked all the same: its failure must show. All together know by themselves which of them serve it.
  const servedBy = served === undefined || clusters.length > 1 ? undefined : [...served.clusters, ...failures.map((failure) => failure.cluster)]
  const actions = useMemo(() => [...(kind?.actions ?? []), deleteAction], [kind])
  return (
    <ResourceList
      key={`${routed.group}/${routed.plural}`}
      title={kind?.title ?? type.kind}
      kind={{ icon: kind?.icon ?? CustomKindIcon }}
      type={type}
      list={kind?.list}
      actions={actions}
      fromTable={columnsOfTable}
      servedBy={servedBy}
    />
  )
}

const wideCellChars = new Set(['message', 'images', 'selector', 'data', 'hosts', 'ports', 'object'])

function columnsOfTable(tableColumns: readonly TableColumn[]): {
  readonly columns: readonly Column<ResourceRow>[]
  readonly status: ((row: ResourceRow) => StatusLabel) | undefined
} {
  const statusIndex = statusColumnIndex(tableColumns)
  const cellsOf = (row: ResourceRow): readonly unknown[] => (row as TableResourceRow).cells
  const labelAt = (row: ResourceRow, index: number): StatusLabel => {
    const text = cellText(cellsOf(row)[index])
    return { text, tone: toneOfWord(text.split(',')[0] ?? '') }
  }
  const columns = printedColumns(tableColumns).map(({ column, index }, position): Column<ResourceRow> => {
    const isNumber = column.type === 'integer' || column.type === 'number'
    const isWide = wideCellChars.has(column.name.toLowerCase())
    return {
      id: `cell-${index}`,
      title: column.name,
      value(row): SortValue {
        const cell = cellsOf(row)[index]
        return isNumber && typeof cell === 'number' ? cell : cellText(cell)
      },
      render: index === statusIndex ? (row) => <StatusText status={labelAt(row, index)} /> : undefined,
      width: isWide ? 240 : isNumber ? 90 : 130,
      grow: isNumber ? undefined : isWide ? 3 : 1,
      align: isNumber ? 'end' : undefined,
      priority: index === statusIndex ? 2 : 3 + position,
    }
  })
  return { columns, status: statusIndex === undefined ? undefined : (row) => labelAt(row, statusIndex) }
}
