import { readWholeBody } from '@gantry/runtime'
import { errorOfResponse } from './error-response.ts'
import type { KubeClient, ResourceRef } from './client.ts'

/** A resource that a server serves, as its discovery says. */
export interface DiscoveredResource extends ResourceRef {
  readonly verbs: readonly string[]
  /** Whether this is the first version of its group that has it: the one to use when nobody asks for another. */
  readonly preferred: boolean
}

export interface Discovered {
  readonly resources: readonly DiscoveredResource[]
  /** `group/version`s whose resources the server could not tell just now (an aggregated API that is down): absence here proves nothing. */
  readonly stale: readonly string[]
}

interface GroupList {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly {
      readonly version: string
      readonly freshness?: string
      readonly resources?: readonly {
        readonly resource: string
        readonly responseKind?: { readonly kind?: string }
        readonly scope?: string
        readonly verbs?: readonly string[]
      }[]
    }[]
  }[]
}

const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const maxDiscoveryBytes = 64 * 1024 * 1024

/** Everything a server serves, without subresources: two requests of aggregated discovery (Kubernetes 1.30 and later). Throws StatusErrors. */
export async function discoverResources(client: Pick<KubeClient, 'request'>, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<Discovered> {
  const resources: DiscoveredResource[] = []
  const stale: string[] = []
  for (const list of await Promise.all([fetchGroups(client, '/api', options.signal), fetchGroups(client, '/apis', options.signal)])) {
    for (const { metadata, versions } of list.items ?? []) {
      const group = metadata?.name ?? ''
      const known = new Set<string>()
      for (const { version, freshness, resources: listed } of versions ?? []) {
        if (freshness === 'Stale') stale.push(group === '' ? version : `${group}/${version}`)
        for (const { resource, responseKind, scope, verbs } of listed ?? []) {
          resources.push({
            group,
            version,
            resource,
            kind: responseKind?.kind ?? '',
            namespaced: scope === 'Namespaced',
            verbs: verbs ?? [],
            preferred: !known.has(resource),
          })
          known.add(resource)
        }
      }
    }
  }
  return { resources, stale }
}

async function fetchGroups(client: Pick<KubeClient, 'request'>, path: string, signal: AbortSignal | undefined): Promise<GroupList> {
  const response = await client.request({ method: 'GET', path, headers: { accept: aggregated }, signal })
  const body = await readWholeBody(response, maxDiscoveryBytes)
  if (response.status !== 200) throw errorOfResponse(response.status, response.headers, body, { verb: 'get', what: path })
  return JSON.parse(body.toString('utf8')) as GroupList
}
