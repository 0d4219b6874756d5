import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { JWK } from 'jose'
import { goQuote } from '@gantry/apimachinery'
import type { Clock, Handler, Logger } from '@gantry/runtime'
import { header, readWholeBody } from '@gantry/runtime'
import type { JwtRules } from './authentication-configuration.ts'

// What is known of an issuer of tokens: its discovery document and its keys. Upstream: go-oidc oidc.go and jwks.go.

/** A connection to one server; the path of a request is the whole path there. */
export interface Connection {
  readonly handle: Handler
  close(): Promise<void>
}

export interface IssuerDeps {
  readonly clock: Clock
  readonly log: Logger
  /** `origin` is `https://host[:port]`; `ca` is PEM, absent for the system's authorities. */
  readonly connect: (origin: string, ca: string | undefined) => Connection
}

const wellKnown = '/.well-known/openid-configuration'
const requestTimeoutMs = 30_000
const retryEveryMs = 10_000
const longestDocumentBytes = 1 << 20
const maxKeys = 256
/** Keys that are about to expire are fetched again when a signature does not fit. */
const expiryDeltaMs = 30_000
/** Signatures that fit no known key make us ask for new ones: this often in a row, and then once in so long. Anybody can send such tokens. */
const fetchBurst = 5
const fetchEveryMs = 10_000

interface Key {
  readonly id: string
  readonly key: KeyObject
}

/** Finds the issuer out in the background, and again and again until it can be reached; then has its keys when they are asked for. */
export class Issuer {
  readonly #deps: IssuerDeps
  readonly #url: string
  readonly #discoveryUrl: string
  readonly #ca: string | undefined
  readonly #connections = new Map<string, Connection>()
  readonly #stopping = new AbortController()
  #cancelRetry = (): void => {}
  #keysUrl: string | undefined
  #problem: string | undefined
  #keys: readonly Key[] = []
  /** On the wall clock: what the issuer said is. */
  #keysUntilMs = 0
  #fetching: Promise<readonly Key[]> | undefined
  #fetchesLeft = fetchBurst
  #countedAtMs: number

  constructor(deps: IssuerDeps, { url, discoveryURL, ca }: JwtRules['issuer']) {
    this.#deps = deps
    this.#url = url
    this.#discoveryUrl = discoveryURL ?? `${url.replace(/\/$/, '')}${wellKnown}`
    this.#ca = ca
    this.#countedAtMs = deps.clock.monotonicMs()
    this.#problem = `oidc: authenticator for issuer ${goQuote(url)} is not initialized`
  }

  get isReady(): boolean {
    return this.#keysUrl !== undefined
  }

  /** Why it is not ready. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** Tries to find it out, now and every ten seconds until it is. Resolves after the first try. */
  async start(): Promise<void> {
    try {
      this.#keysUrl = await this.#discover()
      this.#problem = undefined
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#problem = error instanceof Error ? error.message : String(error)
      this.#deps.log.error('an issuer of tokens cannot be found out; its tokens are refused meanwhile', { issuer: this.#url, error })
      this.#cancelRetry = this.#deps.clock.schedule(() => void this.start(), retryEveryMs)
    }
  }

