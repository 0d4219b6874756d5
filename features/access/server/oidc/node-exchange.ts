import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { StatusError } from '@gantry/apimachinery'
import { BodyTooLarge, header } from '@gantry/runtime'
import type { HttpHeaders, HttpRequest, HttpResponse } from '@gantry/runtime'

// Forms of OpenID Connect: the largest parameter is an ID token.
const bodyBytes = 48 << 10
const answerBytes = 1 << 20

/** Node's own pair of objects for a library that knows no other, over one of our requests: no socket is behind them. */
export interface NodeExchange {
  readonly req: IncomingMessage
  readonly res: ServerResponse
}

/** `mountedAt` is taken from the front of the path; the library finds it again in `originalUrl`. Throws RequestEntityTooLarge. */
export async function nodeExchange(request: HttpRequest, mountedAt: string): Promise<NodeExchange> {
  let body: Buffer
  try {
    body = (await request.body?.bytes(bodyBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
  const socket = new Socket()
  Object.defineProperties(socket, { encrypted: { value: true }, remoteAddress: { value: request.peer?.address } })
  const req = new IncomingMessage(socket)
  const url = `${request.path}${request.query === '' ? '' : `?${request.query}`}`
  const { 'transfer-encoding': _, ...headers } = request.headers
  Object.assign(req, {
    method: request.method,
    url: url.startsWith(`${mountedAt}/`) ? url.slice(mountedAt.length) : url,
    originalUrl: url,
    httpVersion: '1.1',
    headers: { ...headers, host: header(headers, 'host') ?? '', 'content-length': String(body.length) },
  })
  if (body.length > 0) req.push(body)
  req.push(null)
  return { req, res: new ServerResponse(req) }
}

/** Lets the library answer, and returns what it has said. Throws when it says more than a page. */
export async function answerOf({ res }: NodeExchange, work: () => Promise<unknown>): Promise<HttpResponse> {
  const chunks: Buffer[] = []
  let bytes = 0
  const take = (chunk: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return
    const part = Buffer.from(chunk as string)
    bytes += part.length
    if (bytes > answerBytes) throw new Error(`the answer is longer than ${answerBytes} bytes`)
    chunks.push(part)
  }
  const ended = Promise.withResolvers<void>()
  // Node's own would wait for a socket.
  Object.assign(res, {
    write(chunk: unknown) {
      take(chunk)
      return true
    },
    end(chunk?: unknown) {
      take(chunk)
      ended.resolve()
      res.emit('finish')
      return res
    },
  })
  await work()
  await ended.promise
  const { 'content-length': _, 'transfer-encoding': __, connection: ___, ...headers } = res.getHeaders() as HttpHeaders
  return { status: res.statusCode, headers, body: Buffer.concat(chunks) }
}
