// Loaded into Gantry by the bench (node --import): each second one line of JSON in $GANTRY_BENCH_LOOP_DELAYS says how late the event loop was, and what of it was its own work.
import { appendFileSync } from 'node:fs'
import { createHistogram, PerformanceObserver } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

interface Slice {
  readonly from: number
  readonly to: number
  readonly cpuMs: number
}

const intervalMs = 1
const file = process.env['GANTRY_BENCH_LOOP_DELAYS']
if (file !== undefined && isMainThread) {
  const histogram = createHistogram()
  let slices: Slice[] = []
  let collections: { readonly from: number; readonly to: number }[] = []
  let last = performance.now()
  let lastCpuMs = cpuOfThread()
  // What is above the interval between two timers is delay.
  setInterval(() => {
    const now = performance.now()
    const cpuMs = cpuOfThread()
    histogram.record(Math.max(1, Math.round((now - last - intervalMs) * 1e6)))
    if (now - last > 2 * intervalMs) slices.push({ from: last, to: now, cpuMs: cpuMs - lastCpuMs })
    last = now
    lastCpuMs = cpuMs
  }, intervalMs).unref()
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) collections.push({ from: startTime, to: startTime + duration })
  }).observe({ entryTypes: ['gc'] })
  setInterval(() => {
    const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max].map((nanoseconds) => nanoseconds / 1e6)
    const own = Math.max(0, ...slices.map((slice) => slice.cpuMs - collectedIn(slice)))
    appendFileSync(file, `${JSON.stringify({ at: Date.now(), p50, p99, max, own })}\n`)
    histogram.reset()
    slices = []
    collections = []
  }, 1_000).unref()

  function collectedIn(slice: Slice): number {
    let ms = 0
    for (const { from, to } of collections) ms += Math.max(0, Math.min(to, slice.to) - Math.max(from, slice.from))
    return ms
  }
}

/** Processor time, which other processes take nothing of. */
function cpuOfThread(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}
