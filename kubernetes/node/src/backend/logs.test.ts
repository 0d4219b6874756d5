import assert from 'node:assert/strict'
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readBody, systemClock } from '@gantry/runtime'
import { readWholeBody } from '@gantry/runtime'
import { fixedTime, parseLogLine } from './log-line.ts'
import { openLog } from './log-reader.ts'
import type { LogReaderOptions } from './log-reader.ts'
import { logTargetOf } from './log-target.ts'

const lines = [
  '2026-01-01T00:00:01.5Z stdout F one',
  '2026-01-01T00:00:02Z stdout P tw',
  '2026-01-01T00:00:02Z stdout F o',
  '2026-01-01T00:00:03.123456789Z stderr F three',
  '',
].join('\n')

async function logWith(context: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-logs-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, '0.log')
  await writeFile(path, text)
  return path
}

async function read(path: string, options: Partial<LogReaderOptions> = {}): Promise<string> {
  const body = await openLog({ clock: systemClock }, { path, follow: false, timestamps: false, isLive: () => false, ...options })
  return (await readWholeBody({ status: 200, headers: {}, body })).toString('utf8')
}

test('joins partial lines and leaves out what is no log line', async (context) => {
  const path = await logWith(context, `torn write\n${lines}2026-01-01T00:00:04Z stdout F unfinished`)

  assert.equal(await read(path), 'one\ntwo\nthree\n')
})

test('shows times with nine digits, once a line', async (context) => {
  const path = await logWith(context, lines)

  assert.equal(
    await read(path, { timestamps: true }),
    '2026-01-01T00:00:01.500000000Z one\n2026-01-01T00:00:02.000000000Z two\n2026-01-01T00:00:03.123456789Z three\n',
  )
})

test('gives the last lines, lines since a time, and no more bytes than asked for', async (context) => {
  const path = await logWith(context, lines)

  assert.equal(await read(path, { tailLines: 1 }), 'three\n')
  assert.equal(await read(path, { tailLines: 0 }), '')
  assert.equal(await read(path, { tailLines: 100 }), 'one\ntwo\nthree\n')
  assert.equal(await read(path, { sinceMs: Date.parse('2026-01-01T00:00:02Z') }), 'two\nthree\n')
  assert.equal(await read(path, { limitBytes: 6 }), 'one\ntw')
})

test('finds the last lines of a log of many blocks', async (context) => {
  const path = await logWith(context, Array.from({ length: 20_000 }, (_, i) => `2026-01-01T00:00:00Z stdout F line ${i}\n`).join(''))

  assert.equal(await read(path, { tailLines: 2 }), 'line 19998\nline 19999\n')
  assert.equal((await read(path, { tailLines: 5_000 })).split('\n').length, 5_001)
})

test('follows a log over its rotation until the container has ended', async (context) => {
  const path = await logWith(context, '2026-01-01T00:00:01Z stdout F one\n')
  let live = true
  const body = await openLog({ clock: systemClock }, { path, follow: true, timestamps: false, isLive: () => live })
  const reader = readBody({ status: 200, headers: {}, body })
  const next = async (): Promise<string> => String((await reader.next()).value)

  assert.equal(await next(), 'one\n')
  await appendFile(path, '2026-01-01T00:00:02Z stdout F two\n')
  assert.equal(await next(), 'two\n')
  await appendFile(path, '2026-01-01T00:00:03Z stdout F three\n')
  await rename(path, `${path}.20260101`)
  await writeFile(path, '2026-01-01T00:00:04Z stdout F four\n')
  assert.equal(await next(), 'three\n')
  assert.equal(await next(), 'four\n')
  await appendFile(path, '2026-01-01T00:00:05Z stdout F five\n')
  assert.equal(await next(), 'five\n')
  live = false
  await appendFile(path, 'torn')
  assert.equal((await reader.next()).done, true)
})

test('a follower that leaves ends the reading', async (context) => {
  const path = await logWith(context, '2026-01-01T00:00:01Z stdout F one\n')
  const body = await openLog({ clock: systemClock }, { path, follow: true, timestamps: false, isLive: () => true })
  const ended = Promise.withResolvers<void>()
  const reader = readBody({ status: 200, headers: {}, body: (sink) => body(sink).finally(() => ended.resolve()) })
  await reader.next()
  await reader.return()

  await ended.promise
})

test('parses log lines', () => {
  assert.deepEqual(parseLogLine(Buffer.from('2026-01-01T00:00:00Z stderr P:x a b')), {
    time: '2026-01-01T00:00:00Z',
    stream: 'stderr',
    partial: true,
    text: Buffer.from('a b'),
  })
  assert.equal(parseLogLine(Buffer.from('2026-01-01T00:00:00Z stdin F a')), undefined)
  assert.equal(fixedTime('2026-01-01T01:00:00.12+01:00'), '2026-01-01T01:00:00.120000000+01:00')
})

const running = { running: {} }
const waiting = (reason: string): { waiting: { reason: string } } => ({ waiting: { reason } })
const ended = (containerID?: string): { terminated: { exitCode: number; containerID?: string } } => ({
  terminated: { exitCode: 1, ...(containerID === undefined ? {} : { containerID }) },
})

test('reads the log of the run that is meant', () => {
  const target = (state: object, lastState: object, previous = false): string =>
    logTargetOf(
      { containerStatuses: [{ name: 'c', ready: true, restartCount: 1, image: '', imageID: '', containerID: 'containerd://now', state, lastState }] },
      { pod: 'p', container: 'c', previous },
    )

  assert.equal(target(running, ended('containerd://before')), 'now')
  assert.equal(target(running, ended('containerd://before'), true), 'before')
  assert.equal(target(ended('containerd://now'), {}), 'now')
  assert.equal(target(waiting('CrashLoopBackOff'), ended('containerd://before')), 'before')
  const refusals: readonly (readonly [object, object, boolean, string])[] = [
    [running, {}, true, 'previous terminated container "c" in pod "p" not found'],
    [waiting('ContainerCreating'), {}, false, 'container "c" in pod "p" is waiting to start: ContainerCreating'],
    [waiting('ErrImagePull'), {}, false, 'container "c" in pod "p" is waiting to start: image can\'t be pulled'],
    [waiting('ImagePullBackOff'), {}, false, 'container "c" in pod "p" is waiting to start: trying and failing to pull image'],
    [ended(), {}, false, 'container "c" in pod "p" is terminated'],
  ]
  for (const [state, lastState, previous, message] of refusals) assert.throws(() => target(state, lastState, previous), { reason: 'BadRequest', message })
})
