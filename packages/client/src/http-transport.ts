import { Readable } from 'node:stream'
import { systemClock } from '@gantry/runtime'
import { StatusError } from '@gantry/apimachinery'
import { createDialer } from './dialer.ts'
import { endToEndHeaders } from './hop-headers.ts'
import { HttpExchange } from './exchange.ts'
import { Slots } from './slots.ts'
import { explainNetworkError, transportError } from './transport-failure.ts'
import { createUpgrader } from './upgrader.ts'
import type { Pool } from 'undici'
import type { Clock, Handler, HttpRequest, HttpResponse, UpgradeHandler } from '@gantry/runtime'

export interface HttpTransportOptions {
  /** `https://host[:port][/prefix]` or `http://…`. The prefix goes before every path. */
  readonly server: string
  /** PEM bundle that must have signed the server's certificate; without it the system's authorities count. */
  readonly ca?: string | Buffer | undefined
  /** Client certificate and key, PEM. */
  readonly cert?: string | Buffer | undefined
  readonly key?: string | Buffer | undefined
  /** Asked for every request. When it gives one, it replaces any Authorization header of the caller. */
  readonly token?: (() => string | undefined) | undefined
  /** Name the certificate must have, when it is not the host of `server`. */
  readonly serverName?: string | undefined
  readonly insecureSkipTlsVerify?: boolean | undefined
  /** Asked for every connection: where `server` is, when its name says it to nobody but us. The name stays what the certificate must have and what the Host header says. */
  readonly connectTo?: (() => { readonly host: string; readonly port: number }) | undefined
  /** `http://` or `https://` proxy, asked with CONNECT, or `socks5://`. */
  readonly proxyUrl?: string | undefined
  /** Told with every new connection when the server's certificate ends. */
  readonly onServerCertificate?: ((notAfter: Date) => void) | undefined
  /** Connections for ordinary requests; more wait in the queue. */
  readonly connections?: number | undefined
  /** Connections for watches and followed logs, which hold one each. Past it a request is refused at once. */
  readonly streams?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  /** From the request on an open connection to the head of its answer; also the longest wait in the queue. */
  readonly headersTimeoutMs?: number | undefined
  /** Requests that may wait for a connection; the next one is refused with ServiceUnavailable. */
  readonly maxQueued?: number | undefined
}

export interface HttpTransport extends AsyncDisposable {
  readonly handle: Handler
  /** exec, attach and port-forward: dials a connection of its own for each. */
  readonly upgrade: UpgradeHandler
  /** Ends what runs at once; requests in flight fail with reason ServiceUnavailable (`Closed`). */
  close(): Promise<void>
}

const bodySilenceMs = 60_000
const idleConnectionMs = 30_000
const longestHeadBytes = 65_536

/**
 * A Handler over HTTP/1.1 to one server. Headers pass as the caller gives them, minus hop-by-hop ones and Host; `request.user` never leaves the process.
 * A failed connection is a StatusError whose message names the cause (`transportFailureOf` gives it as a word). A response with a streamed body must be read
 * or its request's signal aborted, or it keeps its connection.
 */
