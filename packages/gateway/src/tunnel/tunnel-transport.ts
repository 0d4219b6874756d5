import { constants } from 'node:http2'
import type { Duplex } from 'node:stream'
import { createUpgrader, endToEndHeaders, isLongRunning, Slots, transportError, transportFailureOf, type HttpTransport } from '@gantry/client'
import type { Clock, HttpRequest, HttpResponse } from '@gantry/runtime'
import { tunnelAuthority } from './protocol.ts'
import { exchangeOn } from './tunnel-exchange.ts'
import type { Tunnel, TunnelConnection } from './tunnel.ts'

export interface TunnelTransportOptions {
  /** `cluster "x"`, for messages. */
  readonly subject: string
  /** Ordinary requests at once; more wait in the queue. */
  readonly connections: number
  /** Watches and followed logs at once; past it one is refused. */
  readonly streams: number
  readonly maxQueued: number
  readonly headersTimeoutMs: number
  /** Why there is no connection, when there is none. */
  readonly absence: () => string
}

const bodySilenceMs = 60_000

/** The API of a member through the connections of its agent. Every such transport has slots and a queue of its own over the same connections. */
export function createTunnelTransport(deps: { readonly clock: Clock; readonly tunnel: Tunnel }, options: TunnelTransportOptions): HttpTransport {
  const { clock, tunnel } = deps
  const { subject, headersTimeoutMs } = options
  const closed = new AbortController()
  const lanes = {
    ordinary: { slots: new Slots({ clock }, { limit: options.connections, maxQueued: options.maxQueued }), size: options.connections, bodySilenceMs },
    stream: { slots: new Slots({ clock }, { limit: options.streams, maxQueued: 0 }), size: options.streams, bodySilenceMs: 0 },
  }

  function connected(): TunnelConnection {
    const connection = tunnel.pick()
    if (connection === undefined) throw transportError('AgentAbsent', options.absence())
    return connection
  }

  async function attempt(request: HttpRequest): Promise<HttpResponse> {
    const lane = isLongRunning(request) ? lanes.stream : lanes.ordinary
    const release = await lane.slots.take({
      signal: request.signal,
      waitMs: headersTimeoutMs,
      full: (queued) => transportError('QueueFull', `too many requests to ${subject} at once: ${lane.size} run and ${queued} wait; it may be slow, try again`),
      late: () => transportError('QueueFull', `a request to ${subject} waited ${headersTimeoutMs} ms for its turn; it may be slow, try again`),
    })
    let connection: TunnelConnection
    try {
      connection = connected()
    } catch (error) {
      release()
      throw error
    }
    connection.streams++
    const onEnd = (): void => {
      connection.streams--
      release()
    }
    return exchangeOn({ clock, session: connection.session, onEnd }, request, {
      subject,
      headersTimeoutMs,
      bodySilenceMs: lane.bodySilenceMs,
      lossOf: () => (closed.signal.aborted ? (closed.signal.reason as Error) : connection.lossOf()),
    })
  }

  /** A stream that carries HTTP/1.1 to the agent. */
  async function dial(signal?: AbortSignal): Promise<Duplex> {
    signal?.throwIfAborted()
    const connection = connected()
    const stream = connection.session.request({ ':method': 'CONNECT', ':authority': tunnelAuthority }, { endStream: false })
    connection.streams++
    stream.once('close', () => connection.streams--)
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>()
    const onAbort = (): void => reject(signal?.reason)
    const onClose = (): void =>
      reject(connection.session.destroyed ? connection.lossOf() : transportError('ConnectionLost', `the agent of ${subject} refused a stream`))
    const cancel = clock.schedule(
      () => reject(transportError('ResponseTimeout', `the agent of ${subject} did not answer within ${headersTimeoutMs} ms`)),
      headersTimeoutMs,
    )
    signal?.addEventListener('abort', onAbort, { once: true })
    stream.on('error', () => {}) // `close` follows
    stream.once('close', onClose)
    stream.once('response', (headers) => {
      if (headers[':status'] === 200) resolve(stream)
      else reject(transportError('ConnectionLost', `the agent of ${subject} refused a stream: it answered ${headers[':status']}`))
    })
    try {
      return await promise
    } catch (error) {
      stream.close(constants.NGHTTP2_CANCEL)
      throw error
    } finally {
      cancel()
      signal?.removeEventListener('abort', onAbort)
      stream.off('close', onClose)
    }
  }

  return {
    async handle(request) {
      if (closed.signal.aborted) throw closed.signal.reason
      const { signal } = request
      const bound = { ...request, signal: AbortSignal.any([signal, closed.signal]) }
      try {
        return await attempt(bound)
      } catch (error) {
        // One of the connections died with the request on it. A GET changes nothing, and there may be another connection.
        if (transportFailureOf(error) !== 'ConnectionLost' || bound.signal.aborted) throw error
        if (tunnel.size === 0) throw transportError('AgentAbsent', error instanceof Error ? error.message : String(error), error)
        if ((request.method !== 'GET' && request.method !== 'HEAD') || request.body !== undefined) throw error
        return attempt(bound)
      }
    },
    upgrade: createUpgrader(
      { clock, dial, closed: closed.signal },
      {
        address: `https://${tunnelAuthority}`,
        host: tunnelAuthority,
        headersTimeoutMs,
        headersFor: (request) => endToEndHeaders(request.headers, ['host', 'expect']),
        target: (request) => (request.query === '' ? request.path : `${request.path}?${request.query}`),
      },
    ),
    close,
    [Symbol.asyncDispose]: close,
  }

  function close(): Promise<void> {
    if (!closed.signal.aborted) closed.abort(transportError('Closed', `the connection to ${subject} has been closed on our side`))
    return Promise.resolve()
  }
}
