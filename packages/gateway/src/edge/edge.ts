import type { IncomingMessage, ServerResponse } from 'node:http'
import { createSecureServer, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { turnBudgetOn } from '@gantry/runtime'
import type { Clock, Handler, HttpRequest, HttpResponse, Logger, Peer, UpgradeHandler } from '@gantry/runtime'
import { statusResponse } from '../status-response.ts'
import { defaultEdgeLimits, type EdgeLimits } from './limits.ts'
import { peerOf } from './peer.ts'
import { bodyOfSocket } from './request-body.ts'
import { BadHeaders, headersFromRaw } from './request-headers.ts'
import { BadTarget, parseTarget } from './request-target.ts'
import { outgoingH1, outgoingH2, writeResponse, type Outgoing } from './response-writer.ts'
import { writeUpgradeAnswer } from './upgrade-answer.ts'

export interface EdgeDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

export interface EdgeOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly tls: ServingTls
  /** PEM of the CAs whose client certificates are identities; none is asked for when absent. */
  readonly clientCa?: string | undefined
  readonly limits?: Partial<EdgeLimits> | undefined
  /** One more protocol that a connection may be upgraded to, on this path and no other. */
  readonly ownUpgrade?: { readonly path: string; readonly protocol: string } | undefined
  /** How long a stop waits for requests in progress. Streams and upgrades are ended at once. */
  readonly drainMs?: number | undefined
}

export interface ServingTls {
  readonly key: string
  readonly cert: string
}

/** An open port. Disposing it stops accepting, sends GOAWAY, ends streams, waits `drainMs` for the rest and then cuts it off. */
export interface Edge extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Connections made from now on see this certificate, and show ones of these CAs. */
  setTls(tls: ServingTls, clientCa: string | undefined): void
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
// What exec, attach and port-forward speak. What is behind a proxy of the API may speak anything that is not HTTP again: any other Upgrade header (h2c for one) is
// ignored and the request is an ordinary one (class 4).
const upgradeProtocols = new Set(['websocket', 'spdy/3.1'])
const proxyPath = /\/proxy(?:[/?]|$)/
const httpProtocols = /^(?:h2c?|http\/|tls\/)/

