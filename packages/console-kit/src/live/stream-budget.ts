/**
 * Long answers this page may hold open at once. Over HTTP/1.1 a browser opens six connections to an origin: watches that took them all would
 * leave none for a click, so most collections poll there. Over HTTP/2 the limit is the server's number of streams.
 */
export interface StreamBudget {
  /** Takes a place; undefined when none is free. Call the result to give it back. */
  tryAcquire(): (() => void) | undefined
}

const http1Streams = 3
const multiplexedStreams = 80

export function createStreamBudget(limit: () => number): StreamBudget {
  let used = 0
  return {
    tryAcquire() {
      if (used >= limit()) return undefined
      used++
      let released = false
      return () => {
        if (released) return
        released = true
        used--
      }
    },
  }
}

/** The limit for the protocol this page was loaded over. */
export function streamsOfThisPage(): number {
  const [navigation] = performance.getEntriesByType('navigation')
  const protocol = navigation instanceof PerformanceNavigationTiming ? navigation.nextHopProtocol : ''
  return protocol === 'h2' || protocol === 'h3' ? multiplexedStreams : http1Streams
}
