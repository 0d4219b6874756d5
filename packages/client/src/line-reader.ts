import { StatusError } from '@gantry/apimachinery'
import type { ByteSink, HttpResponse } from '@gantry/runtime'

/**
 * Splits a streamed body into lines without their newline, one at a time, with back-pressure. A last line without a newline is dropped: it is half an event.
 * Aborting `signal` ends the wait at once with its reason; leaving the loop ends the producer.
 */
export async function* readLines(
  response: HttpResponse,
  options: { readonly signal: AbortSignal; readonly maxLineBytes: number; readonly highWaterBytes: number },
): AsyncGenerator<Buffer, void> {
  const lines: Buffer[] = []
  let head = 0
  let waiting = 0
  let partial: Uint8Array[] = []
  let partialBytes = 0
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let wakeReader: (() => void) | undefined
  let wakeWriter: (() => void) | undefined
  const gone = new AbortController()

  function fail(error: unknown): void {
    failure ??= { error }
    wakeReader?.()
    wakeWriter?.()
  }
  function take(chunk: Uint8Array): void {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(0x0a, from)
      if (end === -1) break
      partial.push(chunk.subarray(from, end))
      partialBytes += end - from
      if (partialBytes > options.maxLineBytes) return tooLong()
      const [only] = partial
      const line =
        partial.length === 1 && only !== undefined ? Buffer.from(only.buffer, only.byteOffset, only.byteLength) : Buffer.concat(partial, partialBytes)
      if (line.length > 0) {
        lines.push(line)
        waiting += line.length
      }
      partial = []
      partialBytes = 0
      from = end + 1
    }
    if (from < chunk.length) {
      partial.push(from === 0 ? chunk : chunk.subarray(from))
      partialBytes += chunk.length - from
      if (partialBytes > options.maxLineBytes) tooLong()
    }
  }
  function tooLong(): void {
    partial = []
    partialBytes = 0
    fail(new StatusError('InternalError', `a line of the stream is longer than ${options.maxLineBytes} bytes`))
    gone.abort(new Error('a line is too long'))
  }
  const sink: ByteSink = {
    write(chunk) {
      if (gone.signal.aborted) return false
      take(typeof chunk === 'string' ? Buffer.from(chunk) : chunk)
      wakeReader?.()
      return waiting < options.highWaterBytes
    },
    drained() {
      if (waiting < options.highWaterBytes || gone.signal.aborted) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      wakeWriter = resolve
      return promise
    },
    get bufferedBytes() {
      return waiting
    },
    signal: gone.signal,
  }
  const onAbort = (): void => {
    fail(options.signal.reason)
    gone.abort(options.signal.reason)
  }
  options.signal.addEventListener('abort', onAbort, { once: true })
  if (options.signal.aborted) onAbort()

  const { body } = response
  if (typeof body === 'function') {
    body(sink).then(() => {
      ended = true
      wakeReader?.()
    }, fail)
  } else {
    if (body !== undefined) sink.write(body)
    ended = true
  }
  try {
    for (;;) {
      // What is already here is delivered before a failure: those events happened.
      const line = lines[head]
      if (line !== undefined && !options.signal.aborted) {
        head++
        if (head === lines.length || head === 1024) {
          lines.splice(0, head)
          head = 0
        }
        waiting -= line.length
        if (waiting < options.highWaterBytes) wakeWriter?.()
        yield line
        continue
      }
      if (failure !== undefined) throw failure.error
      if (ended) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wakeReader = resolve
      await promise
    }
  } finally {
    options.signal.removeEventListener('abort', onAbort)
    if (!gone.signal.aborted) gone.abort(new Error('the reader has gone'))
    wakeWriter?.()
  }
}
