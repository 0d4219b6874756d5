// Loaded into Gantry by the bench (node --import): each second one line of JSON in $GANTRY_BENCH_LOOP_DELAYS says how late the event loop was.
import { appendFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const resolutionMs = 1
const file = process.env['GANTRY_BENCH_LOOP_DELAYS']
if (file !== undefined) {
  const histogram = monitorEventLoopDelay({ resolution: resolutionMs })
  histogram.enable()
  // A sample is the time between two timers: what is above their interval is delay.
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs)
  setInterval(() => {
    appendFileSync(
      file,
      `${JSON.stringify({ at: Date.now(), p50: late(histogram.percentile(50)), p99: late(histogram.percentile(99)), max: late(histogram.max) })}\n`,
    )
    histogram.reset()
  }, 1_000).unref()
}
