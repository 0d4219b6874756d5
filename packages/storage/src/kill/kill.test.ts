import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runKills, told } from './kill-runs.ts'

test('loses no acknowledged write when the process is killed', async (context) => {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  context.diagnostic(`seed ${seed}`)

  const totals = await runKills({ runs: 6, seed })

  context.diagnostic(told(totals))
  assert.ok(totals.acknowledged > 0)
})
