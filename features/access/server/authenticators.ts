import { header } from '@gantry/runtime'
import type { Authenticator } from '@gantry/gateway'
import type { Identities } from './identities.ts'
import type { AccessTokens } from './oidc/access-tokens.ts'

export const sessionCookie = '__Host-gantry-session'

/**
 * How the platform knows a caller: an API key or a token of `gantry login`, then a session. Any other Authorization header, and a client certificate without one, belong to the local
 * cluster's own authenticators. A cookie beside an Authorization header counts for nothing: one request has one identity.
 */
export function createAuthenticators(identities: Identities, tokens: AccessTokens): readonly Authenticator[] {
  return [
    function bearer({ headers }) {
      const authorization = header(headers, 'authorization')
      if (authorization === undefined) return undefined
      const token = /^bearer +(\S+) *$/i.exec(authorization)?.[1]
      return (token === undefined ? undefined : (identities.authenticateToken(token) ?? tokens.authenticate(token))) ?? { kind: 'passThrough' }
    },
    function session({ headers }) {
      const value = readCookie(header(headers, 'cookie'), sessionCookie)
      return value === undefined ? undefined : identities.authenticateSession(value)
    },
  ]
}

/** The value of a cookie; undefined when it is absent or, because somebody has planted a second one, ambiguous. */
export function readCookie(cookies: string | undefined, name: string): string | undefined {
  if (cookies === undefined) return undefined
  const values = cookies
    .split(';')
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie.startsWith(`${name}=`))
    .map((cookie) => cookie.slice(name.length + 1))
  return values.length === 1 ? values[0] : undefined
}
