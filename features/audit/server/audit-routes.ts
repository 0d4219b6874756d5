import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import { turnBudgetOn } from '@gantry/runtime'
import type { ByteSink, Clock, HttpResponse } from '@gantry/runtime'
import { auditPath, longestPage, parseFilter, parseHead, type AuditFilter, type AuditRecord, type AuditStatus, type ForwardingStatus } from '../api/index.ts'
import type { AuditLog } from './audit-log.ts'
import { csvHeader, csvLine } from './csv.ts'
import type { Recordings } from './recordings.ts'
import { AuditSearch } from './search.ts'
import { verifySegments } from './verify.ts'

export interface AuditRoutesDeps {
  readonly log: AuditLog
  readonly recordings: Recordings
  readonly clock: Clock
  readonly forwarding?: (() => ForwardingStatus) | undefined
}

const defaultPage = 100
/** What was written just before a question is part of the answer, unless the disk lags. */
const flushWithinMs = 250
/** Each reads the whole log: the disk and the event loop are everybody's. */
const mostReaders = 4

/**
 * `/platform/v1/audit`: search, newest first (`AuditPage`); `…/export`: all that fits, oldest first, as JSON lines or CSV (`?format=`); `…/head`: the end of the chain; `…/status`: `AuditStatus`; `…/verify`: the
 * whole chain (`VerifyReport`, `?anchor=SEQ:HASH`); `…/recordings/<id>`: a session as asciicast v2. Parameters of a search: `AuditFilter`.
 */
export function auditRoutes(deps: AuditRoutesDeps): readonly Route[] {
  const { log, clock, recordings } = deps
  const search = new AuditSearch({ clock, segments: () => log.segments })
  let readers = 0

  /** Who may read the log is decided before, by the permission to GET these paths. */
  const route = (path: string, serve: (query: URLSearchParams, exchange: Exchange) => Promise<HttpResponse>): Route => ({
    path,
    audience: 'platform',
    serve(exchange) {
      const { request } = exchange
      if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'the audit log is only read')
      return serve(new URLSearchParams(request.query), exchange)
    },
  })

  function requireSeat(): void {
    if (readers >= mostReaders)
      throw new StatusError('TooManyRequests', `${readers} readers go through the audit log already`, { details: { retryAfterSeconds: 1 } })
  }

  async function reading<T>(work: () => Promise<T>): Promise<T> {
    requireSeat()
    readers++
    try {
      await log.flushed({ withinMs: flushWithinMs })
      return await work()
    } finally {
      readers--
    }
  }

  function find(query: URLSearchParams, { request: { signal } }: Exchange): Promise<HttpResponse> {
    const filter = parseFilter(query)
    const limit = limitOf(query.get('limit'))
    const token = query.get('continue') ?? undefined
    return reading(async () => jsonResponse(200, await search.page(filter, { limit, token, signal })))
  }

  function exported(query: URLSearchParams): Promise<HttpResponse> {
    const filter = parseFilter(query)
    const format = query.get('format') ?? 'jsonl'
    if (format !== 'jsonl' && format !== 'csv') throw new StatusError('BadRequest', '"format" is jsonl or csv')
    requireSeat() // later the answer has begun
    const body = (sink: ByteSink): Promise<void> => reading(() => (format === 'csv' ? sendCsv(filter, sink) : sendLines(filter, sink)))
    return Promise.resolve({
      status: 200,
      headers: {
        'content-type': format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson',
        'content-disposition': `attachment; filename="audit.${format}"`,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
      },
      body,
    })
  }

  async function sendLines(filter: AuditFilter, sink: ByteSink): Promise<void> {
    for await (const { lines } of search.lines(filter, { direction: 'oldestFirst', signal: sink.signal })) {
      if (lines.length === 0) continue
      const text = lines.flatMap(({ line }) => [line, newline])
      if (!sink.write(Buffer.concat(text))) await sink.drained()
    }
  }

  async function sendCsv(filter: AuditFilter, sink: ByteSink): Promise<void> {
    const budget = turnBudgetOn(clock)
    sink.write(csvHeader)
    for await (const { lines } of search.lines(filter, { direction: 'oldestFirst', signal: sink.signal })) {
      let text = ''
      for (const { line } of lines) {
        const wait = budget.pause()
        if (wait !== undefined) await wait
        text += csvLine(JSON.parse(line.toString('utf8')) as AuditRecord)
      }
      if (text !== '' && !sink.write(text)) await sink.drained()
    }
  }

  function verified(query: URLSearchParams, { request: { signal } }: Exchange): Promise<HttpResponse> {
    const anchors = query.getAll('anchor').map((text) => {
      const head = parseHead(text)
      if (head === undefined) throw new StatusError('BadRequest', '"anchor" is no SEQ:HASH as "gantry audit head" prints it')
      return head
    })
    return reading(async () => jsonResponse(200, await verifySegments({ clock }, log.segments, { anchors, signal })))
  }

  async function head(): Promise<HttpResponse> {
    await log.flushed({ withinMs: flushWithinMs })
    return jsonResponse(200, log.head)
  }

  function status(): Promise<HttpResponse> {
    const { segments, lost } = log
    const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0)
    const answer: AuditStatus = { head: log.head, segments: segments.length, bytes, lost, forwarding: deps.forwarding?.() }
    return Promise.resolve(jsonResponse(200, answer))
  }

  return [
    route(auditPath, find),
    route(`${auditPath}/export`, exported),
    route(`${auditPath}/head`, head),
    route(`${auditPath}/status`, status),
    route(`${auditPath}/verify`, verified),
    route(recordingsPrefix, (_query, { request }) => recordings.serve(request.path.slice(recordingsPrefix.length))),
  ]
}

const recordingsPrefix = `${auditPath}/recordings/`
const newline = Buffer.from('\n')

function limitOf(text: string | null): number {
  if (text === null) return defaultPage
  const limit = Number(text)
  if (!/^\d+$/.test(text) || limit < 1 || limit > longestPage) throw new StatusError('BadRequest', `"limit" is a number from 1 to ${longestPage}`)
  return limit
}
