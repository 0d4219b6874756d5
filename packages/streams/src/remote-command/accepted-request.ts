import type { Duplex } from 'node:stream'
import type { Clock, HttpRequest } from '@gantry/runtime'

/** An upgrade request and what was asked for with it. */
export interface AcceptedCommand {
  readonly request: HttpRequest
  readonly socket: Duplex
  readonly head: Buffer
  readonly options: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly tty: boolean }
  readonly clock: Clock
}

/** The end of a conversation that its client left: no fault of either side. */
export class ClientGone extends Error {
  constructor(options?: ErrorOptions) {
    super('the client has closed the connection', options)
  }
}
