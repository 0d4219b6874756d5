import { relative } from 'node:path'
import type { TestReport } from './test-report.ts'

/** Slower tests than this are named at the end, so that the suite stays fast. */
const slowMs = 1_000
const slowShown = 8

type Ended = Extract<TestReport, { readonly kind: 'ended' }>

/** Counts the tests of all processes of a run and prints what a reader needs: failures in full, once at once and once at the end, and the closing line. */
export class TestTally {
  readonly #options: { readonly root: string; readonly tellEach: boolean; readonly write: (text: string) => void }
  readonly #failures: string[] = []
  readonly #slow: Ended[] = []
  readonly #begunMs = performance.now()
  #passed = 0
  #skipped = 0

  constructor(options: { readonly root: string; readonly tellEach: boolean; readonly write: (text: string) => void }) {
    this.#options = options
  }

  take(report: TestReport): void {
    switch (report.kind) {
      case 'ended':
        return this.#takeEnded(report)
      case 'noticed':
        return this.#options.write(`! ${this.#place(report.file)} ${report.message}\n`)
      case 'diagnosed':
        if (this.#options.tellEach) this.#options.write(`${'  '.repeat(report.nesting + 1)}${report.message}\n`)
        return
      case 'lingered':
        return this.fail(`the tests have ended and their process has not: something was left open (${report.resources.join(', ')})`)
      case 'finished':
        if (!report.success && this.#failures.length === 0) this.fail('the test runner reports a failure and names no test')
    }
  }

  /** A failure that belongs to no test. */
  fail(message: string): void {
    this.#failures.push(`✖ ${message}\n`)
    this.#options.write(`✖ ${message}\n`)
  }

  /** Prints the closing lines; returns the exit code. A run in which no test ran has failed. */
  close(): number {
    const { write } = this.#options
    if (this.#passed + this.#failures.length === 0) this.fail('no test ran')
    if (this.#slow.length > 0) {
      write('\nslowest tests:\n')
      for (const { name, file, durationMs } of this.#slow.sort((a, b) => b.durationMs - a.durationMs).slice(0, slowShown)) {
        write(`  ${seconds(durationMs)}  ${name}  ${this.#place(file)}\n`)
      }
    }
    if (this.#failures.length > 0) write(`\nfailures:\n\n${this.#failures.join('\n')}\n`)
    write(`took ${seconds(performance.now() - this.#begunMs)}\n`)
    write(`${this.#passed} passed, ${this.#failures.length} failed${this.#skipped > 0 ? `, ${this.#skipped} skipped` : ''}\n`)
    return this.#failures.length > 0 ? 1 : 0
  }

  #takeEnded(test: Ended): void {
    const { write, tellEach } = this.#options
    const indent = '  '.repeat(test.nesting)
    if (test.durationMs > slowMs) this.#slow.push(test)
    switch (test.outcome) {
      case 'passed':
        this.#passed++
        if (tellEach) write(`${indent}✔ ${test.name} (${seconds(test.durationMs)})\n`)
        return
      case 'skipped':
        this.#skipped++
        write(`${indent}− ${test.name}: ${typeof test.why === 'string' ? test.why : 'skipped without a reason'}\n`)
        return
      case 'failed': {
        const text = `✖ ${test.name} (${this.#place(test.file, test.line)})\n${indented(String(test.why))}\n`
        this.#failures.push(text)
        write(text)
      }
    }
  }

  #place(file: string | undefined, line?: number): string {
    if (file === undefined) return ''
    return `${relative(this.#options.root, file)}${line === undefined ? '' : `:${line}`}`
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

function indented(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
