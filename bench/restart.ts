import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endProcess, killWithUs } from '@gantry/conformance/daemon'
import { Connection } from './connection.ts'
import type { BenchServer } from './server.ts'

const answersWithinMs = 120_000
const pollMs = 10
/** Of what a process says, for an error message. */
const saidCharacters = 500

/**
 * Kills the processes that serve (kill -9, as a machine that loses power), starts the same commands on the same data, and waits until the server is ready and gives `path`; as often as
 * `times` says. Returns how long each took from the start of the processes, in milliseconds. The server is ended then.
 */
export async function timeRestarts(server: BenchServer, { path, times }: { readonly path: string; readonly times: number }): Promise<number[]> {
  // The storage is the last of them, and has to be there first.
  const commands = (await Promise.all(server.serving.map(commandOf))).toReversed()
  const answeredMs: number[] = []
  let pids = server.serving
  let callOff = (): void => {}
  try {
    for (let time = 0; time < times; time++) {
      await kill(pids)
      callOff()
      const begunMs = performance.now()
      const started = await Promise.all(commands.map(start))
      pids = started.map(({ pid }) => pid)
      callOff = killWithUs(pids)
      await untilAnswered(server, { path, started })
      answeredMs.push(performance.now() - begunMs)
    }
    return answeredMs
  } finally {
    await Promise.all(pids.map(endProcess))
    callOff()
  }
}

async function kill(pids: readonly number[]): Promise<void> {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await Promise.all(pids.map(endProcess))
}

interface Started {
  readonly pid: number
  /** How it has ended, and the last it said; undefined while it runs. */
  readonly ended: () => string | undefined
}

async function start({ command, args, env }: Command): Promise<Started> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-saidCharacters)))
  let ended: string | undefined
  child.once('close', (code, signal) => (ended = `${basename(command)} ended with ${signal ?? `code ${code}`}: ${said.trim()}`))
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  child.once('spawn', resolve).once('error', reject)
  await promise
  return { pid: child.pid ?? 0, ended: () => ended }
}

interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

async function commandOf(pid: number): Promise<Command> {
  const [cmdline, environ] = await Promise.all(['cmdline', 'environ'].map((file) => readFile(`/proc/${pid}/${file}`, 'utf8')))
  const [command = '', ...args] = (cmdline ?? '').split('\0').slice(0, -1)
  const env = (environ ?? '').split('\0').filter((line) => line.includes('='))
  return { command, args, env: Object.fromEntries(env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])) }
}

async function untilAnswered(server: BenchServer, { path, started }: { readonly path: string; readonly started: readonly Started[] }): Promise<void> {
  const deadline = performance.now() + answersWithinMs
  for (;;) {
    const connection = new Connection(server)
    try {
      await connection.send('GET', '/readyz')
      await connection.send('GET', path)
      return
    } catch (error) {
      const ended = started.map((process) => process.ended()).find((how) => how !== undefined)
      if (ended !== undefined) throw new Error(`${server.name} did not come back: ${ended}`, { cause: error })
      if (performance.now() > deadline) throw new Error(`${server.name} did not answer within ${answersWithinMs / 1000} s after its restart`, { cause: error })
    } finally {
      connection.close()
    }
    await sleep(pollMs)
  }
}
