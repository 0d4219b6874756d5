import type { Duplex } from 'node:stream'
import type { Clock, HttpRequest, StreamBody } from '@gantry/runtime'
import { listOf } from '../upgrade/spdy-upgrade.ts'
import { acceptWebSocket, chooseSubprotocol } from './accept-websocket.ts'

/**
 * How a body's chunks become messages: each is one text or one binary message under whatever subprotocol the client names (a watch), or they are bytes that the subprotocol
 * `binary.k8s.io` or `base64.binary.k8s.io` carries after an empty message (a log).
 */
export type MessageForm = 'text' | 'binary' | 'bytes'

const readerProtocols = ['', 'binary.k8s.io', 'base64.binary.k8s.io']
/** What may wait for a slow client before `write` answers false. */
const highWaterBytes = 1 << 20
/** A client that does not answer our closing is cut off after this. */
const closeWithinMs = 5_000

/**
 * Sends a streamed body over a WebSocket instead of an HTTP answer, until it ends or the client goes; what the client sends is not read. Throws `UpgradeRefused` when the handshake
 * is malformed or its subprotocol is none of these (it has been answered then). Upstream: apiserver handlers/watch.go HandleWS, wsstream.Reader.
 */
export async function streamToWebSocket(
  upgrade: { readonly request: HttpRequest; readonly socket: Duplex; readonly head: Buffer },
  body: StreamBody,
  options: { readonly form: MessageForm; readonly clock: Clock },
): Promise<void> {
  const { request, socket, head } = upgrade
  const { form, clock } = options
  const protocol = form === 'bytes' ? chooseSubprotocol(request, socket, readerProtocols) : (listOf(request.headers['sec-websocket-protocol'])[0] ?? '')
  const webSocket = acceptWebSocket(request, socket, head, protocol)
  const isBase64 = form === 'bytes' && protocol.startsWith('base64')
  const isBinary = form === 'binary' || (form === 'bytes' && !isBase64)
  const over = Promise.withResolvers<void>()
  const gone = new AbortController()
  let wake = (): void => {}
  webSocket.once('close', () => {
    gone.abort(new Error('the client has gone'))
    wake()
    over.resolve()
  })
  const send = (chunk: Uint8Array | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
    webSocket.send(isBase64 ? bytes.toString('base64') : bytes, { binary: isBinary }, () => {
      if (webSocket.bufferedAmount < highWaterBytes) wake()
    })
  }
  const cutOff = (): void => webSocket.terminate()
  request.signal.addEventListener('abort', cutOff, { once: true })
  if (request.signal.aborted) cutOff()
  if (form === 'bytes') send('')
  try {
    await body({
      write(chunk) {
        send(chunk)
        return webSocket.bufferedAmount < highWaterBytes
      },
      drained() {
        if (gone.signal.aborted || webSocket.bufferedAmount < highWaterBytes) return Promise.resolve()
        return new Promise((resolve) => (wake = resolve))
      },
      get bufferedBytes() {
        return webSocket.bufferedAmount
      },
      signal: gone.signal,
    })
    const cancel = clock.schedule(cutOff, closeWithinMs)
    webSocket.close(1000)
    await over.promise
    cancel()
  } finally {
    request.signal.removeEventListener('abort', cutOff)
    webSocket.terminate()
  }
}
