import type { Duplex } from 'node:stream'
import type { Clock } from '@gantry/runtime'

/** Connects to a port inside the pod; the message of its error reaches the client. */
export type DialPort = (port: number, signal: AbortSignal) => Promise<Duplex>

/** What both kinds of port forwarding work with. */
export interface ForwardDeps {
  readonly dial: DialPort
  readonly clock: Clock
  /** How the pod is called in messages. */
  readonly target: string
  readonly signal: AbortSignal
}
