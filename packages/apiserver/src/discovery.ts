import { createHash } from 'node:crypto'
import { StatusError } from '@gantry/apimachinery'
import type { HttpRequest, HttpResponse } from '@gantry/runtime'
import { header } from '@gantry/runtime'
import type { Delegate, ForeignGroupVersion } from './delegate.ts'
import type { Registry } from './registry.ts'
import type { ResourceDefinition } from './resource.ts'
import { jsonHeaders } from './respond.ts'
import { storageOf } from './view.ts'

export const allVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] as const

/** In upstream's order: the same verbs, which its two servers list differently. */
const customVerbs: readonly string[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

/** Verbs of the object itself; create-only reviews have one. */
export function verbsOf(definition: ResourceDefinition): readonly string[] {
  return definition.verbs ?? (definition.create !== undefined ? ['create'] : definition.custom === true ? customVerbs : allVerbs)
}

interface SubresourceDescription {
  readonly name: string
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  readonly verbs: readonly string[]
}

/** Subresources in the order in which discovery lists them: that of the alphabet for built-in kinds. */
export function subresourcesOf(definition: ResourceDefinition): SubresourceDescription[] {
  const found: SubresourceDescription[] = Object.entries(definition.subresources ?? {}).map(([name, { kind, verbs }]) => ({ name, kind, verbs }))
  const self = { group: definition.group, version: definition.version, kind: definition.kind }
  const ofStatus = [
    ...(definition.hasStatus === true ? ['status'] : []),
    ...(definition.statusSubresources ?? []),
    ...Object.keys(definition.partSubresources ?? {}),
  ]
  for (const name of ofStatus) found.push({ name, kind: self, verbs: ['get', 'patch', 'update'] })
  if (definition.scale !== undefined)
    found.push({ name: 'scale', kind: { group: 'autoscaling', version: 'v1', kind: 'Scale' }, verbs: ['get', 'patch', 'update'] })
  // Those of a custom resource stand in the order in which its definition knows them.
  return definition.custom === true ? found : found.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A served group. */
export interface GroupDescription {
  readonly group: string
  /** The highest of its kinds. */
  readonly priority: number
  readonly versions: readonly { readonly version: string; readonly definitions: readonly ResourceDefinition[] }[]
}

/** Groups and versions in discovery's order: priorities first (D3), then names; resources by name. */
export function groupsOf(registry: Registry): GroupDescription[] {
  const groups = new Map<string, Map<string, ResourceDefinition[]>>()
  for (const definition of registry.all()) {
    let versions = groups.get(definition.group)
    if (versions === undefined) groups.set(definition.group, (versions = new Map()))
    const list = versions.get(definition.version)
    if (list === undefined) versions.set(definition.version, [definition])
    else list.push(definition)
  }
  const described = [...groups].map(([group, versions]) => ({
    group,
    priority: Math.max(...[...versions.values()].flat().map((definition) => definition.groupPriority ?? 1000)),
    versions: [...versions]
      .map(([version, definitions]) => ({ version, definitions: definitions.toSorted((a, b) => (a.plural < b.plural ? -1 : 1)) }))
      .sort((a, b) => versionPriority(b.definitions) - versionPriority(a.definitions) || compareVersions(b.version, a.version)),
  }))
  return described.sort((a, b) => b.priority - a.priority || (a.group < b.group ? -1 : 1))
}

function versionPriority(definitions: readonly ResourceDefinition[]): number {
  return Math.max(...definitions.map((definition) => definition.versionPriority ?? 0))
}

/** Kubernetes' order of versions: v2 > v1 > v1beta2 > v1beta1 > v1alpha1 > anything else. Upstream: apimachinery pkg/version/helpers.go. */
export function compareVersions(a: string, b: string): number {
  const rank = (version: string): [number, number, number] => {
    const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
    if (match === null) return [0, 0, 0]
    return [match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1, Number(match[1]), Number(match[3] ?? 0)]
  }
  const [x, y] = [rank(a), rank(b)]
  return x[0] - y[0] || x[1] - y[1] || x[2] - y[2] || (a < b ? 1 : a > b ? -1 : 0)
}

interface Made {
  readonly generation: number
  readonly body: Buffer
  readonly etag: string
}

/** Answers `/api`, `/apis` and what is below them up to the resource lists; documents are made anew when the registry has changed. */
export class Discovery {
  readonly #registry: Registry
  readonly #delegate: Delegate | undefined
  readonly #made = new Map<string, Made>()

  constructor(registry: Registry, delegate?: Delegate) {
    this.#registry = registry
    this.#delegate = delegate
  }

  /** undefined: the path is none of discovery's. */
  answer(request: HttpRequest, parts: readonly string[]): HttpResponse | undefined {
    const [root, first, second] = parts
    if (root === 'api') {
      if (first === undefined) return this.#root(request, 'api')
      if (parts.length > 2) return undefined
      if (!this.#registry.hasGroupVersion('', first)) throw new StatusError('NotFound', 'the server could not find the requested resource', { details: {} })
      return json(this.#resourceList('', first))
    }
    if (root !== 'apis') return undefined
    if (first === undefined) return this.#root(request, 'apis')
    if (parts.length > 3) return undefined
    if (second === undefined) {
      const group = this.#groups().find((candidate) => candidate.group === first)
      return group === undefined ? undefined : json({ kind: 'APIGroup', apiVersion: 'v1', ...groupValue(group) })
    }
    if (first !== '' && !this.#registry.hasGroupVersion(first, second) && this.#registry.hasBuiltinGroup(first))
      throw new StatusError('NotFound', 'the server could not find the requested resource', { details: {} })
    if (first === '' || !this.#registry.hasGroupVersion(first, second)) return undefined
    return json(this.#resourceList(first, second))
  }

  #root(request: HttpRequest, root: 'api' | 'apis'): HttpResponse {
    const aggregated = aggregatedVersion(header(request.headers, 'accept') ?? '')
    if (aggregated === undefined) return json(root === 'api' ? legacyVersions : this.#groupList())
    const made = this.#cached(`${root} ${aggregated}`, () => this.#aggregated(root, aggregated))
    const headers = {
      'content-type': `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`,
      'cache-control': 'public',
      etag: made.etag,
      vary: 'Accept',
    }
    if (header(request.headers, 'if-none-match') === made.etag) return { status: 304, headers }
    return { status: 200, headers, body: made.body }
  }

  #cached(key: string, make: () => unknown): Made {
    const generation = this.#registry.generation + (this.#delegate?.generation ?? 0)
    const kept = this.#made.get(key)
    if (kept?.generation === generation) return kept
    const body = Buffer.from(`${JSON.stringify(make())}\n`)
    const made = { generation, body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
    this.#made.set(key, made)
    return made
  }

  #aggregated(root: 'api' | 'apis', version: string): unknown {
    const groups = root === 'api' ? groupsOf(this.#registry).filter(({ group }) => group === '') : this.#groups()
    return {
      kind: 'APIGroupDiscoveryList',
      apiVersion: `apidiscovery.k8s.io/${version}`,
      metadata: {},
      items: groups.map(({ group, versions }) => ({
        metadata: group === '' ? {} : { name: group },
        versions: versions.map((served) => aggregatedVersionValue(served)),
      })),
    }
  }

  #groupList(): unknown {
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: this.#groups().map(groupValue),
    }
  }

  /** Our groups and those of others, in discovery's order. */
  #groups(): readonly ServedGroup[] {
    const own: readonly ServedGroup[] = groupsOf(this.#registry).filter(({ group }) => group !== '')
    const foreign = this.#delegate?.groupVersions() ?? []
    return foreign.length === 0 ? own : withForeign(own, foreign)
  }

  #resourceList(group: string, version: string): unknown {
    const served = groupsOf(this.#registry)
      .find((candidate) => candidate.group === group)
      ?.versions.find((candidate) => candidate.version === version)
    return {
      kind: 'APIResourceList',
      ...(group === '' ? {} : { apiVersion: 'v1' }),
      groupVersion: group === '' ? version : `${group}/${version}`,
      resources: (served?.definitions ?? []).flatMap(legacyResources),
    }
  }
}

const legacyVersions = { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '' }] }

interface ServedGroup {
  readonly group: string
  readonly priority: number
  readonly versions: readonly ServedVersion[]
}

type ServedVersion = GroupDescription['versions'][number] | (ForeignGroupVersion & { readonly definitions?: undefined })

function withForeign(own: readonly ServedGroup[], foreign: readonly ForeignGroupVersion[]): ServedGroup[] {
  const groups = new Map(own.map((group) => [group.group, group]))
  const sorted = foreign.toSorted((a, b) => b.versionPriority - a.versionPriority || compareVersions(b.version, a.version))
  for (const served of sorted) {
    const known = groups.get(served.group) ?? { group: served.group, priority: 0, versions: [] }
    const others = known.versions.filter(({ version }) => version !== served.version)
    groups.set(served.group, { group: served.group, priority: Math.max(known.priority, served.groupPriority), versions: [...others, served] })
  }
  return [...groups.values()].sort((a, b) => b.priority - a.priority || (a.group < b.group ? -1 : 1))
}

/** What another server cannot say just now is marked as out of date (D6). */
function aggregatedVersionValue(served: ServedVersion): unknown {
  if (served.definitions !== undefined) return { version: served.version, resources: served.definitions.map(aggregatedResource), freshness: 'Current' }
  if (served.resources === undefined) return { version: served.version, freshness: 'Stale' }
  return { version: served.version, resources: served.resources, freshness: 'Current' }
}

function groupValue({ group, versions }: ServedGroup): { name: string; versions: unknown[]; preferredVersion: unknown } {
  const described = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions: described, preferredVersion: described[0] }
}

function aggregatedResource(definition: ResourceDefinition): unknown {
  const subresources = subresourcesOf(definition)
  return {
    resource: definition.plural,
    responseKind: responseKindOf(definition, definition),
    scope: definition.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: definition.singular,
    verbs: verbsOf(definition),
    ...(definition.shortNames === undefined ? {} : { shortNames: definition.shortNames }),
    ...(definition.categories === undefined ? {} : { categories: definition.categories }),
    ...(subresources.length === 0
      ? {}
      : { subresources: subresources.map(({ name, kind, verbs }) => ({ subresource: name, responseKind: responseKindOf(definition, kind), verbs })) }),
  }
}

/** A kind of the resource's own group and version is named by its kind alone. */
function responseKindOf({ group, version }: ResourceDefinition, kind: SubresourceDescription['kind']): SubresourceDescription['kind'] {
  return kind.group === group && kind.version === version
    ? { group: '', version: '', kind: kind.kind }
    : { group: kind.group, version: kind.version, kind: kind.kind }
}

function legacyResources(definition: ResourceDefinition): unknown[] {
  const { namespaced, kind } = definition
  const self = {
    name: definition.plural,
    singularName: definition.singular,
    namespaced,
    kind,
    verbs: verbsOf(definition),
    ...(definition.shortNames === undefined ? {} : { shortNames: definition.shortNames }),
    ...(definition.categories === undefined ? {} : { categories: definition.categories }),
    ...(isStored(definition) ? { storageVersionHash: storageVersionHash(definition) } : {}),
  }
  const below = subresourcesOf(definition).map((subresource) => ({
    name: `${definition.plural}/${subresource.name}`,
    singularName: '',
    namespaced,
    ...(subresource.kind.group === definition.group && subresource.kind.version === definition.version
      ? {}
      : { group: subresource.kind.group, version: subresource.kind.version }),
    kind: subresource.kind.kind,
    verbs: subresource.verbs,
  }))
  return [self, ...below]
}

function isStored({ create, compute, createsThrough }: ResourceDefinition): boolean {
  return create === undefined && compute === undefined && createsThrough === undefined
}

/** Upstream: apiserver pkg/endpoints/discovery/storageversionhash.go. */
function storageVersionHash(served: ResourceDefinition): string {
  const definition = storageOf(served)
  const version = definition.hashedVersion ?? definition.storageVersion ?? definition.version
  return createHash('sha256').update(`${definition.group}/${version}/${definition.kind}`).digest().subarray(0, 8).toString('base64')
}

function aggregatedVersion(accept: string): 'v2' | 'v2beta1' | undefined {
  for (const clause of accept.split(',')) {
    const parameters = clause.split(';').map((part) => part.trim())
    if (parameters[0] === 'application/json' && parameters.length === 1) return undefined
    if (!parameters.includes('g=apidiscovery.k8s.io') || !parameters.includes('as=APIGroupDiscoveryList') || parameters[0] !== 'application/json') continue
    if (parameters.includes('v=v2')) return 'v2'
    if (parameters.includes('v=v2beta1')) return 'v2beta1'
  }
  return undefined
}

function json(value: unknown): HttpResponse {
  return { status: 200, headers: jsonHeaders, body: `${JSON.stringify(value)}\n` }
}
