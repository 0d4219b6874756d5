import { allClusters } from '../api/fleet-api.ts'

/** Where rows of several clusters are asked for: all at once, through the fleet. Without a cluster nowhere. */
export function placesOf({ clusters, isAll }: { readonly clusters: readonly string[]; readonly isAll?: boolean | undefined }): readonly {
  readonly cluster: string
  readonly among?: readonly string[] | undefined
}[] {
  if (clusters.length < 2) return clusters.map((cluster) => ({ cluster }))
  return [isAll === true ? { cluster: allClusters } : { cluster: allClusters, among: clusters }]
}
