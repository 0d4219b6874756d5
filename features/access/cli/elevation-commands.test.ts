import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCommandLine, type CommandContext, type Output, type PlatformConnection } from '@gantry/cli-kit'
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

/** A command as it is typed, at a platform that takes every request as it is. */
async function gantry(...argv: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string; readonly bodies: unknown[] }> {
  const bodies: unknown[] = []
  let [out, err] = ['', '']
  const context = {
    signal: new AbortController().signal,
    connect: () =>
      Promise.resolve({
        server: 'https://gantry.test',
        call: (method: string, path: string, { body }: { readonly body?: object }) => {
          if (method === 'POST') bodies.push(body)
          const item = { apiVersion: 'v1', kind: 'ElevationRequest', metadata: { name: 'vic-1' }, spec: { ...spec, ...body }, status: { phase: 'Pending' } }
          const shop = { ...item, spec: { ...spec, cluster: undefined, scope: { tenant: 'acme', project: 'shop' } } }
          const acme = { ...item, spec: { ...spec, cluster: undefined, scope: { tenant: 'acme' } } }
          return Promise.resolve(method === 'GET' && !path.includes('vic-1') ? { items: [item, shop, acme] } : item)
        },
        [Symbol.asyncDispose]: () => Promise.resolve(),
      } as unknown as PlatformConnection),
    readFile: () => Promise.reject(new Error('nothing is read here')),
    print: () => Promise.resolve(),
    note: () => {},
  }
  const commands = elevationCommands({ clock: new FakeClock() })
  const code = await runCommandLine({ program: 'gantry', summary: '', globalOptions: {}, commands }, argv, {
    context: () => context,
    out: (text) => (out += text),
    err: (text) => (err += text),
  })
  return { code, out, err, bodies }
}

test('a role is asked for on the platform, in a cluster, in namespaces of one, in a tenant and in a project', async () => {
  const asked = { role: 'project-editor', durationSeconds: 7_200, reason: 'deploy' }
  for (const [where, place] of [
    [[], {}],
    [['--cluster', 'prod'], { cluster: 'prod' }],
    [['--cluster', 'prod', '-n', 'db,web'], { cluster: 'prod', namespaces: ['db', 'web'] }],
    [['--tenant', 'acme'], { scope: { tenant: 'acme' } }],
    [['--project', 'acme/shop'], { scope: { tenant: 'acme', project: 'shop' } }],
  ] as const) {
    const { code, out, bodies } = await gantry('access', 'elevate', 'project-editor', ...where, '--for', '2h', '--reason', 'deploy')
    assert.deepEqual([code, out, bodies], [0, 'vic-1\n', [{ ...asked, ...place }]])
  }
})

test('a place that is none, or two, is refused with what to write instead, before anything is asked', async () => {
  for (const [where, message] of [
    [['--project', 'shop'], /"shop" is no project: write TENANT\/PROJECT/],
    [['--project', 'acme/shop', '--cluster', 'prod'], /give one of --project and --cluster/],
    [['--tenant', 'acme', '--project', 'acme/shop'], /give one of --tenant and --project/],
    [['-n', 'db'], /give --cluster too; for those of a project give --project alone/],
    [['--project', 'acme/shop', '-n', 'db'], /give --cluster too/],
  ] as const) {
    const { code, err, bodies } = await gantry('access', 'elevate', 'project-editor', ...where, '--for', '2h', '--reason', 'deploy')
    assert.deepEqual([code, bodies], [2, []])
    assert.match(err, message)
  }
})

test('requests are listed with where the role is to hold', async () => {
  const { out } = await gantry('access', 'requests')
  for (const where of ['cluster prod', 'project acme/shop', 'tenant acme']) assert.ok(out.includes(where), out)
})
