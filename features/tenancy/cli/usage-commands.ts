import { StatusError } from '@gantry/apimachinery'
import { secondsOf, textOption, UsageError, type Command, type CommandContext, type OptionDefinition, type OptionValues, type Output } from '@gantry/cli-kit'
import { readWholeBody, type Clock } from '@gantry/runtime'
import type { UsageReport, UsageRow } from '../api/index.ts'
import { projectPath } from './scopes.ts'
import { table } from './table.ts'

const options: Readonly<Record<string, OptionDefinition>> = {
  from: { type: 'string', value: 'TIME', description: 'From then on: 2026-01-31T12:00:00Z, or how long ago: 12h, 30d (24h)' },
  to: { type: 'string', value: 'TIME', description: 'Before then (now)' },
  step: { type: 'string', value: 'STEP', description: '5m, 1h or 1d (the finest that is kept of that time: a day, 30 days, 400 days)' },
  each: { type: 'boolean', description: 'A row for each step rather than the sum' },
  cluster: { type: 'string', value: 'NAME', description: 'Only in this cluster' },
  resource: { type: 'string', value: 'NAME', description: 'Only of this resource: requests.cpu' },
  format: { type: 'string', value: 'FORMAT', description: 'table, csv or json (table)' },
}
const answerBytes = 64 << 20

/** `gantry tenants usage` and `gantry projects usage`. */
export function usageCommands(deps: { readonly clock: Clock }): readonly Command[] {
  return [
    {
      name: 'tenants usage',
      summary: 'What the projects of a tenant had reserved and used, by cluster and resource',
      positionals: ['TENANT'],
      options,
      examples: [
        'gantry tenants usage acme --from 30d',
        'gantry tenants usage acme --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --step 1d --format csv > january.csv',
      ],
      run: ({ positionals, options: given, context }) => show(deps, `tenants/${encodeURIComponent(positionals[0] ?? '')}`, given, context),
    },
    {
      name: 'projects usage',
      summary: 'What a project and those below it had reserved and used, by cluster and resource',
      positionals: ['TENANT/PROJECT'],
      options,
      examples: ['gantry projects usage acme/shop --from 7d --each --resource requests.cpu'],
      run({ positionals, options: given, context }) {
        const { tenant, name } = projectPath(positionals[0])
        return show(deps, `projects/${encodeURIComponent(tenant)}/${encodeURIComponent(name)}`, given, context)
      },
    },
  ]
}

async function show({ clock }: { readonly clock: Clock }, scope: string, given: OptionValues, context: CommandContext): Promise<Output> {
  const format = textOption(given, 'format') ?? 'table'
  if (format !== 'table' && format !== 'csv' && format !== 'json') throw new UsageError(`--format "${format}" is none of table, csv, json`)
  const query = new URLSearchParams(format === 'csv' ? { format } : {})
  for (const name of ['from', 'to']) {
    const text = textOption(given, name)
    const ago = secondsOf(text ?? '')
    if (text !== undefined) query.set(name, ago === undefined ? text : new Date(clock.now().getTime() - ago * 1_000).toISOString())
  }
  for (const name of ['step', 'cluster', 'resource']) {
    const text = textOption(given, name)
    if (text !== undefined) query.set(name, text)
  }
  if (given['each'] === true) query.set('each', 'true')
  await using platform = await context.connect()
  const answer = await platform.hub.request({ method: 'GET', path: `/platform/v1/${scope}/usage`, query: query.toString(), signal: context.signal })
  const text = (await readWholeBody(answer, answerBytes)).toString('utf8')
  if (answer.status !== 200)
    throw new StatusError('', (JSON.parse(text) as { readonly message?: string }).message ?? `the platform answers with HTTP ${answer.status}`, {
      code: answer.status,
    })
  if (format !== 'table') return { kind: 'text', text: text.trimEnd() }
  return { kind: 'text', text: linesOf(JSON.parse(text) as UsageReport).join('\n') }
}

function linesOf({ from, to, step, observedSteps, rows }: UsageReport): readonly string[] {
  const head = `from ${from} to ${to}, ${observedSteps} samples of ${step}`
  if (rows.length === 0) return [head, '', observedSteps === 0 ? 'the platform has not looked in this time' : 'nothing was reserved or used']
  const isEach = rows[0]?.time !== undefined
  const amounts = (row: UsageRow): readonly string[] =>
    isEach
      ? [row.reserved, row.used, row.peak].map((amount) => amountText(amount, row.resource))
      : [
          ...[row.reserved, row.used, row.peak].map((amount) => amountText(amount, row.resource)),
          ...[row.reservedHours ?? 0, row.usedHours ?? 0].map((amount) => amountText(amount, row.resource)),
        ]
  return [
    head,
    '',
    ...table([
      [...(isEach ? ['TIME'] : []), 'PROJECT', 'CLUSTER', 'RESOURCE', 'RESERVED', 'USED', 'PEAK', ...(isEach ? [] : ['RESERVED HOURS', 'USED HOURS'])],
      ...rows.map((row) => [...(row.time === undefined ? [] : [row.time]), row.project, row.cluster, row.resource, ...amounts(row)]),
    ]),
  ]
}

/** Bytes as GiB; everything else as it is. */
function amountText(amount: number, resource: string): string {
  return /(?:memory|storage)$/.test(resource) ? `${(amount / 2 ** 30).toFixed(2)} GiB` : String(Math.round(amount * 1_000) / 1_000)
}
