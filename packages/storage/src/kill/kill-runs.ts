import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { silentLogger, systemClock } from '@gantry/runtime'
import { openSqliteStore } from '../sqlite/sqlite-store.ts'
import { StoreUnavailable } from '../store.ts'
import { isRecordOf, randomFrom } from './kill-record.ts'
import { lastCommit, torn } from './torn-wal.ts'

const writer = join(import.meta.dirname, 'kill-writer.ts')
// Two at a time: the machine that must hold this has two cores.
const lanes = 2
const startsWithinMs = 300

interface Attempt {
  readonly type: 'put' | 'delete'
  readonly revision: number
  readonly key: string
}

interface Story {
  readonly attempts: Attempt[]
  readonly acknowledged: number[]
}

export interface KillTotals {
  readonly runs: number
  readonly attempted: number
  readonly acknowledged: number
  /** Writes that were on the disk although their writer died before it could say so. */
  readonly unannounced: number
  /** Copies whose last commit was torn, and that opened without it. */
  readonly torn: number
  /** Copies with a page overwritten at random: how many were refused, and how many did not need that page. */
  readonly refused: number
  readonly unharmed: number
  /** The longest that opening the file took after a kill, until everything in it was checked and could be read. */
  readonly longestRestartMs: number
}

export const noKills: KillTotals = { runs: 0, attempted: 0, acknowledged: 0, unannounced: 0, torn: 0, refused: 0, unharmed: 0, longestRestartMs: 0 }

/**
 * Kills a writing process `runs` times with SIGKILL and opens its file after each: the file must hold exactly the writes up to some revision, at least
 * all acknowledged ones. A file goes on into the next run, so that each also starts from what a kill left behind.
 */
export async function runKills(options: { readonly runs: number; readonly seed: number }): Promise<KillTotals> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-kill-'))
  try {
    const totals = await Promise.all(
      Array.from({ length: lanes }, (_, lane) => {
        const runs = Math.ceil((options.runs - lane) / lanes)
        return runLane(join(folder, `${lane}.db`), { runs, seed: options.seed + lane })
      }),
    )
    return totals.reduce(summed)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function runLane(file: string, options: { readonly runs: number; readonly seed: number }): Promise<KillTotals> {
  const random = randomFrom(options.seed)
  const state = new Map<string, number>()
  let revision = 1
  let attempted = 0
  let acknowledged = 0
  let unannounced = 0
  let longestRestartMs = 0
  const damage = { torn: 0, refused: 0, unharmed: 0 }
  for (let run = 0; run < options.runs; run++) {
    const story = await killOnce(file, random)
    if (random() < 0.3) damage.torn += await tearCopy(file, random)
    const { newRevision, restartMs } = await verify(file, { state, revision, story })
    longestRestartMs = Math.max(longestRestartMs, restartMs)
    attempted += story.attempts.length
    acknowledged += story.acknowledged.length
    unannounced += story.attempts.filter((attempt) => attempt.revision <= newRevision).length - story.acknowledged.length
    revision = newRevision
    if (random() < 0.3) damage[await overwriteCopy(file, { state, random })]++
  }
  return { runs: options.runs, attempted, acknowledged, unannounced, ...damage, longestRestartMs }
}

/** One life of the writer: most end after a random number of acknowledgements, some at a random time, which may be before the file is open. */
async function killOnce(file: string, random: () => number): Promise<Story> {
  const child = spawn(process.execPath, [writer, file, String(Math.floor(random() * 2 ** 31))], { stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
  const story: Story = { attempts: [], acknowledged: [] }
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()))
  const isTimed = random() < 0.2
  const killAfter = isTimed ? Infinity : Math.floor(random() ** 2 * 400)
  const cancel = isTimed ? systemClock.schedule(() => child.kill('SIGKILL'), random() * startsWithinMs) : () => {}
  for await (const line of createInterface({ input: child.stdout })) {
    const [mark, ...words] = line.split(' ')
    if (mark === '?' && words.length === 3) {
      const [type, revision, key] = words
      story.attempts.push({ type: type === 'delete' ? 'delete' : 'put', revision: Number(revision), key: key! })
    } else if (mark === '!') story.acknowledged.push(Number(words[0]))
    else throw new Error(`the writer said "${line}"`)
    if (story.acknowledged.length >= killAfter) child.kill('SIGKILL')
  }
  cancel()
  assert.equal(await exited, 'SIGKILL', `the writer ended by itself: ${complaint}`)
  return story
}

/** Opens the file, checks it against the story and brings `state` (key to revision) up to date; returns the file's revision and how long it took to open. */
async function verify(
  file: string,
  expected: { readonly state: Map<string, number>; readonly revision: number; readonly story: Story },
): Promise<{ readonly newRevision: number; readonly restartMs: number }> {
  const { state, revision, story } = expected
  const begunMs = performance.now()
  const secondThreadAtBytes = story.attempts.length % 2 === 0 ? 0 : undefined
  await using store = await openSqliteStore({ file, clock: systemClock, log: silentLogger }, { secondThreadAtBytes })
  const restartMs = performance.now() - begunMs
  assert.ok(store.revision >= revision, `the revision went back from ${revision} to ${store.revision}`)
  const newestAcknowledged = Math.max(0, ...story.acknowledged)
  assert.ok(store.revision >= newestAcknowledged, `revision ${newestAcknowledged} was acknowledged, the file ends at ${store.revision}`)
  for (const attempt of story.attempts) {
    assert.ok(attempt.revision > revision, `revision ${attempt.revision} was given again after ${revision}`)
    if (attempt.revision > store.revision) continue
    if (attempt.type === 'put') state.set(attempt.key, attempt.revision)
    else state.delete(attempt.key)
  }
  const { entries } = store.list({ prefix: '' })
  for (const entry of entries) assert.ok(isRecordOf(entry.value, entry.key, entry.revision), `the value of ${entry.key} at ${entry.revision} is torn`)
  assert.deepEqual(new Map(entries.map((entry) => [entry.key, entry.revision])), new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1))))
  return { newRevision: store.revision, restartMs }
}

