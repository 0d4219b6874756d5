import type { AuditFilter, AuditRecord } from '../api/index.ts'

/** The fields whose values a segment counts. */
export const summaryFields = ['user', 'cluster', 'namespace', 'resource', 'name', 'verb', 'decision'] as const
type SummaryField = (typeof summaryFields)[number]

/** A field with more values than this counts none: it may hold any. */
const mostValues = 256

/** What a segment holds, so that a search need not read it. It is never believed when the log is verified. */
export interface SegmentSummary {
  readonly records: number
  readonly recordings: number
  readonly fromTime: string
  readonly toTime: string
  /** How many records have a value; null where there are too many different ones. */
  readonly values: Readonly<Record<SummaryField, Readonly<Record<string, number>> | null>>
}

/** Counts what is written into a segment. */
export class SummaryBuilder {
  #records = 0
  #recordings = 0
  #fromTime = ''
  #toTime = ''
  readonly #values = new Map<SummaryField, Map<string, number> | undefined>(summaryFields.map((field) => [field, new Map<string, number>()]))

  add(record: Pick<Partial<AuditRecord>, 'time'> & Partial<Record<SummaryField, string | undefined>> & { readonly recording?: string | undefined }): void {
    const time = record.time ?? ''
    if (this.#records++ === 0) this.#fromTime = this.#toTime = time
    // The machine's clock may have been set back.
    if (time < this.#fromTime) this.#fromTime = time
    if (time > this.#toTime) this.#toTime = time
    if (record.recording !== undefined) this.#recordings++
    for (const field of summaryFields) {
      const value = record[field]
      const counts = this.#values.get(field)
      if (value === undefined || counts === undefined) continue
      const count = counts.get(value)
      if (count === undefined && counts.size === mostValues) this.#values.set(field, undefined)
      else counts.set(value, (count ?? 0) + 1)
    }
  }

  get summary(): SegmentSummary {
    const values = Object.fromEntries(summaryFields.map((field) => [field, objectOf(this.#values.get(field))]))
    return {
      records: this.#records,
      recordings: this.#recordings,
      fromTime: this.#fromTime,
      toTime: this.#toTime,
      values: values as SegmentSummary['values'],
    }
  }
}

function objectOf(counts: ReadonlyMap<string, number> | undefined): Readonly<Record<string, number>> | null {
  return counts === undefined ? null : (Object.assign(Object.create(null), Object.fromEntries(counts)) as Record<string, number>)
}

/** How many records of a segment have the value of a field: undefined when it does not say. */
export function countOf(summary: SegmentSummary, field: SummaryField, value: string): number | undefined {
  const counts = summary.values[field]
  if (counts === null) return undefined
  return Object.hasOwn(counts, value) ? counts[value] : 0
}

/** Whether a segment can hold anything that fits. */
export function mayHold(summary: SegmentSummary, filter: AuditFilter): boolean {
  if (filter.since !== undefined && summary.toTime < filter.since) return false
  if (filter.until !== undefined && summary.fromTime >= filter.until) return false
  if (filter.recorded === true && summary.recordings === 0) return false
  return summaryFields.every((field) => filter[field] === undefined || countOf(summary, field, filter[field]) !== 0)
}

/** Reads a summary; undefined when the text is none. */
export function parseSummary(text: string): SegmentSummary | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const summary = value as Partial<SegmentSummary> | null
  if (typeof summary?.records !== 'number' || typeof summary.fromTime !== 'string' || typeof summary.values !== 'object') return undefined
  return summary as SegmentSummary
}
