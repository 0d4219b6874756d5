import { parseAsciicastEvent, parseAsciicastHeader, type AsciicastEvent } from '../api/index.ts'

/** A recording, ready to be played from any place. */
export interface Cast {
  readonly width: number
  readonly height: number
  /** In order of time; pauses are no longer than `longestPause`. */
  readonly events: readonly AsciicastEvent[]
  readonly seconds: number
}

/** Nobody watches somebody think. */
const longestPause = 2

/** Undefined when the text is no asciicast v2. */
export function parseCast(text: string): Cast | undefined {
  const [first = '', ...lines] = text.split('\n')
  const header = parseAsciicastHeader(first)
  if (header === undefined) return undefined
  const events: AsciicastEvent[] = []
  let at = 0
  let before = 0
  for (const line of lines) {
    const event = parseAsciicastEvent(line)
    if (event === undefined) continue
    at += Math.min(Math.max(0, event[0] - before), longestPause)
    before = event[0]
    events.push([at, event[1], event[2]])
  }
  return { width: header.width, height: header.height, events, seconds: at }
}

/** How many events have happened at a time. */
export function countUntil({ events }: Cast, seconds: number): number {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((events[middle]?.[0] ?? 0) <= seconds) low = middle + 1
    else high = middle
  }
  return low
}

/** `80x24`; undefined when it is none. */
export function sizeOf(text: string): { readonly columns: number; readonly rows: number } | undefined {
  const match = /^(\d{1,4})x(\d{1,4})$/.exec(text)
  const [columns, rows] = [Number(match?.[1]), Number(match?.[2])]
  return columns > 0 && rows > 0 ? { columns, rows } : undefined
}
