/** Time as the live store needs it: a test moves it by hand. */
export interface LiveClock {
  nowMs(): number
  /** Calls back once; the returned function calls it off. */
  schedule(callback: () => void, afterMs: number): () => void
  /** In [0, 1): spreads reconnects of many collections. */
  random(): number
}

export const browserClock: LiveClock = {
  nowMs: () => Date.now(),
  schedule(callback, afterMs) {
    const timer = setTimeout(callback, afterMs)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
}

/** Resolves after `ms`, or at once when the signal aborts. */
export function pause(clock: LiveClock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) {
    resolve()
    return promise
  }
  const finish = (): void => {
    cancel()
    signal.removeEventListener('abort', finish)
    resolve()
  }
  const cancel = clock.schedule(finish, ms)
  signal.addEventListener('abort', finish, { once: true })
  return promise
}
