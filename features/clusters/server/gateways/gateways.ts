import { isReason, unlessGone } from '@gantry/apimachinery'
import type { HttpTransport, HttpTransportOptions, KubeClient } from '@gantry/client'
import { deadline, ObjectMirror } from '@gantry/gateway'
import type { Clock, Ids, Logger, Running } from '@gantry/runtime'
import { platformNamespace } from '../../api/index.ts'
import { gatewayLabel, gatewayLeases, leaseDurationMs, leaseOf, peerOf, type AgentReport, type GatewayLease, type PeerGateway } from './gateway-lease.ts'
import { PeerRoute, type MemberLane, type PeerTls } from './peer-route.ts'

export interface GatewaysDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
  readonly openTransport: (options: HttpTransportOptions) => HttpTransport
  /** What this process knows of agents, by cluster. */
  readonly reports: () => ReadonlyMap<string, AgentReport>
}

/** How this gateway and the others on its hub reach each other. */
export interface PeeringOptions {
  /** Tells this gateway from the others, also after a restart: it is the end of its Lease's name. */
  readonly instance: string
  /** `host:port` at which the others reach this one. */
  readonly address: string
  /** What it shows the others, and the authority that has signed what they show. */
  readonly tls: () => PeerTls
}

const renewEveryMs = 5_000
const writeWithinMs = 5_000
/** Own renewals that are not seen for so long: the hub is, or was, away. */
const blindAfterMs = 1.5 * renewEveryMs
// News travel at once, many of them together.
const gatherMs = 50
// One that has not come back until then has gone for good: its pod has another name now, or its data folder is gone.
const removedAfterMs = 10 * 60_000
const removeWithinMs = 2_000

/**
 * The gateways of one hub. Each says in a Lease where it is and which agents are connected to it, and watches those of the others: a cluster whose agent is connected elsewhere is
 * reached through that gateway. Where a Lease says so is not a reason to believe: both sides prove themselves by certificates.
 */
export class Gateways {
  readonly #deps: GatewaysDeps
  readonly #options: PeeringOptions
  readonly #own: string
  readonly #leases: ObjectMirror<GatewayLease>
  readonly #peers = new Map<string, PeerGateway>()
  /** When the Lease of each was last seen to change, on the clock of this process: clocks of two machines are never compared. */
  readonly #seenMs = new Map<string, number>()
  readonly #gone = new Set<string>()
  readonly #routes = new Set<PeerRoute>()
  readonly #listeners = new Set<(cluster: string) => void>()
  #wake = (): void => {}
  #hasNews = false

