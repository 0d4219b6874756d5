import { open, readFile, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

const heartbeatMs = 5_000
/** A lock nobody has touched for this long belongs to a builder that was killed. */
const abandonedAfterMs = 60_000
const pollMs = 500

/**
 * Holds `file` as a lock between processes until disposed. Stealing an abandoned lock may let two builders in at the same instant; that costs time and nothing else, because a
 * build works in a folder of its own and appears by rename.
 */
export async function holdBuildLock(options: { readonly file: string; readonly signal: AbortSignal | undefined }): Promise<AsyncDisposable> {
  const { file, signal } = options
  for (;;) {
    signal?.throwIfAborted()
    if (await create(file)) break
    if (await isAbandoned(file)) await rm(file, { force: true })
    else await sleep(pollMs, undefined, { ...(signal && { signal }) })
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(file, now, now).catch(() => {}) // a missed beat matters only after twelve of them
  }, heartbeatMs)
  heartbeat.unref()
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat)
      await rm(file, { force: true })
    },
  }
}

async function create(file: string): Promise<boolean> {
  try {
    await using handle = await open(file, 'wx')
    await handle.writeFile(`${process.pid}\n`)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function isAbandoned(file: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(file)
    if (Date.now() - mtimeMs > abandonedAfterMs) return true
    const holder = Number.parseInt(await readFile(file, 'utf8'), 10)
    return Number.isInteger(holder) && !isAlive(holder)
  } catch {
    return false // released between two looks
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
