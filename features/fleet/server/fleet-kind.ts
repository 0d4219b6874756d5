import { StatusError, type TableColumnDefinition } from '@gantry/apimachinery'
import { turnBudgetOn, type Clock, type Ids, type Logger } from '@gantry/runtime'
import { unionOfColumns } from './columns.ts'
import { resourceKey, type ClusterFreshness, type FleetResource, type KindSight } from './kind-sight.ts'
import { MemberFeed, type RowChange } from './member-feed.ts'
import type { FleetMembers } from './ports.ts'
import { projectionOf, type Projection } from './row-projection.ts'
import { StringPool } from './string-pool.ts'

export interface FleetKindDeps {
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly members: Pick<FleetMembers, 'names' | 'handlerOf' | 'onChange'>
  /** The path of the resource in a cluster, in the version it prefers; undefined when it serves none. */
  readonly pathIn: (cluster: string, resource: FleetResource, options: { readonly signal: AbortSignal }) => Promise<string | undefined>
  readonly nextSequence: () => number
  /** Throws a StatusError when there is no room for more. */
  readonly admit: () => void
}

/** Deletions, and changes of what an object can be selected by: kept so that a watch can go on where it was. */
const maxRemembered = 4_096

const nothing: ReadonlySet<string> = new Set()

/** One kind over clusters, kept live while somebody looks at it. */
export class FleetKind implements KindSight {
  readonly resource: FleetResource
  readonly pool = new StringPool()
  readonly projection: Projection
  readonly openedAt: number
  readonly openedMs: number
  readonly #deps: FleetKindDeps
  readonly #feeds = new Map<string, MemberFeed>()
  readonly #remembered: RowChange[] = []
  /** What happened up to here is no longer remembered. */
  #forgottenTo: number
  readonly #subscribers = new Set<(change: RowChange | undefined) => void>()
  readonly #waiting = new Set<() => void>()
  readonly #leave: () => void
  #columns: readonly TableColumnDefinition[] | undefined
  #isClosed = false
  usedMs: number
  users = 0
  /** The number of its last change. */
  changedAt: number

  constructor(deps: FleetKindDeps, resource: FleetResource) {
    this.#deps = deps
    this.resource = resource
    this.projection = projectionOf(resourceKey(resource))
    this.openedAt = deps.nextSequence()
    this.#forgottenTo = this.openedAt
    this.changedAt = this.openedAt
    this.openedMs = deps.clock.monotonicMs()
    this.usedMs = this.openedMs
    this.#leave = deps.members.onChange(() => this.#sync())
    this.#sync()
  }

  /** In the order in which the fleet shows them. */
  get feeds(): readonly MemberFeed[] {
    return this.#deps.members.names().flatMap((name) => this.#feeds.get(name) ?? [])
  }

