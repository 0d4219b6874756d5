import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { isReason } from '@gantry/apimachinery'
import { systemIds } from '@gantry/runtime'
import { FakeClock } from '@gantry/runtime/testing'
import { lockFile } from './file-lock.ts'

const signal = new AbortController().signal
/** No process has it: the highest that Linux gives out is below. */
const nobody = 2 ** 22 + 1

async function folder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'gantry-lock-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Lets time pass until the work is done. */
async function passing<T>(clock: FakeClock, work: Promise<T>): Promise<T> {
  let isDone = false
  const done = work.finally(() => (isDone = true))
  done.catch(() => {}) // awaited below
  while (!isDone) await clock.advance(40)
  return done
}

test('a lock is held by one at a time, and leaves nothing behind', async () => {
  await using dir = await folder()
  const deps = { clock: new FakeClock(), ids: systemIds }
  const file = join(dir.path, 'lock')
  let [inside, most, turns] = [0, 0, 0]

  await passing(
    deps.clock,
    Promise.all(
      Array.from({ length: 8 }, async () => {
        await using _ = await lockFile(deps, file, { signal })
        most = Math.max(most, ++inside)
        await deps.clock.sleep(10)
        inside--
        turns++
      }),
    ),
  )

  assert.deepEqual([most, turns, await readdir(dir.path)], [1, 8, []])
})

for (const [name, holder] of [
  ['of a process that is gone', { pid: nobody, host: hostname(), since: Date.parse('2026-01-01T00:00:00Z') }],
  ['of another machine, two minutes old', { pid: 1, host: 'elsewhere', since: Date.parse('2025-12-31T23:57:00Z') }],
] as const) {
  test(`a lock ${name} does not count`, async () => {
    await using dir = await folder()
    const file = join(dir.path, 'lock')
    await writeFile(file, JSON.stringify(holder))

    await using lock = await lockFile({ clock: new FakeClock(), ids: systemIds }, file, { signal })

    assert.ok(lock)
    assert.deepEqual(await readdir(dir.path), ['lock'])
  })
}

test('a lock that a living process holds is waited for, not forever, and its file is named', async () => {
  await using dir = await folder()
  const clock = new FakeClock()
  const file = join(dir.path, 'lock')
  await writeFile(file, JSON.stringify({ pid: process.pid, host: hostname(), since: clock.now().getTime() }))

  await assert.rejects(
    passing(clock, lockFile({ clock, ids: systemIds }, file, { signal })),
    (error) => isReason(error, 'Timeout') && error.message.includes(file),
  )
})
