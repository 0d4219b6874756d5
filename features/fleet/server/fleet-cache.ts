import { StatusError } from '@gantry/apimachinery'
import type { Clock } from '@gantry/runtime'
import { FleetKind, resourceKey, type FleetKindDeps, type FleetResource } from './fleet-kind.ts'

export interface FleetCacheOptions {
  /** Memory that rows may take, in bytes. */
  readonly maxBytes?: number | undefined
  /** A kind that nobody has looked at for this long is no longer followed. */
  readonly idleMs?: number | undefined
}

/** A kind that somebody looks at: it stays open until it is disposed. */
export interface OpenKind extends Disposable {
  readonly kind: FleetKind
}

const defaultMaxBytes = 512 << 20
const defaultIdleMs = 5 * 60_000
const lookEveryMs = 15_000

/** The kinds that somebody looks at. Nothing is asked of a cluster before; what nobody looks at any more is given up after a while, and at once when memory runs out. */
export class FleetCache implements AsyncDisposable {
  readonly #deps: Omit<FleetKindDeps, 'nextSequence' | 'admit'>
  readonly #maxBytes: number
  readonly #idleMs: number
  readonly #kinds = new Map<string, FleetKind>()
  #sequence: number
  #cancelLook: (() => void) | undefined

  constructor(deps: Omit<FleetKindDeps, 'nextSequence' | 'admit'>, options: FleetCacheOptions = {}) {
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
    return sum
  }

  get openKinds(): readonly FleetKind[] {
    return [...this.#kinds.values()]
  }

  /** Opens a kind, or takes part in it. */
  open(resource: FleetResource): OpenKind {
    const key = resourceKey(resource)
    let kind = this.#kinds.get(key)
    if (kind === undefined) {
      this.#makeRoom(undefined)
      kind = new FleetKind({ ...this.#deps, nextSequence: () => ++this.#sequence, admit: () => this.#makeRoom(key) }, resource)
      this.#kinds.set(key, kind)
      this.#cancelLook ??= this.#lookLater()
    }
    kind.users++
    const opened = kind
    let isOpen = true
    return {
      kind: opened,
      [Symbol.dispose]: () => {
        if (!isOpen) return
        isOpen = false
        opened.users--
        opened.usedMs = this.#clock.monotonicMs()
      },
    }
  }

  /** The kind, when it is open already. */
  peek(resource: Pick<FleetResource, 'resource' | 'group'>): FleetKind | undefined {
    return this.#kinds.get(resourceKey(resource))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cancelLook?.()
    for (const [key, kind] of this.#kinds) this.#close(key, kind)
    return Promise.resolve()
  }

  get #clock(): Clock {
    return this.#deps.clock
  }

  #close(key: string, kind: FleetKind): void {
    this.#kinds.delete(key)
    kind.close()
  }

  /** Gives up kinds that nobody looks at, the longest unused first. Throws when that is not enough. */
  #makeRoom(asking: string | undefined): void {
    let bytes = this.bytes
    if (bytes <= this.#maxBytes) return
    const idle = [...this.#kinds].filter(([key, { users }]) => users === 0 && key !== asking).sort(([, a], [, b]) => a.usedMs - b.usedMs)
    for (const [key, kind] of idle) {
      bytes -= kind.bytes
      this.#close(key, kind)
      if (bytes <= this.#maxBytes) return
    }
    throw new StatusError(
      'ServiceUnavailable',
      `the fleet's tables are full: ${Math.round(bytes / 2 ** 20)} MB of ${Math.round(this.#maxBytes / 2 ** 20)} MB are in use by kinds that are being looked at; look at fewer kinds at once, or ask one cluster below /clusters/`,
    )
  }

  #lookLater(): () => void {
    return this.#clock.schedule(() => {
      const now = this.#clock.monotonicMs()
      for (const [key, kind] of this.#kinds) if (kind.users === 0 && now - kind.usedMs >= this.#idleMs) this.#close(key, kind)
      this.#cancelLook = this.#kinds.size === 0 ? undefined : this.#lookLater()
    }, lookEveryMs)
  }
}
