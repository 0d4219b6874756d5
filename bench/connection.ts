import { connect } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'

export interface Endpoint {
  readonly url: string
  readonly token: string
}

interface RequestOptions {
  readonly body?: { readonly text: string; readonly contentType: string } | undefined
  readonly accept?: string
}

/** One HTTP/2 connection to a server under measurement. */
export class Connection {
  readonly #session: ClientHttp2Session
  readonly #prefix: string
  readonly #token: string
  #broken: Error | undefined

  constructor(endpoint: Endpoint) {
    const { origin, pathname } = new URL(endpoint.url)
    this.#prefix = pathname === '/' ? '' : pathname
    this.#token = endpoint.token
    // Both ends are this machine and the figures are about the servers: the certificate is not looked at.
    this.#session = connect(origin, { rejectUnauthorized: false })
    this.#session.on('error', (error: Error) => (this.#broken = error))
    this.#session.on('goaway', (code) => (this.#broken ??= new Error(`the server said goodbye with code ${code}`)))
  }

  open(method: string, path: string, { body, accept = 'application/json' }: RequestOptions = {}): ClientHttp2Stream {
    const stream = this.#session.request({
      ':method': method,
      ':path': `${this.#prefix}${path}`,
      authorization: `Bearer ${this.#token}`,
      accept,
      'user-agent': 'gantry-bench/1',
      ...(body && { 'content-type': body.contentType }),
    })
    stream.end(body?.text)
    return stream
  }

  /** The text of a 2xx answer; throws on any other. */
  async send(method: string, path: string, body?: { readonly text: string; readonly contentType: string }): Promise<string> {
    const stream = this.open(method, path, { body })
    const where = `${method} ${this.#session.originSet?.[0] ?? ''}${path}`
    const { promise: closed, resolve, reject } = Promise.withResolvers<void>()
    let status = 0
    let answer = ''
    stream.setEncoding('utf8')
    stream.on('response', (headers) => (status = headers[':status'] ?? 0))
    stream.on('data', (chunk: string) => (answer += chunk))
    stream.on('error', reject)
    // A server that answers before it has read the request closes the stream early and without an error.
    stream.on('close', resolve)
    try {
      await closed
    } catch (error) {
      throw new Error(`${where} got no answer`, { cause: this.#broken ?? error })
    }
    if (status < 200 || status > 299) throw new Error(`${where} answered ${status}: ${answer.slice(0, 500)}`)
    return answer
  }

  post(path: string, json: string): Promise<string> {
    return this.send('POST', path, { text: json, contentType: 'application/json' })
  }

  close(): void {
    this.#session.destroy()
  }
}

export function statusOf(stream: ClientHttp2Stream): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  stream.once('response', (headers) => resolve(headers[':status'] ?? 0))
  stream.once('error', reject)
  return promise
}
