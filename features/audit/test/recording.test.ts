import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setImmediate as turn } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { parseAsciicastEvent, parseAsciicastHeader } from '@gantry/audit/api'
import { Recordings, type RecordingsOptions } from '@gantry/audit/server'
import { clusterRoute, createPipeline, Revocations, type AuditEvent, type Caller } from '@gantry/gateway'
import { readWholeBody, silentLogger, systemIds, systemClock } from '@gantry/runtime'
import { acceptRemoteCommand, dialRemoteCommand } from '@gantry/streams'
import { openChannels, openTestServer, runTestCommand } from '@gantry/streams/testing'
import { scratchFolder } from './scratch.ts'

const admin: Caller = { kind: 'platform', user: { username: 'admin', groups: [] }, credential: { kind: 'bearer', id: 'apikey/a' } }
const limits = { mode: 'all', input: false, maxBytes: 1 << 30, maxAgeMs: Number.MAX_SAFE_INTEGER } as const

/** A cluster whose containers echo, behind the pipeline, on a real port. */
async function startGateway(dir: string, options: Partial<RecordingsOptions> = {}) {
  const events: AuditEvent[] = []
  const recordings = new Recordings({ clock: systemClock, log: silentLogger }, { dir, ...limits, ...options })
  const pipeline = createPipeline(
    {
      clock: systemClock,
      ids: systemIds,
      log: silentLogger,
      audit: { write: (event) => void events.push(event) },
      recorder: recordings,
      authenticators: [() => admin],
      authorize: () => ({ allowed: true, reason: 'test' }),
      revocations: new Revocations(),
    },
    {
      hub: 'local',
      routes: [
        clusterRoute({
          get: () => ({
            kind: 'hub',
            handle: () => Promise.resolve({ status: 200, headers: {} }),
            async upgrade(request, socket, head) {
              const query = new URLSearchParams(request.query)
              const flag = (name: string): boolean => query.get(name) === 'true'
              const streams = await acceptRemoteCommand(request, socket, head, {
                stdin: flag('stdin'),
                stdout: flag('stdout'),
                stderr: flag('stderr'),
                tty: flag('tty'),
              })
              await streams.finish(await runTestCommand(query.getAll('command'), streams))
            },
          }),
        }),
      ],
    },
  )
  const server = await openTestServer({ upgrade: pipeline.upgrade })
  const path = (query: string, action = 'exec'): string => `127.0.0.1:${server.port}/clusters/prod/api/v1/namespaces/shop/pods/web/${action}?${query}`
  return {
    path,
    events,
    recordings,
    server,
    /** The event that ends the session; the recording is on the disk then. */
    async ended(): Promise<AuditEvent> {
      for (let wait = 0; wait < 10_000; wait++) {
        const event = events.find(({ stage }) => stage !== 'started')
        if (event !== undefined) {
          await recordings.settled()
          return event
        }
        await turn()
      }
      throw new Error('the session does not end')
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await recordings[Symbol.asyncDispose]()
    },
  }
}

async function castOf(dir: string, id: string | undefined) {
  const [first = '', ...lines] = (await readFile(join(dir, `${id}.cast`), 'utf8')).split('\n').slice(0, -1)
  return { header: parseAsciicastHeader(first), events: lines.map((line) => parseAsciicastEvent(line)) }
}

const outputOf = (events: readonly (readonly [number, string, string] | undefined)[], code = 'o'): string =>
  events.map((event) => (event?.[1] === code ? event[2] : '')).join('')

