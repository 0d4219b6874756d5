import { createHash, generateKeyPair, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import { StatusError, unlessGone } from '@gantry/apimachinery'
import { getOrCreate, type KubeClient } from '@gantry/client'
import { platformNamespace, rfc3339 } from '@gantry/clusters/api'
import type { Clock, Ids, Logger } from '@gantry/runtime'
import { secrets, type Secret } from '../hub-secrets.ts'

export interface SigningKey {
  readonly kid: string
  /** With its private part. */
  readonly jwk: JsonWebKey
  readonly createdTime: string
  /** From when on it signs nothing any more. */
  readonly retiredTime?: string | undefined
}

/** What the provider signs with. `version` changes with it. */
export interface KeyRing {
  readonly version: string
  /** Signs cookies and marks families of refresh tokens. */
  readonly secret: string
  /** The first one signs; the others are still in what has been given out. */
  readonly keys: readonly SigningKey[]
}

export interface SigningKeysDeps {
  readonly hub: KubeClient
  readonly clock: Clock
  readonly ids: Ids
  readonly log: Logger
}

const name = 'oidc-signing-keys'
const at = { namespace: platformNamespace, name }
/** Every key's id starts with it: tells our tokens from those of clusters without a look at the keys. */
export const keyIdPrefix = 'gantry-'
/** ID tokens live for an hour; a little more for clocks that differ. */
const keepRetiredMs = 65 * 60_000
// Another gateway on the same hub may have changed them.
const readAgainMs = 60_000
// A token with an unknown key is either older than its key or made up: neither is worth a read each.
const lookAgainMs = 10_000

/** The provider's keys: the Secret `oidc-signing-keys` of gantry-system, made at first use. */
export class SigningKeys {
  readonly #deps: SigningKeysDeps
  #ring: { readonly ring: KeyRing; readonly readMs: number } | undefined
  #reading: Promise<KeyRing> | undefined

  constructor(deps: SigningKeysDeps) {
    this.#deps = deps
  }

  /** The keys as of a minute ago at most; makes them when there are none. */
  async ring(): Promise<KeyRing> {
    if (this.#ring !== undefined && !this.#isOld(this.#ring.readMs)) return this.#ring.ring
    return this.#read()
  }

  /** The key of a token; undefined when there is none of that name, also after a look at what is stored. */
  async find(kid: string): Promise<SigningKey | undefined> {
    const known = (await this.ring()).keys.find((key) => key.kid === kid)
    if (known !== undefined || this.#deps.clock.monotonicMs() - (this.#ring?.readMs ?? 0) < lookAgainMs) return known
    return (await this.#read()).keys.find((key) => key.kid === kid)
  }

  /** Whether a key is one of ours, as of what was read last; sees to it that this is not older than a minute for long. */
  isKnown(kid: string): boolean {
    if (this.#ring === undefined || this.#isOld(this.#ring.readMs))
      this.ring().catch((error: unknown) => this.#deps.log.warn('the keys that sign tokens could not be read', { error }))
    return this.#ring?.ring.keys.some((key) => key.kid === kid) === true
  }

  /** From now on a new key signs. The old ones stay public until what they signed is over. Returns the new one's id. */
  async rotate(): Promise<string> {
    const stored = await unlessGone(this.#deps.hub.get<Secret>(secrets, at))
    if (stored === undefined) return (await this.ring()).keys[0]?.kid ?? ''
    const { secret, keys } = parse(stored)
    const now = this.#deps.clock.now()
    const fresh = await this.#makeKey()
    const kept = keys
      .map((key) => ({ ...key, retiredTime: key.retiredTime ?? rfc3339(now) }))
      .filter(({ retiredTime }) => now.getTime() - Date.parse(retiredTime) < keepRetiredMs)
    // With the version that was read: of two who rotate at once, one is told of the conflict.
    const written = await this.#deps.hub.update<Secret>(secrets, { ...stored, data: content(secret, [fresh, ...kept]) })
    this.#keep(written)
    return fresh.kid
  }

  #isOld(readMs: number): boolean {
    return this.#deps.clock.monotonicMs() - readMs >= readAgainMs
  }

  #read(): Promise<KeyRing> {
    this.#reading ??= this.#readOrMake().finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #readOrMake(): Promise<KeyRing> {
    const { ids, hub } = this.#deps
    const make = async (): Promise<Secret> => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { ...at, labels: { 'app.kubernetes.io/managed-by': 'gantry' } },
      type: 'Opaque',
      data: content(ids.secret(32), [await this.#makeKey()]),
    })
    return this.#keep(await getOrCreate(hub, { resource: secrets, key: at, make }))
  }

  #keep(stored: Secret): KeyRing {
    const { secret, keys } = parse(stored)
    const now = this.#deps.clock.now().getTime()
    const live = keys.filter(({ retiredTime }) => retiredTime === undefined || now - Date.parse(retiredTime) < keepRetiredMs)
    const ring: KeyRing = { version: live.map(({ kid }) => kid).join(' '), secret, keys: live }
    this.#ring = { ring, readMs: this.#deps.clock.monotonicMs() }
    return ring
  }

  async #makeKey(): Promise<SigningKey> {
    // RS256 is the one algorithm that every client of OpenID Connect knows.
    const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
    const jwk = privateKey.export({ format: 'jwk' })
    const thumbprint = createHash('sha256')
      .update(JSON.stringify({ e: jwk.e, kty: jwk.kty, n: jwk.n }))
      .digest('base64url')
    return { kid: `${keyIdPrefix}${thumbprint}`, jwk, createdTime: rfc3339(this.#deps.clock.now()) }
  }
}

function content(secret: string, keys: readonly SigningKey[]): Record<string, string> {
  return { content: Buffer.from(JSON.stringify({ secret, keys })).toString('base64') }
}

function parse({ data }: Secret): Pick<KeyRing, 'secret' | 'keys'> {
  const mend = `delete the Secret ${platformNamespace}/${name}: new keys are made then, and applications sign their users in again`
  try {
    const { secret, keys } = JSON.parse(Buffer.from(data?.['content'] ?? '', 'base64').toString('utf8')) as KeyRing
    if (typeof secret === 'string' && Array.isArray(keys) && keys.length > 0) return { secret, keys }
  } catch {
    // The parser would quote what it has read.
  }
  throw new StatusError('InternalError', `the Secret ${platformNamespace}/${name} holds no signing keys: ${mend}`)
}
