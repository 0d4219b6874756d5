import { endToEndHeaders } from './hop-headers.ts'
import { transportError } from './transport-failure.ts'
import type { Dispatcher } from 'undici'
import type { ByteSink, Clock, HttpHeaders, HttpResponse } from '@gantry/runtime'

// A body up to this length is handed over whole: cheaper, and its connection is free again without anybody reading. One whose length is not told (what kube-apiserver answers
// above 2 KiB) is whole too, when all of it has come with its head.
const wholeBodyBytes = 256 * 1024

export interface ExchangeDeps {
  readonly clock: Clock
  /** Called once, when the connection is free again or broken. */
  readonly onEnd: () => void
  readonly explain: (error: unknown) => unknown
}

export interface ExchangeOptions {
  readonly method: string
  readonly signal: AbortSignal
  readonly headersTimeoutMs: number
  readonly address: string
}

/** How an exchange ended: with all of the answer, or why not. */
type Ending = { readonly failure?: unknown } | undefined

/** One request and its answer on an undici connection: turns undici's callbacks into an HttpResponse with a pushed body, with back-pressure and abort. */
export class HttpExchange implements Dispatcher.DispatchHandler {
  readonly response: Promise<HttpResponse>
  readonly #deps: ExchangeDeps
  readonly #options: ExchangeOptions
  readonly #onAbort = (): void => this.#fail(this.#options.signal.reason)
  #resolveHead!: (response: HttpResponse) => void
  #rejectHead!: (reason: unknown) => void
  #controller: Dispatcher.DispatchController | undefined
  #cancelTimer: (() => void) | undefined
  /** The answer's head, until it is known how its body is handed over. */
  #head: { readonly status: number; readonly headers: HttpHeaders } | undefined
  #isStream = false
  #early: Buffer[] = []
  #earlyBytes = 0
  #sink: ByteSink | undefined
  #isFinished = false
  #ending: Ending
  /** Of who reads the body, once. */
  #onEnding: ((ending: NonNullable<Ending>) => void) | undefined

  constructor(deps: ExchangeDeps, options: ExchangeOptions) {
    this.#deps = deps
    this.#options = options
    this.response = new Promise((resolve, reject) => {
      this.#resolveHead = resolve
      this.#rejectHead = reject
    })
    this.response.catch(() => {}) // whoever asked may have gone
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  #finish(): void {
    this.#isFinished = true
    this.#cancelTimer?.()
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#deps.onEnd()
  }

  #settle(ending: NonNullable<Ending>): void {
    if (this.#ending !== undefined) return
    this.#ending = ending
    this.#onEnding?.(ending)
  }

  /** Gives up from our side: the caller learns the reason, undici breaks the connection. */
  #fail(reason: unknown): void {
    if (this.#isFinished) return
    this.#rejectHead(reason)
    this.#settle({ failure: reason })
    this.#controller?.abort(reason instanceof Error ? reason : new Error('the request was aborted', { cause: reason }))
    // Without a controller the request still waits for a connection; onRequestStart aborts it.
    if (this.#controller !== undefined && !this.#isFinished) this.#finish()
  }

  #push(chunk: Buffer, to: ByteSink): void {
    if (to.write(chunk)) return
    this.#controller?.pause()
    to.drained().then(
      () => this.#controller?.resume(),
      (error: unknown) => this.#fail(error),
    )
  }

  #beginStream(): void {
    const head = this.#head
    if (head === undefined || this.#isFinished || !this.#isStream) return
    this.#head = undefined
    this.#controller?.pause() // until somebody reads
    this.#resolveHead({ ...head, body: (sink) => this.#body(sink) })
  }

  async #body(to: ByteSink): Promise<void> {
    if (this.#sink !== undefined) throw new Error('the body of an answer can be read once')
    this.#sink = to
    const onGone = (): void => this.#fail(to.signal.reason)
    to.signal.addEventListener('abort', onGone, { once: true })
    try {
      if (to.signal.aborted) onGone()
      const waiting = this.#early
      this.#early = []
      let room = true
      for (const chunk of waiting) room = to.write(chunk)
      if (!room) await to.drained()
      if (!this.#isFinished) this.#controller?.resume()
      const ending = this.#ending ?? (await new Promise<NonNullable<Ending>>((resolve) => (this.#onEnding = resolve)))
      if ('failure' in ending) throw ending.failure
    } finally {
      to.signal.removeEventListener('abort', onGone)
    }
  }

  onRequestStart(started: Dispatcher.DispatchController): void {
    const { signal, headersTimeoutMs, address } = this.#options
    this.#controller = started
    if (signal.aborted) return this.#fail(signal.reason)
    this.#cancelTimer = this.#deps.clock.schedule(
      () => this.#fail(transportError('ResponseTimeout', `${address} did not answer within ${headersTimeoutMs} ms`)),
      headersTimeoutMs,
    )
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, given: HttpHeaders): void {
    if (status < 200) return
    this.#cancelTimer?.()
    this.#head = { status, headers: endToEndHeaders(given) }
    const length = Number(given['content-length'] ?? Number.NaN)
    if (this.#options.method === 'HEAD' || status === 204 || status === 304 || length <= wholeBodyBytes) return
    this.#isStream = true
    setImmediate(() => this.#beginStream())
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#sink !== undefined) return this.#push(chunk, this.#sink)
    this.#early.push(chunk)
    this.#earlyBytes += chunk.length
    if (this.#earlyBytes > wholeBodyBytes) this.#beginStream()
  }

  onResponseEnd(): void {
    if (this.#isFinished) return
    this.#finish()
    const head = this.#head
    if (head !== undefined) {
      const content = this.#early.length === 1 ? this.#early[0] : Buffer.concat(this.#early)
      this.#resolveHead(content === undefined || content.length === 0 ? head : { ...head, body: content })
    }
    this.#settle({})
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isFinished) return
    this.#finish()
    const { signal } = this.#options
    const reason: unknown = signal.aborted ? signal.reason : this.#deps.explain(error)
    this.#rejectHead(reason)
    this.#settle({ failure: reason })
  }
}
