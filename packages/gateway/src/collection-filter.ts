import { StatusError } from '@gantry/apimachinery'
import { JsonItems } from '@gantry/client'
import { readBody, turnBudgetOn } from '@gantry/runtime'
import type { ByteSink, Clock, HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'
import type { CollectionFilter } from './exchange.ts'

/** Larger than any object that etcd takes. */
const maxObjectBytes = 16 << 20
const pieceBytes = 64 << 10

/** A request for a collection, so that its answer can be filtered: as JSON, not compressed, and with the names of what stands in a table. */
export function forFilter(request: HttpRequest): HttpRequest {
  const accepted = String(request.headers['accept'] ?? '')
    .split(',')
    .filter((type) => /^\s*application\/json\s*(?:;|$)/i.test(type))
  const query = new URLSearchParams(request.query)
  if (query.get('includeObject') === 'None') query.set('includeObject', 'Metadata')
  return {
    ...request,
    query: request.query === '' ? '' : query.toString(),
    headers: { ...request.headers, accept: accepted.length === 0 ? 'application/json' : accepted.join(','), 'accept-encoding': 'identity' },
  }
}

/** The answer to a list or a watch with nothing in it but what `filter` lets through. Its memory is one object's. */
export function filtered(
  response: HttpResponse,
  options: { readonly filter: CollectionFilter; readonly isWatch: boolean; readonly clock: Clock },
): HttpResponse {
  if (response.status !== 200) return response
  const type = String(response.headers['content-type'] ?? '')
  if (!/^application\/json\b/i.test(type) || response.headers['content-encoding'] !== undefined)
    throw new StatusError('InternalError', `the cluster answers in ${type === '' ? 'no known form' : type}: what of it may be seen cannot be told`)
  const turns = turnBudgetOn(options.clock)
  return {
    status: response.status,
    headers: withoutLength(response.headers),
    async body(sink) {
      const pieces = options.isWatch ? new EventPieces(options.filter) : new ListPieces(options.filter)
      for await (const chunk of readBody(response)) {
        for (let at = 0; at < chunk.byteLength; at += pieceBytes) {
          await turns.pause()
          for (const kept of pieces.take(Buffer.from(chunk.buffer, chunk.byteOffset + at, Math.min(pieceBytes, chunk.byteLength - at)))) await send(sink, kept)
        }
        if (sink.signal.aborted) return
      }
      for (const kept of pieces.end()) await send(sink, kept)
    },
  }
}

async function send(sink: ByteSink, bytes: Uint8Array): Promise<void> {
  if (!sink.write(bytes)) await sink.drained()
}

function withoutLength({ 'content-length': _length, etag: _etag, ...headers }: HttpHeaders): HttpHeaders {
  return headers
}

interface Pieces {
  take(bytes: Buffer): Generator<Uint8Array>
  end(): Generator<Uint8Array>
}

interface Listed {
  readonly metadata?: { readonly namespace?: string; readonly name?: string }
  /** Of a row. */
  readonly object?: Listed
  readonly rows?: readonly Listed[]
}

function mayPass(filter: CollectionFilter, object: Listed): boolean {
  const metadata = object.metadata ?? object.object?.metadata
  if (metadata?.name === undefined) return false
  const { namespace, name } = metadata
  return filter({ namespace: namespace === '' ? undefined : namespace, name })
}

/** The events of a watch, one a line. */
class EventPieces implements Pieces {
  readonly #filter: CollectionFilter
  #held: Buffer[] = []
  #heldBytes = 0

  constructor(filter: CollectionFilter) {
    this.#filter = filter
  }

  *take(bytes: Buffer): Generator<Uint8Array> {
    let from = 0
    for (let end = bytes.indexOf(10, from); end !== -1; end = bytes.indexOf(10, from)) {
      const line = this.#held.length === 0 ? bytes.subarray(from, end + 1) : Buffer.concat([...this.#held, bytes.subarray(from, end + 1)])
      this.#held = []
      this.#heldBytes = 0
      from = end + 1
      const kept = this.#kept(line)
      if (kept !== undefined) yield kept
    }
    if (from === bytes.length) return
    this.#heldBytes += bytes.length - from
    if (this.#heldBytes > maxObjectBytes) throw new Error(`an event of the watch is longer than ${maxObjectBytes} bytes`)
    this.#held.push(Buffer.from(bytes.subarray(from)))
  }

  *end(): Generator<Uint8Array> {
    // A line that has not ended is no event.
  }

  #kept(line: Buffer): Uint8Array | undefined {
    const text = line.toString('utf8')
    if (text.trim() === '') return undefined
    const event = JSON.parse(text) as { readonly type?: string; readonly object?: Listed }
    if (event.type === 'BOOKMARK' || event.type === 'ERROR') return line
    const { object } = event
    if (object?.rows === undefined) return object !== undefined && mayPass(this.#filter, object) ? line : undefined
    const rows = object.rows.filter((row) => mayPass(this.#filter, row))
    if (rows.length === 0) return undefined
    return rows.length === object.rows.length ? line : Buffer.from(`${JSON.stringify({ ...event, object: { ...object, rows } })}\n`)
  }
}

/** A list (`items`) or a table (`rows`), object by object. How many there are left is told by nobody: it would count what may not be seen. */
class ListPieces implements Pieces {
  readonly #filter: CollectionFilter
  readonly #items = new JsonItems()
  #passed = 0
  #isBegun = false

  constructor(filter: CollectionFilter) {
    this.#filter = filter
  }

  *take(bytes: Buffer): Generator<Uint8Array> {
    for (const item of this.#items.take(bytes)) {
      if (!this.#isBegun) yield this.#around()
      if (!mayPass(this.#filter, JSON.parse(item.toString('utf8')) as Listed)) continue
      if (this.#passed++ > 0) yield Buffer.from(',')
      yield item
    }
  }

  *end(): Generator<Uint8Array> {
    if (!this.#items.isEnded) throw new Error('the list ended in the middle')
    yield this.#around()
  }

  #around(): Buffer {
    this.#isBegun = true
    const text = this.#items.takeRest().toString('utf8')
    return Buffer.from(text.replace(/,\s*"remainingItemCount"\s*:\s*\d+|"remainingItemCount"\s*:\s*\d+\s*,?/, ''))
  }
}
