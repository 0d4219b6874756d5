import type { HttpHeaders } from '@gantry/runtime'

// RFC 9110 §7.6.1: these belong to one connection. A proxy that passes them on lets a caller switch off headers that the next hop relies on.
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * The headers that may pass to the next hop: without the hop-by-hop ones, everything `Connection` names, HTTP/2 pseudo headers, and `without`.
 * Nothing is ever added. (For every request and every answer: a plain loop over the names, and nothing is made that is not needed.)
 */
export function endToEndHeaders(headers: HttpHeaders, without: readonly string[] = nothing): Record<string, string | string[]> {
  const passed: Record<string, string | string[]> = {}
  const named = headers['connection'] === undefined ? none : connectionOptions(headers['connection'])
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name.charCodeAt(0) === colon) continue
    const lower = name.toLowerCase()
    if (hopByHop.has(lower) || lower.startsWith('proxy-') || named.has(lower) || without.includes(lower)) continue
    passed[lower] = typeof value === 'string' ? value : [...value]
  }
  return passed
}

const colon = 58
const nothing: readonly string[] = []
const none: ReadonlySet<string> = new Set()

function connectionOptions(value: string | readonly string[]): ReadonlySet<string> {
  const text = typeof value === 'string' ? value : value.join(',')
  return new Set(text.split(',').map((option) => option.trim().toLowerCase()))
}