describe('a session behind the gateway', () => {
  test('over WebSocket v5 is recorded: size, output, later sizes, and nothing of what is typed', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path)
    const channels = await openChannels(`ws://${gateway.path('command=size&stdin=true&stdout=true&tty=true&container=app')}`, ['v5.channel.k8s.io'])
    channels.send(4, '{"Width":120,"Height":40}')
    channels.send(0, 'secret\n')
    while (!(await channels.next()).data.toString().includes('120x40'));
    channels.send(4, '{"Width":1,"Height":40}')
    await channels.transcript()
    const event = await gateway.ended()

    const { header, events } = await castOf(dir.path, event.recording)
    assert.deepEqual({ width: header?.width, height: header?.height, title: header?.title }, { width: 120, height: 40, title: 'prod/shop/web/app' })
    assert.deepEqual(
      events.map((one) => one?.slice(1)),
      [
        ['o', '120x40\n'],
        ['r', '1x40'],
        ['o', '1x40\n'],
      ],
    )
    assert.equal((await stat(join(dir.path, `${event.recording}.cast`))).mode & 0o777, 0o600)
    assert.deepEqual(
      gateway.events.map(({ stage, status, recording, subresource }) => ({ stage, status, recording, subresource })),
      [
        { stage: 'started', status: 101, recording: event.auditID, subresource: 'exec' },
        { stage: 'ended', status: 101, recording: event.auditID, subresource: 'exec' },
      ],
    )
    assert.ok((event.bytesIn ?? 0) > 50 && (event.bytesOut ?? 0) > 10)
  })

  test('over SPDY is recorded, with what is typed where that is wanted, and with how the command ended', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path, { input: true })
    const command = await dialRemoteCommand(`http://${gateway.path('command=cat&stdin=true&stdout=true&stderr=true')}`, {
      stdin: true,
      stdout: true,
      stderr: true,
      tty: false,
      signal: new AbortController().signal,
    })
    command.stderr?.resume()
    command.stdin?.end('héllo 工具\n')
    assert.ok(command.stdout !== undefined)
    assert.equal(await text(command.stdout), 'héllo 工具\n')
    await command.status
    const { recording } = await gateway.ended()
    const { events } = await castOf(dir.path, recording)

    assert.deepEqual([outputOf(events), outputOf(events, 'i')], ['héllo 工具\n', 'héllo 工具\n'])
  })

  test('says with which code its command ended', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path)
    await (await openChannels(`ws://${gateway.path('command=exit&command=3&stdout=true')}`, ['v4.channel.k8s.io'])).transcript()
    const { recording } = await gateway.ended()

    assert.deepEqual((await castOf(dir.path, recording)).events.at(-1)?.slice(1), ['m', 'exit code 3'])
  })

  test('that prints more than is kept goes on, and its recording says that it is cut', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path, { maxSessionBytes: 100_000 })
    const channels = await openChannels(`ws://${gateway.path('command=say&command=3000000&stdout=true')}`, ['v5.channel.k8s.io'])
    const { text: said } = await channels.transcript()
    const { recording, recordingCut } = await gateway.ended()

    assert.equal(said[1]?.length, 3_000_000)
    assert.equal(recordingCut, 'it is longer than 100000 bytes')
    const { events } = await castOf(dir.path, recording)
    assert.equal(events.at(-1)?.[2], 'recording cut: it is longer than 100000 bytes')
    const length = outputOf(events).length
    assert.ok(length > 50_000 && length < 300_000, `${length}`)
  })

  for (const [mode, query, isRecorded] of [
    ['all', 'command=both&stdout=true&stderr=true', true],
    ['terminals', 'command=both&stdout=true&stderr=true', false],
    ['terminals', 'command=both&stdout=true&tty=true', true],
    ['none', 'command=both&stdout=true&tty=true', false],
  ] as const) {
    test(`where ${mode} are recorded, one with "${query}" ${isRecorded ? 'is' : 'is not'}`, async () => {
      await using dir = await scratchFolder()
      await using gateway = await startGateway(join(dir.path, 'recordings'), { mode })
      await (await openChannels(`ws://${gateway.path(query)}`, ['v5.channel.k8s.io'])).transcript()
      const { recording, status } = await gateway.ended()

      assert.deepEqual([recording !== undefined, status], [isRecorded, 101])
      assert.equal((await readdir(dir.path)).length, isRecorded ? 1 : 0, 'no folder is made for nothing')
    })
  }

  test('that is refused by the cluster is on record with its status, and has no recording', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path)
    await assert.rejects(openChannels(`ws://${gateway.path('command=cat&stdout=true')}`, ['v9.channel.k8s.io']))
    const event = await gateway.ended()

    assert.deepEqual([event.stage, event.status, event.recording], ['complete', 403, undefined])
    assert.equal(gateway.events.length, 1)
  })

  test('leaves the oldest recordings to go when all together are too large', async () => {
    await using dir = await scratchFolder()
    await using gateway = await startGateway(dir.path, { maxBytes: 2_000 })
    const ids: (string | undefined)[] = []
    for (let session = 0; session < 3; session++) {
      await (await openChannels(`ws://${gateway.path('command=say&command=900&stdout=true')}`, ['v5.channel.k8s.io'])).transcript()
      ids.push((await gateway.ended()).recording)
      gateway.events.length = 0
    }

    assert.deepEqual(
      (await readdir(dir.path)).sort(),
      ids.slice(2).map((id) => `${id}.cast`),
    )
  })
})

test('a recording is served whole, and nothing else of the disk', async () => {
  await using dir = await scratchFolder()
  await using gateway = await startGateway(dir.path)
  await (await openChannels(`ws://${gateway.path('command=both&stdout=true')}`, ['v5.channel.k8s.io'])).transcript()
  const { recording = '' } = await gateway.ended()

  assert.equal((await readWholeBody(await gateway.recordings.serve(recording))).toString(), await readFile(join(dir.path, `${recording}.cast`), 'utf8'))
  for (const id of ['', '..', `../${recording}`, `${recording}.cast`, '%2e%2e', '0'.repeat(36)])
    await assert.rejects(gateway.recordings.serve(id), /there is no recording/)
})
