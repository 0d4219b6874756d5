// npm run conformance [-- --write]: every claim about the Kubernetes API on both targets, counted by area. With --write also docs/conformance.md.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from 'node:test'
import { differences, kubectlDifferences, unclaimedDifferences } from './differences.ts'

interface Tally {
  held: number
  different: number
  failed: number
}

const targets = { kubernetes: 'real.kubernetes.ts', local: 'local.test.ts' } as const
type Target = keyof typeof targets
const testTimeoutMs = 120_000

/** Runs the claims against one target and counts them by area. Failures are printed as they come. */
async function count(target: Target): Promise<Map<string, Tally>> {
  const areas = new Map<string, Tally>()
  const stream = run({ files: [join(import.meta.dirname, targets[target])], isolation: 'none', timeout: testTimeoutMs })
  const path: string[] = []
  for await (const event of stream) {
    if (event.type === 'test:start') path[event.data.nesting] = event.data.name
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { name, nesting, details, skip } = event.data
    if (details.type === 'suite') {
      if (event.type === 'test:fail' && nesting === 0 && areas.size === 0) throw new Error(`${target} did not start`, { cause: details.error })
      continue
    }
    if (event.type === 'test:fail')
      process.stdout.write(`FAILED on ${target}: ${path.slice(1, nesting).join(', ')}: ${name}\n  ${event.data.details.error.message}\n`)
    const area = nesting === 2 ? (path[1] ?? '') : 'the list of differences'
    const tally = areas.get(area) ?? { held: 0, different: 0, failed: 0 }
    areas.set(area, tally)
    if (event.type === 'test:fail') tally.failed++
    else if (skip !== undefined && skip !== false) tally.different++
    else tally.held++
  }
  return areas
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? []
  const lines = rows.map((row) => `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`)
  return lines.toSpliced(1, 0, `|${widths.map((width, at) => `${'-'.repeat(width + 1)}${at === 0 ? '-' : ':'}`).join('|')}|`).join('\n')
}

function page(table: string): string {
  const lines = [
    '# Conformance',
    '',
    'Each claim about the Kubernetes API is one test body that runs against a real kube-apiserver and against the API server of the local cluster. `npm run conformance -- --write`',
    'makes this page.',
    '',
    table,
    '',
    '## Known differences',
    '',
    'A claim that is listed here has to fail on the target it names: once it holds, the run fails until the line is gone.',
    '',
    ...differences.map(({ target, claim, because }) => `- ${target === 'local' ? 'Gantry' : 'Kubernetes'}: ${claim}: ${because}.`),
    '',
    ...kubectlLines(),
    '## Seen, and in no claim yet',
    '',
    'Each with the reason; "not yet" where nobody has decided for it.',
    '',
    ...Object.entries(unclaimedDifferences).flatMap(([area, seen]) => [`### ${area}`, '', ...seen.map((text) => `- ${text}.`), '']),
  ]
  return lines.join('\n')
}

function kubectlLines(): string[] {
  const lines = Object.entries(kubectlDifferences).map(([command, because]) => `- \`kubectl ${command}\`: ${because}.`)
  if (lines.length === 0) return ['A person at kubectl sees the same after every command that is compared.', '']
  return ['After these commands a person at kubectl sees something else:', '', ...lines, '']
}

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { write: { type: 'boolean', default: false } } })
  const kubernetes = await count('kubernetes')
  const local = await count('local')
  const rows: (readonly string[])[] = []
  const sum = { claims: 0, kubernetes: 0, gantry: 0, different: 0, failed: 0 }
  for (const [area, real] of kubernetes) {
    const ours = local.get(area) ?? { held: 0, different: 0, failed: 0 }
    const claims = real.held + real.different + real.failed
    const different = real.different + ours.different
    rows.push([area, String(claims), String(real.held), String(ours.held), String(different)])
    sum.claims += claims
    sum.kubernetes += real.held
    sum.gantry += ours.held
    sum.different += different
    sum.failed += real.failed + ours.failed
    // A claim that one target never made is as bad as one that failed.
    if (claims !== ours.held + ours.different + ours.failed) sum.failed++
  }
  const table = formatTable([
    ['Area', 'Claims', 'Kubernetes holds', 'Gantry holds', 'Known differences'],
    ...rows,
    ['all', String(sum.claims), String(sum.kubernetes), String(sum.gantry), String(sum.different)],
  ])
  process.stdout.write(`${table}\n`)
  if (values.write) await writeFile(join(import.meta.dirname, '..', 'docs', 'conformance.md'), page(table))
  return sum.failed === 0 ? 0 : 1
}

process.exitCode = await main()
