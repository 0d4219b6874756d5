import { objectSource, queryKey, useLiveRows, useServices, type ApiError, type Fleet } from '@gantry/console-kit'
import { useMemo } from 'react'
import { clusterHealth, clusterType, displayNameOf, healthLabel, isHub, type ClusterObject } from './cluster.ts'

const hubQuery = { cluster: undefined, type: clusterType }

export interface Clusters {
  readonly phase: 'loading' | 'ready' | 'error'
  readonly clusters: readonly ClusterObject[]
  readonly error: ApiError | undefined
}

/** Every cluster of the fleet, live, the local one first. */
export function useClusters(): Clusters {
  const { api } = useServices()
  const live = useLiveRows<ClusterObject>([
    {
      name: 'hub',
      key: queryKey(hubQuery, 'cluster'),
      source: () => objectSource<ClusterObject>(api, hubQuery, { project: (object) => object, keyOf: (cluster) => cluster.metadata.name ?? '' }),
    },
  ])
  return useMemo(() => {
    const hub = live.members.get('hub')
    return { phase: hub?.phase ?? 'loading', clusters: [...(hub?.rows.values() ?? [])].sort(localFirst), error: hub?.phase === 'error' ? hub.error : undefined }
  }, [live])
}

function localFirst(left: ClusterObject, right: ClusterObject): number {
  const isLocal = (cluster: ClusterObject): number => (isHub(cluster) ? 0 : 1)
  return isLocal(left) - isLocal(right) || displayNameOf(left).localeCompare(displayNameOf(right))
}

/** The clusters as the console's frame, pickers and tables need them. The same while nothing they show changes: probes alone redraw nothing. */
export function useFleet(): Fleet {
  const { phase, clusters } = useClusters()
  const members = clusters.map((cluster) => ({
    name: cluster.metadata.name ?? '',
    displayName: displayNameOf(cluster),
    status: healthLabel(clusterHealth(cluster)),
  }))
  const value = JSON.stringify(members)
  return useMemo(() => ({ phase, members: JSON.parse(value) as Fleet['members'] }), [phase, value])
}
