import { fieldForbidden, initialEventsProblems, invalidError, isTrueParameter, StatusError } from '@gantry/apimachinery'
import type { FieldError, RequestInfo } from '@gantry/apimachinery'
import type { ByteSink, HttpResponse } from '@gantry/runtime'
import type { Entry, StoreEvent } from '@gantry/storage'
import { Compacted } from '@gantry/storage'
import { roomFor } from './chunk-writer.ts'
import { integerOf, parseRevision, waitForRevision } from './list.ts'
import type { Representation } from './negotiate.ts'
import { apiVersion, decodeObject, listPrefix, servedBytes } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import { partialMetadataBytes, transformed } from './respond.ts'
import { selectionOf } from './selection.ts'
import type { Selection } from './selection.ts'
import type { ServerContext } from './server-context.ts'
import { limits, namedType } from './server-context.ts'
import { shapeOf } from './view.ts'

const yieldEveryBytes = 256 * 1024
const joinedBytes = 64 * 1024
const minTimeoutSeconds = 1800
const bookmarkEveryMs = 60_000
const bookmarkBeforeEndMs = 2_000

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'

interface WatchRequest {
  /** undefined: replay the current state first. */
  readonly after: number | undefined
  readonly atLeast: number | undefined
  readonly initialEvents: boolean
  readonly bookmarks: boolean
  /** The bookmark that ends the initial events (WatchList, L22, and L17's legacy form). */
  readonly endsInitialEvents: boolean
  readonly timeoutMs: number
}

