import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

const probeAfterMs = 30_000

/**
 * How often an open conversation says something, so that load balancers and NAT on the way keep it: they drop silent connections after a minute.
 * Answers are not asked for: a client whose output is stopped (a pager) reads nothing, and lives.
 */
export const pingEveryMs = 25_000

/** Lets the kernel find out that a peer has died, which a silent connection never would. */
export function keepAlive(socket: Duplex): void {
  if (!(socket instanceof Socket)) return
  socket.setKeepAlive(true, probeAfterMs)
  socket.setNoDelay(true)
  socket.setTimeout(0)
}
