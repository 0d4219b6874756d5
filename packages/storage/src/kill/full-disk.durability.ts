import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { FullDiskTotals } from './full-disk-kills.ts'

const kills = Number(process.env['RUNS'] ?? 60)

test('a full disk refuses writes with the cause, loses none that were acknowledged, and writes go on once there is space', async (context) => {
  const said = await onSmallDisk('12m', 'full-disk-writer.ts')
  const found = JSON.parse(said) as { readonly acknowledged: number; readonly refused: number; readonly message: string }

  context.diagnostic(said)
  assert.ok(found.acknowledged > 100 && found.refused >= 70)
  assert.match(found.message, /the write was not saved, the disk of .*gantry\.db is full \(.*\): free some space; nothing else is needed/)
})

test('writers that are killed while the disk is full leave every acknowledged write and none that was refused', async (context) => {
  const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
  context.diagnostic(`seed ${seed}`)

  const found = JSON.parse(await onSmallDisk('24m', 'full-disk-kills.ts', String(kills), String(seed))) as FullDiskTotals

  context.diagnostic(JSON.stringify(found))
  assert.equal(found.runs, kills)
  assert.ok(found.acknowledged > kills && found.refused > kills)
  assert.ok(found.resumed > 0 && found.openedFull > 0)
})

/** Runs a program of this folder on a file system of its own, in a mount namespace of its own: needs util-linux, and root or unprivileged user namespaces. */
async function onSmallDisk(size: string, program: string, ...args: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-full-'))
  try {
    const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--user', '--map-root-user', '--mount']
    const script = `mount -t tmpfs -o size=${size} tmpfs "$1" && folder="$1" node="$2" program="$3" && shift 3 && exec "$node" --disable-warning=ExperimentalWarning "$program" "$folder" "$@"`
    const file = join(import.meta.dirname, program)
    const { stdout } = await promisify(execFile)('unshare', [...namespace, 'sh', '-c', script, 'sh', folder, process.execPath, file, ...args])
    return stdout
  } finally {
    await rm(folder, { recursive: true })
  }
}
