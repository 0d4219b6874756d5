import { UsageError } from '@gantry/cli-kit'

const secondsOf: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** 90d, 12h, 30m or 45s in seconds. */
export function parseSeconds(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (amount === undefined) throw new UsageError(`"${text}" is no time: write 90d, 12h, 30m or 45s`)
  return Number(amount) * (secondsOf[unit] ?? 1)
}
