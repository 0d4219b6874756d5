import { StatusError, type TableColumnDefinition } from '@gantry/apimachinery'
import type { Caller } from '@gantry/gateway'
import { readWholeBody, type Clock } from '@gantry/runtime'
import { unionOfColumns } from './columns.ts'
import { FleetKind, type FleetKindDeps } from './fleet-kind.ts'
import type { ClusterFreshness, FleetResource, KindSight } from './kind-sight.ts'
import { askMember, type MemberFeed, type RowChange } from './member-feed.ts'
import type { FleetMembers } from './ports.ts'
import type { Projection } from './row-projection.ts'

/** What a cluster has said of a caller counts for so long. */
const proofMs = 5_000
const proofTimeoutMs = 5_000
const maxReviewBytes = 1 << 20

interface Proof {
  readonly atMs: number
  /** Why its rows are not shown. */
  readonly problem: string | undefined
}

export interface OwnKindDeps extends Omit<FleetKindDeps, 'members'> {
  readonly members: FleetMembers
}

/**
 * What the clusters that decide for themselves show to one caller: read as this caller, so that each says by its own rules what that is, and shared with nobody else. Before rows leave, the
 * cluster is asked again (a review of the caller's own access, at most every five seconds); one that refuses has its rows forgotten.
 */
export class OwnKind implements Disposable {
  readonly kind: FleetKind
  readonly #deps: OwnKindDeps
  readonly #caller: Caller
  readonly #namespace: string | undefined
  readonly #proofs = new Map<string, Proof>()
  readonly #asking = new Map<string, Promise<boolean>>()
  readonly #stop = new AbortController()
  usedMs: number
  users = 0

  constructor(deps: OwnKindDeps, resource: FleetResource, sight: { readonly caller: Caller; readonly namespace: string | undefined }) {
    const { members } = deps
    this.#deps = deps
    this.#caller = sight.caller
    this.#namespace = resource.namespaced ? sight.namespace : undefined
    this.usedMs = deps.clock.monotonicMs()
    this.kind = new FleetKind(
      {
        ...deps,
        members: {
          names: () => members.names().filter((name) => members.decides(name)),
          handlerOf: (name) => members.asCaller(name, sight.caller),
          onChange: (listener) => members.onChange(listener),
        },
        pathIn: async (cluster, asked, options) => {
          const path = await deps.pathIn(cluster, asked, options)
          return this.#namespace === undefined ? path : path?.replace(/\/([^/]+)$/, `/namespaces/${encodeURIComponent(this.#namespace)}/$1`)
        },
      },
      resource,
    )
  }

  get freshness(): readonly ClusterFreshness[] {
    return this.kind.freshness.map((one) => {
      const problem = one.phase === 'live' || one.phase === 'stale' || one.phase === 'loading' ? this.#withheldWhy(one.cluster) : undefined
      return problem === undefined ? one : { ...one, phase: 'failed', problem, rows: 0 }
    })
  }

