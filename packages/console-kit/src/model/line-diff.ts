export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed'
  readonly text: string
  /** 1-based line in the old text; undefined for an added line. */
  readonly oldLine?: number | undefined
  readonly newLine?: number | undefined
}

/** Past this many differing lines an exact script costs too much; the rest is shown as replaced. */
const maxEdits = 2000

/** The shortest edit script between two texts, line by line (Myers, O(ND)). */
export function lineDiff(oldText: string, newText: string): readonly DiffLine[] {
  const before = oldText.split('\n')
  const after = newText.split('\n')
  let head = 0
  while (head < before.length && head < after.length && before[head] === after[head]) head++
  let tail = 0
  while (tail < before.length - head && tail < after.length - head && before[before.length - 1 - tail] === after[after.length - 1 - tail]) tail++

  const middle = shortestScript(before.slice(head, before.length - tail), after.slice(head, after.length - tail))
  const kinds = [...Array<DiffLine['kind']>(head).fill('same'), ...middle, ...Array<DiffLine['kind']>(tail).fill('same')]
  let oldLine = 0
  let newLine = 0
  return kinds.map((kind): DiffLine => {
    if (kind === 'removed') return { kind, text: before[oldLine++] ?? '', oldLine }
    if (kind === 'added') return { kind, text: after[newLine++] ?? '', newLine }
    newLine++
    return { kind, text: before[oldLine++] ?? '', oldLine, newLine }
  })
}

function shortestScript(before: readonly string[], after: readonly string[]): DiffLine['kind'][] {
  const limit = Math.min(before.length + after.length, maxEdits)
  const reached = new Map<number, number>([[1, 0]])
  const history: Map<number, number>[] = []
  for (let edits = 0; edits <= limit; edits++) {
    history.push(new Map(reached))
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const down = diagonal === -edits || (diagonal !== edits && (reached.get(diagonal - 1) ?? 0) < (reached.get(diagonal + 1) ?? 0))
      let x = down ? (reached.get(diagonal + 1) ?? 0) : (reached.get(diagonal - 1) ?? 0) + 1
      let y = x - diagonal
      while (x < before.length && y < after.length && before[x] === after[y]) {
        x++
        y++
      }
      reached.set(diagonal, x)
      if (x >= before.length && y >= after.length) return walkBack(history, before.length, after.length)
    }
  }
  return [...Array<DiffLine['kind']>(before.length).fill('removed'), ...Array<DiffLine['kind']>(after.length).fill('added')]
}

function walkBack(history: readonly Map<number, number>[], oldLength: number, newLength: number): DiffLine['kind'][] {
  const kinds: DiffLine['kind'][] = []
  let x = oldLength
  let y = newLength
  for (let edits = history.length - 1; edits >= 0; edits--) {
    const reached = history[edits]
    const diagonal = x - y
    const down = diagonal === -edits || (diagonal !== edits && (reached?.get(diagonal - 1) ?? 0) < (reached?.get(diagonal + 1) ?? 0))
    const previousDiagonal = down ? diagonal + 1 : diagonal - 1
    const previousX = reached?.get(previousDiagonal) ?? 0
    const previousY = previousX - previousDiagonal
    while (x > previousX && y > previousY) {
      kinds.push('same')
      x--
      y--
    }
    if (edits === 0) break
    kinds.push(down ? 'added' : 'removed')
    x = previousX
    y = previousY
  }
  return kinds.reverse()
}

/** The diff with long unchanged stretches folded: `undefined` stands for the lines left out. */
export function foldUnchanged(lines: readonly DiffLine[], context = 3): readonly (DiffLine | undefined)[] {
  const near = new Set<number>()
  lines.forEach((line, index) => {
    if (line.kind === 'same') return
    for (let other = index - context; other <= index + context; other++) near.add(other)
  })
  const folded: (DiffLine | undefined)[] = []
  for (const [index, line] of lines.entries()) {
    if (near.has(index)) folded.push(line)
    else if (folded.length === 0 || folded.at(-1) !== undefined) folded.push(undefined)
  }
  return folded
}
