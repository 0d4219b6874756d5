import { constants, createGzip, gzip } from 'node:zlib'
import { promisify } from 'node:util'
import { formatYaml } from '@gantry/apimachinery'
import type { Status, StatusError } from '@gantry/apimachinery'
import type { ByteSink, HttpHeaders, HttpRequest, HttpResponse, StreamBody } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import { errorRepresentation } from './negotiate.ts'
import type { Representation } from './negotiate.ts'
import { partialMetadata, tableRow, columnDefinitions } from './table.ts'
import type { ApiObject, ResourceDefinition } from './resource.ts'
import { namedType } from './server-context.ts'
import type { ServerContext } from './server-context.ts'
import { apiVersion, metadataBytes, servedBytes } from './object-bytes.ts'
import { shapeOf } from './view.ts'

const gzipAsync = promisify(gzip)
const gzipThresholdBytes = 128 * 1024
const newline = Buffer.from('\n')

export const jsonHeaders: HttpHeaders = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }

/** A value as JSON (indented where the client reads it itself) or YAML. */
export function valueResponse(status: number, value: unknown, representation: Pick<Representation, 'media' | 'pretty'>): HttpResponse {
  if (representation.media === 'yaml') {
    return { status, headers: { ...jsonHeaders, 'content-type': 'application/yaml' }, body: formatYaml(value) }
  }
  return { status, headers: jsonHeaders, body: `${representation.pretty ? JSON.stringify(value, null, 2) : JSON.stringify(value)}\n` }
}

/** A Status in the form that the request asked for. */
export function statusResponse(
  server: ServerContext,
  status: Status,
  answer: { readonly code: number; readonly as: Pick<Representation, 'media' | 'pretty'> },
): HttpResponse {
  if (answer.as.media !== 'protobuf') return valueResponse(answer.code, status, answer.as)
  const { kind, apiVersion: version, ...fields } = status
  const bytes = server.codec.encode(namedType(server, 'io.k8s.apimachinery.pkg.apis.meta.v1.Status'), fields)
  const headers = { ...jsonHeaders, 'content-type': 'application/vnd.kubernetes.protobuf' }
  return { status: answer.code, headers, body: server.codec.encodeEnvelope(version, kind, bytes) }
}

export function errorResponse(server: ServerContext, error: StatusError, request: HttpRequest): HttpResponse {
  const as = errorRepresentation(request.headers, new URLSearchParams(request.query))
  const response = statusResponse(server, error.toStatus(), { code: error.code, as })
  const seconds = error.details?.retryAfterSeconds
  return seconds === undefined ? response : { ...response, headers: { ...response.headers, 'retry-after': String(seconds) } }
}

/** One stored object in the asked form. */
export function objectResponse(
  server: ServerContext,
  definition: ResourceDefinition,
  answer: { readonly status: number; readonly value: Buffer; readonly as: Representation },
): HttpResponse {
  const { status, as } = answer
  const bytes = servedBytes(shapeOf(definition, as), answer.value)
  if (as.media === 'json' && as.transform === 'none' && !as.pretty) return { status, headers: jsonHeaders, body: Buffer.concat([bytes, newline]) }
  const object = JSON.parse(bytes.toString()) as ApiObject
  if (as.media === 'protobuf') {
    return {
      status,
      headers: { ...jsonHeaders, 'content-type': 'application/vnd.kubernetes.protobuf' },
      body: server.codec.encodeEnvelope(apiVersion(definition), definition.kind, server.codec.encode(definition.schema, object)),
    }
  }
  return valueResponse(status, transformed(server, definition, { object, as }), as)
}

const partialHeads = {
  v1: Buffer.from('{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":'),
  v1beta1: Buffer.from('{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1beta1","metadata":'),
}
const closing = Buffer.from('}')

/** An object's metadata alone, as JSON; undefined where the object has to be parsed for it. */
export function partialMetadataBytes(definition: ResourceDefinition, value: Buffer, metaVersion: Representation['metaVersion']): Buffer | undefined {
  const metadata = metadataBytes(definition, value)
  return metadata && Buffer.concat([partialHeads[metaVersion], metadata, closing])
}

/** The object, its metadata alone, or a table of one row; the object comes in the shape that `shapeOf` says. */
export function transformed(
  server: ServerContext,
  definition: ResourceDefinition,
  answer: { readonly object: ApiObject; readonly as: Representation; readonly withColumns?: boolean },
): unknown {
  const { object, as } = answer
  if (as.transform === 'metadata') return { ...partialMetadata(object), apiVersion: `meta.k8s.io/${as.metaVersion}` }
  if (as.transform === 'none') return object
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${as.metaVersion}`,
    metadata: object.metadata.resourceVersion === undefined ? {} : { resourceVersion: object.metadata.resourceVersion },
    columnDefinitions: answer.withColumns === false ? null : columnDefinitions(definition),
    rows: [tableRow(definition, object, { include: as.includeObject, now: server.clock.now() })],
  }
}

/**
 * Compresses large answers for clients that take gzip (W10). Level 1: the point is the network, not the ratio. Text that streams is a log: whoever follows it waits for
 * each line, and a compressor would keep it back.
 */
export async function compressed(request: HttpRequest, response: HttpResponse): Promise<HttpResponse> {
  if (response.body === undefined || !(header(request.headers, 'accept-encoding') ?? '').includes('gzip')) return response
  const { body } = response
  const headers = { ...response.headers, 'content-encoding': 'gzip', vary: header(response.headers, 'vary') ?? 'Accept-Encoding' }
  if (typeof body === 'function') {
    const isText = (header(response.headers, 'content-type') ?? '').startsWith('text/')
    return isText ? response : { ...response, headers, body: gzipStream(body) }
  }
  if (body.length < gzipThresholdBytes) return response
  return { ...response, headers, body: await gzipAsync(body, { level: constants.Z_BEST_SPEED }) }
}

function gzipStream(body: StreamBody): StreamBody {
  return async (sink) => {
    const zip = createGzip({ level: constants.Z_BEST_SPEED })
    const out = (async () => {
      for await (const chunk of zip as AsyncIterable<Buffer>) if (!sink.write(chunk)) await sink.drained()
    })()
    const inner: ByteSink = {
      write: (chunk) => zip.write(chunk),
      drained: () => (zip.writableNeedDrain ? new Promise((resolve) => zip.once('drain', () => resolve())) : Promise.resolve()),
      get bufferedBytes() {
        return zip.writableLength + sink.bufferedBytes
      },
      signal: sink.signal,
    }
    try {
      await body(inner)
      zip.end()
      await out
    } catch (error) {
      zip.destroy()
      await out.catch(() => {}) // the body's own error is the one that tells
      throw error
    }
  }
}
