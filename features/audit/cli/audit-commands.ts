import { resolve } from 'node:path'
import { StatusError } from '@gantry/apimachinery'
import {
  secondsOf,
  textOption,
  UsageError,
  type Command,
  type CommandContext,
  type OptionDefinition,
  type OptionValues,
  type Output,
  type PlatformConnection,
} from '@gantry/cli-kit'
import { readBody, readWholeBody } from '@gantry/runtime'
import type { Clock, HttpResponse } from '@gantry/runtime'
import {
  auditPath,
  filterQuery,
  formatHead,
  longestPage,
  parseFilter,
  parseHead,
  type AuditFilter,
  type AuditHead,
  type AuditPage,
  type AuditRecord,
  type AuditStatus,
  type VerifyReport,
} from '../api/index.ts'
import { replay } from './replay.ts'

export type VerifyFolder = (dir: string, options: { readonly anchors: readonly AuditHead[]; readonly signal: AbortSignal }) => Promise<VerifyReport>

export interface AuditCommandsDeps {
  readonly clock: Clock
  readonly verifyFolder: VerifyFolder
}

const filterOptions: Readonly<Record<string, OptionDefinition>> = {
  user: { type: 'string', value: 'NAME', description: 'Who asked' },
  cluster: { type: 'string', value: 'NAME', description: 'Of which cluster' },
  namespace: { type: 'string', value: 'NAME', short: 'n', description: 'In which namespace' },
  resource: { type: 'string', value: 'NAME', description: 'For what, in the plural: pods' },
  name: { type: 'string', value: 'NAME', description: 'For which object' },
  verb: { type: 'string', value: 'VERB', description: 'get, list, watch, create, update, patch, delete, deletecollection' },
  decision: { type: 'string', value: 'WORD', description: 'allow, deny, or pass (the cluster itself decided)' },
  status: { type: 'string', value: 'CODE', description: 'What was answered: 403, or 4xx' },
  text: { type: 'string', value: 'TEXT', description: 'Words in any field, in this spelling' },
  since: { type: 'string', value: 'TIME', description: 'From then on: 2026-01-31T12:00:00Z, or how long ago: 90m, 12h, 7d' },
  until: { type: 'string', value: 'TIME', description: 'Before then' },
  recorded: { type: 'boolean', description: 'Only sessions that have a recording' },
}

