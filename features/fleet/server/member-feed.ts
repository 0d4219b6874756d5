import { isReason, StatusError, type TableColumnDefinition } from '@gantry/apimachinery'
import { errorOfResponse, JsonItems, readLines } from '@gantry/client'
import { deadline } from '@gantry/gateway'
import { bodyOf, readBody, readWholeBody, turnBudgetOn, type Clock, type Handler, type HttpResponse, type Ids, type Logger } from '@gantry/runtime'
import { plainColumns } from './columns.ts'
import type { Projection } from './row-projection.ts'
import { RowTable, rowWord, type Row } from './row-table.ts'
import type { StringPool } from './string-pool.ts'

export const tableAccept = 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json'
const pageSize = 500
const pageTimeoutMs = 30_000
const headersTimeoutMs = 15_000
/** A member ends a watch after this; one that says nothing for longer is asked anew. */
const watchSeconds = 300
const watchGraceMs = 15_000
const firstRetryMs = 500
const longestRetryMs = 30_000
/** A watch that has lived for this long shows that its member is well. */
const healthyAfterMs = 10_000
/** How often a cluster that does not serve the kind is asked whether it does now. */
const notServedRecheckMs = 60_000
const maxPages = 2_000
const maxEventBytes = 8 << 20
const maxErrorBytes = 1 << 20
/** Counting the memory of all tables is no work for every event. */
const eventsPerAdmission = 256

/** `loading`: the first list is on its way. `stale`: what is here was true at `sinceMs`. `failed`: nothing is here. */
export type FeedPhase = 'loading' | 'live' | 'stale' | 'failed' | 'notServed'

export interface RowChange {
  readonly sequence: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly cluster: string
  /** Its last state, when it was deleted. */
  readonly row: Row
  /** What it could be selected by before. */
  readonly before: { readonly labels: string; readonly fields: string } | undefined
}

export interface MemberFeedDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly handlerOf: () => Handler | undefined
  /** The path of the collection in this cluster, in the version it prefers; undefined when it serves none. Throws StatusErrors. */
  readonly pathOf: (options: { readonly signal: AbortSignal }) => Promise<string | undefined>
  readonly pool: StringPool
  readonly projection: Projection
  readonly nextSequence: () => number
  readonly changed: (change: RowChange) => void
  /** Its phase or its columns are others now. */
  readonly stateChanged: () => void
  /** Throws a StatusError when there is no room for more. */
  readonly admit: () => void
}

/** The rows of one kind in one cluster, kept live by a list in pages and a watch. A cluster that fails is tried again ever more slowly and holds up no other. */
export class MemberFeed {
  readonly cluster: string
  table: RowTable
  columns: readonly TableColumnDefinition[] = plainColumns
  phase: FeedPhase = 'loading'
  problem: string | undefined
  /** When it was last known to be true, in milliseconds of the clock. */
  sinceMs: number
  readonly #deps: MemberFeedDeps
  readonly #stop = new AbortController()
  #lists = 0
  #events = 0

  constructor(deps: MemberFeedDeps, cluster: string) {
    this.#deps = deps
    this.cluster = cluster
    this.table = new RowTable(deps.pool, plainColumns.length)
    this.sinceMs = deps.clock.now().getTime()
  }

