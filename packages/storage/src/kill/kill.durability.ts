import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { noKills, runKills, summed, told } from './kill-runs.ts'

// RUNS and SEED change how often and what. SIGKILL spares what the kernel holds: that SQLite waits for the disk is a matter of `synchronous = FULL`.
const runs = Number(process.env['RUNS'] ?? 300)
const runsInBatch = 100
const runWithinMs = 5_000

// In batches, each with its own line: a long run that is ended by hand has still told what it found until then.
test('loses no acknowledged write in hundreds of kills', { timeout: runs * runWithinMs }, async (context) => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  let totals = noKills
  for (let done = 0; done < runs; done += runsInBatch) {
    const batch = { runs: Math.min(runsInBatch, runs - done), seed: seed + done }
    await context.test(`${batch.runs} kills with seed ${batch.seed}`, { timeout: batch.runs * runWithinMs }, async (part) => {
      const found = await runKills(batch)
      part.diagnostic(told(found))
      totals = summed(totals, found)
    })
  }
  context.diagnostic(`in all (seed ${seed}): ${told(totals)}`)
  assert.equal(totals.runs, runs)
  assert.ok(totals.acknowledged > runs)
  assert.ok(totals.torn > 0 && totals.refused > 0)
})
