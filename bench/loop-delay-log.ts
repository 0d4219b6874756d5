import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoopDelays {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** The longest stretch of its own work: without the collections of the engine, and without waiting for a processor. */
  readonly own: number
  /** The longest that the collections of the engine took of one stretch. */
  readonly collected: number
}

/** What `loop-delay.ts` wrote while loads ran (times of the wall clock): the middle second's p50 and p99, and the longest of all seconds. */
export async function loopDelaysBetween(file: string, spans: readonly { readonly from: number; readonly to: number }[]): Promise<LoopDelays> {
  await sleep(2_100) // a second is written when the next one is over
  const lines = (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  const seconds = lines
    .map((line) => JSON.parse(line) as LoopDelays & { readonly at: number })
    .filter(({ at }) => spans.some(({ from, to }) => at >= from && at - 1_000 <= to))
  const middle = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  return {
    p50: middle(seconds.map(({ p50 }) => p50)),
    p99: middle(seconds.map(({ p99 }) => p99)),
    max: Math.max(...seconds.map(({ max }) => max)),
    own: Math.max(...seconds.map(({ own }) => own)),
    collected: Math.max(...seconds.map(({ collected }) => collected)),
  }
}
