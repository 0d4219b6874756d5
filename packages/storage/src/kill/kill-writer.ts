import { writeSync } from 'node:fs'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { StoreUnavailable } from '../store.ts'
import { keyOf, randomFrom, recordOf } from './kill-record.ts'

// The process that gets killed: writes at random until then. Prints each write before it is sent (`?`) and after it was acknowledged (`!`), or refused (`-`) by a full disk,
// which ends it unless it was told to go on.
const writers = 16
const keys = 60

const [file, seed, whenFull] = process.argv.slice(2)
if (file === undefined || seed === undefined) throw new Error('usage: kill-writer.ts FILE SEED [goes-on]')

const random = randomFrom(Number(seed))
// Half of them die, if it is while they open the file, with two threads reading it.
const secondThreadAtBytes = Number(seed) % 2 === 0 ? 0 : undefined
const store = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { secondThreadAtBytes })

/** Says a line for sure before it returns. Opening a thread makes the pipe non-blocking, so a parent that is slow to read has to be waited for. */
function say(line: string): void {
  let rest = Buffer.from(`${line}\n`)
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

async function write(): Promise<void> {
  const key = keyOf(Math.floor(random() * keys))
  const latest = store.latest(key)
  const type = latest !== undefined && random() < 0.3 ? 'delete' : 'put'
  const sizeBytes = Math.floor(random() * (random() < 0.05 ? 200_000 : 3_000))
  let revision = 0
  try {
    await store[type](key, latest?.revision ?? 0, (given) => {
      revision = given
      say(`? ${type} ${revision} ${key}`)
      return recordOf(key, revision, sizeBytes)
    })
    say(`! ${revision}`)
  } catch (error) {
    if (whenFull !== 'goes-on' || !(error instanceof StoreUnavailable) || !/ is full \(.*\): free some space; nothing else is needed/.test(error.message))
      throw error
    say(`- ${revision}`)
  }
}

async function writeForever(): Promise<never> {
  for (;;) await write()
}

await Promise.all(Array.from({ length: writers }, writeForever))
