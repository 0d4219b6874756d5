import { execFile } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createSecureServer, type Http2SecureServer } from 'node:http2'
import { tmpdir } from 'node:os'
import { extname, join, normalize } from 'node:path'
import { promisify } from 'node:util'
import { json, readBody, serveApi } from './fake-api.ts'
import { FakeStatus, type FakeCluster } from './fake-cluster.ts'
import { createFakeFleet, resources } from './fake-fleet.ts'
import { openMockFleet, type MockFleet } from './mock-fleet.ts'

export interface MockGateway extends AsyncDisposable {
  readonly url: string
  readonly hub: FakeCluster
  readonly members: ReadonlyMap<string, FakeCluster>
}

export interface MockGatewayOptions {
  /** The folder of the built console; nothing is served at /console/ without it (`vite` serves it in development). */
  readonly console?: string | undefined
  /** 0 takes a free one. */
  readonly port?: number
  /** HTTP/2 over TLS as the real gateway speaks it; otherwise plain HTTP/1.1. */
  readonly isSecure?: boolean
  readonly pods?: number
}

export const mockUser = { username: 'admin', password: 'gantry' } as const

const types: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' }
/** As strict as it gets: nothing inline, nothing from elsewhere. The console has to live with it. */
export const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

/** A stand-in for the gateway that serves the built console and a fake fleet from memory. For the console's own tests and for `vite` in development. */
export async function startMockGateway(options: MockGatewayOptions = {}): Promise<MockGateway> {
  const { hub, members } = createFakeFleet({ pods: options.pods ?? 10_000 })
  const sessions = new Set<string>()
  const fleet = await openMockFleet({
    names: () =>
      hub
        .list(resources.clusters, undefined)
        .map(({ metadata }) => metadata.name)
        .sort(),
    clusterOf: (name) => memberOf(members, name),
    onChange: (listener) => hub.watch(resources.clusters, Number(hub.revision), listener),
  })
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    answer({ hub, members, fleet, sessions, console: options.console }, request, response).catch((error: unknown) => {
      const status = error instanceof FakeStatus ? error : new FakeStatus(500, 'InternalError', String(error))
      if (response.headersSent) response.end()
      else json(response, status.code, status)
    })
  }
  const server =
    options.isSecure === true
      ? createSecureServer({ ...(await selfSigned()), allowHTTP1: true }, (request, response) => {
          // HTTP/2's compatibility objects have the shape of HTTP/1's, but no common type.
          handle(request as unknown as IncomingMessage, response as unknown as ServerResponse)
        })
      : createServer(handle)
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the mock gateway has no port')
  return {
    url: `${options.isSecure === true ? 'https' : 'http'}://127.0.0.1:${address.port}`,
    hub,
    members,
    async [Symbol.asyncDispose]() {
      await close(server)
      await fleet[Symbol.asyncDispose]()
    },
  }
}

function close(server: Server | Http2SecureServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    if ('closeAllConnections' in server) server.closeAllConnections()
    // Browsers keep an idle HTTP/2 session open for minutes.
    setTimeout(resolve, 500).unref()
  })
}

interface World {
  readonly hub: FakeCluster
  readonly members: ReadonlyMap<string, FakeCluster>
  readonly fleet: MockFleet
  readonly sessions: Set<string>
  readonly console: string | undefined
}

const providers = [
  { name: 'corp', displayName: 'Corp SSO', kind: 'redirect' },
  { name: 'github', displayName: 'GitHub', kind: 'redirect' },
  { name: 'directory', displayName: 'Corp directory', kind: 'password' },
]

async function answer(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://mock')
  const path = url.pathname
  if (path === '/') return redirect(response, '/console/')
  if (path.startsWith('/console')) return serveStatic(world.console, path, response)

  const token = /gantry_session=([^;]+)/.exec(String(request.headers.cookie ?? ''))?.[1]
  const isSignedIn = token !== undefined && world.sessions.has(token)
  if (request.method !== 'GET' && request.headers['x-gantry-request'] !== 'console')
    throw new FakeStatus(403, 'Forbidden', 'the header X-Gantry-Request is missing')
  if (path === '/auth/login') return login(world, request, response)
  if (path === '/auth/providers') return json(response, 200, { providers })
  if (!isSignedIn) throw new FakeStatus(401, 'Unauthorized', 'Unauthorized')
  if (path === '/auth/session') return json(response, 200, session)
  if (path === '/auth/logout') {
    world.sessions.delete(token)
    return json(response, 200, {})
  }
  if (path === '/platform/v1/info') return json(response, 200, { version: '0.1.0' })
  if (path === '/platform/v1/kubeconfig') return kubeconfig(world, response)
  if (path === '/platform/v1/clusters/import') return importCluster(world, request, response)

  if (path.startsWith('/fleet/')) return world.fleet.serve(request, response, url)
  const member = /^\/clusters\/([^/]+)(\/.*)$/.exec(path)
  if (member === null) return serveApi(world.hub, request, response, url)
  const below = new URL(url)
  below.pathname = member[2] ?? '/'
  return serveApi(memberOf(world.members, decodeURIComponent(member[1] ?? '')), request, response, below)
}

