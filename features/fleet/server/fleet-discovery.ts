import { isReason, StatusError } from '@gantry/apimachinery'
import { readWholeBody, type Clock, type HttpResponse } from '@gantry/runtime'
import { resourceKey, type FleetResource } from './kind-sight.ts'
import { askMember } from './member-feed.ts'
import type { FleetMembers } from './ports.ts'

/** As aggregated discovery says it (apidiscovery.k8s.io/v2). */
export interface GroupDiscovery {
  readonly metadata: { readonly name?: string }
  readonly versions: readonly VersionDiscovery[]
}

export interface VersionDiscovery {
  readonly version: string
  readonly freshness?: string
  readonly resources?: readonly ResourceDiscovery[]
}

export interface ResourceDiscovery {
  readonly resource: string
  readonly responseKind?: { readonly group?: string; readonly version?: string; readonly kind?: string }
  readonly scope?: string
  readonly singularResource?: string
  readonly verbs?: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

interface ClusterApi {
  readonly groups: readonly GroupDiscovery[]
  readonly fetchedMs: number
  /** By `resource.group`: where the version that the cluster prefers is. */
  readonly preferred: ReadonlyMap<string, { readonly version: string; readonly namespaced: boolean }>
}

export interface FleetApi {
  readonly groups: readonly GroupDiscovery[]
  readonly resources: ReadonlyMap<string, FleetResource>
  /** Clusters that have never said what they serve. */
  readonly silent: readonly string[]
}

const aggregated = ['v2', 'v2beta1'].map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`).join(',')
/** A thousand custom kinds take a fourth of it. What is longer is no discovery, and is not to be held for many clusters at once. */
const maxBytes = 4 << 20
const timeoutMs = 10_000
/** A cluster's kinds are asked for again when somebody wants to know them and they are older than this. */
const freshMs = 60_000
/** One that failed is not asked again before, whatever number of kinds want to know. */
const failedMs = 5_000
const readVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch'])

/** What the clusters serve, as one: asked on demand, kept for a minute, and used longer while it is being asked for again. */
export class FleetDiscovery {
  readonly #deps: { readonly clock: Clock; readonly members: FleetMembers }
  readonly #known = new Map<string, ClusterApi>()
  readonly #asking = new Map<string, Promise<ClusterApi>>()
  readonly #failed = new Map<string, { readonly error: unknown; readonly atMs: number }>()
  #union: { readonly of: readonly (ClusterApi | undefined)[]; readonly api: FleetApi } | undefined

  constructor(deps: { readonly clock: Clock; readonly members: FleetMembers }) {
    this.#deps = deps
  }

  /** What the fleet serves. Waits at most `withinMs` for clusters that have never answered. */
  async union(withinMs: number, signal: AbortSignal): Promise<FleetApi> {
    const names = this.#deps.members.names()
    const unknown = names.flatMap((name) => {
      const asking = this.#refresh(name)
      return asking === undefined || this.#known.has(name) ? [] : [asking]
    })
    if (unknown.length > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      const cancel = this.#deps.clock.schedule(resolve, withinMs)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await Promise.race([Promise.allSettled(unknown), promise])
      cancel()
      signal.throwIfAborted()
    }
    for (const kept of [this.#known, this.#failed]) for (const name of kept.keys()) if (!names.includes(name)) kept.delete(name)
    const of = names.map((name) => this.#known.get(name))
    if (this.#union === undefined || of.length !== this.#union.of.length || of.some((api, at) => api !== this.#union?.of[at])) {
      this.#union = { of, api: { ...unionOf(of.filter((api) => api !== undefined)), silent: names.filter((name) => !this.#known.has(name)) } }
    }
    return this.#union.api
  }

  /** The path of a resource's collection in a cluster, in the version that it prefers; undefined when it serves none, or another kind by this name. */
  async pathIn(cluster: string, resource: FleetResource, { signal }: { readonly signal: AbortSignal }): Promise<string | undefined> {
    const preferred = (await this.#apiOf(cluster, signal)).preferred.get(resourceKey(resource))
    if (preferred === undefined || preferred.namespaced !== resource.namespaced) return undefined
    return `${groupVersionPath(resource.group, preferred.version)}/${resource.resource}`
  }

  /** Whether a cluster serves a resource in this version. */
  async serves(cluster: string, resource: FleetResource, version: string, signal: AbortSignal): Promise<boolean> {
    const { groups } = await this.#apiOf(cluster, signal)
    const versions = groups.find(({ metadata }) => (metadata.name ?? '') === resource.group)?.versions
    const found = versions?.find((one) => one.version === version)?.resources?.find((one) => one.resource === resource.resource)
    return found !== undefined && (found.scope === 'Namespaced') === resource.namespaced
  }

  async #apiOf(cluster: string, signal: AbortSignal): Promise<ClusterApi> {
    const asking = this.#refresh(cluster)
    if (asking === undefined) {
      const known = this.#known.get(cluster)
      if (known !== undefined) return known
      throw this.#failed.get(cluster)?.error
    }
    const gone = Promise.withResolvers<never>()
    const onAbort = (): void => gone.reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      signal.throwIfAborted()
      return await Promise.race([asking, gone.promise])
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** The question, while it is under way; undefined when what is known (or that it failed) is fresh. */
  #refresh(name: string): Promise<ClusterApi> | undefined {
    const underWay = this.#asking.get(name)
    if (underWay !== undefined) return underWay
    const nowMs = this.#deps.clock.monotonicMs()
    const known = this.#known.get(name)
    if (known !== undefined && nowMs - known.fetchedMs < freshMs) return undefined
    const failed = this.#failed.get(name)
    if (failed !== undefined && nowMs - failed.atMs < failedMs) return undefined
    const asking = this.#fetch(name)
      .then(
        (api) => {
          this.#failed.delete(name)
          this.#known.set(name, api)
          return api
        },
        (error: unknown) => {
          this.#failed.set(name, { error, atMs: this.#deps.clock.monotonicMs() })
          throw error
        },
      )
      .finally(() => this.#asking.delete(name))
    asking.catch(() => {}) // it stays among the silent ones, and its rows say why
    this.#asking.set(name, asking)
    return asking
  }

  /** Its own deadline bounds it: several may wait for it, and none of them alone ends it. */
  async #fetch(cluster: string): Promise<ClusterApi> {
    const { signal } = new AbortController()
    const [core, named] = await Promise.all([this.#groups(cluster, '/api', signal), this.#groups(cluster, '/apis', signal)])
    const groups = [...core, ...named]
    const preferred = new Map<string, { version: string; namespaced: boolean }>()
    for (const { metadata, versions } of groups) {
      for (const { version, resources } of versions) {
        for (const { resource, scope, verbs } of resources ?? []) {
          const key = resourceKey({ resource, group: metadata.name ?? '' })
          if (!preferred.has(key) && verbs?.includes('list') === true) preferred.set(key, { version, namespaced: scope === 'Namespaced' })
        }
      }
    }
    return { groups, preferred, fetchedMs: this.#deps.clock.monotonicMs() }
  }

  async #groups(cluster: string, path: '/api' | '/apis', signal: AbortSignal): Promise<readonly GroupDiscovery[]> {
    const answer = (await this.#get(cluster, path, `${aggregated},application/json`, signal)) as {
      readonly kind?: string
      readonly items?: readonly GroupDiscovery[]
      readonly versions?: readonly string[]
      readonly groups?: readonly { readonly name: string; readonly versions: readonly { readonly version: string }[] }[]
    }
    if (answer.kind === 'APIGroupDiscoveryList') return answer.items ?? []
    // Before Kubernetes 1.26: each version is asked for by itself.
    const groups = path === '/api' ? [{ name: '', versions: (answer.versions ?? []).map((version) => ({ version })) }] : (answer.groups ?? [])
    return Promise.all(
      groups.map(async ({ name, versions }) => ({
        metadata: { name },
        versions: await Promise.all(versions.map(({ version }) => this.#legacyVersion(cluster, name, version, signal))),
      })),
    )
  }

  async #legacyVersion(cluster: string, group: string, version: string, signal: AbortSignal): Promise<VersionDiscovery> {
    try {
      const { resources } = (await this.#get(cluster, groupVersionPath(group, version), 'application/json', signal)) as {
        readonly resources?: readonly ApiResource[]
      }
      return {
        version,
        resources: (resources ?? [])
          .filter(({ name }) => !name.includes('/'))
          .map(({ name, kind, namespaced, singularName, verbs, shortNames, categories }) => ({
            resource: name,
            responseKind: { group, version, kind },
            scope: namespaced ? 'Namespaced' : 'Cluster',
            singularResource: singularName,
            verbs,
            ...(shortNames === undefined ? {} : { shortNames }),
            ...(categories === undefined ? {} : { categories }),
          })),
      }
    } catch (error) {
      // An aggregated API that is down says nothing about the rest.
      if (isReason(error, 'ServiceUnavailable') || isReason(error, 'NotFound')) return { version, freshness: 'Stale', resources: [] }
      throw error
    }
  }

  async #get(cluster: string, path: string, accept: string, signal: AbortSignal): Promise<unknown> {
    const handle = this.#deps.members.handlerOf(cluster)
    if (handle === undefined) throw new StatusError('ServiceUnavailable', `cluster "${cluster}" is not known any more`)
    const late = new AbortController()
    const cancel = this.#deps.clock.schedule(() => late.abort(new StatusError('Timeout', `cluster "${cluster}" does not say what it serves`)), timeoutMs)
    const until = AbortSignal.any([signal, late.signal])
    try {
      const response = await askMember(this.#deps.clock, handle, { path, query: '', accept, signal: until, withinMs: timeoutMs })
      const body = await bodyUntil(response, until)
      return JSON.parse(body.toString('utf8')) as unknown
    } catch (error) {
      if (error instanceof SyntaxError) throw new StatusError('InternalError', `cluster "${cluster}" answers ${path} with what is not JSON`)
      throw error
    } finally {
      cancel()
    }
  }
}

interface ApiResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
  readonly singularName: string
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

/** A small body as a whole; does not wait for a producer that ignores the signal. */
async function bodyUntil(response: HttpResponse, signal: AbortSignal): Promise<Buffer> {
  const gone = Promise.withResolvers<never>()
  const onAbort = (): void => gone.reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([readWholeBody(response, maxBytes), gone.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

export function groupVersionPath(group: string, version: string): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`
}