/** Opens one HTTPS port for HTTP/2 and HTTP/1.1 and turns its sockets into Gantry's requests. Rejects with the listener's own error (`EADDRINUSE` …). */
export async function openEdge(deps: EdgeDeps, options: EdgeOptions): Promise<Edge> {
  const limits: EdgeLimits = { ...defaultEdgeLimits, ...options.limits }
  const server = createServer(options, limits)
  const turns = turnBudgetOn(deps.clock)
  const peers = new WeakMap<TLSSocket, Peer>()
  const sockets = new Set<Duplex>()
  const sessions = new Map<Http2Session, { readonly peer: Peer; streams: number }>()
  /** Requests in progress; the value says whether it is a stream, which a stop ends at once. */
  const open = new Map<AbortController, { streaming: boolean }>()
  let upgrades = 0
  let stopping: Promise<void> | undefined
  let whenIdle: (() => void) | undefined

  function peer(socket: TLSSocket): Peer {
    let known = peers.get(socket)
    if (known === undefined) peers.set(socket, (known = peerOf(socket)))
    return known
  }

  async function serve(request: HttpRequest, gone: AbortController, outgoing: Outgoing): Promise<void> {
    const progress = { streaming: false }
    open.set(gone, progress)
    try {
      let response: HttpResponse
      // Requests that arrive together, and answers that one commit has let go, each get their part of a turn.
      const beginning = turns.enter()
      if (beginning !== undefined) await beginning
      try {
        response = methods.has(request.method)
          ? await deps.handle(request)
          : statusResponse('MethodNotAllowed', `the method ${request.method} is not supported`)
      } catch (error) {
        if (gone.signal.aborted) return
        deps.log.error('a request handler failed', { method: request.method, path: request.path, error })
        response = statusResponse('InternalError', 'Internal error: the request could not be handled; the log of the server says why')
      }
      progress.streaming = typeof response.body === 'function'
      if (progress.streaming && stopping !== undefined) gone.abort(new Error('the server is stopping'))
      const answering = turns.pause()
      if (answering !== undefined) await answering
      await writeResponse(request, response, outgoing)
    } catch (error) {
      deps.log.warn('an answer was cut off', { method: request.method, path: request.path, error })
      outgoing.break()
    } finally {
      open.delete(gone)
      if (open.size === 0) whenIdle?.()
    }
  }

  function refuse(error: unknown, method: string, outgoing: Outgoing): void {
    if (!(error instanceof BadTarget) && !(error instanceof BadHeaders)) throw error
    const response = statusResponse('BadRequest', error.message)
    void writeResponse({ method, signal: AbortSignal.abort() }, response, outgoing)
  }

  function onRequestH1(incoming: IncomingMessage, answer: ServerResponse): void {
    const outgoing = outgoingH1(answer)
    const gone = new AbortController()
    answer.on('error', () => gone.abort(new Error('the connection broke')))
    answer.once('close', () => {
      incoming.socket.off('end', hangUp)
      if (!answer.writableFinished) gone.abort(new Error('the client has gone'))
    })
    // Mostly it has gone. One that has only closed its side still gets the answer to what it has asked, if there is one.
    const hangUp = (): void => gone.abort(new Error('the client has closed its side'))
    incoming.socket.once('end', hangUp)
    let request: HttpRequest
    try {
      request = requestOfH1(incoming, gone.signal, { peer: peer(incoming.socket as TLSSocket), limits })
    } catch (error) {
      answer.shouldKeepAlive = false // what follows on this connection may be the rest of an attack
      refuse(error, incoming.method ?? 'GET', outgoing)
      return
    }
    void serve(request, gone, outgoing)
  }

  function onStreamH2(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const outgoing = outgoingH2(stream)
    const gone = new AbortController()
    stream.on('error', () => gone.abort(new Error('the stream broke')))
    stream.once('close', () => {
      if (!stream.writableFinished || stream.rstCode !== 0) gone.abort(new Error('the client has gone'))
    })
    const session = stream.session === undefined ? undefined : sessions.get(stream.session)
    if (session === undefined) return // closed meanwhile
    session.streams++
    stream.once('close', () => session.streams--)
    let request: HttpRequest
    let method = 'GET'
    try {
      method = pseudo(raw, ':method') ?? 'GET'
      const { path, query } = parseTarget(pseudo(raw, ':path') ?? '', limits.targetBytes)
      const headers = headersFromRaw(raw, limits.headerCount)
      const body = stream.endAfterHeaders ? undefined : bodyOfSocket(stream, headers['content-length'] as string | undefined)
      request = { method, path, query, headers, body, signal: gone.signal, peer: session.peer }
    } catch (error) {
      refuse(error, method, outgoing)
      return
    }
    void serve(request, gone, outgoing)
  }

  async function onUpgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const gone = new AbortController()
    const abort = (): void => gone.abort(new Error('the client has gone'))
    socket.allowHalfOpen = false
    socket.on('error', abort) // without a listener an ECONNRESET would end the process
    socket.once('close', abort)
    const progress = { streaming: true }
    upgrades++
    open.set(gone, progress)
    let request: HttpRequest | undefined
    try {
      request = requestOfH1(incoming, gone.signal, { peer: peer(incoming.socket as TLSSocket), limits })
      if (stopping !== undefined) return await writeUpgradeAnswer(socket, statusResponse('ServiceUnavailable', 'the server is stopping'))
      if (upgrades > limits.upgrades) {
        return await writeUpgradeAnswer(
          socket,
          statusResponse('TooManyRequests', `more than ${limits.upgrades} connections are taken over`, { retryAfterSeconds: 1 }),
        )
      }
      await deps.upgrade(request, socket, head)
    } catch (error) {
      if (error instanceof BadTarget || error instanceof BadHeaders) await writeUpgradeAnswer(socket, statusResponse('BadRequest', error.message))
      else if (!gone.signal.aborted) deps.log.error('an upgraded connection failed', { path: request?.path, error })
    } finally {
      upgrades--
      open.delete(gone)
      socket.destroy()
      if (open.size === 0) whenIdle?.()
    }
  }

  // With `allowHTTP1` this event carries HTTP/1.1 objects too, which its type does not know.
  server.on('request', (incoming, answer) => {
    onRequestH1(incoming as unknown as IncomingMessage, answer as unknown as ServerResponse)
  })
  // Node serves HTTP/2 requests through a compatibility layer once a 'request' listener is there. It costs a third of the throughput: streams are taken directly.
  server.removeAllListeners('stream')
  server.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: unknown, raw: unknown) => onStreamH2(stream, raw as readonly string[]))
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => void onUpgrade(incoming, socket, head))
  server.on('session', (session) => {
    const about = { peer: peer(session.socket as TLSSocket), streams: 0 }
    sessions.set(session, about)
    session.once('close', () => sessions.delete(session))
    session.on('error', (error) => deps.log.debug('an HTTP/2 connection failed', { error }))
    session.setLocalWindowSize(8 << 20)
    session.setTimeout(limits.idleTimeoutMs, () => {
      // A quiet watch is no idle connection: TCP keep-alive finds its dead peers.
      if (about.streams === 0) session.close()
    })
  })
  server.on('secureConnection', (socket) => {
    sockets.add(socket)
    socket.allowHalfOpen = socket.alpnProtocol !== 'h2'
    socket.setKeepAlive(true, 30_000)
    socket.once('close', () => sockets.delete(socket))
  })
  const broken = new WeakSet<Duplex>()
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (broken.has(socket)) return // the rest of the same broken request
    broken.add(socket)
    void writeUpgradeAnswer(socket, answerToBrokenRequest(error))
  })
  server.on('tlsClientError', (error) => deps.log.debug('a TLS handshake failed', { error: error.message }))
  server.on('unknownProtocol', (socket) => socket.destroy())

  await listen(server, options)
  server.on('error', (error) => deps.log.error('the listener failed', { error }))
  const address = server.address() as AddressInfo

  async function stop(): Promise<void> {
    const closed = Promise.withResolvers<void>()
    server.close(() => closed.resolve())
    for (const session of sessions.keys()) session.close()
    for (const [gone, progress] of open) if (progress.streaming) gone.abort(new Error('the server is stopping'))
    const late = Promise.withResolvers<void>()
    const cancel = deps.clock.schedule(late.resolve, options.drainMs ?? 1_000)
    if (open.size > 0) {
      const idle = Promise.withResolvers<void>()
      whenIdle = idle.resolve
      await Promise.race([idle.promise, late.promise])
    }
    server.closeIdleConnections?.()
    // HTTP/2 sessions flush their last frames and close by themselves; whoever does not is cut off.
    await Promise.race([closed.promise, open.size > 0 ? late.promise : graceOf(deps.clock, 100)])
    cancel()
    for (const gone of open.keys()) gone.abort(new Error('the server has stopped'))
    for (const session of sessions.keys()) session.destroy()
    for (const socket of sockets) socket.destroy()
    await closed.promise
  }

  return {
    host: options.host,
    port: address.port,
    setTls: (tls, clientCa) => server.setSecureContext({ ...tls, ca: clientCa, minVersion: 'TLSv1.2' }),
    [Symbol.asyncDispose]() {
      stopping ??= stop()
      return stopping
    },
  }
}

