import type { Clock } from '@gantry/runtime'
import { parseAsciicastEvent, parseAsciicastHeader } from '../api/index.ts'
import { OutputFilter } from './output-filter.ts'

export interface ReplayOptions {
  /** 2 plays twice as fast. */
  readonly speed: number
  readonly idleLimitMs: number
  readonly signal: AbortSignal
}

/** An event is a chunk of a stream: longer lines are no recording of ours. */
const longestLineBytes = 1 << 20

/** Plays an asciicast v2 in time. Throws when it is none. */
export async function replay(
  deps: { readonly clock: Clock; readonly print: (text: string) => Promise<void> },
  chunks: AsyncIterable<Uint8Array>,
  options: ReplayOptions,
): Promise<void> {
  const filter = new OutputFilter()
  let isFirst = true
  let atMs = 0
  try {
    for await (const line of linesOf(chunks)) {
      if (isFirst) {
        if (parseAsciicastHeader(line) === undefined) throw new Error('this is no asciicast v2')
        isFirst = false
        continue
      }
      const event = parseAsciicastEvent(line)
      if (event === undefined) continue // of a session that goes on: its last line is half written
      const [seconds, code, data] = event
      const pauseMs = Math.min(Math.max(0, seconds * 1_000 - atMs) / options.speed, options.idleLimitMs)
      atMs = seconds * 1_000
      if (pauseMs >= 1) await deps.clock.sleep(pauseMs, { signal: options.signal })
      if (code === 'o') await deps.print(filter.pass(data))
      else if (code === 'm') await deps.print(`${reset}\r\n[${new OutputFilter().pass(data)}]\r\n`)
    }
  } finally {
    // What the session has done to the terminal ends with it: colours, modes, a hidden cursor.
    if (!isFirst) await deps.print(`${reset}\r\n`)
  }
}

const reset = '\u001b[0m\u001b[?25h\u001b[?1049l\u001b[?1000l\u001b[?2004l'

async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true })
    const lines = rest.split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > longestLineBytes) throw new Error(`a line is longer than ${longestLineBytes} bytes: this is no recording`)
    yield* lines
  }
  if (rest !== '') yield rest
}
