import { goQuote } from '@gantry/apimachinery'

// Indexes of an Indexed Job as text: `1,3-5,7`. Upstream: pkg/apis/batch/validation.

/** First and last index, both included. */
type Interval = readonly [number, number]

/** What is wrong with a list of intervals, or how many indexes it names. */
export function countIndexes(text: string, completions: number): { readonly problem: string } | { readonly problem?: undefined; readonly total: number } {
  let total = 0
  let last: number | undefined
  for (const part of text === '' ? [] : text.split(',')) {
    const interval = parseInterval(part, completions)
    if (typeof interval === 'string') return { problem: interval }
    const [first, end] = interval
    if (last !== undefined && last >= first) return { problem: `non-increasing order, previous: ${last}, current: ${first}` }
    total += end - first + 1
    last = end
  }
  return { total }
}

/** The first index that is in both lists. */
export function firstOverlap(completed: string, failed: string, completions: number): number | undefined {
  const intervals = (text: string): Interval[] =>
    text.split(',').flatMap((part) => {
      const interval = parseInterval(part, completions)
      return typeof interval === 'string' ? [] : [interval]
    })
  const [a, b] = [intervals(completed), intervals(failed)]
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const [left, right] = [a[i] as Interval, b[j] as Interval]
    if (left[0] <= right[1] && right[0] <= left[1]) return Math.max(left[0], right[0])
    if (left[0] <= right[0]) i++
    else j++
  }
  return undefined
}

function parseInterval(text: string, completions: number): Interval | string {
  const parts = text.split('-')
  if (parts.length > 2) return `the fragment ${goQuote(text)} violates the requirement that an index interval can have at most two parts separated by '-'`
  const numbers: number[] = []
  for (const part of parts) {
    if (!/^[+]?\d+$/.test(part)) return `cannot convert string to integer for index: ${goQuote(part)}`
    const value = Number(part)
    if (value >= completions) return `too large index: ${goQuote(part)}`
    numbers.push(value)
  }
  const [first = 0, last = first] = numbers
  if (numbers.length === 2 && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`
  return [first, last]
}
