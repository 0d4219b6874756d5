import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { sourceFiles } from './source-files.ts'
import type { TestReport, WorkerTask } from './test-report.ts'
import { TestTally } from './test-tally.ts'
import { isSuiteName, suites } from './test-suites.ts'
import type { Suite } from './test-suites.ts'

const usage = `npm test -- [--suite ${Object.keys(suites).join('|')}] [--name REGEXP] [--each] [PART OF A PATH]...`

/** What a test leaves behind (a timer, a socket, a process) keeps its process alive: this long with no test open, and the run is over and has failed. */
const defaultLingerMs = 5_000

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: {
      suite: { type: 'string', default: 'fast' },
      name: { type: 'string' },
      each: { type: 'boolean' },
      root: { type: 'string' },
      'linger-ms': { type: 'string' },
    },
    allowPositionals: true,
  })
  if (!isSuiteName(values.suite)) throw new Error(`there is no suite "${values.suite}": ${usage}`)
  const suite: Suite = suites[values.suite]
  const lingerMs = values['linger-ms'] === undefined ? defaultLingerMs : Number(values['linger-ms'])
  const root = values.root ?? join(import.meta.dirname, '..')
  const files = sourceFiles(root, (path) => path.endsWith(suite.suffix) && (positionals.length === 0 || positionals.some((part) => path.includes(part))))
  const tally = new TestTally({ root, tellEach: values.each ?? suite.tellEach, write: (text) => process.stdout.write(text) })
  if (files.length === 0) tally.fail(`no file *${suite.suffix} found${positionals.length > 0 ? ` with ${positionals.join(' or ')} in its path` : ''}`)
  const shares = share(files, { root, workers: suite.workers })
  await Promise.all(shares.map((share) => runWorker({ files: share, testTimeoutMs: suite.testTimeoutMs, lingerMs, name: values.name }, { root, tally })))
  return tally.close()
}

/** Deals the files out so that the workers get about the same number of bytes: the best guess at run time that needs no memory of earlier runs. */
function share(files: readonly string[], options: { readonly root: string; readonly workers: number }): string[][] {
  const shares = Array.from({ length: Math.min(options.workers, files.length) }, () => ({ bytes: 0, files: [] as string[] }))
  const bySize = files.map((file) => ({ file, bytes: statSync(join(options.root, file)).size })).sort((a, b) => b.bytes - a.bytes)
  for (const { file, bytes } of bySize) {
    const lightest = shares.reduce((a, b) => (b.bytes < a.bytes ? b : a))
    lightest.files.push(file)
    lightest.bytes += bytes
  }
  return shares.map((share) => share.files)
}

function runWorker(task: WorkerTask, context: { readonly root: string; readonly tally: TestTally }): Promise<void> {
  const { root, tally } = context
  const absolute = { ...task, files: task.files.map((file) => join(root, file)) }
  const child = fork(join(import.meta.dirname, 'test-worker.ts'), [JSON.stringify(absolute)], {
    cwd: root,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  })
  const unfollow = followOurEnd(child)
  const { promise, resolve } = Promise.withResolvers<void>()
  let over = false
  child.on('message', (report: TestReport) => {
    over ||= report.kind === 'finished' || report.kind === 'lingered'
    tally.take(report)
  })
  child.on('error', (error) => tally.fail(`a test process did not start: ${error.message}`))
  child.on('close', (code, signal) => {
    unfollow()
    if (!over) tally.fail(`a test process ended with ${signal ?? `code ${code}`} before its tests did; it had ${task.files.join(', ')}`)
    resolve()
  })
  return promise
}

/** A run that is ended from outside takes its workers along. */
function followOurEnd(child: ChildProcess): () => void {
  const end = (signal: NodeJS.Signals): void => {
    child.kill(signal)
  }
  process.on('SIGTERM', end).on('SIGINT', end)
  return () => process.off('SIGTERM', end).off('SIGINT', end)
}

process.exitCode = await main()
