import { bearerToken } from '@gantry/apiserver'
import type { Authenticator } from '@gantry/apiserver'
import { StatusError } from '@gantry/apimachinery'
import type { UserInfo } from '@gantry/runtime'

export interface TokenIdentity {
  readonly user: UserInfo
  /** Those of the asked audiences that the token is for. */
  readonly audiences: readonly string[]
  /** Told to whoever comes with it, not to those who ask about it. */
  readonly warning?: string | undefined
}

/**
 * Knows who is behind a bearer token. `undefined`: not one of its tokens; throws an Error that says why a token of its own is no good. `audiences` are never empty. A message never
 * holds the token.
 */
export type TokenAuthenticator = (token: string, audiences: readonly string[]) => Promise<TokenIdentity | undefined>

/** What a TokenReview tells. */
export type TokenVerdict = { readonly identity: TokenIdentity } | { readonly error: string }

/** All ways to know a bearer token, in order; the first that knows it counts (A1). */
export class TokenAuthenticators {
  readonly #authenticators: () => readonly TokenAuthenticator[]
  readonly #audiences: readonly string[]

  /** `audiences`: what the API itself is called in tokens. The list is asked for on each use: it may change while this runs. */
  constructor(authenticators: () => readonly TokenAuthenticator[], options: { readonly audiences: readonly string[] }) {
    this.#authenticators = authenticators
    this.#audiences = options.audiences
  }

  /** A token that nobody takes is refused, even where nobody at all would be let in. */
  readonly authenticate: Authenticator = async (request, warn) => {
    const token = bearerToken(request)
    if (token === undefined) return undefined
    const verdict = await this.review(token, [])
    if ('error' in verdict) throw new StatusError('Unauthorized', 'Unauthorized')
    const { user, warning } = verdict.identity
    if (warning !== undefined) warn?.(warning)
    return user
  }

  async review(token: string, audiences: readonly string[]): Promise<TokenVerdict> {
    const asked = audiences.length === 0 ? this.#audiences : audiences
    const reasons = ['invalid bearer token']
    for (const authenticator of this.#authenticators()) {
      try {
        const identity = await authenticator(token, asked)
        if (identity !== undefined) return { identity: { ...identity, user: authenticated(identity.user) } }
      } catch (error) {
        if (!(error instanceof Error)) throw error
        reasons.push(error.message)
      }
    }
    return { error: reasons.length === 1 ? (reasons[0] ?? '') : `[${reasons.join(', ')}]` }
  }

  /** For authenticators that know nothing of audiences: their tokens are for the API itself. */
  forApi(authenticator: (token: string) => Promise<UserInfo | undefined>): TokenAuthenticator {
    return async (token, audiences) => {
      const common = audiences.filter((audience) => this.#audiences.includes(audience))
      if (common.length === 0) return undefined
      const user = await authenticator(token)
      return user === undefined ? undefined : { user, audiences: common }
    }
  }
}

function authenticated(user: UserInfo): UserInfo {
  return user.groups.includes('system:authenticated') ? user : { ...user, groups: [...user.groups, 'system:authenticated'] }
}
