import { StatusError } from '@gantry/apimachinery'
import { safeAddresses, transportFailureOf, type DialOptions, type HttpTransport, type HttpTransportOptions, type Lookup } from '@gantry/client'
import { bodyOf, readBody, type Clock, type HttpHeaders } from '@gantry/runtime'
import type { Socket } from 'node:net'

/** Ways out of this process, as the app opens them. */
export interface OutboundDeps {
  readonly clock: Clock
  readonly lookup: Lookup
  readonly openTransport: (options: HttpTransportOptions) => Pick<HttpTransport, 'handle' | 'close'>
  readonly dial: (options: DialOptions, signal: AbortSignal) => Promise<Socket>
}

export interface OutboundRequest {
  readonly url: URL
  readonly method?: string | undefined
  readonly headers?: HttpHeaders | undefined
  readonly body?: string | undefined
  /** PEM. */
  readonly ca?: string | undefined
  readonly signal: AbortSignal
}

export interface OutboundAnswer {
  readonly status: number
  readonly headers: HttpHeaders
  readonly body: Buffer
}

// Discovery documents and key sets have some kilobytes.
const longestAnswerBytes = 256 << 10
const connectTimeoutMs = 4_000
const neverConnected: ReadonlySet<string | undefined> = new Set(['ConnectionRefused', 'Unreachable', 'ConnectTimeout'])

/**
 * Asks servers whose addresses an administrator has written down: to no address of a metadata service, over a connection made for this request, bounded in size and in time (by
 * the signal). Redirects are answers like any other: nothing is sent on to where they point.
 */
export async function ask(deps: OutboundDeps, request: OutboundRequest): Promise<OutboundAnswer> {
  const { url, signal, body } = request
  if (url.protocol !== 'https:') throw new StatusError('BadRequest', `${url.protocol}//${url.host} is refused: providers are asked over https only`)
  const port = url.port === '' ? 443 : Number(url.port)
  return firstReached(await safeAddresses(url, deps.lookup), async (host) => {
    const transport = deps.openTransport({ server: url.origin, ca: request.ca, connectTo: () => ({ host, port }), connections: 1, connectTimeoutMs })
    try {
      const response = await transport.handle({
        method: request.method ?? 'GET',
        path: url.pathname,
        query: url.search.slice(1),
        headers: { 'user-agent': 'gantry', ...request.headers, 'accept-encoding': 'identity' },
        body: body === undefined ? undefined : bodyOf(body),
        signal,
      })
      const chunks: Uint8Array[] = []
      let bytes = 0
      for await (const chunk of readBody(response)) {
        bytes += chunk.byteLength
        if (bytes > longestAnswerBytes) throw new StatusError('BadRequest', `the answer of ${url.origin} is longer than ${longestAnswerBytes} bytes`)
        chunks.push(chunk)
      }
      return { status: response.status, headers: response.headers, body: Buffer.concat(chunks) }
    } finally {
      await transport.close()
    }
  })
}

/** A connection to a server that does not speak HTTP: ready TLS for `ldaps://`, plain for `ldap://`. */
export async function connect(deps: OutboundDeps, server: URL, options: { readonly ca: string | undefined; readonly signal: AbortSignal }): Promise<Socket> {
  const port = server.port === '' ? (server.protocol === 'ldaps:' ? 636 : 389) : Number(server.port)
  return firstReached(await safeAddresses(server, deps.lookup), (host) =>
    deps.dial({ server, ca: options.ca, connectTo: () => ({ host, port }), connectTimeoutMs, alpn: [] }, options.signal),
  )
}

/** Tries one address after the other while nothing has been said to any. */
async function firstReached<T>(addresses: readonly string[], attempt: (address: string) => Promise<T>): Promise<T> {
  for (const [at, address] of addresses.entries()) {
    try {
      return await attempt(address)
    } catch (error) {
      if (at === addresses.length - 1 || !neverConnected.has(transportFailureOf(error))) throw error
    }
  }
  throw new Error('a server without addresses')
}
