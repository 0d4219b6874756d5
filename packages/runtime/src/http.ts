import type { Duplex } from 'node:stream'

/**
 * The one shape of a request and its answer inside Gantry. Plain objects instead of the WHATWG classes: those cost more per request than the
 * whole work of a small GET, and their streams have no cheap push with back-pressure (docs/decisions/0003). Sockets are turned into these at the edge
 * (`@gantry/gateway`), a member cluster's connection is a Handler too, and in-process calls use the very same one.
 */
export interface HttpRequest {
  readonly method: string
  /** Path as received, percent-encoded, without the query. Starts with `/`. */
  readonly path: string
  /** Query as received, without the `?`; empty when there is none. */
  readonly query: string
  /** Names in lower case. Repeated headers are joined as Node does; `set-cookie` is a list, and so are repeated ones that say who is calling (`impersonate-*`, `x-remote-*`). */
  readonly headers: HttpHeaders
  readonly body?: RequestBody | undefined
  /** Aborts when the caller has gone or its deadline has passed. */
  readonly signal: AbortSignal
  readonly peer?: Peer | undefined
  /**
   * The identity an in-process caller has already established. Only code sets it, never a header: what arrives through a socket has none,
   * so nobody can smuggle one in.
   */
  readonly user?: UserInfo | undefined
}

export type HttpHeaders = Readonly<Record<string, string | readonly string[] | undefined>>

export interface RequestBody {
  /** The whole body; throws `BodyTooLarge` past `limitBytes`. */
  bytes(limitBytes: number): Promise<Buffer>
  /** The body as it arrives, with back-pressure. Read it once. */
  stream(): AsyncIterable<Uint8Array>
}

/** Who is at the other end of the socket. */
export interface Peer {
  readonly address: string
  /** The verified client certificate, when one was presented. */
  readonly certificate?: PeerCertificate | undefined
  /** Why the certificate that was presented is no identity: a credential that is wrong, not an absent one. */
  readonly certificateProblem?: string | undefined
}

export interface PeerCertificate {
  readonly commonName: string
  readonly organizations: readonly string[]
  readonly fingerprint256: string
  /** Fingerprint of the authority at the end of its chain. */
  readonly authority256?: string | undefined
}

/** An authenticated identity, in Kubernetes' own shape. */
export interface UserInfo {
  readonly username: string
  readonly uid?: string | undefined
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: HttpHeaders
  readonly body?: Uint8Array | string | StreamBody | undefined
}

/**
 * A body that is pushed. It is called once the headers are out (they are flushed at once, before the first byte), and ends the body when its
 * promise resolves; a rejection breaks the connection, so that a half answer is never taken for a whole one.
 */
export type StreamBody = (sink: ByteSink) => Promise<void>

export interface ByteSink {
  /** Hands over bytes for good; false asks the caller to await `drained()` before the next write. Chunks written in one turn may leave in one packet. */
  write(chunk: Uint8Array | string): boolean
  /**
   * Sends bytes that stay the caller's: resolves when they have been sent or nobody wants them any more, and only then may the caller change them. Sinks whose
   * readers keep what they get do not have it.
   */
  readonly lend?: ((chunk: Uint8Array) => Promise<void>) | undefined
  drained(): Promise<void>
  /** Bytes accepted by `write` and not yet given to the network: a pusher that cannot wait uses it to drop a slow reader. */
  readonly bufferedBytes: number
  /** Aborts when the reader has gone. */
  readonly signal: AbortSignal
}

export type Handler = (request: HttpRequest) => Promise<HttpResponse>

/**
 * Takes over the socket of a request with `Connection: Upgrade`: answers 101 and speaks, or writes an ordinary HTTP/1.1 answer and ends the socket.
 * `head` holds bytes that came after the request's headers. Resolves when the conversation has ended.
 */
export type UpgradeHandler = (request: HttpRequest, socket: Duplex, head: Buffer) => Promise<void>

export class BodyTooLarge extends Error {
  readonly limitBytes: number

  constructor(limitBytes: number) {
    super(`Request entity too large: limit is ${limitBytes}`)
    this.limitBytes = limitBytes
  }
}

/** A request body that is already in memory: for in-process calls. */
export function bodyOf(content: Uint8Array | string): RequestBody {
  const bytes = typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  return {
    bytes(limitBytes) {
      return bytes.length > limitBytes ? Promise.reject(new BodyTooLarge(limitBytes)) : Promise.resolve(bytes)
    },
    async *stream() {
      yield bytes
    },
  }
}

/** The first value of a header, `undefined` when it is absent. */
export function header(headers: HttpHeaders, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' || value === undefined ? value : value[0]
}
