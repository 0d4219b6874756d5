import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { killWithUs } from '@gantry/conformance/daemon'
import { run, start, type Outcome, type ProgramOptions } from './program.ts'

/** The launcher, as users start it. */
const launcher = fileURLToPath(new URL('../gantry', import.meta.url))
const env = { GANTRY_QUIET: '1' }
const readyWithinMs = 60_000
const stopWithinMs = 20_000

/** What the administrator of a test chooses. */
export const ownPassword = 'quay crane, spreader, twistlock'

export interface GantryProcess extends AsyncDisposable {
  readonly dataDir: string
  readonly pid: number
  /** https://127.0.0.1:port */
  readonly server: string
  readonly kubeconfig: string
  /** All of what `up` has printed. */
  readonly banner: string
  /** From the start of the process to the line `ready`, seen from outside. */
  readonly readyMs: number
  /** Runs another command of the CLI against this one. */
  cli(...args: string[]): Promise<Outcome>
  /** The first one: it signs in until the administrator has one of their own. */
  password(): Promise<string>
  /** Gives the administrator the password `ownPassword`, as a script does: nobody is asked to change it. */
  setOwnPassword(): Promise<void>
  /** Ctrl-C. */
  stop(): Promise<Outcome>
  /** As a power cut would. */
  kill(): Promise<Outcome>
}

/** One command of the CLI, to its end. */
export function gantry(args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  return run(launcher, args, { ...options, env: { ...env, ...options.env } })
}

/** One command of the CLI that goes on while the test does something else. */
export function startCommand(args: readonly string[], options: ProgramOptions = {}): ReturnType<typeof start> {
  return start(launcher, args, { ...options, env: { ...env, ...options.env } })
}

export interface GantryOptions {
  readonly dataDir: string
  readonly port: number
  readonly args?: readonly string[] | undefined
  /** A program and its arguments that gets the launcher and its arguments after them, and becomes it. */
  readonly through?: readonly string[] | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** `./gantry up`; resolves at its line `ready`. */
export async function startGantry({ dataDir, port, args = [], through = [], env: more }: GantryOptions): Promise<GantryProcess> {
  const begunMs = performance.now()
  const [program = launcher, ...line] = [...through, launcher, 'up', '--data', dataDir, '--listen', `127.0.0.1:${port}`, ...args]
  const process = start(program, line, { env: { ...env, ...more } })
  const callOff = killWithUs([process.pid])
  let stopped: Promise<Outcome> | undefined
  const end = (signal: NodeJS.Signals): Promise<Outcome> => (stopped ??= process.end(signal, stopWithinMs).finally(callOff))
  const stop = (): Promise<Outcome> => end('SIGINT')
  try {
    await process.says(/^ready\b.*$/m, readyWithinMs)
  } catch (error) {
    await stop()
    throw error
  }
  return {
    dataDir,
    pid: process.pid,
    server: `https://127.0.0.1:${port}`,
    kubeconfig: join(dataDir, 'admin.kubeconfig'),
    banner: process.stdout(),
    readyMs: performance.now() - begunMs,
    cli: (...line) => gantry([...line, '--data', dataDir]),
    password: async () => (await readFile(join(dataDir, 'initial-password'), 'utf8')).trim(),
    async setOwnPassword() {
      const file = join(dataDir, 'own-password')
      await writeFile(file, ownPassword, { mode: 0o600 })
      const { code, stderr } = await gantry(['user', 'passwd', 'admin', '--password-file', file, '--data', dataDir])
      await rm(file)
      if (code !== 0) throw new Error(`the password could not be set: ${stderr}`)
    },
    stop,
    kill: () => end('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await stop()
    },
  }
}
