/** A problem in an expression, at an offset in code points. */
export interface Issue {
  readonly at: number
  readonly message: string
}

const maxSnippetLength = 16_384

/** Issues as people see them: place, message, the line and a mark below it; one after the other in the order of the text. */
export function formatIssues(source: readonly string[], issues: readonly Issue[]): string {
  return issues
    .toSorted((a, b) => a.at - b.at)
    .map((issue) => formatIssue(source, issue))
    .join('\n')
}

function formatIssue(source: readonly string[], { at, message }: Issue): string {
  let line = 1
  let start = 0
  for (let i = 0; i < Math.min(at, source.length); i++) {
    if (source[i] !== '\n') continue
    line++
    start = i + 1
  }
  const column = at - start
  const header = `ERROR: <input>:${line}:${column + 1}: ${message}`
  const end = source.indexOf('\n', start)
  const text = source.slice(start, end < 0 ? source.length : end).map((char) => (char === '\t' ? ' ' : char))
  if (text.length > maxSnippetLength) return header
  const dots = text
    .slice(0, column)
    .map((char) => (isWide(char) ? '．' : '.'))
    .join('')
  const marked = text[column]
  return `${header}\n | ${text.join('')}\n | ${dots}${marked !== undefined && isWide(marked) ? '＾' : '^'}`
}

/** More than one byte in UTF-8. */
function isWide(char: string): boolean {
  return (char.codePointAt(0) ?? 0) > 0x7f
}