/** `gantry audit …` */
export function auditCommands(deps: AuditCommandsDeps): readonly Command[] {
  const filterOf = (options: OptionValues): AuditFilter => readFilter(options, deps.clock.now())
  return [
    {
      name: 'audit search',
      summary: 'What was asked of the platform and its clusters, newest first',
      options: { ...filterOptions, limit: { type: 'string', value: 'N', description: 'How many at most (100)' } },
      examples: ['gantry audit search --user mallory --since 7d', 'gantry audit search --cluster prod --verb delete -n shop', 'gantry audit search --recorded'],
      run: ({ options, context }) => search(filterOf(options), limitOf(textOption(options, 'limit') ?? '100'), context),
    },
    {
      name: 'audit export',
      summary: 'All records that fit, oldest first, to standard output',
      options: { ...filterOptions, format: { type: 'string', value: 'FORMAT', description: 'jsonl or csv (jsonl)' } },
      examples: ['gantry audit export > audit.jsonl', 'gantry audit export --since 30d --format csv > audit.csv'],
      async run({ options, context }) {
        const query = filterQuery(filterOf(options))
        const format = textOption(options, 'format') ?? 'jsonl'
        if (format !== 'jsonl' && format !== 'csv') throw new UsageError(`--format "${format}" is none of jsonl, csv`)
        query.set('format', format)
        await using platform = await context.connect()
        const answer = await get(platform, `${auditPath}/export`, query.toString(), context.signal)
        for await (const chunk of readBody(answer)) await context.print(chunk)
        return undefined
      },
    },
    {
      name: 'audit verify',
      summary: 'Check that no record was changed, removed or put in',
      options: {
        dir: { type: 'string', value: 'DIR', description: 'Read the segments in this folder instead of asking Gantry for it' },
        anchor: { type: 'string', value: 'SEQ:HASH', description: 'What "gantry audit head" printed some time ago' },
      },
      examples: ['gantry audit verify', 'gantry audit verify --dir ~/.local/share/gantry/audit --anchor 4711:9f86…'],
      run: ({ options, context }) => verify(deps, options, context),
    },
    {
      name: 'audit head',
      summary: 'The end of the chain: kept elsewhere, it proves later that everything up to it is as it was',
      async run({ context }) {
        await using platform = await context.connect()
        return { kind: 'text', text: formatHead((await platform.call('GET', `${auditPath}/head`, { signal: context.signal })) as AuditHead) }
      },
    },
    {
      name: 'audit status',
      summary: 'How large the log is, what could not be kept, and how far it was sent on',
      async run({ context }) {
        await using platform = await context.connect()
        return { kind: 'text', text: describe((await platform.call('GET', `${auditPath}/status`, { signal: context.signal })) as AuditStatus) }
      },
    },
    {
      name: 'audit replay',
      summary: 'Play the recording of a session in this terminal',
      positionals: ['ID'],
      options: {
        speed: { type: 'string', value: 'FACTOR', description: 'How many times as fast (1)' },
        'idle-limit': { type: 'string', value: 'SECONDS', description: 'The longest pause (2)' },
        raw: { type: 'boolean', description: 'Print the asciicast v2 instead, for other players' },
      },
      examples: ['gantry audit replay 0b5c… --speed 4', 'gantry audit replay 0b5c… --raw > session.cast'],
      async run({ positionals: [id = ''], options, context }) {
        const speed = positive(options, 'speed', '1')
        const idleLimitMs = positive(options, 'idle-limit', '2') * 1_000
        await using platform = await context.connect()
        const answer = await get(platform, `${auditPath}/recordings/${encodeURIComponent(id)}`, '', context.signal)
        if (options['raw'] === true) for await (const chunk of readBody(answer)) await context.print(chunk)
        else await replay({ clock: deps.clock, print: (text) => context.print(text) }, readBody(answer), { speed, idleLimitMs, signal: context.signal })
        return undefined
      },
    },
  ]
}

async function search(filter: AuditFilter, limit: number, context: CommandContext): Promise<Output> {
  await using platform = await context.connect()
  const records: AuditRecord[] = []
  let token: string | undefined
  do {
    const query = filterQuery(filter)
    query.set('limit', String(Math.min(limit - records.length, longestPage)))
    if (token !== undefined) query.set('continue', token)
    const page = (await (await get(platform, auditPath, query.toString(), context.signal)).json()) as AuditPage
    records.push(...page.items)
    token = page.continue
  } while (token !== undefined && records.length < limit)
  return {
    kind: 'objects',
    objects: records.map((record) => ({ metadata: { name: String(record.seq) }, ...record })),
    columns: searchColumns,
    resource: 'auditrecord',
  }
}

const searchColumns = [
  { name: 'Time', value: ({ time }: AuditRecord) => time },
  { name: 'User', value: (record: AuditRecord) => (record.note === undefined ? (record.user ?? record.certificate) : undefined) },
  { name: 'Cluster', value: (record: AuditRecord) => (record.note === undefined ? record.cluster : undefined) },
  { name: 'Verb', value: (record: AuditRecord) => (record.note === undefined ? (record.verb ?? record.method) : record.note) },
  { name: 'What', value: whatOf },
  { name: 'Namespace', value: (record: AuditRecord) => (record.note === undefined ? record.namespace : undefined) },
  { name: 'Decision', value: (record: AuditRecord) => (record.note === undefined ? record.decision : undefined) },
  { name: 'Status', value: (record: AuditRecord) => (record.note === undefined ? record.status : undefined) },
  { name: 'Recording', value: (record: AuditRecord) => (record.note === undefined ? record.recording : undefined) },
]

function whatOf(record: AuditRecord): string | undefined {
  if (record.note === 'policy') return `policy in force: ${record.rules ?? `sha256 ${record.sha256}`}`
  if (record.note === 'loss') return `${record.lost} requests lost`
  if (record.note !== undefined) return undefined
  if (record.resource === undefined) return record.path
  return [[record.resource, record.subresource].filter((part) => part !== undefined).join('/'), record.name].filter((part) => part !== undefined).join(' ')
}

