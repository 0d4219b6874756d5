import type { HttpHeaders } from '@gantry/runtime'

const credentials = /^(?:authorization|cookie|proxy-authorization|x-remote[-_].*|x-forwarded[-_].*|x-gantry[-_].*)$/

/**
 * Headers for the hub when Gantry has proved the identity itself (it travels as `HttpRequest.user`): no credential goes along. Impersonation stays: the hub
 * checks the caller's own right to it.
 */
export function headersForHub(headers: HttpHeaders): HttpHeaders {
  const result: Record<string, string | readonly string[] | undefined> = Object.create(null)
  for (const name in headers) if (!credentials.test(name)) result[name] = headers[name]
  return result
}
