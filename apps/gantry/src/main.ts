import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { runCommandLine } from '@gantry/cli-kit'
import manifest from '../package.json' with { type: 'json' }
import { commandContext, gantryCommandLine } from './command-line.ts'

// Since the process began, not since this file was loaded: that is what the user waits for.
const startedMs = 0
const exitAfterMs = 15_000
const echoMs = 300

/** Beside the release bundle, or in a checkout. */
function findConsole(): string | undefined {
  const candidates = [join(import.meta.dirname, 'console'), join(import.meta.dirname, '../../../dist/console'), join(import.meta.dirname, '../../console/dist')]
  return candidates.find((dir) => existsSync(join(dir, 'index.html')))
}

/** A reader that has gone (`| head`) ends the command, not the process with a stack. */
async function print(chunk: string | Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  process.stdout.write(chunk, (error) => (error === null || error === undefined ? resolve() : reject(error)))
  return promise
}

async function main(): Promise<number> {
  const stop = new AbortController()
  let firstSignalMs: number | undefined
  function onSignal(): void {
    if (firstSignalMs !== undefined) {
      // npm and a service manager pass on what has reached us already: only a second wish counts.
      if (performance.now() - firstSignalMs > echoMs) process.exit(130)
      return
    }
    firstSignalMs = performance.now()
    stop.abort(new Error('stopped by the user'))
    setTimeout(() => {
      process.stderr.write('error: stopping takes too long, some parts are left behind\n')
      process.exit(1)
    }, exitAfterMs).unref()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  // What we schedule does not hold the process; while a command runs, this does.
  const alive = setInterval(() => {}, 60_000)
  try {
    const context = {
      env: process.env,
      version: manifest.version,
      consoleDir: findConsole(),
      signal: stop.signal,
      startedMs,
      out: (text: string) => void process.stdout.write(text),
      err: (text: string) => void process.stderr.write(text),
      print,
    }
    return await runCommandLine(gantryCommandLine(context), process.argv.slice(2), {
      context: (options) => commandContext(options, context),
      out: context.out,
      err: context.err,
      onBug: (error) => process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`),
    })
  } finally {
    clearInterval(alive)
  }
}

process.exitCode = await main()
