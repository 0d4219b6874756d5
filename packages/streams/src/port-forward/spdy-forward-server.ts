import { ClientGone } from '../remote-command/accepted-request.ts'
import type { Duplex } from 'node:stream'
import type { SpdyHeaders } from '../spdy/header-block.ts'
import { SpdyConnection } from '../spdy/spdy-connection.ts'
import type { SpdyStream } from '../spdy/spdy-stream.ts'
import { pingEveryMs } from '../upgrade/keep-alive.ts'
import type { ForwardDeps } from './forward-deps.ts'
import { parsePort } from './port-number.ts'
import { join } from '../upgrade/join.ts'

const pairWithinMs = 30_000

/** The two streams of one forwarded connection, as they arrive. */
interface Pair {
  readonly requestId: string
  readonly port: number
  readonly cancel: () => void
  error?: SpdyStream
  data?: SpdyStream
}

/** Serves forwarded connections over SPDY until the client ends it. */
export async function serveSpdyForward(transport: Duplex, deps: ForwardDeps): Promise<void> {
  const pairs = new Map<string, Pair>()
  const gone = new AbortController()

  function onStream(headers: SpdyHeaders, streamId: number): ((stream: SpdyStream) => void) | undefined {
    const type = headers['streamtype']
    if (type !== 'error' && type !== 'data') return undefined
    let port: number
    try {
      port = parsePort(headers['port'] ?? '')
    } catch {
      return undefined // upstream refuses such a stream without a word, too
    }
    // Clients before Kubernetes 1.1 name no request: theirs open the error stream first and the data stream right after.
    const requestId = headers['requestid'] ?? String(type === 'error' ? streamId : streamId - 2)
    return (stream) => add(pairOf(requestId, port), type, stream)
  }

  function pairOf(requestId: string, port: number): Pair {
    let pair = pairs.get(requestId)
    if (pair === undefined) {
      const cancel = deps.clock.schedule(() => giveUp(requestId), pairWithinMs)
      pair = { requestId, port, cancel }
      pairs.set(requestId, pair)
    }
    return pair
  }

  function add(pair: Pair, type: 'error' | 'data', stream: SpdyStream): void {
    if (pair[type] !== undefined) {
      say(pair.error, `error processing stream for request ${pair.requestId}: ${type} stream already assigned`)
      stream.destroy()
      return
    }
    pair[type] = stream
    // Nothing comes on an error stream; reading it lets it end.
    if (type === 'error') stream.resume()
    const { error, data } = pair
    if (error === undefined || data === undefined) return
    pair.cancel()
    pairs.delete(pair.requestId)
    void forward(pair.port, error, data)
  }

  function giveUp(requestId: string): void {
    const pair = pairs.get(requestId)
    pairs.delete(requestId)
    if (pair === undefined) return
    say(pair.error, `(request=${requestId}) timed out waiting for streams`)
    pair.data?.destroy()
  }

  /** One connection. It ends with the error stream first: by then the client knows whether the end of the data is a proper one. */
  async function forward(port: number, error: SpdyStream, data: SpdyStream): Promise<void> {
    const dropped = new AbortController()
    data.once('reset', () => dropped.abort(new Error('the client has dropped the connection')))
    let words: string | undefined
    let socket: Duplex | undefined
    try {
      socket = await deps.dial(port, AbortSignal.any([gone.signal, dropped.signal]))
      const local = socket
      data.once('reset', () => local.destroy())
      if (data.wasReset) local.destroy()
      words = (await join(socket, data))?.message
    } catch (failure) {
      words = failure instanceof Error ? failure.message : String(failure)
    }
    socket?.destroy()
    if (words !== undefined && !dropped.signal.aborted) error.write(`error forwarding port ${port} to pod ${deps.target}, uid : ${words}`)
    error.end()
    data.end()
    if (socket === undefined) data.resume()
  }

  const connection = new SpdyConnection(transport, { clock: deps.clock }, { role: 'server', onStream, pingEveryMs })
  const destroy = (): void => connection.destroy(new Error('the request was called off'))
  deps.signal.addEventListener('abort', destroy)
  if (deps.signal.aborted) destroy()
  await connection.closed
  deps.signal.removeEventListener('abort', destroy)
  gone.abort(new ClientGone())
  for (const pair of pairs.values()) pair.cancel()
}

function say(error: SpdyStream | undefined, words: string): void {
  error?.end(words)
}
