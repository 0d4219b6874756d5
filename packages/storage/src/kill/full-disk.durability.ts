import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const writer = join(import.meta.dirname, 'full-disk-writer.ts')

// A file system of 12 MB in a mount namespace of its own: needs util-linux, and root or unprivileged user namespaces.
test('a full disk refuses writes with the cause, loses none that were acknowledged, and writes go on once there is space', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-full-'))
  try {
    const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
    const script = `mount -t tmpfs -o size=12m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1"`
    const { stdout } = await promisify(execFile)('unshare', [...namespace, 'sh', '-c', script, 'sh', folder, process.execPath, writer])
    const found = JSON.parse(stdout) as { readonly acknowledged: number; readonly refused: number; readonly message: string }

    context.diagnostic(stdout)
    assert.ok(found.acknowledged > 100 && found.refused >= 70)
    assert.match(found.message, /the write was not saved, the disk of .*gantry\.db is full \(.*\): free some space; nothing else is needed/)
  } finally {
    await rm(folder, { recursive: true })
  }
})
