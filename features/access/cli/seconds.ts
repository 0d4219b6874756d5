import { secondsOf, UsageError } from '@gantry/cli-kit'

/** 90d, 12h, 30m or 45s in seconds. */
export function parseSeconds(text: string): number {
  const seconds = secondsOf(text)
  if (seconds === undefined) throw new UsageError(`"${text}" is no time: write 90d, 12h, 30m or 45s`)
  return seconds
}
