import { invalidError, fieldForbidden, fieldNotSupported, parseJson, StatusError } from '@gantry/apimachinery'
import type { FieldError, RequestInfo } from '@gantry/apimachinery'
import type { HttpResponse, StreamBody } from '@gantry/runtime'
import type { Entry, Listing } from '@gantry/storage'
import { Compacted, FutureRevision } from '@gantry/storage'
import type { Representation } from './negotiate.ts'
import { decodeObject, apiVersion, collectionPrefix, listPrefix, objectKey, servedBytes, servedObject, typePrefix } from './object-bytes.ts'
import type { ApiObject, ComputedObjects, ResourceDefinition } from './resource.ts'
import { jsonHeaders, partialMetadataBytes, valueResponse } from './respond.ts'
import { selectionOf } from './selection.ts'
import type { Selection } from './selection.ts'
import type { ServerContext } from './server-context.ts'
import { limits, namedType } from './server-context.ts'
import { ChunkWriter, chunkBytes, roomFor } from './chunk-writer.ts'
import { shapeOf } from './view.ts'
import { columnDefinitions, partialMetadata, tableRow } from './table.ts'

interface ListRequest {
  readonly limit: number | undefined
  readonly continueToken: ContinueToken | undefined
  /** undefined: the newest state. */
  readonly exactRevision: number | undefined
  readonly atLeastRevision: number | undefined
}

/** GET of a collection: rows L1–L13 of the API specification. */
export async function list(
  server: ServerContext,
  definition: ResourceDefinition,
  call: { readonly info: RequestInfo; readonly as: Representation; readonly signal: AbortSignal },
): Promise<HttpResponse> {
  const { info, as } = call
  const selection = selectionOf(definition, info.query)
  const request = parseListRequest(info.query)
  if (definition.compute !== undefined) return listOfObjects(server, definition, { entries: computedEntries(definition.compute, selection), metadata: {}, as })
  const page = await readAskedPage(server, definition, { request, selection, namespace: info.namespace, signal: call.signal })
  return listOf(server, definition, { ...page, as })
}

/** These objects as a list in the asked form. */
export async function listOf(
  server: ServerContext,
  definition: ResourceDefinition,
  page: { readonly entries: readonly Entry[]; readonly metadata: object; readonly as: Representation },
): Promise<HttpResponse> {
  const { entries, metadata, as } = page
  if (as.transform === 'none' && as.media === 'json' && !as.pretty && definition.storedAs === undefined)
    return listOfBytes(server, definition, { entries, metadata })
  return listOfObjects(server, definition, { entries, metadata, as })
}

/** The stored objects that the query of a list selects, and the list's metadata. */
export async function selectedPage(
  server: ServerContext,
  definition: ResourceDefinition,
  { info, signal }: { readonly info: RequestInfo; readonly signal: AbortSignal },
): Promise<{ readonly entries: readonly Entry[]; readonly metadata: object }> {
  const selection = selectionOf(definition, info.query)
  return readAskedPage(server, definition, { request: parseListRequest(info.query), selection, namespace: info.namespace, signal })
}

async function readAskedPage(
  server: ServerContext,
  definition: ResourceDefinition,
  asked: { readonly request: ListRequest; readonly selection: Selection; readonly namespace: string | undefined; readonly signal: AbortSignal },
): Promise<{ readonly entries: readonly Entry[]; readonly metadata: object }> {
  const { request, selection } = asked
  if (request.atLeastRevision !== undefined) await waitForRevision(server, request.atLeastRevision, asked.signal)
  const page = await readPage(server, definition, asked)
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.next === undefined ? {} : { continue: encodeContinue({ rv: page.revision, start: page.next }) }),
    ...(page.next === undefined || !selection.isEverything ? {} : { remainingItemCount: page.remaining }),
  }
  return { entries: page.entries, metadata }
}

/** Worked out objects as entries of no store. */
function computedEntries(compute: ComputedObjects, selection: Selection): Entry[] {
  const entries = compute.list().map((object) => ({ key: object.metadata.name, revision: 0, value: Buffer.from(JSON.stringify(object)) }))
  return entries.filter((entry) => selection.matches(entry))
}

