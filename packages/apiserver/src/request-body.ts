import { parseJson, parseYaml, StatusError } from '@gantry/apimachinery'
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
  readonly duplicates: readonly string[]
  /** What strict reading has against where the value comes from, as it is told. */
  readonly problems?: readonly string[] | undefined
}

/** A body in any of the three media types, as plain JSON. Throws BadRequest with the parser's words. */
function parse(bytes: Buffer, media: 'json' | 'yaml', { validation, kind }: { readonly validation: FieldValidation; readonly kind?: string }): Parsed {
  try {
    return media === 'json' ? parseJson(bytes, { duplicates: validation !== 'Ignore' }) : parseYaml(bytes.toString())
  } catch (error) {
    if (!(error instanceof StatusError) || kind === undefined) throw error
    throw new StatusError(
      'BadRequest',
      `the object provided is unrecognized (must be of type ${kind}): ${media === 'json' ? "couldn't get version/kind; json parse error: " : ''}${error.message} (${summaryOf(bytes)})`,
      { cause: error },
    )
  }
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
    const envelope = server.codec.decodeEnvelope(bytes)
    const value = { kind: envelope.kind, apiVersion: envelope.apiVersion, ...(server.codec.decode(definition.schema, envelope.raw) as Record<string, unknown>) }
    return toObject(server, definition, { parsed: { value, duplicates: [] }, validation: 'Ignore', context: input.context })
  }
  return toObject(server, definition, {
    parsed: parse(bytes, media, { validation: input.validation, kind: definition.kind }),
    validation: input.validation,
    context: input.context,
  })
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
  input: { readonly parsed: Parsed; readonly validation: FieldValidation; readonly context: WriteContext },
): ApiObject {
  const { value } = input.parsed
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new StatusError(
      'BadRequest',
      `${definition.kind} in version ${JSON.stringify(definition.version)} cannot be handled as a ${definition.kind}: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`,
    )
  }
  checkType(server, definition, value as Record<string, unknown>)
  const decoded = server.decoder.decode(definition.schema, value)
  const problems = [
    ...(input.parsed.problems ?? []),
    ...strictProblems(value, input.parsed.duplicates, { paths: decoded.unknownFields, areOrdered: definition.custom === true }),
  ]
  if (problems.length > 0 && input.validation === 'Strict') {
    throw new StatusError(
      'BadRequest',
      `${definition.kind} in version ${JSON.stringify(definition.version)} cannot be handled as a ${definition.kind}: strict decoding error: ${problems.join(', ')}`,
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
function strictProblems(
  value: unknown,
  duplicates: readonly string[],
  unknownFields: { readonly paths: readonly string[]; readonly areOrdered: boolean },
): string[] {
  const unknown = unknownFields.paths.map((path) => ({ path, text: `unknown field ${JSON.stringify(path)}` }))
  const twice = duplicates.map((path) => ({ path, text: `duplicate field ${JSON.stringify(path)}` }))
  if (twice.length + unknown.length < 2 || (unknownFields.areOrdered && twice.length === 0)) return [...twice, ...unknown].map(({ text }) => text)
  const order = new Map<string, number>()
  walk(value, '', order)
  return [...twice, ...unknown].sort((a, b) => (order.get(a.path) ?? 0) - (order.get(b.path) ?? 0)).map(({ text }) => text)
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
  if ((value['kind'] ?? '') === '') {
    if (definition.custom === true) throw new StatusError('BadRequest', "Object 'Kind' is missing in the body of the request")
    value['kind'] = definition.kind
  }
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

function findKind(server: ServerContext, wanted: { readonly group: string; readonly version: string; readonly kind: string }): boolean {
  for (const { group, version, kind } of server.registry.all()) if (kind === wanted.kind && group === wanted.group && version === wanted.version) return true
  return false
}

function splitApiVersion(text: string): [string, string] {
  const slash = text.indexOf('/')
  return slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)]
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value === 'object' ? 'null' : typeof value
}
