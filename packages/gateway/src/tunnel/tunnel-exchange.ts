import { constants, type ClientHttp2Session, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { endToEndHeaders, isTransportFailure, transportError } from '@gantry/client'
import type { ByteSink, Clock, HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'
import { failureHeader, tunnelAuthority } from './protocol.ts'

// As on a direct connection: a body up to this length is handed over whole.
const wholeBodyBytes = 256 << 10
const failureBytes = 8 << 10

export interface ExchangeOptions {
  /** `cluster "x"`, for messages. */
  readonly subject: string
  readonly headersTimeoutMs: number
  /** A body that says nothing for so long has failed; 0: it may be silent for ever. */
  readonly bodySilenceMs: number
  /** Why the connection ended, where it did. */
  readonly lossOf: () => Error
}

/** One request through a tunnel, and its answer: with back-pressure, deadline and abort. `onEnd` is called once, when the stream is over. */
export function exchangeOn(
  deps: { readonly clock: Clock; readonly session: ClientHttp2Session; readonly onEnd: () => void },
  request: HttpRequest,
  options: ExchangeOptions,
): Promise<HttpResponse> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>()
  let stream: ClientHttp2Stream
  try {
    stream = deps.session.request(requestHeaders(request), { endStream: request.body === undefined })
  } catch (error) {
    deps.onEnd()
    reject(deps.session.destroyed || deps.session.closed ? options.lossOf() : error)
    return promise
  }
  const ended = Promise.withResolvers<void>()
  ended.promise.catch(() => {}) // whoever reads the body hears it
  let early: Buffer[] = []
  let earlyBytes = 0
  let head: { readonly status: number; readonly headers: HttpHeaders } | undefined
  let sink: ByteSink | undefined
  let heardMs = 0
  let isHeld = false
  let isOver = false
  /** The agent could not ask its cluster: the answer's body says why. */
  let failure: string | undefined
  let cancel = deps.clock.schedule(
    () => fail(transportError('ResponseTimeout', `${options.subject} did not answer within ${options.headersTimeoutMs} ms`)),
    options.headersTimeoutMs,
  )

  function over(): void {
    isOver = true
    cancel()
    request.signal.removeEventListener('abort', onAbort)
    deps.onEnd()
  }
  function fail(reason: unknown): void {
    if (isOver) return
    over()
    reject(reason)
    ended.reject(reason)
    stream.on('error', () => {})
    stream.close(constants.NGHTTP2_CANCEL)
  }
  function onAbort(): void {
    fail(request.signal.reason)
  }
  request.signal.addEventListener('abort', onAbort, { once: true })
  if (request.signal.aborted) onAbort()

  function listenForSilence(): void {
    if (options.bodySilenceMs === 0) return
    heardMs = deps.clock.monotonicMs()
    const look = (): void => {
      const silentMs = isHeld ? 0 : deps.clock.monotonicMs() - heardMs
      if (silentMs >= options.bodySilenceMs) fail(transportError('ResponseTimeout', `${options.subject} stopped sending in the middle of its answer`))
      else cancel = deps.clock.schedule(look, options.bodySilenceMs - silentMs)
    }
    cancel = deps.clock.schedule(look, options.bodySilenceMs)
  }
  function hold(until: Promise<void>): void {
    isHeld = true
    stream.pause()
    until.then(() => {
      isHeld = false
      heardMs = deps.clock.monotonicMs()
      if (!isOver) stream.resume()
    }, fail)
  }
  function beginStream(): void {
    if (isOver || head === undefined) return
    const { status, headers } = head
    head = undefined
    isHeld = true
    stream.pause() // until somebody reads
    resolve({ status, headers, body })
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
      if (!isOver) hold(room ? Promise.resolve() : to.drained())
      await ended.promise
    } finally {
      to.signal.removeEventListener('abort', onGone)
    }
  }

  stream.on('response', (given, flags) => {
    if (isOver) return
    cancel()
    const status = Number(given[':status'])
    const failed = given[failureHeader]
    failure = typeof failed === 'string' ? failed : undefined
    head = { status, headers: answerHeaders(given) }
    listenForSilence()
    if (failure !== undefined) return
    const length = Number(given['content-length'] ?? Number.NaN)
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0 || request.method === 'HEAD' || length <= wholeBodyBytes) return
    // One whose length is not told is whole too, when all of it has come with its head.
    setImmediate(beginStream)
  })
  stream.on('data', (chunk: Buffer) => {
    heardMs = deps.clock.monotonicMs()
    if (sink !== undefined) {
      if (!sink.write(chunk)) hold(sink.drained())
      return
    }
    early.push(chunk)
    earlyBytes += chunk.length
    if (failure !== undefined && earlyBytes > failureBytes) fail(failureOf(failure, Buffer.concat(early)))
    else if (earlyBytes > wholeBodyBytes) beginStream()
  })
  stream.once('end', () => {
    // A stream that was reset, or whose connection was destroyed, ends too: `close` tells of those.
    if (isOver || stream.rstCode !== constants.NGHTTP2_NO_ERROR || deps.session.destroyed) return
    over()
    if (head !== undefined) {
      const content = early.length === 1 ? (early[0] ?? Buffer.alloc(0)) : Buffer.concat(early)
      if (failure !== undefined) reject(failureOf(failure, content))
      else resolve({ ...head, ...(content.length === 0 ? {} : { body: content }) })
    }
    ended.resolve()
  })
  stream.on('error', () => {}) // `close` follows
  stream.once('close', () => {
    if (isOver) return
    const isGone = deps.session.destroyed || deps.session.closed
    fail(isGone ? options.lossOf() : transportError('ConnectionLost', `the agent of ${options.subject} broke its answer off (HTTP/2 code ${stream.rstCode})`))
  })
  if (request.body !== undefined) {
    pipeline(Readable.from(request.body.stream(), { objectMode: false }), stream).catch((error: unknown) => fail(error))
  }
  return promise
}

function requestHeaders(request: HttpRequest): Record<string, string | string[]> {
  return {
    ...endToEndHeaders(request.headers, ['host', 'expect']),
    ':method': request.method,
    ':path': request.query === '' ? request.path : `${request.path}?${request.query}`,
    ':scheme': 'https',
    ':authority': tunnelAuthority,
  }
}

function answerHeaders(given: IncomingHttpHeaders): HttpHeaders {
  return endToEndHeaders(given, [failureHeader])
}

/** What the agent says of its own cluster: a word of ours, and a text that is shown as it is. */
function failureOf(word: string, content: Buffer): Error {
  const message = content.toString('utf8', 0, failureBytes).replaceAll(/\p{Cc}/gu, ' ')
  return transportError(isTransportFailure(word) ? word : 'ConnectionLost', message)
}
