import { openSync, readSync } from 'node:fs'

/**
 * How long the calling thread has waited for a processor, in milliseconds (Linux: the second field of schedstat, nanoseconds). It is exact; the processor time of a running thread
 * is not, as the kernel counts it at its ticks (4 ms at 250 Hz).
 */
export function processorWaitOfThread(): () => number {
  const schedstat = openSync('/proc/thread-self/schedstat', 'r')
  const bytes = Buffer.alloc(64)
  return () => Number(bytes.toString('latin1', 0, readSync(schedstat, bytes, 0, bytes.length, 0)).split(' ')[1]) / 1e6
}
