import type { Duplex } from 'node:stream'
import { systemClock } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import { join } from './join.ts'
import { keepAlive } from './keep-alive.ts'

export interface PipeUpgradeOptions {
  /** Ends the conversation when nothing has passed in either direction for so long; never when absent. */
  readonly idleTimeoutMs?: number | undefined
  readonly clock?: Clock | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Joins the two sockets of an upgraded request, after both sides have switched protocols. One side's end becomes the other's (half-close), an error or
 * the closing of one side destroys the other, and what one side cannot take stops the reading of the other: nothing is kept beyond the streams' own
 * buffers. Resolves when both are closed; rejects with the error that ended it.
 */
export async function pipeUpgrade(client: Duplex, upstream: Duplex, options: PipeUpgradeOptions = {}): Promise<void> {
  const { idleTimeoutMs, clock = systemClock, signal } = options
  let reason: Error | undefined
  function stop(error: Error): void {
    reason ??= error
    client.destroy()
    upstream.destroy()
  }
  const onAbort = (): void => stop(signal?.reason instanceof Error ? signal.reason : new Error('the request was called off'))

  let lastMs = clock.monotonicMs()
  let cancelIdle: () => void = () => {}
  function watchIdle(limitMs: number): void {
    const idleMs = clock.monotonicMs() - lastMs
    if (idleMs >= limitMs) stop(new Error(`nothing was sent in either direction for ${limitMs / 1000} s`))
    else cancelIdle = clock.schedule(() => watchIdle(limitMs), limitMs - idleMs)
  }
  function onData(): void {
    lastMs = clock.monotonicMs()
  }

  const joined = join(client, upstream)
  for (const side of [client, upstream]) {
    keepAlive(side)
    if (idleTimeoutMs !== undefined) side.on('data', onData)
  }
  if (idleTimeoutMs !== undefined) watchIdle(idleTimeoutMs)
  signal?.addEventListener('abort', onAbort)
  if (signal?.aborted === true) onAbort()
  const failure = await joined
  signal?.removeEventListener('abort', onAbort)
  cancelIdle()
  const error = reason ?? failure
  if (error !== undefined) throw error
}
