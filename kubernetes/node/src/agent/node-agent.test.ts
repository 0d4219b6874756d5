import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from '@gantry/client'
import { createLogger, systemIds as ids } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { createNodeAgent } from './node-agent.ts'

test('a request for a node that is starting waits for it, and is told when that takes too long', async () => {
  const clock = new FakeClock()
  const client = createClient({ handle: () => Promise.reject(new Error('nothing is asked of the API before the start')) })
  const log = createLogger({ clock, write: () => {} }, { level: 'error' })
  const agent = createNodeAgent({ client, clock, ids, log }, { nodeName: 'here', dataDir: '/nowhere', podCidr: '10.42.0.0/24' })
  let answer: unknown

  const asked = agent
    .dial({ namespace: 'default', pod: 'one', uid: 'one' } as never, 80, new AbortController().signal)
    .catch((error: unknown) => (answer = error))
  await clock.advance(9_999)
  assert.equal(answer, undefined)
  await clock.advance(1)
  await asked

  assert.match(String(answer), /node here is still starting/)
})