interface Page {
  readonly entries: readonly Entry[]
  readonly revision: number
  /** Where the next page starts: after this key (relative to the collection). */
  readonly next: string | undefined
  readonly remaining: number
}

async function readPage(
  server: ServerContext,
  definition: ResourceDefinition,
  query: { readonly request: ListRequest; readonly selection: Selection; readonly namespace: string | undefined },
): Promise<Page> {
  const { request, selection } = query
  if (selection.name !== undefined && request.exactRevision === undefined) {
    if (query.namespace !== undefined || !definition.namespaced) {
      const entry = server.store.get(objectKey(definition, query.namespace, selection.name))
      return { entries: entry !== undefined && selection.matches(entry) ? [entry] : [], revision: server.store.revision, next: undefined, remaining: 0 }
    }
  }
  const prefix = collectionPrefix(definition)
  const after = request.continueToken === undefined ? undefined : `${prefix}${request.continueToken.start}`
  const revision = request.continueToken === undefined ? request.exactRevision : request.continueToken.rv < 0 ? undefined : request.continueToken.rv
  // Without a selector the store can cut the page; with one it is cut here, after matching.
  const listing = readListing(server, {
    prefix: listPrefix(definition, query.namespace),
    after,
    revision,
    limit: selection.isEverything ? request.limit : undefined,
    start: request.continueToken?.start,
  })
  if (selection.isEverything) {
    const last = listing.entries.at(-1)
    const more = listing.remaining > 0 && last !== undefined
    return { entries: listing.entries, revision: listing.revision, next: more ? last.key.slice(prefix.length) : undefined, remaining: listing.remaining }
  }
  const entries: Entry[] = []
  for (const entry of listing.entries) {
    const turn = server.turns.pause()
    if (turn !== undefined) await turn
    if (!selection.matches(entry)) continue
    if (request.limit !== undefined && entries.length === request.limit) {
      const last = entries.at(-1)
      return { entries, revision: listing.revision, next: last?.key.slice(prefix.length), remaining: 0 }
    }
    entries.push(entry)
  }
  return { entries, revision: listing.revision, next: undefined, remaining: 0 }
}

function readListing(
  server: ServerContext,
  range: {
    readonly prefix: string
    readonly after: string | undefined
    readonly revision: number | undefined
    readonly limit: number | undefined
    readonly start: string | undefined
  },
): Listing {
  try {
    return server.store.list(range)
  } catch (error) {
    if (error instanceof FutureRevision) throw futureRevision(error.revision, error.current)
    if (!(error instanceof Compacted)) throw error
    if (range.start === undefined) throw new StatusError('Expired', 'The resourceVersion for the provided list is too old.')
    throw new StatusError(
      'Expired',
      'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.',
      { continueToken: encodeContinue({ rv: -1, start: range.start }) },
    )
  }
}

export function futureRevision(revision: number, current: number): StatusError {
  return new StatusError('Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 },
  })
}

