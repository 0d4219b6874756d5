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
    const { sizes, rest, isBroken } = parseSizes(this.#text + bytes.toString('latin1'))
    this.#text = rest
    this.#newest = sizes.at(-1) ?? this.#newest
    if (sizes.length > 0) this.#wake()
    // Upstream's decoder gives up on the channel at the first thing that is no size.
    if (isBroken) this.end()
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

/** The sizes in what has arrived of a resize channel, up to the first thing that is none, and what is left of it. */
export function parseSizes(text: string): { readonly sizes: readonly TerminalSize[]; readonly rest: string; readonly isBroken: boolean } {
  const sizes: TerminalSize[] = []
  let rest = text
  for (let end = rest.indexOf('}'); end !== -1; end = rest.indexOf('}')) {
    const size = parseSize(rest.slice(0, end + 1))
    rest = rest.slice(end + 1)
    if (size === undefined) return { sizes, rest, isBroken: true }
    sizes.push(size)
  }
  return { sizes, rest, isBroken: rest.length > documentLimitCharacters }
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
