import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { isRecordOf, randomFrom } from './kill-record.ts'

// Runs on a small file system of its own: fills it, kills writers on it while it is full, and checks what they leave behind. Prints what it has found as JSON.
const [folder, runs, seed] = process.argv.slice(2)
if (folder === undefined || runs === undefined || seed === undefined) throw new Error('usage: full-disk-kills.ts FOLDER RUNS SEED')

const writer = join(import.meta.dirname, 'kill-writer.ts')
const file = join(folder, 'gantry.db')
const ballast = join(folder, 'ballast')
const leftBytes = 3 << 20
/** A file whose WAL has grown before may need no more room, however full the disk is: who is never refused is killed after this many writes. */
const mostAcknowledged = 2_000
const random = randomFrom(Number(seed))

interface Attempt {
  readonly type: 'put' | 'delete'
  readonly revision: number
  readonly key: string
  /** Undefined when the writer died before it was told. */
  outcome: 'acknowledged' | 'refused' | undefined
}

export interface FullDiskTotals {
  runs: number
  acknowledged: number
  refused: number
  /** Writes that went on in a process that had been refused some, once there was space. */
  resumed: number
  /** Files that were opened while the disk was still full. */
  openedFull: number
}

/** Leaves room for at most `leftBytes` more. */
function fill(): void {
  const { bavail, bsize } = statfsSync(folder!)
  try {
    writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - Math.floor(random() * leftBytes))))
  } catch (error) {
    // The writer has taken meanwhile what was left: full is full.
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}

function makeRoom(): void {
  rmSync(ballast, { force: true })
}

/** One life of a writer on a disk that gets full under it: in some of them space comes back while it runs, and goes again. */
async function killOnFullDisk(totals: FullDiskTotals): Promise<Attempt[]> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', writer, file, String(Math.floor(random() * 2 ** 31)), 'goes-on'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const attempts = new Map<number, Attempt>()
  const killAfterRefusals = 1 + Math.floor(random() * 60)
  let room: 'none yet' | 'made' | 'gone again' = random() < 0.5 ? 'none yet' : 'gone again'
  let acknowledged = 0
  let refused = 0
  let resumed = 0
  for await (const line of createInterface({ input: child.stdout })) {
    const [mark, ...words] = line.split(' ')
    if (mark === '?') {
      const revision = Number(words[1])
      attempts.set(revision, { type: words[0] === 'delete' ? 'delete' : 'put', revision, key: words[2] ?? '', outcome: undefined })
      continue
    }
    const attempt = attempts.get(Number(words[0]))
    assert.ok(attempt !== undefined && (mark === '!' || mark === '-'), `the writer said "${line}"`)
    attempt.outcome = mark === '!' ? 'acknowledged' : 'refused'
    if (mark === '-') refused++
    else acknowledged++
    if (mark === '!' && room === 'made') resumed++
    if (refused > killAfterRefusals / 2 && room === 'none yet') {
      makeRoom()
      room = 'made'
    } else if (room === 'made' && resumed >= 10) {
      fill()
      room = 'gone again'
    }
    if ((refused >= killAfterRefusals && room === 'gone again') || acknowledged >= mostAcknowledged) child.kill('SIGKILL')
  }
  assert.equal(await exited, 'SIGKILL', `the writer ended by itself: ${complaint}`)
  totals.refused += refused
  totals.resumed += resumed
  return [...attempts.values()]
}

/** Every key is at the newest write that was acknowledged, or at a later one whose writer died before the answer; never at one that was refused. */
async function verify(state: Map<string, number>, attempts: readonly Attempt[]): Promise<void> {
  await using store = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { secondThreadAtBytes: random() < 0.5 ? 0 : undefined })
  const found = new Map(store.list({ prefix: '' }).entries.map((entry) => [entry.key, entry]))
  for (const entry of found.values()) assert.ok(isRecordOf(entry.value, entry.key, entry.revision), `the value of ${entry.key} at ${entry.revision} is torn`)
  for (const key of new Set([...state.keys(), ...found.keys(), ...attempts.map((attempt) => attempt.key)])) {
    const own = attempts.filter((attempt) => attempt.key === key)
    const acknowledged = own.findLast(({ outcome }) => outcome === 'acknowledged')
    const unanswered = own.filter(({ outcome, revision }) => outcome === undefined && revision > (acknowledged?.revision ?? 0))
    const before = acknowledged === undefined ? state.get(key) : revisionOf(acknowledged)
    const actual = found.get(key)?.revision
    assert.ok([before, ...unanswered.map(revisionOf)].includes(actual), `${key} is at ${actual}, should be at ${before}`)
    if (actual === undefined) state.delete(key)
    else state.set(key, actual)
  }
  for (const { revision, outcome } of attempts) if (outcome === 'acknowledged') assert.ok(store.revision >= revision, `the file ends before ${revision}`)
}

function revisionOf({ type, revision }: Attempt): number | undefined {
  return type === 'put' ? revision : undefined
}

const totals: FullDiskTotals = { runs: Number(runs), acknowledged: 0, refused: 0, resumed: 0, openedFull: 0 }
const state = new Map<string, number>()
// A file that is not there yet cannot be begun on a full disk.
await verify(state, [])
for (let run = 0; run < totals.runs; run++) {
  fill()
  const attempts = await killOnFullDisk(totals)
  totals.acknowledged += attempts.filter(({ outcome }) => outcome === 'acknowledged').length
  const isStillFull = random() < 0.5
  if (isStillFull) totals.openedFull++
  else makeRoom()
  await verify(state, attempts)
  makeRoom()
}
process.stdout.write(JSON.stringify(totals))
