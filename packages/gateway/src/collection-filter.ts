import { StatusError } from '@gantry/apimachinery'
import { JsonItems, readLines } from '@gantry/client'
import { readBody, turnBudgetOn } from '@gantry/runtime'
import type { ByteSink, Clock, HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'
import type { CollectionFilter } from './exchange.ts'

/** Larger than any object that etcd takes. */
const maxObjectBytes = 16 << 20
const pieceBytes = 64 << 10
/** Events that wait for a slow reader, before their producer waits too. */
const highWaterBytes = 1 << 20
const newline = Buffer.from('\n')
const comma = Buffer.from(',')

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
  const pass = options.isWatch ? passWatch : passList
  return {
    status: response.status,
    headers: withoutLength(response.headers),
    body: (sink) => pass(response, sink, options),
  }
}

interface PassOptions {
  readonly filter: CollectionFilter
  readonly clock: Clock
}

/** The events of a watch, one a line. */
async function passWatch(response: HttpResponse, sink: ByteSink, { filter, clock }: PassOptions): Promise<void> {
  const turns = turnBudgetOn(clock)
  for await (const line of readLines(response, { signal: sink.signal, maxLineBytes: maxObjectBytes, highWaterBytes })) {
    await turns.pause()
    const kept = keptOf(line, filter)
    if (kept !== undefined) await send(sink, Buffer.concat([kept, newline]))
  }
}

/** A list (`items`) or a table (`rows`), object by object. How many there are left is told by nobody: it would count what may not be seen. */
async function passList(response: HttpResponse, sink: ByteSink, { filter, clock }: PassOptions): Promise<void> {
  const turns = turnBudgetOn(clock)
  const items = new JsonItems()
  let passed = 0
  let isBegun = false
  for await (const chunk of readBody(response)) {
    for (let at = 0; at < chunk.byteLength; at += pieceBytes) {
      await turns.pause()
      for (const item of items.take(chunk.subarray(at, at + pieceBytes))) {
        if (!isBegun) await send(sink, withoutCount(items.takeRest()))
        isBegun = true
        if (!mayPass(filter, JSON.parse(item.toString('utf8')) as Listed)) continue
        if (passed++ > 0) await send(sink, comma)
        await send(sink, item)
      }
    }
    if (sink.signal.aborted) return
  }
  if (!items.isEnded) throw new Error('the list ended in the middle')
  await send(sink, withoutCount(items.takeRest()))
}

function withoutCount(around: Buffer): Buffer {
  return Buffer.from(around.toString('utf8').replace(/,\s*"remainingItemCount"\s*:\s*\d+|"remainingItemCount"\s*:\s*\d+\s*,?/, ''))
}

async function send(sink: ByteSink, bytes: Uint8Array): Promise<void> {
  if (!sink.write(bytes)) await sink.drained()
}

function withoutLength({ 'content-length': _length, etag: _etag, ...headers }: HttpHeaders): HttpHeaders {
  return headers
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

/** The line of an event as it may be seen; undefined when nothing of it may. */
function keptOf(line: Buffer, filter: CollectionFilter): Buffer | undefined {
  const text = line.toString('utf8')
  if (text.trim() === '') return undefined
  const event = JSON.parse(text) as { readonly type?: string; readonly object?: Listed }
  if (event.type === 'BOOKMARK' || event.type === 'ERROR') return line
  const { object } = event
  if (object?.rows === undefined) return object !== undefined && mayPass(filter, object) ? line : undefined
  const rows = object.rows.filter((row) => mayPass(filter, row))
  if (rows.length === 0) return undefined
  return rows.length === object.rows.length ? line : Buffer.from(JSON.stringify({ ...event, object: { ...object, rows } }))
}
