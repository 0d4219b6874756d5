import type { Http2Session } from 'node:http2'
import type { Clock } from '@gantry/runtime'

export interface HeartbeatOptions {
  /** From an answer to the next question. */
  readonly everyMs: number
  /** How long a question may stay without an answer while nothing else arrives either. */
  readonly timeoutMs: number
}

/** In one timeout it is looked this often whether something has arrived. */
const looks = 10

/** A peer that vanished is found within nine seconds; the traffic also keeps the idle timers of firewalls and proxies from running out. */
export const defaultHeartbeat: HeartbeatOptions = { everyMs: 3_000, timeoutMs: 5_000 }

/**
 * Asks the other side for signs of life until it is disposed. `onSilence` is called once, when there are none. Bytes that arrive count as one: on a slow line the answer to
 * a ping stands behind what was sent before it.
 */
export function keepHeartbeat(
  deps: { readonly clock: Clock; readonly session: Pick<Http2Session, 'ping' | 'destroyed'>; readonly bytesRead: () => number; readonly onSilence: () => void },
  options: HeartbeatOptions = defaultHeartbeat,
): Disposable {
  let cancel = (): void => {}
  let stopped = false

  function later(): void {
    if (!stopped) cancel = deps.clock.schedule(ask, options.everyMs)
  }
  function ask(): void {
    if (stopped || deps.session.destroyed) return
    let before = deps.bytesRead()
    let silentLooks = 0
    const lookAgain = (): void => {
      const now = deps.bytesRead()
      silentLooks = now === before ? silentLooks + 1 : 0
      before = now
      if (silentLooks >= looks) return deps.onSilence()
      cancel = deps.clock.schedule(lookAgain, options.timeoutMs / looks)
    }
    cancel = deps.clock.schedule(lookAgain, options.timeoutMs / looks)
    deps.session.ping((error) => {
      cancel()
      if (error === null) later() // a failed one: the session is closing and says why itself
    })
  }

  later()
  return {
    [Symbol.dispose]() {
      stopped = true
      cancel()
    },
  }
}