/** A power cut in the middle of the last commit: without it the file is what it was before, whole. Returns how many copies were torn. */
async function tearCopy(file: string, random: () => number): Promise<number> {
  if (!existsSync(`${file}-wal`)) return 0
  const wal = await readFile(`${file}-wal`)
  const commit = lastCommit(wal)
  if (commit === undefined) return 0
  const copy = `${file}.torn`
  await copyFile(file, copy)
  await writeFile(`${copy}-wal`, torn(wal, commit, random))
  {
    // The store compares every row and the digest of the commit before.
    await using store = await openSqliteStore({ file: copy, clock: systemClock, log: silentLogger })
    for (const entry of store.list({ prefix: '' }).entries) assert.ok(isRecordOf(entry.value, entry.key, entry.revision), `${entry.key} is torn`)
  }
  await rm(copy)
  return 1
}

/** A disk that has lost a page: the copy is refused, or the page was not needed and everything is there. */
async function overwriteCopy(
  file: string,
  { state, random }: { readonly state: ReadonlyMap<string, number>; readonly random: () => number },
): Promise<'refused' | 'unharmed'> {
  const copy = `${file}.overwritten`
  const bytes = await readFile(file)
  const at = Math.floor(random() * bytes.length)
  for (let i = at; i < Math.min(bytes.length, at + 1 + Math.floor(random() * 8192)); i++) bytes[i] = Math.floor(random() * 256)
  await writeFile(copy, bytes)
  try {
    await using store = await openSqliteStore({ file: copy, clock: systemClock, log: silentLogger })
    const { entries } = store.list({ prefix: '' })
    for (const entry of entries) assert.ok(isRecordOf(entry.value, entry.key, entry.revision), `the damaged ${entry.key} was served`)
    assert.deepEqual(new Map(entries.map((entry) => [entry.key, entry.revision])), new Map([...state].sort(([a], [b]) => (a < b ? -1 : 1))))
    return 'unharmed'
  } catch (error) {
    if (error instanceof StoreUnavailable) return 'refused'
    throw error
  } finally {
    for (const suffix of ['', '-wal', '-shm']) await rm(`${copy}${suffix}`, { force: true })
  }
}

export function summed(a: KillTotals, b: KillTotals): KillTotals {
  return {
    runs: a.runs + b.runs,
    attempted: a.attempted + b.attempted,
    acknowledged: a.acknowledged + b.acknowledged,
    unannounced: a.unannounced + b.unannounced,
    torn: a.torn + b.torn,
    refused: a.refused + b.refused,
    unharmed: a.unharmed + b.unharmed,
    longestRestartMs: Math.max(a.longestRestartMs, b.longestRestartMs),
  }
}

/** One line for a person. A lost write is no number in it: it ends the run as a failure. */
export function told(totals: KillTotals): string {
  const { runs, attempted, acknowledged, unannounced, torn, refused, unharmed, longestRestartMs } = totals
  return (
    `${runs} kills, ${attempted} writes begun, ${acknowledged} acknowledged, 0 lost, ${unannounced} saved unannounced; ` +
    `${torn} torn copies opened without their last commit; ${refused + unharmed} copies with a damaged page: ${refused} refused, ${unharmed} whole without it; ` +
    `longest restart ${Math.round(longestRestartMs)} ms`
  )
}
