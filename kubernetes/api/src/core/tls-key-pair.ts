import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

interface PemBlock {
  readonly type: string
  readonly der: Buffer
}

/** What keeps a certificate and a key, each in PEM, from being a pair, in the words of Go's crypto/tls; undefined for a pair. Says nothing of what they hold. */
export function keyPairProblem(certificatePem: string, keyPem: string): string | undefined {
  const inCertificate = pemBlocks(certificatePem)
  const certificate = inCertificate.find(({ type }) => type === 'CERTIFICATE')
  if (certificate === undefined) {
    const types = inCertificate.map(({ type }) => type)
    if (types.length === 0) return 'tls: failed to find any PEM data in certificate input'
    if (types.length === 1 && types[0]?.endsWith('PRIVATE KEY') === true)
      return 'tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched'
    return `tls: failed to find "CERTIFICATE" PEM block in certificate input after skipping PEM blocks of the following types: [${types.join(' ')}]`
  }
  const inKey = pemBlocks(keyPem)
  const key = inKey.find(({ type }) => type === 'PRIVATE KEY' || type.endsWith(' PRIVATE KEY'))
  if (key === undefined) {
    const types = inKey.map(({ type }) => type)
    if (types.length === 0) return 'tls: failed to find any PEM data in key input'
    if (types.length === 1 && types[0] === 'CERTIFICATE') return 'tls: found a certificate rather than a key in the PEM for the private key'
    return `tls: failed to find PEM block with type ending in "PRIVATE KEY" in key input after skipping PEM blocks of the following types: [${types.join(' ')}]`
  }
  const publicKey = publicKeyOf(certificate.der)
  if (publicKey === undefined) return 'x509: malformed certificate'
  const privateKey = privateKeyOf(key.der)
  if (privateKey === undefined) return 'tls: failed to parse private key'
  if (publicKey.asymmetricKeyType !== privateKey.asymmetricKeyType) return 'tls: private key type does not match public key type'
  return createPublicKey(privateKey).equals(publicKey) ? undefined : 'tls: private key does not match public key'
}

function pemBlocks(text: string): PemBlock[] {
  const blocks = text.matchAll(/-----BEGIN ([^\n]*?)-----[ \t]*\r?\n([A-Za-z0-9+/=\s]*?)\r?\n?-----END \1-----/g)
  return [...blocks].map(([, type = '', body = '']) => ({ type, der: Buffer.from(body, 'base64') }))
}

function publicKeyOf(der: Buffer): KeyObject | undefined {
  try {
    return new X509Certificate(der).publicKey
  } catch {
    // Not a certificate: said by the caller.
    return undefined
  }
}

function privateKeyOf(der: Buffer): KeyObject | undefined {
  for (const type of ['pkcs1', 'pkcs8', 'sec1'] as const) {
    try {
      return createPrivateKey({ key: der, format: 'der', type })
    } catch {
      // Of another form, or no key at all.
    }
  }
  return undefined
}
