import { header, type ByteSink, type HttpHeaders, type HttpRequest, type HttpResponse, type RequestBody } from '@gantry/runtime'

/** Of one body at most so much is on record: with both of a request, a record stays well below what readers of the log take. */
const maxRecordedBytes = 24 << 10

/** What is on record of a body: its text, or why it is not. */
export interface RecordedBody {
  readonly text?: string | undefined
  readonly omitted?: string | undefined
}

const textTypes = /^application\/(?:[\w.-]+\+)?(?:json|yaml)\s*(?:;|$)/i

/** Keeps a copy of what passes, as far as it is text and not too long. */
class Capture {
  readonly #why: string | undefined
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(headers: HttpHeaders) {
    const type = header(headers, 'content-type') ?? ''
    const encoding = header(headers, 'content-encoding') ?? 'identity'
    if (encoding !== 'identity') this.#why = 'it is compressed'
    else if (!textTypes.test(type)) this.#why = 'it is neither JSON nor YAML'
  }

  take(chunk: Uint8Array | string): void {
    if (this.#why !== undefined) return
    this.#bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
    // A copy: whoever wrote it may use its memory again.
    if (this.#bytes <= maxRecordedBytes) this.#chunks.push(Buffer.from(chunk as Uint8Array))
    else this.#chunks = []
  }

  get recorded(): RecordedBody {
    if (this.#why !== undefined) return { omitted: this.#why }
    if (this.#bytes === 0) return {}
    const text = this.#bytes > maxRecordedBytes ? undefined : Buffer.concat(this.#chunks).toString('utf8')
    // As it stands in the record, where quotes and control characters take more.
    if (text === undefined || Buffer.byteLength(JSON.stringify(text)) > maxRecordedBytes) return { omitted: `it is longer than ${maxRecordedBytes} bytes` }
    return { text }
  }
}

/** A request whose body is heard while it is read. */
export function hearRequest(request: HttpRequest): { readonly request: HttpRequest; readonly recorded: () => RecordedBody } {
  const { body } = request
  if (body === undefined) return { request, recorded: () => ({}) }
  const capture = new Capture(request.headers)
  const heard: RequestBody = {
    async bytes(limitBytes) {
      const bytes = await body.bytes(limitBytes)
      capture.take(bytes)
      return bytes
    },
    async *stream() {
      for await (const chunk of body.stream()) {
        capture.take(chunk)
        yield chunk
      }
    },
  }
  return { request: { ...request, body: heard }, recorded: () => capture.recorded }
}

/** An answer whose body is heard while it is written. */
export function hearResponse(response: HttpResponse): { readonly response: HttpResponse; readonly recorded: () => RecordedBody } {
  const { body } = response
  if (body === undefined) return { response, recorded: () => ({}) }
  const capture = new Capture(response.headers)
  const recorded = (): RecordedBody => capture.recorded
  if (typeof body !== 'function') {
    capture.take(body)
    return { response, recorded }
  }
  return {
    response: {
      ...response,
      body: (sink) =>
        body({
          write(chunk) {
            capture.take(chunk)
            return sink.write(chunk)
          },
          drained: () => sink.drained(),
          get bufferedBytes() {
            return sink.bufferedBytes
          },
          signal: sink.signal,
        } satisfies ByteSink),
    },
    recorded,
  }
}
