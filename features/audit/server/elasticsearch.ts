import { readFile, rename, writeFile } from 'node:fs/promises'
import { Backoff, bodyOf, fileProblem, readWholeBody, turnBudgetOn } from '@gantry/runtime'
import type { Clock, Handler, Ids, Logger, Running, Service } from '@gantry/runtime'
import type { ForwardingStatus } from '../api/index.ts'
import type { AuditLog } from './audit-log.ts'
import { headOfLine } from './chain.ts'
import { AuditSearch, type Position } from './search.ts'

export interface ElasticsearchDeps {
  readonly log: AuditLog
  readonly clock: Clock
  readonly ids: Pick<Ids, 'random'>
  readonly logger: Logger
  /** A connection to the cluster. */
  readonly handle: Handler
  /** `user:password`, or `ApiKey …` or `Bearer …` as the header has it; asked before each try, so that a new one counts at once. */
  readonly credentials: (() => Promise<string | undefined>) | undefined
}

export interface ElasticsearchOptions {
  /** Where it keeps how far it has come. */
  readonly checkpointFile: string
  /** What the names of indices begin with; the day in UTC follows. */
  readonly index: string
}

interface Checkpoint extends Position {
  /** The last record that has arrived. */
  readonly seq: number
}

const pollMs = 1_000
const answerBytes = 16 << 20
const answerWithinMs = 60_000
const shortestRetryMs = 500
const longestRetryMs = 60_000
const tooLarge = 413

/**
 * Sends the log on to Elasticsearch or OpenSearch (`_bulk`). It reads what is on the disk and keeps how far it has come, so what waits for a cluster that is down takes no memory and
 * survives a restart; only what retention removes before it was sent is lost, and counted. Each record is created under its hash: sent twice, it is there once.
 */
export class ElasticsearchForwarder implements Service {
  readonly name = 'audit forwarding'
  readonly #deps: ElasticsearchDeps
  readonly #options: ElasticsearchOptions
  readonly #search: AuditSearch
  readonly #backoff: Backoff
  #checkpoint: Checkpoint = { firstSeq: 0, offset: 0, seq: 0 }
  #sent = 0
  #lost = 0
  #rejected = 0
  #error: string | undefined

  constructor(deps: ElasticsearchDeps, options: ElasticsearchOptions) {
    this.#deps = deps
    this.#options = options
    this.#search = new AuditSearch({ clock: deps.clock, segments: () => deps.log.segments })
    this.#backoff = new Backoff(deps, { baseMs: shortestRetryMs, maxMs: longestRetryMs, jitter: 0.5 })
  }

  get status(): ForwardingStatus {
    const { seq } = this.#checkpoint
    return {
      seq,
      behind: Math.max(0, this.#deps.log.head.seq - seq),
      sent: this.#sent,
      lost: this.#lost,
      rejected: this.#rejected,
      error: this.#error,
    }
  }

  /** Resolves when it knows where to go on. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    this.#checkpoint = (await readCheckpoint(this.#options.checkpointFile)) ?? this.#checkpoint
    const stop = new AbortController()
    const done = this.#run(AbortSignal.any([signal, stop.signal])).catch((error: unknown) => {
      if (!signal.aborted && !stop.signal.aborted) throw error
    })
    return {
      done,
      async [Symbol.asyncDispose]() {
        stop.abort(new Error('the forwarding of the audit log is stopping'))
        await done
      },
    }
  }

  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const block = await this.#nextBlock(signal)
      if (block === undefined) {
        await this.#deps.clock.sleep(pollMs, { signal })
        continue
      }
      this.#countGap(block.firstSeq)
      await this.#deliver(block.lines, signal)
      this.#checkpoint = block.next
      await this.#keepCheckpoint(block.next)
    }
  }

  async #nextBlock(signal: AbortSignal): Promise<{ readonly lines: readonly Buffer[]; readonly firstSeq: number; readonly next: Checkpoint } | undefined> {
    for await (const { lines, next } of this.#search.lines({}, { direction: 'oldestFirst', from: this.#checkpoint, signal })) {
      const [first, last] = [lines[0], lines.at(-1)]
      if (first === undefined || last === undefined) continue
      const firstSeq = headOfLine(first.line)?.seq
      const seq = headOfLine(last.line)?.seq
      // Of a damaged segment: `verify` names the place, and what can be read goes on.
      return { lines: lines.map(({ line }) => line), firstSeq: firstSeq ?? this.#checkpoint.seq + 1, next: { ...next, seq: seq ?? this.#checkpoint.seq } }
    }
    return undefined
  }

  /** Retention was faster. */
  #countGap(firstSeq: number): void {
    const missing = firstSeq - this.#checkpoint.seq - 1
    // A fresh forwarder begins with what is kept.
    if (missing <= 0 || this.#checkpoint.seq === 0) return
    this.#lost += missing
    this.#deps.logger.error('audit records were removed before they could be sent on', { fromSeq: this.#checkpoint.seq + 1, lost: missing })
  }

  /** Until all of it has arrived, or was refused for good. */
  async #deliver(lines: readonly Buffer[], signal: AbortSignal): Promise<void> {
    let left = lines
    let size = lines.length
    while (left.length > 0) {
      const batch = left.slice(0, size)
      try {
        const outcome = await this.#send(batch, signal)
        if (outcome.kind === 'tooLarge' && batch.length > 1) {
          size = Math.ceil(batch.length / 2)
          continue
        }
        const rejected = outcome.kind === 'tooLarge' ? batch.length : outcome.rejected
        const again = outcome.kind === 'tooLarge' ? [] : outcome.again
        this.#rejected += rejected
        this.#sent += batch.length - rejected - again.length
        if (rejected > 0) this.#deps.logger.warn('audit records were refused for good', { rejected, reason: outcome.reason })
        left = [...again, ...left.slice(batch.length)]
        if (again.length === 0) this.#succeed()
        else await this.#pause(`it has no room now: ${outcome.reason}`, signal)
      } catch (error) {
        signal.throwIfAborted()
        await this.#pause(error instanceof Error ? error.message : String(error), signal)
      }
    }
  }