  async stop(): Promise<void> {
    this.#cancelRetry()
    this.#stopping.abort(new Error('the issuer is not asked any more'))
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()))
  }

  /** The first that `verify` takes among the keys of this id, or among all without one; asks for new keys when none fits. Throws an Error in upstream's words. */
  async verifiedBy<T>(id: string, verify: (key: KeyObject) => Promise<T | undefined>): Promise<T> {
    const known = await firstThatFits(this.#keys, id, verify)
    if (known !== undefined) return known
    if (this.#deps.clock.now().getTime() + expiryDeltaMs <= this.#keysUntilMs || !this.#mayFetch()) throw new Error('failed to verify id token signature')
    let keys: readonly Key[]
    try {
      keys = await (this.#fetching ??= this.#fetchKeys().finally(() => {
        this.#fetching = undefined
      }))
    } catch (error) {
      throw new Error(`fetching keys ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
    const found = await firstThatFits(keys, id, verify)
    if (found === undefined) throw new Error('failed to verify id token signature')
    return found
  }

  #mayFetch(): boolean {
    if (this.#fetching !== undefined) return true
    const now = this.#deps.clock.monotonicMs()
    const gained = Math.floor((now - this.#countedAtMs) / fetchEveryMs)
    if (gained > 0) {
      this.#fetchesLeft = Math.min(fetchBurst, this.#fetchesLeft + gained)
      this.#countedAtMs += gained * fetchEveryMs
    }
    if (this.#fetchesLeft === 0) return false
    this.#fetchesLeft--
    return true
  }

  async #discover(): Promise<string> {
    const { status, body } = await this.#get(this.#discoveryUrl)
    if (status !== 200) throw new Error(`${status}: ${body.slice(0, 200)}`)
    const document = jsonOf(body) as { readonly issuer?: unknown; readonly jwks_uri?: unknown } | null | undefined
    if (typeof document !== 'object' || document === null) throw new Error('oidc: failed to decode provider discovery object: it is no JSON object')
    const { issuer = '', jwks_uri: keysUrl = '' } = document
    if (issuer !== this.#url)
      throw new Error(`oidc: issuer did not match the issuer returned by provider, expected ${goQuote(this.#url)} got ${goQuote(String(issuer))}`)
    if (typeof keysUrl !== 'string' || keysUrl === '') throw new Error('provider did not return JWKS URL')
    // Keys that came without TLS could be anybody's.
    if (!keysUrl.startsWith('https://') || !URL.canParse(keysUrl)) throw new Error(`oidc: the JWKS URL ${goQuote(keysUrl)} is no https URL`)
    return keysUrl
  }

  async #fetchKeys(): Promise<readonly Key[]> {
    const { status, body, maxAgeMs } = await this.#get(this.#keysUrl ?? '').catch((error: unknown) => {
      throw new Error(`oidc: get keys failed ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    })
    if (status !== 200) throw new Error(`oidc: get keys failed: ${status}`)
    const set = jsonOf(body) as { readonly keys?: unknown } | null | undefined
    if (!Array.isArray(set?.keys)) throw new Error('oidc: failed to decode keys: it is no set of keys')
    if (set.keys.length > maxKeys) throw new Error(`oidc: failed to decode keys: there are more than ${maxKeys}`)
    this.#keys = set.keys.flatMap(keyOf)
    this.#keysUntilMs = this.#deps.clock.now().getTime() + maxAgeMs
    return this.#keys
  }

  async #get(address: string): Promise<{ readonly status: number; readonly body: string; readonly maxAgeMs: number }> {
    const { origin, pathname, search } = new URL(address)
    let connection = this.#connections.get(origin)
    if (connection === undefined) this.#connections.set(origin, (connection = this.#deps.connect(origin, this.#ca)))
    const late = new AbortController()
    const cancel = this.#deps.clock.schedule(() => late.abort(new Error(`no answer from ${origin} within ${requestTimeoutMs} ms`)), requestTimeoutMs)
    try {
      const answer = await connection.handle({
        method: 'GET',
        path: pathname,
        query: search.slice(1),
        headers: { accept: 'application/json' },
        signal: AbortSignal.any([late.signal, this.#stopping.signal]),
      })
      const body = await readWholeBody(answer, longestDocumentBytes)
      return { status: answer.status, body: body.toString(), maxAgeMs: maxAgeMsOf(header(answer.headers, 'cache-control') ?? '') }
    } finally {
      cancel()
    }
  }
}

async function firstThatFits<T>(keys: readonly Key[], id: string, verify: (key: KeyObject) => Promise<T | undefined>): Promise<T | undefined> {
  for (const key of keys) {
    const found = id === '' || key.id === id ? await verify(key.key) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

/** A key of a kind that we do not know is somebody else's. */
function keyOf(jwk: unknown): readonly Key[] {
  const { kid, kty } = (jwk ?? {}) as { readonly kid?: unknown; readonly kty?: unknown }
  if (kty !== 'RSA' && kty !== 'EC') return []
  try {
    return [{ id: typeof kid === 'string' ? kid : '', key: createPublicKey({ key: jwk as JWK, format: 'jwk' }) }]
  } catch {
    return []
  }
}

/** Without a word about it, keys count only for now: a signature that does not fit has them fetched again. */
function maxAgeMsOf(cacheControl: string): number {
  if (/no-store|no-cache|private/i.test(cacheControl)) return 0
  return Number(/(?:^|[\s,])max-age=(\d{1,9})/i.exec(cacheControl)?.[1] ?? 0) * 1000
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
