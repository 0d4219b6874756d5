import { goFormat } from './go-format.ts'
import { humanDuration } from './human-duration.ts'
import { compileJsonPath } from './json-path.ts'

/** A column of a Table (meta.k8s.io/v1). */
export interface TableColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  /** 0 is always shown, others with `-o wide`. */
  readonly priority: number
}

export interface TableRow {
  readonly cells: readonly unknown[]
  readonly conditions?: readonly unknown[] | undefined
  readonly object: unknown
}

/** `additionalPrinterColumns` of a CustomResourceDefinition. */
export interface PrinterColumn {
  readonly name: string
  readonly type: string
  readonly jsonPath: string
  readonly format?: string | undefined
  readonly description?: string | undefined
  readonly priority?: number | undefined
}

/** The cell of one object: null where there is no value or it is of another type. Upstream: apiextensions-apiserver pkg/registry/customresource/tableconvertor. */
export function printerCell(column: PrinterColumn, object: unknown, now: Date): string | number | boolean | null {
  const value = printedValue(column, object)
  if (value === undefined) return null
  switch (column.type) {
    case 'string':
      return typeof value === 'object' && value !== null ? JSON.stringify(value) : goFormat(value)
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? ageOf(value, now) : null
    default:
      return null
  }
}

/** What a column shows of an object, as the object has it. */
export function printedValue(column: PrinterColumn, object: unknown): unknown {
  return compileJsonPath(column.jsonPath)(object)[0]
}

/** The age of an RFC 3339 time: `<unknown>` for none, `<invalid>` for what is no time. */
export function ageOf(timestamp: string | null | undefined, now: Date): string {
  if (timestamp === null || timestamp === undefined || timestamp === '') return '<unknown>'
  const since = Date.parse(timestamp)
  return Number.isNaN(since) ? '<invalid>' : humanDuration(now.getTime() - since)
}
