import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createTestAuthority } from '@gantry/client/testing'
import type { Json } from './json.ts'

export interface HttpsCall {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Undefined when the body is empty. */
  readonly body: Json
}

/** Answers itself, by writing to `response`, or with what it returns as JSON. */
export type HttpsHandler = (call: HttpsCall, response: ServerResponse) => unknown

/** An HTTPS server on this machine that an API under test can call: webhooks and the like. */
export interface HttpsServer extends AsyncDisposable {
  readonly port: number
  /** Base64 of the PEM of the authority that has signed its certificate for 127.0.0.1 and localhost. */
  readonly caBundle: string
  /** Serves a path; the paths below it too when it ends with a slash. */
  on(path: string, handler: HttpsHandler): void
}

export async function startHttpsServer(): Promise<HttpsServer> {
  const authority = createTestAuthority('conformance', Date.now())
  const handlers = new Map<string, HttpsHandler>()
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString()
    const url = request.url ?? ''
    const path = url.split('?', 1)[0] ?? ''
    const handler = handlers.get(path) ?? [...handlers].find(([prefix]) => prefix.endsWith('/') && path.startsWith(prefix))?.[1]
    if (handler === undefined) return void response.writeHead(404).end()
    const value = handler({ method: request.method ?? '', url, headers: request.headers, body: text === '' ? undefined : JSON.parse(text) }, response)
    if (value === undefined) return
    response.setHeader('content-type', 'application/json')
    response.end(typeof value === 'string' ? value : JSON.stringify(value))
  }
  const server = createServer(authority.issue({ commonName: 'hook', dns: ['localhost'], ip: ['127.0.0.1'] }), (request, response) => {
    answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.cert).toString('base64'),
    on: (path, handler) => void handlers.set(path, handler),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
