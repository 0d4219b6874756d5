import { open, readFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'
import { turnBudgetOn } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import { filterQuery, type AuditFilter, type AuditPage, type AuditRecord } from '../api/index.ts'
import { longestRecordBytes, summaryFile, writeSummary, type Segment } from './audit-log.ts'
import { countOf, mayHold, parseSummary, SummaryBuilder, summaryFields, type SegmentSummary } from './segment-summary.ts'

export interface SearchDeps {
  readonly clock: Clock
  /** Oldest first. */
  readonly segments: () => readonly Segment[]
}

export type Direction = 'newestFirst' | 'oldestFirst'

/** A place between records. */
export interface Position {
  readonly firstSeq: number
  /** Newest first: what stands before here is to come. Oldest first: what stands from here on. */
  readonly offset: number
}

/** Read at a time, and looked through without a pause: some tenths of a millisecond. */
const blockBytes = 256 << 10
/** A page ends after so long even when it is not full: no request holds a reader for longer. */
const longestSearchMs = 2_000

/** Reads the segments of a log. A summary of each is kept in memory once it has been read. */
export class AuditSearch {
  readonly #deps: SearchDeps
  readonly #summaries = new Map<number, SegmentSummary>()

  constructor(deps: SearchDeps) {
    this.#deps = deps
  }

  /** Newest first, at most `limit` records; `token` is the `continue` of the page before. */
  async page(filter: AuditFilter, options: { readonly limit: number; readonly token?: string | undefined; readonly signal: AbortSignal }): Promise<AuditPage> {
    const { limit, signal } = options
    const untilMs = this.#deps.clock.monotonicMs() + longestSearchMs
    const items: AuditRecord[] = []
    const from = options.token === undefined ? undefined : parseToken(options.token, filter)
    for await (const found of this.lines(filter, { direction: 'newestFirst', from, signal })) {
      for (const { line, position } of found.lines) {
        items.push(JSON.parse(line.toString('utf8')) as AuditRecord)
        if (items.length === limit) return { items, continue: formatToken(position, filter) }
      }
      if (this.#deps.clock.monotonicMs() > untilMs) return { items, continue: formatToken(found.next, filter) }
    }
    return { items }
  }

  /** The lines that fit, block by block; a block may have none. They are good until the next block is asked for. */
  async *lines(
    filter: AuditFilter,
    options: { readonly direction: Direction; readonly from?: Position | undefined; readonly signal: AbortSignal },
  ): AsyncGenerator<{ readonly lines: readonly Found[]; readonly next: Position }, void> {
    const { direction, from, signal } = options
    const budget = turnBudgetOn(this.#deps.clock)
    const segments = this.#deps.segments()
    this.#forget(segments)
    const inOrder = direction === 'newestFirst' ? [...segments].reverse() : segments
    for (const segment of inOrder) {
      signal.throwIfAborted()
      if (from !== undefined && (direction === 'newestFirst' ? segment.firstSeq > from.firstSeq : segment.firstSeq < from.firstSeq)) continue
      const summary = await this.#summaryOf(segment, signal)
      if (summary !== undefined && !mayHold(summary, filter)) {
        await budget.pause()
        continue
      }
      const match = matcherOf(filter, summary)
      const offset = from?.firstSeq === segment.firstSeq ? from.offset : undefined
      for await (const block of blocksOf(segment, { direction, offset, signal })) {
        await budget.pause()
        const lines = match(block.bytes).map(({ start, end }) => ({
          line: block.bytes.subarray(start, end),
          position: { firstSeq: segment.firstSeq, offset: block.offset + (direction === 'newestFirst' ? start : end + 1) },
        }))
        if (direction === 'newestFirst') lines.reverse()
        yield { lines, next: { firstSeq: segment.firstSeq, offset: direction === 'newestFirst' ? block.offset : block.offset + block.bytes.length } }
      }
    }
  }

  #forget(segments: readonly Segment[]): void {
    const kept = new Set(segments.map(({ firstSeq }) => firstSeq))
    for (const firstSeq of this.#summaries.keys()) if (!kept.has(firstSeq)) this.#summaries.delete(firstSeq)
  }

  /** Undefined for the segment that is being written. */
  async #summaryOf(segment: Segment, signal: AbortSignal): Promise<SegmentSummary | undefined> {
    if (!segment.isSealed) return undefined
    const known = this.#summaries.get(segment.firstSeq)
    if (known !== undefined) return known
    const summary = (await readSummary(segment.file)) ?? (await this.#summarize(segment, signal))
    if (summary !== undefined) this.#summaries.set(segment.firstSeq, summary)
    return summary
  }

  /** Of a segment that was sealed by another process than the one that began it. */
  async #summarize(segment: Segment, signal: AbortSignal): Promise<SegmentSummary | undefined> {
    const budget = turnBudgetOn(this.#deps.clock)
    const builder = new SummaryBuilder()
    for await (const { bytes } of blocksOf(segment, { direction: 'oldestFirst', offset: undefined, signal })) {
      for (const { start, end } of linesIn(bytes)) {
        const wait = budget.pause()
        if (wait !== undefined) await wait
        try {
          builder.add(JSON.parse(bytes.toString('utf8', start, end)) as AuditRecord)
        } catch {
          return undefined // damaged: it is searched as it is, and `verify` names the place
        }
      }
    }
    const { summary } = builder
    if (summary.records === 0) return undefined
    // Without it the next process counts again.
    await writeSummary(segment.file, JSON.stringify(summary)).catch(() => {})
    return summary
  }
}

export interface Found {
  /** A record as it was written, without its newline. */
  readonly line: Buffer
  /** Where to go on after it. */
  readonly position: Position
}

async function readSummary(segment: string): Promise<SegmentSummary | undefined> {
  try {
    return parseSummary(await readFile(summaryFile(segment), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

interface Block {
  /** Whole lines, each with its newline. */
  readonly bytes: Buffer
  readonly offset: number
}

/** A segment in blocks of whole lines, each good until the next one is asked for. Ends early when retention has removed it. */
export async function* blocksOf(
  segment: Segment,
  options: { readonly direction: Direction; readonly offset: number | undefined; readonly signal: AbortSignal },
): AsyncGenerator<Block, void> {
  const { direction, signal } = options
  let handle
  try {
    handle = await open(segment.file, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  try {
    // One for all: a new one for each block is work for the collector, which stops everybody.
    const buffer = Buffer.allocUnsafe(Math.min(blockBytes, segment.bytes))
    let start = direction === 'oldestFirst' ? (options.offset ?? 0) : 0
    let end = direction === 'newestFirst' ? Math.min(options.offset ?? segment.bytes, segment.bytes) : segment.bytes
    while (start < end) {
      signal.throwIfAborted()
      const from = direction === 'newestFirst' ? Math.max(start, end - blockBytes) : start
      const { bytesRead } = await handle.read(buffer, 0, Math.min(blockBytes, end - from), from)
      const read = buffer.subarray(0, bytesRead)
      if (direction === 'newestFirst') {
        // What begins before the block belongs to the next one.
        const first = from === start ? 0 : read.indexOf(0x0a) + 1
        if (bytesRead === 0 || (first === 0 && from > start)) throw tooLong(segment)
        end = from + first
        yield { bytes: read.subarray(first), offset: end }
      } else {
        const isTorn = !segment.isSealed && from + bytesRead === end
        const last = isTorn && read.indexOf(0x0a) === -1 ? bytesRead : read.lastIndexOf(0x0a) + 1
        if (last === 0) throw tooLong(segment)
        start = from + last
        yield { bytes: read.subarray(0, last), offset: from }
      }
    }
  } finally {
    await handle.close()
  }
}

function tooLong({ file }: Segment): StatusError {
  return new StatusError('InternalError', `a segment of the audit log (${file}) is damaged: a record is longer than ${longestRecordBytes} bytes`)
}

interface Line {
  readonly start: number
  /** Of its newline. */
  readonly end: number
}

export function* linesIn(bytes: Buffer): Generator<Line, void> {
  for (let start = 0; start < bytes.length;) {
    const newline = bytes.indexOf(0x0a, start)
    const end = newline === -1 ? bytes.length : newline
    yield { start, end }
    start = end + 1
  }
}

/** Finds the lines of a block that fit, oldest first. What is looked for are bytes, as records are written; only what text is looked for in has to be read. */
function matcherOf(filter: AuditFilter, summary: SegmentSummary | undefined): (bytes: Buffer) => readonly Line[] {
  const needles = needlesOf(filter, summary)
  const [rarest, ...others] = needles
  const { since, until, text } = filter
  const rest = (bytes: Buffer, { start, end }: Line): boolean => {
    const line = bytes.subarray(start, end)
    if (!others.every((needle) => line.includes(needle))) return false
    if (since !== undefined || until !== undefined) {
      const time = timeOf(line)
      if ((since !== undefined && time < since) || (until !== undefined && time >= until)) return false
    }
    return text === undefined || hasText(line, text)
  }
  if (rarest === undefined) return (bytes) => [...linesIn(bytes)].filter((line) => rest(bytes, line))
  return (bytes) => {
    const lines: Line[] = []
    for (let at = bytes.indexOf(rarest); at !== -1;) {
      const line = { start: bytes.lastIndexOf(0x0a, at) + 1, end: endOfLine(bytes, at) }
      if (rest(bytes, line)) lines.push(line)
      at = bytes.indexOf(rarest, line.end)
    }
    return lines
  }
}

function endOfLine(bytes: Buffer, from: number): number {
  const newline = bytes.indexOf(0x0a, from)
  return newline === -1 ? bytes.length : newline
}

/** What has to stand in a line: inside a text a quote is escaped, so these are found as fields only. The one that fewest lines have comes first. */
function needlesOf(filter: AuditFilter, summary: SegmentSummary | undefined): readonly Buffer[] {
  const needles: { readonly bytes: Buffer; readonly count: number }[] = []
  for (const field of summaryFields) {
    const value = filter[field]
    if (value === undefined) continue
    const count = (summary === undefined ? undefined : countOf(summary, field, value)) ?? (field === 'name' ? 1 : 1_000)
    needles.push({ bytes: Buffer.from(`"${field}":${JSON.stringify(value)}`), count })
  }
  if (filter.recorded === true) needles.push({ bytes: Buffer.from('"recording":"'), count: summary?.recordings ?? 10 })
  if (filter.text !== undefined) needles.push({ bytes: Buffer.from(JSON.stringify(filter.text).slice(1, -1)), count: 500 })
  if (filter.status !== undefined)
    needles.push({ bytes: Buffer.from(`"status":${filter.status.replace('xx', '')}`), count: filter.status.startsWith('2') ? 100_000 : 2_000 })
  return needles.sort((a, b) => a.count - b.count).map(({ bytes }) => bytes)
}

const timeStart = '"time":"'

/** The time stands behind the number, first of all. */
function timeOf(line: Buffer): string {
  const at = line.indexOf(timeStart) + timeStart.length
  return line.toString('latin1', at, at + '2026-01-01T00:00:00.000Z'.length)
}

function hasText(line: Buffer, text: string): boolean {
  let record: unknown
  try {
    record = JSON.parse(line.toString('utf8'))
  } catch {
    return false // damaged: `verify` names the place
  }
  return Object.entries(record as object).some(([field, value]) => field !== 'hash' && (Array.isArray(value) ? value.join('\n') : String(value)).includes(text))
}

function fingerprint(filter: AuditFilter): string {
  return createHash('sha256').update(filterQuery(filter).toString()).digest('base64url').slice(0, 12)
}

function formatToken({ firstSeq, offset }: Position, filter: AuditFilter): string {
  return Buffer.from(`${firstSeq}.${offset}.${fingerprint(filter)}`).toString('base64url')
}

function parseToken(token: string, filter: AuditFilter): Position {
  const match = /^(\d{1,15})\.(\d{1,15})\.([\w-]{12})$/.exec(Buffer.from(token, 'base64url').toString('latin1'))
  if (match === null || match[3] !== fingerprint(filter)) throw new StatusError('BadRequest', '"continue" is not of this search')
  return { firstSeq: Number(match[1]), offset: Number(match[2]) }
}
