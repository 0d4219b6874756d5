import { request as httpRequest, STATUS_CODES } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Duplex, Transform } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { constants, createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib'
import { StatusError } from '@gantry/apimachinery'
import { endToEndHeaders } from '@gantry/client'
import { header } from '@gantry/runtime'
import type { ByteSink, HttpHeaders, HttpRequest, HttpResponse, StreamBody } from '@gantry/runtime'
import { withoutCredentials } from '../../passed-headers.ts'
import { LinkRewriter, rewriteLink } from './link-rewriter.ts'
import type { ProxyAddress } from './link-rewriter.ts'

// HTTP to one pod, service or node as it is asked for through the API server (S10). Upstream: apimachinery pkg/util/proxy.

export interface ProxiedCall {
  readonly request: HttpRequest
  /** Path of the proxy in this server, without a slash at its end. */
  readonly prefix: string
  /** What follows it, decoded; begins with a slash unless it is empty. */
  readonly path: string
  /** `address:port` of the target. */
  readonly target: string
  /** A connection of its own. Rejects with an error whose message says what failed, in Go's words. */
  readonly dial: (signal: AbortSignal) => Promise<Duplex>
}

const notCached = 'no-cache, private'
/** Pages of a pod are shown at this server's address and must not act as it. */
const confined = 'sandbox allow-forms allow-scripts'

/** Passes one request on and its answer back, both as they come. */
export async function forward(call: ProxiedCall): Promise<HttpResponse> {
  const { request, prefix, path } = call
  if (path === '' && (request.method === 'GET' || request.method === 'HEAD')) {
    // Relative links of what is there would lead beside it.
    return { status: 301, headers: { location: `${prefix}/${queryOf(request)}`, 'cache-control': notCached } }
  }
  const address: ProxyAddress = { prefix, target: call.target, asked: header(request.headers, 'host') }
  let incoming: IncomingMessage
  let socket: Duplex | undefined
  try {
    socket = await call.dial(request.signal)
    incoming = await answerOf(call, socket)
  } catch (error) {
    socket?.destroy()
    throw new StatusError('ServiceUnavailable', `error trying to reach service: ${textOf(error)}`, { cause: error })
  }
  const connection = socket
  const { location } = incoming.headers
  const status = incoming.statusCode ?? 502
  const hasLinks = location === undefined && isPage(incoming.headers)
  const headers = endToEndHeaders(incoming.headers, [...ours, ...(hasLinks ? ['content-length'] : [])])
  const isEmpty = request.method === 'HEAD' || status === 204 || status === 304
  if (isEmpty) connection.destroy()
  return {
    status,
    headers: {
      ...headers,
      'content-security-policy': confined,
      'cache-control': incoming.headers['cache-control'] === undefined ? notCached : [notCached, incoming.headers['cache-control']],
      ...(location !== undefined && { location: rewriteLink(location, address).replaceAll(' ', '%20') }),
    },
    ...(!isEmpty && { body: streamed(hasLinks ? withLinks(incoming, (link) => rewriteLink(link, address)) : incoming, connection) }),
  }
}

/**
 * Passes an upgrade on. The two sides are joined only once the target has switched protocols; whatever else it answers is read as HTTP and ends the conversation, so that
 * nobody gets a connection to it that only looks upgraded (CVE-2018-1002105). Resolves with the code of an answer that is no 101.
 */
export async function forwardUpgrade(call: ProxiedCall, socket: Duplex, head: Buffer): Promise<number | undefined> {
  const { request } = call
  let connection: Duplex
  try {
    connection = await call.dial(request.signal)
  } catch (error) {
    throw new StatusError('', `error dialing backend: ${textOf(error)}`, { code: 500, cause: error })
  }
  try {
    const { incoming, early } = await upgraded(call, connection)
    const status = incoming.statusCode ?? 0
    if (early === undefined) {
      if (status < 400) throw new StatusError('', `invalid upgrade response: status code ${status}`, { code: 500 })
      socket.on('error', () => {}) // the caller may have gone: `finished` below says so
      socket.write(headText(incoming, ['connection: close']))
      incoming.pipe(socket)
      await finished(socket, { readable: false })
      return status
    }
    const { pipeUpgrade } = await import('@gantry/streams')
    socket.write(headText(incoming, ['connection: Upgrade', `upgrade: ${incoming.headers.upgrade ?? ''}`]))
    if (early.length > 0) socket.write(early)
    if (head.length > 0) connection.write(head)
    await pipeUpgrade(socket, connection, { signal: request.signal }).catch(() => {}) // how a conversation breaks off is nobody's fault here
    return undefined
  } finally {
    connection.destroy()
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function queryOf({ query }: HttpRequest): string {
  return query === '' ? '' : `?${query}`
}

function requestOf(call: ProxiedCall, socket: Duplex, headers: HttpHeaders): ClientRequest {
  const { request, path, target } = call
  const forwardedFor = [header(request.headers, 'x-forwarded-for'), request.peer?.address].filter((one) => one !== undefined && one !== '').join(', ')
  return httpRequest({
    createConnection: () => socket,
    method: request.method,
    path: `${escapedPath(path === '' ? '/' : path)}${queryOf(request)}`,
    setHost: false,
    headers: {
      ...headers,
      host: header(request.headers, 'host') ?? target,
      ...(forwardedFor !== '' && { 'x-forwarded-for': forwardedFor }),
    },
  })
}

/** Sends the request with its body and resolves with the head of the answer. */
async function answerOf(call: ProxiedCall, socket: Duplex): Promise<IncomingMessage> {
  const { request, prefix, path } = call
  const { upgrade: _upgrade, ...headers } = withoutCredentials(request.headers)
  const outgoing = requestOf(call, socket, { ...headers, 'x-forwarded-uri': `${prefix}${escapedPath(path === '' ? '/' : path)}` })
  const answered = Promise.withResolvers<IncomingMessage>()
  const onAbort = (): void => void outgoing.destroy(new Error('the caller has gone'))
  request.signal.addEventListener('abort', onAbort, { once: true })
  outgoing.once('close', () => request.signal.removeEventListener('abort', onAbort))
  outgoing.once('response', answered.resolve)
  outgoing.on('error', answered.reject)
  if (request.signal.aborted) onAbort()
  if (request.body === undefined) outgoing.end()
  // An answer may come before the body is there: what becomes of the rest of it is between the two.
  else pipeline(Readable.from(request.body.stream(), { objectMode: false }), outgoing).catch(answered.reject)
  return answered.promise
}

/** Asks for the upgrade. `early` is what came right behind the head of a 101; undefined for every other answer. */
function upgraded(call: ProxiedCall, connection: Duplex): Promise<{ readonly incoming: IncomingMessage; readonly early: Buffer | undefined }> {
  const { request } = call
  const { promise, resolve, reject } = Promise.withResolvers<Awaited<ReturnType<typeof upgraded>>>()
  const outgoing = requestOf(call, connection, {
    ...withoutCredentials(request.headers),
    connection: 'Upgrade',
    ...(request.method !== 'GET' && { 'content-length': '0' }),
  })
  const failed = (error: Error): void => reject(new StatusError('', textOf(error), { code: 500, cause: error }))
  const onAbort = (): void => void outgoing.destroy(new Error('the caller has gone'))
  request.signal.addEventListener('abort', onAbort, { once: true })
  outgoing.once('upgrade', (incoming: IncomingMessage, _socket: unknown, early: Buffer) => {
    // Said by the parser already; that nothing else is ever joined depends on it.
    if (incoming.statusCode === 101) resolve({ incoming, early })
    else failed(new Error(`invalid upgrade response: status code ${incoming.statusCode}`))
  })
  outgoing.once('response', (incoming: IncomingMessage) => resolve({ incoming, early: undefined }))
  outgoing.on('information', ({ statusCode }: { statusCode: number }) => {
    // Without a protocol that it switches to.
    if (statusCode === 101) failed(new Error('invalid upgrade response: status code 101'))
  })
  outgoing.on('error', failed)
  if (request.signal.aborted) onAbort()
  outgoing.end()
  return promise.finally(() => request.signal.removeEventListener('abort', onAbort))
}

/** As Go writes a path. */
function escapedPath(path: string): string {
  return encodeURI(path).replace(/[?#!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
}

/** What this server says for itself. A cookie would be set on its address. */
const ours = ['set-cookie', 'content-security-policy', 'cache-control', 'location']

/** A page in a coding that nobody here knows keeps its links. */
function isPage(headers: IncomingMessage['headers']): boolean {
  const coding = headers['content-encoding'] ?? ''
  return /^text\/html\s*(;|$)/i.test(headers['content-type'] ?? '') && (coding === '' || Object.hasOwn(codings, coding))
}

function headText(incoming: IncomingMessage, own: readonly string[]): string {
  const lines = [`HTTP/1.1 ${incoming.statusCode ?? 502} ${incoming.statusMessage ?? STATUS_CODES[incoming.statusCode ?? 502] ?? ''}`]
  for (const [name, value] of Object.entries(endToEndHeaders(incoming.headers, ['set-cookie']))) for (const one of [value].flat()) lines.push(`${name}: ${one}`)
  return `${[...lines, ...own].join('\r\n')}\r\n\r\n`
}

function streamed(chunks: AsyncIterable<Uint8Array>, connection: Duplex): StreamBody {
  return async (sink: ByteSink) => {
    const stop = (): void => void connection.destroy()
    sink.signal.addEventListener('abort', stop, { once: true })
    try {
      for await (const chunk of chunks) if (!sink.write(chunk)) await sink.drained()
    } finally {
      sink.signal.removeEventListener('abort', stop)
      connection.destroy()
    }
  }
}

/** A coding of a page, undone and done again; what has come goes on at once. */
const codings: Readonly<Record<string, readonly [decode: () => Transform, encode: () => Transform]>> = {
  gzip: [createGunzip, () => createGzip(atOnce)],
  // Go's `deflate` has no frame.
  deflate: [createInflateRaw, () => createDeflateRaw(atOnce)],
}
const atOnce = { flush: constants.Z_SYNC_FLUSH }

/** The page with its links rewritten. */
function withLinks(incoming: IncomingMessage, rewrite: (link: string) => string): AsyncIterable<Uint8Array> {
  async function* rewritten(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const rewriter = new LinkRewriter(rewrite)
    for await (const chunk of chunks) {
      const text = rewriter.push(chunk.toString('latin1'))
      if (text !== '') yield Buffer.from(text, 'latin1')
    }
    yield Buffer.from(rewriter.end(), 'latin1')
  }
  const [decode, encode] = codings[incoming.headers['content-encoding'] ?? ''] ?? []
  if (decode === undefined || encode === undefined) return rewritten(incoming)
  const coded = encode()
  // Whoever reads it gets the error.
  pipeline(incoming, decode(), rewritten, coded).catch(() => {})
  return coded
}
