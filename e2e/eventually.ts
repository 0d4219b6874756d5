import { setTimeout as sleep } from 'node:timers/promises'

const lookEveryMs = 100

/** Looks until `look` returns something, and returns it. Fails with the last thing seen, or the last error, when the time is up. */
export async function eventually<T>(what: string, withinMs: number, look: (seen: (state: unknown) => void) => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + withinMs
  for (let last: unknown = 'nothing'; ;) {
    let found: T | undefined
    try {
      found = await look((state) => (last = state))
    } catch (error) {
      last = error
    }
    if (found !== undefined) return found
    if (performance.now() > deadline) {
      const cause = last instanceof Error ? last : undefined
      throw new Error(`${what}: not within ${withinMs} ms; last seen: ${cause?.message ?? (typeof last === 'string' ? last : JSON.stringify(last))}`, { cause })
    }
    await sleep(lookEveryMs)
  }
}
