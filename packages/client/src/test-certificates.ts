import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
}

export interface TestAuthority extends TestCertificate {
  issue(options: {
    readonly commonName: string
    readonly dns?: readonly string[]
    readonly ip?: readonly string[]
    readonly notBefore?: Date
    readonly notAfter?: Date
  }): Promise<TestCertificate>
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 86_400_000

/** A certificate authority for tests, valid around `now` (ms): certificates are made when they are needed, none lies in the repository. */
export async function createTestAuthority(name: string, now: number): Promise<TestAuthority> {
  const keys = await newKeys()
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: `CN=${name}`,
    notBefore: new Date(now - 10 * dayMs),
    notAfter: new Date(now + 10 * dayMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true), new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
  })
  let serial = 1
  return {
    cert: authority.toString('pem'),
    key: await pemOf(keys),
    async issue(options) {
      const leaf = await newKeys()
      serial++
      const certificate = await x509.X509CertificateGenerator.create({
        serialNumber: serial.toString(16).padStart(2, '0'),
        subject: `CN=${options.commonName}`,
        issuer: authority.subject,
        notBefore: options.notBefore ?? new Date(now - dayMs),
        notAfter: options.notAfter ?? new Date(now + dayMs),
        signingAlgorithm: algorithm,
        publicKey: leaf.publicKey,
        signingKey: keys.privateKey,
        extensions: [
          new x509.SubjectAlternativeNameExtension([
            ...(options.dns ?? []).map((value) => ({ type: 'dns' as const, value })),
            ...(options.ip ?? []).map((value) => ({ type: 'ip' as const, value })),
          ]),
        ],
      })
      return { cert: certificate.toString('pem'), key: await pemOf(leaf) }
    },
  }
}

type Keys = Awaited<ReturnType<typeof newKeys>>

function newKeys() {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function pemOf(keys: Keys): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  return `-----BEGIN PRIVATE KEY-----\n${der.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END PRIVATE KEY-----\n`
}
