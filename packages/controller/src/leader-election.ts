import { isReason } from '@gantry/apimachinery'
import { microTimestamp } from './conditions.ts'
import type { KubeClient, KubeObject, ResourceRef } from '@gantry/client'
import type { Clock, Ids, Logger, Running, Service } from '@gantry/runtime'

/** Whether this process is the one of several that does what only one may do. */
export interface Leadership extends Service {
  readonly isLeading: boolean
  /** There can be no other process. */
  readonly isAlone: boolean
  /** Called, in the same turn, when this process begins or ceases to lead. A listener must not throw. */
  onChange(listener: (isLeading: boolean) => void): () => void
}

/** For a process that is alone with its API: it leads from the first moment to the last. */
export const soleLeader: Leadership = {
  name: 'leadership',
  isLeading: true,
  isAlone: true,
  onChange: () => () => {},
  start: () => Promise.resolve({ done: Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() }),
}

export interface LeaderElectionDeps {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

export interface LeaderElectionOptions {
  readonly namespace: string
  /** Of the lease that the processes contend for. */
  readonly name: string
  /** This process, and no other: a host's name with a random part. */
  readonly identity: string
  /** How long the others wait for a leader that shows no life. */
  readonly leaseDurationMs?: number | undefined
  /** A leader that could not renew for this long gives up by itself, before anybody else may begin. */
  readonly renewDeadlineMs?: number | undefined
  readonly retryPeriodMs?: number | undefined
}

interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string | null
    leaseDurationSeconds?: number | null
    acquireTime?: string | null
    renewTime?: string | null
    leaseTransitions?: number | null
  }
}

const leases: ResourceRef = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases', kind: 'Lease', namespaced: true }
// client-go tools/leaderelection: what Kubernetes' own controllers run with.
const defaults = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2_000 }
const jitterFactor = 1.2
const releaseWithinMs = 2_000

/**
 * Leader election over a Lease, by client-go's rules, so that both can contend for one: whether a lease has run out is told by how long this process has seen it unchanged, never by
 * comparing clocks of two machines; a leader that cannot renew in time ceases before another may begin; one that stops gives the lease back.
 */
export class LeaderElection implements Leadership {
  readonly name = 'leader election'
  readonly isAlone = false
  readonly #deps: LeaderElectionDeps
  readonly #options: { readonly namespace: string; readonly name: string; readonly identity: string } & typeof defaults
  readonly #listeners = new Set<(isLeading: boolean) => void>()
  /** The lease as it was last seen to change, and when on the clock of this process. */
  #seen: { readonly lease: Lease; readonly atMs: number } | undefined
  #isLeading = false
  #cancelDeadline = (): void => {}

