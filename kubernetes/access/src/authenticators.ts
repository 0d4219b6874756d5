import { StatusError } from '@gantry/apimachinery'
import type { Authenticator } from '@gantry/apiserver'
import type { PeerCertificate } from '@gantry/runtime'

/** CN is the user, each O a group (A2). The edge has verified the chain; `isForProxies` tells the certificates that say who passes a request on, not who makes it. */
export function clientCertificates({ isForProxies }: { readonly isForProxies: (certificate: PeerCertificate) => boolean }): Authenticator {
  return (request) => {
    const certificate = request.peer?.certificate
    if (certificate === undefined || certificate.commonName === '') return Promise.resolve(undefined)
    if (isForProxies(certificate)) return Promise.reject(new StatusError('Unauthorized', 'Unauthorized'))
    return Promise.resolve({
      username: certificate.commonName,
      groups: certificate.organizations,
      extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`] },
    })
  }
}
