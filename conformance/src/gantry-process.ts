import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { killWithUs } from '../kubernetes/daemon.ts'

/** The launcher of this checkout. */
const ownLauncher = join(import.meta.dirname, '..', '..', 'gantry')
const readyWithinMs = 60_000
const stopWithinMs = 10_000

/** Gantry as a process of its own on an empty folder, started as users start it. */
export interface GantryProcess extends AsyncDisposable {
  readonly pid: number
  /** Kubeconfig of its local cluster's administrator. */
  readonly kubeconfig: string
  /** From the start of the process to its line `ready`. */
  readonly readyMs: number
  /** What it said while it started. */
  readonly said: string
}

/** Starts it, without `args` with no node, so that nobody runs pods, and resolves when it is ready; ends with this process, however that ends. */
export async function startGantryProcess({
  launcher = ownLauncher,
  env = {},
  args = ['--node', 'none'],
}: { readonly launcher?: string; readonly env?: Readonly<Record<string, string>>; readonly args?: readonly string[] } = {}): Promise<GantryProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-process-'))
  const port = await freePort()
  const begunMs = performance.now()
  const child = spawn(launcher, ['up', '--data', dir, '--listen', `127.0.0.1:${port}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  const callOff = killWithUs(child.pid === undefined ? [] : [child.pid])
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
  let said = ''
  const ready = Promise.withResolvers<number>()
  const timer = setTimeout(() => ready.reject(new Error(`gantry was not ready within ${readyWithinMs} ms; it said:\n${said}`)), readyWithinMs)
  const listen = (chunk: Buffer): void => {
    said += chunk.toString()
    if (/^ready\b/m.test(said)) ready.resolve(performance.now() - begunMs)
  }
  child.stdout.on('data', listen)
  child.stderr.on('data', listen)
  child.on('error', ready.reject)
  child.on('exit', (code, signal) => ready.reject(new Error(`gantry ended with ${signal ?? `code ${code}`}; it said:\n${said}`)))
  const stop = async (): Promise<void> => {
    child.kill('SIGINT')
    const late = setTimeout(() => child.kill('SIGKILL'), stopWithinMs)
    await exited
    clearTimeout(late)
    callOff()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const readyMs = await ready.promise
    return { pid: child.pid ?? 0, kubeconfig: join(dir, 'admin.kubeconfig'), readyMs, said, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function freePort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((done, failed) => listener.once('error', failed).listen(0, '127.0.0.1', done))
  const { port } = listener.address() as AddressInfo
  await new Promise((done) => listener.close(done))
  return port
}
