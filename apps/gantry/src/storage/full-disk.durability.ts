import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'

const story = join(import.meta.dirname, 'full-disk-story.ts')

// A file system of 40 MB in a mount namespace of its own: needs util-linux, and root or unprivileged user namespaces.
test('on a full disk the API says why it refuses writes, reads go on, a kill loses nothing, it starts, and writes go on once there is space', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-full-'))
  try {
    const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
    const script = `mount -t tmpfs -o size=40m tmpfs "$1" && exec "$2" --disable-warning=ExperimentalWarning "$3" "$1"`
    const { stdout } = await promisify(execFile)('unshare', [...namespace, 'sh', '-c', script, 'sh', folder, process.execPath, story])
    context.diagnostic(stdout)
    const { refusal, again, whileFull, resumed, acknowledged } = JSON.parse(stdout)

    assert.deepEqual([refusal.status, refusal.retryAfter, refusal.body.kind, refusal.body.reason], [503, '1', 'Status', 'ServiceUnavailable'])
    assert.match(
      refusal.body.message,
      /^the write was not saved, the disk of .*gantry\.db is full \(.*\): free some space; nothing else is needed, writes go on by themselves$/,
    )
    assert.deepEqual(whileFull, { readyz: 200, dryRun: 201 })
    assert.equal(again, 503)
    assert.equal(resumed, 201)
    assert.ok(acknowledged > 5)
  } finally {
    await rm(folder, { recursive: true })
  }
})