/** GET ?watch of a collection: rows L14–L25. The answer's headers leave at once; each event is encoded once for all watchers that want the same form. */
export async function watch(
  server: ServerContext,
  definition: ResourceDefinition,
  call: { readonly info: RequestInfo; readonly as: Representation; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const { info, as } = call
  if (as.media === 'yaml')
    throw new StatusError(
      'NotAcceptable',
      'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    )
  const selection = selectionOf(definition, info.query)
  const request = parseWatchRequest(server, info.query)
  if (request.atLeast !== undefined) await waitForRevision(server, request.atLeast, call.signal)
  return {
    status: 200,
    headers: {
      'content-type': as.media === 'protobuf' ? 'application/vnd.kubernetes.protobuf;stream=watch' : 'application/json',
      'cache-control': 'no-cache, private',
    },
    body: (sink) => new Watcher(server, definition, { selection, request, as, prefix: listPrefix(definition, info.namespace) }).run(sink),
  }
}

function parseWatchRequest(server: ServerContext, query: URLSearchParams): WatchRequest {
  const bookmarks = isTrueParameter(query.get('allowWatchBookmarks'))
  const match = query.get('resourceVersionMatch') ?? ''
  const sendInitial = query.get('sendInitialEvents')
  const revisionText = query.get('resourceVersion') ?? ''
  // The paths below `/watch/` get no defaults.
  const isWatchParameter = isTrueParameter(query.get('watch'))
  const problems: FieldError[] = [...initialEventsProblems(query)]
  // A watch without a revision is one with initial events, for which upstream sets the match itself.
  const matches = match !== '' || (sendInitial === null && isWatchParameter && (revisionText === '' || revisionText === '0'))
  if (matches && (query.get('continue') ?? '') !== '')
    problems.push(fieldForbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
  integerOf(query, 'limit')
  if (problems.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', problems)
  const timeoutSeconds = integerOf(query, 'timeoutSeconds') ?? 0
  const timeoutMs = (timeoutSeconds > 0 ? timeoutSeconds : minTimeoutSeconds * (1 + server.ids.random())) * 1000
  const revision = revisionText === '' ? 0 : parseRevision(revisionText)
  if (sendInitial !== null) {
    const initialEvents = isTrueParameter(sendInitial)
    return {
      after: initialEvents ? undefined : revision === 0 ? server.store.revision : revision,
      atLeast: revision === 0 ? undefined : revision,
      initialEvents,
      bookmarks,
      endsInitialEvents: initialEvents && bookmarks,
      timeoutMs,
    }
  }
  const initialEvents = revision === 0
  return { after: initialEvents ? undefined : revision, atLeast: undefined, initialEvents, bookmarks, endsInitialEvents: initialEvents && bookmarks, timeoutMs }
}

interface WatchPlan {
  readonly selection: Selection
  readonly request: WatchRequest
  readonly as: Representation
  readonly prefix: string
}

/** Events that wait for their conversions. */
const maxUnconverted = 10_000

/** One open watch. */
class Watcher {
  readonly #server: ServerContext
  readonly #definition: ResourceDefinition
  readonly #plan: WatchPlan
  readonly #shape: ResourceDefinition
  /** The representation as a key of the shared event encodings. */
  readonly #form: string
  /** The representation and the selection. */
  readonly #planKey: string

  constructor(server: ServerContext, definition: ResourceDefinition, plan: WatchPlan) {
    this.#server = server
    this.#definition = definition
    this.#plan = plan
    const { as } = plan
    this.#shape = shapeOf(definition, as)
    this.#form = `${apiVersion(definition)} ${as.media} ${as.transform} ${as.metaVersion} ${as.includeObject}`
    this.#planKey = `${this.#form}\0${plan.selection.text}`
  }

  async run(sink: ByteSink): Promise<void> {
    const { request } = this.#plan
    const ended = Promise.withResolvers<void>()
    const end = (): void => ended.resolve()
    sink.signal.addEventListener('abort', end, { once: true })
    this.#server.stopping.addEventListener('abort', end, { once: true })
    const cancels: (() => void)[] = []
    try {
      let after = request.after
      if (request.initialEvents) after = await this.#replay(sink)
      if (sink.signal.aborted || this.#server.stopping.aborted) return
      const stop = this.#follow(sink, { after: after ?? this.#server.store.revision, end })
      if (stop === undefined) return
      cancels.push(stop, this.#server.clock.schedule(end, request.timeoutMs))
      if (request.bookmarks) cancels.push(...this.#scheduleBookmarks(sink))
      await ended.promise
    } finally {
      for (const cancel of cancels) cancel()
      sink.signal.removeEventListener('abort', end)
      this.#server.stopping.removeEventListener('abort', end)
    }
  }

  /** The current state as ADDED events; returns its revision. */
  async #replay(sink: ByteSink): Promise<number> {
    const { selection, prefix, request } = this.#plan
    const listing = this.#server.store.list({ prefix })
    await this.#shape.storedAs?.prepare?.(listing.entries.map((entry) => decodeObject(entry)))
    let sinceYield = 0
    for (const entry of listing.entries) {
      if (!selection.matches(entry)) continue
      const line = this.#encode('ADDED', servedBytes(this.#shape, entry.value))
      sinceYield += line.length
      sink.write(line)
      if (sinceYield < yieldEveryBytes && !this.#server.turns.isSpent()) continue
      await roomFor(sink, this.#server.turns)
      sinceYield = 0
      if (sink.signal.aborted) break
    }
    if (request.endsInitialEvents) this.#bookmark(sink, listing.revision, true)
    return listing.revision
  }

  #follow(sink: ByteSink, from: { readonly after: number; readonly end: () => void }): (() => void) | undefined {
    let isOver = false
    try {
      const deliver = (events: readonly StoreEvent[]): void => {
        if (isOver) return
        for (const lines of this.#linesOf(events)) sink.write(lines)
        if (sink.bufferedBytes > limits.watchBufferBytes) {
          this.#server.log.warn('a watcher did not keep up and was closed', { resource: this.#definition.plural, bufferedBytes: sink.bufferedBytes })
          isOver = true
          from.end()
        }
      }
      const prepare = this.#shape.storedAs?.prepare
      return this.#server.store.watch(
        { prefix: this.#plan.prefix, after: from.after },
        prepare === undefined ? deliver : this.#inTurn(prepare, { deliver, end: from.end }),
      )
    } catch (error) {
      if (!(error instanceof Compacted)) throw error
      const status = new StatusError('Expired', `too old resource version: ${error.revision} (${error.compactedRevision})`).toStatus()
      sink.write(this.#frame('ERROR', Buffer.from(JSON.stringify(status)), { apiVersion: 'v1', kind: 'Status' }))
      return undefined
    }
  }

  /** Delivers events when their conversions are at hand, in order. A watch whose conversions fail or fall behind ends: its client starts again. */
  #inTurn(
    prepare: (stored: readonly ApiObject[]) => Promise<void>,
    { deliver, end }: { readonly deliver: (events: readonly StoreEvent[]) => void; readonly end: () => void },
  ): (events: readonly StoreEvent[]) => void {
    let waiting = 0
    let tail = Promise.resolve()
    return (events) => {
      waiting += events.length
      if (waiting > maxUnconverted) return end()
      tail = tail.then(async () => {
        try {
          await prepare(events.flatMap((event) => [event.entry, ...(event.previous === undefined ? [] : [event.previous])]).map((entry) => decodeObject(entry)))
          deliver(events)
        } catch (error) {
          this.#server.log.warn('a watch ended for want of conversions', { resource: this.#definition.plural, error })
          end()
        }
        waiting -= events.length
      })
    }
  }

  /** What changes mean to this watcher, and to every other one of the same plan: it is worked out and joined once for all of them. */
  #linesOf(events: readonly StoreEvent[]): readonly Buffer[] {
    const batch = sharedOf(batches, events)
    let joined = batch.get(this.#planKey)
    if (joined === undefined) batch.set(this.#planKey, (joined = join(events.map((event) => this.#lineOf(event)).filter((line) => line !== undefined))))
    return joined
  }

  /** What one change means to this watcher: changes outside its selection are silent, crossing its border is an ADDED or a DELETED (L19). */
  #lineOf(event: StoreEvent): Buffer | undefined {
    const { selection } = this.#plan
    const before = event.previous !== undefined && selection.matches(event.previous)
    if (event.type === 'delete') return before ? this.#shared(event, 'DELETED') : undefined
    const after = selection.matches(event.entry)
    if (after) return this.#shared(event, before ? 'MODIFIED' : 'ADDED')
    return before && event.previous !== undefined ? this.#encode('DELETED', servedBytes(this.#shape, atRevision(event.previous, event.revision))) : undefined
  }

  #shared(event: StoreEvent, type: EventType): Buffer {
    const lines = sharedOf(encodings, event)
    const key = `${type} ${this.#form}`
    let line = lines.get(key)
    if (line === undefined) lines.set(key, (line = this.#encode(type, servedBytes(this.#shape, event.entry.value))))
    return line
  }

  #encode(type: EventType, bytes: Buffer): Buffer {
    const { as } = this.#plan
    if (as.transform === 'none') return this.#frame(type, bytes, { apiVersion: apiVersion(this.#definition), kind: this.#definition.kind })
    const partial = as.transform === 'metadata' && as.media === 'json' ? partialMetadataBytes(this.#shape, bytes, as.metaVersion) : undefined
    if (partial !== undefined) return Buffer.concat([prefixes[type], partial, suffix])
    const object = JSON.parse(bytes.toString()) as ApiObject
    return this.#frame(type, Buffer.from(JSON.stringify(transformed(this.#server, this.#definition, { object, as }))), {
      apiVersion: 'meta.k8s.io/v1',
      kind: 'Table',
    })
  }

  #frame(type: EventType, json: Buffer, of: { readonly apiVersion: string; readonly kind: string }): Buffer {
    if (this.#plan.as.media === 'protobuf') {
      const { codec } = this.#server
      const object = JSON.parse(json.toString()) as Record<string, unknown>
      const raw = codec.encode(of.kind === 'Status' ? namedType(this.#server, 'io.k8s.apimachinery.pkg.apis.meta.v1.Status') : this.#definition.schema, object)
      return codec.encodeWatchFrame(type, codec.encodeEnvelope(of.apiVersion, of.kind, raw))
    }
    return Buffer.concat([prefixes[type], json, suffix])
  }

  #scheduleBookmarks(sink: ByteSink): (() => void)[] {
    const { clock, store } = this.#server
    let cancelNext = (): void => {}
    const again = (): void => {
      cancelNext = clock.schedule(() => {
        this.#bookmark(sink, store.revision, false)
        again()
      }, bookmarkEveryMs)
    }
    again()
    const beforeEnd = this.#plan.request.timeoutMs - bookmarkBeforeEndMs
    const cancelLast = beforeEnd > 0 && beforeEnd < bookmarkEveryMs ? clock.schedule(() => this.#bookmark(sink, store.revision, false), beforeEnd) : () => {}
    return [() => cancelNext(), cancelLast]
  }

  #bookmark(sink: ByteSink, revision: number, endsInitialEvents: boolean): void {
    const definition = this.#definition
    const metadata = {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(endsInitialEvents ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    }
    const object = { kind: definition.kind, apiVersion: apiVersion(definition), metadata } as unknown as ApiObject
    const { as } = this.#plan
    if (as.transform === 'table') {
      const table = {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${as.metaVersion}`,
        metadata: { resourceVersion: metadata.resourceVersion },
        columnDefinitions: null,
        rows: [{ cells: [], object: { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata } }],
      }
      sink.write(this.#frame('BOOKMARK', Buffer.from(JSON.stringify(table)), { apiVersion: 'meta.k8s.io/v1', kind: 'Table' }))
      return
    }
    const shown = as.transform === 'metadata' ? transformed(this.#server, definition, { object, as }) : object
    sink.write(this.#frame('BOOKMARK', Buffer.from(JSON.stringify(shown)), { apiVersion: apiVersion(definition), kind: definition.kind }))
  }
}

/** Encodings of the events of this turn, by type and form: the store tells all watchers in one, and kept for as long as the history they would be three times the objects. */
const encodings = new Map<StoreEvent, Map<string, Buffer>>()
/** What the watchers of one plan write for a batch of the store, in this turn. */
const batches = new Map<readonly StoreEvent[], Map<string, readonly Buffer[]>>()

function sharedOf<Of, Value>(all: Map<Of, Map<string, Value>>, of: Of): Map<string, Value> {
  let shared = all.get(of)
  if (shared !== undefined) return shared
  if (all.size === 0) queueMicrotask(() => all.clear())
  all.set(of, (shared = new Map()))
  return shared
}

/** Fewer and larger writes: each costs a watcher more than its bytes. */
function join(lines: readonly Buffer[]): readonly Buffer[] {
  if (lines.length <= 1) return lines
  const joined: Buffer[] = []
  let part: Buffer[] = []
  let bytes = 0
  for (const line of lines) {
    if (bytes > 0 && bytes + line.length > joinedBytes) {
      joined.push(part.length === 1 ? part[0]! : Buffer.concat(part, bytes))
      part = []
      bytes = 0
    }
    part.push(line)
    bytes += line.length
  }
  joined.push(part.length === 1 ? part[0]! : Buffer.concat(part, bytes))
  return joined
}

function prefixOf(type: EventType): Buffer {
  return Buffer.from(`{"type":"${type}","object":`)
}

const prefixes: Readonly<Record<EventType, Buffer>> = {
  ADDED: prefixOf('ADDED'),
  MODIFIED: prefixOf('MODIFIED'),
  DELETED: prefixOf('DELETED'),
  BOOKMARK: prefixOf('BOOKMARK'),
  ERROR: prefixOf('ERROR'),
}
const suffix = Buffer.from('}\n')

/** An object's last matching state, stamped with the revision that made it stop matching. */
function atRevision(entry: Entry, revision: number): Buffer {
  const object = decodeObject(entry)
  object.metadata.resourceVersion = String(revision)
  return Buffer.from(JSON.stringify(object))
}
