import { JsonItems } from '@gantry/client'
import { isJsonObject, isReason, ownValue, setOwn, StatusError, type JsonObject, type RequestInfo, type TableColumnDefinition } from '@gantry/apimachinery'
import { deadline, type Caller } from '@gantry/gateway'
import { turnBudgetOn, type Handler, type HttpResponse } from '@gantry/runtime'
import { clusterLabel, memberVersionAnnotation, qualifiedName, splitName } from '../api/index.ts'
import { clusterColumn, positionsOf } from './columns.ts'
import { groupVersionPath } from './fleet-discovery.ts'
import type { ClusterFreshness, FleetResource, KindSight } from './kind-sight.ts'
import type { EventForm, VisibleChange } from './fleet-watch.ts'
import { askMember, readUntil } from './member-feed.ts'
import type { Selection } from './selection.ts'
import { jsonHeaders, limitOf, listName } from './table-list.ts'
import { freshnessHeaders, mayKnowCluster, mayReadRow, visibleFreshness, warningHeader, type FleetCall, type FleetView } from './view.ts'

/** The form in which objects are wanted. */
export type ObjectForm = 'Object' | 'PartialObjectMetadata' | 'Table'

const memberPage = 250
const memberTimeoutMs = 20_000
/** Until an answer begins. */
const memberHeadTimeoutMs = 5_000
const maxPageObjects = 1_000
const maxPageBytes = 32 << 20
const maxObjectBytes = 16 << 20
const lookupTimeoutMs = 5_000
const lookupsAtOnce = 16

function acceptOf(form: ObjectForm, isList: boolean): string {
  if (form === 'Object') return 'application/json'
  const as = form === 'PartialObjectMetadata' && isList ? 'PartialObjectMetadataList' : form
  return `application/json;as=${as};g=meta.k8s.io;v=v1`
}

/** An object as it is in the fleet: with its cluster in its name and its labels, and a version of the fleet. */
export function inFleet(object: JsonObject, cluster: string, version: string): JsonObject {
  const given = ownValue(object, 'metadata')
  const metadata: JsonObject = isJsonObject(given) ? given : {}
  const [name, labels, annotations, own] = ['name', 'labels', 'annotations', 'resourceVersion'].map((key) => ownValue(metadata, key))
  if (typeof name === 'string') metadata['name'] = qualifiedName(cluster, name)
  metadata['labels'] = { ...(isJsonObject(labels) ? labels : {}), [clusterLabel]: cluster }
  if (typeof own === 'string') {
    metadata['annotations'] = { ...(isJsonObject(annotations) ? annotations : {}), [memberVersionAnnotation]: own }
    metadata['resourceVersion'] = version
  }
  setOwn(object, 'metadata', metadata)
  return object
}

function keyOf(object: unknown): { readonly namespace: string; readonly name: string } | undefined {
  if (!isJsonObject(object)) return undefined
  const metadata = ownValue(object, 'metadata')
  if (!isJsonObject(metadata) || typeof metadata['name'] !== 'string') return undefined
  return { name: metadata['name'], namespace: typeof metadata['namespace'] === 'string' ? metadata['namespace'] : '' }
}

/** A row of a member's Table as one of the fleet's. */
function rowInFleet(row: JsonObject, cluster: string, version: string, positions: readonly number[]): JsonObject {
  const cells: readonly unknown[] = Array.isArray(row['cells']) ? row['cells'] : []
  const object = row['object']
  return {
    cells: [cluster, ...positions.map((at) => cells[at] ?? null)],
    ...(row['conditions'] === undefined ? {} : { conditions: row['conditions'] }),
    object: isJsonObject(object) ? inFleet(object, cluster, version) : null,
  }
}

interface Position {
  readonly cluster: string
  /** The member's own; empty for its first page. */
  readonly token: string
  readonly sequence: number
}

/**
 * A list of whole objects (or of Tables with whole objects in them, or by fields that only a cluster can select by): asked of the clusters page by page and passed on,
 * nothing of it is kept. The kind stays open beside it, so that a watch can go on from here.
 */
