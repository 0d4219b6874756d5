import type { Library } from '../overloads.ts'
import { CelError, floorDiv } from '../values.ts'
import type { Duration, Timestamp, Value } from '../values.ts'

const nanosPerMilli = 1_000_000n
const nanosPerSecond = 1_000_000_000n

const fields: readonly (readonly [name: string, id: string, read: (local: Date) => number])[] = [
  ['getFullYear', 'timestamp_to_year', (local) => local.getUTCFullYear()],
  ['getMonth', 'timestamp_to_month', (local) => local.getUTCMonth()],
  ['getDayOfYear', 'timestamp_to_day_of_year', dayOfYear],
  ['getDayOfMonth', 'timestamp_to_day_of_month', (local) => local.getUTCDate() - 1],
  ['getDate', 'timestamp_to_day_of_month_1_based', (local) => local.getUTCDate()],
  ['getDayOfWeek', 'timestamp_to_day_of_week', (local) => local.getUTCDay()],
  ['getHours', 'timestamp_to_hours', (local) => local.getUTCHours()],
  ['getMinutes', 'timestamp_to_minutes', (local) => local.getUTCMinutes()],
  ['getSeconds', 'timestamp_to_seconds', (local) => local.getUTCSeconds()],
  ['getMilliseconds', 'timestamp_to_milliseconds', (local) => local.getUTCMilliseconds()],
]

function dayOfYear(local: Date): number {
  return Math.floor((local.getTime() - globalThis.Date.UTC(local.getUTCFullYear(), 0, 1)) / 86_400_000)
}

export function addTimeAccessors(library: Library): void {
  for (const [name, id, read] of fields) {
    library.add(name, id, 'timestamp.() -> int', (time: Timestamp) => BigInt(read(dateOf(time))))
    library.add(name, `${id}_with_tz`, 'timestamp.(string) -> int', (time: Timestamp, zone: string): Value => {
      const local = inZone(dateOf(time), zone)
      return local instanceof CelError ? local : BigInt(read(local))
    })
  }
  const durations: readonly (readonly [string, string, bigint])[] = [
    ['getHours', 'duration_to_hours', 3600n * nanosPerSecond],
    ['getMinutes', 'duration_to_minutes', 60n * nanosPerSecond],
    ['getSeconds', 'duration_to_seconds', nanosPerSecond],
    ['getMilliseconds', 'duration_to_milliseconds', nanosPerMilli],
  ]
  for (const [name, id, unit] of durations) library.add(name, id, 'duration.() -> int', (value: Duration) => value.nanos / unit)
}

function dateOf(time: Timestamp): Date {
  return new globalThis.Date(Number(floorDiv(time.nanos, nanosPerMilli)))
}

/** A date whose UTC fields are those of the zone: an offset such as `+02:00`, or a name of the time zone database. */
function inZone(date: Date, zone: string): Date | CelError {
  const offset = /^([+-]?)(\d{2}):(\d{2})$/.exec(zone)
  if (offset !== null) {
    const minutes = Number(offset[2]) * 60 + Number(offset[3])
    return new globalThis.Date(date.getTime() + (offset[1] === '-' ? -minutes : minutes) * 60_000)
  }
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone === '' ? 'UTC' : zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    const parts = new Map(format.formatToParts(date).map(({ type, value }) => [type, Number(value)]))
    const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0
    const utc = globalThis.Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'), date.getUTCMilliseconds())
    return new globalThis.Date(utc)
  } catch (error) {
    if (error instanceof RangeError) return new CelError(`unknown time zone ${zone}`)
    throw error
  }
}
