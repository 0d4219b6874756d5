// One process of a test run: runs the files it is given without isolation and reports to its parent. Started by run-tests.ts only.
import { run } from 'node:test'
import { inspect } from 'node:util'
import type { TestReport, WorkerTask } from './test-report.ts'

const task = JSON.parse(process.argv[2] ?? '') as WorkerTask

function tell(report: TestReport): void {
  process.send?.(report)
}

let opened = 0
let closed = 0
let lingering: NodeJS.Timeout | undefined

/** The runner waits for the event loop to drain and would wait for ever; the timer itself does not hold the loop. */
function watchForLingerers(): void {
  clearTimeout(lingering)
  if (opened !== closed) return
  lingering = setTimeout(() => {
    tell({ kind: 'lingered', resources: process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap') })
    process.exit(1)
  }, task.lingerMs)
  lingering.unref()
}

const stream = run({
  files: [...task.files],
  isolation: 'none',
  timeout: task.testTimeoutMs,
  ...(task.name !== undefined && { testNamePatterns: new RegExp(task.name) }),
})
stream.on('test:dequeue', () => {
  opened++
  watchForLingerers()
})
stream.on('test:complete', () => {
  closed++
  watchForLingerers()
})
stream.on('test:pass', ({ name, file, nesting, details, skip, todo }) => {
  if (details.type === 'suite') return
  const skipped = (skip !== undefined && skip !== false) || (todo !== undefined && todo !== false)
  tell({ kind: 'ended', name, file, nesting, durationMs: details.duration_ms, outcome: skipped ? 'skipped' : 'passed', why: skip ?? todo })
})
stream.on('test:fail', ({ name, file, line, nesting, details }) => {
  const error: Error & { failureType?: unknown } = details.error
  // A parent fails with its children, which have been told already.
  if (error.failureType === 'subtestsFailed') return
  tell({ kind: 'ended', name, file, line, nesting, durationMs: details.duration_ms, outcome: 'failed', why: inspect(error.cause ?? error, { depth: 6 }) })
})
stream.on('test:diagnostic', ({ message, level, file, nesting }) => {
  if (level === 'error' || level === 'warn') tell({ kind: 'noticed', message, file })
  // The runner's own counts come without a file.
  else if (file !== undefined) tell({ kind: 'diagnosed', message, nesting })
})
stream.on('test:summary', ({ file, success }) => {
  if (file === undefined) tell({ kind: 'finished', success })
})
stream.resume()