  constructor(deps: LeaderElectionDeps, options: LeaderElectionOptions) {
    this.#deps = deps
    this.#options = {
      namespace: options.namespace,
      name: options.name,
      identity: options.identity,
      leaseDurationMs: options.leaseDurationMs ?? defaults.leaseDurationMs,
      renewDeadlineMs: options.renewDeadlineMs ?? defaults.renewDeadlineMs,
      retryPeriodMs: options.retryPeriodMs ?? defaults.retryPeriodMs,
    }
  }

  get isLeading(): boolean {
    return this.#isLeading
  }

  /** Who holds the lease, as last seen; empty when nobody does. */
  get holder(): string {
    return this.#seen?.lease.spec?.holderIdentity ?? ''
  }

  onChange(listener: (isLeading: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves after the first attempt, successful or not; contends until it is disposed, and then gives the lease back. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<Running> {
    const stop = new AbortController()
    const stopSignal = AbortSignal.any([signal, stop.signal])
    await this.#attempt(stopSignal)
    const done = this.#contend(stopSignal)
    return {
      done,
      [Symbol.asyncDispose]: async () => {
        stop.abort(new Error('leader election is stopping'))
        await done
        await this.#release()
      },
    }
  }

  async #contend(signal: AbortSignal): Promise<void> {
    const { retryPeriodMs } = this.#options
    for (;;) {
      // Spread, or all of them would come at once when a lease runs out.
      const waitMs = this.#isLeading ? retryPeriodMs : retryPeriodMs * (1 + this.#deps.ids.random() * jitterFactor)
      try {
        await this.#deps.clock.sleep(waitMs, { signal })
      } catch {
        return // stopping
      }
      await this.#attempt(signal)
    }
  }

  /** One attempt to acquire or renew. Failures are logged: the next one comes by itself. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    const { renewDeadlineMs, name } = this.#options
    const startedMs = clock.monotonicMs()
    const late = new AbortController()
    const cancel = clock.schedule(() => late.abort(new Error(`the lease ${name} was not answered for within ${renewDeadlineMs} ms`)), renewDeadlineMs)
    try {
      const holds = await this.#acquireOrRenew(AbortSignal.any([signal, late.signal]))
      if (signal.aborted) return
      if (!holds) return this.#cease('another process holds the lease')
      // Counted from before the request: the others count from when they see it.
      this.#lead(startedMs + renewDeadlineMs - clock.monotonicMs())
    } catch (error) {
      if (signal.aborted) return
      // What one of the others has just written is read at the next attempt.
      if (isReason(error, 'Conflict') || isReason(error, 'AlreadyExists')) this.#seen = this.#isLeading ? undefined : this.#seen
      else log.warn('the lease could not be renewed or acquired', { lease: name, isLeading: this.#isLeading, error })
    } finally {
      cancel()
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    const { client, clock } = this.#deps
    const { namespace, name, identity, leaseDurationMs } = this.#options
    const now = microTimestamp(clock.now())
    const mine = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000), renewTime: now }
    // As long as nobody has written in between, a leader need not read first.
    const known = this.#isLeading ? this.#seen?.lease : undefined
    let current = known
    if (current === undefined) {
      try {
        current = await client.get<Lease>(leases, { namespace, name }, { signal })
      } catch (error) {
        if (!isReason(error, 'NotFound')) throw error
        const spec = { ...mine, acquireTime: now, leaseTransitions: 0 }
        this.#see(await client.create<Lease>(leases, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { namespace, name }, spec }, { signal }))
        return true
      }
      if (this.#seen?.lease.metadata.resourceVersion !== current.metadata.resourceVersion) this.#see(current)
    }
    const { holderIdentity, leaseDurationSeconds, acquireTime, leaseTransitions } = current.spec ?? {}
    const isOurs = holderIdentity === identity
    const isHeld = typeof holderIdentity === 'string' && holderIdentity !== ''
    const validUntilMs = (this.#seen?.atMs ?? 0) + (leaseDurationSeconds ?? 0) * 1_000
    if (isHeld && !isOurs && clock.monotonicMs() < validUntilMs) return false
    const spec = isOurs
      ? { ...mine, acquireTime: acquireTime ?? now, leaseTransitions: leaseTransitions ?? 0 }
      : { ...mine, acquireTime: now, leaseTransitions: (leaseTransitions ?? 0) + 1 }
    this.#see(await client.update<Lease>(leases, { ...current, spec }, { signal }))
    return true
  }

  #see(lease: Lease): void {
    this.#seen = { lease, atMs: this.#deps.clock.monotonicMs() }
  }

  #lead(forMs: number): void {
    this.#cancelDeadline()
    if (forMs <= 0) return this.#cease('the answer came too late')
    this.#cancelDeadline = this.#deps.clock.schedule(() => this.#cease('it could not be renewed in time'), forMs)
    if (this.#isLeading) return
    this.#isLeading = true
    this.#deps.log.info('this process leads', { lease: this.#options.name, identity: this.#options.identity })
    for (const listener of this.#listeners) listener(true)
  }

  #cease(why: string): void {
    this.#cancelDeadline()
    if (!this.#isLeading) return
    this.#isLeading = false
    this.#deps.log.warn('this process does not lead any more', { lease: this.#options.name, why, holder: this.holder })
    for (const listener of this.#listeners) listener(false)
  }

  /** Upstream's ReleaseOnCancel: the next one need not wait until the lease has run out. */
  async #release(): Promise<void> {
    const { clock, client, log } = this.#deps
    const lease = this.#isLeading ? this.#seen?.lease : undefined
    this.#cease('it is stopping')
    if (lease === undefined) return
    const late = new AbortController()
    const cancel = clock.schedule(() => late.abort(new Error('the lease was not given back in time')), releaseWithinMs)
    const now = microTimestamp(clock.now())
    const spec = { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaseTransitions: lease.spec?.leaseTransitions ?? 0 }
    try {
      await client.update<Lease>(leases, { ...lease, spec }, { signal: late.signal })
    } catch (error) {
      log.warn('the lease could not be given back: it runs out by itself', { lease: this.#options.name, error })
    } finally {
      cancel()
    }
  }
}

export interface WhileLeadingDeps {
  readonly leadership: Pick<Leadership, 'isLeading' | 'onChange'>
  readonly clock: Clock
  readonly log: Logger
}

const restartAfterMs = 5_000

/**
 * The service, run only while this process leads. When it leads already, `start` resolves once the service runs, and fails with it; later beginnings that fail are logged and tried
 * again. That the service ends by itself with an error ends this one.
 */
export function whileLeading(deps: WhileLeadingDeps, service: Service): Service {
  return {
    name: service.name,
    async start({ signal }) {
      const failed = Promise.withResolvers<void>()
      failed.promise.catch(() => {}) // `done` tells it
      let term: { readonly stop: AbortController; readonly running: Promise<Running | undefined> } | undefined
      // One after the other: a service that is still stopping is not started beside itself.
      let ended: Promise<void> = Promise.resolve()

      function begin(): Promise<Running> {
        const stop = new AbortController()
        const running = ended.then(() => service.start({ signal: AbortSignal.any([signal, stop.signal]) }))
        term = { stop, running: running.catch(() => undefined) }
        running.then(
          (started) => started.done.catch((error: unknown) => failed.reject(error)),
          () => {}, // whoever has begun it tells it
        )
        return running
      }

      function beginAgain(): void {
        begin().catch((error: unknown) => {
          const begun = term
          if (begun === undefined || begun.stop.signal.aborted || signal.aborted) return
          deps.log.warn('a service could not be started and is started again', { service: service.name, retryInMs: restartAfterMs, error })
          const cancel = deps.clock.schedule(() => {
            if (term === begun) beginAgain()
          }, restartAfterMs)
          begun.stop.signal.addEventListener('abort', cancel, { once: true })
        })
      }

      function end(): Promise<void> {
        const over = term
        term = undefined
        if (over === undefined) return ended
        over.stop.abort(new Error(`${service.name} is stopping: this process does not lead any more`))
        ended = over.running
          .then((running) => running?.[Symbol.asyncDispose]())
          .catch((error: unknown) => deps.log.error('a service failed while stopping', { service: service.name, error }))
        return ended
      }

      const ignore = deps.leadership.onChange((isLeading) => (isLeading ? beginAgain() : void end()))
      if (deps.leadership.isLeading) {
        try {
          await begin()
        } catch (error) {
          ignore()
          throw error
        }
      }
      return {
        done: failed.promise,
        async [Symbol.asyncDispose]() {
          ignore()
          await end()
          failed.resolve()
        },
      }
    },
  }
}
