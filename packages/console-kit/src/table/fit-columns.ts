import type { Column } from '../definitions.ts'

/** The columns that fit into a width: the ones of the highest priority number leave first, the first column never. Order is kept. */
export function fitColumns<Row>(columns: readonly Column<Row>[], availablePx: number): readonly Column<Row>[] {
  let shown = [...columns]
  let needed = shown.reduce((sum, column) => sum + column.width, 0)
  while (needed > availablePx && shown.length > 1) {
    const [, ...rest] = shown
    const leaver = rest.reduce((worst, column) => (column.priority >= worst.priority ? column : worst), rest[0] as Column<Row>)
    shown = shown.filter((column) => column !== leaver)
    needed -= leaver.width
  }
  return shown
}

/** The grid's tracks: wanted widths, growing by weight. The narrowest table gives all it has to the first column. */
export function gridTracks<Row>(columns: readonly Column<Row>[]): string {
  return columns
    .map((column) => (column.grow === undefined ? `${column.width}px` : `minmax(${columns.length === 1 ? 0 : column.width}px, ${column.grow * 100}fr)`))
    .join(' ')
}
