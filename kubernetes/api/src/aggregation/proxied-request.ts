import { endToEndHeaders } from '@gantry/client'
import type { HttpHeaders, HttpRequest, UserInfo } from '@gantry/runtime'

// What says who the caller is stays here: the other server believes only what this one tells it. Cookies belong to this address.
const withheld: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])
const tokenProtocol = 'base64url.bearer.authorization.k8s.io.'

/** A request as an extension server gets it: without the caller's credentials and without identities that it claims, with the identity that was found out. */
export function proxiedRequest(request: HttpRequest, user: UserInfo): HttpRequest {
  const { user: _user, peer: _peer, ...rest } = request
  return { ...rest, headers: { ...passedOn(request.headers), ...identityHeaders(user) } }
}

/** Upstream: client-go transport SetAuthProxyHeaders. */
export function identityHeaders(user: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': user.username }
  if ((user.uid ?? '') !== '') headers['x-remote-uid'] = user.uid ?? ''
  if (user.groups.length > 0) headers['x-remote-group'] = [...user.groups]
  for (const [key, values] of Object.entries(user.extra ?? {})) if (values.length > 0) headers[`x-remote-extra-${headerKey(key)}`] = [...values]
  return headers
}

function passedOn(headers: HttpHeaders): Record<string, string | readonly string[]> {
  const passed: Record<string, string | readonly string[]> = {}
  // Here already: what the caller's Connection names would otherwise be taken away later, the identity among it.
  const own = { ...endToEndHeaders(headers), upgrade: headers['upgrade'] }
  for (const [name, value] of Object.entries(own)) {
    // Some servers take an underscore for a dash.
    const plain = name.toLowerCase().replaceAll('_', '-')
    if (value === undefined || withheld.has(plain) || plain.startsWith('x-remote-') || plain.startsWith('impersonate-')) continue
    if (plain !== 'sec-websocket-protocol') passed[name] = value
    else {
      const protocols = [value].flat().flatMap((one) => one.split(',').map((protocol) => protocol.trim()))
      const open = protocols.filter((protocol) => !protocol.startsWith(tokenProtocol))
      if (open.length > 0) passed[name] = open.join(', ')
    }
  }
  return passed
}

/** A key of `extra` as a part of a header's name. */
function headerKey(key: string): string {
  return key
    .toLowerCase()
    .replace(/[^a-z0-9!#$&'*+.^_`|~-]/g, (character) =>
      [...Buffer.from(character)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}