  withheld(): readonly string[] {
    return this.kind.feeds.filter(({ cluster }) => this.#withheldWhy(cluster) !== undefined).map(({ cluster }) => cluster)
  }

  /** Asks every cluster that has shown something whether it still would. */
  async prove(withinMs: number, signal: AbortSignal): Promise<void> {
    const asked = this.kind.feeds
      .filter(({ table }) => table.size > 0)
      .map(({ cluster }) => this.mayLeave(cluster, 'list'))
      .filter((answer) => answer !== true)
    if (asked.length === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const cancel = this.#deps.clock.schedule(resolve, withinMs)
    signal.addEventListener('abort', () => resolve(), { once: true })
    await Promise.race([Promise.all(asked), promise])
    cancel()
    signal.throwIfAborted()
  }

  mayLeave(cluster: string, verb: 'list' | 'watch'): true | Promise<boolean> {
    const key = `${verb} ${cluster}`
    const proof = this.#proofs.get(key)
    if (proof !== undefined && this.#deps.clock.monotonicMs() - proof.atMs < proofMs) return proof.problem === undefined ? true : Promise.resolve(false)
    let asking = this.#asking.get(key)
    if (asking === undefined) {
      asking = this.#ask(cluster, verb).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return asking
  }

  [Symbol.dispose](): void {
    this.#stop.abort(new Error('the kind is no longer followed'))
    this.kind.close()
  }

  /** Without rows there is nothing to withhold, and the feed itself says what is wrong. */
  #withheldWhy(cluster: string): string | undefined {
    if ((this.kind.feed(cluster)?.table.size ?? 0) === 0) return undefined
    const key = `list ${cluster}`
    const proof = this.#proofs.get(key)
    const isOld = proof === undefined || this.#deps.clock.monotonicMs() - proof.atMs >= proofMs
    if (isOld && this.#asking.has(key)) return 'it has not said yet whether you may still see what it has shown'
    return proof?.problem
  }

  async #ask(cluster: string, verb: 'list' | 'watch'): Promise<boolean> {
    const { group, resource } = this.kind.resource
    const what = group === '' ? resource : `${resource}.${group}`
    let problem: string | undefined
    try {
      const { allowed, reason } = await this.#review(cluster, { verb, group, resource, namespace: this.#namespace ?? '' })
      if (!allowed) problem = `it does not let you ${verb} ${what}${reason === '' ? '' : `: ${reason}`}`
      // From now on as if it had never been seen; the feed begins anew and is told no by the cluster itself.
      if (!allowed) this.kind.restart(cluster)
    } catch (error) {
      problem = `it does not say whether you may ${verb} ${what}: ${error instanceof Error ? error.message : String(error)}`
    }
    this.#proofs.set(`${verb} ${cluster}`, { atMs: this.#deps.clock.monotonicMs(), problem })
    return problem === undefined
  }

  async #review(cluster: string, resourceAttributes: Readonly<Record<string, string>>): Promise<{ readonly allowed: boolean; readonly reason: string }> {
    const handle = this.#deps.members.asCaller(cluster, this.#caller)
    if (handle === undefined) throw new StatusError('ServiceUnavailable', `cluster "${cluster}" is not known any more`)
    const response = await askMember(this.#deps.clock, handle, {
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      query: '',
      accept: 'application/json',
      signal: this.#stop.signal,
      withinMs: proofTimeoutMs,
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
    })
    const { status } = JSON.parse((await bodyWithin(this.#deps.clock, readWholeBody(response, maxReviewBytes))).toString('utf8')) as {
      readonly status?: { readonly allowed?: unknown; readonly reason?: unknown }
    }
    return { allowed: status?.allowed === true, reason: typeof status?.reason === 'string' ? status.reason : '' }
  }
}

/** A cluster that begins an answer and never ends it holds up nobody. */
async function bodyWithin(clock: Clock, body: Promise<Buffer>): Promise<Buffer> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.schedule(() => late.reject(new StatusError('Timeout', `no answer within ${proofTimeoutMs / 1_000} s`)), proofTimeoutMs)
  try {
    return await Promise.race([body, late.promise])
  } finally {
    cancel()
  }
}

/** What all callers share, and what is this one's alone. */
export class CallerKind implements KindSight {
  readonly #shared: FleetKind
  readonly #own: OwnKind
  readonly #members: FleetMembers

  constructor(shared: FleetKind, own: OwnKind, members: FleetMembers) {
    this.#shared = shared
    this.#own = own
    this.#members = members
  }

  get resource(): FleetResource {
    return this.#shared.resource
  }

  get projection(): Projection {
    return this.#shared.projection
  }

  get columns(): readonly TableColumnDefinition[] {
    return unionOfColumns(this.feeds.filter(({ phase, table }) => phase === 'live' || table.size > 0).map(({ columns }) => columns))
  }

  get freshness(): readonly ClusterFreshness[] {
    const all = new Map([...this.#shared.freshness, ...this.#own.freshness].map((one) => [one.cluster, one]))
    return this.#members.names().flatMap((name) => all.get(name) ?? [])
  }

  get feeds(): readonly MemberFeed[] {
    return this.#members.names().flatMap((name) => this.feed(name) ?? [])
  }

  feed(cluster: string): MemberFeed | undefined {
    return this.#members.decides(cluster) ? this.#own.kind.feed(cluster) : this.#shared.feed(cluster)
  }

  get isClosed(): boolean {
    return this.#shared.isClosed || this.#own.kind.isClosed
  }

  get changedAt(): number {
    return Math.max(this.#shared.changedAt, this.#own.kind.changedAt)
  }

  async settled(withinMs: number, signal: AbortSignal): Promise<void> {
    await Promise.all([this.#shared.settled(withinMs, signal), this.#own.kind.settled(withinMs, signal)])
    await this.#own.prove(withinMs, signal)
  }

  subscribe(subscriber: (change: RowChange | undefined) => void): () => void {
    const leave = [this.#shared.subscribe(subscriber), this.#own.kind.subscribe(subscriber)]
    return () => {
      for (const end of leave) end()
    }
  }

  remembered(since: number): readonly RowChange[] {
    return [...this.#shared.remembered(since), ...this.#own.kind.remembered(since)]
  }

  withheld(): ReadonlySet<string> {
    return new Set(this.#own.withheld())
  }

  mayLeave(cluster: string, verb: 'list' | 'watch'): true | Promise<boolean> {
    return this.#members.decides(cluster) ? this.#own.mayLeave(cluster, verb) : true
  }
}
