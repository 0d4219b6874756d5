import { createPrivateKey, randomBytes, webcrypto, X509Certificate } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Clock, Logger } from '@gantry/runtime'
import type * as X509 from '@peculiar/x509'

const day = 24 * 60 * 60 * 1_000
const caLifeMs = 10 * 365 * day
// What browsers and Apple's TLS still accept of a server certificate.
const certificateLifeMs = 397 * day
const renewBeforeMs = 30 * day
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface ServingCertificate {
  readonly key: string
  /** The server certificate followed by its CA. */
  readonly cert: string
  /** What clients have to trust: goes into kubeconfigs. */
  readonly ca: string
  readonly notAfter: Date
}

export interface ServingCertificateOptions {
  /** Folder of `ca.crt ca.key server.crt server.key`; all of them have mode 0600. */
  readonly dir: string
  /** DNS names and IP addresses clients use. */
  readonly hosts: readonly string[]
}

/**
 * The port's certificate, from Gantry's own CA. Both are made on the first call and kept; the certificate is made again when it has less than 30 days
 * left, lacks one of the hosts or does not belong to its key or CA. Call it again (daily, say) to renew.
 */
export async function openServingCertificate(
  deps: { readonly clock: Clock; readonly log: Logger },
  options: ServingCertificateOptions,
): Promise<ServingCertificate> {
  const now = deps.clock.now().getTime()
  const [ca, serving] = await Promise.all([readPair(options.dir, 'ca'), readPair(options.dir, 'server')])
  if (ca !== undefined && serving !== undefined && isUsable(serving, { ca, hosts: options.hosts, now })) return bundle(serving, ca)
  await mkdir(options.dir, { recursive: true, mode: 0o700 })
  const issuer = ca !== undefined && new X509Certificate(ca.cert).validToDate.getTime() - now > certificateLifeMs ? ca : await newCa(now)
  if (issuer !== ca) await writePair(options.dir, 'ca', issuer)
  const issued = await newServingPair(issuer, options.hosts, now)
  await writePair(options.dir, 'server', issued)
  deps.log.info('a serving certificate was made', { hosts: options.hosts, newCa: issuer !== ca })
  return bundle(issued, issuer)
}

interface Pair {
  readonly key: string
  readonly cert: string
}

function bundle(serving: Pair, ca: Pair): ServingCertificate {
  return {
    key: serving.key,
    cert: `${serving.cert.trim()}\n${ca.cert.trim()}\n`,
    ca: `${ca.cert.trim()}\n`,
    notAfter: new X509Certificate(serving.cert).validToDate,
  }
}

function isUsable(serving: Pair, wanted: { readonly ca: Pair; readonly hosts: readonly string[]; readonly now: number }): boolean {
  const certificate = new X509Certificate(serving.cert)
  if (certificate.validToDate.getTime() - wanted.now < renewBeforeMs) return false
  if (!certificate.checkPrivateKey(createPrivateKey(serving.key)) || !certificate.verify(new X509Certificate(wanted.ca.cert).publicKey)) return false
  return wanted.hosts.every((host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined)
}

async function readPair(dir: string, name: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(join(dir, `${name}.crt`), 'utf8'), readFile(join(dir, `${name}.key`), 'utf8')])
    return { cert, key }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writePair(dir: string, name: string, pair: Pair): Promise<void> {
  await writeWhole(join(dir, `${name}.key`), pair.key)
  await writeWhole(join(dir, `${name}.crt`), pair.cert)
}

/** A crash leaves the old file or the new one, never half of one. */
async function writeWhole(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`
  const handle = await open(fresh, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await chmod(fresh, 0o600)
  await rename(fresh, file)
}

// 19 MB and 110 ms to load (docs/decisions): only a start that makes certificates pays for it.
async function loadX509(): Promise<typeof X509> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto)
  return x509
}

async function newCa(now: number): Promise<Pair> {
  const x509 = await loadX509()
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=Gantry CA ${randomBytes(4).toString('hex')}`, // two installations on one machine: a browser tells their CAs apart by name
    notBefore: new Date(now - day),
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

async function newServingPair(ca: Pair, hosts: readonly string[], now: number): Promise<Pair> {
  const x509 = await loadX509()
  const der = createPrivateKey(ca.key).export({ type: 'pkcs8', format: 'der' })
  const signingKey = await webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
  const issuer = new x509.X509Certificate(ca.cert)
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject: 'CN=gantry',
    issuer: issuer.subject,
    notBefore: new Date(now - day),
    notAfter: new Date(Math.min(now + certificateLifeMs, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(hosts.map((host) => ({ type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const), value: host }))),
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
