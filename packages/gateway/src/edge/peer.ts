import type { TLSSocket } from 'node:tls'
import type { Peer } from '@gantry/runtime'

/** Who is at the other end: asked once per socket, since reading a certificate costs more than a small GET. */
export function peerOf(socket: TLSSocket): Peer {
  const address = socket.remoteAddress ?? ''
  const plain = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address
  // `authorized` is false with a reason when no certificate came or it does not chain to the client CA. Then it is no identity.
  if (!socket.authorized) return { address: plain }
  const certificate = socket.getPeerCertificate()
  const commonName: unknown = certificate.subject?.CN
  if (typeof commonName !== 'string') return { address: plain } // several common names: two readers could pick different ones
  const organization: unknown = certificate.subject.O
  return {
    address: plain,
    certificate: {
      commonName,
      organizations: typeof organization === 'string' ? [organization] : Array.isArray(organization) ? organization.map(String) : [],
      fingerprint256: certificate.fingerprint256,
    },
  }
}
