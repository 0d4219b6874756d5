import assert from 'node:assert/strict'
import { setImmediate as turn } from 'node:timers/promises'
import { test } from 'node:test'
import { systemIds } from '@gantry/runtime'
import { raceReservers } from './quota-race.ts'
import { passing, startTestHub } from './test-hub.ts'

for (const seed of [1, 2, 3])
  test(`gateways that race and die never give more than there is (seed ${seed})`, async () => {
    await using test = await startTestHub()
    const { clock, hub } = test
    const report = await passing(
      clock,
      raceReservers(
        { hub, clock, ids: systemIds },
        {
          tenant: 'acme',
          seed,
          gateways: 5,
          steps: 25,
          async dawdle(random) {
            for (let turns = Math.floor(random() * 4); turns > 0; turns--) await turn()
          },
          pass: (ms) => clock.sleep(ms),
        },
      ),
      500,
    )
    assert.ok(report.made > 10 && report.refused > 10 && report.crashed > 5 && report.conflicts > 5, JSON.stringify(report))
  })
