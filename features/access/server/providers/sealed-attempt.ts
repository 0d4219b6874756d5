import { StatusError } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { seal, unseal, type Clock, type Ids } from '@gantry/runtime'
import { secrets, type Secret } from '../hub-secrets.ts'
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
const keyBytes = 32
// Another gateway on the same hub may have made another one.
const readAgainMs = 60_000
const secretName = 'sign-in-attempts'

/**
 * Sign-ins on their way to a provider are kept by the browser that began them, encrypted: nobody can fill a table here, and a code that another browser was given is of no use in this
 * one. The key is the Secret `sign-in-attempts` of gantry-system, made at first use, so that any gateway on the hub can open what another has sealed. Each counts once at a gateway, and
 * its code once at the provider.
 */
export class AttemptSeal {
  readonly #deps: { readonly hub: KubeClient; readonly clock: Clock; readonly ids: Ids }
  #key: { readonly bytes: Promise<Buffer>; readonly readMs: number } | undefined
  /** States that have come back, until they would have expired. */
  readonly #used = new Map<string, number>()

  constructor(deps: { readonly hub: KubeClient; readonly clock: Clock; readonly ids: Ids }) {
    this.#deps = deps
  }

  async seal(attempt: Omit<SealedAttempt, 'untilMs'>): Promise<string> {
    const key = await this.#keyNow()
    const untilMs = this.#deps.clock.now().getTime() + attemptSeconds * 1_000
    return seal(key, JSON.stringify({ ...attempt, untilMs })).toString('base64url')
  }

  /** What was sealed, once; undefined when it is none of ours, too old, of another state or has been used. */
  async open(text: string, state: string): Promise<SealedAttempt | undefined> {
    const attempt = decrypted(text, await this.#keyNow())
    const now = this.#deps.clock.now().getTime()
    if (attempt === undefined || attempt.state !== state || attempt.untilMs <= now || this.#used.has(state)) return undefined
    for (const [old, untilMs] of this.#used) {
      if (untilMs > now && this.#used.size < mostUsed) break
      this.#used.delete(old)
    }
    this.#used.set(state, attempt.untilMs)
    return attempt
  }

  #keyNow(): Promise<Buffer> {
    const now = this.#deps.clock.monotonicMs()
    if (this.#key !== undefined && now - this.#key.readMs < readAgainMs) return this.#key.bytes
    const bytes = this.#readKey()
    this.#key = { bytes, readMs: now }
    bytes.catch(() => (this.#key = undefined)) // whoever waits is told; the next one tries again
    return bytes
  }

  async #readKey(): Promise<Buffer> {
    const { hub, ids } = this.#deps
    const at = { namespace: platformNamespace, name: secretName }
    const make = (): Secret => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...at, labels: { 'app.kubernetes.io/managed-by': 'gantry' } },
      type: 'Opaque',
      data: { key: Buffer.from(ids.secret(keyBytes), 'base64url').toString('base64') },
    })
    const found = await getOrCreate(hub, { resource: secrets, key: at, make })
    const key = Buffer.from(found.data?.['key'] ?? '', 'base64')
    if (key.length !== keyBytes)
      throw new StatusError(
        'InternalError',
        `the Secret ${platformNamespace}/${secretName} holds no key of ${keyBytes} bytes; delete it, and another one is made`,
      )
    return key
  }
}

function decrypted(text: string, key: Buffer): SealedAttempt | undefined {
  try {
    return JSON.parse(unseal(key, Buffer.from(text, 'base64url')).toString('utf8')) as SealedAttempt
  } catch {
    return undefined // of another key, or somebody else's
  }
}
