import { createHash } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { AuditEvent, AuditSink } from '@gantry/gateway'
import { fileProblem, repeat, turnBudgetOn } from '@gantry/runtime'
import type { Clock, Logger, Running } from '@gantry/runtime'
import { chainStart, type AuditHead, type LogNote } from '../api/index.ts'
import { follows, headOfLine, sealRecord } from './chain.ts'
import { SummaryBuilder } from './segment-summary.ts'

export interface AuditLogDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Opens files for writing: by default the disk's. */
  readonly openFile?: ((file: string, flags: string, mode: number) => Promise<FileHandle>) | undefined
}

export interface AuditLogOptions {
  readonly dir: string
  readonly retention: AuditRetention
  /** A segment that has reached this size is sealed. */
  readonly segmentBytes?: number | undefined
  /** What may wait for the disk. */
  readonly waitingBytes?: number | undefined
  /** How long a record may wait to leave together with others. */
  readonly flushMs?: number | undefined
}

/** Whole segments are removed when they are older, or when all together are larger. */
export interface AuditRetention {
  readonly maxAgeMs: number
  readonly maxBytes: number
}

/** A file of the log, as a reader finds it. */
export interface Segment {
  readonly file: string
  /** Its first record: what it is called by. */
  readonly firstSeq: number
  /** Whole records. */
  readonly bytes: number
  readonly isSealed: boolean
}

const fileName = /^(\d{16})\.jsonl$/
const day = 24 * 3_600_000
/** So that retention by age finds something to remove where little happens. */
const longestSegmentMs = day
const retainEveryMs = 3_600_000
// Not among all that a start has to do.
const firstRetainMs = 60_000
const diskIsFull: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])
const retryMs = 1_000
const syncEveryMs = 1_000
const batchBytes = 256 << 10
/** What a record takes in memory besides its longer texts. */
const eventOverheadBytes = 768
/** A record is shorter: path and query have limits. */
export const longestRecordBytes = 64 << 10
const longestTornText = 4_096
const longestPolicyText = 16 << 10

interface MutableSegment {
  readonly file: string
  readonly firstSeq: number
  bytes: number
  readonly startedMs: number
  /** When it was last written to, by the machine's clock. */
  lastMs: number
}

export function summaryFile(segment: string): string {
  return `${segment.slice(0, -'.jsonl'.length)}.summary.json`
}

/**
 * The audit log: JSON lines in segments, each record holding the hash of what was before. `write` never waits and never throws; batches leave for the disk some milliseconds later. A
 * disk that refuses or lags holds up no request: what waits has a limit, what comes on top is counted, and the count is on record when the disk works again.
 */
export class AuditLog implements AuditSink, AsyncDisposable {
  readonly #deps: AuditLogDeps
  readonly #options: AuditLogOptions & { readonly segmentBytes: number; readonly waitingBytes: number; readonly flushMs: number }
  readonly #stop = new AbortController()
  /** Oldest first; the last one is being written. */
  readonly #segments: MutableSegment[]
  #head: AuditHead
  #handle: FileHandle | undefined
  /** Undefined: the segment has records that were not counted here. */
  #summary: SummaryBuilder | undefined
  #waiting: AuditEvent[] = []
  #waitingBytes = 0
  readonly #notes: LogNote[] = []
  #lost: { count: number; readonly since: string; until: string } | undefined
  #isFailing = false
  /** A write that failed may have left a part of itself. */
  #isDirty = false
  #syncedMs = 0
  #flushing: Promise<void> | undefined
  #cancelFlush: (() => void) | undefined
  readonly #retention: Running
  #isClosed = false

