import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createTestAuthority } from '@gantry/client/testing'
import { systemClock } from '@gantry/runtime'

const run = promisify(execFile)
const startWithinMs = 20_000

/** OpenLDAP's server with a directory of its own, on this machine's loopback. */
export interface Slapd extends AsyncDisposable {
  readonly ldap: string
  readonly ldaps: string
  /** Base64 of the PEM of the authority that has signed its certificate for 127.0.0.1. */
  readonly caData: string
  readonly adminDN: string
  readonly adminPassword: string
}

/** The program and the libraries that this machine lacks, from Debian's packages, unpacked and not installed: nothing is started and nothing else changes. */
async function unpacked(): Promise<string> {
  const dir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'gantry', 'slapd')
  if (existsSync(dir)) return dir
  const packages = /^Inst (\S+)/gm
  const { stdout } = await run('apt-get', ['install', '--simulate', '--no-install-recommends', 'slapd']).catch(() => {
    throw new Error('this test needs slapd, and apt-get knows no package of that name: run apt-get update, or use Debian or Ubuntu')
  })
  const names = new Set(['slapd', ...[...stdout.matchAll(packages)].map(([, name]) => name ?? '')])
  const work = await mkdtemp(join(tmpdir(), 'slapd-'))
  try {
    await run('apt-get', ['download', ...names], { cwd: work })
    const root = join(work, 'root')
    for (const file of await readdir(work)) if (file.endsWith('.deb')) await run('dpkg', ['-x', join(work, file), root])
    await mkdir(join(dir, '..'), { recursive: true })
    await run('cp', ['-r', root, `${dir}.${process.pid}`])
    await rename(`${dir}.${process.pid}`, dir)
  } finally {
    await rm(work, { recursive: true })
  }
  return dir
}

/** With the entries of an LDIF below dc=test. */
export async function startSlapd(ldif: string): Promise<Slapd> {
  const root = await unpacked()
  const dir = await mkdtemp(join(tmpdir(), 'slapd-'))
  const [multiarch = ''] = (await readdir(join(root, 'usr/lib'))).filter((name) => name.endsWith('-linux-gnu'))
  const env = { ...process.env, LD_LIBRARY_PATH: [join(root, 'usr/lib', multiarch), join(root, 'lib', multiarch)].join(':') }
  const authority = createTestAuthority('slapd', systemClock.now().getTime())
  const { cert, key } = authority.issue({ commonName: 'directory', ip: ['127.0.0.1'] })
  const [adminDN, adminPassword] = ['cn=admin,dc=test', 'admin of the directory']
  const file = (name: string): string => join(dir, name)
  await mkdir(file('db'))
  await writeFile(file('cert.pem'), cert)
  await writeFile(file('key.pem'), key)
  await writeFile(file('data.ldif'), ldif)
  await writeFile(
    file('slapd.conf'),
    [
      ...['core', 'cosine', 'inetorgperson'].map((schema) => `include ${join(root, 'etc/ldap/schema', `${schema}.schema`)}`),
      `modulepath ${join(root, 'usr/lib/ldap')}`,
      'moduleload back_mdb',
      `pidfile ${file('slapd.pid')}`,
      `TLSCertificateFile ${file('cert.pem')}`,
      `TLSCertificateKeyFile ${file('key.pem')}`,
      'database mdb',
      'suffix dc=test',
      `rootdn ${adminDN}`,
      `rootpw "${adminPassword}"`,
      `directory ${file('db')}`,
      'maxsize 10485760',
      // Nobody reads anything without having said who they are.
      'access to attrs=userPassword by anonymous auth by * none',
      'access to * by users read by * none',
      '',
    ].join('\n'),
  )
  await run(join(root, 'usr/sbin/slapadd'), ['-f', file('slapd.conf'), '-l', file('data.ldif')], { env })
  const [plain, tls] = [await freePort(), await freePort()]
  const urls = [`ldap://127.0.0.1:${plain}`, `ldaps://127.0.0.1:${tls}`] as const
  const child = spawn(join(root, 'usr/sbin/slapd'), ['-h', urls.join(' '), '-f', file('slapd.conf'), '-d', '0'], { env, stdio: 'ignore' })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM')
    await ended
    await rm(dir, { recursive: true })
  }
  const untilMs = systemClock.monotonicMs() + startWithinMs
  while (!(await answers(tls))) {
    if (child.exitCode !== null || systemClock.monotonicMs() > untilMs) {
      await stop()
      throw new Error(`slapd did not start: exit code ${child.exitCode}`)
    }
    await systemClock.sleep(50)
  }
  return { ldap: urls[0], ldaps: urls[1], caData: Buffer.from(authority.cert).toString('base64'), adminDN, adminPassword, [Symbol.asyncDispose]: stop }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(port, '127.0.0.1')
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
  return promise.finally(() => socket.destroy())
}
