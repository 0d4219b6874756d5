/** In the place of a cluster's name: all of them at once, as one API to read. */
export const allClusters = '*'
/** On every object that comes from all clusters at once: its cluster. Its name is `cluster:name` there. */
export const clusterLabel = 'fleet.gantry.dev/cluster'
/** On bookmarks: the clusters that are not whole. */
const clustersAnnotation = 'fleet.gantry.dev/clusters'

/** A cluster whose part of a list is not whole. `stale`: what is shown was true once. `failed`: nothing of it is shown. */
export interface ClusterGap {
  readonly name: string
  readonly phase: 'loading' | 'stale' | 'failed'
  /** In the server's words; unknown until the first bookmark. */
  readonly problem?: string | undefined
}

const gapPhases: ReadonlySet<string> = new Set(['loading', 'stale', 'failed'])

/** What the head of a list says: `live=97, failed=east, stale=west@2026-01-01T00:00:00Z`. */
export function gapsOfHeader(text: string | null): readonly ClusterGap[] {
  return (text ?? '').split(', ').flatMap((part) => {
    const [phase = '', name = ''] = part.split('=')
    return gapPhases.has(phase) ? [{ phase: phase as ClusterGap['phase'], name: name.split('@')[0] ?? '' }] : []
  })
}

/** What a bookmark says; undefined for those that say nothing of clusters. */
export function gapsOfBookmark(annotations: Readonly<Record<string, string>> | undefined): readonly ClusterGap[] | undefined {
  const text = annotations?.[clustersAnnotation]
  if (text === undefined) return undefined
  return (JSON.parse(text) as ClusterGap[]).filter(({ phase }) => gapPhases.has(phase))
}

interface Named {
  readonly metadata: { readonly name?: string | undefined; readonly labels?: Readonly<Record<string, string>> | undefined }
}

/** An object of all clusters at once as it is in its own. */
export function atHome<T extends Named>(object: T): { readonly cluster: string; readonly object: T } {
  const { [clusterLabel]: cluster = '', ...labels } = object.metadata.labels ?? {}
  const { name = '' } = object.metadata
  const metadata = { ...object.metadata, labels, name: name.startsWith(`${cluster}:`) ? name.slice(cluster.length + 1) : name }
  return { cluster, object: { ...object, metadata } }
}