  /** Follows the cluster until it is stopped. Does not throw. */
  async run(): Promise<void> {
    const { clock, ids, log } = this.#deps
    const { signal } = this.#stop
    let resourceVersion: string | undefined
    let failures = 0
    while (!signal.aborted) {
      const startedMs = clock.monotonicMs()
      let waitMs = 0
      try {
        const path = await this.#deps.pathOf({ signal })
        if (path === undefined) {
          await this.#removeUnseen(++this.#lists)
          this.#enter('notServed')
          resourceVersion = undefined
          waitMs = notServedRecheckMs
        } else {
          if (resourceVersion === undefined) {
            resourceVersion = await this.#list(path, signal)
            this.#enter('live')
          }
          resourceVersion = await this.#watch(path, resourceVersion, signal)
          // One that ends at once, again and again, is no watch.
          if (clock.monotonicMs() - startedMs < healthyAfterMs) waitMs = retryMs(failures++)
          else failures = 0
        }
      } catch (error) {
        if (signal.aborted) return
        if (clock.monotonicMs() - startedMs >= healthyAfterMs && this.phase === 'live') failures = 0
        const isExpired = isReason(error, 'Expired') || isReason(error, 'Gone')
        const isRefused = error instanceof StatusError && error.code >= 400 && error.code < 500
        // A watch that broke goes on where it was; a list that is too old, or a version that is not taken, begins again.
        if (isExpired || isRefused) resourceVersion = undefined
        waitMs = isExpired && failures === 0 ? 0 : retryMs(failures)
        failures++
        this.#fail(error instanceof Error ? error.message : String(error))
        log.debug('a cluster of the fleet cannot be followed', { cluster: this.cluster, retryInMs: waitMs, error })
      }
      try {
        if (waitMs > 0) await clock.sleep(waitMs * (0.75 + ids.random() / 2), { signal })
      } catch {
        return // stopping
      }
    }
  }

  stop(): void {
    this.#stop.abort(new Error('the kind is no longer followed'))
  }

