import { request as httpRequest } from 'node:http'
import { finished } from 'node:stream/promises'
import { StatusError } from '@gantry/apimachinery'
import { header } from '@gantry/runtime'
import { endToEndHeaders } from './hop-headers.ts'
import { explainNetworkError, transportError } from './transport-failure.ts'
import type { Duplex } from 'node:stream'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Clock, HttpRequest, UpgradeHandler } from '@gantry/runtime'

export interface UpgraderDeps {
  readonly clock: Clock
  readonly dial: (signal?: AbortSignal) => Promise<Duplex>
  /** Aborts when the transport closes. */
  readonly closed: AbortSignal
}

export interface UpgraderOptions {
  /** `https://host:port`, for messages. */
  readonly address: string
  /** Host header. */
  readonly host: string
  readonly headersTimeoutMs: number
  /** End-to-end headers of a request and the transport's own credentials. */
  readonly headersFor: (request: HttpRequest) => Record<string, string | string[]>
  readonly target: (request: HttpRequest) => string
}

/** exec, attach and port-forward to another server: one connection each, joined to the caller's socket once the server has said 101. */
export function createUpgrader(deps: UpgraderDeps, options: UpgraderOptions): UpgradeHandler {
  return async function upgrade(request, socket, head) {
    // Whatever ends one side ends the other.
    const signal = AbortSignal.any([request.signal, deps.closed])
    const onCallerError = (): void => {} // the pipes below see the close; an unheard 'error' would end the process
    socket.on('error', onCallerError)
    try {
      const protocol = header(request.headers, 'upgrade')
      if (protocol === undefined) throw new StatusError('BadRequest', 'Upgrade request required')
      const connection = await deps.dial(signal)
      const answer = await ask(connection, request, { protocol, signal })
      if (answer.kind === 'refused') return await relay(answer.response, connection, socket)
      writeHead(socket, 101, answer.response)
      if (answer.head.length > 0) socket.write(answer.head)
      if (head.length > 0) connection.write(head)
      await join(socket, connection, signal)
    } catch (error) {
      if (!socket.writable) return
      writeFailure(socket, error instanceof StatusError ? error : explainNetworkError(error, options.address))
    }
  }

  /** Sends the request's head and waits for the answer's. */
  function ask(
    connection: Duplex,
    request: HttpRequest,
    how: { readonly protocol: string; readonly signal: AbortSignal },
  ): Promise<
    { readonly kind: 'upgraded'; readonly response: IncomingMessage; readonly head: Buffer } | { readonly kind: 'refused'; readonly response: IncomingMessage }
  > {
    const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof ask>>>()
    const outgoing: ClientRequest = httpRequest({
      createConnection: () => connection,
      agent: undefined,
      method: request.method,
      path: options.target(request),
      setHost: false,
      headers: {
        ...options.headersFor(request),
        host: options.host,
        connection: 'Upgrade',
        upgrade: how.protocol,
        ...(request.method === 'GET' ? {} : { 'content-length': '0' }),
      },
    })
    function giveUp(reason: unknown): void {
      reject(reason)
      connection.destroy()
    }
    const onAbort = (): void => giveUp(how.signal.reason)
    const cancel = deps.clock.schedule(
      () => giveUp(transportError('ResponseTimeout', `${options.address} did not answer the upgrade within ${options.headersTimeoutMs} ms`)),
      options.headersTimeoutMs,
    )
    how.signal.addEventListener('abort', onAbort, { once: true })
    outgoing.once('upgrade', (response: IncomingMessage, _socket: unknown, head: Buffer) => resolve({ kind: 'upgraded', response, head }))
    outgoing.once('response', (response: IncomingMessage) => resolve({ kind: 'refused', response }))
    outgoing.on('error', (error) => reject(explainNetworkError(error, options.address)))
    outgoing.end()
    return promise.finally(() => {
      cancel()
      how.signal.removeEventListener('abort', onAbort)
    })
  }
}

/** Both directions until both have ended, or one has failed, or the signal aborts. */
async function join(caller: Duplex, server: Duplex, signal: AbortSignal): Promise<void> {
  const stop = (): void => {
    caller.destroy()
    server.destroy()
  }
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  server.on('error', stop)
  caller.on('error', stop)
  caller.pipe(server)
  server.pipe(caller)
  server.resume()
  // A side that is closed (not merely ended) takes nothing more: what it said is flushed, then the other side is closed too.
  server.once('close', () => caller.end(() => caller.destroy()))
  caller.once('close', () => server.destroy())
  // As upstream's proxy: the end of either direction is the end of the conversation. Its protocols say goodbye in frames, not with a half-closed socket.
  caller.once('end', () => server.end(() => server.destroy()))
  try {
    await Promise.allSettled([finished(caller), finished(server)])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** An ordinary answer instead of 101: passed on as it is, then the conversation is over. */
async function relay(response: IncomingMessage, connection: Duplex, socket: Duplex): Promise<void> {
  try {
    writeHead(socket, response.statusCode ?? 502, response)
    response.pipe(socket)
    await finished(socket, { readable: false })
  } finally {
    connection.destroy()
  }
}

function writeHead(socket: Duplex, status: number, response: IncomingMessage): void {
  let text = `HTTP/1.1 ${status} ${response.statusMessage ?? ''}\r\n`
  const own = status === 101 ? { connection: 'Upgrade', upgrade: response.headers.upgrade } : { connection: 'close' }
  for (const [name, value] of Object.entries({ ...endToEndHeaders(response.headers), ...own })) {
    // A cookie of the server's would be set on the origin of whoever passes this on: a browser's session with the gateway.
    if (value === undefined || name === 'set-cookie') continue
    for (const one of typeof value === 'string' ? [value] : value) text += `${name}: ${one}\r\n`
  }
  socket.write(`${text}\r\n`, 'latin1')
}

function writeFailure(socket: Duplex, error: StatusError): void {
  const body = `${JSON.stringify(error.toStatus())}\n`
  socket.end(
    `HTTP/1.1 ${error.code} ${error.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
