import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, type Exchange, type Route } from '@gantry/gateway'
import { turnBudgetOn, type Clock, type HttpResponse, type UserInfo } from '@gantry/runtime'
import { projectKind, projectNamespace, tenantKind, tenantNamespace, type Project, type UsageReport, type UsageRow, type UsageStep } from '../../api/index.ts'
import { stepMs, type UsageChunk, type UsageSeries } from './usage-chunk.ts'
import { keptMs, others, type UsageHistories } from './usage-history.ts'

export interface UsageRoutesDeps {
  readonly clock: Clock
  readonly histories: UsageHistories
  /** The projects of a tenant, at any depth. */
  readonly projectsOf: (tenant: string) => readonly Project[]
  /** Whether a user may read an object of this feature on the hub. */
  readonly mayGet: (user: UserInfo, object: { readonly group: string; readonly resource: string; readonly namespace: string; readonly name: string }) => boolean
}

interface Asked {
  readonly tenant: string
  readonly project: string | undefined
  readonly step: UsageStep
  readonly fromMs: number
  readonly toMs: number
  readonly isEach: boolean
  readonly cluster: string | undefined
  readonly resource: string | undefined
  readonly isCsv: boolean
}

const prefixes = { tenants: '/platform/v1/tenants/', projects: '/platform/v1/projects/' } as const
const parameters: ReadonlySet<string> = new Set(['from', 'to', 'step', 'each', 'cluster', 'resource', 'format'])
const dayMs = 86_400_000
const maxRows = 50_000
/** Each unpacks a history: the event loop is everybody's. */
const mostReaders = 4
const { group, plural: resource } = projectKind
const notFound = (): StatusError => new StatusError('NotFound', 'the server could not find the requested resource')

/** What `UsageReport` says. A tenant's is for whoever may read the Tenant, a project's for whoever may read the Project; in it are the projects that the caller may read. */
export function usageRoutes(deps: UsageRoutesDeps): { readonly tenants: Route; readonly ofProject: (exchange: Exchange) => Promise<HttpResponse> } {
  let readers = 0
  async function reading(exchange: Exchange, tenant: string, project: string | undefined): Promise<HttpResponse> {
    if (readers >= mostReaders)
      throw new StatusError('TooManyRequests', `${readers} usage reports are being made already`, { details: { retryAfterSeconds: 1 } })
    readers++
    try {
      return await serve(deps, exchange, { tenant, project })
    } finally {
      readers--
    }
  }
  return {
    tenants: {
      path: prefixes.tenants,
      audience: 'platform',
      serve(exchange) {
        const [tenant = '', what, ...more] = exchange.request.path.slice(prefixes.tenants.length).split('/')
        if (what !== 'usage' || more.length > 0) throw notFound()
        return reading(exchange, tenant, undefined)
      },
    },
    ofProject(exchange) {
      const [tenant = '', project = ''] = exchange.request.path.slice(prefixes.projects.length).split('/')
      return reading(exchange, tenant, project)
    },
  }
}

async function serve(
  deps: UsageRoutesDeps,
  { request, caller }: Exchange,
  scope: { readonly tenant: string; readonly project: string | undefined },
): Promise<HttpResponse> {
  if (caller.kind !== 'platform') throw new StatusError('Unauthorized', 'Unauthorized')
  if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'usage takes a GET')
  const { user } = caller
  const { tenant, project: name } = scope
  const projects = deps.projectsOf(tenant)
  const may = ({ metadata }: Project): boolean => deps.mayGet(user, { group, resource, namespace: metadata.namespace ?? '', name: metadata.name ?? '' })
  const top = name === undefined ? undefined : projects.find(({ metadata }) => metadata.name === name)
  const isAllowed = name === undefined ? deps.mayGet(user, { group, resource: tenantKind.plural, namespace: '', name: tenant }) : top !== undefined && may(top)
  if (!isAllowed)
    throw new StatusError(
      'Forbidden',
      `there is no ${name === undefined ? `tenant ${tenant}` : `project ${tenant}/${name}`} that user "${user.username}" may read`,
    )
  const asked = askedFor(new URLSearchParams(request.query), scope, deps.clock.now().getTime())
  const shown = new Set((top === undefined ? projects : withThoseBelow(tenant, top, projects)).filter(may).map(({ metadata }) => metadata.uid ?? ''))
  // Who may read any project of the tenant may also read of those that are gone.
  const all = top === undefined && deps.mayGet(user, { group, resource, namespace: tenantNamespace(tenant), name: '' })
  const known = new Set(projects.map(({ metadata }) => metadata.uid ?? ''))
  const report = await reportOf(deps, asked, { isShown: ({ uid }) => shown.has(uid) || (all && !known.has(uid)), signal: request.signal })
  return asked.isCsv ? csvResponse(report) : jsonResponse(200, report)
}

function withThoseBelow(tenant: string, top: Project, projects: readonly Project[]): readonly Project[] {
  const found = [top]
  for (const one of found) {
    const own = projectNamespace(tenant, one.metadata.name ?? '')
    found.push(...projects.filter(({ metadata }) => metadata.namespace === own && !found.some((known) => known.metadata.uid === metadata.uid)))
  }
  return found
}

interface Sum {
  readonly of: UsageSeries
  reserved: number
  used: number
  peak: number
}

