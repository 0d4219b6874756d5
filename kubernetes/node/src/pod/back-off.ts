export interface BackOffOptions {
  readonly baseMs: number
  readonly maxMs: number
}

/** Of a crashing container: 10 s doubling to 300 s. Upstream: kubelet.go MaxCrashLoopBackOff, initialCrashLoopBackOff. */
export const crashLoopBackOff: BackOffOptions = { baseMs: 10_000, maxMs: 300_000 }

/** How long one thing has been failing. */
export interface BackOffEntry {
  readonly delayMs: number
  /** When the delay was last raised. */
  readonly raisedAtMs: number
}

/**
 * Whether to wait before the next attempt, given when the last one ended. The first failure costs nothing; every further one doubles the wait; after twice the longest
 * wait without a failure it starts over. Upstream: client-go flowcontrol/backoff.go.
 */
export function waitUntil(entry: BackOffEntry | undefined, endedAtMs: number, nowMs: number, options: BackOffOptions): number | undefined {
  if (entry === undefined || nowMs - entry.raisedAtMs > 2 * options.maxMs) return undefined
  const until = endedAtMs + entry.delayMs
  return nowMs < until ? until : undefined
}

/** The entry after an attempt that follows a failure which ended at `endedAtMs`. */
export function raised(entry: BackOffEntry | undefined, endedAtMs: number, nowMs: number, options: BackOffOptions): BackOffEntry {
  const expired = entry === undefined || endedAtMs - entry.raisedAtMs > 2 * options.maxMs
  return { delayMs: expired ? options.baseMs : Math.min(2 * entry.delayMs, options.maxMs), raisedAtMs: nowMs }
}

/** A duration as Go prints it: `10s`, `2m40s`, `5m0s`. */
export function goDuration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${milliseconds}ms`
  const seconds = milliseconds / 1_000
  if (seconds < 60) return `${trimmed(seconds)}s`
  const minutes = Math.floor(seconds / 60)
  const rest = `${minutes % 60}m${trimmed(seconds % 60)}s`
  return minutes < 60 ? rest : `${Math.floor(minutes / 60)}h${rest}`
}

function trimmed(seconds: number): string {
  return String(Number(seconds.toFixed(3)))
}