async function verify({ verifyFolder }: AuditCommandsDeps, options: OptionValues, context: CommandContext): Promise<Output> {
  const given = textOption(options, 'anchor')
  const anchor = given === undefined ? undefined : parseHead(given)
  if (given !== undefined && anchor === undefined) throw new UsageError(`--anchor "${given}" is no SEQ:HASH as "gantry audit head" prints it`)
  const dir = textOption(options, 'dir')
  const report =
    dir === undefined
      ? await askForReport(anchor, context)
      : await verifyFolder(resolve(dir), { anchors: anchor === undefined ? [] : [anchor], signal: context.signal })
  const { problem, records, segments, from, to, unchecked } = report
  if (problem !== undefined) {
    const place = `${problem.segment}, line ${problem.line}${problem.seq === undefined ? '' : ` (record ${problem.seq})`}`
    throw new StatusError('', `the audit log is not intact: ${place}: ${problem.message}; ${records} records before it are`, { code: 409 })
  }
  if (unchecked !== undefined) context.note(`the anchor is older than what is kept: record ${unchecked.join(', ')} was removed by retention`)
  const range = from === undefined || to === undefined ? '' : `, from ${from.seq} to ${formatHead(to)}`
  return { kind: 'text', text: `intact: ${records} records in ${segments} segments${range}` }
}

function describe({ head, segments, bytes, lost, forwarding }: AuditStatus): string {
  const rows = [
    `records     up to ${head.seq}, in ${segments} segments of ${Math.ceil(bytes / (1 << 20))} MiB`,
    `lost        ${lost} requests that are not on record yet`,
  ]
  if (forwarding === undefined) rows.push('forwarding  off')
  else {
    const { behind, sent, rejected, error } = forwarding
    rows.push(`forwarding  ${sent} sent, ${behind} waiting, ${forwarding.lost} lost, ${rejected} refused${error === undefined ? '' : `; now: ${error}`}`)
  }
  return rows.join('\n')
}

async function askForReport(anchor: AuditHead | undefined, context: CommandContext): Promise<VerifyReport> {
  await using platform = await context.connect()
  const query = anchor === undefined ? '' : `anchor=${encodeURIComponent(formatHead(anchor))}`
  return (await (await get(platform, `${auditPath}/verify`, query, context.signal)).json()) as VerifyReport
}

async function get(platform: PlatformConnection, path: string, query: string, signal: AbortSignal): Promise<HttpResponse & { json(): Promise<unknown> }> {
  const answer = await platform.hub.request({ method: 'GET', path, query, signal })
  const json = async (): Promise<unknown> => JSON.parse((await readWholeBody(answer, 64 << 20)).toString('utf8'))
  if (answer.status === 200) return { ...answer, json }
  const { message } = (await json()) as { readonly message?: string }
  throw new StatusError('', message ?? `the platform answers with HTTP ${answer.status}`, { code: answer.status })
}

function readFilter(options: OptionValues, now: Date): AuditFilter {
  const query = filterQuery({ ...options, recorded: options['recorded'] === true } as AuditFilter)
  for (const field of ['since', 'until']) {
    const ago = secondsOf(query.get(field) ?? '')
    if (ago !== undefined) query.set(field, new Date(now.getTime() - ago * 1_000).toISOString())
  }
  try {
    return parseFilter(query)
  } catch (error) {
    throw error instanceof StatusError ? new UsageError(error.message) : error
  }
}

function limitOf(text: string): number {
  const limit = Number(text)
  if (!/^\d{1,6}$/.test(text) || limit < 1) throw new UsageError(`--limit "${text}" is no number from 1 to 999999`)
  return limit
}

function positive(options: OptionValues, name: string, fallback: string): number {
  const text = textOption(options, name) ?? fallback
  const value = Number(text)
  if (!(value > 0 && value <= 1_000_000)) throw new UsageError(`--${name} "${text}" is no number above 0`)
  return value
}
