import { isJsonObject, parseJson, parseYaml, StatusError, type JsonObject } from '@gantry/apimachinery'
import { bodyOf, BodyTooLarge, header, readWholeBody } from '@gantry/runtime'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import type { ClusterTarget } from './cluster-route.ts'

/** As large as a Kubernetes API takes. */
export const trialBodyBytes = 3 << 20
/** A write that is overtaken by another one so often is answered as a conflict. */
const mostTries = 4

/** What a write would make. */
export interface Trial {
  /** The object as it would be. */
  readonly object: unknown
  /** Whether it would be a new one. */
  readonly isNew: boolean
  /** Whether the caller asks for a trial only. */
  readonly isDryRun: boolean
  /** Sends the request itself, bound to what it was tried on: it is refused when that has changed. */
  readonly send: () => Promise<HttpResponse>
}

type Target = Pick<ClusterTarget, 'handle'>

/**
 * Asks a cluster what a write would make of the object (a dry run), so that every kind of write can be judged by its result; `write` judges, and sends it. What is sent makes just that: of two
 * patches that come at the same time, through two gateways, each judged by what it makes of the object alone, the second is refused by the cluster, tried again on what the first has
 * made, and judged by that. An update names its version itself (custom resources take no other). A patch that makes a new object cannot be bound to its absence; what another one may add to it before
 * is fields that this one leaves out. Throws RequestEntityTooLarge, and BadRequest or UnsupportedMediaType for a patch that cannot be read.
 */
export async function writeAsTried(target: Target, request: HttpRequest, write: (trial: Trial) => Promise<HttpResponse>): Promise<HttpResponse> {
  const bytes = await bytesOf(request)
  const patch = request.method === 'PATCH' ? readPatch(request, bytes) : undefined
  const isDryRun = new URLSearchParams(request.query).has('dryRun')
  // As it was read here, so that nobody reads it in another way.
  const whole = patch === undefined ? { ...request, body: bodyOf(bytes) } : withJson(request, patch)
  for (let tries = 1; ; tries++) {
    const tried = await target.handle({
      ...whole,
      query: isDryRun ? request.query : `${request.query}${request.query === '' ? '' : '&'}dryRun=All`,
      headers: { ...whole.headers, accept: 'application/json', 'accept-encoding': 'identity' },
    })
    if (tried.status >= 300) return tried
    const object: unknown = JSON.parse((await readWholeBody(tried, trialBodyBytes)).toString('utf8'))
    const isNew = tried.status === 201
    const bound = patch === undefined || isNew ? undefined : boundTo(patch, versionOf(object))
    const response = await write({ object, isNew, isDryRun, send: () => target.handle(bound === undefined ? whole : withJson(request, bound)) })
    // A test that fails in a JSON patch is Invalid. When it is the caller's own, the next trial says so.
    const isOvertaken = bound !== undefined && bound !== patch && (response.status === 409 || response.status === 422)
    if (!isOvertaken || tries === mostTries || request.signal.aborted) return response
    await readWholeBody(response, trialBodyBytes)
  }
}

type Patch = JsonObject | readonly unknown[]

function readPatch(request: HttpRequest, bytes: Buffer): Patch {
  const [media = ''] = (header(request.headers, 'content-type') ?? '').split(';')
  const form = media.trim().toLowerCase()
  const isList = form === 'application/json-patch+json'
  if (!isList && !['application/merge-patch+json', 'application/strategic-merge-patch+json', 'application/apply-patch+yaml'].includes(form))
    throw new StatusError('UnsupportedMediaType', `a patch of this object is judged by what it makes, which takes JSON or YAML and not "${media.trim()}"`)
  const { value, duplicates } = form.endsWith('yaml') ? parseYaml(bytes.toString('utf8')) : parseJson(bytes, { duplicates: true })
  if (duplicates.length > 0) throw new StatusError('BadRequest', `the patch can be read in two ways: ${duplicates.slice(0, 5).join(', ')} occurs twice`)
  if (isList ? Array.isArray(value) : isJsonObject(value)) return value as Patch
  throw new StatusError('BadRequest', isList ? 'a JSON patch is a list of operations' : 'a patch of this type is an object')
}

/** The patch, refused by the cluster unless the object is at this version. One that names a version itself is bound already. */
function boundTo(patch: Patch, resourceVersion: string): Patch {
  if (Array.isArray(patch)) return [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }, ...(patch as readonly unknown[])]
  const { metadata } = patch as { readonly metadata?: JsonObject | undefined }
  const named = metadata?.['resourceVersion']
  return typeof named === 'string' && named !== '' ? patch : { ...(patch as JsonObject), metadata: { ...metadata, resourceVersion } }
}

function versionOf(object: unknown): string {
  const { metadata } = object as { readonly metadata?: { readonly resourceVersion?: unknown } }
  if (typeof metadata?.resourceVersion !== 'string' || metadata.resourceVersion === '')
    throw new StatusError('InternalError', 'the cluster does not say which version of the object it tried the patch on')
  return metadata.resourceVersion
}

function withJson(request: HttpRequest, patch: Patch): HttpRequest {
  const body = Buffer.from(JSON.stringify(patch))
  return { ...request, headers: { ...request.headers, 'content-length': String(body.length) }, body: bodyOf(body) }
}

async function bytesOf(request: HttpRequest): Promise<Buffer> {
  try {
    return (await request.body?.bytes(trialBodyBytes)) ?? Buffer.alloc(0)
  } catch (error) {
    if (error instanceof BodyTooLarge) throw new StatusError('RequestEntityTooLarge', error.message)
    throw error
  }
}
