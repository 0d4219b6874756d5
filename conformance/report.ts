// npm run conformance [-- --write]: every claim about the Kubernetes API on both targets, counted by area. With --write also docs/conformance.md.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from 'node:test'
import { differences, differentialDifferences, kubectlDifferences, unclaimedDifferences } from './differences.ts'
import { commands } from './kubectl/commands.ts'
import { commandSection, rowOfCommand, rowsOf, sections, withoutClaim } from './rows.ts'
import type { Section } from './rows.ts'

interface Tally {
  held: number
  different: number
  failed: number
}

const targets = { kubernetes: 'real.kubernetes.ts', local: 'local.test.ts' } as const
type Target = keyof typeof targets
const testTimeoutMs = 120_000

/** Suites of their own that show rows too, with processes or servers that no body has. */
const otherSuites = ['aggregation', 'audit-policy', 'clients', 'components', 'front-door', 'identity-config'] as const

/** Runs the claims against one target and counts them by area, and those that hold by row. Failures are printed as they come. */
async function count(target: Target, rows: Map<string, number>): Promise<Map<string, Tally>> {
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
    else {
      tally.held++
      if (nesting === 2) for (const row of rowsOf(name)) rows.set(row, (rows.get(row) ?? 0) + 1)
    }
  }
  return areas
}

function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_cell, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? []
  const lines = rows.map((row) => `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`)
  return lines.toSpliced(1, 0, `|${widths.map((width, at) => `${'-'.repeat(width + 1)}${at === 0 ? '-' : ':'}`).join('|')}|`).join('\n')
}

/** The rows that the tests of the other suites name. */
async function rowsElsewhere(): Promise<Map<string, readonly string[]>> {
  const found = new Map<string, readonly string[]>()
  for (const suite of otherSuites) {
    const dir = join(import.meta.dirname, suite)
    for (const file of await readdir(dir)) {
      if (!file.endsWith('.ts')) continue
      for (const [, rows = ''] of (await readFile(join(dir, file), 'utf8')).matchAll(/\(([A-Z]\d+(?:, [A-Z]\d+)*)\)['`]/g))
        for (const row of rows.split(', ')) found.set(row, [...new Set([...(found.get(row) ?? []), suite])])
    }
  }
  return found
}

/** Every row that the specification has: how many claims about it hold on both targets, or which other suite shows it. */
function rowLines(section: Section, rows: ReadonlyMap<string, number>, elsewhere: ReadonlyMap<string, readonly string[]>): string {
  const shown = section.rows.map((row) => {
    const suites = elsewhere.get(row) ?? []
    const parts = [rows.get(row) ?? 0, ...suites].filter((part) => part !== 0)
    return `${row}: ${parts.length === 0 ? '**none**' : parts.join(' + ')}`
  })
  return `- ${section.title}: ${shown.join(' · ')}`
}

function missing(section: Section, rows: ReadonlyMap<string, number>, elsewhere: ReadonlyMap<string, readonly string[]>): string[] {
  return section.rows.filter((row) => !rows.has(row) && !elsewhere.has(row))
}

function page(table: string, rows: readonly string[]): string {
  const lines = [
    '# Conformance',
    '',
    'Each claim about the Kubernetes API is one test body that runs against a real kube-apiserver and against the API server of the local cluster. `npm run conformance -- --write`',
    'makes this page.',
    '',
    table,
    '',
    '## Rows of the specification',
    '',
    'Each row with the number of claims about it that hold on both targets, and the other suites of `conformance/` that show it; of what kubectl does, the number of commands.',
    '',
    ...rows,
    '',
    '## Known differences',
    '',
    'A claim that is listed here has to fail on the target it names: once it holds, the run fails until the line is gone.',
    '',
    ...differences.map(({ target, claim, because }) => `- ${target === 'local' ? 'Gantry' : 'Kubernetes'}: ${claim}: ${because}.`),
    '',
    ...kubectlLines(),
    '## Known to the differential run',
    '',
    'What requests made by chance (`npm run differential`) are answered otherwise in, and why.',
    '',
    ...differentialDifferences.map(({ because }) => `- ${because}.`),
    '',
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
  const held = { kubernetes: new Map<string, number>(), local: new Map<string, number>() }
  const kubernetes = await count('kubernetes', held.kubernetes)
  const local = await count('local', held.local)
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
  const claims = new Map([...held.local].map(([row, number]) => [row, Math.min(number, held.kubernetes.get(row) ?? 0)]))
  const told = new Map([...Map.groupBy(commands, ({ line }) => rowOfCommand(line))].map(([row, lines]) => [row, lines.length]))
  const elsewhere = await rowsElsewhere()
  const lines = [...sections.map((section) => rowLines(section, claims, elsewhere)), rowLines(commandSection, told, new Map())]
  const without = [...sections.flatMap((section) => missing(section, claims, elsewhere)), ...missing(commandSection, told, new Map())]
  const missed = [without.length === 0 ? 'Every row has a claim.' : 'Without a claim:', ...without.map((row) => `- ${row}: ${withoutClaim[row] ?? 'not yet'}`)]
  process.stdout.write(`${table}\n\n${lines.join('\n')}\n\n${missed.join('\n')}\n`)
  if (values.write) await writeFile(join(import.meta.dirname, '..', 'docs', 'conformance.md'), page(table, [...lines, '', ...missed]))
  return sum.failed === 0 ? 0 : 1
}

process.exitCode = await main()
