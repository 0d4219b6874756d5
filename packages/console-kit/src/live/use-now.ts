import { useSyncExternalStore } from 'react'

/** One timer for all ages on screen. */
function createTicker(everyMs: number): { readonly subscribe: (listener: () => void) => () => void; readonly now: () => number } {
  const listeners = new Set<() => void>()
  let now = Date.now()
  let timer: ReturnType<typeof setInterval> | undefined
  return {
    now: () => now,
    subscribe(listener) {
      listeners.add(listener)
      if (timer === undefined) {
        now = Date.now()
        timer = setInterval(() => {
          now = Date.now()
          for (const told of listeners) told()
        }, everyMs)
      }
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
  }
}

const seconds = createTicker(1_000)

/** The time, once a second. */
export function useNow(): number {
  return useSyncExternalStore(seconds.subscribe, seconds.now)
}
