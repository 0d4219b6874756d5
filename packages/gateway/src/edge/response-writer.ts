import type { ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Writable } from 'node:stream'
import type { ByteSink, HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'

// TLS encrypts a whole write in one go: 256 KiB keep that under a millisecond.
const sliceBytes = 256 << 10

/** The outgoing half of a request, HTTP/1.1 or HTTP/2. */
export interface Outgoing {
  readonly writable: Writable
  /** Sends status and headers now. With `body` the answer is complete. */
  head(status: number, headers: HttpHeaders, body: Uint8Array | string | undefined): void
  flush(): void
  /** Ends the answer so that the reader cannot take it for a whole one. */
  break(): void
}

export function outgoingH1(response: ServerResponse): Outgoing {
  return {
    writable: response,
    head(status, headers, body) {
      const flat: (string | string[])[] = []
      for (const name in headers) {
        const value = headers[name]
        if (value !== undefined) flat.push(name, typeof value === 'string' ? value : [...value])
      }
      // The rest of a body nobody will read must not be read as the next request.
      if (!response.req.complete && hasBody(response.req.headers)) flat.push('connection', 'close')
      response.writeHead(status, flat)
      if (body !== undefined) response.end(body)
    },
    flush: () => response.flushHeaders(),
    break: () => void response.destroy(),
  }
}

function hasBody(headers: HttpHeaders): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

// Fields of one connection: HTTP/2 refuses them (RFC 9113 §8.2.2).
const connectionFields = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

export function outgoingH2(stream: ServerHttp2Stream): Outgoing {
  return {
    writable: stream,
    head(status, headers, body) {
      const fields: Record<string, string | number | string[]> = { ':status': status }
      for (const name in headers) {
        const value = headers[name]
        if (value !== undefined && !connectionFields.has(name)) fields[name] = typeof value === 'string' ? value : [...value]
      }
      stream.respond(fields, { endStream: body?.length === 0 })
      if (body !== undefined && body.length > 0) stream.end(body)
    },
    flush() {}, // respond() has sent them
    break: () => void stream.destroy(new Error('the answer was cut off')), // close() would send END_STREAM first: a clean end
  }
}

/**
 * Writes an answer with back-pressure. Resolves when it has been handed over or the reader has gone; a stream body that fails is cut off and rejects with
 * its error.
 */
export async function writeResponse(request: Pick<HttpRequest, 'method' | 'signal'>, response: HttpResponse, outgoing: Outgoing): Promise<void> {
  const { status, body } = response
  const { writable } = outgoing
  if (writable.destroyed) return
  if (request.method === 'HEAD' || status === 204 || status === 304 || body === undefined) {
    const length =
      typeof body === 'string' || body instanceof Uint8Array ? Buffer.byteLength(body) : body === undefined && request.method !== 'HEAD' ? 0 : undefined
    const needsLength = length !== undefined && status !== 204 && status !== 304 && response.headers['content-length'] === undefined
    outgoing.head(status, needsLength ? { ...response.headers, 'content-length': String(length) } : response.headers, '')
    return
  }
  if (typeof body !== 'function') {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const headers = response.headers['content-length'] === undefined ? { ...response.headers, 'content-length': String(bytes.byteLength) } : response.headers
    if (bytes.byteLength <= sliceBytes) {
      outgoing.head(status, headers, bytes)
      return
    }
    outgoing.head(status, headers, undefined)
    const sink = sinkOf(writable, request.signal)
    for (let at = 0; at < bytes.byteLength; at += sliceBytes) {
      if (request.signal.aborted) return
      if (!sink.write(bytes.subarray(at, at + sliceBytes))) await sink.drained()
    }
    writable.end()
    return
  }
  outgoing.head(status, response.headers, undefined)
  outgoing.flush()
  try {
    await body(sinkOf(writable, request.signal))
    writable.end()
  } catch (error) {
    outgoing.break()
    if (!request.signal.aborted) throw error
  }
}

function sinkOf(writable: Writable, signal: AbortSignal): ByteSink {
  let drained: PromiseWithResolvers<void> | undefined
  function settle(): void {
    drained?.resolve()
    drained = undefined
  }
  const closed = Promise.withResolvers<void>()
  writable.on('drain', settle)
  writable.once('close', () => {
    settle()
    closed.resolve()
  })
  signal.addEventListener('abort', settle, { once: true })
  return {
    // A destroyed stream takes nothing more; `signal` tells the pusher.
    write: (chunk) => !writable.destroyed && writable.write(chunk),
    // An answer that waits for its turn on the connection may never call back once that is gone.
    lend: (chunk) =>
      writable.destroyed ? Promise.resolve() : Promise.race([new Promise<void>((resolve) => writable.write(chunk, () => resolve())), closed.promise]),
    drained() {
      if (!writable.writableNeedDrain || writable.destroyed || signal.aborted) return Promise.resolve()
      drained ??= Promise.withResolvers<void>()
      return drained.promise
    },
    get bufferedBytes() {
      return writable.writableLength
    },
    signal,
  }
}
