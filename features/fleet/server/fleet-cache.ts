import { StatusError } from '@gantry/apimachinery'
import type { Caller } from '@gantry/gateway'
import type { Clock } from '@gantry/runtime'
import { CallerKind, OwnKind, type OwnKindDeps } from './caller-kind.ts'
import { FleetKind } from './fleet-kind.ts'
import { resourceKey, type FleetResource, type KindSight } from './kind-sight.ts'

export interface FleetCacheOptions {
  /** Memory that rows may take, in bytes. */
  readonly maxBytes?: number | undefined
  /** A kind that nobody has looked at for this long is no longer followed. */
  readonly idleMs?: number | undefined
}

/** A kind that somebody looks at: it stays open until it is disposed. */
export interface OpenKind extends Disposable {
  readonly kind: KindSight
}

/** Who looks, and at how much. */
export interface Looker {
  readonly caller: Caller
  /** Undefined for all of them. */
  readonly namespace: string | undefined
}

const defaultMaxBytes = 512 << 20
const defaultIdleMs = 5 * 60_000
const lookEveryMs = 15_000
/** What belongs to one caller alone is kept as long as it takes to list and then watch, or to turn a page. */
const ownIdleMs = 60_000
/** Lists with a watch that all callers together may have open in clusters that decide for themselves. */
const maxOwnFeeds = 1_000

/** The kinds that somebody looks at. Nothing is asked of a cluster before; what nobody looks at any more is given up after a while, and at once when memory runs out. */
export class FleetCache implements AsyncDisposable {
  readonly #deps: Omit<OwnKindDeps, 'nextSequence' | 'admit'>
  readonly #maxBytes: number
  readonly #idleMs: number
  readonly #kinds = new Map<string, FleetKind>()
  readonly #own = new Map<string, OwnKind>()
  #sequence: number
  #cancelLook: (() => void) | undefined

  constructor(deps: Omit<OwnKindDeps, 'nextSequence' | 'admit'>, options: FleetCacheOptions = {}) {
    this.#deps = deps
    this.#maxBytes = options.maxBytes ?? defaultMaxBytes
    this.#idleMs = options.idleMs ?? defaultIdleMs
    // Beyond whatever an earlier process has given out, however fast it counted: a watch that began there is told to list again.
    this.#sequence = deps.clock.now().getTime() * 1_000
  }

  /** The number of the last change anywhere in the fleet: what a list shows includes it. */
  get sequence(): number {
    return this.#sequence
  }

