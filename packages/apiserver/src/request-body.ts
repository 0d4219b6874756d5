import { parseJson, parseYaml, StatusError } from '@gantry/apimachinery'
import type { ObjectSchema } from '@gantry/apimachinery'
import type { HttpRequest } from '@gantry/runtime'
import { BodyTooLarge } from '@gantry/runtime'
import { bodyMedia } from './negotiate.ts'
import { apiVersion } from './object-bytes.ts'
import type { ApiObject, ResourceDefinition, WriteContext } from './resource.ts'
import { limits } from './server-context.ts'
import type { ServerContext } from './server-context.ts'

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict'

export function fieldValidationOf(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') ?? ''
  if (value === '') return 'Warn'
  if (value === 'Ignore' || value === 'Warn' || value === 'Strict') return value
  throw new StatusError(
    'Invalid',
    `CreateOptions.meta.k8s.io "" is invalid: fieldValidation: Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
    {
      details: {
        group: 'meta.k8s.io',
        kind: 'CreateOptions',
        causes: [
          {
            reason: 'FieldValueNotSupported',
            message: `Unsupported value: ${JSON.stringify(value)}: supported values: "Ignore", "Strict", "Warn"`,
            field: 'fieldValidation',
          },
        ],
      },
    },
  )
}

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
}

/** A body in any of the three media types, as plain JSON. Throws BadRequest with the parser's words. */
function parse(bytes: Buffer, media: 'json' | 'yaml', validation: FieldValidation): Parsed {
  return media === 'json' ? parseJson(bytes, { duplicates: validation !== 'Ignore' }) : parseYaml(bytes.toString())
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
  return toObject(server, definition, { parsed: parse(bytes, media, input.validation), validation: input.validation, context: input.context })
}

/** A virtual object's or a subresource's body: decoded against a schema, nothing defaulted. */
export async function readBody(server: ServerContext, schema: ObjectSchema, request: HttpRequest): Promise<ApiObject> {
  const media = bodyMedia(request.headers)
  const bytes = await readBytes(request)
  const value = media === 'protobuf' ? server.codec.decode(schema, server.codec.decodeEnvelope(bytes).raw) : parse(bytes, media, 'Ignore').value
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
  checkType(definition, value as Record<string, unknown>)
  const decoded = server.decoder.decode(definition.schema, value)
  const problems = [...input.parsed.duplicates, ...decoded.unknownFields.map((path) => `unknown field ${JSON.stringify(path)}`)]
  if (problems.length > 0 && input.validation === 'Strict') {
    throw new StatusError(
      'BadRequest',
      `${definition.kind} in version ${JSON.stringify(definition.version)} cannot be handled as a ${definition.kind}: strict decoding error: ${problems.join(', ')}`,
    )
  }
  if (input.validation === 'Warn') for (const problem of problems) input.context.warn(problem)
  const object = decoded.object as ApiObject
  object.metadata ??= { name: '', uid: '', creationTimestamp: null }
  definition.applyDefaults?.(object)
  return object
}

function checkType(definition: ResourceDefinition, value: Record<string, unknown>): void {
  const expected = apiVersion(definition)
  if ((value['kind'] ?? '') === '') {
    if (definition.custom === true) throw new StatusError('BadRequest', "Object 'Kind' is missing in the body of the request")
    value['kind'] = definition.kind
  }
  if ((value['apiVersion'] ?? '') === '') value['apiVersion'] = expected
  if (value['kind'] !== definition.kind || value['apiVersion'] !== expected) {
    const [group, version] = splitApiVersion(String(value['apiVersion']))
    throw new StatusError(
      'BadRequest',
      `${String(value['kind'])} in version ${JSON.stringify(version)} cannot be handled as a ${definition.kind}: no kind ${JSON.stringify(value['kind'])} is registered for version ${JSON.stringify(group === '' ? version : `${group}/${version}`)} in scheme; the URL asks for ${expected} ${definition.kind}`,
    )
  }
}

function splitApiVersion(text: string): [string, string] {
  const slash = text.indexOf('/')
  return slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)]
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return 'array'
  return typeof value === 'boolean' ? 'bool' : typeof value === 'object' ? 'null' : typeof value
}
