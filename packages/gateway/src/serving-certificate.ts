import { fork } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock, Logger } from '@gantry/runtime'
import { certificateLifeMs } from './certificate-life.ts'
import type { CertificateJob, CertificatePairs, Pair } from './certificate-life.ts'

const day = 24 * 60 * 60 * 1_000
const renewBeforeMs = 30 * day

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
  const kept = ca !== undefined && new X509Certificate(ca.cert).validToDate.getTime() - now > certificateLifeMs ? ca : undefined
  const { issuer, issued } = await makeInProcess({ issuer: kept, hosts: options.hosts, now })
  if (kept === undefined) await writePair(options.dir, 'ca', issuer)
  await writePair(options.dir, 'server', issued)
  deps.log.info('a serving certificate was made', { hosts: options.hosts, newCa: kept === undefined })
  return bundle(issued, issuer)
}

/**
 * In a process of its own: the library that makes certificates takes 20 MB and 110 ms to load, and both are gone with the process (a thread's memory would stay ours). Keys travel through the channel
 * between the two, never through arguments.
 */
async function makeInProcess(job: CertificateJob): Promise<CertificatePairs> {
  const child = fork(fileURLToPath(new URL('./certificate-process.ts', import.meta.url)), { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const { promise, resolve, reject } = Promise.withResolvers<CertificatePairs>()
  child.once('message', (pairs) => resolve(pairs as CertificatePairs))
  child.once('error', reject)
  child.once('exit', (code, signal) =>
    reject(new Error(`the process that makes certificates ended with ${signal ?? `exit code ${code}`} before it had made one`)),
  )
  child.send(job)
  return promise
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