  feed(cluster: string): MemberFeed | undefined {
    return this.#feeds.get(cluster)
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get bytes(): number {
    let sum = this.pool.bytes
    for (const feed of this.#feeds.values()) sum += feed.table.bytes
    return sum
  }

  get columns(): readonly TableColumnDefinition[] {
    this.#columns ??= unionOfColumns(this.feeds.filter(({ phase, table }) => phase === 'live' || table.size > 0).map(({ columns }) => columns))
    return this.#columns
  }

  get freshness(): readonly ClusterFreshness[] {
    return this.feeds.map(({ cluster, phase, sinceMs, problem, table }) => ({ cluster, phase, sinceMs, problem, rows: table.size }))
  }

  /** Resolves when every cluster has answered or failed, or when the kind has been open for `withinMs`: later callers do not wait again for one that is slow. */
  async settled(withinMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    const untilMs = this.openedMs + withinMs
    while (!this.#isClosed && [...this.#feeds.values()].some(({ phase }) => phase === 'loading')) {
      const leftMs = untilMs - clock.monotonicMs()
      if (leftMs <= 0) return
      signal.throwIfAborted()
      const { promise, resolve } = Promise.withResolvers<void>()
      const cancel = clock.schedule(resolve, leftMs)
      this.#waiting.add(resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
      await promise
      this.#waiting.delete(resolve)
      cancel()
    }
    signal.throwIfAborted()
  }

  /** Called with every change from now on, in the order of their sequence numbers, and without one when the freshness of a cluster may have changed. A subscriber must not throw. */
  subscribe(subscriber: (change: RowChange | undefined) => void): () => void {
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  /** Deletions and changes of what can be selected by since a sequence number. Throws Expired when it is too long ago. */
  remembered(since: number): readonly RowChange[] {
    if (since < this.#forgottenTo) throw new StatusError('Expired', `too old resource version: ${since} (${this.#forgottenTo})`)
    return this.#remembered.filter(({ sequence }) => sequence > since)
  }

  withheld(): ReadonlySet<string> {
    return nothing
  }

  mayLeave(): true {
    return true
  }

  /** Forgets what is known of a cluster and reads it anew. */
  restart(cluster: string): void {
    const feed = this.#feeds.get(cluster)
    if (feed === undefined) return
    this.#drop(cluster, feed)
    this.#follow(cluster)
    this.#stateChanged()
  }

  /** Stops following and forgets everything. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#leave()
    for (const feed of this.#feeds.values()) feed.stop()
    this.#feeds.clear()
    this.#subscribers.clear()
    for (const wake of this.#waiting) wake()
  }

  #sync(): void {
    const names = new Set(this.#deps.members.names())
    for (const [name, feed] of this.#feeds) if (!names.has(name)) this.#drop(name, feed)
    for (const name of names) if (!this.#feeds.has(name)) this.#follow(name)
    this.#stateChanged()
  }

  #follow(cluster: string): void {
    const { clock, ids, log, members, nextSequence, admit, pathIn } = this.#deps
    const feed: MemberFeed = new MemberFeed(
      {
        clock,
        ids,
        log,
        handlerOf: () => members.handlerOf(cluster),
        pathOf: (options) => pathIn(cluster, this.resource, options),
        pool: this.pool,
        projection: this.projection,
        nextSequence,
        changed: (change) => {
          // What a feed still does while it stops belongs to nobody.
          if (this.#feeds.get(cluster) === feed) this.#changed(change)
        },
        stateChanged: () => this.#stateChanged(),
        admit,
      },
      cluster,
    )
    this.#feeds.set(cluster, feed)
    void feed.run()
  }

  #drop(name: string, feed: MemberFeed): void {
    feed.stop()
    this.#feeds.delete(name)
    void this.#forget(name, feed)
  }

  /** The objects of a cluster that has left the fleet are gone from it. */
  async #forget(cluster: string, feed: MemberFeed): Promise<void> {
    const budget = turnBudgetOn(this.#deps.clock)
    const { table } = feed
    while (table.size > 0 && !this.#isClosed) {
      const slot = table.slotAt(table.size - 1)
      const row = table.row(slot)
      table.remove(slot)
      this.#changed({ sequence: this.#deps.nextSequence(), type: 'DELETED', cluster, row, before: row })
      await budget.pause()
    }
  }

  #changed(change: RowChange): void {
    const { before, row, type } = change
    this.changedAt = change.sequence
    if (before !== undefined && (type === 'DELETED' || before.labels !== row.labels || before.fields !== row.fields)) {
      this.#remembered.push(change)
      if (this.#remembered.length > maxRemembered * 2) {
        const [last] = this.#remembered.splice(0, maxRemembered).slice(-1)
        this.#forgottenTo = last?.sequence ?? this.#forgottenTo
      }
    }
    for (const subscriber of this.#subscribers) subscriber(change)
  }

  #stateChanged(): void {
    this.#columns = undefined
    for (const wake of this.#waiting) wake()
    this.#waiting.clear()
    for (const subscriber of this.#subscribers) subscriber(undefined)
  }
}
