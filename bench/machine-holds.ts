import { processorWaitOfThread } from './processor-wait.ts'

/**
 * The longest that this machine holds up a thread which does nothing but look at the clock, in milliseconds, without what the kernel knows of (waiting for a processor): what a
 * hypervisor takes is in no account. No stretch of work can be measured to be shorter. Takes `forMs` of a processor.
 */
export function machineHoldsMs(forMs: number): number {
  const waited = processorWaitOfThread()
  let longest = 0
  let last = performance.now()
  let lastWaited = waited()
  for (const end = last + forMs; last < end;) {
    const now = performance.now()
    const nowWaited = waited()
    longest = Math.max(longest, now - last - (nowWaited - lastWaited))
    last = now
    lastWaited = nowWaited
  }
  return longest
}
