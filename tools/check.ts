// npm run check: finds everything that is wrong at once; npm run fix (--fix) mends what a machine can mend first.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { inParallel } from './in-parallel.ts'

interface Check {
  readonly name: string
  readonly command: readonly string[]
  /** Mends in place; the check runs after it. */
  readonly fix?: readonly string[]
  /** The check is part of a run only when this file exists. */
  readonly when?: string
}

interface Outcome {
  readonly passed: boolean
  readonly output: string
  readonly seconds: number
}

const bin = (name: string): string => join('node_modules', '.bin', name)
const node = process.execPath

/** The slowest first, so that the short ones fill the gaps. */
const checks: readonly Check[] = [
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--quiet'], fix: [bin('oxlint'), '--type-aware', '--fix', '--quiet'] },
  { name: 'types', command: [bin('tsc'), '-p', '.'] },
  { name: 'types of the console', command: [bin('tsc'), '-p', 'tsconfig.console.json'] },
  { name: 'dead code', command: [bin('knip'), '--no-progress', '--no-config-hints'] },
  { name: 'import directions', command: [node, 'tools/check-architecture.ts'] },
  {
    name: 'generated types',
    command: [node, 'tools/generate-kube-types.ts', '--check'],
    fix: [node, 'tools/generate-kube-types.ts'],
    when: 'tools/generate-kube-types.ts',
  },
  { name: 'lock file', command: [node, 'tools/repair-lock.js', '--check'], fix: [node, 'tools/repair-lock.js'] },
  { name: 'decisions', command: [node, 'tools/check-decisions.ts'] },
  { name: 'format', command: [bin('oxfmt'), '--check'], fix: [bin('oxfmt')] },
]

async function run(command: readonly string[]): Promise<Outcome> {
  const [program = '', ...args] = command
  const begunMs = performance.now()
  const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' } })
  const { promise: ended, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), ended])
  return { passed: code === 0, output: `${output}${errors}`.trim(), seconds: (performance.now() - begunMs) / 1000 }
}

const root = join(import.meta.dirname, '..')
const present = checks.filter(({ when }) => when === undefined || existsSync(join(root, when)))

if (process.argv.includes('--fix')) {
  // One after the other: two of them would write the same file.
  for (const { name, fix } of present) {
    if (fix === undefined) continue
    process.stdout.write(`fixing: ${name}\n`)
    await run(fix)
  }
}

const failed: string[] = []
await inParallel(present, { limit: availableParallelism() }, async ({ name, command }) => {
  const { passed, output, seconds } = await run(command)
  if (!passed) failed.push(name)
  process.stdout.write(passed ? `✔ ${name} (${seconds.toFixed(1)} s)\n` : `✖ ${name} (${seconds.toFixed(1)} s)\n${output}\n\n`)
})
process.stdout.write(
  failed.length === 0 ? `all ${present.length} checks passed\n` : `${failed.length} of ${present.length} checks failed: ${failed.join(', ')}\n`,
)
process.exitCode = failed.length === 0 ? 0 : 1
