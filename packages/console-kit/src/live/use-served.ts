import { queryOptions, useQueries, useQuery } from '@tanstack/react-query'
import type { ConsoleApi } from '../api/console-api.ts'
import { discover, type ServedResource } from '../api/discovery.ts'
import type { ResourceType } from '../api/kube-object.ts'
import { useServices } from '../services.tsx'

/** New CRDs show up within this time; a page that needs to know now refetches. */
const freshMs = 30_000
const nothing: readonly ServedResource[] = []

export function discoveryQuery(api: ConsoleApi, cluster: string) {
  return queryOptions({ queryKey: ['discovery', cluster], queryFn: ({ signal }) => discover(api, cluster, signal), staleTime: freshMs, retry: 1 })
}

/** What one cluster serves. */
export function useServed(cluster: string) {
  const { api } = useServices()
  return useQuery(discoveryQuery(api, cluster))
}

/** One resource as a cluster serves it; undefined while unknown. */
export function useServedResource(cluster: string, type: Pick<ResourceType, 'group' | 'version' | 'plural'>): ServedResource | undefined {
  const { data } = useServed(cluster)
  return data?.find((resource) => resource.group === type.group && resource.version === type.version && resource.plural === type.plural)
}

export interface FleetResource extends ServedResource {
  /** Which clusters serve it. */
  readonly clusters: readonly string[]
}

/** What several clusters serve together: each group's preferred version of every listable resource, once. */
export function useServedByAll(clusters: readonly string[]): {
  readonly resources: readonly FleetResource[]
  readonly isPending: boolean
  /** How many of the clusters have said what they serve. */
  readonly answered: number
  readonly failures: readonly { readonly cluster: string; readonly error: Error }[]
} {
  const { api } = useServices()
  return useQueries({
    queries: clusters.map((cluster) => discoveryQuery(api, cluster)),
    combine(results) {
      const merged = new Map<string, FleetResource>()
      results.forEach((result, index) => {
        for (const resource of result.data ?? nothing) {
          if (!resource.preferred || !resource.verbs.includes('list')) continue
          const key = `${resource.group}/${resource.plural}`
          const known = merged.get(key)
          merged.set(key, { ...(known ?? resource), clusters: [...(known?.clusters ?? []), clusters[index] ?? ''] })
        }
      })
      return {
        resources: [...merged.values()],
        isPending: results.length > 0 && merged.size === 0 && results.some((result) => result.isPending),
        answered: results.filter((result) => result.data !== undefined).length,
        failures: results.flatMap((result, index) => (result.error === null ? [] : [{ cluster: clusters[index] ?? '', error: result.error }])),
      }
    },
  })
}
