import type { Clock } from '@gantry/runtime'

/** A sleep over a fake `schedule`. */
export function sleepOn(schedule: Clock['schedule'], ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal?.aborted) {
    reject(signal.reason)
    return promise
  }
  const onAbort = (): void => {
    cancel()
    reject(signal?.reason)
  }
  const cancel = schedule(() => {
    signal?.removeEventListener('abort', onAbort)
    resolve()
  }, ms)
  signal?.addEventListener('abort', onAbort, { once: true })
  return promise
}
