import type { Duplex } from 'node:stream'
import { systemClock } from '@gantry/runtime'
import type { HttpRequest } from '@gantry/runtime'
import { refuseUpgrade } from '../upgrade/http-answer.ts'
import { keepAlive } from '../upgrade/keep-alive.ts'
import { acceptSpdy, isSpdyRequest, isWebSocketRequest, listOf } from '../upgrade/spdy-upgrade.ts'
import { acceptWebSocket, chooseSubprotocol } from '../websocket/accept-websocket.ts'
import { WebSocketTransport } from '../websocket/websocket-transport.ts'
import { serveChannelForward } from './channel-forward-server.ts'
import type { DialPort, ForwardDeps } from './forward-deps.ts'
import { parsePort } from './port-number.ts'
import { serveSpdyForward } from './spdy-forward-server.ts'

const spdyProtocol = 'portforward.k8s.io'
const tunnelProtocol = `SPDY/3.1+${spdyProtocol}`
const channelProtocols = ['v4.channel.k8s.io', 'v4.base64.channel.k8s.io', '']

/**
 * Takes over the socket of a port-forward request: SPDY/3.1, SPDY/3.1 tunnelled in a WebSocket (what kubectl tries first) or the channels of the
 * WebSocket `v4.channel.k8s.io` with `?ports=`. Resolves when the conversation has ended. Rejects with `UpgradeRefused` after an ordinary HTTP answer
 * when the request is none of these.
 */
export async function acceptPortForward(request: HttpRequest, socket: Duplex, head: Buffer, dial: DialPort): Promise<void> {
  await servePortForward({ request, socket, head }, { dial, clock: systemClock, target: podOf(request.path), signal: request.signal })
}

/** The same, with a clock of the caller's. */
export async function servePortForward(
  upgrade: { readonly request: HttpRequest; readonly socket: Duplex; readonly head: Buffer },
  deps: ForwardDeps,
): Promise<void> {
  const { request, socket, head } = upgrade
  if (isSpdyRequest(request)) {
    acceptSpdy(request, socket, [spdyProtocol])
    if (head.length > 0) socket.unshift(head)
    return serveSpdyForward(socket, deps)
  }
  if (!isWebSocketRequest(request)) throw refuseUpgrade(socket, 400, { message: 'unable to upgrade: missing upgrade headers in request' })
  if (listOf(request.headers['sec-websocket-protocol']).includes(tunnelProtocol)) {
    keepAlive(socket)
    return serveSpdyForward(new WebSocketTransport(acceptWebSocket(request, socket, head, tunnelProtocol)), deps)
  }
  const ports = portsOf(request, socket)
  const protocol = chooseSubprotocol(request, socket, channelProtocols)
  const codec = protocol === 'v4.base64.channel.k8s.io' ? 'base64' : 'binary'
  return serveChannelForward(acceptWebSocket(request, socket, head, protocol), { ports, codec }, deps)
}

/** Upper bound of `?ports=`: each has two channels, and channel numbers are bytes of which 255 means something else. */
const portLimit = 127

function portsOf(request: HttpRequest, socket: Duplex): number[] {
  const texts = new URLSearchParams(request.query).getAll('ports').flatMap((value) => value.split(','))
  if (texts.length === 0) throw refuseUpgrade(socket, 400, { message: 'query parameter "ports" is required' })
  if (texts.length > portLimit) throw refuseUpgrade(socket, 400, { message: `at most ${portLimit} ports can be forwarded over one connection` })
  try {
    return texts.map(parsePort)
  } catch (error) {
    throw refuseUpgrade(socket, 400, { message: error instanceof Error ? error.message : String(error) })
  }
}

function podOf(path: string): string {
  return /\/namespaces\/([^/]+)\/pods\/([^/]+)\//.exec(path)?.slice(1).reverse().join('_') ?? 'unknown'
}
