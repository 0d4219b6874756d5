import { endToEndHeaders } from '@gantry/client'
import type { HttpHeaders } from '@gantry/runtime'

// What says who the caller is stays here: another server believes only what this one tells it. Cookies belong to this address.
const withheld: ReadonlySet<string> = new Set(['authorization', 'cookie', 'proxy-authorization'])
const tokenProtocol = 'base64url.bearer.authorization.k8s.io.'

/** The headers of a request that may go on to a server behind this one, and the `upgrade` that it asks for: no credential, and no identity that it claims. */
export function withoutCredentials(headers: HttpHeaders): Record<string, string | readonly string[]> {
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
