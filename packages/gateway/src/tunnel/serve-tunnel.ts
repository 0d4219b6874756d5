import { createServer, type IncomingMessage } from 'node:http'
import { constants, performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { StatusError } from '@gantry/apimachinery'
import { transportFailureOf } from '@gantry/client'
import type { Clock, Handler, HttpRequest, HttpResponse, Logger, UpgradeHandler } from '@gantry/runtime'
import { bodyOfSocket } from '../edge/request-body.ts'
import { BadHeaders, headersFromRaw } from '../edge/request-headers.ts'
import { BadTarget, parseTarget } from '../edge/request-target.ts'
import { outgoingH2, writeResponse } from '../edge/response-writer.ts'
import { defaultHeartbeat, keepHeartbeat, type HeartbeatOptions } from './heartbeat.ts'
import { connectionWindowBytes, failureHeader, maxHeaderBytes, maxHeaderCount, maxSessionMemoryMib, maxStreams, streamWindowBytes } from './protocol.ts'
import { wordsOf } from './tunnel.ts'

export interface ServeTunnelDeps {
  readonly clock: Clock
  readonly log: Logger
  /** The member's API, with the agent's own credential. */
  readonly handle: Handler
  readonly upgrade: UpgradeHandler
}

export interface ServedTunnel {
  /** Resolves with the reason when the connection has ended. */
  readonly ended: Promise<string>
  /** Takes no more requests and ends when those that run have ended; `why` is told to the other side. */
  leave(why: string): void
  /** Ends at once. */
  destroy(why: string): void
}

const longestTarget = 32 << 10

/** The agent's end of a connection: answers what the gateway asks through it. The socket's HTTP/1.1 conversation is over. */
export function serveTunnel(deps: ServeTunnelDeps, socket: Duplex, options: { readonly heartbeat?: HeartbeatOptions | undefined } = {}): ServedTunnel {
  const { clock, log } = deps
  const session = performServerHandshake(socket, {
    settings: { initialWindowSize: streamWindowBytes, maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeaderBytes, enablePush: false },
    maxSessionMemory: maxSessionMemoryMib,
    maxHeaderListPairs: maxHeaderCount + 4,
  } as Parameters<typeof performServerHandshake>[1])
  session.setLocalWindowSize(connectionWindowBytes)
  const ended = Promise.withResolvers<string>()
  const upgrades = upgradeServer(deps)
  let why: string | undefined

  async function answer(stream: ServerHttp2Stream, raw: readonly string[]): Promise<void> {
    const gone = new AbortController()
    stream.on('error', () => gone.abort(new Error('the stream broke')))
    stream.once('close', () => {
      if (!stream.writableFinished || stream.rstCode !== constants.NGHTTP2_NO_ERROR) gone.abort(new Error('the caller has gone'))
    })
    const outgoing = outgoingH2(stream)
    let request: HttpRequest = { method: 'GET', path: '/', query: '', headers: {}, signal: gone.signal }
    let response: HttpResponse
    try {
      request = requestOf(stream, raw, gone.signal)
      response = await deps.handle(request)
      if (failureHeader in response.headers) response = { ...response, headers: { ...response.headers, [failureHeader]: undefined } }
    } catch (error) {
      if (gone.signal.aborted) return
      response = failed(error)
    }
    try {
      await writeResponse(request, response, outgoing)
    } catch (error) {
      log.warn('an answer was cut off', { path: request.path, error })
      outgoing.break()
    }
  }

  session.on('stream', (stream: ServerHttp2Stream, _headers: unknown, _flags: unknown, raw: unknown) => {
    const fields = raw as readonly string[]
    if (fields[fields.indexOf(':method') + 1] === 'CONNECT') {
      stream.on('error', () => {}) // the server below sees the close
      stream.respond({ ':status': 200 })
      upgrades.emit('connection', stream)
    } else void answer(stream, fields)
  })
  session.on('error', (error) => (why ??= `the connection failed: ${error.message}`))
  session.on('goaway', (code, _last, data) => (why ??= wordsOf(data) ?? `the platform said goodbye (HTTP/2 code ${code})`))
  const heartbeat = keepHeartbeat(
    {
      clock,
      session,
      bytesRead: () => Number(Reflect.get(socket, 'bytesRead') ?? 0),
      onSilence() {
        why ??= `the platform gave no sign of life for ${(options.heartbeat ?? defaultHeartbeat).timeoutMs / 1_000} s`
        session.destroy()
      },
    },
    options.heartbeat,
  )
  session.once('close', () => {
    heartbeat[Symbol.dispose]()
    upgrades.closeAllConnections()
    ended.resolve(why ?? 'the connection ended without a goodbye')
  })
  return {
    ended: ended.promise,
    leave(reason) {
      if (session.destroyed || session.closed) return
      why ??= reason
      session.goaway(constants.NGHTTP2_NO_ERROR, 0x7fffffff, Buffer.from(reason))
      session.close()
    },
    destroy(reason) {
      why ??= reason
      session.destroy()
    },
  }
}

/** What is upgraded comes as HTTP/1.1 in a stream. */
function upgradeServer(deps: ServeTunnelDeps): ReturnType<typeof createServer> {
  const server = createServer({ maxHeaderSize: maxHeaderBytes, headersTimeout: 15_000, requestTimeout: 30_000, connectionsCheckingInterval: 5_000 })
  server.on('request', (_incoming, answer) => answer.writeHead(426, { connection: 'close' }).end())
  server.on('upgrade', (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    const gone = new AbortController()
    socket.once('close', () => gone.abort(new Error('the caller has gone')))
    socket.on('error', () => gone.abort(new Error('the stream broke')))
    let request: HttpRequest
    try {
      const { path, query } = parseTarget(incoming.url ?? '', longestTarget)
      request = { method: incoming.method ?? 'GET', path, query, headers: headersFromRaw(incoming.rawHeaders, maxHeaderCount), signal: gone.signal }
    } catch (error) {
      deps.log.warn('an upgrade was refused', { error })
      socket.destroy()
      return
    }
    deps.upgrade(request, socket, head).then(
      () => socket.destroy(),
      (error: unknown) => {
        if (!gone.signal.aborted) deps.log.warn('an upgraded stream failed', { path: request.path, error })
        socket.destroy()
      },
    )
  })
  return server
}

function requestOf(stream: ServerHttp2Stream, raw: readonly string[], signal: AbortSignal): HttpRequest {
  const field = (name: string): string => raw[raw.indexOf(name) + 1] ?? ''
  const { path, query } = parseTarget(field(':path'), longestTarget)
  const headers = headersFromRaw(raw, maxHeaderCount + 4)
  const body = stream.endAfterHeaders ? undefined : bodyOfSocket(stream, headers['content-length'] as string | undefined)
  return { method: field(':method'), path, query, headers, body, signal }
}

/** What kept the agent from asking its cluster travels as a word and a text: the platform tells it as if it had asked itself. */
function failed(error: unknown): HttpResponse {
  const message = error instanceof Error ? error.message : String(error)
  const isBad = error instanceof BadTarget || error instanceof BadHeaders || (error instanceof StatusError && error.reason === 'BadRequest')
  const word = transportFailureOf(error) ?? (isBad ? 'BadRequest' : 'ConnectionLost')
  return { status: 502, headers: { 'content-type': 'text/plain', [failureHeader]: word }, body: message }
}
