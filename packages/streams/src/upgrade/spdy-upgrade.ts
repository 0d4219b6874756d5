import type { Duplex } from 'node:stream'
import type { HttpRequest } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { refuseUpgrade, switchProtocols } from './http-answer.ts'
import { keepAlive } from './keep-alive.ts'

/**
 * Answers a request for SPDY/3.1 as Kubernetes' httpstream.Handshake does and returns the chosen stream protocol: the first of the client's that is
 * in `accepted`. Throws `UpgradeRefused`.
 */
export function acceptSpdy(request: HttpRequest, socket: Duplex, accepted: readonly string[]): string {
  const offered = request.headers['x-stream-protocol-version']
  if (offered === undefined) {
    throw refuseUpgrade(socket, 400, {
      message: `unable to upgrade: header X-Stream-Protocol-Version does not exist in request with ${Object.keys(request.headers).length} headers`,
    })
  }
  const protocols = listOf(offered)
  const chosen = protocols.find((protocol) => accepted.includes(protocol))
  if (chosen === undefined) {
    throw refuseUpgrade(socket, 403, {
      message: `unable to upgrade: unable to negotiate protocol: client supports [${protocols.join(' ')}], server accepts [${accepted.join(' ')}]`,
      headers: accepted.map((protocol) => `X-Accepted-Stream-Protocol-Versions: ${protocol}`),
    })
  }
  switchProtocols(socket, ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${chosen}`])
  keepAlive(socket)
  return chosen
}

export function isSpdyRequest(request: HttpRequest): boolean {
  return header(request.headers, 'upgrade')?.toLowerCase().includes('spdy/3.1') === true
}

export function isWebSocketRequest(request: HttpRequest): boolean {
  return header(request.headers, 'upgrade')?.toLowerCase() === 'websocket'
}

/** The values of a list header, however it was split into lines. */
export function listOf(value: string | readonly string[] | undefined): string[] {
  if (value === undefined) return []
  return (typeof value === 'string' ? [value] : value)
    .flatMap((line) => line.split(','))
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
