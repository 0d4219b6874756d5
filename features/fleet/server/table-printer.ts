import type { TableColumnDefinition } from '@gantry/apimachinery'
import { clusterLabel, qualifiedName } from '../api/index.ts'
import { cellAt, cellClockOf, clusterColumn, isNameColumn, nameCell, positionsOf } from './columns.ts'
import type { FleetKind } from './fleet-kind.ts'
import type { MemberFeed } from './member-feed.ts'
import type { Row } from './row-table.ts'

/** Writes rows of a kind as rows of one Table: with the columns of all clusters as they were when it was made, and the cluster first. */
export class TablePrinter {
  readonly columns: readonly TableColumnDefinition[]
  readonly columnsJson: string
  readonly #withObject: boolean
  readonly #positions = new WeakMap<readonly TableColumnDefinition[], readonly number[]>()
  readonly #clocks: readonly ReturnType<typeof cellClockOf>[]
  readonly #statusAt: number

  constructor(kind: Pick<FleetKind, 'columns'>, options: { readonly withObject: boolean }) {
    this.columns = kind.columns
    this.columnsJson = JSON.stringify([clusterColumn, ...this.columns])
    this.#withObject = options.withObject
    this.#clocks = this.columns.map(cellClockOf)
    this.#statusAt = this.columns.findIndex(({ name }) => name === 'Status')
  }

  /** The cells of a row as JSON texts, without the cluster's. */
  cells(feed: Pick<MemberFeed, 'columns'>, row: Row, nowMs: number): readonly string[] {
    const positions = this.#positionsIn(feed.columns)
    const isRunning = row.cells[positions[this.#statusAt] ?? -1] === '"Running"'
    return this.columns.map((column, at) => {
      const cell = row.cells[positions[at] ?? -1] ?? 'null'
      if (cell === nameCell && isNameColumn(column)) return JSON.stringify(row.name)
      return cellAt(cell, this.#clocks[at] ?? 'fixed', row, { nowMs, isRunning })
    })
  }

  /** The JSON of a row. */
  row(feed: Pick<MemberFeed, 'columns' | 'cluster'>, row: Row, version: number, nowMs: number): string {
    const cells = `{"cells":["${feed.cluster}",${this.cells(feed, row, nowMs).join(',')}]`
    return this.#withObject ? `${cells},"object":${objectJson(feed.cluster, row, version)}}` : `${cells},"object":null}`
  }

  #positionsIn(own: readonly TableColumnDefinition[]): readonly number[] {
    let positions = this.#positions.get(own)
    if (positions === undefined) this.#positions.set(own, (positions = positionsOf(this.columns, own)))
    return positions
  }
}

function objectJson(cluster: string, row: Row, version: number): string {
  const label = `"${clusterLabel}":"${cluster}"`
  const created = Number.isNaN(row.createdS) ? 'null' : `"${new Date(row.createdS * 1_000).toISOString().slice(0, 19)}Z"`
  return [
    `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":${JSON.stringify(qualifiedName(cluster, row.name))}`,
    row.namespace === '' ? '' : `,"namespace":${JSON.stringify(row.namespace)}`,
    row.uid === '' ? '' : `,"uid":${JSON.stringify(row.uid)}`,
    `,"resourceVersion":"${version}","creationTimestamp":${created}`,
    `,"labels":{${row.labels === '' ? label : `${label},${row.labels.slice(1, -1)}`}}`,
    row.owners === '' ? '' : `,"ownerReferences":${row.owners}`,
    '}}',
  ].join('')
}