/** Waits up to three seconds for a revision that another server, or a restored backup, has promised (L6). */
export async function waitForRevision(server: ServerContext, revision: number, signal: AbortSignal): Promise<void> {
  if (revision <= server.store.revision) return
  const late = new AbortController()
  const cancel = server.clock.schedule(() => late.abort(new Error('too late')), limits.futureRevisionWaitMs)
  try {
    await server.store.reached(revision, AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (!late.signal.aborted) throw error
    throw futureRevision(revision, server.store.revision)
  } finally {
    cancel()
  }
}

function parseListRequest(query: URLSearchParams): ListRequest {
  const limit = integerOf(query, 'limit')
  integerOf(query, 'timeoutSeconds')
  const continueText = query.get('continue') ?? ''
  const match = query.get('resourceVersionMatch') ?? ''
  const revisionText = query.get('resourceVersion') ?? ''
  const problems: FieldError[] = []
  if (match !== '') {
    if (revisionText === '') problems.push(fieldForbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'))
    if (continueText !== '') problems.push(fieldForbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'))
    if (match !== 'Exact' && match !== 'NotOlderThan') problems.push(fieldNotSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']))
    if (match === 'Exact' && revisionText === '0')
      problems.push(fieldForbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'))
  }
  if (query.get('sendInitialEvents') !== null) problems.push(fieldForbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'))
  if (problems.length > 0) throw invalidError({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', problems)
  const revision = revisionText === '' ? undefined : parseListRevision(revisionText)
  if (continueText !== '') {
    if (revision !== undefined && revision !== 0) throw new StatusError('BadRequest', 'specifying resource version is not allowed when using continue')
    return { limit: limitOf(limit), continueToken: decodeContinue(continueText), exactRevision: undefined, atLeastRevision: undefined }
  }
  // Any cached state will do at "0", and the reference then ignores the limit (L2).
  if (revision === 0) return { limit: undefined, continueToken: undefined, exactRevision: undefined, atLeastRevision: undefined }
  const exact = revision !== undefined && (match === 'Exact' || (match === '' && limitOf(limit) !== undefined))
  return { limit: limitOf(limit), continueToken: undefined, exactRevision: exact ? revision : undefined, atLeastRevision: exact ? undefined : revision }
}

function limitOf(limit: number | undefined): number | undefined {
  return limit === undefined || limit <= 0 ? undefined : limit
}

/** An integer query parameter; malformed is a BadRequest in Go's words (W14). */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  if (!/^[+-]?\d+$/.test(text)) throw new StatusError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = BigInt(text.replace(/^\+/, ''))
  if (value !== BigInt.asIntN(64, value)) throw new StatusError('BadRequest', `strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  return Number(text)
}

/** A resourceVersion parameter; upstream answers 500 to a malformed one, except of lists. */
export function parseRevision(text: string): number {
  const revision = Number(text)
  const isNumber = /^\d+$/.test(text)
  if (isNumber && Number.isSafeInteger(revision)) return revision
  const problem = isNumber ? 'value out of range' : 'invalid syntax'
  throw new StatusError('', `resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: ${problem}`, {
    code: 500,
  })
}

function parseListRevision(text: string): number {
  try {
    return parseRevision(text)
  } catch (error) {
    throw error instanceof StatusError ? new StatusError('BadRequest', `invalid resource version: ${error.message}`, { cause: error }) : error
  }
}

interface ContinueToken {
  readonly rv: number
  /** The last key of the page before, relative to the collection. */
  readonly start: string
}

function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.rv, start: `${token.start}\u0000` })).toString('base64url')
}

function decodeContinue(text: string): ContinueToken {
  const stray = text.search(/[^\w-]/)
  if (stray >= 0 || text.length % 4 === 1) {
    const offset = stray < 0 ? text.length - 1 : stray
    throw new StatusError('BadRequest', `invalid continue token: continue key is not valid: illegal base64 data at input byte ${offset}`)
  }
  let token: unknown
  try {
    token = parseJson(Buffer.from(text, 'base64url')).value
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    throw new StatusError('BadRequest', `invalid continue token: continue key is not valid: ${error.message}`, { cause: error })
  }
  const { v, rv, start } = (typeof token === 'object' && token !== null ? token : {}) as { v?: unknown; rv?: unknown; start?: unknown }
  if (v !== 'meta.k8s.io/v1' && (typeof v === 'string' || v === undefined))
    throw new StatusError('BadRequest', `invalid continue token: continue key is not valid: server does not recognize this encoded version ${v ?? ''}`)
  if (rv === 0)
    throw new StatusError('BadRequest', 'invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)')
  if (v !== 'meta.k8s.io/v1' || typeof rv !== 'number' || !Number.isSafeInteger(rv) || typeof start !== 'string') {
    throw new StatusError('BadRequest', 'invalid continue token: continue key is not valid: unrecognized format')
  }
  const key = start.endsWith('\u0000') ? start.slice(0, -1) : start
  if (key === '' || key.split('/').includes('..'))
    throw new StatusError('BadRequest', 'invalid continue token: continue key is not valid: the key is not of this resource')
  return { rv, start: key }
}

/**
 * The list is its objects' stored bytes, copied into large chunks as the reader takes them: nothing is parsed, and the memory of one list is a few chunks. Items of
 * built-in kinds leave out kind and apiVersion (L12): these are the first bytes of every object.
 */
function listOfBytes(
  server: ServerContext,
  definition: ResourceDefinition,
  page: { readonly entries: readonly Entry[]; readonly metadata: object },
): HttpResponse {
  const skipped = definition.custom === true ? 0 : Buffer.byteLength(typePrefix(definition)) - 1
  const type = { apiVersion: apiVersion(definition), kind: definition.listKind }
  const head =
    definition.custom === true
      ? `${JSON.stringify(type).slice(0, -1)},"items":[`
      : `{"kind":${JSON.stringify(type.kind)},"apiVersion":${JSON.stringify(type.apiVersion)},"metadata":${JSON.stringify(page.metadata)},"items":[`
  const tail = definition.custom === true ? `],"metadata":${JSON.stringify(page.metadata)}}\n` : ']}\n'
  let total = 0
  for (const entry of page.entries) total += entry.value.length + 1
  if (total < chunkBytes) {
    const parts: Uint8Array[] = [Buffer.from(head)]
    page.entries.forEach((entry, index) => appendItem(parts, { definition, entry, index, skipped }))
    parts.push(Buffer.from(tail))
    return { status: 200, headers: jsonHeaders, body: Buffer.concat(parts) }
  }
  const body: StreamBody = async (sink) => {
    await using chunks = new ChunkWriter(sink, server.turns)
    let parts: Uint8Array[] = [Buffer.from(head)]
    let size = head.length
    for (let index = 0; index < page.entries.length; index++) {
      const entry = page.entries[index]
      if (entry === undefined) break
      appendItem(parts, { definition, entry, index, skipped })
      size += entry.value.length
      if (size < chunkBytes) continue
      await chunks.write(parts)
      parts = []
      size = 0
      if (sink.signal.aborted) return
    }
    parts.push(Buffer.from(tail))
    await chunks.write(parts)
  }
  return { status: 200, headers: jsonHeaders, body }
}

const openBrace = Buffer.from('{')
const comma = Buffer.from(',')
const commaBrace = Buffer.from(',{')

function appendItem(
  parts: Uint8Array[],
  item: { readonly definition: ResourceDefinition; readonly entry: Entry; readonly index: number; readonly skipped: number },
): void {
  const value = servedBytes(item.definition, item.entry.value)
  if (item.skipped === 0) {
    if (item.index > 0) parts.push(comma)
    parts.push(value)
    return
  }
  parts.push(item.index > 0 ? commaBrace : openBrace, value.subarray(item.skipped + 1))
}

/** Everything that is not plain JSON bytes: tables, metadata only, YAML, protobuf, indented. Rendered in slices, so that no list holds up the loop. */
async function listOfObjects(
  server: ServerContext,
  definition: ResourceDefinition,
  page: {
    readonly entries: readonly Entry[]
    readonly metadata: { readonly resourceVersion?: string; readonly continue?: string; readonly remainingItemCount?: number }
    readonly as: Representation
  },
): Promise<HttpResponse> {
  const { as } = page
  const { tableOrder } = definition
  const entries = as.transform === 'table' && tableOrder !== undefined ? await sortedEntries(server, page.entries, tableOrder) : page.entries
  if (as.media === 'json' && !as.pretty) return { status: 200, headers: jsonHeaders, body: streamOfItems(server, definition, { ...page, entries }) }
  if (as.media === 'protobuf') return await listInProtobuf(server, definition, page)
  const items = await inSlices(server, entries, (entry) => itemOf(definition, servedObject(shapeOf(definition, as), entry), { as, now: server.clock.now() }))
  return valueResponse(200, listValue(definition, page, items), as)
}

async function sortedEntries(server: ServerContext, entries: readonly Entry[], rank: (object: ApiObject) => number): Promise<readonly Entry[]> {
  const ranked = await inSlices(server, entries, (entry) => ({ entry, rank: rank(decodeObject(entry)) }))
  // What ranks alike stays in the order of its names.
  return ranked.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry)
}

async function listInProtobuf(
  server: ServerContext,
  definition: ResourceDefinition,
  page: { readonly entries: readonly Entry[]; readonly metadata: object; readonly as: Representation },
): Promise<HttpResponse> {
  const { codec } = server
  const shape = shapeOf(definition, page.as)
  const items = await inSlices(server, page.entries, (entry) => codec.encodeItem(definition.schema, servedObject(shape, entry)))
  const list = codec.encode(namedType(server, `${definition.schema.name}List`), { metadata: page.metadata, items: [] })
  const parts = codec.encodeList({ apiVersion: apiVersion(definition), kind: definition.listKind }, list, items)
  const headers = { ...jsonHeaders, 'content-type': 'application/vnd.kubernetes.protobuf' }
  const bytes = parts.reduce((sum, part) => sum + part.length, 0)
  if (bytes < chunkBytes) return { status: 200, headers, body: Buffer.concat(parts) }
  const body: StreamBody = async (sink) => {
    await using chunks = new ChunkWriter(sink, server.turns)
    let from = 0
    let size = 0
    for (let index = 0; index < parts.length; index++) {
      size += parts[index]?.length ?? 0
      if (size < chunkBytes && index < parts.length - 1) continue
      await chunks.write(parts.slice(from, index + 1))
      from = index + 1
      size = 0
      if (sink.signal.aborted) return
    }
  }
  return { status: 200, headers, body }
}

/** What is made of each entry; other requests get their turns in between. */
async function inSlices<T>(server: ServerContext, entries: readonly Entry[], make: (entry: Entry) => T): Promise<T[]> {
  const made: T[] = []
  for (const entry of entries) {
    const turn = server.turns.pause()
    if (turn !== undefined) await turn
    made.push(make(entry))
  }
  return made
}

function listValue(
  definition: ResourceDefinition,
  page: { readonly metadata: object; readonly as: Representation },
  items: readonly unknown[],
): Record<string, unknown> {
  const { as } = page
  if (as.transform === 'metadata') return { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${as.metaVersion}`, metadata: page.metadata, items }
  if (as.transform === 'table')
    return {
      kind: 'Table',
      apiVersion: `meta.k8s.io/${as.metaVersion}`,
      metadata: page.metadata,
      columnDefinitions: columnDefinitions(definition),
      rows: items,
    }
  return { kind: definition.listKind, apiVersion: apiVersion(definition), metadata: page.metadata, items }
}

function itemOf(definition: ResourceDefinition, object: ApiObject, how: { readonly as: Representation; readonly now: Date }): unknown {
  const { as, now } = how
  if (as.transform === 'metadata') return metadataItem(object, as)
  if (as.transform === 'table') return tableRow(definition, object, { include: as.includeObject, now })
  return definition.custom === true ? object : { ...object, kind: undefined, apiVersion: undefined }
}

function metadataItem(object: { readonly metadata: unknown }, as: Representation): unknown {
  return { ...partialMetadata(object as never), apiVersion: `meta.k8s.io/${as.metaVersion}` }
}

function streamOfItems(
  server: ServerContext,
  definition: ResourceDefinition,
  page: { readonly entries: readonly Entry[]; readonly metadata: object; readonly as: Representation },
): StreamBody {
  return async (sink) => {
    const { as } = page
    const shell = JSON.stringify(listValue(definition, page, []))
    // The shell ends with `"items":[]}` or `"rows":[]}`: the items go between its brackets.
    sink.write(shell.slice(0, -2))
    let text = ''
    const shape = shapeOf(definition, as)
    const now = server.clock.now()
    for (let index = 0; index < page.entries.length; index++) {
      const entry = page.entries[index]
      if (entry === undefined) break
      const decode = (): ApiObject => servedObject(shape, entry)
      const partial = as.transform === 'metadata' ? partialMetadataBytes(shape, servedBytes(shape, entry.value), as.metaVersion) : undefined
      const item =
        partial?.toString() ??
        (as.transform === 'table' && as.includeObject === 'Metadata'
          ? server.tableRows.text(definition, entry, { now, decode })
          : JSON.stringify(itemOf(definition, decode(), { as, now })))
      text += index > 0 ? `,${item}` : item
      if (text.length < chunkBytes && !server.turns.isSpent()) continue
      sink.write(text)
      await roomFor(sink, server.turns)
      if (sink.signal.aborted) return
      text = ''
    }
    sink.write(`${text}]}\n`)
  }
}
