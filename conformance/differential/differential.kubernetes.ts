import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startLocalTarget } from '../src/local-target.ts'
import { startRealTarget } from '../src/real-target.ts'
import { Api } from '../src/target.ts'
import type { Target } from '../src/target.ts'
import { formatGroup } from './digest.ts'
import { runDifferential } from './differential.ts'

/** Always the same requests; `npm run differential` looks further. */
const seed = 20_261_121
const count = 5_000
const withinMs = 100_000
/** A machine that is too slow for fewer has seen nothing. */
const leastRequests = 1_500

describe('requests made by chance', () => {
  const parts = new AsyncDisposableStack()
  let targets: { readonly real: Target; readonly ours: Target }

  before(async () => {
    targets = { real: parts.use(await startRealTarget()), ours: parts.use(await startLocalTarget({ controllers: false })) }
  })
  after(() => parts.disposeAsync())

  test('are answered alike by a real API server and by ours, but for what is known', async () => {
    const { requests, differences } = await runDifferential(
      { real: new Api(() => targets.real), ours: new Api(() => targets.ours) },
      { seed, count, withinMs, kinds: [] },
    )

    assert.ok(requests >= leastRequests, `only ${requests} requests were answered in time`)
    const unknown = differences.filter(({ because }) => because === undefined)
    assert.equal(unknown.length, 0, unknown.map((group) => formatGroup(group)).join('\n'))
  })
})
