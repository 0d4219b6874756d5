import type { HttpHeaders } from '@gantry/runtime'

/**
 * The only request headers that travel to a member. A list of what may pass, not of what may not: identities (`Authorization`, `Cookie`, `Impersonate-*`,
 * `X-Remote-*`, `X-Forwarded-*`), hop-by-hop fields, whatever `Connection` names and every spelling nobody thought of stay behind
 * (platform-anchors §6.2, classes 1 and 2).
 */
const passed = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'audit-id',
  'content-encoding',
  'content-length',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'kubectl-command',
  'kubectl-session',
  'range',
  'traceparent',
  'tracestate',
  'user-agent',
])

const passedWithUpgrade = new Set([
  ...passed,
  'connection',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'x-stream-protocol-version',
])

// A browser's way to give a WebSocket a bearer token (kube-api-spec A4): an identity like any other.
const tokenProtocol = /^base64url\.bearer\.authorization\.k8s\.io\./i

export function headersForMember(headers: HttpHeaders, options: { readonly isUpgrade: boolean }): HttpHeaders {
  const allowed = options.isUpgrade ? passedWithUpgrade : passed
  const named = options.isUpgrade ? none : connectionNames(headers)
  const result: Record<string, string | readonly string[]> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || !allowed.has(name) || named.has(name)) continue
    result[name] = value
  }
  if (options.isUpgrade) {
    result['connection'] = 'Upgrade' // and nothing else the caller has named there
    const protocols = result['sec-websocket-protocol']
    if (protocols !== undefined) {
      const kept = String(protocols)
        .split(',')
        .map((protocol) => protocol.trim())
        .filter((protocol) => protocol !== '' && !tokenProtocol.test(protocol))
      if (kept.length > 0) result['sec-websocket-protocol'] = kept.join(', ')
      else delete result['sec-websocket-protocol']
    }
  }
  return result
}

const none: ReadonlySet<string> = new Set()

function connectionNames(headers: HttpHeaders): ReadonlySet<string> {
  const value = headers['connection']
  if (value === undefined) return none
  return new Set(
    String(value)
      .split(',')
      .map((name) => name.trim().toLowerCase()),
  )
}

/**
 * Impersonation the caller asks for, in any spelling. Dropping it would run the request with more rights than asked for, so it is refused instead.
 */
export function asksToImpersonate(headers: HttpHeaders): boolean {
  for (const name in headers) if (name.startsWith('impersonate-') || name.startsWith('impersonate_')) return true
  return false
}

// Hop-by-hop fields; a cookie of a member would land in the console's origin; a member says nothing about how browsers treat that origin.
const keptBack = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'set-cookie',
  'strict-transport-security',
  'clear-site-data',
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'service-worker-allowed',
  'alt-svc',
])

/** The headers of a member's answer as the caller may see them. Mostly that is all of them. */
export function headersFromMember(headers: HttpHeaders): HttpHeaders {
  let isWhole = true
  for (const name in headers) if (keptBack.has(name)) isWhole = false
  if (isWhole) return headers
  const result: Record<string, string | readonly string[]> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !keptBack.has(name)) result[name] = value
  }
  return result
}
