import { StatusError } from '@gantry/apimachinery'
import { header } from '@gantry/runtime'
import type { ByteSink, Clock, Handler, HttpRequest, HttpResponse, Ids, Logger, StreamBody, UpgradeHandler } from '@gantry/runtime'
import { auditPath, auditQuery, type AuditEvent, type AuditLevel, type AuditSink } from './audit.ts'
import { hearRequest, hearResponse, type RecordedBody } from './body-capture.ts'
import { clusterRequestOf, isCommand } from './cluster-request.ts'
import { filtered, forFilter } from './collection-filter.ts'
import { defaultConcurrencyLimits, KeyedCounter, type ConcurrencyLimits } from './concurrency-limit.ts'
import { writeUpgradeAnswer } from './edge/upgrade-answer.ts'
import { Takeover, type Authenticator, type Authorizer, type Exchange, type Next, type Route, type Stage } from './exchange.ts'
import type { Revocations } from './revocations.ts'
import { createRouteTable } from './route-table.ts'
import { crossOriginProblem } from './same-origin.ts'
import { SessionTap, type SessionRecorder, type SessionRecording } from './session-tap.ts'
import { responseOf, statusResponse } from './status-response.ts'
import { tapUpgrade, type UpgradeTap } from './upgrade-tap.ts'

export interface PipelineDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly audit: AuditSink
  /** What is on record of a request, asked once for each; Metadata without it. */
  readonly auditLevel?: ((exchange: Exchange) => AuditLevel) | undefined
  /** Of exec and attach; without it nothing is recorded. */
  readonly recorder?: SessionRecorder | undefined
  /** Asked in order; the first that finds something decides. */
  readonly authenticators: readonly Authenticator[]
  readonly authorize: Authorizer
  readonly revocations: Revocations
}

export interface PipelineOptions {
  /** The name of the cluster whose API is at the root of this port. */
  readonly hub: string
  readonly routes: readonly Route[]
  readonly limits?: Partial<ConcurrencyLimits> | undefined
}

/** The way of every request, ordinary or upgrade, from the edge to its route. */
export function createPipeline(deps: PipelineDeps, options: PipelineOptions): { readonly handle: Handler; readonly upgrade: UpgradeHandler } {
  const limits = { ...defaultConcurrencyLimits, ...options.limits }
  const routeOf = createRouteTable(options.routes)

  // prettier-ignore
  const stages: readonly { readonly name: string; readonly stage: Stage }[] = [
    { name: 'authenticate', stage: authenticate(deps) },        // says who asks; refuses nobody
    { name: 'audit',        stage: audit(deps) },               // so that refusals are on record too
    { name: 'limit',        stage: limit(limits) },
    { name: 'authorize',    stage: authorize(deps) },           // deny by default
    { name: 'revoke',       stage: endWhenRevoked(deps) },      // what streams ends with its credential, and with what allowed it
    { name: 'filter',       stage: filter(deps) },              // of lists and watches: only what may be seen
    { name: 'route',        stage: (exchange) => route(exchange) },
  ]
  const enter = stages.reduceRight<Next>(
    (next, { stage }) =>
      (exchange) =>
        stage(exchange, next),
    unreachable,
  )

  function exchangeOf(request: HttpRequest, connection: Exchange['connection']): Exchange {
    return {
      request,
      connection,
      // Recordings are named by it: for an upgrade nobody else chooses it.
      auditId: (connection === undefined ? auditIdOf(request) : undefined) ?? deps.ids.uid(),
      startedMs: deps.clock.monotonicMs(),
      route: routeOf(request.path),
      target: clusterRequestOf(request, options.hub),
      caller: { kind: 'passThrough' },
      decision: undefined,
    }
  }

  async function run(request: HttpRequest, connection: Exchange['connection']): Promise<HttpResponse> {
    try {
      return await enter(exchangeOf(request, connection))
    } catch (error) {
      if (error instanceof StatusError) return responseOf(error)
      throw error
    }
  }

  return {
    handle: (request) => run(request, undefined),
    async upgrade(request, socket, head) {
      const connection = new Takeover(socket, head)
      const response = await run(request, connection)
      if (!connection.taken) await writeUpgradeAnswer(socket, response)
    },
  }
}

function unreachable(): never {
  throw new Error('the last stage of the pipeline handed on')
}

function auditIdOf(request: HttpRequest): string | undefined {
  const given = header(request.headers, 'audit-id')
  return given !== undefined && /^[\w-]{8,64}$/.test(given) ? given : undefined
}

