import { StatusError } from '@gantry/apimachinery'
import type { Authenticator } from '@gantry/apiserver'
import type { HttpHeaders, HttpRequest, PeerCertificate } from '@gantry/runtime'

export interface RequestHeaderOptions {
  /** Whether the proxy's certificate comes from the CA of front proxies. */
  readonly isFromProxyCa: (certificate: PeerCertificate) => boolean
  /** Common names of the proxies; empty: any that the CA signed. */
  readonly allowedNames: readonly string[]
  /** Lower case. Default x-remote-user, x-remote-uid, x-remote-group, x-remote-extra-. */
  readonly usernameHeaders?: readonly string[]
  readonly uidHeaders?: readonly string[]
  readonly groupHeaders?: readonly string[]
  readonly extraHeaderPrefixes?: readonly string[]
}

/**
 * A front proxy tells who is calling in headers; it proves itself by a certificate of its own CA (A1). Without that certificate the headers mean nothing. Upstream: apiserver
 * pkg/authentication/request/headerrequest.
 */
export function requestHeader(options: RequestHeaderOptions): Authenticator {
  const {
    usernameHeaders = ['x-remote-user'],
    uidHeaders = ['x-remote-uid'],
    groupHeaders = ['x-remote-group'],
    extraHeaderPrefixes = ['x-remote-extra-'],
  } = options
  return (request) => {
    const certificate = request.peer?.certificate
    const username = firstOf(request.headers, usernameHeaders)
    if (certificate === undefined || username === undefined || !options.isFromProxyCa(certificate)) return Promise.resolve(undefined)
    if (options.allowedNames.length > 0 && !options.allowedNames.includes(certificate.commonName))
      return Promise.reject(new StatusError('Unauthorized', 'Unauthorized'))
    const uid = firstOf(request.headers, uidHeaders)
    const groups = groupHeaders.flatMap((name) => valuesOf(request.headers, name))
    const extra: Record<string, string[]> = {}
    for (const prefix of extraHeaderPrefixes) {
      for (const name of Object.keys(request.headers)) {
        if (!name.startsWith(prefix)) continue
        const key = decoded(name.slice(prefix.length))
        extra[key] = [...(extra[key] ?? []), ...valuesOf(request.headers, name)]
      }
    }
    return Promise.resolve({ username, ...(uid !== undefined && { uid }), groups, ...(Object.keys(extra).length > 0 && { extra }) })
  }
}

function firstOf(headers: HttpHeaders, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = valuesOf(headers, name)[0]?.trim()
    if (value !== undefined && value !== '') return value
  }
  return undefined
}

function valuesOf(headers: HttpRequest['headers'], name: string): readonly string[] {
  const value = headers[name]
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

/** A key that is no percent-encoding is taken as it is. */
function decoded(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