function memberOf(members: ReadonlyMap<string, FakeCluster>, name: string): FakeCluster {
  const cluster = members.get(name)
  if (cluster === undefined)
    throw new FakeStatus(503, 'ServiceUnavailable', `cluster "${name}" is unreachable: connect https://203.0.113.9:6443: no answer within 3 s (ETIMEDOUT)`)
  return cluster
}

const session = { user: { name: mockUser.username, displayName: 'Ada Admin', roles: ['platform-admin'] }, expires: '2099-01-01T00:00:00Z' }

async function login(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await readBody(request)) as { username?: string; password?: string } | undefined
  if (body?.username !== mockUser.username || body.password !== mockUser.password)
    throw new FakeStatus(401, 'Unauthorized', 'the user name or the password is wrong')
  const token = crypto.randomUUID()
  world.sessions.add(token)
  response.setHeader('set-cookie', `gantry_session=${token}; HttpOnly; SameSite=Strict; Path=/`)
  json(response, 200, session)
}

async function importCluster(world: World, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const body = (await readBody(request)) as { name?: string; server?: string } | undefined
  const name = body?.name ?? ''
  if (world.hub.list(resources.clusters, undefined).some((cluster) => cluster.metadata.name === name)) {
    throw new FakeStatus(409, 'AlreadyExists', `clusters.fleet.gantry.dev "${name}" already exists`, [
      { field: 'name', message: `a cluster named ${name} is registered already` },
    ])
  }
  if (body?.server?.includes('wrong') === true) {
    throw new FakeStatus(422, 'Invalid', `cluster "${name}" cannot be imported: ${body.server}: getaddrinfo ENOTFOUND`, [
      { field: 'server', message: 'the host name cannot be resolved' },
    ])
  }
  const cluster = world.hub.create(
    resources.clusters,
    {
      apiVersion: 'fleet.gantry.dev/v1alpha1',
      kind: 'Cluster',
      metadata: { name },
      spec: { provider: 'Imported', connection: { server: body?.server ?? 'https://10.1.2.3:6443' } },
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '' }], kubernetesVersion: 'v1.35.1', nodes: { total: 3, ready: 3 } },
    },
    false,
  )
  json(response, 201, cluster)
}

function kubeconfig(world: World, response: ServerResponse): void {
  const names = [...world.members.keys()]
  const text = `apiVersion: v1
kind: Config
current-context: ${names[0]}
clusters:
${names.map((name) => `  - name: ${name}\n    cluster:\n      server: https://127.0.0.1:8443/clusters/${name}`).join('\n')}
users:
  - name: admin
    user:
      token: not-a-real-token
contexts:
${names.map((name) => `  - name: ${name}\n    context: { cluster: ${name}, user: admin }`).join('\n')}
`
  response.writeHead(200, { 'content-type': 'application/yaml', 'content-disposition': 'attachment; filename="gantry.kubeconfig"' })
  response.end(text)
}

async function serveStatic(folder: string | undefined, path: string, response: ServerResponse): Promise<void> {
  if (folder === undefined) throw new FakeStatus(404, 'NotFound', 'this mock serves no console')
  const asked = normalize(path.replace(/^\/console\/?/, ''))
  const file = join(folder, asked)
  const isFile =
    asked !== '.' &&
    !asked.startsWith('..') &&
    (await stat(file).then(
      (found) => found.isFile(),
      () => false,
    ))
  const shown = isFile ? file : join(folder, 'index.html')
  response.writeHead(200, {
    'content-type': types[extname(shown)] ?? 'application/octet-stream',
    'content-security-policy': contentSecurityPolicy,
    'cache-control': shown.includes('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  })
  createReadStream(shown).pipe(response)
}

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { location })
  response.end()
}

async function selfSigned(): Promise<{ readonly key: Buffer; readonly cert: Buffer }> {
  const folder = await mkdtemp(join(tmpdir(), 'gantry-mock-'))
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=127.0.0.1',
      '-keyout',
      key,
      '-out',
      cert,
    ])
    return { key: await readFile(key), cert: await readFile(cert) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const gateway = await startMockGateway({ port: Number(process.env['PORT'] ?? 8300), isSecure: process.env['TLS'] === '1' })
  process.stdout.write(`mock gateway on ${gateway.url}/console/ (${mockUser.username} / ${mockUser.password})\n`)
}
