import assert from 'node:assert/strict'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { FakeClock } from '@gantry/runtime/testing'
import { openRotatingFile } from './rotating-file.ts'
import { withTempDir } from './testing/test-edge.ts'

function failed(error: unknown): void {
  assert.fail(String(error))
}

test('lines reach the file in order, and what is left when it is closed', async () => {
  await withTempDir(async (dir) => {
    const file = join(dir, 'log', 'a.log')
    const log = await openRotatingFile({ clock: new FakeClock(), onError: failed }, { file, maxBytes: 1_000, keep: 2 })
    for (let i = 0; i < 10; i++) log.write(`${i}\n`)
    await log[Symbol.asyncDispose]()

    assert.equal(await readFile(file, 'utf8'), '0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
  })
})

test('the files never take more than their share, however much is written', async () => {
  await withTempDir(async (dir) => {
    const clock = new FakeClock()
    const file = join(dir, 'a.log')
    const log = await openRotatingFile({ clock, onError: failed }, { file, maxBytes: 100, keep: 2, flushMs: 1 })
    for (let i = 0; i < 100; i++) {
      log.write(`line ${i.toString().padStart(3, '0')}\n`)
      await clock.advance(2)
    }
    await log[Symbol.asyncDispose]()
    const sizes = await Promise.all((await readdir(dir)).map(async (name) => ({ name, size: (await stat(join(dir, name))).size })))

    assert.deepEqual(sizes.map(({ name }) => name).sort(), ['a.log', 'a.log.1', 'a.log.2'])
    assert.ok(sizes.every(({ size }) => size <= 100))
    assert.match(await readFile(file, 'utf8'), /line 099\n$/)
  })
})

test('a disk that refuses costs lines, which are counted, and no memory', async () => {
  await withTempDir(async (dir) => {
    const clock = new FakeClock()
    const file = join(dir, 'a.log')
    const errors: string[] = []
    await writeFile(file, 'x'.repeat(50))
    await mkdir(join(dir, 'a.log.1'))
    await writeFile(join(dir, 'a.log.1', 'in-the-way'), '')
    const log = await openRotatingFile({ clock, onError: (error) => errors.push(String(error)) }, { file, maxBytes: 50, keep: 1, bufferBytes: 100 })
    for (let i = 0; i < 50; i++) log.write('0123456789\n')
    const droppedAtOnce = log.dropped
    await clock.advance(60)
    await log[Symbol.asyncDispose]()

    assert.equal(droppedAtOnce, 41)
    assert.equal(log.dropped, 50)
    assert.ok(errors.length > 1)
    assert.match(errors.at(-1) ?? '', /41 lines are lost: they came faster than the disk takes them/)
  })
})
