import { open, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { StatusError } from '@gantry/apimachinery'
import type { Clock, Ids } from '@gantry/runtime'
import { textOf } from './text-of.ts'

const retryMs = 40
const withinMs = 30_000
// Longer than anything that is done under a lock. A machine that shares the folder cannot be asked for its processes.
const staleMs = 2 * 60_000

/** Holds a file that only one process can make. What a process has left that is gone, or that is two minutes old, does not count. Throws Timeout. */
export async function lockFile(
  deps: { readonly clock: Clock; readonly ids: Ids },
  path: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<AsyncDisposable> {
  const own = JSON.stringify({ pid: process.pid, host: hostname(), since: deps.clock.now().getTime(), nonce: deps.ids.secret(9) })
  const deadline = deps.clock.monotonicMs() + withinMs
  for (;;) {
    if (await make(path, own)) return { [Symbol.asyncDispose]: () => release(path, own) }
    const holder = await textOf(path)
    if (holder !== undefined && isStale(holder, deps.clock)) {
      await takeAway(path, holder, deps.ids)
      continue
    }
    if (deps.clock.monotonicMs() > deadline)
      throw new StatusError('Timeout', `another gantry has held ${path} for ${withinMs / 1_000} s: end that one, or remove the file if there is none`)
    await deps.clock.sleep(retryMs, { signal })
  }
}

async function make(path: string, text: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx', 0o600)
    try {
      await handle.writeFile(text)
    } finally {
      await handle.close()
    }
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function release(path: string, own: string): Promise<void> {
  if ((await textOf(path)) === own) await rm(path, { force: true })
}

/** Two may find the same stale lock: the one who comes second puts back what it has taken away from the first. */
async function takeAway(path: string, stale: string, ids: Ids): Promise<void> {
  const aside = `${path}.${ids.suffix(8)}`
  try {
    await rename(path, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const taken = await textOf(aside)
  if (taken !== undefined && taken !== stale) await make(path, taken)
  await rm(aside, { force: true })
}

function isStale(text: string, clock: Clock): boolean {
  let holder: { readonly pid?: number; readonly host?: string; readonly since?: number }
  try {
    holder = JSON.parse(text) as typeof holder
  } catch {
    return false // being written: the next look sees it whole
  }
  if (clock.now().getTime() - (holder.since ?? 0) > staleMs) return true
  return holder.host === hostname() && holder.pid !== undefined && !isAlive(holder.pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
