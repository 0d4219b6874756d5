import 'reflect-metadata'
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import { backdatedMs, caLifeMs, certificateLifeMs } from './certificate-life.ts'
import type { CertificateJob, CertificatePairs, Pair } from './certificate-life.ts'

// The program of the process that makes certificates: its jobs come in, one answer with all pairs goes out, then it ends.

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

x509.cryptoProvider.set(webcrypto)
process.once('message', (jobs) => {
  void Promise.all((jobs as readonly CertificateJob[]).map(pairsOf)).then((pairs) => process.send?.(pairs, () => process.disconnect()))
})

async function pairsOf(job: CertificateJob): Promise<CertificatePairs> {
  const issuer = job.issuer ?? (await newCa(job.issuerName, job.now))
  return { issuer, issued: await newPair(issuer, job) }
}

async function newCa(name: string, now: number): Promise<Pair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=${name} ${randomBytes(4).toString('hex')}`, // two installations on one machine: a browser tells their CAs apart by name
    notBefore: new Date(now - backdatedMs),
    notAfter: new Date(now + caLifeMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) }
}

async function newPair(ca: Pair, { subject, now }: CertificateJob): Promise<Pair> {
  const der = createPrivateKey(ca.key).export({ type: 'pkcs8', format: 'der' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  const issuer = new x509.X509Certificate(ca.cert)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'hosts' in subject ? 'CN=gantry' : `CN=${subject.commonName}`,
    issuer: issuer.subject,
    notBefore: new Date(now - backdatedMs),
    notAfter: 'hosts' in subject ? new Date(Math.min(now + certificateLifeMs, issuer.notAfter.getTime())) : issuer.notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      ...('hosts' in subject
        ? [
            new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
            new x509.SubjectAlternativeNameExtension(
              subject.hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host })),
            ),
          ]
        : [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: certificate.toString('pem'), key: await pemOf(keys.privateKey) }
}

/** 127 random bits: positive in DER, unique without a counter. */
function serial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) & 0x7f || 1
  return bytes.toString('hex')
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const base64 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${base64.replaceAll(/.{64}(?=.)/g, '$&\n')}\n-----END PRIVATE KEY-----\n`
}
