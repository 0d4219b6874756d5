import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandContext, Output, PlatformConnection } from '@gantry/cli-kit'
import { FakeClock, settle } from '@gantry/runtime/testing'
import type { ElevationRequest } from '../api/index.ts'
import { elevationCommands } from './elevation-commands.ts'

type Status = NonNullable<ElevationRequest['status']>

const spec = { user: 'vic', userUID: 'u', role: 'cluster-admin', cluster: 'prod', durationSeconds: 3_600, reason: 'incident 42' }

/** Runs `access elevate … --wait` at a platform that gives these answers, one after the other, to whoever looks at the request. */
async function elevate(clock: FakeClock, statuses: readonly Status[]): Promise<{ readonly asked: string[]; readonly done: Promise<Output | undefined> }> {
  const asked: string[] = []
  const left = [...statuses]
  const requestOf = (status: Status): ElevationRequest => ({
    apiVersion: 'v1',
    kind: 'ElevationRequest',
    metadata: { name: 'vic-1' },
    spec,
    status,
  })
  const platform = {
    server: 'https://gantry.test',
    call: (method: string, path: string) => {
      asked.push(`${method} ${path}`)
      return Promise.resolve(requestOf(method === 'POST' ? { phase: 'Pending' } : (left.shift() ?? {})))
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  } as unknown as PlatformConnection
  const context: CommandContext = {
    signal: new AbortController().signal,
    connect: () => Promise.resolve(platform),
    readFile: () => Promise.reject(new Error('nothing is read here')),
    print: () => Promise.reject(new Error('nothing is printed here')),
    note: () => {},
  }
  const command = elevationCommands({ clock }).find(({ name }) => name === 'access elevate')
  assert.ok(command)
  const done = command.run({ positionals: ['cluster-admin'], options: { for: '1h', reason: 'incident 42', cluster: 'prod', wait: true }, context })
  await settle()
  return { asked, done }
}

test('waiting for a role ends when the binding is there, not when somebody has only said yes', async () => {
  const clock = new FakeClock()
  const approved = { phase: 'Approved', decidedBy: 'ann', until: '2026-01-01T01:00:00Z' } as const
  const { asked, done } = await elevate(clock, [{ phase: 'Pending' }, approved, { ...approved, binding: 'elevation-1' }])
  await clock.advance(2_000)
  await clock.advance(2_000)
  assert.deepEqual(await done, {
    kind: 'text',
    text: 'user "vic" has the role cluster-admin in cluster prod until 2026-01-01T01:00:00Z, approved by ann',
  })
  const path = '/platform/v1/access/elevations'
  assert.deepEqual(asked, [`POST ${path}`, `GET ${path}/vic-1`, `GET ${path}/vic-1`, `GET ${path}/vic-1`])
})

test('a no ends with 1, and what was said to it moves no cursor', async () => {
  const { done } = await elevate(new FakeClock(), [{ phase: 'Denied', decidedBy: 'ann', message: 'ask\u001b[2J Bob' }])
  assert.deepEqual(await done, { kind: 'text', text: 'request "vic-1" is denied by ann: ask [2J Bob', exitCode: 1 })
})
