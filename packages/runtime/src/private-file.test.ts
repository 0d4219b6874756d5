import assert from 'node:assert/strict'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { writePrivateFile } from './private-file.ts'

async function scratch(): Promise<AsyncDisposable & { readonly dir: string }> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-private-file-'))
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) }
}

test('a private file is its owner alone, also where one that others could read was, or a crash has left half of one', async () => {
  await using at = await scratch()
  const file = join(at.dir, 'key')
  for (const path of [file, `${file}.new`]) {
    await writeFile(path, 'old, and longer than the new one')
    await chmod(path, 0o644)
  }
  await writePrivateFile(file, 'new')
  assert.equal(await readFile(file, 'utf8'), 'new')
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  assert.deepEqual(await readdir(at.dir), ['key'])
})

test('a private file that cannot be written leaves the one before', async () => {
  await using at = await scratch()
  await assert.rejects(writePrivateFile(join(at.dir, 'none', 'key'), 'new'), { code: 'ENOENT' })
  const file = join(at.dir, 'key')
  await writePrivateFile(file, 'old')
  await using _ = { [Symbol.asyncDispose]: () => chmod(at.dir, 0o700) }
  await rm(`${file}.new`, { force: true })
  await assert.rejects(writePrivateFile(`${file}/below`, 'new'), { code: 'ENOTDIR' })
  assert.equal(await readFile(file, 'utf8'), 'old')
})
