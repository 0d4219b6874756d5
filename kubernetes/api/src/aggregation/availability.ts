import { createHash } from 'node:crypto'
import { isJsonObject, StatusError } from '@gantry/apimachinery'
import type { JsonObject } from '@gantry/apimachinery'
import { swaggerBelow } from '@gantry/apiserver'
import type { ApiObject, Swagger } from '@gantry/apiserver'
import type { HttpTransport } from '@gantry/client'
import { header, readWholeBody } from '@gantry/runtime'
import type { Clock } from '@gantry/runtime'
import type { APIService, EndpointSlice, Service } from '../generated/types.ts'
import { as } from '../kind.ts'
import { networkText } from '../webhook-client.ts'
import type { ServiceResolver } from '../webhook-client.ts'
import { aggregatedResources } from './aggregated-resources.ts'
import { identityHeaders } from './proxied-request.ts'

/** What a check of an extension server has found. */
export interface Availability {
  readonly status: 'True' | 'False'
  readonly reason: string
  readonly message: string
  /** The APIResourceList of a server that can be used. */
  readonly list?: unknown
}

export interface Description {
  /** As aggregated discovery lists them. */
  readonly resources: readonly unknown[]
  /** Where its OpenAPI v3 documents are, by their paths. */
  readonly openApi: Readonly<Record<string, string>>
  /** Its part of OpenAPI v2; the same object while it is the same. */
  readonly swagger: Swagger | undefined
  /** Of the document that `swagger` is a part of. */
  readonly swaggerTag: string | undefined
}

export interface AvailabilityDeps {
  readonly clock: Clock
  readonly serviceNamed: (namespace: string, name: string) => ApiObject | undefined
  readonly endpointSlicesOf: (namespace: string, service: string) => Iterable<ApiObject>
  readonly resolve: ServiceResolver
}

const probeTimeoutMs = 5_000
const maxDiscoveryBytes = 4 * 1024 * 1024
const aggregatedList = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

export interface Examined {
  readonly apiService: APIService
  readonly transport: HttpTransport
}

/** Whether an APIService's server can be used, with upstream's reasons. Upstream: kube-aggregator pkg/controllers/status/remote. */
export async function checkAvailability(deps: AvailabilityDeps, examined: Examined): Promise<Availability> {
  const { apiService } = examined
  const { namespace = '', name = '', port = 443 } = apiService.spec.service ?? {}
  const found = deps.serviceNamed(namespace, name)
  const where = `service/${name} in ${JSON.stringify(namespace)}`
  if (found === undefined) return unavailable('ServiceNotFound', `${where} is not present`)
  const service = as<Service>(found)
  if ((service.spec?.type ?? 'ClusterIP') === 'ClusterIP') {
    const listening = (service.spec?.ports ?? []).find((one) => one.port === port)
    if (listening === undefined) return unavailable('ServicePortError', `${where} is not listening on port ${port}`)
    const slices = [...deps.endpointSlicesOf(namespace, name)].map((slice) => as<EndpointSlice>(slice))
    if (slices.length === 0) return unavailable('EndpointsNotFound', `cannot find endpointslices for ${where}`)
    const portName = listening.name ?? ''
    if (!slices.some((slice) => isReady(slice, portName))) {
      return unavailable('MissingEndpoints', `endpointslices for ${where} have no addresses with port name ${JSON.stringify(portName)}`)
    }
  }
  return probe(deps, examined)
}

function isReady(slice: EndpointSlice, portName: string): boolean {
  const named = (slice.ports ?? []).some((port) => (port.name ?? '') === portName && port.port !== undefined)
  return named && (slice.endpoints ?? []).some((endpoint) => endpoint.conditions?.ready !== false)
}

async function probe(deps: AvailabilityDeps, { apiService, transport }: Examined): Promise<Availability> {
  const { group = '', version = '', service } = apiService.spec
  const path = `/apis/${group}/${version}`
  let url: string
  try {
    const { host, port } = deps.resolve({ namespace: service?.namespace ?? '', name: service?.name ?? '', port: service?.port ?? 443 })
    url = `https://${host.includes(':') ? `[${host}]` : host}:${port}${path}`
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    return unavailable('FailedDiscoveryCheck', error.message)
  }
  let list: unknown
  try {
    const answer = await get(deps, transport, { path })
    // A redirect is not followed: it could lead anywhere with our credentials.
    if (answer.status < 200 || answer.status >= 300) {
      return unavailable('FailedDiscoveryCheck', `failing or missing response from ${url}: bad status from ${url}: ${answer.status}`)
    }
    list = answer.json
  } catch (error) {
    return unavailable('FailedDiscoveryCheck', `failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${networkText(error, new URL(url))}`)
  }
  return { status: 'True', reason: 'Passed', message: 'all checks passed', list }
}

