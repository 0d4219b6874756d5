import { StatusError } from '@gantry/apimachinery'
import { fleetPrefix, type Caller } from '@gantry/gateway'
import { header, readWholeBody, type Handler, type HttpRequest, type HttpResponse } from '@gantry/runtime'
import type { FleetApi, GroupDiscovery } from './fleet-discovery.ts'
import { askMember } from './member-feed.ts'
import { jsonHeaders } from './table-list.ts'
import { mayKnowCluster, warningHeader, type FleetView } from './view.ts'

const openApiBytes = 32 << 20
const openApiTimeoutMs = 15_000
const openApiRoot = `${fleetPrefix.slice(0, -1)}/openapi/v3`

/** Answers for paths that name no resource: what the fleet serves and of what shape. Undefined for a path that the fleet has nothing at. */
export async function answerAbout(view: FleetView, caller: Caller, request: HttpRequest, path: string): Promise<HttpResponse | undefined> {
  const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path
  if (trimmed === '/openapi/v3') return openApiIndex(view, request.signal)
  if (trimmed.startsWith('/openapi/v3/')) return openApiDocument(view, request, trimmed)
  if (trimmed === '/version' || trimmed === '/openapi/v2') return ofHub(view, request, trimmed)
  const [root, group, version, ...more] = trimmed.slice(1).split('/')
  if ((root !== 'api' && root !== 'apis') || more.length > 0) return undefined
  const api = await view.discovery.union(view.firstAnswerMs, request.signal)
  const silent = api.silent.filter((name) => mayKnowCluster(view, caller, name)).slice(0, 8)
  const headers = {
    ...jsonHeaders,
    ...(silent.length === 0
      ? {}
      : { warning: silent.map((name) => warningHeader(`cluster "${name}" does not say what it serves: kinds that only it has are missing`)) }),
  }
  if (group === undefined) return answerRoot(api, root, request, headers)
  const value =
    root === 'api'
      ? version === undefined
        ? resourceList(api, '', group)
        : undefined
      : version === undefined
        ? apiGroup(api, group)
        : resourceList(api, group, version)
  return value === undefined ? undefined : { status: 200, headers, body: `${JSON.stringify(value)}\n` }
}

function answerRoot(api: FleetApi, root: 'api' | 'apis', request: HttpRequest, headers: HttpResponse['headers']): HttpResponse {
  const groups = api.groups.filter(({ metadata }) => (metadata.name === '') === (root === 'api'))
  const accept = header(request.headers, 'accept') ?? ''
  const version = /;[^,]*as=APIGroupDiscoveryList/.test(accept)
    ? /g=apidiscovery\.k8s\.io;v=v2(?![a-z\d])|v=v2;[^,]*g=apidiscovery\.k8s\.io/.test(accept)
      ? 'v2'
      : 'v2beta1'
    : undefined
  if (version !== undefined) {
    const items = groups.map((group) => (root === 'api' ? { metadata: {}, versions: group.versions } : group))
    return {
      status: 200,
      headers: { ...headers, 'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList` },
      body: `${JSON.stringify({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items })}\n`,
    }
  }
  const value =
    root === 'api'
      ? { kind: 'APIVersions', versions: groups.flatMap(({ versions }) => versions.map((one) => one.version)), serverAddressByClientCIDRs: [] }
      : { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupOf) }
  return { status: 200, headers, body: `${JSON.stringify(value)}\n` }
}

function groupOf({ metadata, versions }: GroupDiscovery): object {
  const name = metadata.name ?? ''
  const entries = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: entries, preferredVersion: entries[0] }
}

function apiGroup({ groups }: FleetApi, name: string | undefined): object | undefined {
  const group = groups.find(({ metadata }) => metadata.name === name && name !== '')
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...groupOf(group) }
}

function resourceList({ groups }: FleetApi, group: string | undefined, version: string | undefined): object | undefined {
  const found = groups.find(({ metadata }) => metadata.name === group)?.versions.find((one) => one.version === version)
  if (found === undefined) return undefined
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources: (found.resources ?? []).map(({ resource, responseKind, scope, singularResource, verbs, shortNames, categories }) => ({
      name: resource,
      singularName: singularResource ?? '',
      namespaced: scope === 'Namespaced',
      kind: responseKind?.kind ?? '',
      verbs: verbs ?? [],
      ...(shortNames === undefined ? {} : { shortNames }),
      ...(categories === undefined ? {} : { categories }),
    })),
  }
}

interface OpenApiPaths {
  readonly paths?: Readonly<Record<string, { readonly serverRelativeURL?: string }>>
}

/** The index of the first cluster that has each path; documents are asked of that cluster. */
async function openApiIndex(view: FleetView, signal: AbortSignal): Promise<HttpResponse> {
  const paths: Record<string, { serverRelativeURL: string }> = {}
  const indexes = await Promise.all(view.members.names().map((cluster) => indexOf(view, cluster, signal)))
  for (const index of indexes) {
    for (const [path, { serverRelativeURL = '' }] of Object.entries(index)) {
      const query = serverRelativeURL.includes('?') ? serverRelativeURL.slice(serverRelativeURL.indexOf('?')) : ''
      if (!Object.hasOwn(paths, path)) paths[path] = { serverRelativeURL: `${openApiRoot}/${path}${query}` }
    }
  }
  return { status: 200, headers: jsonHeaders, body: `${JSON.stringify({ paths })}\n` }
}

/** Empty for a cluster that does not answer: kubectl then has no explanation of kinds that only it has. */
async function indexOf(view: FleetView, cluster: string, signal: AbortSignal): Promise<NonNullable<OpenApiPaths['paths']>> {
  const handle = view.members.handlerOf(cluster)
  if (handle === undefined) return {}
  try {
    const response = await askMember(view.clock, handle, { path: '/openapi/v3', query: '', accept: 'application/json', signal, withinMs: view.firstAnswerMs })
    const index = JSON.parse((await readWholeBody(response, openApiBytes)).toString('utf8')) as OpenApiPaths
    return index.paths ?? {}
  } catch {
    signal.throwIfAborted()
    return {}
  }
}

async function openApiDocument(view: FleetView, request: HttpRequest, path: string): Promise<HttpResponse> {
  const document = path.slice('/openapi/v3/'.length)
  for (const cluster of view.members.names()) {
    const handle = view.members.handlerOf(cluster)
    if (handle === undefined || !Object.hasOwn(await indexOf(view, cluster, request.signal), document)) continue
    return inItsWords(view, { handle, path }, request)
  }
  throw new StatusError('NotFound', 'no cluster of the fleet describes this group')
}

/** What has one answer only: the hub's. */
async function ofHub(view: FleetView, request: HttpRequest, path: string): Promise<HttpResponse> {
  const handle = view.members.handlerOf(view.clusterObjects.cluster)
  if (handle === undefined) throw new StatusError('ServiceUnavailable', 'the hub is not among the clusters')
  return inItsWords(view, { handle, path }, request)
}

/** What one cluster answers, in the encoding that it chooses: kubectl asks for protobuf or JSON. */
async function inItsWords(view: FleetView, { handle, path }: { readonly handle: Handler; readonly path: string }, request: HttpRequest): Promise<HttpResponse> {
  const accept = header(request.headers, 'accept') ?? 'application/json'
  const response = await askMember(view.clock, handle, { path, query: '', accept, signal: request.signal, withinMs: openApiTimeoutMs })
  return {
    status: 200,
    headers: { 'content-type': header(response.headers, 'content-type') ?? 'application/json', 'cache-control': 'no-cache, private' },
    body: response.body,
  }
}
