const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour
const year = 365 * day

/** A duration in kubectl's words: two units at most, coarser as it grows. Upstream: k8s.io/apimachinery pkg/util/duration, HumanDuration. */
export function humanDuration(ms: number): string {
  // Clocks differ: an object may come from a machine slightly ahead of this browser.
  if (ms < second) return ms <= -2 * second ? '<invalid>' : '0s'
  const count = (unit: number): number => Math.floor(ms / unit)
  if (ms < 2 * minute) return `${count(second)}s`
  if (ms < 10 * minute) return pair(count(minute), 'm', count(second) % 60, 's')
  if (ms < 3 * hour) return `${count(minute)}m`
  if (ms < 8 * hour) return pair(count(hour), 'h', count(minute) % 60, 'm')
  if (ms < 2 * day) return `${count(hour)}h`
  if (ms < 8 * day) return pair(count(day), 'd', count(hour) % 24, 'h')
  if (ms < 2 * year) return `${count(day)}d`
  if (ms < 8 * year) return pair(count(year), 'y', count(day) % 365, 'd')
  return `${count(year)}y`
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large}${largeUnit}` : `${large}${largeUnit}${small}${smallUnit}`
}

/** Milliseconds since the epoch, or undefined when the server gave none. */
export function timestampMs(timestamp: string | null | undefined): number | undefined {
  if (timestamp === undefined || timestamp === null || timestamp === '') return undefined
  const ms = Date.parse(timestamp)
  return Number.isNaN(ms) ? undefined : ms
}
