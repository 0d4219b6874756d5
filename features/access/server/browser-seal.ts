import { StatusError } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient } from '@gantry/client'
import { platformNamespace } from '@gantry/clusters/api'
import { seal, unseal, type Clock, type Ids } from '@gantry/runtime'
import { secrets, type Secret } from './hub-secrets.ts'

export interface BrowserSealDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
}

const keyBytes = 32
// Another gateway on the same hub may have made another one.
const readAgainMs = 60_000
const secretName = 'sign-in-attempts'

/**
 * What a browser carries between the steps of a sign-in, encrypted: nobody can fill a table here. The key is the Secret `sign-in-attempts` of gantry-system, made at first use, so
 * that any gateway on the hub can open what another has sealed.
 */
export class BrowserSeal<T extends object> {
  readonly #deps: BrowserSealDeps
  readonly #purpose: string
  #key: { readonly bytes: Promise<Buffer>; readonly readMs: number } | undefined

  /** What is sealed for one purpose opens for no other. */
  constructor(deps: BrowserSealDeps, purpose: string) {
    this.#deps = deps
    this.#purpose = purpose
  }

  async seal(content: T, seconds: number): Promise<string> {
    const key = await this.#keyNow()
    const untilMs = this.#deps.clock.now().getTime() + seconds * 1_000
    return seal(key, JSON.stringify({ ...content, untilMs }), this.#purpose).toString('base64url')
  }

  /** What was sealed, and until when it counts, in milliseconds since 1970; undefined when it is none of ours, of another purpose or too old. */
  async open(text: string): Promise<(T & { readonly untilMs: number }) | undefined> {
    const content = this.#decrypted(text, await this.#keyNow())
    return content === undefined || content.untilMs <= this.#deps.clock.now().getTime() ? undefined : content
  }

  #decrypted(text: string, key: Buffer): (T & { readonly untilMs: number }) | undefined {
    try {
      return JSON.parse(unseal(key, Buffer.from(text, 'base64url'), this.#purpose).toString('utf8')) as T & { readonly untilMs: number }
    } catch {
      return undefined // of another key or purpose, or somebody else's
    }
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