  #enter(phase: FeedPhase): void {
    this.phase = phase
    this.problem = undefined
    this.sinceMs = this.#deps.clock.now().getTime()
    this.#deps.stateChanged()
  }

  #fail(problem: string): void {
    if (this.phase === 'live') this.sinceMs = this.#deps.clock.now().getTime()
    this.phase = this.phase === 'live' || this.phase === 'stale' ? 'stale' : 'failed'
    this.problem = problem
    this.#deps.stateChanged()
  }

  async #list(path: string, signal: AbortSignal): Promise<string> {
    const list = ++this.#lists
    let token = ''
    for (let page = 0; page < maxPages; page++) {
      const { next, resourceVersion } = await this.#page(path, token, list, signal)
      if (next === '') {
        await this.#removeUnseen(list)
        return resourceVersion
      }
      if (next === token) throw new StatusError('InternalError', `cluster "${this.cluster}" answers the same page again and again`)
      token = next
    }
    throw new StatusError('InternalError', `cluster "${this.cluster}" holds more than ${maxPages * pageSize} objects of this kind, or its list does not end`)
  }

  async #page(path: string, token: string, list: number, signal: AbortSignal): Promise<{ readonly next: string; readonly resourceVersion: string }> {
    const budget = turnBudgetOn(this.#deps.clock)
    using limit = deadline(this.#deps.clock, pageTimeoutMs, signal)
    const query = `limit=${pageSize}&includeObject=${this.#deps.projection.includeObject}${token === '' ? '' : `&continue=${encodeURIComponent(token)}`}`
    const response = await this.#ask(path, query, limit.signal)
    const items = new JsonItems()
    let columns: readonly TableColumnDefinition[] | undefined
    let isTable = false
    const receivedMs = this.#deps.clock.now().getTime()
    let count = 0
    for await (const chunk of readUntil(response, limit.signal)) {
      for (const item of items.take(chunk)) {
        if (columns === undefined) {
          const given = items.head()['columnDefinitions']
          isTable = Array.isArray(given)
          columns = isTable ? (given as readonly TableColumnDefinition[]) : plainColumns
          await this.#useColumns(columns)
        }
        if (++count > pageSize * 4) throw new StatusError('InternalError', `cluster "${this.cluster}" answers pages that are longer than was asked for`)
        const value: unknown = JSON.parse(item.toString('utf8'))
        const row = isTable ? this.#deps.projection.rowOf(value, columns, receivedMs) : this.#deps.projection.rowOfObject(value, receivedMs)
        if (row === undefined) throw new StatusError('InternalError', `cluster "${this.cluster}" lists something that is no object`)
        this.#put(row, list)
        await budget.pause()
        limit.signal.throwIfAborted()
      }
    }
    const { metadata, columnDefinitions } = items.rest() as {
      readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string }
      readonly columnDefinitions?: readonly TableColumnDefinition[]
    }
    if (columns === undefined && Array.isArray(columnDefinitions)) await this.#useColumns(columnDefinitions)
    this.#deps.admit()
    return { next: metadata?.continue ?? '', resourceVersion: metadata?.resourceVersion ?? '' }
  }

  async #watch(path: string, from: string, signal: AbortSignal): Promise<string> {
    const { clock, projection } = this.#deps
    const budget = turnBudgetOn(clock)
    const seconds = Math.round(watchSeconds * (1 + this.#deps.ids.random() * 0.2))
    using limit = deadline(clock, seconds * 1_000 + watchGraceMs, signal)
    const query = `watch=true&allowWatchBookmarks=true&timeoutSeconds=${seconds}&includeObject=${projection.includeObject}&resourceVersion=${encodeURIComponent(from)}`
    const response = await this.#ask(path, query, limit.signal)
    // One that was away is back when it answers, not when it is asked.
    if (this.phase !== 'live') this.#enter('live')
    let resourceVersion = from
    for await (const line of readLines(response, { signal: limit.signal, maxLineBytes: maxEventBytes, highWaterBytes: 1 << 20 })) {
      this.sinceMs = clock.now().getTime()
      resourceVersion = this.#event(line) ?? resourceVersion
      await budget.pause()
    }
    return resourceVersion
  }

  #event(line: Buffer): string | undefined {
    const event = JSON.parse(line.toString('utf8')) as WireEvent
    const { object } = event
    if (event.type === 'ERROR') {
      throw new StatusError(object?.reason ?? 'InternalError', object?.message ?? 'the watch ended with an error', { code: object?.code ?? 500 })
    }
    const isTable = object?.kind === 'Table'
    const version = (isTable ? object.rows?.[0]?.object?.metadata?.resourceVersion : undefined) ?? object?.metadata?.resourceVersion
    if (event.type === 'BOOKMARK') return version
    const { projection, clock } = this.#deps
    if (isTable && object.columnDefinitions !== undefined && object.columnDefinitions !== null && !sameColumns(object.columnDefinitions, this.columns)) {
      throw new StatusError('Expired', 'the columns of the kind have changed')
    }
    for (const value of isTable ? (object.rows ?? []) : [object]) {
      const receivedMs = clock.now().getTime()
      const row = isTable ? projection.rowOf(value, this.columns, receivedMs) : projection.rowOfObject(value, receivedMs)
      if (row === undefined) throw new StatusError('InternalError', `cluster "${this.cluster}" sends an event that is no object`)
      if (event.type !== 'DELETED') {
        this.#put(row, this.#lists)
        if (++this.#events % eventsPerAdmission === 0) this.#deps.admit()
        continue
      }
      const slot = this.table.find(row.namespace, row.name)
      if (slot !== undefined) this.#remove(slot, row)
    }
    return version
  }

  async #ask(path: string, query: string, signal: AbortSignal): Promise<HttpResponse> {
    const handle = this.#deps.handlerOf()
    if (handle === undefined) throw new StatusError('ServiceUnavailable', `cluster "${this.cluster}" is not known any more`)
    return askMember(this.#deps.clock, handle, { path, query, accept: tableAccept, signal, withinMs: headersTimeoutMs })
  }

  #put(row: Row, list: number): void {
    const { table } = this
    const known = table.find(row.namespace, row.name)
    if (known !== undefined && table.memberVersion(known) === row.memberVersion && table.text(known, rowWord.uid) === row.uid) {
      table.markSeen(known, list)
      return
    }
    const before = known === undefined ? undefined : { labels: table.text(known, rowWord.labels), fields: table.text(known, rowWord.fields) }
    const sequence = this.#deps.nextSequence()
    table.markSeen(table.put(row, sequence), list)
    this.#deps.changed({ sequence, type: before === undefined ? 'ADDED' : 'MODIFIED', cluster: this.cluster, row, before })
  }

  #remove(slot: number, last?: Row): void {
    const row = last ?? this.table.row(slot)
    const before = { labels: this.table.text(slot, rowWord.labels), fields: this.table.text(slot, rowWord.fields) }
    this.table.remove(slot)
    this.#deps.changed({ sequence: this.#deps.nextSequence(), type: 'DELETED', cluster: this.cluster, row, before })
  }

  /** Everything that a whole list has not shown is gone. */
  async #removeUnseen(list: number): Promise<void> {
    const budget = turnBudgetOn(this.#deps.clock)
    for (let index = 0; index < this.table.size;) {
      const slot = this.table.slotAt(index)
      if (this.table.wasSeenIn(slot, list)) index++
      else this.#remove(slot)
      if (index % 256 === 0) await budget.pause()
    }
  }

  /** Another version of the member, or of a custom kind, prints other columns: rows of both cannot stand in one table. */
  async #useColumns(columns: readonly TableColumnDefinition[]): Promise<void> {
    if (sameColumns(columns, this.columns)) return
    await this.#removeUnseen(-1)
    this.columns = columns
    this.table = new RowTable(this.#deps.pool, columns.length)
    this.#deps.stateChanged()
  }
}

