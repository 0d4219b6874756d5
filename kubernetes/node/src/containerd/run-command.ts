import { execFile } from 'node:child_process'

/** Runs a program of the machine to its end and gives what it wrote. Rejects with what it said when it fails. */
export type RunCommand = (program: string, args: readonly string[]) => Promise<string>

const timeoutMs = 60_000
const maxOutputBytes = 16 << 20

export const runCommand: RunCommand = (program, args) => {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  execFile(program, [...args], { env: machineEnvironment(), timeout: timeoutMs, maxBuffer: maxOutputBytes }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout)
    else reject(new Error(`${program} ${args.join(' ')}: ${stderr.trim() || error.message}`, { cause: error }))
  })
  return promise
}

/** Our environment, with the places of administration programs on PATH, which a user's shell may lack, and untranslated messages. */
export function machineEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`, LC_ALL: 'C' }
}
