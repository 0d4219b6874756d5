import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoopDelays {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** The longest stretch of its own work: processor time of the thread, without the collections of the engine. */
  readonly own: number
}

/** What `loop-delay.ts` wrote while loads ran (times of the wall clock): the middle second's p50 and p99, and the longest of all seconds. */
export async function loopDelaysBetween(file: string, spans: readonly { readonly from: number; readonly to: number }[]): Promise<LoopDelays> {
  await sleep(1_100) // the last second is written when it is over
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
  }
}
