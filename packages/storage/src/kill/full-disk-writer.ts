import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { StoreUnavailable } from '../store.ts'
import { isRecordOf, keyOf, recordOf } from './kill-record.ts'

// Runs on a small file system of its own, which it fills: prints what it has found as JSON.
const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: full-disk-writer.ts FOLDER')

const file = join(folder, 'gantry.db')
const ballast = join(folder, 'ballast')
const open = () => openSqliteStore({ file, clock: systemClock, log: silentLogger })
const acknowledged = new Map<string, number>()
let refused = 0
let next = 0
let message = ''

writeFileSync(ballast, Buffer.alloc(6 << 20))
{
  await using store = await open()
  const write = async (): Promise<void> => {
    const key = keyOf(next++)
    try {
      acknowledged.set(key, (await store.put(key, 0, (revision) => recordOf(key, revision, 20_000))).revision)
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error
      refused++
      message = error.message
    }
  }
  const check = (): void => {
    for (const [key, revision] of acknowledged) assert.ok(isRecordOf(store.get(key)!.value, key, revision), `${key} cannot be read`)
    assert.equal(store.count(''), acknowledged.size)
  }
  while (refused < 50) await Promise.all([write(), write(), write()])
  check()
  const { writeFailure } = await store.status()
  assert.equal(writeFailure, message)
  const before = acknowledged.size
  rmSync(ballast)
  for (let i = 0; i < 20; i++) await write()
  assert.equal(acknowledged.size, before + 20, 'writes do not go on although there is space')
  assert.equal((await store.status()).writeFailure, undefined)
  check()
  // Full again, and then the process ends as if it were killed.
  writeFileSync(ballast, Buffer.alloc(1 << 20))
  for (const end = refused + 20; refused < end;) await write()
}
await using again = await open()
assert.deepEqual(
  new Map(again.list({ prefix: '' }).entries.map(({ key, revision }) => [key, revision])),
  new Map([...acknowledged].sort(([a], [b]) => (a < b ? -1 : 1))),
)
process.stdout.write(JSON.stringify({ acknowledged: acknowledged.size, refused, message }))
