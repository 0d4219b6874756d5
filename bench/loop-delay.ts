// Loaded into Gantry by the bench (node --import): for each second one line of JSON in $GANTRY_BENCH_LOOP_DELAYS says how late the event loop was, and what of it was its own work.
import { appendFileSync } from 'node:fs'
import { createHistogram, PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'
import { processorWaitOfThread } from './processor-wait.ts'

interface Span {
  readonly from: number
  readonly to: number
}

/** Between two timers, with what of it the thread was ready to run and other threads ran. */
interface Slice extends Span {
  readonly waitedMs: number
}

interface Second {
  readonly at: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  readonly slices: readonly Slice[]
}

const intervalMs = 1
const file = process.env['GANTRY_BENCH_LOOP_DELAYS']
if (file !== undefined && isMainThread) {
  const waited = processorWaitOfThread()
  const histogram = createHistogram()
  let slices: Slice[] = []
  let collections: Span[] = []
  let lastSecond: Second | undefined
  let last = performance.now()
  let lastWaitedMs = waited()
  // What is above the interval between two timers is delay.
  setInterval(() => {
    const now = performance.now()
    const waitedMs = waited()
    histogram.record(Math.max(1, Math.round((now - last - intervalMs) * 1e6)))
    if (now - last > 2 * intervalMs) slices.push({ from: last, to: now, waitedMs: waitedMs - lastWaitedMs })
    last = now
    lastWaitedMs = waitedMs
  }, intervalMs).unref()
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
  }).observe({ entryTypes: ['gc'] })
  setInterval(() => {
    // A second late: the engine tells of a collection some time after it.
    if (lastSecond !== undefined) {
      const { slices: ended, ...figures } = lastSecond
      const own = Math.max(0, ...ended.map((slice) => slice.to - slice.from - slice.waitedMs - collectedIn(slice)))
      const collected = Math.max(0, ...ended.map(collectedIn))
      appendFileSync(file, `${JSON.stringify({ ...figures, own, collected })}\n`)
      const oldest = ended.at(-1)?.to ?? 0
      collections = collections.filter(({ to }) => to > oldest)
    }
    const [p50 = 0, p99 = 0, max = 0] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map((nanoseconds) => nanoseconds / 1e6)
    lastSecond = { at: Date.now(), p50, p99, max, slices }
    histogram.reset()
    slices = []
  }, 1_000).unref()

  function collectedIn(slice: Span): number {
    let ms = 0
    for (const { from, to } of collections) ms += Math.max(0, Math.min(to, slice.to) - Math.max(from, slice.from))
    return ms
  }
}
