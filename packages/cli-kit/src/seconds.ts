const secondsOfUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 }

/** 90d, 12h, 30m or 45s in seconds; undefined for any other text. */
export function secondsOf(text: string): number | undefined {
  const [, amount, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * (secondsOfUnit[unit] ?? 1)
}
