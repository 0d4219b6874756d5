import { StatusError } from '@gantry/apimachinery'
import { jsonResponse, type Caller, type Exchange, type Route } from '@gantry/gateway'
import type { HttpResponse } from '@gantry/runtime'
import { parseSearch, type SearchAnswer, type SearchItem, type SearchQuery } from '../api/index.ts'
import type { OpenKind } from './fleet-cache.ts'
import type { FleetApi } from './fleet-discovery.ts'
import { resourceKey, type FleetResource } from './kind-sight.ts'
import type { MemberFeed } from './member-feed.ts'
import { isStatusColumn, labelsOf, ownersOf, searchTest } from './search.ts'
import { rowsFrom } from './table-list.ts'
import { TablePrinter } from './table-printer.ts'
import { clusterState, freshnessHeaders, visibleFreshness, type FleetView } from './view.ts'

export const searchPath = '/platform/v1/fleet/search'
/** What is searched when no kind is named, beside the kinds that are being looked at. */
const defaultKinds = ['pods.', 'deployments.apps', 'statefulsets.apps', 'daemonsets.apps', 'jobs.batch', 'services.', 'nodes.', 'namespaces.']
const defaultLimit = 100
const maxLimit = 1_000
const maxKinds = 20
const maxWaitSeconds = 30
/** Changes that come together are told together. */
const gatherMs = 250

interface Position {
  readonly kind: string
  readonly cluster: string
  readonly namespace: string
  readonly name: string
}

export function searchRoute(view: FleetView): Route {
  return { path: searchPath, audience: 'platform', serve: (exchange) => search(view, exchange) }
}

async function search(view: FleetView, { request, caller }: Exchange): Promise<HttpResponse> {
  if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'a search takes a GET')
  const asked = new URLSearchParams(request.query)
  const text = asked.get('q') ?? ''
  const limit = numberOf(asked, 'limit', { most: maxLimit }) ?? defaultLimit
  const query = queryOf(text)
  const api = await view.discovery.union(view.firstAnswerMs, request.signal)
  const opened: OpenKind[] = []
  try {
    for (const resource of kindsOf(view, api, query)) opened.push(view.cache.open(resource, { caller, namespace: undefined }))
    const since = numberOf(asked, 'since', { most: Number.MAX_SAFE_INTEGER })
    const wait = numberOf(asked, 'wait', { most: maxWaitSeconds }) ?? 0
    if (since !== undefined && wait > 0) await change(view, opened, { since, waitMs: wait * 1_000, signal: request.signal })
    await Promise.all(opened.map(({ kind }) => kind.settled(view.firstAnswerMs, request.signal)))
    const token = asked.get('continue') ?? ''
    return await answer(view, caller, {
      api,
      opened,
      query,
      limit,
      text,
      from: token === '' ? undefined : (view.tokens.open(token, `search\n${text}`) as Position),
    })
  } finally {
    for (const open of opened) open[Symbol.dispose]()
  }
}

async function answer(
  view: FleetView,
  caller: Caller,
  how: {
    readonly api: FleetApi
    readonly opened: readonly OpenKind[]
    readonly query: SearchQuery
    readonly limit: number
    readonly text: string
    readonly from: Position | undefined
  },
): Promise<HttpResponse> {
  const { api, opened, query, limit, text, from } = how
  const { sequence } = view.cache
  const nowMs = view.clock.now().getTime()
  const items: SearchItem[] = []
  let next: string | undefined
  const begin =
    from === undefined
      ? 0
      : Math.max(
          0,
          opened.findIndex(({ kind }) => resourceKey(kind.resource) === from.kind),
        )
  for (const { kind } of opened.slice(begin)) {
    const printer = new TablePrinter(kind, { withObject: false })
    const version = versionOf(api, kind.resource)
    const position = resourceKey(kind.resource) === from?.kind ? from : undefined
    let last: Position | undefined
    for await (const { feed, slot } of rowsFrom({ view, caller }, kind, { hasCluster: () => true, isSelected: searchTest(query) }, position)) {
      if (items.length === limit) {
        // Behind the last object shown; where this kind shows none yet, at its beginning.
        next = view.tokens.seal(last ?? { kind: resourceKey(kind.resource), cluster: '', namespace: '', name: '' }, `search\n${text}`)
        break
      }
      const item = itemOf(feed, slot, { printer, nowMs, resource: kind.resource, version })
      last = { kind: resourceKey(kind.resource), cluster: item.cluster, namespace: item.namespace ?? '', name: item.name }
      items.push(item)
    }
    if (next !== undefined) break
  }
  const freshness = worst(opened.flatMap(({ kind }) => visibleFreshness(view, caller, kind.freshness)))
  const body: SearchAnswer = {
    items,
    ...(next === undefined ? {} : { continue: next }),
    sequence,
    clusters: freshness.map(clusterState),
  }
  const response = jsonResponse(200, body)
  return { ...response, headers: { ...response.headers, ...freshnessHeaders(freshness, nowMs) } }
}

