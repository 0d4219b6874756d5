import { performance } from 'node:perf_hooks'
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '@gantry/runtime'

/** When the garbage of a start is first looked at: late enough for whoever waited for it to have been served. */
const lookAfterMs = 2_500
/** A process that has worked more than this share of the time since the last look has callers, who would wait for the collection. */
const idleUtilization = 0.25
/** The most that is collected at once: a start over many objects takes more, and half a second of standing still; what it then does makes the engine collect by itself. */
const collectUpToBytes = 96 << 20

export interface Engine {
  readonly heapBytes: () => number
  /** Share of the time since the last call in which the event loop was at work, 0 to 1. */
  readonly utilization: () => number
  readonly collect: () => void
}

/**
 * A process that idles allocates nothing, so V8 would never give back what its start took: a sixth of the memory. Has it collect once, all at once, when nobody is there
 * to wait for it. Returns what ends the looking.
 */
export function collectWhenIdle(clock: Clock, engine: Engine = thisEngine()): () => void {
  const look = (): void => {
    if (engine.heapBytes() > collectUpToBytes) return
    if (engine.utilization() <= idleUtilization) engine.collect()
    else cancel = clock.schedule(look, lookAfterMs)
  }
  engine.utilization()
  let cancel = clock.schedule(look, lookAfterMs)
  return () => cancel()
}

function thisEngine(): Engine {
  let before = performance.eventLoopUtilization()
  return {
    heapBytes: () => getHeapStatistics().used_heap_size,
    utilization() {
      const now = performance.eventLoopUtilization()
      const { utilization } = performance.eventLoopUtilization(now, before)
      before = now
      return utilization
    },
    collect() {
      setFlagsFromString('--expose-gc')
      const collect = runInNewContext('gc') as (options: { readonly type: 'major'; readonly execution: 'sync'; readonly flavor: 'last-resort' }) => void
      // Code that is compiled under other flags is no use to the next start.
      setFlagsFromString('--no-expose-gc')
      // The flavor that gives pages back at once; the usual one leaves that to a later, idle moment.
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    },
  }
}
