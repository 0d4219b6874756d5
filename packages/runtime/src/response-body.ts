import type { ByteSink, HttpResponse } from './http.ts'

/**
 * Reads a response's body in process, as chunks with back-pressure. Leaving the loop early ends the producer through its sink's signal.
 * At most `highWaterBytes` wait between producer and reader before `write` answers false.
 */
export async function* readBody(response: HttpResponse, highWaterBytes = 1 << 20): AsyncGenerator<Uint8Array, void> {
  const { body } = response
  if (body === undefined) return
  if (typeof body === 'string') {
    yield Buffer.from(body)
    return
  }
  if (body instanceof Uint8Array) {
    yield body
    return
  }
  const queue: Uint8Array[] = []
  let buffered = 0
  let ended = false
  let failure: { readonly error: unknown } | undefined
  let wakeReader: (() => void) | undefined
  let wakeWriter: (() => void) | undefined
  const gone = new AbortController()
  const sink: ByteSink = {
    write(chunk) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      queue.push(bytes)
      buffered += bytes.byteLength
      wakeReader?.()
      return buffered < highWaterBytes
    },
    drained() {
      if (buffered < highWaterBytes || gone.signal.aborted) return Promise.resolve()
      const { promise, resolve } = Promise.withResolvers<void>()
      wakeWriter = resolve
      return promise
    },
    get bufferedBytes() {
      return buffered
    },
    signal: gone.signal,
  }
  body(sink).then(
    () => {
      ended = true
      wakeReader?.()
    },
    (error: unknown) => {
      failure = { error }
      wakeReader?.()
    },
  )
  try {
    for (;;) {
      const chunk = queue.shift()
      if (chunk !== undefined) {
        buffered -= chunk.byteLength
        if (buffered < highWaterBytes) wakeWriter?.()
        yield chunk
        continue
      }
      if (failure !== undefined) throw failure.error
      if (ended) return
      const { promise, resolve } = Promise.withResolvers<void>()
      wakeReader = resolve
      await promise
    }
  } finally {
    gone.abort(new Error('the reader has gone'))
    wakeWriter?.()
  }
}

/** The whole body of a response; throws when it is longer than `limitBytes`. */
export async function readWholeBody(response: HttpResponse, limitBytes = 1 << 30): Promise<Buffer> {
  if (typeof response.body === 'string') return Buffer.from(response.body)
  if (response.body instanceof Uint8Array) return Buffer.from(response.body.buffer, response.body.byteOffset, response.body.byteLength)
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of readBody(response)) {
    size += chunk.byteLength
    if (size > limitBytes) throw new Error(`the answer is longer than ${limitBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
