import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'
import type { Peer } from '@gantry/runtime'

/** Who is at the other end: asked once per socket, since reading a certificate costs more than a small GET. */
export function peerOf(socket: TLSSocket): Peer {
  const address = socket.remoteAddress ?? ''
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
  // `authorized` is false with a reason when no certificate came or it does not chain to the client CA. Then it is no identity.
  const certificate = socket.getPeerCertificate(true)
  if (!socket.authorized) {
    const isPresented = Object.keys(certificate ?? {}).length > 0
    return isPresented ? { address: plain, certificateProblem: String(socket.authorizationError) } : { address: plain }
  }
  const commonName: unknown = certificate.subject?.CN
  if (typeof commonName !== 'string') return { address: plain } // several common names: two readers could pick different ones
  const organization: unknown = certificate.subject.O
  return {
    address: plain,
    certificate: {
      commonName,
      organizations: typeof organization === 'string' ? [organization] : Array.isArray(organization) ? organization.map(String) : [],
      fingerprint256: certificate.fingerprint256,
      authority256: authorityOf(certificate).fingerprint256,
    },
  }
}

/** The end of the chain, which is its own issuer. The chain has been verified: it is a short one. */
function authorityOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate {
  let at = certificate
  for (let next = at.issuerCertificate; next !== undefined && next !== at; next = at.issuerCertificate) at = next
  return at
}
