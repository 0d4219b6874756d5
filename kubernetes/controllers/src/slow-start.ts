/**
 * Calls `work` `count` times in batches of 1, 2, 4 …, each batch in parallel, and stops after the first batch with an error: a quota or a bad template then costs
 * one refused request and not hundreds. Upstream: replica_set.go slowStartBatch.
 */
export async function slowStart(count: number, work: () => Promise<void>): Promise<{ readonly succeeded: number; readonly error: unknown }> {
  let succeeded = 0
  let remaining = count
  for (let size = Math.min(remaining, 1); size > 0; size = Math.min(2 * size, remaining)) {
    const results = await Promise.allSettled(Array.from({ length: size }, work))
    const failed = results.filter((result) => result.status === 'rejected')
    succeeded += size - failed.length
    if (failed[0] !== undefined) return { succeeded, error: failed[0].reason }
    remaining -= size
  }
  return { succeeded, error: undefined }
}
