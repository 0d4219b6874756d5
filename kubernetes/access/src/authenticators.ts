import type { Authenticator } from '@gantry/apiserver'

/** CN is the user, each O a group (A2). The edge has verified the chain: a certificate that is here is one of ours. */
export const clientCertificate: Authenticator = (request) => {
  const certificate = request.peer?.certificate
  if (certificate === undefined || certificate.commonName === '') return Promise.resolve(undefined)
  return Promise.resolve({
    username: certificate.commonName,
    groups: certificate.organizations,
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`] },
  })
}
