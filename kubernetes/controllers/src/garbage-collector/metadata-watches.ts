import { createInformer } from '@gantry/controller'
import type { DiscoveredResource, KubeObject, ResourceRef } from '@gantry/client'
import type { Change, InformerDeps } from '@gantry/controller'

export interface MetadataWatchesDeps extends InformerDeps {
  /** Told of every change of every watched object. */
  readonly onChange: (change: Change<KubeObject>, resource: ResourceRef) => void
}

interface Watch {
  readonly resource: ResourceRef
  readonly stop: AbortController
  readonly run: Promise<void>
  readonly sinceMs: number
  readonly hasSynced: () => boolean
}

// A resource whose list does not come (an API behind the server that is down) must not stop the collection of all others. Upstream waits as long.
const patienceMs = 30_000
// Short-lived and never owners; watching them would double their cost.
const ignored: ReadonlySet<string> = new Set(['events.', 'events.events.k8s.io'])

/** Watches the metadata of every resource that can be deleted, whatever the server serves at the time. */
export class MetadataWatches {
  readonly #deps: MetadataWatchesDeps
  readonly #watches = new Map<string, Watch>()

  constructor(deps: MetadataWatchesDeps) {
    this.#deps = deps
  }

  /** Whether the world is known well enough to delete things in it. */
  get ready(): boolean {
    if (this.#watches.size === 0) return false
    const now = this.#deps.clock.monotonicMs()
    for (const { hasSynced, sinceMs } of this.#watches.values()) if (!hasSynced() && now - sinceMs < patienceMs) return false
    return true
  }

  /** Starts watches for new resources and ends those of resources that are gone. `stale` ones are kept: their absence proves nothing. */
  follow(resources: readonly DiscoveredResource[], stale: readonly string[]): void {
    const wanted = new Map<string, DiscoveredResource>()
    for (const resource of resources) {
      const watchable = ['delete', 'list', 'watch'].every((verb) => resource.verbs.includes(verb))
      const id = `${resource.resource}.${resource.group}`
      if (resource.preferred && watchable && !ignored.has(id)) wanted.set(`${id}/${resource.version}`, resource)
    }
    for (const [id, watch] of this.#watches) {
      const { group, version } = watch.resource
      if (wanted.has(id) || stale.includes(group === '' ? version : `${group}/${version}`)) continue
      this.#watches.delete(id)
      watch.stop.abort(new Error('the resource is no longer served'))
    }
    for (const [id, resource] of wanted) if (!this.#watches.has(id)) this.#watches.set(id, this.#start(resource))
  }

  async stop(): Promise<void> {
    const watches = [...this.#watches.values()]
    this.#watches.clear()
    for (const watch of watches) watch.stop.abort(new Error('stopped'))
    await Promise.all(watches.map((watch) => watch.run))
  }

  #start(resource: ResourceRef): Watch {
    const informer = createInformer<KubeObject>(this.#deps, { resource, metadataOnly: true, trim: whatMatters })
    informer.onChange((change) => this.#deps.onChange(change, resource))
    const stop = new AbortController()
    return { resource, stop, run: informer.run(stop.signal), sinceMs: this.#deps.clock.monotonicMs(), hasSynced: () => informer.hasSynced }
  }
}

/** Ownership and deletion only: labels, annotations and managed fields are most of an object's metadata. */
function whatMatters({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, ownerReferences, finalizers, deletionTimestamp } = metadata
  return {
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
    },
  }
}
