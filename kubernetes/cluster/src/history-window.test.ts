import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyOf, readBody, readWholeBody, silentLogger } from '@gantry/runtime'
import type { HttpResponse } from '@gantry/runtime'
import { createFakeIds, FakeClock, settle } from '@gantry/runtime/testing'
import { createMemoryStore } from '@gantry/storage'
import { startLocalCluster } from './local-cluster.ts'

// The rows of the API's specification that need a history which has moved on (L4, L5, L10, L18), slow readers (L24) and limits (W11): on a real server they take minutes to reach.

const configMaps = '/api/v1/namespaces/default/configmaps'

async function startSmallCluster() {
  const clock = new FakeClock()
  const store = createMemoryStore({ log: silentLogger }, { historyLimitEvents: 8 })
  const cluster = await startLocalCluster({ store, clock, ids: createFakeIds(), log: silentLogger }, { controllers: false })
  const gone = new AbortController()
  function call(method: string, target: string, body?: unknown): Promise<HttpResponse> {
    const [path = '', query = ''] = target.split('?', 2)
    const user = { username: 'admin', groups: ['system:masters', 'system:authenticated'] }
    return cluster.handle({
      method,
      path,
      query,
      headers: {},
      signal: gone.signal,
      user,
      ...(body === undefined ? {} : { body: bodyOf(JSON.stringify(body)) }),
    })
  }
  async function read(method: string, target: string, body?: unknown) {
    const response = await call(method, target, body)
    return { code: response.status, json: JSON.parse((await readWholeBody(response)).toString()) }
  }
  return {
    clock,
    store,
    call,
    read,
    fill: async (count: number, data: Record<string, string> = {}) => {
      for (let index = 0; index < count; index++) assert.equal((await read('POST', configMaps, { metadata: { generateName: 'c-' }, data })).code, 201)
    },
    async [Symbol.asyncDispose]() {
      gone.abort()
      await cluster[Symbol.asyncDispose]()
      await store[Symbol.asyncDispose]()
    },
  }
}

describe('when the history has moved on', () => {
  test('a watch from before it gets one ERROR event with 410 Expired and ends', async () => {
    await using cluster = await startSmallCluster()
    await cluster.fill(10)

    const response = await cluster.call('GET', `${configMaps}?watch=true&resourceVersion=2`)
    const lines = (await readWholeBody(response)).toString().trim().split('\n')

    assert.equal(response.status, 200)
    assert.equal(lines.length, 1)
    const { type, object } = JSON.parse(lines[0] ?? '')
    assert.deepEqual([type, object.reason, object.code], ['ERROR', 'Expired', 410])
    assert.match(object.message, /^too old resource version: 2 \(\d+\)$/)
  })

  test('a list at exactly that revision answers 410', async () => {
    await using cluster = await startSmallCluster()
    await cluster.fill(10)

    const { code, json } = await cluster.read('GET', `${configMaps}?resourceVersion=2&resourceVersionMatch=Exact`)

    assert.deepEqual([code, json.reason, json.message], [410, 'Expired', 'The resourceVersion for the provided list is too old.'])
  })

  test('a continue token answers 410 with a token that goes on without consistency', async () => {
    await using cluster = await startSmallCluster()
    await cluster.fill(4)
    const first = await cluster.read('GET', `${configMaps}?limit=2`)
    await cluster.fill(10)

    const expired = await cluster.read('GET', `${configMaps}?limit=2&continue=${first.json.metadata.continue}`)
    const resumed = await cluster.read('GET', `${configMaps}?continue=${expired.json.metadata.continue}`)

    assert.deepEqual([expired.code, expired.json.reason], [410, 'Expired'])
    assert.equal(resumed.code, 200)
    assert.equal(resumed.json.items.length, 12)
  })
})

test('pages of one list show one revision, whatever is written between them', async () => {
  await using cluster = await startSmallCluster()
  await cluster.fill(4)
  const first = await cluster.read('GET', `${configMaps}?limit=2`)
  await cluster.fill(2)
  await cluster.read('DELETE', `${configMaps}/${first.json.items[0].metadata.name}`)

  const second = await cluster.read('GET', `${configMaps}?limit=2&continue=${first.json.metadata.continue}`)

  assert.equal(second.json.metadata.resourceVersion, first.json.metadata.resourceVersion)
  assert.equal(second.json.items.length, 2)
  assert.equal(second.json.metadata.continue, undefined)
})

test('a watcher that does not read is closed when its buffer is full, and holds up nobody', async () => {
  await using cluster = await startSmallCluster()
  const slow = await cluster.call('GET', `${configMaps}?watch=true&resourceVersion=${cluster.store.revision}`)
  const chunks = readBody(slow, 1024)
  const big = { text: 'x'.repeat(900_000) }
  const first = chunks.next()
  await settle()

  await cluster.fill(12, big)
  await first
  let ended = false
  for (let read = 0; read < 20 && !ended; read++) ended = (await chunks.next()).done === true

  assert.ok(ended, 'the stream has ended')
})

test('a body over 3 MiB is refused with 413 before it is parsed', async () => {
  await using cluster = await startSmallCluster()

  const { code, json } = await cluster.read('POST', configMaps, { metadata: { name: 'a' }, data: { text: 'x'.repeat(3 * 1024 * 1024) } })

  assert.deepEqual([code, json.reason, json.message], [413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728'])
})

test('a revision that has not been reached is waited for three seconds, then 504', async () => {
  await using cluster = await startSmallCluster()

  const answer = cluster.read('GET', `${configMaps}?resourceVersion=${cluster.store.revision + 100}`)
  await cluster.clock.advance(3_000)
  const { code, json } = await answer

  assert.deepEqual([code, json.reason, json.details.causes[0].reason, json.details.retryAfterSeconds], [504, 'Timeout', 'ResourceVersionTooLarge', 1])
})
