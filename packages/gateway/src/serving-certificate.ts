import { fork } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fileProblem, writePrivateFile } from '@gantry/runtime'
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
  readonly frontProxy: FrontProxyCertificate | undefined
}

/** What this server shows to those it passes requests on to, and the CA of its own that signed it: nobody else may say who a caller is. PEM. */
export interface FrontProxyCertificate {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

export interface ServingCertificateOptions {
  /** Folder of `ca.crt ca.key server.crt server.key`, and `front-proxy-ca.*`, `front-proxy-client.*` when they are wanted; all of them have mode 0600. */
  readonly dir: string
  /** Common name of the client certificate of a front proxy; absent: none is made. */
  readonly frontProxyName?: string | undefined
  /** DNS names and IP addresses clients use. */
  readonly hosts: readonly string[]
}

/**
 * The port's certificate, from Gantry's own CA. Both are made on the first call and kept; the certificate is made again when it has less than 30 days
 * left, lacks one of the hosts or does not belong to its key or CA. Call it again (daily, say) to renew. A front proxy's certificate ends with its CA, in ten years; both are
 * made again at the first call of the last year.
 */
export async function openServingCertificate(
  deps: { readonly clock: Clock; readonly log: Logger },
  options: ServingCertificateOptions,
): Promise<ServingCertificate> {
  const now = deps.clock.now().getTime()
  const { dir, hosts, frontProxyName } = options
  const [server, proxy] = await Promise.all([
    readWanted(dir, { ca: 'ca', name: 'server', issuerName: 'Gantry CA', subject: { hosts } }),
    frontProxyName === undefined
      ? undefined
      : readWanted(dir, { ca: 'front-proxy-ca', name: 'front-proxy-client', issuerName: 'Gantry front proxy CA', subject: { commonName: frontProxyName } }),
  ])
  const missing = [server, ...(proxy === undefined ? [] : [proxy])].filter((found) => !isUsable(found, now))
  if (missing.length > 0) await makeAndKeep(missing, { dir, now })
  for (const { wanted, ca, pair } of missing) {
    const { cert } = certain(pair)
    deps.log.info('a certificate was made', {
      name: wanted.name,
      ...wanted.subject,
      notAfter: new X509Certificate(cert).validToDate,
      ca: new X509Certificate(certain(ca).cert).subject,
    })
  }
  return { ...bundle(certain(server.pair), certain(server.ca)), frontProxy: proxy && { ...certain(proxy.pair), ca: certain(proxy.ca).cert } }
}

interface Wanted {
  /** Names of files, without their ending. */
  readonly ca: string
  readonly name: string
  readonly issuerName: string
  readonly subject: CertificateJob['subject']
}

interface Found {
  readonly wanted: Wanted
  ca: Pair | undefined
  pair: Pair | undefined
}

async function readWanted(dir: string, wanted: Wanted): Promise<Found> {
  const [ca, pair] = await Promise.all([readPair(dir, wanted.ca), readPair(dir, wanted.name)])
  // Damaged ones are not simply made again: of a CA somebody may have a copy, and all kubeconfigs hold it.
  for (const [name, found] of [[wanted.ca, ca] as const, [wanted.name, pair] as const]) if (found !== undefined) requireReadable(join(dir, name), found)
  return { wanted, ca, pair }
}

function certain(pair: Pair | undefined): Pair {
  if (pair === undefined) throw new Error('a certificate is missing that was made')
  return pair
}

/** A CA is kept while it outlives what it would sign now. */
async function makeAndKeep(missing: readonly Found[], { dir, now }: { readonly dir: string; readonly now: number }): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const jobs = missing.map(({ ca, wanted: { issuerName, subject } }) => ({
    issuer: ca !== undefined && new X509Certificate(ca.cert).validToDate.getTime() - now > certificateLifeMs ? ca : undefined,
    issuerName,
    subject,
    now,
  }))
  const made = await makeInProcess(jobs)
  for (const [index, found] of missing.entries()) {
    const pairs = made[index]
    if (pairs === undefined) throw new Error('the process that makes certificates made too few')
    if (jobs[index]?.issuer === undefined) await writePair(dir, found.wanted.ca, pairs.issuer)
    await writePair(dir, found.wanted.name, pairs.issued)
    found.ca = pairs.issuer
    found.pair = pairs.issued
  }
}

/**
 * In a process of its own: the library that makes certificates takes 20 MB and 110 ms to load, and both are gone with the process (a thread's memory would stay ours). Keys travel through the channel
 * between the two, never through arguments.
 */
async function makeInProcess(jobs: readonly CertificateJob[]): Promise<readonly CertificatePairs[]> {
  const child = fork(fileURLToPath(new URL('./certificate-process.ts', import.meta.url)), { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const { promise, resolve, reject } = Promise.withResolvers<readonly CertificatePairs[]>()
  child.once('message', (pairs) => resolve(pairs as readonly CertificatePairs[]))
  child.once('error', reject)
  child.once('exit', (code, signal) =>
    reject(new Error(`the process that makes certificates ended with ${signal ?? `exit code ${code}`} before it had made one`)),
  )
  child.send(jobs)
  return promise
}

function bundle(serving: Pair, ca: Pair): Omit<ServingCertificate, 'frontProxy'> {
  return {
    key: serving.key,
    cert: `${serving.cert.trim()}\n${ca.cert.trim()}\n`,
    ca: `${ca.cert.trim()}\n`,
    notAfter: new X509Certificate(serving.cert).validToDate,
  }
}

function isUsable({ wanted: { subject }, ca, pair }: Found, now: number): boolean {
  if (ca === undefined || pair === undefined) return false
  const certificate = new X509Certificate(pair.cert)
  const leftMs = certificate.validToDate.getTime() - now
  if (leftMs < ('hosts' in subject ? renewBeforeMs : certificateLifeMs)) return false
  if (!certificate.checkPrivateKey(createPrivateKey(pair.key)) || !certificate.verify(new X509Certificate(ca.cert).publicKey)) return false
  if (!('hosts' in subject)) return certificate.subject === `CN=${subject.commonName}`
  return subject.hosts.every((host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined)
}

function requireReadable(file: string, { cert, key }: Pair): void {
  for (const [ending, read] of [['crt', () => new X509Certificate(cert)] as const, ['key', () => createPrivateKey(key)] as const]) {
    try {
      read()
    } catch (cause) {
      const what = ending === 'crt' ? 'certificate' : 'private key'
      throw new Error(`${file}.${ending} holds no ${what} in PEM: put a copy of it back, or move ${file}.crt and ${file}.key away and new ones are made`, {
        cause,
      })
    }
  }
}

async function readPair(dir: string, name: string): Promise<Pair | undefined> {
  try {
    const [cert, key] = await Promise.all([readFile(join(dir, `${name}.crt`), 'utf8'), readFile(join(dir, `${name}.key`), 'utf8')])
    return { cert, key }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${join(dir, name)}.crt and .key cannot be read: ${fileProblem(error)}`, { cause: error })
  }
}

async function writePair(dir: string, name: string, pair: Pair): Promise<void> {
  await writeWhole(join(dir, `${name}.key`), pair.key)
  await writeWhole(join(dir, `${name}.crt`), pair.cert)
}

async function writeWhole(file: string, text: string): Promise<void> {
  try {
    await writePrivateFile(file, text)
  } catch (cause) {
    throw new Error(`${file} cannot be written: ${fileProblem(cause)}`, { cause })
  }
}
