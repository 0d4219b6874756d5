import assert from 'node:assert/strict'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { ElasticsearchForwarder, type AuditLog } from '@gantry/audit/server'
import { openHttpTransport } from '@gantry/client'
import { createLogger, systemIds } from '@gantry/runtime'
import type { Running } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { FakeElasticsearch } from './fake-elasticsearch.ts'
import { event, keepAll, never, openLog, scratchFolder, timeOf, writeAll } from './scratch.ts'

const many = (count: number, from = 0) => Array.from({ length: count }, (_, at) => event({ time: timeOf((from + at) * 3_600), name: `pod-${from + at}` }))

async function startForwarding(dir: string, options: { readonly credentials?: () => Promise<string | undefined>; readonly maxBytes?: number } = {}) {
  const clock = new FakeClock()
  const said: { readonly level: string; readonly message: string }[] = []
  const logger = createLogger({ clock, write: (line) => said.push(JSON.parse(line) as { level: string; message: string }) }, { level: 'info' })
  const elasticsearch = new FakeElasticsearch()
  const http = openHttpTransport({ server: await elasticsearch.listen() })
  const log = await openLog(join(dir, 'audit'), { clock, segmentBytes: 4_000, retention: { ...keepAll, maxBytes: options.maxBytes ?? keepAll.maxBytes } })
  let running: Running | undefined
  let forwarder: ElasticsearchForwarder
  const start = async (): Promise<void> => {
    await running?.[Symbol.asyncDispose]()
    forwarder = new ElasticsearchForwarder(
      { log, clock, ids: systemIds, logger, handle: http.handle, credentials: options.credentials },
      { checkpointFile: join(dir, 'checkpoint.json'), index: 'gantry-audit' },
    )
    running = await forwarder.start({ signal: never })
  }
  await start()
  return {
    clock,
    said,
    elasticsearch,
    log,
    start,
    get status() {
      return forwarder.status
    },
    /** Moves time while the real sockets and files do their work. */
    async until(isDone: () => boolean): Promise<void> {
      for (let step = 0; step < 3_000 && !isDone(); step++) {
        await clock.advance(100)
        await turn()
      }
      assert.ok(isDone(), `it does not come to that: ${JSON.stringify(forwarder.status)}`)
    },
    async [Symbol.asyncDispose]() {
      await running?.[Symbol.asyncDispose]()
      await log[Symbol.asyncDispose]()
      await http.close()
      await elasticsearch[Symbol.asyncDispose]()
    },
  }
}

const seqs = ({ stored }: FakeElasticsearch): number[] => [...stored.values()].map(({ document }) => Number(document['seq'])).sort((a, b) => a - b)
const upTo = (log: AuditLog): number[] => Array.from({ length: log.head.seq }, (_, at) => at + 1)

describe('forwarding to Elasticsearch', () => {
  test('sends every record once, in an index for its day, with a time that it knows', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path)
    await writeAll(world.log, many(30))
    await world.until(() => world.elasticsearch.stored.size === world.log.head.seq)

    assert.deepEqual(seqs(world.elasticsearch), upTo(world.log))
    const one = [...world.elasticsearch.stored.values()].find(({ document }) => document['name'] === 'pod-25')
    assert.deepEqual([one?.index, one?.document['@timestamp'], one?.document['time']], ['gantry-audit-2026.01.02', timeOf(25 * 3_600), timeOf(25 * 3_600)])
  })

  test('goes on after a restart where it was, and sends nothing twice', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path)
    await writeAll(world.log, many(20))
    await world.until(() => world.status.behind === 0)
    const { requests } = world.elasticsearch
    const { seq } = world.log.head
    await world.start()
    await world.clock.advance(5_000)
    assert.equal(world.elasticsearch.requests, requests)
    await writeAll(world.log, many(20, 20))
    await world.until(() => world.status.behind === 0)

    assert.deepEqual(seqs(world.elasticsearch), upTo(world.log))
    assert.equal(world.status.sent, world.log.head.seq - seq, 'the second one has sent the second half alone')
  })

  test('waits out a cluster that is overloaded, broken or away, tells it once, and loses and repeats nothing', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path)
    world.elasticsearch.trouble.push(429, 503, 500, 'lost', 401, 429)
    await writeAll(world.log, many(25))
    await world.until(() => world.status.behind === 0)

    assert.deepEqual(seqs(world.elasticsearch), upTo(world.log))
    assert.deepEqual(
      world.said.map(({ level, message }) => [level, message]),
      [
        ['error', 'the audit log cannot be sent on; it waits on the disk'],
        ['info', 'the audit log is sent on again'],
      ],
    )
    assert.deepEqual([world.status.lost, world.status.rejected, world.status.error], [0, 0, undefined])
  })

  test('sends again what single records had no room for, and leaves out what is refused for good', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path)
    world.elasticsearch.itemTrouble.set(3, 429).set(5, 400).set(7, 503)
    await writeAll(world.log, many(10))
    await world.until(() => world.status.behind === 0)

    assert.deepEqual(
      seqs(world.elasticsearch),
      upTo(world.log).filter((seq) => seq !== 5),
    )
    assert.equal(world.status.rejected, 1)
    assert.equal(world.said.filter(({ message }) => message === 'audit records were refused for good').length, 1)
  })

  test('cuts a batch that is too large', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path)
    world.elasticsearch.longestBodyBytes = 1_500
    await writeAll(world.log, many(10))
    await world.until(() => world.status.behind === 0)

    assert.deepEqual(seqs(world.elasticsearch), upTo(world.log))
  })

  test('counts what retention has removed before it could be sent', async () => {
    await using dir = await scratchFolder()
    await using world = await startForwarding(dir.path, { maxBytes: 10_000 })
    await writeAll(world.log, many(5))
    await world.until(() => world.status.behind === 0)
    const before = world.log.head.seq
    for (let tries = 0; tries < 400; tries++) world.elasticsearch.trouble.push(503)
    for (let batch = 0; batch < 10; batch++) await writeAll(world.log, many(10, 5 + 10 * batch))
    world.elasticsearch.trouble.length = 0
    await world.until(() => world.status.behind === 0)

    const missing = upTo(world.log).filter((seq) => seq > before && !seqs(world.elasticsearch).includes(seq))
    assert.ok(missing.length > 20, `${missing.length}`)
    assert.equal(world.status.lost, missing.length)
  })

  test('takes its credentials from where they are kept, anew for each try', async () => {
    await using dir = await scratchFolder()
    let given = 'elastic:first'
    await using world = await startForwarding(dir.path, { credentials: () => Promise.resolve(given) })
    await writeAll(world.log, many(1))
    await world.until(() => world.status.behind === 0)
    given = 'ApiKey c2Vjb25k'
    await writeAll(world.log, many(1))
    await world.until(() => world.status.behind === 0)

    assert.deepEqual([...world.elasticsearch.authorizations], [`Basic ${Buffer.from('elastic:first').toString('base64')}`, 'ApiKey c2Vjb25k'])
    assert.doesNotMatch(JSON.stringify(world.said), /first|c2Vj/)
  })
})
