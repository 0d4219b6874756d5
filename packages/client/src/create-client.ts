import { bodyOf, header, readWholeBody } from '@gantry/runtime'
import { StatusError } from '@gantry/apimachinery'
import { errorOfResponse, errorOfStatus } from './error-response.ts'
import { readLines } from './line-reader.ts'
import { queryOf, resourcePath } from './resource-path.ts'
import type { Handler, HttpRequest, HttpResponse, RequestBody, UserInfo } from '@gantry/runtime'
import type { Status } from '@gantry/apimachinery'
import type { Asked } from './error-response.ts'
import type { KubeClient, KubeList, KubeObject, ListOptions, PatchType, ResourceRef, WatchEvent, WriteOptions } from './client.ts'

export interface ClientDeps {
  /** The API: our own server in process, or an HTTP transport to any other. */
  readonly handle: Handler
  /** The identity of an in-process caller; a transport to another machine ignores it. */
  readonly user?: UserInfo | undefined
}

export interface ClientOptions {
  /** Names the caller to the server; up to the first `/` it is the default field manager. */
  readonly userAgent?: string | undefined
  /** A watch event longer than this ends the watch with an error. An object is at most 3 MiB. */
  readonly maxWatchLineBytes?: number | undefined
  /** A whole answer longer than this is refused. */
  readonly maxBodyBytes?: number | undefined
}

const contentTypeOfPatch: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
}

/** A KubeClient over any Handler. It holds nothing but its arguments: make as many as there are identities. */
export function createClient(deps: ClientDeps, options: ClientOptions = {}): KubeClient {
  const userAgent = options.userAgent ?? 'gantry'
  const maxBodyBytes = options.maxBodyBytes ?? 512 * 1024 * 1024
  const maxLineBytes = options.maxWatchLineBytes ?? 8 * 1024 * 1024

  async function send(request: {
    readonly method: string
    readonly path: string
    readonly query?: string | undefined
    readonly headers?: Readonly<Record<string, string>> | undefined
    readonly body?: RequestBody | undefined
    readonly signal?: AbortSignal | undefined
  }): Promise<HttpResponse> {
    const { signal = new AbortController().signal } = request
    signal.throwIfAborted()
    const full: HttpRequest = {
      method: request.method,
      path: request.path,
      query: request.query ?? '',
      headers: { accept: 'application/json', 'user-agent': userAgent, ...request.headers },
      body: request.body,
      signal,
      user: deps.user,
    }
    try {
      return await deps.handle(full)
    } catch (error) {
      throw transportError(error, signal)
    }
  }

  async function call<T>(asked: Asked, request: Parameters<typeof send>[0]): Promise<T> {
    const response = await send(request)
    let body: Buffer
    try {
      body = await readWholeBody(response, maxBodyBytes)
    } catch (error) {
      throw transportError(error, request.signal)
    }
    if (response.status < 200 || response.status > 299) throw errorOfResponse(response.status, response.headers, body, asked)
    try {
      return JSON.parse(body.toString('utf8')) as T
    } catch (error) {
      const type = header(response.headers, 'content-type') ?? 'no content type'
      throw new StatusError('InternalError', `${asked.verb} ${asked.what}: the server answered ${response.status} with ${type} that is not JSON`, {
        cause: error,
      })
    }
  }

  function write<T>(method: 'POST' | 'PUT', resource: ResourceRef, object: KubeObject, write: WriteOptions): Promise<T> {
    const body = Buffer.from(JSON.stringify(object))
    const verb = method === 'POST' ? 'create' : 'update'
    const { name, namespace } = object.metadata
    // A subresource of an object that exists (eviction, binding, token) is POSTed below its name.
    const addressed = method === 'PUT' || write.subresource !== undefined
    return call<T>(asked(verb, resource, name), {
      method,
      path: resourcePath(resource, { namespace, name: addressed ? requireName(resource, name) : undefined, subresource: write.subresource }),
      query: writeQuery(write),
      headers: { 'content-type': 'application/json', 'content-length': String(body.length), ...metadataHeader(write) },
      body: bodyOf(body),
      signal: write.signal,
    })
  }

  return {
    get: (resource, key, get = {}) =>
      call(asked('get', resource, key.name), {
        method: 'GET',
        path: resourcePath(resource, { ...key, name: requireName(resource, key.name), subresource: get.subresource }),
        headers: metadataHeader(get),
        signal: get.signal,
      }),
    async list<T extends KubeObject>(resource: ResourceRef, list: ListOptions = {}) {
      const found = await call<KubeList<T>>(asked('list', resource), {
        method: 'GET',
        path: resourcePath(resource, { namespace: list.namespace }),
        query: listQuery(list),
        headers: list.metadataOnly === true ? { accept: acceptOf('PartialObjectMetadataList') } : undefined,
        signal: list.signal,
      })
      // An empty Go slice is null on the wire where nobody made it a list: an empty PartialObjectMetadataList is.
      found.items ??= []
      return found
    },
    create: (resource, object, options = {}) => write('POST', resource, object, options),
    update: (resource, object, options = {}) => write('PUT', resource, object, options),
    patch(resource, key, patch) {
      const body = Buffer.from(JSON.stringify(patch.body))
      return call(asked('patch', resource, key.name), {
        method: 'PATCH',
        path: resourcePath(resource, { ...key, name: requireName(resource, key.name), subresource: patch.subresource }),
        query: [writeQuery(patch), patch.force === undefined ? '' : `force=${patch.force}`].filter((part) => part !== '').join('&'),
        headers: { 'content-type': contentTypeOfPatch[patch.type], 'content-length': String(body.length), ...metadataHeader(patch) },
        body: bodyOf(body),
        signal: patch.signal,
      })
    },
    async delete(resource, key, options = {}) {
      const { gracePeriodSeconds, propagationPolicy, preconditions } = options
      const body = Buffer.from(JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions }))
      await call(asked('delete', resource, key.name), {
        method: 'DELETE',
        path: resourcePath(resource, { ...key, name: requireName(resource, key.name) }),
        headers: { 'content-type': 'application/json', 'content-length': String(body.length) },
        body: bodyOf(body),
        signal: options.signal,
      })
    },
    async *watch<T extends KubeObject>(
      resource: ResourceRef,
      options: ListOptions & { readonly allowBookmarks?: boolean | undefined; readonly timeoutSeconds?: number | undefined },
    ): AsyncGenerator<WatchEvent<T>, void> {
      const stop = new AbortController()
      const onAbort = (): void => stop.abort(options.signal?.reason)
      options.signal?.throwIfAborted()
      options.signal?.addEventListener('abort', onAbort, { once: true })
      try {
        const response = await send({
          method: 'GET',
          path: resourcePath(resource, { namespace: options.namespace }),
          query: [
            'watch=true',
            queryOf({ allowWatchBookmarks: options.allowBookmarks === true ? true : undefined, timeoutSeconds: options.timeoutSeconds }),
            listQuery(options),
          ]
            .filter((part) => part !== '')
            .join('&'),
          headers: options.metadataOnly === true ? { accept: acceptOf('PartialObjectMetadata') } : undefined,
          signal: stop.signal,
        })
        if (response.status !== 200) {
          throw errorOfResponse(response.status, response.headers, await readWholeBody(response, maxBodyBytes), asked('watch', resource))
        }
        for await (const line of readLines(response, { signal: stop.signal, maxLineBytes, highWaterBytes: 1 << 20 })) yield parseEvent<T>(line, resource)
      } catch (error) {
        throw transportError(error, options.signal)
      } finally {
        options.signal?.removeEventListener('abort', onAbort)
        stop.abort(new Error('the watch has ended'))
      }
    },
    request: (request) => send(request),
  }
}

