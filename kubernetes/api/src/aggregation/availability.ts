import { StatusError } from '@gantry/apimachinery'
import type { ApiObject } from '@gantry/apiserver'
import type { HttpTransport } from '@gantry/client'
import { readWholeBody } from '@gantry/runtime'
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
  readonly resources?: readonly unknown[]
  readonly openApiHash?: string | undefined
}

export interface AvailabilityDeps {
  readonly clock: Clock
  readonly serviceNamed: (namespace: string, name: string) => ApiObject | undefined
  readonly endpointSlicesOf: (namespace: string, service: string) => Iterable<ApiObject>
  readonly resolve: ServiceResolver
}

const probeTimeoutMs = 5_000
const maxDiscoveryBytes = 4 * 1024 * 1024

/** Whether an APIService's server can be used, with upstream's reasons. Upstream: kube-aggregator pkg/controllers/status/remote. */
export async function checkAvailability(deps: AvailabilityDeps, apiService: APIService, transport: HttpTransport): Promise<Availability> {
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
  return probe(deps, apiService, transport)
}

function isReady(slice: EndpointSlice, portName: string): boolean {
  const named = (slice.ports ?? []).some((port) => (port.name ?? '') === portName && port.port !== undefined)
  return named && (slice.endpoints ?? []).some((endpoint) => endpoint.conditions?.ready !== false)
}

async function probe(deps: AvailabilityDeps, { spec }: APIService, transport: HttpTransport): Promise<Availability> {
  const { group = '', version = '', service } = spec
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
    const answer = await get(deps, transport, path)
    // A redirect is not followed: it could lead anywhere with our credentials.
    if (answer.status < 200 || answer.status >= 300) {
      return unavailable('FailedDiscoveryCheck', `failing or missing response from ${url}: bad status from ${url}: ${answer.status}`)
    }
    list = answer.json
  } catch (error) {
    return unavailable('FailedDiscoveryCheck', `failing or missing response from ${url}: Get ${JSON.stringify(url)}: ${networkText(error, new URL(url))}`)
  }
  return {
    status: 'True',
    reason: 'Passed',
    message: 'all checks passed',
    resources: aggregatedResources(list, { group, version }),
    openApiHash: await openApiHash(deps, transport, path),
  }
}

/** Servers without OpenAPI v3 are served without it. */
async function openApiHash(deps: AvailabilityDeps, transport: HttpTransport, path: string): Promise<string | undefined> {
  try {
    const { status, json } = await get(deps, transport, '/openapi/v3')
    const relative =
      status === 200 ? (json as { paths?: Record<string, { serverRelativeURL?: string }> } | undefined)?.paths?.[path.slice(1)]?.serverRelativeURL : undefined
    return relative === undefined ? undefined : (new URL(relative, 'https://server').searchParams.get('hash') ?? undefined)
  } catch (error) {
    if (error instanceof StatusError) return undefined
    throw error
  }
}

async function get(deps: AvailabilityDeps, transport: HttpTransport, path: string): Promise<{ readonly status: number; readonly json: unknown }> {
  const stop = new AbortController()
  const cancel = deps.clock.schedule(() => stop.abort(new StatusError('Timeout', 'context deadline exceeded')), probeTimeoutMs)
  try {
    const headers = { accept: 'application/json', ...identityHeaders({ username: 'system:kube-aggregator', groups: ['system:masters'] }) }
    const response = await transport.handle({ method: 'GET', path, query: '', headers, signal: stop.signal })
    const bytes = await readWholeBody(response, maxDiscoveryBytes)
    return { status: response.status, json: parse(bytes) }
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