function authenticate(deps: Pick<PipelineDeps, 'authenticators'>): Stage {
  return async (exchange, next) => {
    for (const authenticator of deps.authenticators) {
      const answer = authenticator(exchange.request)
      const caller = answer instanceof Promise ? await answer : answer
      if (caller === undefined) continue
      exchange.caller = caller
      break
    }
    return next(exchange)
  }
}

type Outcome = Pick<
  AuditEvent,
  'bytesIn' | 'bytesOut' | 'recording' | 'recordingCut' | 'requestBody' | 'requestBodyOmitted' | 'responseBody' | 'responseBodyOmitted'
>

function audit(deps: Pick<PipelineDeps, 'audit' | 'auditLevel' | 'clock' | 'recorder'>): Stage {
  const write: WriteEvent = (exchange, stage, status, outcome) => {
    const { request, caller, target } = exchange
    const info = target?.info
    const isResource = info?.isResource === true
    deps.audit.write({
      time: deps.clock.now().toISOString(),
      auditID: exchange.auditId,
      stage,
      ...(caller.kind === 'platform'
        ? { user: caller.user.username, groups: caller.user.groups, credential: caller.credential.id }
        : { certificate: request.peer?.certificate?.commonName }),
      sourceIP: request.peer?.address,
      userAgent: header(request.headers, 'user-agent')?.slice(0, 256),
      method: exchange.connection === undefined ? request.method : `${request.method} (upgrade)`,
      cluster: target?.cluster,
      verb: target?.verb,
      ...(isResource
        ? {
            apiGroup: info.group,
            version: info.version,
            resource: info.resource,
            subresource: info.subresource === '' ? undefined : info.subresource,
            namespace: info.namespace,
            name: info.name === '' ? undefined : info.name,
          }
        : { path: auditPath(request.path) }),
      query: auditQuery(request.query),
      decision: exchange.decision === undefined ? 'pass' : exchange.decision.allowed ? 'allow' : 'deny',
      reason: exchange.decision?.reason,
      status,
      latencyMs: Math.round((deps.clock.monotonicMs() - exchange.startedMs) * 100) / 100,
      ...outcome,
    })
  }
  return async (given, next) => {
    if (given.route?.audited === false) return next(given)
    const level = deps.auditLevel?.(given) ?? 'Metadata'
    // Sessions are recorded whatever the log holds of them.
    if (given.connection !== undefined) return auditUpgrade(deps, level === 'None' ? () => {} : write, { exchange: given, connection: given.connection, next })
    if (level === 'None') return next(given)
    const sent = level === 'Metadata' ? undefined : hearRequest(given.request)
    const exchange = sent === undefined ? given : { ...given, request: sent.request }
    let answer: HttpResponse
    try {
      answer = await next(exchange)
    } catch (error) {
      write(exchange, 'complete', statusOf(error), sentOf(sent?.recorded()))
      throw error
    }
    const received = level === 'RequestResponse' ? hearResponse(answer) : undefined
    const response = received?.response ?? answer
    const { body } = response
    if (typeof body !== 'function') {
      write(exchange, 'complete', response.status, { ...sentOf(sent?.recorded()), ...receivedOf(received?.recorded()) })
      return response
    }
    write(exchange, 'started', response.status, sentOf(sent?.recorded()))
    return {
      ...response,
      async body(sink) {
        const counted = new CountedSink(sink)
        try {
          await body(counted)
        } finally {
          write(exchange, 'ended', response.status, { bytesOut: counted.bytes, ...receivedOf(received?.recorded()) })
        }
      },
    }
  }
}

function sentOf(body: RecordedBody | undefined): Outcome | undefined {
  return body && { requestBody: body.text, requestBodyOmitted: body.omitted }
}

function receivedOf(body: RecordedBody | undefined): Outcome | undefined {
  return body && { responseBody: body.text, responseBodyOmitted: body.omitted }
}

type WriteEvent = (exchange: Exchange, stage: AuditEvent['stage'], status: number, outcome?: Outcome) => void

