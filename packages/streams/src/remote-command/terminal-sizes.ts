import type { TerminalSize } from '../contract.ts'

/** A size is some 30 bytes; what is longer is none. */
const documentLimitCharacters = 1024

/** Terminal sizes as they arrive on the resize channel: JSON objects one after the other, however they were cut. Only the newest waits. */
export class TerminalSizes implements AsyncIterable<TerminalSize> {
  #text = ''
  #newest: TerminalSize | undefined
  #isOver = false
  #wake: () => void = () => {}

  push(bytes: Buffer): void {
    if (this.#isOver) return
    this.#text += bytes.toString('latin1')
    for (let end = this.#text.indexOf('}'); end !== -1; end = this.#text.indexOf('}')) {
      const size = parseSize(this.#text.slice(0, end + 1))
      this.#text = this.#text.slice(end + 1)
      // Upstream's decoder gives up on the channel at the first thing that is no size.
      if (size === undefined) return this.end()
      this.#newest = size
      this.#wake()
    }
    if (this.#text.length > documentLimitCharacters) this.end()
  }

  end(): void {
    this.#isOver = true
    this.#wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<TerminalSize, void> {
    for (;;) {
      const size = this.#newest
      if (size !== undefined) {
        this.#newest = undefined
        yield size
        continue
      }
      if (this.#isOver) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }
}

export function encodeSize({ width, height }: TerminalSize): Buffer {
  return Buffer.from(`{"Width":${width},"Height":${height}}\n`)
}

function parseSize(text: string): TerminalSize | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  // Go reads names of fields in any case, and a missing one as 0.
  const fields = new Map<string, unknown>(Object.entries(value).map(([name, field]) => [name.toLowerCase(), field]))
  const width = fields.get('width') ?? 0
  const height = fields.get('height') ?? 0
  return isCells(width) && isCells(height) ? { width, height } : undefined
}

function isCells(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff
}