export function openHttpTransport(options: HttpTransportOptions, deps: { readonly clock: Clock } = { clock: systemClock }): HttpTransport {
  const server = parseServer(options.server)
  const address = `${server.protocol}//${server.host}`
  const prefix = server.pathname.replace(/\/+$/, '')
  const headersTimeoutMs = options.headersTimeoutMs ?? 30_000
  const connections = options.connections ?? 8
  const streams = options.streams ?? 256
  const dial = createDialer(deps, {
    server,
    ca: options.ca,
    cert: options.cert,
    key: options.key,
    serverName: options.serverName,
    insecureSkipTlsVerify: options.insecureSkipTlsVerify,
    connectTo: options.connectTo,
    proxy: options.proxyUrl === undefined ? undefined : parseProxy(options.proxyUrl),
    onServerCertificate: options.onServerCertificate,
    connectTimeoutMs: options.connectTimeoutMs ?? 10_000,
  })
  const lanes = {
    ordinary: { slots: new Slots(deps, { limit: connections, maxQueued: options.maxQueued ?? 256 }), size: connections, bodySilenceMs },
    // Nothing is ever queued for a long time behind watches that never end.
    stream: { slots: new Slots(deps, { limit: streams, maxQueued: 0 }), size: streams, bodySilenceMs: 0 },
  }
  const closed = new AbortController()
  const pools = new Map<keyof typeof lanes, Pool | Promise<Pool>>()

  function poolOf(name: keyof typeof lanes): Pool | Promise<Pool> {
    const known = pools.get(name)
    if (known !== undefined) return known
    const opening = openPool(address, { dial, closed: closed.signal, connections: lanes[name].size }).then((pool) => {
      pools.set(name, pool)
      return pool
    })
    pools.set(name, opening)
    return opening
  }

  function headersFor(request: HttpRequest): Record<string, string | string[]> {
    const headers = endToEndHeaders(request.headers, ['host', 'expect'])
    const token = options.token?.()
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`
    return headers
  }

  function target(request: HttpRequest): string {
    const path = prefix + request.path
    return request.query === '' ? path : `${path}?${request.query}`
  }

  function slotOf(name: keyof typeof lanes, signal: AbortSignal): (() => void) | Promise<() => void> {
    const { slots, size } = lanes[name]
    return (
      slots.takeFree() ??
      slots.take({
        signal,
        waitMs: headersTimeoutMs,
        full: (queued) => transportError('QueueFull', `too many requests to ${address} at once: ${size} run and ${queued} wait; it may be slow, try again`),
        late: () => transportError('QueueFull', `a request to ${address} waited ${headersTimeoutMs} ms for a connection; it may be slow, try again`),
      })
    )
  }
  const explain = (error: unknown): unknown => (closed.signal.aborted ? closed.signal.reason : explainNetworkError(error, address))

  async function attempt(request: HttpRequest, isRepeated: boolean): Promise<HttpResponse> {
    const name = isLongRunning(request) ? 'stream' : 'ordinary'
    const slot = slotOf(name, request.signal)
    const release = slot instanceof Promise ? await slot : slot
    try {
      const opening = poolOf(name)
      const pool = opening instanceof Promise ? await opening : opening
      if (closed.signal.aborted) throw closed.signal.reason
      request.signal.throwIfAborted()
      const exchange = new HttpExchange(
        { clock: deps.clock, onEnd: release, explain },
        { method: request.method, signal: request.signal, headersTimeoutMs, address },
      )
      pool.dispatch(
        {
          path: target(request),
          method: request.method,
          headers: headersFor(request),
          body: request.body === undefined ? null : Readable.from(request.body.stream(), { objectMode: false }),
          headersTimeout: 0, // the exchange measures it, on our clock
          bodyTimeout: lanes[name].bodySilenceMs,
        },
        exchange,
      )
      return await exchange.response
    } catch (error) {
      release()
      const failure = request.signal.aborted || closed.signal.aborted || error instanceof StatusError ? error : explainNetworkError(error, address)
      // A connection that was idle may be closed by the server just as we use it. Nothing has been answered yet, and a GET changes nothing.
      if (isRepeated || !isRetriable(request, failure)) throw failure
    }
    return attempt(request, true)
  }

  async function close(): Promise<void> {
    if (!closed.signal.aborted) closed.abort(transportError('Closed', `the connection to ${address} has been closed on our side`))
    await Promise.all([...pools.values()].map(async (pool) => (await pool).destroy(null)))
  }

  return {
    handle: (request) => (closed.signal.aborted ? Promise.reject<HttpResponse>(closed.signal.reason) : attempt(request, false)),
    upgrade: createUpgrader({ clock: deps.clock, dial, closed: closed.signal }, { address, host: server.host, headersTimeoutMs, headersFor, target }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function openPool(
  address: string,
  options: { readonly dial: ReturnType<typeof createDialer>; readonly closed: AbortSignal; readonly connections: number },
): Promise<Pool> {
  const undici = await import('undici')
  return new undici.Pool(address, {
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: idleConnectionMs,
    maxHeaderSize: longestHeadBytes,
    connect(_options, callback) {
      options.dial(options.closed).then(
        (socket) => callback(null, socket),
        (error: unknown) => callback(error as Error, null as never),
      )
    },
  })
}

/** As upstream's longRunningRequestCheck: watches and followed logs stay open for as long as the reader wants. (exec, attach, portforward come as upgrades.) */
export function isLongRunning(request: Pick<HttpRequest, 'path' | 'query'>): boolean {
  if (request.query === '') return false
  return /(?:^|&)watch=(?:true|1)(?:&|$)/.test(request.query) || (request.path.endsWith('/log') && /(?:^|&)follow=(?:true|1)(?:&|$)/.test(request.query))
}

function isRetriable(request: HttpRequest, error: unknown): boolean {
  if (request.signal.aborted || request.body !== undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return false
  const cause: unknown = error instanceof StatusError ? error.cause : undefined
  const code: unknown = typeof cause === 'object' && cause !== null ? Reflect.get(cause, 'code') : undefined
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE'
}

function parseServer(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new StatusError('BadRequest', `"${text}" is not an API server address; it looks like https://host:6443`)
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new StatusError('BadRequest', `the API server address https://${url.host} must not carry a user, a password, a query or a fragment`)
  }
  return url
}

const proxyProtocols = ['http:', 'https:', 'socks5:', 'socks5h:']

/** The address of a proxy. Throws BadRequest without repeating it: it may hold a password. */
export function parseProxy(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url !== undefined && proxyProtocols.includes(url.protocol) && url.hostname !== '') return url
  throw new StatusError(
    'BadRequest',
    `the proxy address must start with http://, https:// or socks5://${url === undefined || proxyProtocols.includes(url.protocol) ? '' : `, not with ${url.protocol}//`}`,
  )
}
