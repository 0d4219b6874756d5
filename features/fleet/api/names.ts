/** On every object of the fleet: the cluster it is in. Select by it to look at some clusters only. */
export const clusterLabel = 'fleet.gantry.dev/cluster'
/** On whole objects: the resourceVersion that their own cluster gave them. Theirs in the fleet is the fleet's. */
export const memberVersionAnnotation = 'fleet.gantry.dev/resource-version'
/** On the bookmarks of watches: JSON of `ClusterState`s, of the clusters that are not whole, as far as the caller may know of them. `[]` when all are. */
export const clustersAnnotation = 'fleet.gantry.dev/clusters'

/** What an object is called in the fleet: `east:web-0`. No object's own name can be taken for it, save one of RBAC that begins with a cluster's name and a colon. */
export function qualifiedName(cluster: string, name: string): string {
  return `${cluster}:${name}`
}

/** The cluster that a name says, if it says one that is known, and the name inside it. */
export function splitName(text: string, clusters: readonly string[]): { readonly cluster: string | undefined; readonly name: string } {
  const colon = text.indexOf(':')
  const cluster = colon === -1 ? '' : text.slice(0, colon)
  return clusters.includes(cluster) ? { cluster, name: text.slice(colon + 1) } : { cluster: undefined, name: text }
}
