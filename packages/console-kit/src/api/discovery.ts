import { ApiError } from './api-error.ts'
import type { ConsoleApi } from './console-api.ts'
import type { ResourceType } from './kube-object.ts'
import { apiBase } from './resource-path.ts'

/** A resource as discovery describes it. */
export interface ServedResource extends ResourceType {
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
  readonly subresources: readonly string[]
  /** The group's preferred version comes first in discovery. */
  readonly preferred: boolean
}

interface AggregatedDiscovery {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly {
      readonly version: string
      readonly resources?: readonly {
        readonly resource: string
        readonly responseKind?: { readonly kind?: string }
        readonly scope?: string
        readonly verbs?: readonly string[]
        readonly shortNames?: readonly string[]
        readonly subresources?: readonly { readonly subresource: string }[]
      }[]
    }[]
  }[]
}

interface ResourceList {
  readonly groupVersion: string
  readonly resources?: readonly {
    readonly name: string
    readonly kind: string
    readonly namespaced: boolean
    readonly verbs: readonly string[]
    readonly shortNames?: readonly string[]
  }[]
}

interface GroupList {
  readonly groups?: readonly {
    readonly name: string
    readonly versions: readonly { readonly groupVersion: string; readonly version: string }[]
    readonly preferredVersion?: { readonly version: string }
  }[]
}

const aggregatedType = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
/** Upstream serves aggregated discovery since 1.26 (beta) and 1.30 (v2); older servers answer the plain documents. */
const accept = `${aggregatedType},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`

/** Everything a cluster serves, by two requests where it speaks aggregated discovery. Groups that fail are left out, as kubectl does. */
export async function discover(api: ConsoleApi, cluster: string | undefined, signal?: AbortSignal): Promise<readonly ServedResource[]> {
  const base = apiBase(cluster)
  const [core, groups] = await Promise.all([
    api.json<AggregatedDiscovery & { kind?: string; versions?: readonly string[] }>(`${base}/api`, { accept, signal }),
    api.json<AggregatedDiscovery & GroupList & { kind?: string }>(`${base}/apis`, { accept, signal }),
  ])
  if (core.kind === 'APIGroupDiscoveryList' && groups.kind === 'APIGroupDiscoveryList') return [...parseAggregated(core), ...parseAggregated(groups)]

  const wanted = [
    ...(core.versions ?? []).map((version) => ({ path: `${base}/api/${version}`, preferred: true })),
    ...(groups.groups ?? []).flatMap((group) =>
      group.versions.map((version) => ({
        path: `${base}/apis/${version.groupVersion}`,
        preferred: version.version === (group.preferredVersion ?? group.versions[0])?.version,
      })),
    ),
  ]
  const lists = await Promise.all(
    wanted.map(async ({ path, preferred }) => {
      try {
        return parseResourceList(await api.json<ResourceList>(path, { signal }), preferred)
      } catch (error) {
        if (error instanceof ApiError) return []
        throw error
      }
    }),
  )
  return lists.flat()
}

export function parseAggregated(document: AggregatedDiscovery): readonly ServedResource[] {
  return (document.items ?? []).flatMap((group) =>
    (group.versions ?? []).flatMap((version, index) =>
      (version.resources ?? []).map((resource) => ({
        group: group.metadata?.name ?? '',
        version: version.version,
        plural: resource.resource,
        kind: resource.responseKind?.kind ?? resource.resource,
        namespaced: resource.scope === 'Namespaced',
        verbs: resource.verbs ?? [],
        shortNames: resource.shortNames ?? [],
        subresources: (resource.subresources ?? []).map((sub) => sub.subresource),
        preferred: index === 0,
      })),
    ),
  )
}

export function parseResourceList(list: ResourceList, preferred: boolean): readonly ServedResource[] {
  const slash = list.groupVersion.indexOf('/')
  const group = slash < 0 ? '' : list.groupVersion.slice(0, slash)
  const version = list.groupVersion.slice(slash + 1)
  const resources = list.resources ?? []
  return resources
    .filter((resource) => !resource.name.includes('/'))
    .map((resource) => ({
      group,
      version,
      plural: resource.name,
      kind: resource.kind,
      namespaced: resource.namespaced,
      verbs: resource.verbs,
      shortNames: resource.shortNames ?? [],
      subresources: resources.filter((other) => other.name.startsWith(`${resource.name}/`)).map((other) => other.name.slice(resource.name.length + 1)),
      preferred,
    }))
}

export function findKind(served: readonly ServedResource[], group: string, version: string, kind: string): ServedResource | undefined {
  return served.find((resource) => resource.kind === kind && resource.group === group && resource.version === version)
}
