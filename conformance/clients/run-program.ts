import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'

export interface ProgramRun {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly withinMs: number
}

/** Runs a program to its end and returns what it wrote. Throws, with its last words, when it does not end well. */
export async function runProgram(run: ProgramRun): Promise<{ readonly output: string; readonly errors: string }> {
  const child = spawn(run.command, run.args, {
    env: { ...process.env, ...run.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: AbortSignal.timeout(run.withinMs),
  })
  const ended = Promise.withResolvers<number | null>()
  child.on('close', ended.resolve)
  child.on('error', ended.reject)
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended.promise])
  if (code !== 0) throw new Error(`${run.command} ${run.args.join(' ')} ended with ${code}:\n${output.slice(-2_000)}${errors.slice(-2_000)}`)
  return { output, errors }
}
