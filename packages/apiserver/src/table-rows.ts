import { humanDuration } from '@gantry/apimachinery'
import type { Entry } from '@gantry/storage'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import { columnsOf, partialMetadata, tableRow } from './table.ts'

/** What the rows that are kept may take. */
const budgetBytes = 48 << 20
const rowOverheadBytes = 200
const yearMs = 365 * 24 * 60 * 60 * 1000

/** The text of a row around its age, the one cell that changes while the object does not. */
interface Row {
  readonly definition: ResourceDefinition
  readonly before: string
  readonly after: string
  /** When the age begins, in milliseconds of the epoch; undefined: nothing in this row changes. */
  readonly since: number | undefined
}

/**
 * Rows of tables with their objects' metadata, as JSON text, kept from one list to the next: parsing an object for its row costs ten times as much as giving the row out. Rows
 * belong to a state of an object, so nothing has to be invalidated. The cache has two generations: what is asked for moves into the younger, and when that has taken half of
 * the budget the older one is dropped.
 */
export class TableRows {
  #young = new Map<Entry, Row>()
  #old = new Map<Entry, Row>()
  #youngBytes = 0

  /** The row of an entry; `decode` is called when it is not kept. */
  text(definition: ResourceDefinition, entry: Entry, call: { readonly now: Date; readonly decode: () => ApiObject }): string {
    let row = this.#young.get(entry)
    if (row?.definition !== definition) {
      row = this.#old.get(entry)
      if (row?.definition !== definition) {
        const object = call.decode()
        const made = makeRow(definition, object, call.now)
        if (made === undefined) return JSON.stringify(tableRow(definition, object, { include: 'Metadata', now: call.now }))
        row = made
      }
      this.#keep(entry, row)
    }
    if (row.since === undefined) return row.before
    return `${row.before}"${humanDuration(call.now.getTime() - row.since)}"${row.after}`
  }

  #keep(entry: Entry, row: Row): void {
    this.#young.set(entry, row)
    this.#youngBytes += row.before.length + row.after.length + rowOverheadBytes
    if (this.#youngBytes < budgetBytes / 2) return
    this.#old = this.#young
    this.#young = new Map()
    this.#youngBytes = 0
  }
}

/** undefined: more than its age changes with time, so that the row cannot be kept. */
function makeRow(definition: ResourceDefinition, object: ApiObject, now: Date): Row | undefined {
  const later = new Date(now.getTime() + yearMs)
  const columns = columnsOf(definition)
  const cells = columns.map((column) => column.cell(object, now))
  const changing = columns.flatMap((column, at) => (column.cell(object, later) === cells[at] ? [] : [at]))
  const conditions = definition.rowConditions?.(object)
  const rest = `]${conditions === undefined ? '' : `,"conditions":${JSON.stringify(conditions)}`},"object":${JSON.stringify(partialMetadata(object))}}`
  const textOf = (some: typeof cells): string => some.map((cell) => JSON.stringify(cell)).join(',')
  const [age, ...others] = changing
  if (age === undefined) return { definition, before: `{"cells":[${textOf(cells)}${rest}`, after: '', since: undefined }
  const since = columns[age]?.since?.(object)
  if (since === undefined || others.length > 0) return undefined
  const [before, after] = [textOf(cells.slice(0, age)), textOf(cells.slice(age + 1))]
  return { definition, before: `{"cells":[${before}${before === '' ? '' : ','}`, after: `${after === '' ? '' : ','}${after}${rest}`, since }
}