  #succeed(): void {
    if (this.#error !== undefined) this.#deps.logger.info('the audit log is sent on again', { behind: this.status.behind })
    this.#error = undefined
    this.#backoff.reset()
  }

  /** Told once, however often it is tried. */
  async #pause(problem: string, signal: AbortSignal): Promise<void> {
    if (this.#error === undefined) this.#deps.logger.error('the audit log cannot be sent on; it waits on the disk', { problem })
    this.#error = problem
    await this.#deps.clock.sleep(this.#backoff.nextMs(), { signal })
  }

  async #send(lines: readonly Buffer[], signal: AbortSignal): Promise<Outcome> {
    const content = await this.#bodyOf(lines)
    const credentials = await this.#deps.credentials?.()
    const deadline = new AbortController()
    const cancel = this.#deps.clock.schedule(() => deadline.abort(new Error(`no answer within ${answerWithinMs / 1_000} s`)), answerWithinMs)
    try {
      const response = await this.#deps.handle({
        method: 'POST',
        path: '/_bulk',
        query: 'filter_path=items.*.status,items.*.error',
        headers: {
          'content-type': 'application/x-ndjson',
          'content-length': String(content.length),
          accept: 'application/json',
          ...(credentials !== undefined && { authorization: authorizationOf(credentials) }),
        },
        body: bodyOf(content),
        signal: AbortSignal.any([signal, deadline.signal]),
      })
      const text = (await readWholeBody(response, answerBytes)).toString('utf8')
      if (response.status === tooLarge) return { kind: 'tooLarge', reason: 'it is too large (HTTP 413)' }
      // Its words stay out of the log: they may repeat what was sent.
      if (response.status !== 200) throw new Error(`it answers with HTTP ${response.status}`)
      return outcomeOf(lines, text)
    } finally {
      cancel()
    }
  }

  async #bodyOf(lines: readonly Buffer[]): Promise<Buffer> {
    const budget = turnBudgetOn(this.#deps.clock)
    const parts: string[] = []
    for (const line of lines) {
      const wait = budget.pause()
      if (wait !== undefined) await wait
      const text = line.toString('utf8')
      const time = /"time":"([^"]+)"/.exec(text)?.[1] ?? this.#deps.clock.now().toISOString()
      const index = `${this.#options.index}-${time.slice(0, 10).replaceAll('-', '.')}`
      parts.push(`${JSON.stringify({ create: { _index: index, _id: headOfLine(line)?.hash } })}\n{"@timestamp":"${time}",${text.slice(1)}\n`)
    }
    return Buffer.from(parts.join(''))
  }

  async #keepCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const { checkpointFile } = this.#options
    try {
      await writeFile(`${checkpointFile}.new`, JSON.stringify(checkpoint), { mode: 0o600 })
      await rename(`${checkpointFile}.new`, checkpointFile)
    } catch (error) {
      // It goes on; the next start sends some records a second time, which changes nothing there.
      this.#deps.logger.warn('how far the audit log was sent on could not be kept', { problem: fileProblem(error) })
    }
  }
}

type Outcome =
  | { readonly kind: 'tooLarge'; readonly reason: string }
  | { readonly kind: 'taken'; readonly rejected: number; readonly again: readonly Buffer[]; readonly reason: string | undefined }

/** What became of each record: 409 says that it is there already, 429 and 5xx that it may be tried again. */
function outcomeOf(lines: readonly Buffer[], text: string): Outcome {
  const { items } = JSON.parse(text) as {
    readonly items?: readonly { readonly create?: { readonly status?: number; readonly error?: { readonly type?: string } } }[]
  }
  if (items?.length !== lines.length) throw new Error(`it answers for ${items?.length ?? 0} of ${lines.length} records`)
  const again: Buffer[] = []
  let rejected = 0
  let reason: string | undefined
  for (const [at, line] of lines.entries()) {
    const { status = 0, error } = items[at]?.create ?? {}
    if ((status >= 200 && status < 300) || status === 409) continue
    reason ??= `${status} ${error?.type ?? ''}`.trim()
    if (status === 429 || status >= 500) again.push(line)
    else rejected++
  }
  return { kind: 'taken', rejected, again, reason }
}

function authorizationOf(credentials: string): string {
  return /^(?:ApiKey|Bearer|Basic) /.test(credentials) ? credentials : `Basic ${Buffer.from(credentials).toString('base64')}`
}

async function readCheckpoint(file: string): Promise<Checkpoint | undefined> {
  let value: Partial<Checkpoint> | null
  try {
    value = JSON.parse(await readFile(file, 'utf8')) as Partial<Checkpoint> | null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
  const { firstSeq, offset, seq } = value ?? {}
  const isWhole = [firstSeq, offset, seq].every((number) => Number.isSafeInteger(number) && (number ?? -1) >= 0)
  return isWhole ? { firstSeq: firstSeq ?? 0, offset: offset ?? 0, seq: seq ?? 0 } : undefined
}
