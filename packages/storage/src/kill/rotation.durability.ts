import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { randomFrom } from './kill-record.ts'
import { rotationKeys } from './rotation-keys.ts'

// RUNS and SEED change how often and what.
const runs = Math.min(40, Number(process.env['RUNS'] ?? 40))
const writer = new URL('./rotation-writer.ts', import.meta.url).pathname
const longestLifeMs = 80

test(
  'a key that is being changed when the process is killed leaves everything readable, and the change is ended later',
  { timeout: runs * 10_000 },
  async (context) => {
    const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
    const random = randomFrom(seed)
    const dir = await mkdtemp(join(tmpdir(), 'gantry-rotation-'))
    const file = join(dir, 'gantry.db')
    let key = 0
    let rewritten = 0
    let inTheMiddle = 0
    try {
      for (let run = 0; run < runs; run++) {
        const child = spawn(process.execPath, [writer, file, String(key)], { stdio: ['ignore', 'pipe', 'inherit'] })
        const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
        let cancel = (): void => {}
        for await (const line of createInterface({ input: child.stdout })) {
          key = Number(line)
          cancel()
          cancel = systemClock.schedule(() => child.kill('SIGKILL'), random() * longestLifeMs)
          if (random() < 0.1) child.kill('SIGKILL')
        }
        cancel()
        assert.equal(await exited, 'SIGKILL')

        await using store = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { encryption: rotationKeys(key) })
        for (const { key: name, value } of store.list({ prefix: '' }).entries) {
          const unit = `the value of ${name} `
          assert.equal(value.toString(), unit.repeat(value.length / unit.length), `${name} after run ${run} with seed ${seed}`)
        }
        if (random() < 0.5) continue
        const { rows } = await store.reencrypt()
        rewritten += rows
        if (rows > 0 && rows < store.count('')) inTheMiddle++
        await store[Symbol.asyncDispose]()
        assert.equal((await readFile(file)).includes(`:key${key - 1}:`), false)
        await using alone = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { encryption: rotationKeys(key, 0) })
        assert.equal(alone.count(''), store.count(''))
      }
    } finally {
      await rm(dir, { recursive: true })
    }
    context.diagnostic(`${runs} kills over ${key} keys (seed ${seed}): ${rewritten} values were left to the next start, in ${inTheMiddle} runs a part of them`)
    assert.ok(key > runs / 2)
    assert.ok(inTheMiddle > 0)
  },
)
