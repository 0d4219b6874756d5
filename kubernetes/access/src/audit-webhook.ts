import type { Clock, Handler, Logger } from '@gantry/runtime'
import { bodyOf, readWholeBody } from '@gantry/runtime'
import type { AuditSink } from './audit.ts'

export interface AuditWebhookOptions {
  /** Where batches are posted, path and query. */
  readonly path: string
  /** Events of one batch. Default 400. */
  readonly batchEvents?: number | undefined
  /** Longest wait of an event for its batch to fill. Default 30 s. */
  readonly batchWaitMs?: number | undefined
  /** Events that wait; past it new ones are dropped and counted. Default 10,000. */
  readonly bufferEvents?: number | undefined
  /** Between two attempts with one batch; it doubles. Default 10 s. */
  readonly initialBackoffMs?: number | undefined
  /** Attempts with one batch before it is dropped. Default 4. */
  readonly attempts?: number | undefined
}

const postWithinMs = 30_000
const longestAnswerBytes = 64 * 1024

/** Posts events in batches as an EventList; one batch is under way at a time. Upstream: apiserver plugin/pkg/audit/{buffered,webhook}. */
export class AuditWebhook implements AuditSink, AsyncDisposable {
  readonly #deps: { readonly clock: Clock; readonly log: Logger; readonly handle: Handler }
  readonly #options: Required<{ [K in keyof AuditWebhookOptions]: NonNullable<AuditWebhookOptions[K]> }>
  readonly #stopping = new AbortController()
  #waiting: string[] = []
  #dropped = 0
  #cancel: (() => void) | undefined
  #sending: Promise<void> | undefined

  /** `handle` reaches the receiver. */
  constructor(deps: { readonly clock: Clock; readonly log: Logger; readonly handle: Handler }, options: AuditWebhookOptions) {
    const { batchEvents = 400, batchWaitMs = 30_000, bufferEvents = 10_000, initialBackoffMs = 10_000, attempts = 4 } = options
    this.#deps = deps
    this.#options = { path: options.path, batchEvents, batchWaitMs, bufferEvents, initialBackoffMs, attempts }
  }

  /** Events lost so far: the receiver was too slow or refused. */
  get dropped(): number {
    return this.#dropped
  }

  write(event: string): void {
    if (this.#waiting.length >= this.#options.bufferEvents) {
      if (this.#dropped++ === 0) this.#deps.log.warn('the audit webhook is slower than the requests: events are dropped', {})
      return
    }
    this.#waiting.push(event)
    if (this.#waiting.length >= this.#options.batchEvents) this.#flush()
    else this.#cancel ??= this.#deps.clock.schedule(() => this.#flush(), this.#options.batchWaitMs)
  }

  /** One last attempt with what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancel?.()
    this.#stopping.abort(new Error('the audit webhook is stopping'))
    await this.#sending
    if (this.#waiting.length > 0) await this.#attempt(this.#waiting.splice(0, this.#options.batchEvents), AbortSignal.timeout(2_000))
  }

  #flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#sending ??= this.#drain().finally(() => (this.#sending = undefined))
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stopping.signal.aborted) {
      const batch = this.#waiting.splice(0, this.#options.batchEvents)
      if (!(await this.#deliver(batch))) this.#dropped += batch.length
    }
  }

  async #deliver(batch: readonly string[]): Promise<boolean> {
    const { attempts, initialBackoffMs } = this.#options
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (await this.#attempt(batch, AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(postWithinMs)]))) return true
      if (attempt + 1 < attempts) await this.#deps.clock.sleep(initialBackoffMs * 2 ** attempt, { signal: this.#stopping.signal }).catch(() => {})
      if (this.#stopping.signal.aborted) return false
    }
    return false
  }

  async #attempt(batch: readonly string[], signal: AbortSignal): Promise<boolean> {
    const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${batch.join(',')}]}`
    const headers = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }
    const at = this.#options.path.indexOf('?')
    const [path, query] = at < 0 ? [this.#options.path, ''] : [this.#options.path.slice(0, at), this.#options.path.slice(at + 1)]
    try {
      const answer = await this.#deps.handle({ method: 'POST', path, query, headers, body: bodyOf(body), signal })
      await readWholeBody(answer, longestAnswerBytes)
      if (answer.status < 300) return true
      this.#deps.log.warn('the audit webhook refused a batch', { status: answer.status, events: batch.length })
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#deps.log.warn('the audit webhook cannot be reached', { events: batch.length, error })
    }
    return false
  }
}
