import type { Caller } from '@gantry/gateway'
import type { Clock } from '@gantry/runtime'
import type { Identities } from '../identities.ts'
import { keyIdPrefix, type SigningKeys } from './signing-keys.ts'

/** Whom a token for the platform itself is for (`aud`). */
export const platformAudience = 'urn:gantry:platform'

export interface AccessTokensDeps {
  readonly identities: Identities
  readonly keys: SigningKeys
  readonly clock: Clock
}

interface Proved {
  readonly kid: string
  readonly session: string
  /** The user's uid: a later user of the same name is somebody else. */
  readonly sub: string
  readonly untilMs: number
}

const longestToken = 4_096
const maxProved = 1_000

const refused: Caller = {
  kind: 'refused',
  message: 'the access token is not valid: it is wrong, has expired, or its session has been ended; "gantry login" signs in again',
}

/**
 * The short-lived tokens of `gantry login` (JWT, RFC 9068). A signature is checked once; after that a request costs a look at the mirrored Session and the keys in memory, so that deleting it ends the token
 * at once, and a restart changes nothing.
 */
export class AccessTokens {
  readonly #deps: AccessTokensDeps
  readonly #proved = new Map<string, Proved>()

  constructor(deps: AccessTokensDeps) {
    this.#deps = deps
  }

  /** Undefined when it is none of ours. */
  authenticate(token: string): Caller | Promise<Caller> | undefined {
    const proved = this.#proved.get(token)
    if (proved !== undefined) return this.#callerOf(proved)
    const kid = keyIdOf(token)
    return kid === undefined ? undefined : this.#prove(token, kid)
  }

  #callerOf({ kid, session, sub, untilMs }: Proved): Caller {
    if (this.#deps.clock.now().getTime() >= untilMs || !this.#deps.keys.isKnown(kid)) return refused
    return this.#deps.identities.callerOfSession(session, sub) ?? refused
  }

  async #prove(token: string, kid: string): Promise<Caller> {
    const key = await this.#deps.keys.find(kid)
    if (key === undefined) return refused
    const { importJWK, jwtVerify, errors } = await import('jose')
    const { kty, n, e } = key.jwk
    if (kty === undefined || n === undefined || e === undefined) return refused
    try {
      const { payload } = await jwtVerify(token, await importJWK({ kty, n, e }, 'RS256'), {
        algorithms: ['RS256'],
        typ: 'at+jwt',
        audience: platformAudience,
        requiredClaims: ['exp', 'sub', 'sid'],
        currentDate: this.#deps.clock.now(),
      })
      const { sub, sid, exp } = payload
      if (typeof sub !== 'string' || typeof sid !== 'string' || exp === undefined) return refused
      const proved: Proved = { kid, session: sid, sub, untilMs: exp * 1_000 }
      for (const oldest of this.#proved.keys()) {
        if (this.#proved.size < maxProved) break
        this.#proved.delete(oldest)
      }
      this.#proved.set(token, proved)
      return this.#callerOf(proved)
    } catch (error) {
      if (error instanceof errors.JOSEError) return refused
      throw error
    }
  }
}

/** The key's id of a token that says it is ours; costs the tokens of others next to nothing. */
function keyIdOf(token: string): string | undefined {
  if (!token.startsWith('eyJ') || token.length > longestToken) return undefined
  const end = token.indexOf('.')
  if (end === -1) return undefined
  try {
    const { kid, typ } = JSON.parse(Buffer.from(token.slice(0, end), 'base64url').toString('utf8')) as { kid?: unknown; typ?: unknown }
    return typeof kid === 'string' && kid.startsWith(keyIdPrefix) && typ === 'at+jwt' ? kid : undefined
  } catch {
    return undefined // no JWT: somebody else's token
  }
}