export async function listObjects(
  { view, caller, info }: FleetCall,
  kind: KindSight,
  how: { readonly selection: Selection; readonly form: ObjectForm; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const { form, selection, signal } = how
  const limit = limitOf(info)
  const list = listName(info, form)
  const given = info.query.get('continue') ?? ''
  const from = given === '' ? undefined : (view.tokens.open(given, list) as Position)
  const sequence = from?.sequence ?? view.cache.sequence
  const { columns } = kind
  const problems: string[] = []
  const unserved: string[] = []
  const lines = new MemberLists(view, caller, { info, kind, selection, form, columns, sequence, problems, unserved })
  const freshness = visibleFreshness(view, caller, kind.freshness, selection.hasCluster).map((one) => (one.phase === 'stale' ? asFailed(one) : one))
  const { group, version } = info
  const isTable = form === 'Table'
  const [type, apiVersion] = isTable
    ? ['Table', 'meta.k8s.io/v1']
    : form === 'PartialObjectMetadata'
      ? ['PartialObjectMetadataList', 'meta.k8s.io/v1']
      : [`${kind.resource.kind}List`, group === '' ? version : `${group}/${version}`]
  const head = `{"kind":${JSON.stringify(type)},"apiVersion":${JSON.stringify(apiVersion)},${isTable ? `"columnDefinitions":${JSON.stringify([clusterColumn, ...columns])},"rows"` : '"items"'}:[`
  const foot = (token: string): string => `],"metadata":{"resourceVersion":"${sequence}"${token === '' ? '' : `,"continue":"${token}"`}}}\n`

  if (Number.isFinite(limit)) {
    const parts: string[] = []
    let bytes = 0
    let count = 0
    let at: Position | undefined = from ?? lines.first()
    const most = Math.min(limit, maxPageObjects)
    while (at !== undefined && count < most && bytes < maxPageBytes) {
      const page = await lines.page(at, most - count, signal)
      for (const item of page.items) {
        parts.push(count++ === 0 ? item : `,${item}`)
        bytes += item.length
      }
      at = page.next
    }
    const token = at === undefined ? '' : view.tokens.seal(at, list)
    return {
      status: 200,
      headers: { ...jsonHeaders, ...freshnessHeaders(freshness, view.clock.now().getTime(), [...problems, ...unserved]) },
      body: `${head}${parts.join('')}${foot(token)}`,
    }
  }
  return {
    status: 200,
    headers: { ...jsonHeaders, ...freshnessHeaders(freshness, view.clock.now().getTime()) },
    async body(sink) {
      let separator = head
      for (let at = lines.first(); at !== undefined;) {
        const page = await lines.page(at, maxPageObjects, sink.signal)
        // The head is out: half a list must not look whole.
        const [problem] = problems
        if (problem !== undefined) throw new StatusError('ServiceUnavailable', problem)
        for (const item of page.items) {
          if (!sink.write(separator + item)) await sink.drained()
          separator = ','
        }
        at = page.next
      }
      sink.write((separator === head ? head : '') + foot(''))
    },
  }
}

/** Whole objects are not kept: nothing is shown of a cluster that cannot be followed. */
function asFailed(one: ClusterFreshness): ClusterFreshness {
  return { ...one, phase: 'failed', rows: 0 }
}

interface ListPlan {
  readonly info: RequestInfo
  readonly kind: KindSight
  readonly selection: Selection
  readonly form: ObjectForm
  readonly columns: readonly TableColumnDefinition[]
  readonly sequence: number
  /** What could not be asked, and why. */
  readonly problems: string[]
  /** What has no such kind in the version that is asked for. */
  readonly unserved: string[]
  /** For objects that stand by themselves: members leave it out of the items of a list. */
  readonly type?: { readonly apiVersion: string; readonly kind: string } | undefined
}

class MemberLists {
  readonly #view: FleetView
  readonly #caller: Caller
  readonly #plan: ListPlan

  constructor(view: FleetView, caller: Caller, plan: ListPlan) {
    this.#view = view
    this.#caller = caller
    this.#plan = plan
  }

  first(): Position | undefined {
    return this.#from(this.#view.members.names())
  }

  /** The next objects, at most `room`: of the cluster at a position, and of those behind it that are small enough to be asked at once. One that cannot answer is named among the problems. */
  async page(at: Position, room: number, signal: AbortSignal): Promise<{ readonly items: readonly string[]; readonly next: Position | undefined }> {
    const limit = Math.min(room, memberPage)
    const asked = [at, ...(at.token === '' ? this.#smallOnesAfter(at, room) : [])]
    const answers = await Promise.all(asked.map(async (position) => ({ position, ...(await this.#answer(position, limit, signal)) })))
    const items: string[] = []
    for (const { position, items: own, token } of answers) {
      // They have grown since they were counted: the next page begins with this one.
      if (items.length > 0 && items.length + own.length > room) return { items, next: position }
      for (const item of own) items.push(item)
      if (token !== '') return { items, next: { ...position, token } }
    }
    return { items, next: this.#after(asked.at(-1)?.cluster ?? at.cluster) }
  }

  async #answer(at: Position, limit: number, signal: AbortSignal): Promise<{ readonly items: readonly string[]; readonly token: string }> {
    const { cluster } = at
    try {
      return await this.#ask(at, limit, signal)
    } catch (error) {
      signal.throwIfAborted()
      // A place in a member's list that is too old is one in ours.
      if (isReason(error, 'Expired') || isReason(error, 'BadRequest') || isReason(error, 'Invalid')) throw error
      if (mayKnowCluster(this.#view, this.#caller, cluster)) {
        const { problems, unserved } = this.#plan
        const missing = `cluster "${cluster}" is missing: ${error instanceof Error ? error.message : String(error)}`
        if (isReason(error, 'NotFound')) unserved.push(missing)
        else problems.push(missing)
      }
      return { items: [], token: '' }
    }
  }

  /** Clusters that follow and whose objects fit in what is left, as far as the cache has counted them. */
  #smallOnesAfter(at: Position, room: number): readonly Position[] {
    const { kind } = this.#plan
    const sizeOf = (cluster: string): number => kind.feed(cluster)?.table.size ?? 0
    const found: Position[] = []
    let last = at
    let left = room - sizeOf(at.cluster)
    while (found.length + 1 < lookupsAtOnce && sizeOf(last.cluster) < memberPage) {
      const next = this.#after(last.cluster)
      if (next === undefined) break
      left -= sizeOf(next.cluster)
      if (left < 0) break
      found.push(next)
      last = next
    }
    return found
  }

  #after(cluster: string): Position | undefined {
    const names = this.#view.members.names()
    const at = names.indexOf(cluster)
    return this.#from(at === -1 ? names.filter((name) => name > cluster) : names.slice(at + 1))
  }

  /** A cluster that does not answer the cache is not waited for again: the freshness of the kind says so already. */
  #from(names: readonly string[]): Position | undefined {
    const { kind, selection, sequence } = this.#plan
    const isThere = (name: string): boolean => {
      const feed = kind.feed(name)
      return feed?.phase === 'live' || (feed?.phase === 'loading' && feed.table.size > 0)
    }
    const cluster = names.find((name) => selection.hasCluster(name) && isThere(name))
    return cluster === undefined ? undefined : { cluster, token: '', sequence }
  }

  async #ask({ cluster, token }: Position, limit: number, signal: AbortSignal): Promise<{ readonly items: readonly string[]; readonly token: string }> {
    const { info, kind, selection, form, columns, sequence, type } = this.#plan
    const { resource } = kind
    using within = deadline(this.#view.clock, memberTimeoutMs, signal)
    const handle = handlerFor(this.#view, this.#caller, cluster)
    if (handle === undefined) throw new StatusError('ServiceUnavailable', 'it is not known any more')
    if (!(await this.#view.discovery.serves(cluster, resource, info.version, within.signal))) {
      throw new StatusError('NotFound', `it does not serve ${resource.resource} in version ${info.version}`)
    }
    const query = [
      `limit=${limit}`,
      ...(token === '' ? [] : [`continue=${encodeURIComponent(token)}`]),
      ...(selection.memberQuery === '' ? [] : [selection.memberQuery]),
      ...(form === 'Table' ? [`includeObject=${info.query.get('includeObject') === 'Object' ? 'Object' : 'Metadata'}`] : []),
    ].join('&')
    const path = collectionPath(resource, info.version, selection.namespace)
    const response = await askMember(this.#view.clock, handle, {
      path,
      query,
      accept: acceptOf(form, true),
      signal: within.signal,
      withinMs: memberHeadTimeoutMs,
    })
    const budget = turnBudgetOn(this.#view.clock)
    const found: string[] = []
    const parser = new JsonItems()
    let positions: readonly number[] | undefined
    for await (const chunk of readUntil(response, within.signal)) {
      for (const item of parser.take(chunk)) {
        const value: unknown = JSON.parse(item.toString('utf8'))
        if (form === 'Table') positions ??= positionsOf(columns, (parser.head()['columnDefinitions'] ?? []) as readonly TableColumnDefinition[])
        const object = form === 'Table' && isJsonObject(value) ? value['object'] : value
        const key = keyOf(object)
        if (key === undefined || !isJsonObject(value)) throw new StatusError('InternalError', 'it lists something that is no object')
        await budget.pause()
        if (!mayReadRow(this.#view, this.#caller, resource, { cluster, ...key })) continue
        const version = versionOf(kind, cluster, key, sequence)
        if (form === 'Table') found.push(JSON.stringify(rowInFleet(value, cluster, version, positions ?? [])))
        else found.push(JSON.stringify(inFleet(type === undefined ? value : { ...type, ...value }, cluster, version)))
        if (found.length > limit * 2) throw new StatusError('InternalError', 'it answers more than it was asked for')
      }
    }
    const { metadata } = parser.rest() as { readonly metadata?: { readonly continue?: string } }
    const next = metadata?.continue ?? ''
    if (next !== '' && next === token) throw new StatusError('InternalError', 'it answers the same page again and again')
    return { items: found, token: next }
  }
}

function collectionPath({ group, resource, namespaced }: FleetResource, version: string, namespace: string | undefined): string {
  const inside = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''
  return `${groupVersionPath(group, version)}${inside}/${resource}`
}

/** The fleet's version of an object: that of its last change, as far as it is known. */
function versionOf(
  kind: Pick<KindSight, 'feed'> | undefined,
  cluster: string,
  key: { readonly namespace: string; readonly name: string },
  otherwise: number,
): string {
  const table = kind?.feed(cluster)?.table
  const slot = table?.find(key.namespace, key.name)
  return String(table === undefined || slot === undefined ? otherwise : table.sequenceOf(slot))
}

/** One object, by its name in the fleet, or by its own where only one cluster has it. */
export async function getObject(
  { view, caller, info }: FleetCall,
  resource: FleetResource,
  { form, signal }: { readonly form: ObjectForm; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const names = view.members.names()
  const inNamespace = info.namespace === undefined || !resource.namespaced ? undefined : splitName(info.namespace, names)
  const asked = splitName(info.name, names)
  if (asked.cluster !== undefined && inNamespace?.cluster !== undefined && asked.cluster !== inNamespace.cluster) throw notFound(resource, info.name)
  const cluster = asked.cluster ?? inNamespace?.cluster
  const at = { namespace: inNamespace?.name ?? '', name: asked.name }
  const where = cluster === undefined ? names : [cluster]
  const readable = where.filter((name) => mayReadRow(view, caller, resource, { cluster: name, ...at }))
  if (readable.length === 0) throw notFound(resource, info.name)

  const found: { readonly cluster: string; readonly object: JsonObject }[] = []
  const problems: string[] = []
  const peeked = view.cache.peek(resource, { caller, namespace: undefined })
  for (let first = 0; first < readable.length && found.length < 10; first += lookupsAtOnce) {
    await Promise.all(
      readable.slice(first, first + lookupsAtOnce).map(async (name) => {
        // One that is known to fail is not waited for, unless it is the one that was asked for.
        const known = peeked?.feed(name)
        if (cluster === undefined && (known?.phase === 'failed' || known?.phase === 'notServed')) {
          if (known.phase === 'failed') problems.push(`cluster "${name}" did not answer: ${known.problem ?? ''}`)
          return
        }
        try {
          const object = await fetchObject(
            { view, caller },
            name,
            { resource, version: info.version, form, includeObject: info.query.get('includeObject') ?? 'Metadata', ...at },
            signal,
          )
          if (object !== undefined) found.push({ cluster: name, object })
        } catch (error) {
          signal.throwIfAborted()
          // What the one that was asked for says to its caller is the answer.
          if (cluster !== undefined && isReason(error, 'Forbidden')) throw error
          problems.push(`cluster "${name}" did not answer: ${error instanceof Error ? error.message : String(error)}`)
        }
      }),
    )
  }
  const warnings = problems.slice(0, 8)
  const [only, other] = found
  if (only === undefined) {
    if (cluster !== undefined && problems.length > 0) throw new StatusError('ServiceUnavailable', problems.join('; '))
    const error = notFound(resource, info.name)
    throw problems.length === 0
      ? error
      : new StatusError('NotFound', `${error.message} in the clusters that answered; ${warnings.join('; ')}`, { details: error.details })
  }
  if (other !== undefined) {
    const choices = found.map((one) => qualifiedName(one.cluster, asked.name)).sort()
    throw new StatusError('Conflict', `${resource.resource} "${asked.name}" is in several clusters: ask for one of ${choices.slice(0, 10).join(', ')}`)
  }
  const version = versionOf(peeked, only.cluster, at, view.cache.sequence)
  const body = form === 'Table' ? tableOfOne(only.object, only.cluster, version) : inFleet(only.object, only.cluster, version)
  return {
    status: 200,
    headers: { ...jsonHeaders, 'gantry-fleet-cluster': only.cluster, ...(warnings.length === 0 ? {} : { warning: warnings.map(warningHeader) }) },
    body: `${JSON.stringify(body)}\n`,
  }
}

function tableOfOne(table: JsonObject, cluster: string, version: string): JsonObject {
  const columns = (Array.isArray(table['columnDefinitions']) ? table['columnDefinitions'] : []) as readonly TableColumnDefinition[]
  const rows: readonly unknown[] = Array.isArray(table['rows']) ? table['rows'] : []
  const positions = columns.map((_, at) => at)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion: version },
    columnDefinitions: [clusterColumn, ...columns],
    rows: rows.filter(isJsonObject).map((row) => rowInFleet(row, cluster, version, positions)),
  }
}

function notFound({ group, resource }: FleetResource, name: string): StatusError {
  const what = group === '' ? resource : `${resource}.${group}`
  return new StatusError('NotFound', `${what} "${name}" not found`, { details: { name, group, kind: resource } })
}

/** A cluster that decides for itself is asked as the caller. */
function handlerFor({ members }: FleetView, caller: Caller, cluster: string): Handler | undefined {
  return members.decides(cluster) ? members.asCaller(cluster, caller) : members.handlerOf(cluster)
}

/** One object of one cluster; undefined when it has none of this name. */
async function fetchObject(
  { view, caller }: Pick<FleetCall, 'view' | 'caller'>,
  cluster: string,
  asked: {
    readonly resource: FleetResource
    readonly version: string
    readonly form: ObjectForm
    readonly includeObject: string
    readonly namespace: string
    readonly name: string
  },
  signal: AbortSignal,
): Promise<JsonObject | undefined> {
  const { resource, form } = asked
  using within = deadline(view.clock, lookupTimeoutMs, signal)
  const handle = handlerFor(view, caller, cluster)
  if (handle === undefined) return undefined
  const path = `${collectionPath(resource, asked.version, resource.namespaced ? asked.namespace : undefined)}/${encodeURIComponent(asked.name)}`
  try {
    const query = form === 'Table' ? `includeObject=${asked.includeObject === 'Object' ? 'Object' : 'Metadata'}` : ''
    const response = await askMember(view.clock, handle, { path, query, accept: acceptOf(form, false), signal: within.signal, withinMs: lookupTimeoutMs })
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of readUntil(response, within.signal)) {
      bytes += chunk.length
      if (bytes > maxObjectBytes) throw new StatusError('InternalError', 'its answer is too long')
      chunks.push(chunk)
    }
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (!isJsonObject(value)) throw new StatusError('InternalError', 'its answer is no object')
    return value
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    if (within.passed) throw new StatusError('Timeout', `no answer within ${lookupTimeoutMs / 1_000} s`)
    throw error
  }
}

/** Events that carry whole objects, which are fetched when they have changed. Of what was deleted its metadata is known. */
export function objectEvents(
  { view, caller, info }: FleetCall,
  kind: KindSight,
  options: { readonly form: Exclude<ObjectForm, 'Table'>; readonly selection: Selection },
): EventForm {
  const { resource } = kind
  const { form, selection } = options
  const apiVersionName = info.version
  const apiVersion = resource.group === '' ? apiVersionName : `${resource.group}/${apiVersionName}`
  const type = form === 'PartialObjectMetadata' ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' } : { kind: resource.kind, apiVersion }
  async function eventOf({ type: event, change, version }: VisibleChange, signal: AbortSignal): Promise<string | undefined> {
    const { cluster, row } = change
    const deleted = (): string => {
      const metadata = {
        name: row.name,
        ...(row.namespace === '' ? {} : { namespace: row.namespace }),
        uid: row.uid,
        resourceVersion: String(row.memberVersion),
        ...(row.labels === '' ? {} : { labels: JSON.parse(row.labels) as unknown }),
        ...(row.owners === '' ? {} : { ownerReferences: JSON.parse(row.owners) as unknown }),
      }
      return `${JSON.stringify({ type: 'DELETED', object: inFleet({ ...type, metadata }, cluster, String(version)) })}\n`
    }
    if (event === 'DELETED') return deleted()
    const object = await fetchObject(
      { view, caller },
      cluster,
      { resource, version: apiVersionName, form, includeObject: 'Object', namespace: row.namespace, name: row.name },
      signal,
    )
    // It has gone meanwhile: the change that says so follows.
    if (object === undefined) return undefined
    return `${JSON.stringify({ type: event, object: inFleet({ ...type, ...object }, cluster, String(version)) })}\n`
  }

  return {
    /** In pages, cluster by cluster: an object for itself would be a request for each. */
    async initial(sink, isOver) {
      const problems: string[] = []
      const { columns } = kind
      const lines = new MemberLists(view, caller, { info, kind, selection, form, columns, sequence: view.cache.sequence, problems, unserved: [], type })
      for (let at = lines.first(); at !== undefined && !isOver();) {
        const page = await lines.page(at, maxPageObjects, sink.signal)
        const [problem] = problems
        if (problem !== undefined) throw new StatusError('ServiceUnavailable', problem)
        for (const item of page.items) if (!sink.write(`{"type":"ADDED","object":${item}}\n`)) await sink.drained()
        at = page.next
      }
    },
    // One after the other: events leave in their order. That an object cannot be fetched ends the watch, and its reader lists again.
    async writer(sink, event) {
      const line = await eventOf(event, sink.signal)
      if (line !== undefined) sink.write(line)
    },
    bookmark: (version, annotations) =>
      `${JSON.stringify({ type: 'BOOKMARK', object: { ...type, metadata: { resourceVersion: String(version), annotations } } })}\n`,
  }
}
