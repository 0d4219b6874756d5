import { goFields } from './go-fields.ts'

const context = 3
/** Past this many changed lines the difference is told as one block: the table of an exact comparison grows with the square. */
const maxCompared = 800

/**
 * How a value of a core type has changed, as a unified diff of what upstream prints of it; undefined when it has not. Upstream: apimachinery pkg/util/diff.
 */
export function describeChange(type: string, old: object, next: object): string | undefined {
  if (JSON.stringify(old) === JSON.stringify(next)) return undefined
  const [before, after] = [old, next].map((value) => htmlSafe(JSON.stringify(goFields(type, value), null, 1)).split('\n'))
  if (before === undefined || after === undefined) return undefined
  const text = unifiedDiff(before, after)
  return text === '' ? undefined : text
}

/** As encoding/json writes it. */
function htmlSafe(json: string): string {
  return json.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)
}

type Edit = readonly [sign: ' ' | '-' | '+', line: string]

function unifiedDiff(before: readonly string[], after: readonly string[]): string {
  const edits = editsBetween(before, after)
  const hunks: { from: number; to: number }[] = []
  edits.forEach(([sign], index) => {
    if (sign === ' ') return
    const last = hunks.at(-1)
    if (last !== undefined && index - last.to <= 2 * context + 1) last.to = index
    else hunks.push({ from: index, to: index })
  })
  return hunks
    .map(({ from, to }) => {
      const start = Math.max(from - context, 0)
      const lines = edits.slice(start, to + context + 1)
      const earlier = edits.slice(0, start)
      const count = (list: readonly Edit[], other: '-' | '+'): number => list.filter(([sign]) => sign === ' ' || sign === other).length
      const range = (side: '-' | '+'): string => {
        const length = count(lines, side)
        const first = count(earlier, side) + (length === 0 ? 0 : 1)
        return length === 1 ? `${first}` : `${first},${length}`
      }
      return `@@ -${range('-')} +${range('+')} @@\n${lines.map(([sign, line]) => `${sign}${line}\n`).join('')}`
    })
    .join('')
}

/** The lines of both, each kept, taken away or added: removals before additions. */
function editsBetween(before: readonly string[], after: readonly string[]): Edit[] {
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const [a, b] = [before.slice(head, before.length - tail), after.slice(head, after.length - tail)]
  const kept = (lines: readonly string[]): Edit[] => lines.map((line) => [' ', line])
  const middle: Edit[] =
    a.length > maxCompared || b.length > maxCompared ? [...a.map((line): Edit => ['-', line]), ...b.map((line): Edit => ['+', line])] : compare(a, b)
  return [...kept(before.slice(0, head)), ...middle, ...kept(before.slice(before.length - tail))]
}

/** By the longest common subsequence. */
function compare(a: readonly string[], b: readonly string[]): Edit[] {
  const width = b.length + 1
  const lengths = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      lengths[i * width + j] =
        a[i] === b[j] ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0)
    }
  }
  const edits: Edit[] = []
  let added: Edit[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [left, right] = [a[i], b[j]]
    if (left !== undefined && left === right) {
      edits.push(...added, [' ', left])
      added = []
      i++
      j++
    } else if (right === undefined || (left !== undefined && (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0))) {
      edits.push(['-', left ?? ''])
      i++
    } else {
      added.push(['+', right])
      j++
    }
  }
  return [...edits, ...added]
}
