/** How well `query` fits `text`: undefined when its letters do not occur in order, else higher is better. Both in lower case. */
export function fuzzyScore(query: string, text: string): number | undefined {
  if (query === '') return 0
  const at = text.indexOf(query)
  if (at >= 0) return 1000 - at * 2 - text.length * 0.1 + (at === 0 || isBoundary(text, at) ? 200 : 0)
  let score = 0
  let position = -1
  let run = 0
  for (const letter of query) {
    const next = text.indexOf(letter, position + 1)
    if (next < 0) return undefined
    run = next === position + 1 ? run + 1 : 0
    score += 4 + run * 6 + (isBoundary(text, next) ? 14 : 0) - Math.min(next - position - 1, 6)
    position = next
  }
  return score - text.length * 0.1
}

function isBoundary(text: string, index: number): boolean {
  return index === 0 || ' -_./:'.includes(text[index - 1] ?? ' ')
}

export interface Ranked<T> {
  readonly item: T
  readonly score: number
}

/** The best fits first, at most `limit`. Every word of the query must fit one of an item's texts. */
export function rank<T>(query: string, items: readonly T[], texts: (item: T) => readonly string[], limit = 50): readonly T[] {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean)
  const ranked: Ranked<T>[] = []
  for (const item of items) {
    const lowered = texts(item).map((text) => text.toLowerCase())
    let total = 0
    const fits = words.every((word) => {
      const scores = lowered.map((text) => fuzzyScore(word, text)).filter((score) => score !== undefined)
      if (scores.length === 0) return false
      total += Math.max(...scores)
      return true
    })
    if (fits) ranked.push({ item, score: total })
  }
  return ranked
    .sort((left, right) => right.score - left.score)
    .slice(0, limit)
    .map((entry) => entry.item)
}