/**
 * What several clusters serve, as one. A version is served when one of them serves it, and versions stand in the order in which Kubernetes ranks them (stable before
 * beta before alpha, higher before lower). Where two clusters give one resource different kinds or scopes, the first cluster decides and the other's is left out.
 */
export function unionOf(apis: readonly { readonly groups: readonly GroupDiscovery[] }[]): Pick<FleetApi, 'groups' | 'resources'> {
  const groups = new Map<string, Map<string, Map<string, ResourceDiscovery>>>()
  const resources = new Map<string, FleetResource>()
  for (const { groups: given } of apis) {
    for (const { metadata, versions } of given) {
      const group = metadata.name ?? ''
      const knownVersions = entryOf(groups, group, () => new Map<string, Map<string, ResourceDiscovery>>())
      for (const { version, resources: listed } of versions) {
        const known = entryOf(knownVersions, version, () => new Map<string, ResourceDiscovery>())
        for (const { resource, responseKind, scope, singularResource, verbs, shortNames, categories } of listed ?? []) {
          if (verbs?.includes('list') !== true) continue
          const key = resourceKey({ resource, group })
          const first = entryOf(resources, key, () => ({ group, resource, kind: responseKind?.kind ?? '', namespaced: scope === 'Namespaced' }))
          if (first.namespaced !== (scope === 'Namespaced') || first.kind !== (responseKind?.kind ?? '') || known.has(resource)) continue
          known.set(resource, {
            resource,
            responseKind: { group, version, kind: first.kind },
            scope: first.namespaced ? 'Namespaced' : 'Cluster',
            singularResource: singularResource ?? '',
            verbs: verbs.filter((verb) => readVerbs.has(verb)),
            ...(shortNames === undefined ? {} : { shortNames }),
            ...(categories === undefined ? {} : { categories }),
          })
        }
      }
    }
  }
  return {
    resources,
    groups: [...groups].map(([name, versions]) => ({
      metadata: { name },
      versions: [...versions]
        .sort(([a], [b]) => compareVersions(a, b))
        .map(([version, known]) => ({ version, resources: [...known.values()], freshness: 'Current' })),
    })),
  }
}

const kubeVersion = /^v(\d+)(?:(alpha|beta)(\d+))?$/
const stability: Readonly<Record<string, number>> = { alpha: 0, beta: 1 }

/** Kubernetes' order of versions: v2, v1, v2beta1, v1beta2, v1alpha1, then anything else by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [kubeVersion.exec(a), kubeVersion.exec(b)]
  if (left === null || right === null) return left === right ? (a < b ? -1 : a > b ? 1 : 0) : left === null ? 1 : -1
  const rank = ([, major, level, minor]: RegExpExecArray): readonly number[] => [
    level === undefined ? 2 : (stability[level] ?? 0),
    Number(major),
    Number(minor ?? 0),
  ]
  const [x, y] = [rank(left), rank(right)]
  return (y[0] ?? 0) - (x[0] ?? 0) || (y[1] ?? 0) - (x[1] ?? 0) || (y[2] ?? 0) - (x[2] ?? 0)
}

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, (value = make()))
  return value
}
