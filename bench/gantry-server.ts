import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadKubeconfig } from '@gantry/client'
import type { BenchServer } from './server.ts'

const launcher = join(import.meta.dirname, '..', 'gantry')
const readyWithinMs = 30_000
const stopWithinMs = 10_000

/** Gantry on an empty folder, started as users start it: the whole platform with the local cluster's controllers and scheduler, in one process. */
export async function startGantryServer(): Promise<BenchServer> {
  const dir = await mkdtemp(join(tmpdir(), 'gantry-bench-gantry-'))
  const port = await freePort()
  const begunMs = performance.now()
  const child = spawn(launcher, ['up', '--data', dir, '--listen', `127.0.0.1:${port}`, '--node', 'none'], { stdio: ['ignore', 'pipe', 'pipe'] })
  const killWithUs = (): void => void child.kill('SIGKILL')
  process.on('exit', killWithUs)
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
  child.on('exit', (code) => ready.reject(new Error(`gantry ended with code ${code}; it said:\n${said}`)))
  const stop = async (): Promise<void> => {
    child.kill('SIGINT')
    const late = setTimeout(killWithUs, stopWithinMs)
    await exited
    clearTimeout(late)
    process.off('exit', killWithUs)
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const readyMs = await ready.promise
    if (/newer than dist/.test(said)) process.stderr.write('note: sources changed during the run, so this gantry runs unbundled\n')
    const { transport } = loadKubeconfig(await readFile(join(dir, 'admin.kubeconfig'), 'utf8'))
    return {
      name: 'gantry',
      url: transport.server,
      token: transport.token?.() ?? '',
      readyMs,
      serving: [child.pid ?? 0],
      beside: [],
      [Symbol.asyncDispose]: stop,
    }
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