/** The answer is written to the socket by whoever takes it: what came of the request is heard there. */
async function auditUpgrade(
  deps: Pick<PipelineDeps, 'clock' | 'recorder'>,
  write: WriteEvent,
  { exchange, connection, next }: { readonly exchange: Exchange; readonly connection: Takeover; readonly next: Next },
): Promise<HttpResponse> {
  let answered: number | undefined
  let tap: UpgradeTap | undefined
  let recorded: { readonly recording: SessionRecording; readonly session: SessionTap } | undefined

  function begin(headers: ReadonlyMap<string, string>): void {
    const { target, caller, auditId } = exchange
    if (target === undefined || !isCommand(target)) return
    const user = caller.kind === 'platform' ? caller.user : undefined
    const recording = deps.recorder?.begin({ auditId, user, target, startedAt: deps.clock.now() })
    if (recording !== undefined) recorded = { recording, session: new SessionTap(deps.clock, recording, headers) }
  }
  connection.onTaken = () => {
    tap = tapUpgrade(connection.socket, {
      onAnswer(status, headers) {
        answered = status
        if (status !== 101) return
        begin(headers)
        write(exchange, 'started', status, { recording: recorded?.recording.id })
      },
      onOutput: (bytes) => recorded?.session.hear('server', bytes),
      // A copy: whoever reads a WebSocket takes the mask off where the bytes are.
      onInput: (bytes) => recorded?.session.hear('client', Buffer.from(bytes)),
    })
  }
  async function end(status: number): Promise<void> {
    await recorded?.session.end()
    write(exchange, answered === 101 ? 'ended' : 'complete', answered ?? status, {
      ...(answered === 101 && { bytesIn: tap?.bytesIn, bytesOut: tap?.bytesOut }),
      recording: recorded?.recording.id,
      recordingCut: recorded?.session.cut,
    })
  }

  let response: HttpResponse
  try {
    response = await next(exchange)
  } catch (error) {
    await end(statusOf(error))
    throw error
  }
  // A socket that was taken and closed before anything was said on it: its caller has gone (nginx's word for it).
  await end(connection.taken ? clientGone : response.status)
  return response
}

const clientGone = 499

function statusOf(error: unknown): number {
  return error instanceof StatusError ? error.code : 500
}

class CountedSink implements ByteSink {
  readonly #sink: ByteSink
  readonly lend: ByteSink['lend']
  bytes = 0

  constructor(sink: ByteSink) {
    this.#sink = sink
    this.lend = sink.lend === undefined ? undefined : (chunk) => this.#lend(chunk)
  }

  write(chunk: Uint8Array | string): boolean {
    this.bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.byteLength
    return this.#sink.write(chunk)
  }

  drained(): Promise<void> {
    return this.#sink.drained()
  }

  get bufferedBytes(): number {
    return this.#sink.bufferedBytes
  }

  get signal(): AbortSignal {
    return this.#sink.signal
  }

  async #lend(chunk: Uint8Array): Promise<void> {
    this.bytes += chunk.byteLength
    await this.#sink.lend?.(chunk)
  }
}

function limit(limits: ConcurrencyLimits): Stage {
  const running = new KeyedCounter()
  const streaming = new KeyedCounter()
  const runningThere = new KeyedCounter()
  return async (exchange, next) => {
    const { caller, request, target } = exchange
    const key = caller.kind === 'platform' ? caller.credential.id : `address ${request.peer?.address ?? ''}`
    const there = target === undefined ? undefined : `${key} ${target.cluster}`
    const counter = exchange.connection === undefined ? running : streaming
    const perCaller = exchange.connection === undefined ? limits.perCaller : limits.streamsPerCaller
    const isTooMany =
      running.total >= limits.total ||
      counter.of(key) >= perCaller ||
      streaming.of(key) >= limits.streamsPerCaller ||
      (there !== undefined && exchange.connection === undefined && runningThere.of(there) >= limits.perCallerAndCluster)
    if (isTooMany) return statusResponse('TooManyRequests', 'too many requests at once, please try again later', { retryAfterSeconds: 1 })
    counter.add(key)
    if (there !== undefined) runningThere.add(there)
    try {
      const response = await next(exchange)
      const { body } = response
      if (typeof body !== 'function') return response
      return {
        ...response,
        async body(sink: ByteSink) {
          streaming.add(key)
          try {
            await body(sink)
          } finally {
            streaming.remove(key)
          }
        },
      }
    } finally {
      counter.remove(key)
      if (there !== undefined) runningThere.remove(there)
    }
  }
}