  /** Opens the log, or begins one; a last line that a crash has torn is closed by a record. Rejects when the folder cannot be used. */
  static async open(deps: AuditLogDeps, options: AuditLogOptions): Promise<AuditLog> {
    const dir = options.dir
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const segments = await listSegments(dir)
      let tail = await readTail(segments.at(-1))
      // A crash came before its first record: there is nothing in it.
      while (tail === undefined) {
        await rm(segments.pop()?.file ?? '', { force: true })
        tail = await readTail(segments.at(-1))
      }
      const log = new AuditLog(deps, options, segments, tail.head)
      await log.#resume(tail)
      return log
    } catch (cause) {
      const isInTheWay = (cause as NodeJS.ErrnoException).code === 'EEXIST'
      throw new Error(`the audit log in ${dir} cannot be opened: ${isInTheWay ? 'there is a file in the way' : fileProblem(cause)}`, { cause })
    }
  }

  private constructor(deps: AuditLogDeps, options: AuditLogOptions, segments: MutableSegment[], head: AuditHead) {
    this.#deps = deps
    this.#options = {
      ...options,
      segmentBytes: options.segmentBytes ?? 8 << 20,
      waitingBytes: options.waitingBytes ?? 16 << 20,
      flushMs: options.flushMs ?? 50,
    }
    this.#segments = segments
    this.#head = head
    this.#retention = repeat(deps, {
      everyMs: retainEveryMs,
      firstAfterMs: firstRetainMs,
      work: () => this.#retain(),
      failed: (error) => deps.log.error('old segments of the audit log could not be removed', { dir: options.dir, error }),
    })
  }

  /** Of the last segment, until a new one says so. */
  #problem: string | undefined

  /** The last record on the disk. */
  get head(): AuditHead {
    return this.#head
  }

  /** Requests that could not be kept and are not on record yet. */
  get lost(): number {
    return this.#lost?.count ?? 0
  }

  /** Oldest first, as far as they are on the disk now. */
  get segments(): readonly Segment[] {
    return this.#segments.map(({ file, firstSeq, bytes }, at) => ({ file, firstSeq, bytes, isSealed: at < this.#segments.length - 1 }))
  }

  write(event: AuditEvent): void {
    const texts = [event.path, event.query, event.reason, event.requestBody, event.responseBody]
    const size = eventOverheadBytes + 2 * texts.reduce((sum, text) => sum + (text?.length ?? 0), 0)
    if (this.#isClosed || this.#waitingBytes + size > this.#options.waitingBytes) {
      this.#lost ??= { count: 0, since: event.time, until: event.time }
      this.#lost.count++
      this.#lost.until = event.time
      return
    }
    this.#waiting.push(event)
    this.#waitingBytes += size
    this.#flushLater()
  }

  /** Puts on record what is recorded from now on, as it stands nowhere that the policy itself could hide. */
  policyInForce(rules: readonly unknown[]): void {
    const text = JSON.stringify(rules)
    this.#notes.push({
      note: 'policy',
      ...(text.length <= longestPolicyText ? { rules: text } : {}),
      sha256: createHash('sha256').update(text).digest('hex'),
    })
    this.#flushLater()
  }

  /** Resolves when everything written so far is on the disk; false when the disk does not take it in time. */
  async flushed({ withinMs }: { readonly withinMs: number }): Promise<boolean> {
    if (this.#waiting.length === 0 && this.#flushing === undefined) return true
    if (this.#isFailing) return false
    const late = Promise.withResolvers<boolean>()
    const cancel = this.#deps.clock.schedule(() => late.resolve(false), withinMs)
    try {
      return await Promise.race([this.#flush().then(() => true), late.promise])
    } finally {
      cancel()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stop.abort(new Error('the audit log is closing'))
    await this.#retention[Symbol.asyncDispose]()
    await this.#flushing
    await this.#flush()
    if (this.#waiting.length > 0 || this.#lost !== undefined) {
      this.#deps.log.error('the audit log has lost records', { dir: this.#options.dir, lost: this.#waiting.length + this.lost })
    }
    await this.#handle?.sync().catch((error: unknown) => this.#deps.log.error('the audit log could not be made durable', { error }))
    await this.#handle?.close()
  }

  #flushLater(): void {
    if (this.#flushing === undefined && !this.#isClosed) this.#cancelFlush ??= this.#deps.clock.schedule(() => void this.#flush(), this.#options.flushMs)
  }

  #flush(): Promise<void> {
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    this.#flushing ??= this.#drain().finally(() => {
      this.#flushing = undefined
      // Written after the last look at the queue.
      if (this.#waiting.length > 0) this.#flushLater()
    })
    return this.#flushing
  }

  async #drain(): Promise<void> {
    const budget = turnBudgetOn(this.#deps.clock)
    while (this.#waiting.length > 0 || this.#lost !== undefined || this.#notes.length > 0) {
      if (!(await this.#insist(() => this.#rotateWhenFull()))) return
      const lines: string[] = []
      let head = this.#head
      let length = 0
      const events = this.#waiting
      let taken = 0
      while (taken < events.length && length < batchBytes) {
        const event = events[taken++]
        if (event === undefined) break
        const sealed = sealRecord(JSON.stringify(event), head)
        this.#summary?.add(event)
        head = sealed.head
        lines.push(sealed.line)
        length += sealed.line.length
        const wait = taken % 8 === 0 ? budget.pause() : undefined
        if (wait !== undefined) await wait
      }
      this.#waiting = taken === events.length ? [] : events.slice(taken)
      const lost = this.#waiting.length === 0 ? this.#lost : undefined
      if (lost !== undefined) {
        this.#lost = undefined
        this.#notes.push({ note: 'loss', lost: lost.count, since: lost.since, until: lost.until })
      }
      for (const note of this.#notes.splice(0)) {
        const sealed = this.#note(note, head)
        head = sealed.head
        lines.push(sealed.line)
      }
      if (!(await this.#insist(() => this.#append(lines.join(''), head)))) {
        this.#lose(taken + (lost?.count ?? 0), events[0]?.time ?? lost?.since)
        return
      }
    }
  }

  /** Tries until it succeeds; false when the log closes before it has. */
  async #insist(work: () => Promise<void>): Promise<boolean> {
    for (;;) {
      try {
        await work()
        if (this.#isFailing) this.#deps.log.info('the audit log is written again', { dir: this.#options.dir, lost: this.lost })
        this.#isFailing = false
        return true
      } catch (error) {
        if (!this.#isFailing) this.#deps.log.error('the audit log cannot be written; requests go on and are counted', { dir: this.#options.dir, error })
        this.#isFailing = true
        if (this.#stop.signal.aborted) return false
        await this.#deps.clock.sleep(retryMs, { signal: this.#stop.signal }).catch(() => {}) // one more try then
      }
    }
  }

  #lose(count: number, since: string | undefined): void {
    const now = this.#deps.clock.now().toISOString()
    this.#lost = { count: (this.#lost?.count ?? 0) + count, since: since ?? now, until: now }
  }

  /** At its place and not at the end: what a failed write has left there is written over. */
  async #append(text: string, head: AuditHead): Promise<void> {
    const segment = this.#segments.at(-1)
    if (segment === undefined || this.#handle === undefined) throw new Error('no segment is open')
    if (this.#isDirty) await this.#handle.truncate(segment.bytes)
    this.#isDirty = true
    const bytes = Buffer.from(text)
    for (let written = 0; written < bytes.length;) {
      const { bytesWritten } = await this.#handle.write(bytes, written, bytes.length - written, segment.bytes + written)
      written += bytesWritten
    }
    this.#isDirty = false
    segment.bytes += bytes.length
    segment.lastMs = this.#deps.clock.now().getTime()
    this.#head = head
    const now = this.#deps.clock.monotonicMs()
    if (now - this.#syncedMs < syncEveryMs) return
    this.#syncedMs = now
    await this.#handle.datasync()
  }

  async #rotateWhenFull(): Promise<void> {
    const segment = this.#segments.at(-1)
    const nowMs = this.#deps.clock.now().getTime()
    const isFull = segment === undefined || segment.bytes >= this.#options.segmentBytes || nowMs - segment.startedMs >= longestSegmentMs
    if (isFull || this.#handle === undefined) await this.#beginSegment(this.#problem)
  }

  /** Nothing of the old segment is let go of before the new one has its first record. */
  async #beginSegment(problem: string | undefined): Promise<void> {
    const { seq, hash } = this.#head
    const file = join(this.#options.dir, `${String(seq + 1).padStart(16, '0')}.jsonl`)
    const now = this.#deps.clock.now()
    const summary = new SummaryBuilder()
    const sealed = sealRecord(
      JSON.stringify({ time: now.toISOString(), note: 'segment', previous: hash, ...(problem !== undefined && { problem }) }),
      this.#head,
    )
    summary.add({ time: now.toISOString() })
    const handle = await this.#openFile(file, 'w')
    try {
      const bytes = Buffer.from(sealed.line)
      const { bytesWritten } = await handle.write(bytes, 0, bytes.length, 0)
      if (bytesWritten < bytes.length) throw new Error(`only ${bytesWritten} of ${bytes.length} bytes could be written`)
      await handle.sync()
    } catch (error) {
      await handle.close()
      await rm(file, { force: true })
      throw error
    }
    this.#problem = undefined
    const full = this.#handle
    const fullSegment = this.#segments.at(-1)
    const fullSummary = this.#summary
    this.#handle = handle
    this.#isDirty = false
    this.#summary = summary
    this.#head = sealed.head
    this.#segments.push({ file, firstSeq: sealed.head.seq, bytes: Buffer.byteLength(sealed.line), startedMs: now.getTime(), lastMs: now.getTime() })
    if (full !== undefined && fullSegment !== undefined) await this.#seal(full, fullSegment, fullSummary)
    await this.#retain()
  }

  /** What fails here costs a search time, or durability that a crash would have cost as well: it is told, and the log goes on. */
  async #seal(handle: FileHandle, segment: MutableSegment, summary: SummaryBuilder | undefined): Promise<void> {
    try {
      await handle.sync()
      await handle.close()
      if (summary !== undefined) await writeSummary(segment.file, JSON.stringify(summary.summary))
    } catch (error) {
      this.#deps.log.warn('a segment of the audit log could not be sealed', { file: segment.file, error })
    }
  }

  async #resume(tail: Tail): Promise<void> {
    const segment = this.#segments.at(-1)
    if (segment === undefined) return this.#unlessFull(() => this.#beginSegment(undefined))
    if (tail.problem !== undefined) {
      this.#deps.log.error('the last segment of the audit log is damaged', { file: segment.file, problem: tail.problem })
      this.#problem = tail.problem
      return this.#unlessFull(() => this.#beginSegment(tail.problem))
    }
    this.#handle = await this.#openFile(segment.file, 'r+')
    segment.bytes = tail.bytes
    if (tail.torn === undefined) return
    const note: LogNote = { note: 'torn', bytes: tail.torn.length, text: tail.torn.toString('utf8', 0, longestTornText) }
    const { line, head } = this.#note(note, this.#head)
    this.#isDirty = true
    await this.#unlessFull(
      () => this.#append(line, head),
      () => this.#notes.push(note),
    )
    this.#deps.log.warn('a crash has torn the last record of the audit log', { file: segment.file, bytes: tail.torn.length })
  }

  /** A full disk keeps nobody from starting: what could not be written then is written with the first record for which there is space. */
  async #unlessFull(work: () => Promise<void>, later: () => void = () => {}): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!diskIsFull.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.#isFailing = true
      this.#deps.log.error('the audit log cannot be written; requests go on and are counted', { dir: this.#options.dir, error })
      later()
    }
  }

  #note(note: LogNote, head: AuditHead): { readonly line: string; readonly head: AuditHead } {
    const time = this.#deps.clock.now().toISOString()
    this.#summary?.add({ time })
    return sealRecord(JSON.stringify({ time, ...note }), head)
  }

  #openFile(file: string, flags: string): Promise<FileHandle> {
    return this.#deps.openFile === undefined ? open(file, flags, 0o600) : this.#deps.openFile(file, flags, 0o600)
  }

  async #retain(): Promise<void> {
    const { maxAgeMs, maxBytes } = this.#options.retention
    const oldestMs = this.#deps.clock.now().getTime() - maxAgeMs
    let bytes = this.#segments.reduce((sum, segment) => sum + segment.bytes, 0)
    let removed = 0
    const fromSeq = this.#segments[0]?.firstSeq ?? 0
    // The last one is being written.
    for (let first = this.#segments[0]; first !== undefined && this.#segments.length > 1; first = this.#segments[0]) {
      if (first.lastMs >= oldestMs && bytes <= maxBytes) break
      this.#segments.shift()
      bytes -= first.bytes
      removed++
      await rm(summaryFile(first.file), { force: true })
      await rm(first.file, { force: true })
    }
    if (removed === 0) return
    const toSeq = (this.#segments[0]?.firstSeq ?? 1) - 1
    this.#notes.push({ note: 'removed', fromSeq, toSeq, segments: removed })
    this.#flushLater()
  }
}

export async function writeSummary(segment: string, text: string): Promise<void> {
  const fresh = `${summaryFile(segment)}.new`
  await writeFile(fresh, text, { mode: 0o600 })
  await rename(fresh, summaryFile(segment))
}

/** The segments of a folder, oldest first. */
export async function listSegments(dir: string): Promise<MutableSegment[]> {
  const names = (await readdir(dir)).filter((name) => fileName.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const file = join(dir, name)
      const { size, mtimeMs, birthtimeMs } = await stat(file)
      return { file, firstSeq: Number(name.slice(0, 16)), bytes: size, startedMs: Math.min(birthtimeMs, mtimeMs), lastMs: mtimeMs }
    }),
  )
}

