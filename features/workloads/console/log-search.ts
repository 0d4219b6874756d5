import type { LogLine } from './log-buffer.ts'

/** The indexes of the lines that contain a text, whatever its case. */
export function matchingLines(lines: readonly LogLine[], query: string): readonly number[] {
  if (query === '') return []
  const wanted = query.toLowerCase()
  const found: number[] = []
  for (const [index, line] of lines.entries()) if (line.text.toLowerCase().includes(wanted)) found.push(index)
  return found
}

/** A text cut at every occurrence of a query: odd parts are the occurrences. */
export function splitMatches(text: string, query: string): readonly string[] {
  if (query === '') return [text]
  const lowered = text.toLowerCase()
  // Lowering some letters changes their number: then places would be wrong, and the line stays unmarked.
  if (lowered.length !== text.length) return [text]
  const wanted = query.toLowerCase()
  const parts: string[] = []
  let from = 0
  for (let at = lowered.indexOf(wanted); at >= 0; at = lowered.indexOf(wanted, from)) {
    parts.push(text.slice(from, at), text.slice(at, at + wanted.length))
    from = at + wanted.length
  }
  return [...parts, text.slice(from)]
}
