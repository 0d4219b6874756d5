import type { Duplex } from 'node:stream'
import { systemClock } from '@gantry/runtime'
import type { Clock, HttpRequest } from '@gantry/runtime'
import type { RemoteCommandStreams } from '../contract.ts'
import { refuseUpgrade } from '../upgrade/http-answer.ts'
import { isSpdyRequest, isWebSocketRequest } from '../upgrade/spdy-upgrade.ts'
import { acceptSpdyCommand } from './spdy-command-server.ts'
import { acceptWebSocketCommand } from './websocket-command-server.ts'

export interface RemoteCommandOptions {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
  readonly clock?: Clock | undefined
}

/**
 * Takes over the socket of an exec or attach request: answers the upgrade in the protocol the client speaks and resolves when all streams it has to
 * open are there (on SPDY the client opens them, within 30 s). Rejects with `UpgradeRefused` after an ordinary HTTP answer when the request is no upgrade
 * this side takes, with another error when the client went before; the socket needs no care after either.
 */
export async function acceptRemoteCommand(request: HttpRequest, socket: Duplex, head: Buffer, options: RemoteCommandOptions): Promise<RemoteCommandStreams> {
  const accepted = { request, socket, head, options: { ...options, stderr: options.stderr && !options.tty }, clock: options.clock ?? systemClock }
  if (isWebSocketRequest(request)) return acceptWebSocketCommand(accepted)
  if (isSpdyRequest(request)) return acceptSpdyCommand(accepted)
  throw refuseUpgrade(socket, 400, { message: 'unable to upgrade: missing upgrade headers in request' })
}
