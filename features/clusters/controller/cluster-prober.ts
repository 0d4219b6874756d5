import { isReason } from '@gantry/apimachinery'
import type { KubeClient } from '@gantry/client'
import { deadline } from '@gantry/gateway'
import type { Clock, Ids, Logger, Service } from '@gantry/runtime'
import { clusterKind, type Cluster, type ClusterStatus } from '../api/index.ts'

export interface ClusterProberDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  /** Every Cluster as last seen, and a call for every change. */
  readonly clusters: {
    get(name: string): Cluster | undefined
    values(): Iterable<Cluster>
    onChange(listener: (change: { readonly name: string; readonly before: Cluster | undefined; readonly after: Cluster | undefined }) => void): () => void
    accept(cluster: Cluster): void
  }
  /** Asked before each look: whether it is this process that looks at the cluster. All of them when absent. */
  readonly isOurs?: ((cluster: Cluster) => boolean) | undefined
  readonly probe: (cluster: Cluster, options: { readonly signal: AbortSignal }) => Promise<ClusterStatus>
  /** Called once a Cluster is gone. */
  readonly forget: (cluster: Cluster, options: { readonly signal: AbortSignal }) => Promise<void>
  /** Tells of clusters that are to be looked at now. */
  readonly onNews?: ((listener: (name: string) => void) => () => void) | undefined
  readonly differs: (before: ClusterStatus | undefined, after: ClusterStatus) => boolean
}

export interface ClusterProberOptions {
  readonly everyMs?: number | undefined
  /** For one look at one cluster. */
  readonly probeTimeoutMs?: number | undefined
}

// A cluster that is away is looked at less often, but a minute after its return it is back.
const longestPauseMs = 60_000
// Between two looks that news have asked for. After the first of them, more than an agent that comes, renews itself and goes again has, it doubles with each, up to half a
// minute, and begins anew after a minute without any.
const firstNewsPauseMs = 500
const promptNews = 10
const quietMs = 60_000
// Without news the time of the last look is written this often: 500 clusters are then two writes a second, not fifty.
const confirmEveryMs = 5 * 60_000

/**
 * Looks at every cluster every ten seconds, each on its own: a dead one neither delays nor crowds out another. Writes the status when it has changed. A Cluster
 * that is new or was edited is looked at once.
 */
export function createClusterProber(deps: ClusterProberDeps, options: ClusterProberOptions = {}): Service {
  return {
    name: 'cluster-prober',
    start({ signal }) {
      const stop = new AbortController()
      const running = new Prober(deps, { everyMs: 10_000, probeTimeoutMs: 8_000, ...dropUndefined(options), signal: AbortSignal.any([signal, stop.signal]) })
      running.start()
      return Promise.resolve({
        done: running.done,
        async [Symbol.asyncDispose]() {
          stop.abort(new Error('the cluster prober is stopping'))
          await running.done
        },
      })
    },
  }
}

function dropUndefined(options: ClusterProberOptions): { everyMs?: number; probeTimeoutMs?: number } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

interface Watched {
  /** Calls off the next look. */
  cancel: () => void
  probing: boolean
  /** The cluster has changed during a look: take another one at once. */
  again: boolean
  failures: number
  /** When the last look began. */
  lookedMs: number
  /** Looks that news have asked for in a row, and when the last ones came. */
  news: number
  newsMs: number
  /** Some came while it was looked at. */
  hasNews: boolean
}

class Prober {
  readonly #deps: ClusterProberDeps
  readonly #options: { readonly everyMs: number; readonly probeTimeoutMs: number; readonly signal: AbortSignal }
  readonly #watched = new Map<string, Watched>()
  readonly #busy = new Set<Promise<void>>()
  readonly #done = Promise.withResolvers<void>()

  constructor(deps: ClusterProberDeps, options: { readonly everyMs: number; readonly probeTimeoutMs: number; readonly signal: AbortSignal }) {
    this.#deps = deps
    this.#options = options
  }

  get done(): Promise<void> {
    return this.#done.promise
  }

