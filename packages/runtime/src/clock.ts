/** Time as a port. Everything that waits or stamps takes a Clock, so that tests move time instead of waiting for it. */
export interface Clock {
  /** Wall-clock time. */
  now(): Date
  /** Milliseconds from an arbitrary origin, never going backwards: for durations. */
  monotonicMs(): number
  /** Calls `callback` once after `afterMs`; the returned function calls it off. */
  schedule(callback: () => void, afterMs: number): () => void
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
}

/** A sleep over any `schedule`: shared by the real and the fake clock. */
export function sleepOn(schedule: Clock['schedule'], ms: number, signal: AbortSignal | undefined): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  if (signal?.aborted) {
    reject(signal.reason)
    return promise
  }
  const cancel = schedule(() => {
    signal?.removeEventListener('abort', onAbort)
    resolve()
  }, ms)
  function onAbort(): void {
    cancel()
    reject(signal?.reason)
  }
  signal?.addEventListener('abort', onAbort, { once: true })
  return promise
}

/** The machine's own time. Timers do not keep the process alive: what must live is held by a Service. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  schedule(callback, afterMs) {
    const timer = setTimeout(callback, afterMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  sleep: (ms, options) => sleepOn((callback, afterMs) => systemClock.schedule(callback, afterMs), ms, options?.signal),
}
