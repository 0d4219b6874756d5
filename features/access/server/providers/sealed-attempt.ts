import { BrowserSeal, type BrowserSealDeps } from '../browser-seal.ts'
import type { Attempt } from './openid.ts'

/** A sign-in that has gone to a provider, as the browser carries it. */
export interface SealedAttempt extends Attempt {
  readonly provider: string
  /** Of the IdentityProvider: another one of the same name has not sent anybody anywhere. */
  readonly providerUid: string
  readonly next: string
}

export const attemptSeconds = 600
const mostUsed = 10_000

/**
 * Sign-ins on their way to a provider are kept by the browser that began them: a code that another browser was given is of no use in this one. Each counts once at a gateway, and its code
 * once at the provider.
 */
export class AttemptSeal {
  readonly #deps: BrowserSealDeps
  readonly #seal: BrowserSeal<SealedAttempt>
  /** States that have come back, until they would have expired. */
  readonly #used = new Map<string, number>()

  constructor(deps: BrowserSealDeps) {
    this.#deps = deps
    this.#seal = new BrowserSeal(deps, 'attempt')
  }

  seal(attempt: SealedAttempt): Promise<string> {
    return this.#seal.seal(attempt, attemptSeconds)
  }

  /** What was sealed, once; undefined when it is none of ours, too old, of another state or has been used. */
  async open(text: string, state: string): Promise<SealedAttempt | undefined> {
    const attempt = await this.#seal.open(text)
    const now = this.#deps.clock.now().getTime()
    if (attempt === undefined || attempt.state !== state || this.#used.has(state)) return undefined
    for (const [old, untilMs] of this.#used) {
      if (untilMs > now && this.#used.size < mostUsed) break
      this.#used.delete(old)
    }
    this.#used.set(state, attempt.untilMs)
    return attempt
  }
}
