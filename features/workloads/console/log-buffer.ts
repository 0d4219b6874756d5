/** Lines of a log kept at most. The oldest leave first. */
export const maxLogLines = 20_000
/** And characters, for logs of very long lines. */
export const maxLogChars = 16 * 1024 * 1024

export interface LogLine {
  /** Counts up over the whole stream: a line keeps its number when older ones leave. */
  readonly number: number
  readonly text: string
  /** RFC 3339, when the server was asked for it. */
  readonly time: string | undefined
}

/** A bounded log: keeps the newest lines. */
export class LogBuffer {
  #lines: LogLine[] = []
  #first = 0
  #chars = 0
  #next = 1
  #dropped = 0
  #lastTime: string | undefined

  append(texts: readonly string[]): void {
    for (const raw of texts) {
      const { time, text } = splitTimestamp(raw)
      this.#lines.push({ number: this.#next++, text, time })
      this.#chars += text.length
      if (time !== undefined) this.#lastTime = time
    }
    while (this.#lines.length - this.#first > maxLogLines || this.#chars > maxLogChars) {
      this.#chars -= this.#lines[this.#first]?.text.length ?? 0
      this.#first++
      this.#dropped++
    }
    // Shifting an array per line is slow; the dead head is cut off now and then.
    if (this.#first > maxLogLines / 4) {
      this.#lines = this.#lines.slice(this.#first)
      this.#first = 0
    }
  }

  /** A copy that later appends do not change. */
  lines(): readonly LogLine[] {
    return this.#lines.slice(this.#first)
  }

  /** The time of the newest line that has one. */
  get lastTime(): string | undefined {
    return this.#lastTime
  }

  /** Lines that were pushed out. */
  get dropped(): number {
    return this.#dropped
  }
}

const stamped = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?/

/** The time that `timestamps=true` puts before each line. */
export function splitTimestamp(raw: string): { readonly time: string | undefined; readonly text: string } {
  const match = stamped.exec(raw)
  return match === null ? { time: undefined, text: raw } : { time: match[1], text: raw.slice(match[0].length) }
}

// oxlint-disable-next-line no-control-regex -- terminal colors are made of control characters
const ansi = /\u001b\[[0-9;?]*[ -/]*[@-~]/g

/** The text without terminal colors and cursor movements. */
export function withoutAnsi(text: string): string {
  return text.includes('\u001b') ? text.replace(ansi, '') : text
}