interface Tail {
  readonly head: AuditHead
  /** Whole records. */
  readonly bytes: number
  readonly torn?: Buffer | undefined
  /** Why the last record is none that can be gone on from. */
  readonly problem?: string | undefined
}

/** The end of the last segment; undefined when it holds no whole record. */
async function readTail(segment: MutableSegment | undefined): Promise<Tail | undefined> {
  if (segment === undefined) return { head: { seq: 0, hash: chainStart }, bytes: 0 }
  const from = Math.max(0, segment.bytes - 2 * longestRecordBytes)
  const tail = await readRange(segment.file, from, segment.bytes)
  const end = tail.lastIndexOf(0x0a) + 1
  if (end === 0 && from === 0) return undefined
  const torn = end === tail.length ? undefined : tail.subarray(end)
  const whole = tail.subarray(0, end)
  const last = lastLine(whole)
  const head = last === undefined ? undefined : headOfLine(last)
  if (last === undefined || head === undefined) {
    // Whoever goes on counts from where nothing can stand already.
    return { head: { seq: segment.firstSeq + segment.bytes, hash: chainStart }, bytes: segment.bytes, problem: 'its last record cannot be read' }
  }
  const before = lastLine(whole.subarray(0, whole.length - last.length - 1))
  const previous = before === undefined ? undefined : headOfLine(before)
  const isOnly = before === undefined && from === 0
  const isSound = isOnly || (previous !== undefined && previous.seq + 1 === head.seq && follows(last, previous.hash, head.hash))
  if (!isSound) return { head, bytes: segment.bytes, problem: 'its last record does not follow from the one before' }
  return { head, bytes: segment.bytes - (torn?.length ?? 0), torn }
}

/** The last line of a text that ends with a newline, without it. */
function lastLine(text: Buffer): Buffer | undefined {
  if (text.length === 0) return undefined
  return text.subarray(text.lastIndexOf(0x0a, text.length - 2) + 1, text.length - 1)
}

export async function readRange(file: string, from: number, to: number): Promise<Buffer> {
  const handle = await open(file, 'r')
  try {
    const buffer = Buffer.allocUnsafe(to - from)
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from)
    return buffer.subarray(0, bytesRead)
  } finally {
    await handle.close()
  }
}
