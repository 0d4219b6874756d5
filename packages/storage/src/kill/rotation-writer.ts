import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { rotationKeys } from './rotation-keys.ts'

// The process that gets killed: rotates the key without end, while it writes. Prints the number of a key before it is used for the first time.
const [file, first] = process.argv.slice(2)
if (file === undefined || first === undefined) throw new Error('usage: rotation-writer.ts FILE FIRST-KEY')

let key = Number(first)
const store = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { encryption: rotationKeys(key) })

async function write(): Promise<never> {
  for (let round = 0; ; round++) {
    const name = `/secrets/${round % 600}`
    await store.put(name, store.latest(name)?.revision ?? 0, () => Buffer.from(`the value of ${name} `.repeat(1 + (round % 90))))
  }
}

async function rotate(): Promise<never> {
  for (;;) {
    process.stdout.write(`${++key}\n`)
    await store.reencrypt(rotationKeys(key))
  }
}

await Promise.all([write(), rotate()])
