/** The first line of an asciicast v2 file. */
export interface AsciicastHeader {
  readonly version: 2
  readonly width: number
  readonly height: number
  /** Seconds since 1970. */
  readonly timestamp?: number | undefined
  readonly title?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** Seconds since the beginning; `o` output, `i` input, `r` a new size (`80x24`), `m` a mark. */
export type AsciicastEvent = readonly [seconds: number, code: 'o' | 'i' | 'r' | 'm', data: string]

/** Undefined when the line is no header. */
export function parseAsciicastHeader(line: string): AsciicastHeader | undefined {
  const value = parsed(line)
  if (typeof value !== 'object' || value === null || Reflect.get(value, 'version') !== 2) return undefined
  const [width, height] = [Number(Reflect.get(value, 'width')), Number(Reflect.get(value, 'height'))]
  const isSize = width > 0 && height > 0 && width <= 10_000 && height <= 10_000
  return { ...(value as AsciicastHeader), width: isSize ? width : 80, height: isSize ? height : 24 }
}

/** Undefined when the line is none: the last one may be torn. */
export function parseAsciicastEvent(line: string): AsciicastEvent | undefined {
  const value = parsed(line)
  if (!Array.isArray(value)) return undefined
  const [seconds, code, data] = value as unknown[]
  if (typeof seconds !== 'number' || typeof data !== 'string') return undefined
  return code === 'o' || code === 'i' || code === 'r' || code === 'm' ? [seconds, code, data] : undefined
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
