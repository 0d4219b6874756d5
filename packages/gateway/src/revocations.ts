import type { Pause } from '@gantry/runtime'
import type { Decision } from './exchange.ts'

/** A request that is being worked on, or a stream that is open. */
export interface Hold extends Disposable {
  /** Why it has to end; undefined while it may go on. */
  readonly revoked: Error | undefined
  /** Aborts when it has to end. */
  readonly signal: AbortSignal
}

class OpenHold implements Hold {
  readonly credentialId: string
  readonly decide: (() => Decision | Promise<Decision>) | undefined
  readonly isFiltered: boolean
  readonly #holds: Set<OpenHold>
  #revoked: Error | undefined
  #controller: AbortController | undefined

  constructor(holds: Set<OpenHold>, credentialId: string, permission: Permission | undefined) {
    this.#holds = holds
    this.credentialId = credentialId
    this.decide = permission?.decide
    this.isFiltered = permission?.isFiltered === true
  }

  get revoked(): Error | undefined {
    return this.#revoked
  }

  // Most requests are over before anybody asks for it.
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#revoked !== undefined) this.#controller.abort(this.#revoked)
    }
    return this.#controller.signal
  }

  end(why: Error): void {
    this.#holds.delete(this)
    this.#revoked ??= why
    this.#controller?.abort(why)
  }

  [Symbol.dispose](): void {
    this.#holds.delete(this)
  }
}

/** What allowed a request: asked again when permissions change. */
export interface Permission {
  readonly decide: () => Decision | Promise<Decision>
  /** Whether its answer goes through the filter of its decision, which follows the permissions by itself. */
  readonly isFiltered: boolean
}

/** Ends what a credential has open when it is revoked, and what a permission allowed when that is gone. */
export class Revocations {
  readonly #open = new Map<string, Set<OpenHold>>()

  /** Dispose the hold when the conversation is over. */
  hold(credentialId: string, permission?: Permission): Hold {
    let set = this.#open.get(credentialId)
    // A credential's set stays while the credential works: at most one a credential.
    if (set === undefined) this.#open.set(credentialId, (set = new Set()))
    const hold = new OpenHold(set, credentialId, permission)
    set.add(hold)
    return hold
  }

  /** Ends every open conversation of the credential, in this turn. */
  revoke(credentialId: string): void {
    const set = this.#open.get(credentialId)
    if (set === undefined) return
    this.#open.delete(credentialId)
    for (const hold of set) hold.end(new Error('the credential has been revoked'))
  }

  /** Asks again for every open conversation whether it is allowed, and ends those that are not any more. */
  async recheck(pause?: Pause): Promise<void> {
    for (const hold of [...this.#open.values()].flatMap((set) => [...set])) {
      if (hold.decide === undefined) continue
      await pause?.()
      const decision = await hold.decide()
      if (!decision.allowed || (decision.filter !== undefined && !hold.isFiltered)) hold.end(new Error(`the permission has been revoked: ${decision.reason}`))
    }
    for (const [credentialId, set] of this.#open) if (set.size === 0) this.#open.delete(credentialId)
  }

  /** Conversations that are open. */
  get size(): number {
    let size = 0
    for (const set of this.#open.values()) size += set.size
    return size
  }
}