type SecureServer = ReturnType<typeof createSecureServer> & {
  maxConnections: number
  httpAllowHalfOpen: boolean
  closeIdleConnections?(): void
  shouldUpgradeCallback(incoming: IncomingMessage): boolean
}

function createServer(options: EdgeOptions, limits: EdgeLimits): SecureServer {
  const server = createSecureServer({
    ...options.tls,
    ca: options.clientCa,
    requestCert: options.clientCa !== undefined,
    rejectUnauthorized: false, // other ways to prove who one is exist; `peerOf` reads only certificates that verify
    minVersion: 'TLSv1.2',
    handshakeTimeout: limits.handshakeTimeoutMs,
    allowHTTP1: true,
    noDelay: true,
    // HTTP/2
    settings: { maxConcurrentStreams: limits.streamsPerConnection, maxHeaderListSize: limits.headerBytes, initialWindowSize: 1 << 20, enablePush: false },
    maxHeaderListPairs: limits.headerCount + 4,
    maxSessionMemory: 256, // MiB: lists in flight of one connection; the default of 10 refuses new streams beside one large list
    streamResetBurst: 1_000,
    streamResetRate: 100,
    // HTTP/1.1
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(limits.headersTimeoutMs / 2)),
    requireHostHeader: true,
    insecureHTTPParser: false,
  } as Parameters<typeof createSecureServer>[0]) as SecureServer
  // The HTTP/1.1 half reads these off the server; as options the HTTP/2 server would drop them.
  server.httpAllowHalfOpen = true
  server.shouldUpgradeCallback = ({ headers, url = '' }) => {
    const protocol = (headers.upgrade ?? '').toLowerCase()
    if (protocol === options.ownUpgrade?.protocol) return url === options.ownUpgrade.path
    return upgradeProtocols.has(protocol) || (protocol !== '' && proxyPath.test(url) && !httpProtocols.test(protocol))
  }
  server.maxConnections = limits.connections
  server.setTimeout(0)
  return server
}

function listen(server: SecureServer, options: EdgeOptions): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host: options.host, port: options.port, backlog: 1_024 }, () => {
    server.off('error', reject)
    resolve()
  })
  return promise
}

function requestOfH1(incoming: IncomingMessage, signal: AbortSignal, about: { readonly peer: Peer; readonly limits: EdgeLimits }): HttpRequest {
  const { path, query } = parseTarget(incoming.url ?? '', about.limits.targetBytes)
  const headers = headersFromRaw(incoming.rawHeaders, about.limits.headerCount)
  // Anything but plain chunks ends where the connection does: two readers could disagree where the next request starts.
  if ((headers['transfer-encoding'] ?? 'chunked') !== 'chunked') throw new BadHeaders('the transfer encoding is not supported')
  const length = headers['content-length'] as string | undefined
  const body = (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined ? bodyOfSocket(incoming, length) : undefined
  return { method: incoming.method ?? 'GET', path, query, headers, body, signal, peer: about.peer }
}

function pseudo(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length && raw[i]?.charCodeAt(0) === 58; i += 2) if (raw[i] === name) return raw[i + 1]
  return undefined
}

function answerToBrokenRequest(error: NodeJS.ErrnoException): HttpResponse {
  switch (error.code ?? '') {
    case 'HPE_HEADER_OVERFLOW':
      return statusResponse('BadRequest', 'the request headers are too large', { code: 431 })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return statusResponse('Timeout', 'the request did not arrive in time', { code: 408 })
    default:
      return statusResponse('BadRequest', 'the request is not valid HTTP')
  }
}

function graceOf(clock: Clock, ms: number): Promise<void> {
  return clock.sleep(ms)
}
