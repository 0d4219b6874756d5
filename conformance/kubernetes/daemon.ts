import { execFile, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { open, readdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const pollMs = 50
/** How long a process may take to end by itself before it is killed. */
const gracefulStopMs = 8_000
const logTailBytes = 2_000

/** A process in a session of its own, so that a Ctrl-C meant for the test does not end it out of order. */
export interface Daemon {
  readonly name: string
  readonly pid: number
  readonly logFile: string
  /** Undefined while it runs. */
  readonly ended: () => string | undefined
}

export async function startDaemon(options: {
  readonly command: string
  readonly name: string
  readonly args: readonly string[]
  readonly logFile: string
}): Promise<Daemon> {
  const { name, logFile } = options
  const log = openSync(logFile, 'a', 0o600)
  let ended: string | undefined
  const child = spawn(options.command, options.args, { detached: true, stdio: ['ignore', log, log] })
  closeSync(log)
  child.unref()
  child.on('exit', (code, signal) => (ended = signal ?? `code ${code}`))
  const { promise: spawned, resolve, reject } = Promise.withResolvers<void>()
  child.once('spawn', resolve).once('error', reject)
  await spawned
  return { name, logFile, pid: child.pid ?? 0, ended: () => ended }
}

/**
 * Starts a shell that kills `pids` the moment this process is gone, however it ended (kill -9 too): the shell reads a pipe whose other end only we hold. Returns what calls the
 * watch off.
 */
export function killWithUs(pids: readonly number[]): () => void {
  const watcher = spawn('sh', ['-c', 'read -r _; kill -9 "$@" 2>/dev/null', 'watcher', ...pids.map(String)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watcher.on('error', () => {}) // no shell: the exit handler below still covers every ordinary end
  watcher.unref()
  ;(watcher.stdin as unknown as { unref?: () => void }).unref?.()
  const onExit = (): void => pids.forEach((pid) => signalTo(pid, 'SIGKILL'))
  process.on('exit', onExit)
  return () => {
    process.off('exit', onExit)
    watcher.kill('SIGKILL')
  }
}

/** Ends one process, by force after a bounded wait, and returns when it is gone. */
export async function endProcess(pid: number): Promise<void> {
  signalTo(pid, 'SIGTERM')
  const deadline = performance.now() + gracefulStopMs
  while (await isRunning(pid)) {
    if (performance.now() > deadline) signalTo(pid, 'SIGKILL')
    await sleep(pollMs)
  }
}

/** Whether `pid` is still the process that was started with `marker` among its arguments, and not a later one with the same number. */
export async function isOurs(pid: number, marker: string): Promise<boolean> {
  try {
    if (process.platform === 'linux') return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).includes(marker)
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'args=', '-p', String(pid)])
    return stdout.includes(marker)
  } catch {
    return false
  }
}

/** The end of a log, for an error message. */
export async function logTail(file: string): Promise<string> {
  await using handle = await open(file)
  const { size } = await handle.stat()
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(logTailBytes), 0, logTailBytes, Math.max(0, size - logTailBytes))
  return buffer.toString('utf8', 0, bytesRead)
}

/** A child of ours that ended is reaped at once; a zombie of another parent counts as gone, once none of its threads is left that would still hold its ports and files. */
async function isRunning(pid: number): Promise<boolean> {
  if (!signalTo(pid, 0)) return false
  if (process.platform !== 'linux') return true
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    if (stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z') return true
    return (await readdir(`/proc/${pid}/task`)).length > 1
  } catch {
    return false
  }
}

function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
