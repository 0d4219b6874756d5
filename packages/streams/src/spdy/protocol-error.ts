/** The peer broke SPDY's rules or a limit of ours; the connection is of no use any more. */
export class SpdyProtocolError extends Error {
  constructor(message: string) {
    super(`SPDY: ${message}`)
  }
}