function parseEvent<T extends KubeObject>(line: Buffer, resource: ResourceRef): WatchEvent<T> {
  let event: { readonly type: string; readonly object: unknown }
  try {
    event = JSON.parse(line.toString('utf8')) as typeof event
  } catch (error) {
    throw new StatusError('InternalError', `watch ${nameOf(resource)}: an event is not JSON`, { cause: error })
  }
  if (event.type === 'ERROR') throw errorOfStatus(event.object as Partial<Status>)
  return event as WatchEvent<T>
}

/** What an interrupted or failed transport is to the caller: its own abort reason, or a StatusError. */
function transportError(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof StatusError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new StatusError('ServiceUnavailable', `the request to the API server failed: ${message}`, { cause: error })
}

// Without a plain fallback: a server that cannot do it says so instead of sending whole objects.
function acceptOf(as: string): string {
  return `application/json;as=${as};g=meta.k8s.io;v=v1`
}

function metadataHeader({ metadataOnly }: { readonly metadataOnly?: boolean | undefined }): Readonly<Record<string, string>> {
  return metadataOnly === true ? { accept: acceptOf('PartialObjectMetadata') } : {}
}

function listQuery(list: ListOptions): string {
  return queryOf({
    labelSelector: list.labelSelector,
    fieldSelector: list.fieldSelector,
    limit: list.limit,
    continue: list.continue,
    resourceVersion: list.resourceVersion,
  })
}

function writeQuery(write: WriteOptions): string {
  return queryOf({ fieldManager: write.fieldManager, dryRun: write.dryRun === true ? 'All' : undefined })
}

function asked(verb: string, resource: ResourceRef, name?: string): Asked {
  return { verb, what: nameOf(resource), name }
}

function nameOf(resource: ResourceRef): string {
  return resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`
}

// An empty name would turn "delete this object" into "delete the whole collection".
function requireName(resource: ResourceRef, name: string | undefined): string {
  if (name === undefined || name === '') throw new StatusError('BadRequest', `${nameOf(resource)}: resource name may not be empty`)
  return name
}