  get bytes(): number {
    let sum = 0
    for (const kind of this.#kinds.values()) sum += kind.bytes
    for (const { kind } of this.#own.values()) sum += kind.bytes
    return sum
  }

  get openKinds(): readonly FleetKind[] {
    return [...this.#kinds.values()]
  }

  /** Opens a kind, or takes part in it. */
  open(resource: FleetResource, looker: Looker): OpenKind {
    const shared = this.#shared(resource)
    const own = this.#ownOf(resource, looker)
    const used = own === undefined ? [shared] : [shared, own]
    for (const one of used) one.users++
    let isOpen = true
    return {
      kind: own === undefined ? shared : new CallerKind(shared, own, this.#deps.members),
      [Symbol.dispose]: () => {
        if (!isOpen) return
        isOpen = false
        for (const one of used) {
          one.users--
          one.usedMs = this.#clock.monotonicMs()
        }
      },
    }
  }

  /** The kind as this caller sees it, as far as it is open already. */
  peek(resource: FleetResource, looker: Looker): Pick<KindSight, 'feed'> | undefined {
    const shared = this.#kinds.get(resourceKey(resource))
    const own = this.#own.get(ownKey(resource, looker))
    return shared === undefined || own === undefined ? shared : new CallerKind(shared, own, this.#deps.members)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelLook?.()
    for (const [key, kind] of this.#kinds) this.#close(key, kind)
    for (const [key, own] of this.#own) this.#closeOwn(key, own)
    return Promise.resolve()
  }

  #shared(resource: FleetResource): FleetKind {
    const key = resourceKey(resource)
    const known = this.#kinds.get(key)
    if (known !== undefined) return known
    this.#makeRoom(undefined)
    const { members } = this.#deps
    const kind = new FleetKind(
      {
        ...this.#deps,
        members: {
          // One table for all would show each what the platform sees: clusters that decide for themselves have no part in it.
          names: () => members.names().filter((name) => !members.decides(name)),
          handlerOf: (name) => (members.decides(name) ? undefined : members.handlerOf(name)),
          onChange: (listener) => members.onChange(listener),
        },
        nextSequence: () => ++this.#sequence,
        admit: () => this.#makeRoom(key),
      },
      resource,
    )
    this.#kinds.set(key, kind)
    this.#cancelLook ??= this.#lookLater()
    return kind
  }

  #ownOf(resource: FleetResource, looker: Looker): OwnKind | undefined {
    const { members } = this.#deps
    const deciding = members.names().filter((name) => members.decides(name)).length
    if (deciding === 0) return undefined
    const key = ownKey(resource, looker)
    const known = this.#own.get(key)
    if (known !== undefined) return known
    this.#makeRoom(undefined)
    this.#makePlaces(deciding)
    const own = new OwnKind({ ...this.#deps, nextSequence: () => ++this.#sequence, admit: () => this.#makeRoom(key) }, resource, looker)
    this.#own.set(key, own)
    this.#cancelLook ??= this.#lookLater()
    return own
  }

  get #clock(): Clock {
    return this.#deps.clock
  }

  #close(key: string, kind: FleetKind): void {
    this.#kinds.delete(key)
    kind.close()
  }

  #closeOwn(key: string, own: OwnKind): void {
    this.#own.delete(key)
    own[Symbol.dispose]()
  }

  /** What belongs to callers who do not look any more, the longest unused first. */
  #idleOwn(asking?: string): readonly (readonly [string, OwnKind])[] {
    return [...this.#own].filter(([key, { users }]) => users === 0 && key !== asking).sort(([, a], [, b]) => a.usedMs - b.usedMs)
  }

  #makePlaces(wanted: number): void {
    let taken = 0
    for (const { kind } of this.#own.values()) taken += kind.feeds.length
    for (const [key, own] of this.#idleOwn()) {
      if (taken + wanted <= maxOwnFeeds) return
      taken -= own.kind.feeds.length
      this.#closeOwn(key, own)
    }
    if (taken + wanted > maxOwnFeeds)
      throw new StatusError(
        'TooManyRequests',
        `clusters that decide for themselves are read for each caller alone, and ${taken} of at most ${maxOwnFeeds} such lists are open: close some, or ask one cluster below /clusters/`,
      )
  }

  /** Gives up what nobody looks at, the longest unused first: of single callers, then of all. Throws when that is not enough. */
  #makeRoom(asking: string | undefined): void {
    let bytes = this.bytes
    if (bytes <= this.#maxBytes) return
    for (const [key, own] of this.#idleOwn(asking)) {
      bytes -= own.kind.bytes
      this.#closeOwn(key, own)
      if (bytes <= this.#maxBytes) return
    }
    const idle = [...this.#kinds].filter(([key, { users }]) => users === 0 && key !== asking).sort(([, a], [, b]) => a.usedMs - b.usedMs)
    for (const [key, kind] of idle) {
      bytes -= kind.bytes
      this.#close(key, kind)
      if (bytes <= this.#maxBytes) return
    }
    throw new StatusError(
      'ServiceUnavailable',
      `the fleet's tables are full: ${Math.round(bytes / 2 ** 20)} MiB of ${Math.round(this.#maxBytes / 2 ** 20)} MiB are in use by kinds that are being looked at; look at fewer kinds at once, ask one cluster below /clusters/, or start Gantry with a greater --fleet-memory-mib`,
    )
  }

  #lookLater(): () => void {
    return this.#clock.schedule(() => {
      const now = this.#clock.monotonicMs()
      for (const [key, kind] of this.#kinds) if (kind.users === 0 && now - kind.usedMs >= this.#idleMs) this.#close(key, kind)
      for (const [key, own] of this.#idleOwn()) if (now - own.usedMs >= Math.min(ownIdleMs, this.#idleMs)) this.#closeOwn(key, own)
      this.#cancelLook = this.#kinds.size + this.#own.size === 0 ? undefined : this.#lookLater()
    }, lookEveryMs)
  }
}

/** Everything that a cluster is told of a caller, and what is looked at: nobody else has the same. */
function ownKey(resource: FleetResource, { caller, namespace }: Looker): string {
  const user = caller.kind === 'platform' ? caller.user : undefined
  return JSON.stringify([resourceKey(resource), resource.namespaced ? (namespace ?? '') : '', user?.username, user?.uid, user?.groups, user?.extra])
}
