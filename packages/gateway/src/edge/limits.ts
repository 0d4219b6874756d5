/** Everything the edge bounds. A request past a limit is refused before any handler sees it. */
export interface EdgeLimits {
  /** Open sockets; the next one is closed at once. */
  readonly connections: number
  /** Request line and header lines together. */
  readonly headerBytes: number
  readonly headerCount: number
  /** Path and query together. */
  readonly targetBytes: number
  /** From the first byte of a connection to the end of the TLS handshake. */
  readonly handshakeTimeoutMs: number
  /** From the first byte of a request to the end of its headers: a slow-loris gets no longer. */
  readonly headersTimeoutMs: number
  /** From the first byte of a request to the end of its body. */
  readonly requestTimeoutMs: number
  /** How long an HTTP/1.1 connection or an HTTP/2 session without a request stays open. */
  readonly idleTimeoutMs: number
  /** Streams of one HTTP/2 connection. client-go puts all its watches on one: below 100 informers starve (kube-api-spec W1). */
  readonly streamsPerConnection: number
  /** Sockets taken over by an upgrade (exec, attach, port-forward). */
  readonly upgrades: number
}

export const defaultEdgeLimits: EdgeLimits = {
  connections: 10_000,
  headerBytes: 64 << 10,
  headerCount: 200,
  targetBytes: 32 << 10,
  handshakeTimeoutMs: 10_000,
  headersTimeoutMs: 15_000,
  requestTimeoutMs: 120_000,
  idleTimeoutMs: 90_000,
  streamsPerConnection: 1_000,
  upgrades: 2_000,
}
