import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import { startLocalCluster } from '@gantry/kube-cluster'
import { silentLogger } from '@gantry/runtime'
import { createFakeIds, FakeClock } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { describeControllers } from './bodies.ts'

// Ten simulated minutes.
const maxSteps = 6000

/** The local cluster as it is run, on time that the test moves. */
describeControllers(async () => {
  const clock = new FakeClock()
  const store = createMemoryStore({ log: silentLogger })
  const cluster = await startLocalCluster({ store, clock, ids: createFakeIds(), log: silentLogger }, { simulatedNodes: ['sim-1', 'sim-2'] })
  return {
    client: cluster.client,
    async until(what, condition) {
      for (let step = 0; step < maxSteps; step++) {
        for (let turn = 0; turn < 5; turn++) await setImmediate()
        if (await condition()) return
        await clock.advance(100)
      }
      assert.fail(what)
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
})
