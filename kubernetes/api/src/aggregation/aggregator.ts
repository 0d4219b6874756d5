import { isReason } from '@gantry/apimachinery'
import { formatTime } from '@gantry/apiserver'
import type { ApiObject, Delegate, ForeignGroupVersion, ForeignServer } from '@gantry/apiserver'
import { openHttpTransport, transportFailureOf } from '@gantry/client'
import type { HttpTransport, KubeClient, KubeObject } from '@gantry/client'
import { exponentialDelayMs, header } from '@gantry/runtime'
import type { Clock, HttpResponse, Logger } from '@gantry/runtime'
import type { APIService } from '../generated/types.ts'
import { as } from '../kind.ts'
import { resources } from '../resources.ts'
import { networkText } from '../webhook-client.ts'
import { checkAvailability, describeServer } from './availability.ts'
import type { Availability, AvailabilityDeps, Description } from './availability.ts'
import { proxiedRequest } from './proxied-request.ts'

export interface AggregatorDeps extends Omit<AvailabilityDeps, 'clock'> {
  readonly clock: Clock
  readonly log: Logger
  /** Writes the statuses of APIServices. Asked for when there is one to write: the API that it speaks to starts after the aggregator. */
  readonly client: () => KubeClient
}

export interface AggregatorOptions {
  /** PEM. What extension servers know this server by, signed by the authority that `extension-apiserver-authentication` names. Absent: no certificate is shown. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string } | undefined
}

const checkEveryMs = 30_000
const firstRetryMs = 1_000
const connections = 32
const streams = 256
const notCached = 'no-cache, private'

interface Served {
  apiService: APIService
  readonly transport: HttpTransport
  /** What the transport was made of: when that changes, so does the transport. */
  readonly made: string
  readonly server: ForeignServer
  availability: Availability | undefined
  /** What it last said of itself: its OpenAPI documents stay listed while it cannot be used. */
  described: Description | undefined
  failures: number
  cancel: (() => void) | undefined
  running: boolean
  /** Something has changed while a check ran. */
  again: boolean
  gone: boolean
}

/**
 * Groups and versions that APIServices hand to services of the cluster (G1): requests go there as the caller that this server has found out, and each server is looked
 * after so that discovery and the Available condition tell the truth.
 */
export class Aggregator implements Delegate {
  readonly #deps: AggregatorDeps
  readonly #options: AggregatorOptions
  readonly #served = new Map<string, Served>()
  #groupVersions: readonly ForeignGroupVersion[] = []
  generation = 0

  constructor(deps: AggregatorDeps, options: AggregatorOptions = {}) {
    this.#deps = deps
    this.#options = options
  }

  groupVersions(): readonly ForeignGroupVersion[] {
    return this.#groupVersions
  }

  find(group: string, version: string): ForeignServer | undefined {
    return this.#served.get(`${version}.${group}`)?.server
  }

  set(object: ApiObject): void {
    const apiService = as<APIService>(object)
    const name = object.metadata.name
    const kept = this.#served.get(name)
    if (apiService.spec.service === undefined) return this.#drop(name)
    const made = JSON.stringify([apiService.spec.service, apiService.spec.caBundle, apiService.spec.insecureSkipTLSVerify])
    if (kept?.made === made) {
      const same = JSON.stringify(kept.apiService.spec) === JSON.stringify(apiService.spec)
      kept.apiService = apiService
      if (same) return
    } else {
      this.#drop(name)
      this.#served.set(name, this.#serve(apiService, made))
    }
    this.#arrange()
    const served = this.#served.get(name)
    if (served !== undefined) this.#checkSoon(served)
  }

  remove(object: ApiObject): void {
    this.#drop(object.metadata.name)
  }

  /** A service has changed, or what stands behind it. */
  serviceChanged(namespace: string, name: string): void {
    for (const served of this.#served.values()) {
      const { service } = served.apiService.spec
      if (service?.namespace === namespace && service.name === name) this.#checkSoon(served)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#served.values()]
    for (const served of all) end(served)
    this.#served.clear()
    await Promise.all(all.map(({ transport }) => transport.close()))
  }

  #serve(apiService: APIService, made: string): Served {
    const { spec } = apiService
    const service = { namespace: spec.service?.namespace ?? '', name: spec.service?.name ?? '', port: spec.service?.port ?? 443 }
    const url = `https://${service.name}.${service.namespace}.svc:${service.port}`
    const transport = openHttpTransport(
      {
        server: url,
        ...((spec.caBundle ?? '') === '' ? {} : { ca: Buffer.from(spec.caBundle ?? '', 'base64') }),
        ...this.#options.clientCertificate,
        insecureSkipTlsVerify: spec.insecureSkipTLSVerify === true,
        connectTo: () => this.#deps.resolve(service),
        connections,
        streams,
      },
      { clock: this.#deps.clock },
    )
    const served: Served = {
      apiService,
      made,
      transport,
      server: {
        handle: async (request, user) => {
          if (served.availability?.status !== 'True') return plain(503, 'service unavailable\n')
          try {
            return asOurs(await transport.handle(proxiedRequest(request, user)))
          } catch (error) {
            if (transportFailureOf(error) === undefined) throw error
            this.#deps.log.warn('a request to an extension server failed', { apiService: apiService.metadata.name, error })
            this.#checkSoon(served)
            return plain(503, `error trying to reach service: ${networkText(error, new URL(url))}\n`)
          }
        },
        upgrade: async (request, user, { socket, head }) => {
          if (served.availability?.status !== 'True') {
            socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nservice unavailable\n')
            return
          }
          await transport.upgrade(proxiedRequest(request, user), socket, head)
        },
      },
      availability: undefined,
      described: undefined,
      failures: 0,
      cancel: undefined,
      running: false,
      again: false,
      gone: false,
    }
    return served
  }

  #drop(name: string): void {
    const served = this.#served.get(name)
    if (served === undefined) return
    this.#served.delete(name)
    end(served)
    // Requests in flight end with it, as the group does; a failure to close leaves nothing behind.
    served.transport.close().catch(() => {})
    this.#arrange()
  }

