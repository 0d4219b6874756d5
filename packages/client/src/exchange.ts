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

/** One request and its answer on an undici connection: turns undici's callbacks into an HttpResponse with a pushed body, with back-pressure and abort. */
export function createExchange(
  deps: ExchangeDeps,
  options: ExchangeOptions,
): { readonly handler: Dispatcher.DispatchHandler; readonly response: Promise<HttpResponse> } {
  const head = Promise.withResolvers<HttpResponse>()
  const end = Promise.withResolvers<void>()
  head.promise.catch(() => {}) // whoever asked may have gone
  end.promise.catch(() => {})
  let controller: Dispatcher.DispatchController | undefined
  let cancelTimer: (() => void) | undefined
  let early: Buffer[] = []
  let earlyBytes = 0
  let whole: { readonly status: number; readonly headers: HttpHeaders } | undefined
  let sink: ByteSink | undefined
  let beginStream: (() => void) | undefined
  let finished = false

  function onAbort(): void {
    fail(options.signal.reason)
  }
  options.signal.addEventListener('abort', onAbort, { once: true })

  function finish(): void {
    finished = true
    cancelTimer?.()
    options.signal.removeEventListener('abort', onAbort)
    deps.onEnd()
  }
  /** Gives up from our side: the caller learns the reason, undici breaks the connection. */
  function fail(reason: unknown): void {
    if (finished) return
    head.reject(reason)
    end.reject(reason)
    controller?.abort(reason instanceof Error ? reason : new Error('the request was aborted', { cause: reason }))
    // Without a controller the request still waits for a connection; onRequestStart aborts it.
    if (controller !== undefined && !finished) finish()
  }
  function push(chunk: Buffer, to: ByteSink): void {
    if (to.write(chunk)) return
    controller?.pause()
    to.drained().then(
      () => controller?.resume(),
      (error: unknown) => fail(error),
    )
  }
  async function body(to: ByteSink): Promise<void> {
    if (sink !== undefined) throw new Error('the body of an answer can be read once')
    sink = to
    const onGone = (): void => fail(to.signal.reason)
    to.signal.addEventListener('abort', onGone, { once: true })
    try {
      if (to.signal.aborted) onGone()
      const waiting = early
      early = []
      let room = true
      for (const chunk of waiting) room = to.write(chunk)
      if (!room) await to.drained()
      if (!finished) controller?.resume()
      await end.promise
    } finally {
      to.signal.removeEventListener('abort', onGone)
    }
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started
      if (options.signal.aborted) return fail(options.signal.reason)
      cancelTimer = deps.clock.schedule(
        () => fail(transportError('ResponseTimeout', `${options.address} did not answer within ${options.headersTimeoutMs} ms`)),
        options.headersTimeoutMs,
      )
    },
    onResponseStart(_controller, status, given) {
      if (status < 200) return
      cancelTimer?.()
      const headers = endToEndHeaders(given)
      const length = Number(given['content-length'] ?? Number.NaN)
      whole = { status, headers }
      if (options.method === 'HEAD' || status === 204 || status === 304 || length <= wholeBodyBytes) return
      beginStream = () => {
        beginStream = undefined
        if (finished) return
        whole = undefined
        controller?.pause() // until somebody reads
        head.resolve({ status, headers, body })
      }
      setImmediate(() => beginStream?.())
    },
    onResponseData(_controller, chunk) {
      if (sink !== undefined) return push(chunk, sink)
      early.push(chunk)
      earlyBytes += chunk.length
      if (earlyBytes > wholeBodyBytes) beginStream?.()
    },
    onResponseEnd() {
      if (finished) return
      finish()
      if (whole !== undefined) {
        const content = early.length === 1 ? early[0] : Buffer.concat(early)
        head.resolve({ ...whole, ...(content === undefined || content.length === 0 ? {} : { body: content }) })
      }
      end.resolve()
    },
    onResponseError(_controller, error) {
      if (finished) return
      finish()
      const reason: unknown = options.signal.aborted ? options.signal.reason : deps.explain(error)
      head.reject(reason)
      end.reject(reason)
    },
  }
  return { handler, response: head.promise }
}
