/** One line of a log file in CRI format: `2026-01-01T00:00:00.000000000Z stdout F text`. */
export interface LogLine {
  /** As written: RFC 3339 with nanoseconds. */
  readonly time: string
  readonly stream: 'stdout' | 'stderr'
  /** The text goes on in the next line of the same stream. */
  readonly partial: boolean
  /** Without the line's end. */
  readonly text: Buffer
}

const space = 0x20

/** Undefined for a line that is not in CRI format: a torn write after a crash. `line` is without its newline. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const afterTime = line.indexOf(space)
  const afterStream = line.indexOf(space, afterTime + 1)
  if (afterTime < 0 || afterStream < 0) return undefined
  const afterTags = line.indexOf(space, afterStream + 1)
  const stream = line.toString('latin1', afterTime + 1, afterStream)
  if (stream !== 'stdout' && stream !== 'stderr') return undefined
  const tags = line.toString('latin1', afterStream + 1, afterTags < 0 ? line.length : afterTags)
  return {
    time: line.toString('latin1', 0, afterTime),
    stream,
    partial: tags.split(':')[0] === 'P',
    text: afterTags < 0 ? Buffer.alloc(0) : line.subarray(afterTags + 1),
  }
}

/** The time with exactly nine digits of fraction, as `kubectl logs --timestamps` shows it. */
export function fixedTime(time: string): string {
  const match = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time)
  if (match === null) return time
  return `${match[1]}.${(match[2] ?? '').padEnd(9, '0').slice(0, 9)}${match[3]}`
}