async function reportOf(
  { clock, histories }: UsageRoutesDeps,
  asked: Asked,
  { isShown, signal }: { readonly isShown: (of: UsageSeries) => boolean; readonly signal: AbortSignal },
): Promise<UsageReport> {
  const { tenant, project, step, fromMs, toMs, isEach } = asked
  const turns = turnBudgetOn(clock)
  const isAsked = (of: UsageSeries): boolean => (asked.cluster ?? of.cluster) === of.cluster && (asked.resource ?? of.resource) === of.resource && isShown(of)
  const sums = new Map<string, Sum>()
  const rows: UsageRow[] = []
  let observedSteps = 0
  for await (const chunk of histories.read(tenant, { step, fromMs, toMs }, { signal })) {
    observedSteps += chunk.taken.length
    if (isEach) {
      rows.push(...(await rowsOf(chunk, { asked, isAsked, pause: () => turns.pause() })))
      if (rows.length > maxRows)
        throw new StatusError('BadRequest', `there are more than ${maxRows} rows: ask for a shorter time, a longer step, one cluster or one resource`)
    } else
      for (const [key, { of, values }] of chunk.series) {
        if (!isAsked(of)) continue
        for (const slot of chunk.taken) {
          const value = values.get(slot)
          if (value === undefined) continue
          let sum = sums.get(key)
          if (sum === undefined) sums.set(key, (sum = { of, reserved: 0, used: 0, peak: 0 }))
          sum.reserved += value.reserved
          sum.used += value.used
          sum.peak = Math.max(sum.peak, value.peak)
        }
        await turns.pause()
      }
  }
  const hours = stepMs[step] / 3_600_000
  for (const { of, reserved, used, peak } of sums.values())
    rows.push({
      ...namesOf(tenant, of),
      reserved: rounded(reserved / observedSteps),
      used: rounded(used / observedSteps),
      peak,
      reservedHours: rounded(reserved * hours),
      usedHours: rounded(used * hours),
    })
  rows.sort((a, b) => compare(a.time ?? '', b.time ?? '') || compare(a.project, b.project) || compare(a.cluster, b.cluster) || compare(a.resource, b.resource))
  return {
    tenant,
    ...(project === undefined ? {} : { project: `${tenant}/${project}` }),
    step,
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    observedSteps,
    rows,
  }
}

async function rowsOf(
  { taken, series }: UsageChunk,
  {
    asked: { tenant, step },
    isAsked,
    pause,
  }: { readonly asked: Asked; readonly isAsked: (of: UsageSeries) => boolean; readonly pause: () => Promise<void> | undefined },
): Promise<readonly UsageRow[]> {
  const rows: UsageRow[] = []
  for (const { of, values } of series.values()) {
    if (!isAsked(of)) continue
    for (const slot of taken) {
      const value = values.get(slot)
      if (value !== undefined) rows.push({ time: new Date(slot * stepMs[step]).toISOString(), ...namesOf(tenant, of), ...value })
    }
    if (rows.length > maxRows) return rows
    await pause()
  }
  return rows
}

function namesOf(tenant: string, { project, cluster, resource: of }: UsageSeries): Pick<UsageRow, 'project' | 'cluster' | 'resource'> {
  return { project: project === others ? others : `${tenant}/${project}`, cluster, resource: of }
}

/** Throws BadRequest. */
function askedFor(query: URLSearchParams, scope: Pick<Asked, 'tenant' | 'project'>, nowMs: number): Asked {
  for (const name of query.keys())
    if (!parameters.has(name)) throw new StatusError('BadRequest', `"${name.slice(0, 80)}" is unknown: give ${[...parameters].join(', ')}`)
  const toMs = timeOf(query, 'to') ?? nowMs
  const fromMs = timeOf(query, 'from') ?? toMs - dayMs
  if (fromMs >= toMs) throw new StatusError('BadRequest', '"from" is not before "to"')
  const [step, format, each] = [query.get('step'), query.get('format') ?? 'json', query.get('each') ?? 'false']
  if (step !== null && step !== '5m' && step !== '1h' && step !== '1d') throw new StatusError('BadRequest', '"step" is none of 5m, 1h, 1d')
  if (format !== 'json' && format !== 'csv') throw new StatusError('BadRequest', '"format" is neither json nor csv')
  if (each !== 'true' && each !== 'false') throw new StatusError('BadRequest', '"each" is neither true nor false')
  return {
    ...scope,
    step: step ?? finestOf(nowMs - fromMs),
    fromMs,
    toMs,
    isEach: each === 'true',
    cluster: query.get('cluster') ?? undefined,
    resource: query.get('resource') ?? undefined,
    isCsv: format === 'csv',
  }
}

/** The finest step that is kept for that long. */
function finestOf(agoMs: number): UsageStep {
  return agoMs <= keptMs['5m'] ? '5m' : agoMs <= keptMs['1h'] ? '1h' : '1d'
}

function timeOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isFinite(ms)) throw new StatusError('BadRequest', `"${name}" is no time: write 2026-01-31T12:00:00Z`)
  return ms
}

// Names of projects, clusters and resources hold neither commas nor quotes, and begin with a letter, a digit or a bracket: nothing that a spreadsheet takes for a formula.
const columns = ['time', 'project', 'cluster', 'resource', 'reserved', 'used', 'peak', 'reservedHours', 'usedHours'] as const

function csvResponse({ rows, from }: UsageReport): HttpResponse {
  const lines = rows.map((row) => columns.map((column) => (column === 'time' ? (row.time ?? from) : (row[column] ?? ''))).join(','))
  return {
    status: 200,
    headers: {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="usage.csv"',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
    body: Buffer.from(`${[columns.join(','), ...lines].join('\n')}\n`),
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const rounded = (value: number): number => Math.round(value * 1_000) / 1_000