function authorize(deps: Pick<PipelineDeps, 'authorize'>): Stage {
  return async (exchange, next) => {
    const { caller, route: found, request } = exchange
    if (found === undefined) return notFound(request)
    if (found.audience === 'anyone') return next(exchange)
    if (caller.kind === 'refused') return deny(exchange, statusResponse('Unauthorized', caller.message), caller.message)
    if (caller.kind === 'passThrough') {
      // An identity of the local cluster means nothing elsewhere; the hub itself checks it (and anonymous).
      return found.audience === 'hub' ? next(exchange) : deny(exchange, statusResponse('Unauthorized', 'Unauthorized'), 'no identity of this platform')
    }
    const forged = caller.credential.kind === 'cookie' ? crossOriginProblem(request, exchange.connection !== undefined) : undefined
    if (forged !== undefined) return deny(exchange, statusResponse('Forbidden', `the request is refused because ${forged}`), forged)
    const decision = deps.authorize(exchange)
    exchange.decision = decision instanceof Promise ? await decision : decision
    if (exchange.decision.allowed) return next(exchange)
    return statusResponse('Forbidden', `User "${caller.user.username}" may not ${request.method} ${request.path}: ${exchange.decision.reason}`)
  }
}

function deny(exchange: Exchange, response: HttpResponse, reason: string): HttpResponse {
  exchange.decision = { allowed: false, reason }
  return response
}

/** From before the request is worked on: what is revoked while its answer is being made streams nothing. */
function endWhenRevoked(deps: Pick<PipelineDeps, 'revocations' | 'authorize'>): Stage {
  return async (exchange, next) => {
    const { caller, connection, decision, request } = exchange
    if (caller.kind !== 'platform') return next(exchange)
    // A route that anyone may use asked nobody, and nothing is asked again.
    const permission = decision && { decide: () => deps.authorize(exchange), isFiltered: decision.filter !== undefined }
    const hold = deps.revocations.hold(caller.credential.id, permission)
    let isStreaming = false
    try {
      if (connection !== undefined) {
        hold.signal.addEventListener('abort', () => connection.socket.destroy(), { once: true })
        return await next(exchange)
      }
      const response = await next(exchange)
      const { body } = response
      if (typeof body !== 'function') return response
      isStreaming = true
      // Whoever has gone before its answer began reads nothing of it.
      request.signal.addEventListener('abort', () => hold[Symbol.dispose](), { once: true })
      return { ...response, body: (sink) => pushHeld(body, sink, hold.signal).finally(() => hold[Symbol.dispose]()) }
    } finally {
      if (!isStreaming) hold[Symbol.dispose]()
    }
  }
}

async function pushHeld(body: StreamBody, sink: ByteSink, revoked: AbortSignal): Promise<void> {
  if (revoked.aborted) throw revoked.reason
  const over = Promise.withResolvers<never>()
  revoked.addEventListener('abort', () => over.reject(revoked.reason), { once: true })
  const held: ByteSink = {
    write: (chunk) => !revoked.aborted && sink.write(chunk),
    lend: sink.lend,
    drained: () => sink.drained(),
    get bufferedBytes() {
      return sink.bufferedBytes
    },
    signal: AbortSignal.any([sink.signal, revoked]),
  }
  // The producer is told, and not waited for: a revoked watch ends now, whatever the producer does.
  await Promise.race([body(held), over.promise])
}

function filter({ clock }: Pick<PipelineDeps, 'clock'>): Stage {
  return async (exchange, next) => {
    const { decision, target, request } = exchange
    if (decision?.filter === undefined || exchange.route?.filtersItself === true) return next(exchange)
    if (exchange.connection !== undefined)
      return statusResponse('Forbidden', 'a part of this collection may not be seen: it is watched without an upgrade of the connection')
    const response = await next({ ...exchange, request: forFilter(request) })
    return filtered(response, { filter: decision.filter, isWatch: target?.verb === 'watch', clock })
  }
}

async function route(exchange: Exchange): Promise<HttpResponse> {
  const response = await (exchange.route?.serve(exchange) ?? notFound(exchange.request))
  // A page of a member (or of the hub) shown in the console's origin must not act for its user (class 20, 23).
  const confined = exchange.caller.kind === 'platform' && exchange.caller.credential.kind === 'cookie' && exchange.route?.audience !== 'anyone'
  if (!confined && response.headers['audit-id'] !== undefined) return response
  return {
    status: response.status,
    headers: {
      ...response.headers,
      'audit-id': response.headers['audit-id'] ?? exchange.auditId,
      ...(confined ? { 'content-security-policy': "sandbox; default-src 'none'", 'x-content-type-options': 'nosniff' } : {}),
    },
    body: response.body,
  }
}

function notFound(request: HttpRequest): HttpResponse {
  return statusResponse('NotFound', `the server could not find the requested resource ${request.path}`)
}