  start(): void {
    const ignore = this.#deps.clusters.onChange(({ name, before, after }) => {
      if (after === undefined) this.#forget(name, before)
      else if (before === undefined || before.metadata.generation !== after.metadata.generation || before.metadata.uid !== after.metadata.uid) this.#now(name)
    })
    const deaf = this.#deps.onNews?.((name) => this.#hurry(name))
    for (const { metadata } of this.#deps.clusters.values()) this.#now(metadata.name ?? '')
    this.#options.signal.addEventListener(
      'abort',
      () => {
        ignore()
        deaf?.()
        for (const { cancel } of this.#watched.values()) cancel()
        void Promise.allSettled(this.#busy).then(() => this.#done.resolve())
      },
      { once: true },
    )
  }

  #now(name: string): void {
    let watched = this.#watched.get(name)
    if (watched === undefined)
      this.#watched.set(
        name,
        (watched = { cancel: () => {}, probing: false, again: false, failures: 0, lookedMs: -firstNewsPauseMs, news: 0, newsMs: 0, hasNews: false }),
      )
    watched.cancel()
    if (watched.probing) watched.again = true
    else this.#track(this.#look(name, watched))
  }

  /** A look at once; news that come in quick succession, from an agent that comes and goes, are answered ever more slowly. */
  #hurry(name: string): void {
    const watched = this.#watched.get(name)
    if (watched === undefined || this.#options.signal.aborted) return
    const nowMs = this.#deps.clock.monotonicMs()
    if (nowMs - watched.newsMs > quietMs) watched.news = 0
    watched.newsMs = nowMs
    watched.failures = 0
    watched.hasNews = watched.probing // what is being found out may be older than them
    if (watched.probing) return
    watched.cancel()
    const pauseMs = firstNewsPauseMs * 2 ** Math.min(Math.max(0, watched.news++ - promptNews), 6)
    watched.cancel = this.#deps.clock.schedule(() => this.#track(this.#look(name, watched)), Math.max(0, watched.lookedMs + pauseMs - nowMs))
  }

  #track(work: Promise<void>): void {
    this.#busy.add(work)
    void work.finally(() => this.#busy.delete(work))
  }

  async #look(name: string, watched: Watched): Promise<void> {
    const cluster = this.#deps.clusters.get(name)
    if (cluster === undefined || this.#options.signal.aborted) return
    if (this.#deps.isOurs?.(cluster) === false) {
      watched.cancel = this.#deps.clock.schedule(() => this.#track(this.#look(name, watched)), this.#options.everyMs)
      return
    }
    watched.probing = true
    watched.lookedMs = this.#deps.clock.monotonicMs()
    let ready = false
    try {
      using limit = deadline(this.#deps.clock, this.#options.probeTimeoutMs, this.#options.signal)
      const status = await this.#deps.probe(cluster, { signal: limit.signal })
      if (this.#options.signal.aborted) return
      ready = status.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
      await this.#write(cluster, status, watched)
    } catch (error) {
      if (this.#options.signal.aborted) return
      this.#deps.log.warn('a cluster could not be looked at', { cluster: name, error })
    } finally {
      watched.probing = false
    }
    watched.failures = ready ? 0 : watched.failures + 1
    if (this.#watched.get(name) !== watched) return
    const pause = Math.min(longestPauseMs, this.#options.everyMs * 2 ** Math.min(6, Math.max(0, watched.failures - 1)))
    // Spread, or all clusters would be looked at in the same instant for ever.
    const waitMs = watched.again ? 0 : pause * (0.9 + this.#deps.ids.random() * 0.2)
    watched.again = false
    watched.cancel = this.#deps.clock.schedule(() => this.#track(this.#look(name, watched)), waitMs)
    if (watched.hasNews) this.#hurry(name)
  }

  async #write(cluster: Cluster, status: ClusterStatus, watched: Watched): Promise<void> {
    const current = this.#deps.clusters.get(cluster.metadata.name ?? '')
    if (current === undefined) return
    if (current.metadata.resourceVersion !== cluster.metadata.resourceVersion) {
      watched.again = true // what was found out is about an object that has changed since
      return
    }
    const confirmedMs = Date.parse(cluster.status?.lastProbeTime ?? '') || 0
    const stale = status.lastProbeTime !== undefined && this.#deps.clock.now().getTime() - confirmedMs >= confirmEveryMs
    if (!stale && !this.#deps.differs(cluster.status, status)) return
    try {
      const written = await this.#deps.hub.update<Cluster>(clusterKind.ref, { ...cluster, status }, { subresource: 'status', signal: this.#options.signal })
      this.#deps.clusters.accept(written)
    } catch (error) {
      // Edited or removed meanwhile: the change itself asks for the next look.
      if (!isReason(error, 'Conflict') && !isReason(error, 'NotFound')) throw error
    }
  }

  #forget(name: string, before: Cluster | undefined): void {
    this.#watched.get(name)?.cancel()
    this.#watched.delete(name)
    if (before === undefined) return
    const { signal } = this.#options
    this.#track(
      this.#deps.forget(before, { signal }).catch((error: unknown) => {
        if (!signal.aborted) this.#deps.log.warn('the credentials of a removed cluster could not be removed', { cluster: name, error })
      }),
    )
  }
}