  constructor(deps: GatewaysDeps, options: PeeringOptions) {
    this.#deps = deps
    this.#options = options
    this.#own = `gantry-gateway-${options.instance}`
    this.#leases = new ObjectMirror(
      { client: deps.hub, clock: deps.clock, ids: deps.ids, log: deps.log },
      { resource: gatewayLeases, namespace: platformNamespace, labelSelector: gatewayLabel },
    )
    this.#leases.onChange(({ name, before, after }) => this.#onLease(name, before, after))
  }

  /** Resolves once the others are known and have been told of this one. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const stop = new AbortController()
    const stopSignal = AbortSignal.any([signal, stop.signal])
    const following = await this.#leases.start({ signal: stopSignal })
    await this.#renew(stopSignal)
    const renewing = this.#keepRenewing(stopSignal)
    return {
      done: Promise.all([following.done, renewing]).then(() => {}),
      [Symbol.asyncDispose]: async () => {
        stop.abort(new Error('the gateway is stopping'))
        await Promise.all([following[Symbol.asyncDispose](), renewing])
        await this.#leave()
      },
    }
  }

  /** Tells the others what has changed here. */
  announce(): void {
    this.#hasNews = true
    this.#wake()
  }

  /** What the other gateways that are alive know of a cluster's agent. */
  reportsOf(cluster: string): readonly AgentReport[] {
    const reports: AgentReport[] = []
    for (const { name, agents } of this.#peers.values()) {
      const report = agents.get(cluster)
      if (report !== undefined && !this.#gone.has(name)) reports.push(report)
    }
    return reports
  }

  /** The others that a cluster's agent is connected to; the one heard of last first. */
  holdersOf(cluster: string): readonly PeerGateway[] {
    const holders: PeerGateway[] = []
    for (const peer of this.#peers.values()) {
      if ((peer.agents.get(cluster)?.connections ?? 0) > 0 && !this.#gone.has(peer.name)) holders.push(peer)
    }
    return holders.length < 2 ? holders : holders.toSorted((a, b) => (this.#seenMs.get(b.name) ?? 0) - (this.#seenMs.get(a.name) ?? 0))
  }

  /** Called when another gateway says something else of a cluster's agent. A listener must not throw. */
  onChange(listener: (cluster: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The way to a cluster through whichever gateway its agent is connected to. Close it. */
  routeTo(cluster: { readonly name: string; readonly uid: string }, lane: MemberLane): PeerRoute {
    const { clock, openTransport } = this.#deps
    const holders = (): readonly PeerGateway[] => this.holdersOf(cluster.name)
    const onClose = (): void => void this.#routes.delete(route)
    const route = new PeerRoute({ clock, openTransport, tls: this.#options.tls, holders, onClose }, { cluster, lane })
    this.#routes.add(route)
    return route
  }

  #onLease(name: string, before: GatewayLease | undefined, after: GatewayLease | undefined): void {
    const { clock, log } = this.#deps
    const nowMs = clock.monotonicMs()
    // Nobody was seen meanwhile: the others get their time from now on.
    if (name === this.#own && nowMs - (this.#seenMs.get(name) ?? nowMs) > blindAfterMs) for (const peer of this.#peers.keys()) this.#seenMs.set(peer, nowMs)
    if (after === undefined) this.#seenMs.delete(name)
    else this.#seenMs.set(name, nowMs)
    if (name === this.#own) return this.#lookForGone()
    const known = this.#peers.get(name)
    const wasGone = this.#gone.delete(name)
    if (after !== undefined && before !== undefined && !wasGone && sameText(before, after)) return
    const peer = after && peerOf(after)
    if (peer === undefined) this.#peers.delete(name)
    else this.#peers.set(name, peer)
    if (after !== undefined && peer === undefined) log.warn('the Lease of a gateway is not as gateways write it, and is not used', { lease: name })
    if (peer?.address !== known?.address) this.#endRoutesTo(name)
    this.#tell(known, peer)
  }

  /** One is gone when its Lease stood still for so long while ours was seen to go on: a hub that is away says nothing about anybody. */
  #lookForGone(): void {
    const ownMs = this.#seenMs.get(this.#own)
    if (ownMs === undefined) return
    for (const [name, peer] of this.#peers) {
      const silentMs = ownMs - (this.#seenMs.get(name) ?? ownMs)
      if (silentMs <= leaseDurationMs) continue
      if (!this.#gone.has(name)) {
        this.#gone.add(name)
        this.#deps.log.warn('a gateway has gone: it does not renew its lease', { gateway: name, address: peer.address })
        this.#endRoutesTo(name)
        this.#tell(peer, undefined)
      }
      if (silentMs > removedAfterMs) this.#remove(name)
    }
  }

  #endRoutesTo(name: string): void {
    for (const route of this.#routes) route.end(name)
  }

  #tell(before: PeerGateway | undefined, after: PeerGateway | undefined): void {
    for (const cluster of new Set([...(before?.agents.keys() ?? []), ...(after?.agents.keys() ?? [])])) {
      if (JSON.stringify(before?.agents.get(cluster)) === JSON.stringify(after?.agents.get(cluster))) continue
      for (const listener of this.#listeners) listener(cluster)
    }
  }

  async #keepRenewing(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    signal.addEventListener('abort', () => this.#wake(), { once: true })
    while (!signal.aborted) {
      const woken = Promise.withResolvers<void>()
      this.#wake = woken.resolve
      const cancel = clock.schedule(woken.resolve, renewEveryMs)
      if (this.#hasNews || signal.aborted) woken.resolve()
      await woken.promise
      cancel()
      await clock.sleep(gatherMs, { signal }).catch(() => {}) // stopping: the loop sees it
      if (!signal.aborted) await this.#renew(signal)
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { hub, clock, log, reports } = this.#deps
    const { instance: identity, address } = this.#options
    this.#hasNews = false
    const { lease, left } = leaseOf({ name: this.#own, identity, address, agents: reports(), now: clock.now() })
    if (left > 0) log.warn('more clusters with agents than a lease holds: some are reached through this gateway alone', { clusters: left })
    using limit = deadline(clock, writeWithinMs, signal)
    try {
      const key = { namespace: platformNamespace, name: this.#own }
      const renewed = await unlessGone(hub.patch(gatewayLeases, key, { type: 'merge', body: lease, signal: limit.signal }))
      if (renewed === undefined) await hub.create(gatewayLeases, lease, { signal: limit.signal })
    } catch (error) {
      // The next one comes by itself.
      if (!signal.aborted) log.warn('the lease of this gateway could not be renewed', { lease: this.#own, error })
    }
  }

  #remove(name: string): void {
    const { uid = '', resourceVersion = '' } = this.#leases.get(name)?.metadata ?? {}
    this.#deps.hub
      .delete(gatewayLeases, { namespace: platformNamespace, name }, { preconditions: { uid, resourceVersion } })
      // Another gateway was first, or it is back.
      .catch((error: unknown) => {
        if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict'))
          this.#deps.log.warn('the lease of a gateway that has gone could not be removed', { lease: name, error })
      })
  }

  /** The others need not wait until the lease has run out. */
  async #leave(): Promise<void> {
    const { hub, clock, log } = this.#deps
    using limit = deadline(clock, removeWithinMs, new AbortController().signal)
    try {
      await unlessGone(hub.delete(gatewayLeases, { namespace: platformNamespace, name: this.#own }, { signal: limit.signal }))
    } catch (error) {
      log.warn('the lease of this gateway could not be removed: it runs out by itself', { lease: this.#own, error })
    }
  }
}

function sameText(a: GatewayLease, b: GatewayLease): boolean {
  return JSON.stringify(a.metadata.annotations) === JSON.stringify(b.metadata.annotations)
}
