import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { Clock } from '@gantry/runtime'
import type { Attempt } from './openid.ts'

/** A sign-in that has gone to a provider, as the browser carries it. */
export interface SealedAttempt extends Attempt {
  readonly provider: string
  /** Of the IdentityProvider: another one of the same name has not sent anybody anywhere. */
  readonly providerUid: string
  readonly next: string
  /** Milliseconds since 1970. */
  readonly untilMs: number
}

export const attemptSeconds = 600
const mostUsed = 10_000
const ivBytes = 12
const tagBytes = 16

/**
 * Sign-ins on their way to a provider are kept by the browser that began them, encrypted: nobody can fill a table here, and a code that another browser was given is of no use in this
 * one. Each counts once. They end with the process.
 */
export class AttemptSeal {
  readonly #clock: Clock
  readonly #key = randomBytes(32)
  /** States that have come back, until they would have expired. */
  readonly #used = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  seal(attempt: Omit<SealedAttempt, 'untilMs'>): string {
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    const untilMs = this.#clock.now().getTime() + attemptSeconds * 1_000
    return Buffer.concat([iv, cipher.update(JSON.stringify({ ...attempt, untilMs }), 'utf8'), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  /** What was sealed, once; undefined when it is none of ours, too old, of another state or has been used. */
  open(text: string, state: string): SealedAttempt | undefined {
    const attempt = this.#decrypt(text)
    const now = this.#clock.now().getTime()
    if (attempt === undefined || attempt.state !== state || attempt.untilMs <= now || this.#used.has(state)) return undefined
    for (const [old, untilMs] of this.#used) {
      if (untilMs > now && this.#used.size < mostUsed) break
      this.#used.delete(old)
    }
    this.#used.set(state, attempt.untilMs)
    return attempt
  }

  #decrypt(text: string): SealedAttempt | undefined {
    const bytes = Buffer.from(text, 'base64url')
    if (bytes.length <= ivBytes + tagBytes) return undefined
    const decipher = createDecipheriv('aes-256-gcm', this.#key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
    decipher.setAuthTag(bytes.subarray(-tagBytes))
    try {
      const clear = Buffer.concat([decipher.update(bytes.subarray(ivBytes, -tagBytes)), decipher.final()])
      return JSON.parse(clear.toString('utf8')) as SealedAttempt
    } catch {
      return undefined // of another process, or somebody else's
    }
  }
}
