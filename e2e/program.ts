import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'

/** How one run of a program went. */
export interface Outcome {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

export interface ProgramOptions {
  /** Written to its standard input, which then ends; left out, there is none. */
  readonly input?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
  readonly withinMs?: number | undefined
}

/** A program that goes on while the test does something else. */
export interface RunningProgram extends AsyncDisposable {
  readonly pid: number
  /** How it ended. Fails with all it wrote when it does not end in time. */
  finishes(withinMs?: number): Promise<Outcome>
  stdout(): string
  stderr(): string
  /** The first match in what it has written, on either channel, since it began. Fails with all it wrote when it ends, or takes too long. */
  says(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>
  type(text: string): void
  /** Sends a signal and waits for the end; kills after the time. */
  end(signal?: NodeJS.Signals, withinMs?: number): Promise<Outcome>
}

const defaultWithinMs = 60_000
const outputBytes = 16 << 20
const lookEveryMs = 25

/** Runs a program to its end. Rejects only when it cannot be started or takes too long. */
export async function run(program: string, args: readonly string[], options: ProgramOptions = {}): Promise<Outcome> {
  await using running = start(program, args, options)
  running.closeInput(options.input)
  return await running.finishes(options.withinMs)
}

export function start(program: string, args: readonly string[], options: ProgramOptions = {}): RunningProgram & { closeInput(last?: string): void } {
  const begunMs = performance.now()
  const line = [program, ...args].join(' ')
  const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: 'pipe' })
  const collect = (): { text: string } => ({ text: '' })
  const [out, err] = [collect(), collect()]
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out.text = (out.text + chunk).slice(-outputBytes)))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (err.text = (err.text + chunk).slice(-outputBytes)))
  child.stdin.on('error', () => {}) // a program that ends without reading its input is no failure of ours
  let outcome: Outcome | undefined
  const { promise: done, resolve, reject } = Promise.withResolvers<Outcome>()
  child.on('error', (cause) => reject(new Error(`${line} could not be started`, { cause })))
  child.on('close', (code) => resolve((outcome = { code: code ?? undefined, stdout: out.text, stderr: err.text, ms: performance.now() - begunMs })))
  done.catch(() => {}) // told to whoever waits for it
  const said = (): string => `${out.text}${err.text}`
  async function end(signal: NodeJS.Signals = 'SIGTERM', withinMs = 10_000): Promise<Outcome> {
    if (outcome === undefined) child.kill(signal)
    const ended = await Promise.race([done, sleep(withinMs, undefined, { ref: false })])
    if (ended !== undefined) return ended
    child.kill('SIGKILL')
    return done
  }
  return {
    pid: child.pid ?? 0,
    async finishes(withinMs = defaultWithinMs) {
      const ended = await Promise.race([done, sleep(withinMs, undefined, { ref: false })])
      if (ended === undefined) throw new Error(`${line} did not end within ${withinMs} ms:\n${said()}`)
      return ended
    },
    stdout: () => out.text,
    stderr: () => err.text,
    async says(pattern, withinMs = defaultWithinMs) {
      const deadline = performance.now() + withinMs
      for (;;) {
        const match = pattern.exec(said())
        if (match !== null) return match
        if (outcome !== undefined) throw new Error(`${line} ended with code ${outcome.code} and never said ${String(pattern)}:\n${said()}`)
        if (performance.now() > deadline) throw new Error(`${line} did not say ${String(pattern)} within ${withinMs} ms:\n${said()}`)
        await sleep(lookEveryMs)
      }
    },
    type: (text) => void child.stdin.write(text),
    closeInput: (last) => void (last === undefined ? child.stdin.end() : child.stdin.end(last)),
    end,
    async [Symbol.asyncDispose]() {
      if (outcome === undefined) await end()
    },
  }
}
