/**
 * Ends what a credential has open when it is revoked. Only streams and upgrades register here: a plain request is over before it matters.
 */
export class Revocations {
  readonly #open = new Map<string, Set<AbortController>>()

  /** A signal that aborts when the credential is revoked. Dispose the hold when the conversation is over. */
  hold(credentialId: string): { readonly signal: AbortSignal } & Disposable {
    const controller = new AbortController()
    let set = this.#open.get(credentialId)
    if (set === undefined) this.#open.set(credentialId, (set = new Set()))
    set.add(controller)
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        set.delete(controller)
        if (set.size === 0 && this.#open.get(credentialId) === set) this.#open.delete(credentialId)
      },
    }
  }

  /** Ends every open conversation of the credential, in this turn. */
  revoke(credentialId: string): void {
    const set = this.#open.get(credentialId)
    if (set === undefined) return
    this.#open.delete(credentialId)
    for (const controller of set) controller.abort(new Error('the credential has been revoked'))
  }

  /** Conversations that are open. */
  get size(): number {
    let size = 0
    for (const set of this.#open.values()) size += set.size
    return size
  }
}
