import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { HttpRequest } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { refuseUpgrade, UpgradeRefused } from '../upgrade/http-answer.ts'
import { keepAlive } from '../upgrade/keep-alive.ts'
import { listOf } from '../upgrade/spdy-upgrade.ts'

/** The longest message that is taken. kubectl sends 32 KiB; a browser sends what was pasted. */
const messageLimitBytes = 4 << 20

/**
 * The subprotocol to speak: the first of the client's that is in `accepted`, the empty one when it names none and `accepted` has it. Throws
 * `UpgradeRefused` (403, as golang.org/x/net/websocket answers).
 */
export function chooseSubprotocol(request: HttpRequest, socket: Duplex, accepted: readonly string[]): string {
  const offered = listOf(header(request.headers, 'sec-websocket-protocol'))
  const chosen = (offered.length === 0 ? [''] : offered).find((protocol) => accepted.includes(protocol))
  if (chosen !== undefined) return chosen
  throw refuseUpgrade(socket, 403, { message: `requested protocol(s) are not supported: [${offered.join(' ')}]; supports [${accepted.join(' ')}]` })
}

/** Answers the handshake. Throws `UpgradeRefused` when it is malformed (it has been answered then). */
export function acceptWebSocket(request: HttpRequest, socket: Duplex, head: Buffer, protocol: string): WebSocket {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: messageLimitBytes })
  // The header passes ws by: `SPDY/3.1+portforward.k8s.io` is no token (RFC 6455), which ws insists on.
  const { 'sec-websocket-protocol': _, ...headers } = request.headers
  if (protocol !== '') server.on('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${protocol}`))
  keepAlive(socket)
  let accepted: WebSocket | undefined
  // oxlint-disable-next-line no-unsafe-type-assertion -- ws reads nothing but these three of the request
  const message = { method: request.method, url: request.path, headers } as unknown as IncomingMessage
  server.handleUpgrade(message, socket, head, (webSocket) => {
    accepted = webSocket
  })
  if (accepted === undefined) throw new UpgradeRefused(400, 'the WebSocket handshake is malformed')
  accepted.on('error', () => {}) // always followed by 'close', which is what ends the conversation
  return accepted
}
