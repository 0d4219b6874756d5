import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { runKills } from './kill-runs.ts'

// RUNS and SEED change how often and what. SIGKILL spares what the kernel holds: that SQLite waits for the disk is a matter of `synchronous = FULL`.
const runs = Number(process.env['RUNS'] ?? 300)
const runWithinMs = 2_000

test('loses no acknowledged write in hundreds of kills', { timeout: runs * runWithinMs }, async (context) => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  context.diagnostic(`seed ${seed}, ${runs} runs`)

  const totals = await runKills({ runs, seed })

  context.diagnostic(JSON.stringify(totals))
  assert.ok(totals.acknowledged > runs)
  assert.ok(totals.torn > 0 && totals.refused > 0)
})
