/** Calls `work` for every item, at most `limit` at a time and in order of their start; rejects with the first error after those under way have ended. */
export async function inParallel<T>(items: readonly T[], { limit }: { readonly limit: number }, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = items.values()
  async function lane(): Promise<void> {
    for (const item of waiting) await work(item)
  }
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane))
  for (const outcome of lanes) if (outcome.status === 'rejected') throw outcome.reason
}
