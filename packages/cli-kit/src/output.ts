import { dump } from 'js-yaml'
import type { KubeObject } from '@gantry/client'
import { UsageError } from './usage-error.ts'

/** What a command has to show. */
export type Output =
  | {
      readonly kind: 'text'
      readonly text: string
      /** 0 when absent; 1 for an answer that is a no. */
      readonly exitCode?: 0 | 1
    }
  | {
      readonly kind: 'objects'
      readonly objects: readonly KubeObject[]
      readonly columns: readonly OutputColumn[]
      /** One object was asked for: JSON and YAML show it alone, not in a list. */
      readonly isSingle?: boolean
      /** In `-o name`: `cluster.fleet.gantry.dev`. */
      readonly resource: string
    }

export interface OutputColumn {
  readonly name: string
  readonly value: (object: never) => string | number | undefined
}

export const outputFormats = ['table', 'json', 'yaml', 'name'] as const
export type OutputFormat = (typeof outputFormats)[number]

export function parseFormat(text: string | undefined): OutputFormat {
  const format = outputFormats.find((one) => one === (text ?? 'table'))
  if (format === undefined) throw new UsageError(`unknown output format "${text}": it is one of ${outputFormats.join(', ')}`)
  return format
}

/** The text a command prints. */
export function formatOutput(output: Output, format: OutputFormat): string {
  if (output.kind === 'text') return withNewline(output.text)
  const { isSingle = false } = output
  const objects = output.objects.map(withoutManagedFields)
  const document = isSingle && objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', metadata: {}, items: objects }
  switch (format) {
    case 'json':
      return `${JSON.stringify(document, undefined, 4)}\n`
    case 'yaml':
      return dump(document, { lineWidth: -1, noRefs: true })
    case 'name':
      return objects.map(({ metadata }) => `${output.resource}/${metadata.name}\n`).join('')
    case 'table':
      return objects.length === 0 ? 'No resources found\n' : formatTable(output.columns, objects)
  }
}

/** As kubectl: who wrote which field is for the server. */
function withoutManagedFields(object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

function formatTable(columns: readonly OutputColumn[], objects: readonly KubeObject[]): string {
  const rows = [columns.map(({ name }) => name.toUpperCase()), ...objects.map((object) => columns.map(({ value }) => printable(value(object as never))))]
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('   ')
          .trimEnd()}\n`,
    )
    .join('')
}

/** What objects say is shown, never obeyed: no control characters reach the terminal. */
export function printable(value: string | number | undefined): string {
  if (value === undefined || value === '') return '<none>'
  // oxlint-disable-next-line no-control-regex -- they are what is taken out
  return String(value).replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
}

/** How long ago, as kubectl shows it: 5s, 3m20s, 4h, 12d. */
export function formatAge(since: string | null | undefined, now: Date): string {
  if (since === undefined || since === null) return '<unknown>'
  const seconds = Math.max(0, Math.floor((now.getTime() - Date.parse(since)) / 1_000))
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3_600), Math.floor(seconds / 86_400)]
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`
  if (hours < 3) return `${minutes}m`
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`
  if (days < 2) return `${hours}h`
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`
  if (days < 730) return `${days}d`
  return `${Math.floor(days / 365)}y`
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
