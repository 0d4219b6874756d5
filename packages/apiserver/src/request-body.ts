import { fieldInvalid, invalidError, isJsonObject, parseJson, parseYaml, StatusError } from '@gantry/apimachinery'
import type { ObjectSchema } from '@gantry/apimachinery'
import type { HttpRequest } from '@gantry/runtime'
import { BodyTooLarge } from '@gantry/runtime'
import { bodyMedia } from './negotiate.ts'
import { apiVersion, collectionPrefix } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition, WriteContext } from './resource.ts'
import { limits } from './server-context.ts'
import type { ServerContext } from './server-context.ts'

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

const longestSummaryBytes = 30

export async function readBytes(request: HttpRequest): Promise<Buffer> {
  try {
    return (await request.body?.bytes(limits.bodyBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
}

interface Parsed {
  readonly value: unknown
  /** Paths of keys that stand twice in one object. */
  readonly duplicates: readonly string[]
  /** The same of YAML, as go-yaml tells them. */
  readonly yamlDuplicates?: readonly string[] | undefined
  /** In which order unknown fields are told: as they stand in this document, or sorted. Absent: as they stand in the value. */
  readonly order?: 'sorted' | (() => unknown) | undefined
  /** What strict reading has against where the value comes from, as it is told. */
  readonly problems?: readonly string[] | undefined
}

/** A body in any of the three media types, as plain JSON. Throws BadRequest with the parser's words. */
function parse(bytes: Buffer, media: 'json' | 'yaml', { validation, kind }: { readonly validation: FieldValidation; readonly kind?: string }): Parsed {
  try {
    if (media === 'json') return parseJson(bytes, { duplicates: validation !== 'Ignore' })
    const { value, duplicates } = parseYaml(bytes.toString())
    // Upstream makes JSON of it, with sorted keys.
    return { value, duplicates: [], yamlDuplicates: duplicates, order: 'sorted' }
  } catch (error) {
    if (!(error instanceof StatusError) || kind === undefined) throw error
    throw unrecognized(bytes, kind, `${media === 'json' ? noType : ''}${error.message}`, error)
  }
}

const noType = "couldn't get version/kind; json parse error: "
/** What upstream reads the type of an object into. */
const typeStruct = String.raw`struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`

function unrecognized(bytes: Buffer, kind: string, why: string, cause?: Error): StatusError {
  return new StatusError('BadRequest', `the object provided is unrecognized (must be of type ${kind}): ${why} (${summaryOf(bytes)})`, { cause })
}

/** The beginning of a body that cannot be read, as upstream quotes it: text when it might be JSON. */
function summaryOf(bytes: Buffer): string {
  if (bytes.length === 0) return '<empty>'
  const begin = bytes.subarray(0, longestSummaryBytes)
  return `${begin.toString(bytes[0] === 0x7b ? 'utf8' : 'hex')}${bytes.length > longestSummaryBytes ? ' ...' : ''}`
}

/**
 * The object in a request's body, decoded against the resource's schema and defaulted. Unknown and duplicate fields are errors (Strict), warnings
 * (Warn, the default) or nothing (Ignore).
 */
export async function readObject(
  server: ServerContext,
  definition: ResourceDefinition,
  input: { readonly request: HttpRequest; readonly validation: FieldValidation; readonly context: WriteContext },
): Promise<ApiObject> {
  const media = bodyMedia(input.request.headers)
  const bytes = await readBytes(input.request)
  if (media === 'protobuf') {
    const envelope = envelopeOf(server, definition, bytes)
    const value = { kind: envelope.kind, apiVersion: envelope.apiVersion, ...(server.codec.decode(definition.schema, envelope.raw) as Record<string, unknown>) }
    return toObject(server, definition, { parsed: { value, duplicates: [] }, validation: 'Ignore', context: input.context })
  }
  const parsed = parse(bytes, media, { validation: input.validation, kind: definition.kind })
  const { value } = parsed
  if (value !== null && (typeof value !== 'object' || Array.isArray(value))) {
    throw unrecognized(bytes, definition.kind, `${noType}json: cannot unmarshal ${goType(value)} into Go value of type ${typeStruct}`)
  }
  if (definition.custom === true && ((value as { readonly kind?: unknown } | null)?.kind ?? '') === '') {
    throw unrecognized(bytes, definition.kind, `Object 'Kind' is missing in '${(media === 'json' ? bytes : Buffer.from(JSON.stringify(value))).toString()}'`)
  }
  await server.turns.pause()
  return toObject(server, definition, {
    parsed: value === null && definition.custom !== true ? { ...parsed, value: {} } : parsed,
    validation: input.validation,
    context: input.context,
  })
}

function envelopeOf(server: ServerContext, { kind }: ResourceDefinition, bytes: Buffer): ReturnType<ServerContext['codec']['decodeEnvelope']> {
  try {
    return server.codec.decodeEnvelope(bytes)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    throw unrecognized(bytes, kind, error.message, error)
  }
}

/** A virtual object's or a subresource's body: decoded against a schema, nothing defaulted. */
export async function readBody(server: ServerContext, schema: ObjectSchema, request: HttpRequest): Promise<ApiObject> {
  const media = bodyMedia(request.headers)
  const bytes = await readBytes(request)
  const value = media === 'protobuf' ? server.codec.decode(schema, server.codec.decodeEnvelope(bytes).raw) : parse(bytes, media, { validation: 'Ignore' }).value
  return server.decoder.decode(schema, value).object as ApiObject
}

export function toObject(
  server: ServerContext,
  definition: ResourceDefinition,
  input: {
    readonly parsed: Parsed
    readonly validation: FieldValidation
    readonly context: WriteContext
    /** Not read but worked out: the endpoint's own type, whatever it says of itself. */
    readonly isWorkedOut?: boolean
  },
): ApiObject {
  const { value, yamlDuplicates = [] } = input.parsed
  const isWorkedOut = input.isWorkedOut === true
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StatusError(
      'BadRequest',
      `${definition.kind} in version ${JSON.stringify(definition.version)} cannot be handled as a ${definition.kind}: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    )
  }
  if (isWorkedOut) Object.assign(value, { kind: definition.kind, apiVersion: apiVersion(definition) })
  else checkType(server, definition, value as Record<string, unknown>)
  const decoded = server.decoder.decode(definition.schema, value, { isWorkedOut })
  const found = [...(input.parsed.problems ?? []), ...strictProblems(input.parsed, { paths: decoded.unknownFields, areOrdered: definition.custom === true })]
  const problems = [...yamlDuplicates, ...found]
  if (problems.length > 0 && input.validation === 'Strict') {
    const told = yamlDuplicates.length === 0 ? found : [`yaml: unmarshal errors:\n  ${yamlDuplicates.join('\n  ')}`, ...found]
    throw new StatusError(
      'BadRequest',
      `${definition.kind} in version ${JSON.stringify(definition.version)} cannot be handled as a ${definition.kind}: strict decoding error: ${told.join(', ')}`,
    )
  }
  if (input.validation === 'Warn') for (const problem of problems) input.context.warn(problem)
  const object = decoded.object as ApiObject
  object.metadata ??= { name: '', uid: '', creationTimestamp: null }
  // Decoding leaves out what is empty, but an empty list of managers says something: nobody owns anything any more (7.1).
  if (isEmptyList((value as { metadata?: { managedFields?: unknown } }).metadata?.managedFields)) object.metadata.managedFields = []
  definition.applyDefaults?.(object)
  return object
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}

/** Duplicate and unknown fields as strict decoding tells them, in the order of the document; pruning alone has an order of its own. */
function strictProblems({ value, duplicates, order }: Parsed, unknownFields: { readonly paths: readonly string[]; readonly areOrdered: boolean }): string[] {
  const unknown = unknownFields.paths.map((path) => ({ path, text: `unknown field ${JSON.stringify(path)}` }))
  const twice = duplicates.map((path) => ({ path, text: `duplicate field ${JSON.stringify(path)}` }))
  // Upstream reads the metadata of a custom resource before it prunes the rest.
  if (unknownFields.areOrdered) unknown.sort((a, b) => Number(b.path.startsWith('metadata.')) - Number(a.path.startsWith('metadata.')))
  if (twice.length + unknown.length < 2 || (unknownFields.areOrdered && twice.length === 0)) return [...twice, ...unknown].map(({ text }) => text)
  if (order === 'sorted') return [...twice.map(({ text }) => text), ...unknown.map(({ text }) => text).sort()]
  const positions = new Map<string, number>()
  walk(order === undefined ? value : order(), '', positions)
  return [...twice, ...unknown].sort((a, b) => (positions.get(a.path) ?? 0) - (positions.get(b.path) ?? 0)).map(({ text }) => text)
}

function walk(value: unknown, path: string, order: Map<string, number>): void {
  order.set(path, order.size)
  if (Array.isArray(value)) value.forEach((item, index) => walk(item, `${path}[${index}]`, order))
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) walk(inner, path === '' ? key : `${path}.${key}`, order)
  }
}

function checkType(server: ServerContext, definition: ResourceDefinition, value: Record<string, unknown>): void {
  const expected = apiVersion(definition)
  if (definition.custom === true) return checkCustomType(definition, value)
  if ((value['kind'] ?? '') === '') value['kind'] = definition.kind
  if ((value['apiVersion'] ?? '') === '') value['apiVersion'] = expected
  if (value['kind'] !== definition.kind || value['apiVersion'] !== expected) {
    const [group, version] = splitApiVersion(String(value['apiVersion']))
    const other = server.registry.find(group, version, definition.plural)
    if (other !== undefined && other.kind === value['kind'] && collectionPrefix(other) === collectionPrefix(definition))
      throw new StatusError('BadRequest', `the API version in the data (${String(value['apiVersion'])}) does not match the expected API version (${expected})`)
    const known = findKind(server, { group, version, kind: String(value['kind']) })
    const why = known
      ? `converting (${version}.${String(value['kind'])}) to (${definition.group === '' ? 'core' : definition.group.split('.')[0]}.${definition.kind}): unknown conversion`
      : `no kind ${JSON.stringify(value['kind'])} is registered for version ${JSON.stringify(group === '' ? version : `${group}/${version}`)} in scheme "pkg/api/legacyscheme/scheme.go:30"`
    throw new StatusError('BadRequest', `${String(value['kind'])} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: ${why}`)
  }
}

/** Upstream reads a custom resource of any kind, and validates what it is afterwards. */
function checkCustomType(definition: ResourceDefinition, value: Record<string, unknown>): void {
  const expected = apiVersion(definition)
  const given = typeof value['apiVersion'] === 'string' ? value['apiVersion'] : ''
  if (given !== expected) throw new StatusError('BadRequest', `the API version in the data (${given}) does not match the expected API version (${expected})`)
  if (value['kind'] !== definition.kind) throw wrongCustomType(value, { field: 'kind', given: value['kind'], expected: definition.kind })
}

export function wrongCustomType(
  { apiVersion: version, kind, metadata }: Readonly<Record<string, unknown>>,
  wrong: { readonly field: 'kind' | 'apiVersion'; readonly given: unknown; readonly expected: string },
): StatusError {
  const text = typeof version === 'string' ? version : ''
  const { name } = isJsonObject(metadata) ? metadata : { name: undefined }
  return invalidError({ group: text.includes('/') ? splitApiVersion(text)[0] : '', kind: String(kind) }, typeof name === 'string' ? name : '', [
    fieldInvalid(wrong.field, wrong.given, `must be ${wrong.expected}`),
  ])
}

function findKind(server: ServerContext, wanted: { readonly group: string; readonly version: string; readonly kind: string }): boolean {
  for (const { group, version, kind } of server.registry.all()) if (kind === wanted.kind && group === wanted.group && version === wanted.version) return true
  return false
}

function splitApiVersion(text: string): [string, string] {
  const slash = text.indexOf('/')
  return slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)]
}

export function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value === 'object' ? 'null' : typeof value
}
