import type { HttpRequest, UserInfo } from '@gantry/runtime'
import { withoutCredentials } from '../passed-headers.ts'

/** A request as an extension server gets it: without the caller's credentials and without identities that it claims, with the identity that was found out. */
export function proxiedRequest(request: HttpRequest, user: UserInfo): HttpRequest {
  const { user: _user, peer: _peer, ...rest } = request
  return { ...rest, headers: { ...withoutCredentials(request.headers), ...identityHeaders(user) } }
}

/** Upstream: client-go transport SetAuthProxyHeaders. */
export function identityHeaders(user: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': user.username }
  if ((user.uid ?? '') !== '') headers['x-remote-uid'] = user.uid ?? ''
  if (user.groups.length > 0) headers['x-remote-group'] = [...user.groups]
  for (const [key, values] of Object.entries(user.extra ?? {})) if (values.length > 0) headers[`x-remote-extra-${headerKey(key)}`] = [...values]
  return headers
}

/** A key of `extra` as a part of a header's name. */
function headerKey(key: string): string {
  return key
    .toLowerCase()
    .replace(/[^a-z0-9!#$&'*+.^_`|~-]/g, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}
