import { spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { StatusError } from '@gantry/apimachinery'
import type { Loopback, LoginPorts, ServerIdentity } from '@gantry/access/cli'
import { openHttpTransport } from '@gantry/client'
import { fileProblem, systemClock, systemIds } from '@gantry/runtime'
import { lockFile } from './file-lock.ts'
import { textOf } from './text-of.ts'

type Env = Readonly<Record<string, string | undefined>>

const connectWithinMs = 10_000
const mostCertificates = 10

/** What `gantry login` needs, on this machine. */
export function machinePorts(env: Env): LoginPorts {
  const dir = given(env['GANTRY_CONFIG_DIR']) ?? join(given(env['XDG_CONFIG_HOME']) ?? join(homedir(), '.config'), 'gantry')
  const deps = { clock: systemClock, ids: systemIds }
  return {
    clock: systemClock,
    files: {
      read: (name) => textOf(join(dir, name)),
      write: (name, text) => writeWhole(join(dir, name), text, 0o600),
      remove: (name) => rm(join(dir, name), { force: true }),
      async lock(name, options) {
        await makeFolder(dir)
        return lockFile(deps, join(dir, name), options)
      },
    },
    async changeKubeconfig(file, change) {
      const named =
        file ??
        given(env['KUBECONFIG'])
          ?.split(delimiter)
          .find((one) => one !== '') ??
        join(homedir(), '.kube', 'config')
      // A link stays one.
      const path = await realpath(named).catch(() => named)
      await makeFolder(dirname(path))
      // kubectl's own lock.
      await using _lock = await lockKubeconfig(`${path}.lock`)
      const mode = await stat(path).then(
        (found) => found.mode & 0o777,
        () => 0o600,
      )
      await writeWhole(path, change((await textOf(path)) ?? ''), mode)
      return path
    },
    inspect,
    connect: ({ server, ca, token }) => openHttpTransport({ server, ca, token, connections: 1, connectTimeoutMs: connectWithinMs }, { clock: systemClock }),
    listen,
    openBrowser: (url) => openBrowser(url, env),
    async ask(question) {
      if (!process.stdin.isTTY) return undefined
      const { createInterface } = await import('node:readline/promises')
      const reader = createInterface({ input: process.stdin, output: process.stderr })
      try {
        return await reader.question(question)
      } finally {
        reader.close()
      }
    },
    program: findProgram(),
  }
}

/** The launcher, beside the release bundle or in a checkout; otherwise the name. */
function findProgram(): string {
  const candidates = [join(import.meta.dirname, '../gantry'), join(import.meta.dirname, '../../../../gantry')]
  return candidates.find((file) => existsSync(file)) ?? 'gantry'
}

function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new StatusError('BadRequest', `cannot make the folder ${path}: ${fileProblem(cause)}`, { cause })
  }
}

async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const fresh = `${path}.${systemIds.suffix(8)}`
  try {
    await makeFolder(dirname(path))
    const handle = await open(fresh, 'wx', mode)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await chmod(fresh, mode)
    await rename(fresh, path)
  } catch (cause) {
    await rm(fresh, { force: true })
    if (cause instanceof StatusError) throw cause
    throw new StatusError('BadRequest', `cannot write ${path}: ${fileProblem(cause)}`, { cause })
  }
}

/** As client-go does it (tools/clientcmd, lockFile): whoever finds the file gives up. */
async function lockKubeconfig(path: string): Promise<AsyncDisposable> {
  try {
    await (await open(path, 'wx', 0o600)).close()
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'EEXIST'
        ? 'kubectl is writing the kubeconfig: try again, or remove the file if there is none'
        : fileProblem(cause)
    throw new StatusError('Conflict', `cannot make ${path}: ${why}`, { cause })
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) }
}

/** Looks at the certificate and sends nothing. */
async function inspect(server: string, { signal }: { readonly signal: AbortSignal }): Promise<ServerIdentity> {
  const { hostname, port } = new URL(server)
  const host = hostname.replaceAll(/[[\]]/g, '')
  const { promise, resolve, reject } = Promise.withResolvers<ServerIdentity>()
  // Whether it is trusted is asked below, and nothing is sent over this connection.
  const socket = connect({ host, port: port === '' ? 443 : Number(port), rejectUnauthorized: false, ...(/[a-z]/i.test(host) ? { servername: host } : {}) })
  const within = AbortSignal.any([signal, AbortSignal.timeout(connectWithinMs)])
  const onAbort = (): void => reject(new StatusError('Timeout', `${server} does not answer within ${connectWithinMs / 1_000} s`))
  within.addEventListener('abort', onAbort, { once: true })
  socket.once('error', (cause) => reject(new StatusError('ServiceUnavailable', `cannot reach ${server}: ${cause.message}`, { cause })))
  socket.once('secureConnect', () => {
    if (socket.authorized) resolve({ isTrusted: true })
    else resolve(caOf(socket.getPeerCertificate(true)))
  })
  try {
    return await promise
  } finally {
    within.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

function caOf(certificate: DetailedPeerCertificate): ServerIdentity {
  let last = certificate
  for (let i = 0; i < mostCertificates && last.issuerCertificate !== undefined && last.issuerCertificate !== last; i++) last = last.issuerCertificate
  const root = new X509Certificate(last.raw)
  return { isTrusted: false, ca: root.toString(), fingerprint: root.fingerprint256 }
}

const pageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': "default-src 'none'",
  'cache-control': 'no-store',
  connection: 'close',
}

async function listen(): Promise<Loopback> {
  let isVisited = false
  let onVisit = (_url: URL): boolean => false
  const server = createServer((request, response) => {
    const url = URL.parse(request.url ?? '', 'http://127.0.0.1')
    const isOurs = request.method === 'GET' && url?.pathname === '/callback' && onVisit(url)
    response.writeHead(isOurs ? 200 : 400, pageHeaders)
    response.end(
      isOurs
        ? '<!DOCTYPE html><title>Gantry</title><p>You can close this page and go back to the terminal. 可以关闭此页面并返回终端。'
        : '<!DOCTYPE html><title>Gantry</title><p>Nothing waits for this.',
    )
  })
  const opened = Promise.withResolvers<void>()
  server.once('error', opened.reject)
  server.listen(0, '127.0.0.1', () => opened.resolve())
  await opened.promise
  const { port } = server.address() as AddressInfo
  const redirectUri = `http://127.0.0.1:${port}/callback`
  return {
    redirectUri,
    async visited(state, { signal }) {
      const { promise, resolve, reject } = Promise.withResolvers<URL>()
      onVisit = (url) => {
        if (isVisited || url.searchParams.get('state') !== state) return false
        isVisited = true
        const back = new URL(redirectUri)
        back.search = url.search
        resolve(back)
        return true
      }
      const onAbort = (): void => reject(new StatusError('Timeout', 'nobody has answered in the browser in time: run the login again'))
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        return await promise
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
      server.closeIdleConnections()
      await closed
    },
  }
}

/** `BROWSER`, or the desktop's own. */
async function openBrowser(url: string, env: Env): Promise<boolean> {
  const chosen = given(env['BROWSER'])
  const hasScreen = given(env['DISPLAY']) !== undefined || given(env['WAYLAND_DISPLAY']) !== undefined
  const program = chosen ?? (process.platform === 'darwin' ? 'open' : hasScreen ? 'xdg-open' : undefined)
  if (program === undefined) return false
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const child = spawn(program, [url], { stdio: 'ignore', detached: true })
  child.once('error', () => resolve(false))
  child.once('spawn', () => resolve(true))
  child.unref()
  return promise
}