/** What a server says of itself; what it does not say, or not in time, it is served without. `list` is its APIResourceList. */
export async function describeServer(
  deps: AvailabilityDeps,
  { apiService, transport }: Examined,
  said: { readonly list: unknown; readonly before: Description | undefined },
): Promise<Description> {
  const { group = '', version = '' } = apiService.spec
  const { list, before } = said
  const ask = async (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Found | undefined> => {
    try {
      return await get(deps, transport, { path, headers })
    } catch (error) {
      if (error instanceof StatusError) return undefined
      throw error
    }
  }
  const tag = before?.swaggerTag
  const [groups, index, document] = await Promise.all([
    ask('/apis', { accept: `${aggregatedList},application/json` }),
    ask('/openapi/v3'),
    ask('/openapi/v2', tag === undefined ? {} : { 'if-none-match': tag }),
  ])
  const same = document?.status === 304 || (document !== undefined && document.tag === tag)
  return {
    resources: listedResources(groups, { group, version }) ?? aggregatedResources(list, { group, version }),
    openApi: index?.status === 200 ? openApiPaths(index.json) : {},
    swagger: same ? before?.swagger : document?.status === 200 ? swaggerBelow(document.json, `/apis/${group}/${version}/`) : undefined,
    swaggerTag: same ? tag : document?.tag,
  }
}

/** Of a server that speaks aggregated discovery itself. */
function listedResources(groups: Found | undefined, served: { readonly group: string; readonly version: string }): readonly unknown[] | undefined {
  if (groups?.status !== 200 || !groups.contentType.includes('as=APIGroupDiscoveryList') || !isJsonObject(groups.json)) return undefined
  const named = objectsIn(groups.json['items']).find(({ metadata }) => isJsonObject(metadata) && metadata['name'] === served.group)
  const resources = objectsIn(named?.['versions']).find(({ version }) => version === served.version)?.['resources']
  return Array.isArray(resources) ? resources : undefined
}

function openApiPaths(index: unknown): Readonly<Record<string, string>> {
  const paths: Record<string, string> = {}
  if (!isJsonObject(index) || !isJsonObject(index['paths'])) return paths
  for (const [path, at] of Object.entries(index['paths'])) {
    const url = isJsonObject(at) ? at['serverRelativeURL'] : undefined
    // Nothing but the documents of groups: a client follows what stands here with its credentials.
    if (path.startsWith('apis/') && typeof url === 'string' && url.startsWith('/openapi/v3/')) paths[path] = url
  }
  return paths
}

function objectsIn(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}

interface Found {
  readonly status: number
  readonly contentType: string
  /** The same while the body is; undefined: without a body. */
  readonly tag: string | undefined
  /** Undefined when the body is no JSON. */
  readonly json: unknown
}

async function get(
  deps: AvailabilityDeps,
  transport: HttpTransport,
  { path, headers = {} }: { readonly path: string; readonly headers?: Readonly<Record<string, string>> },
): Promise<Found> {
  const stop = new AbortController()
  const cancel = deps.clock.schedule(() => stop.abort(new StatusError('Timeout', 'context deadline exceeded')), probeTimeoutMs)
  try {
    const identity = identityHeaders({ username: 'system:kube-aggregator', groups: ['system:masters'] })
    const response = await transport.handle({
      method: 'GET',
      path,
      query: '',
      headers: { accept: 'application/json', ...headers, ...identity },
      signal: stop.signal,
    })
    const bytes = await readWholeBody(response, maxDiscoveryBytes)
    return {
      status: response.status,
      contentType: header(response.headers, 'content-type') ?? '',
      tag: header(response.headers, 'etag') ?? (bytes.length === 0 ? undefined : createHash('sha256').update(bytes).digest('base64')),
      json: parse(bytes),
    }
  } finally {
    cancel()
    stop.abort(new Error('the check is over'))
  }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString())
  } catch {
    return undefined
  }
}

function unavailable(reason: string, message: string): Availability {
  return { status: 'False', reason, message }
}