interface WireEvent {
  readonly type: string
  readonly object?: {
    readonly kind?: string
    readonly reason?: string
    readonly message?: string
    readonly code?: number
    readonly metadata?: { readonly resourceVersion?: string }
    readonly columnDefinitions?: readonly TableColumnDefinition[] | null
    readonly rows?: readonly { readonly object?: { readonly metadata?: { readonly resourceVersion?: string } } }[]
  }
}

function sameColumns(a: readonly TableColumnDefinition[], b: readonly TableColumnDefinition[]): boolean {
  return a === b || (a.length === b.length && a.every(({ name, type }, at) => name === b[at]?.name && type === b[at].type))
}

function retryMs(failures: number): number {
  return Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 10))
}

/** A GET of a member's API, or a POST of `body`. Throws a StatusError for anything but success, and when the head of the answer does not come in time. */
export async function askMember(
  clock: Clock,
  handle: Handler,
  request: {
    readonly path: string
    readonly query: string
    readonly accept: string
    readonly signal: AbortSignal
    readonly withinMs: number
    readonly body?: object | undefined
  },
): Promise<HttpResponse> {
  const { path, query, accept, signal, withinMs, body } = request
  const headers = { accept, 'user-agent': 'gantry-fleet' }
  const late = new AbortController()
  const cancel = clock.schedule(() => late.abort(new StatusError('Timeout', `no answer within ${Math.round(withinMs / 100) / 10} s`)), withinMs)
  const until = AbortSignal.any([signal, late.signal])
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {})
  const onAbort = (): void => gone.reject(until.reason)
  until.addEventListener('abort', onAbort, { once: true })
  try {
    until.throwIfAborted()
    const answer =
      body === undefined
        ? handle({ method: 'GET', path, query, headers, signal: until })
        : handle({
            method: 'POST',
            path,
            query,
            headers: { ...headers, 'content-type': 'application/json' },
            body: bodyOf(JSON.stringify(body)),
            signal: until,
          })
    answer.catch(() => {}) // it may fail after its deadline
    const response = await Promise.race([answer, gone.promise])
    cancel()
    if (response.status === 200 || (body !== undefined && response.status === 201)) return response
    throw errorOfResponse(response.status, response.headers, await readWholeBody(response, maxErrorBytes), {
      verb: body === undefined ? 'get' : 'create',
      what: path,
    })
  } finally {
    cancel()
    until.removeEventListener('abort', onAbort)
  }
}

/** The body in chunks; does not wait for a producer that ignores the signal. */
export async function* readUntil(response: HttpResponse, signal: AbortSignal): AsyncGenerator<Uint8Array, void> {
  const chunks = readBody(response)
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => {})
  const onAbort = (): void => gone.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  let isOver = false
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await Promise.race([chunks.next(), gone.promise])
      if (next.done === true) {
        isOver = true
        return
      }
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    if (!isOver) void chunks.return().catch(() => {}) // it may be waiting for its producer
  }
}
