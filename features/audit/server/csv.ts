import type { AuditRecord } from '../api/index.ts'

const columns = [
  'seq',
  'time',
  'note',
  'auditID',
  'stage',
  'user',
  'groups',
  'credential',
  'certificate',
  'sourceIP',
  'userAgent',
  'method',
  'cluster',
  'verb',
  'apiGroup',
  'version',
  'resource',
  'subresource',
  'namespace',
  'name',
  'path',
  'query',
  'decision',
  'reason',
  'status',
  'latencyMs',
  'bytesIn',
  'bytesOut',
  'recording',
  'recordingCut',
  'lost',
  'hash',
] as const

export const csvHeader: string = `${columns.join(',')}\r\n`

/** A record as a line of CSV (RFC 4180). */
export function csvLine(record: AuditRecord): string {
  const fields = record as unknown as Readonly<Record<string, unknown>>
  return `${columns.map((column) => cell(fields[column])).join(',')}\r\n`
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'number') return String(value)
  const text = Array.isArray(value) ? value.join(' ') : typeof value === 'string' ? value : JSON.stringify(value)
  // A spreadsheet takes what begins so for a formula, and runs it.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