  #arrange(): void {
    this.generation++
    this.#groupVersions = [...this.#served.values()].map(({ apiService, availability, described }) => ({
      group: apiService.spec.group ?? '',
      version: apiService.spec.version ?? '',
      groupPriority: apiService.spec.groupPriorityMinimum,
      versionPriority: apiService.spec.versionPriority,
      resources: availability?.status === 'True' ? described?.resources : undefined,
      openApi: described?.openApi ?? {},
      swagger: described?.swagger,
    }))
  }

  #checkSoon(served: Served): void {
    if (served.running) {
      served.again = true
      return
    }
    served.cancel?.()
    served.cancel = this.#deps.clock.schedule(() => void this.#check(served), 0)
  }

  /** Never rejects. One check of a server runs at a time. */
  async #check(served: Served): Promise<void> {
    served.running = true
    served.again = false
    const name = served.apiService.metadata.name ?? ''
    try {
      const availability = await checkAvailability(this.#deps, served)
      if (served.gone) return
      served.failures = availability.status === 'True' ? 0 : served.failures + 1
      const changed = served.availability?.status !== availability.status
      served.availability = availability
      if (changed) this.#arrange()
      await this.#writeStatus(name, availability)
      // A server that is slow to describe itself can be used all the same.
      if (availability.status === 'True') await this.#describe(served, availability.list)
    } catch (error) {
      served.failures++
      this.#deps.log.error('an APIService could not be checked', { apiService: name, error })
    } finally {
      served.running = false
      if (!served.gone) this.#schedule(served)
    }
  }

  async #describe(served: Served, list: unknown): Promise<void> {
    const described = await describeServer(this.#deps, served, { list, before: served.described })
    const changed = !isSame(served.described, described)
    served.described = described
    if (changed && !served.gone) this.#arrange()
  }

  #schedule(served: Served): void {
    const failing = exponentialDelayMs(Math.max(1, served.failures), { baseMs: firstRetryMs, maxMs: checkEveryMs })
    served.cancel = this.#deps.clock.schedule(() => void this.#check(served), served.again ? 0 : served.failures === 0 ? checkEveryMs : failing)
  }

  async #writeStatus(name: string, { status, reason, message }: Availability): Promise<void> {
    const client = this.#deps.client()
    let found: KubeObject
    try {
      found = await client.get(resources.apiServices, { name })
    } catch (error) {
      if (isReason(error, 'NotFound')) return
      throw error
    }
    const current = as<APIService>(found as unknown as ApiObject)
    const conditions = current.status?.conditions ?? []
    const old = conditions.find(({ type }) => type === 'Available')
    if (old?.status === status && old.reason === reason && old.message === message) return
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : formatTime(this.#deps.clock.now())
    const others = conditions.filter(({ type }) => type !== 'Available')
    const next = { ...found, status: { ...current.status, conditions: [...others, { type: 'Available', status, lastTransitionTime, reason, message }] } }
    try {
      await client.update(resources.apiServices, next, { subresource: 'status', fieldManager: 'kube-apiserver' })
    } catch (error) {
      // Somebody else has changed it: the check that follows the change writes the status.
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
  }
}

function isSame(one: Description | undefined, other: Description): boolean {
  return one?.swagger === other.swagger && JSON.stringify([one?.resources, one?.openApi]) === JSON.stringify([other.resources, other.openApi])
}

function end(served: Served): void {
  served.gone = true
  served.cancel?.()
}

function plain(status: number, body: string): HttpResponse {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': notCached, 'x-content-type-options': 'nosniff' }, body }
}

/**
 * An answer as it is passed on: with what this server says of every answer before what the other says. A redirect would send the caller's next request wherever the
 * extension server likes. Upstream: apimachinery pkg/util/proxy, CVE-2022-3172.
 */
function asOurs(response: HttpResponse): HttpResponse {
  if (response.status >= 300 && response.status <= 399 && header(response.headers, 'location') !== undefined) {
    return plain(502, 'the backend attempted to redirect this request, which is not permitted\n')
  }
  const theirs = header(response.headers, 'cache-control')
  return { ...response, headers: { ...response.headers, 'cache-control': theirs === undefined ? notCached : [notCached, theirs] } }
}