function itemOf(
  feed: MemberFeed,
  slot: number,
  how: { readonly printer: TablePrinter; readonly nowMs: number; readonly resource: FleetResource; readonly version: string },
): SearchItem {
  const { printer, nowMs, resource, version } = how
  const row = feed.table.row(slot)
  const texts = printer.cells(feed, row, nowMs)
  const cells = Object.fromEntries(printer.columns.map(({ name }, at) => [name, JSON.parse(texts[at] ?? 'null') as SearchItem['cells'][string]]))
  const status = printer.columns.find(({ name }) => name === 'Status') ?? printer.columns.find(isStatusColumn)
  const owners = ownersOf(row.owners)
  return {
    cluster: feed.cluster,
    group: resource.group,
    version,
    resource: resource.resource,
    kind: resource.kind,
    ...(row.namespace === '' ? {} : { namespace: row.namespace }),
    name: row.name,
    ...(Number.isNaN(row.createdS) ? {} : { created: `${new Date(row.createdS * 1_000).toISOString().slice(0, 19)}Z` }),
    ...(status === undefined ? {} : { status: String(cells[status.name] ?? '') }),
    ...(row.labels === '' ? {} : { labels: labelsOf(row.labels) }),
    ...(owners.length === 0 ? {} : { owners }),
    ...(row.images === '' ? {} : { images: row.images.split(',') }),
    cells,
  }
}

function queryOf(text: string): SearchQuery {
  try {
    return parseSearch(text)
  } catch (error) {
    throw new StatusError('BadRequest', error instanceof Error ? error.message : String(error))
  }
}

/** The kinds that a search names, by any of the names that kubectl takes; a word with stars in it may name several. Throws BadRequest for one that nobody serves. */
function kindsOf(view: FleetView, api: FleetApi, { terms }: SearchQuery): readonly FleetResource[] {
  const named = terms.filter(({ key, isNot }) => key === 'kind' && !isNot).flatMap(({ values }) => values)
  const names = namesOf(api)
  const found = new Map<string, FleetResource>()
  if (named.length === 0) {
    for (const key of [...defaultKinds, ...view.cache.openKinds.map(({ resource }) => resourceKey(resource))]) {
      const resource = api.resources.get(key)
      if (resource !== undefined) found.set(key, resource)
    }
  }
  for (const name of named) {
    const resource = names.get(name)
    if (resource === undefined) throw new StatusError('BadRequest', `no cluster that answers serves the kind "${name}"`)
    found.set(resourceKey(resource), resource)
  }
  for (const { key, isNot, values } of terms) {
    if (key === 'kind' && isNot) for (const value of values) found.delete(resourceKey(names.get(value) ?? { resource: value, group: '' }))
  }
  if (found.size > maxKinds) throw new StatusError('BadRequest', `a search is over at most ${maxKinds} kinds at once`)
  return [...found.values()]
}

/** Earlier groups keep a name that two of them use: `events` are those of the core group. */
function namesOf({ groups, resources }: FleetApi): ReadonlyMap<string, FleetResource> {
  const names = new Map<string, FleetResource>()
  for (const { metadata, versions } of groups) {
    for (const { resource, singularResource, shortNames } of versions.flatMap((version) => version.resources ?? [])) {
      const group = metadata.name ?? ''
      const known = resources.get(resourceKey({ resource, group }))
      if (known === undefined) continue
      for (const name of [`${resource}.${group}`, resource, singularResource ?? '', known.kind.toLowerCase(), ...(shortNames ?? [])]) {
        if (name !== '' && !names.has(name)) names.set(name, known)
      }
    }
  }
  return names
}

function versionOf({ groups }: FleetApi, { group, resource }: FleetResource): string {
  const versions = groups.find(({ metadata }) => (metadata.name ?? '') === group)?.versions
  return versions?.find(({ resources }) => resources?.some((one) => one.resource === resource))?.version ?? ''
}

/** Of each cluster the state of the kind that is worst off. */
function worst(all: ReturnType<typeof visibleFreshness>): ReturnType<typeof visibleFreshness> {
  const order = ['notServed', 'live', 'loading', 'stale', 'failed']
  const byCluster = new Map<string, (typeof all)[number]>()
  for (const one of all) {
    const known = byCluster.get(one.cluster)
    if (known === undefined || order.indexOf(one.phase) > order.indexOf(known.phase)) byCluster.set(one.cluster, one)
  }
  return [...byCluster.values()]
}

/** Resolves a moment after one of the kinds has changed, or when the time is up. */
async function change(
  view: FleetView,
  opened: readonly OpenKind[],
  { since, waitMs, signal }: { readonly since: number; readonly waitMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const leave = [view.clock.schedule(resolve, waitMs)]
  const soon = (): void => {
    if (leave.length > opened.length + 1) return
    leave.push(view.clock.schedule(resolve, gatherMs))
  }
  for (const { kind } of opened) leave.push(kind.subscribe(soon))
  if (opened.some(({ kind }) => kind.changedAt > since)) soon()
  signal.addEventListener('abort', () => resolve(), { once: true })
  await promise
  for (const stop of leave) stop()
  signal.throwIfAborted()
}

function numberOf(asked: URLSearchParams, name: string, { most }: { readonly most: number }): number | undefined {
  const text = asked.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0 || value > most) throw new StatusError('BadRequest', `"${name}" must be a whole number from 0 to ${most}`)
  return value
}
